"""Code out of a model's answer: the block as it stands, and a deterministic clean-up for when that fails.

The text is hostile. Everything here is a line scan or a regular expression that runs in linear time; nothing
parses Python, because a deeply nested expression can end the interpreter that parses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from . import code_lines as lines_of

MAX_ANSWER_CHARS = 256 * 1024
"""Characters of an answer that are looked at; a longer answer is cut there."""

_FENCE = re.compile(r"[ \t]{0,8}(`{3,}|~{3,})([^\n`]*)")
_DEEPER = 3  # columns, as in CommonMark
_ANY = 64  # eight tabs: as deep as _FENCE goes
_NET = re.compile(r"^[ \t]*class[ \t]+Net\b", re.MULTILINE)
_CODE_LINE = re.compile(r"^[ \t]*(?:import|from|class|def|async def|@)\b|^[ \t]*@\w", re.MULTILINE)
_INFO_WORD = re.compile(r"(?:python3?|py3?|Python|code|text|txt|plaintext)?[ \t]*")
_THINK_BEGINS = re.compile(r"^[ \t]*<think(?:ing)?>", re.IGNORECASE | re.MULTILINE)
_THINK_OPEN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_THINK_CLOSE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)

_CHARACTERS = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u2032": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"',
        "\u00a0": " ", "\u2007": " ", "\u202f": " ", "\u3000": " ",
        "\u2010": "-", "\u2011": "-", "\u2212": "-",
        "\u200b": None, "\u200c": None, "\u200d": None, "\u2060": None, "\ufeff": None,
        **{chr(code): None for code in range(32) if chr(code) not in "\t\n\r\f"},
        "\x7f": None,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Cleaned:
    """A cleaned program and the names of the steps that changed something, in order."""

    source: str
    steps: tuple[str, ...]


def extract(answer: str) -> str | None:
    """The best code block of an answer, byte for byte.

    Closed fences are blocks; one that defines ``class Net`` is better than one that does not, then the longer
    is better, then the later. Blocks after the last ``</think>`` come before those inside the reasoning. An
    answer with no closed fence is itself the program if any of its lines looks like code.

    Returns:
        The block without its fences, or ``None`` when there is no code.
    """
    text = answer[:MAX_ANSWER_CHARS]
    after_thinking = text[end_of_thinking(text) :]
    for part in (after_thinking, text):
        blocks = _closed_blocks(part)
        if blocks:
            return max(reversed(blocks), key=_rank)
    return text if _CODE_LINE.search(text) else None


def clean(answer: str) -> Cleaned:
    """Repair what language models commonly get wrong around and in a program.

    Steps, in order: ``length`` (cut at the cap), ``think`` (reasoning removed), ``characters`` (zero-width,
    smart quotes, odd blanks, control characters), ``newlines``, ``fences`` (best block, or the part beside an
    unclosed fence), ``dedent``, ``tabs`` (in indentation), ``leading prose``, ``trailing prose``, ``imports``
    (well-known names that are used and bound nowhere). The clean-up of a cleaned text changes nothing.
    """
    source, steps = answer, []
    # A removed line can uncover another fault (a fence behind prose), so go round until nothing changes.
    for _ in range(_MAX_ROUNDS):
        before = source
        for name, step in _STEPS:
            after = step(source)
            if after != source:
                source = after
                if name not in steps:
                    steps.append(name)
        if source == before:
            break
    return Cleaned(source=source, steps=tuple(steps))


def _rank(block: str) -> tuple[bool, bool, int]:
    return bool(_NET.search(block)), bool(_CODE_LINE.search(block)), len(block)


def end_of_thinking(text: str) -> int:
    """Where the last ``</think>`` ends; 0 where there is none."""
    end = 0
    for match in _THINK_CLOSE.finditer(text):
        end = match.end()
    return end


def answered(text: str) -> str:
    """The part of an answer that is none of its reasoning, be that closed or cut off."""
    rest = text[end_of_thinking(text) :]
    opened = _THINK_BEGINS.search(rest)
    return rest[: opened.start()] if opened else rest


def _indent(line: str) -> int:
    """Columns of blanks before a line's text."""
    spread = line.expandtabs()
    return len(spread) - len(spread.lstrip())


def _deepest_fence(text: str) -> int:
    """Columns by which a fence may be indented: one that is deeper inside of ``class Net`` is part of the program."""
    nets = [_indent(match.group()) for match in _NET.finditer(text)]
    return max(nets) + _DEEPER if nets else _ANY


def _closed_blocks(text: str) -> list[str]:
    """Contents of all fenced blocks that are closed.

    A fence that is indented deeper than the network, or than the one that it would close, belongs to the program: to
    a docstring with an example, say. Models indent outer fences too; where reading them so would lose the network,
    any fence counts.
    """
    blocks = _fenced(text, _deepest_fence(text), _DEEPER)
    if not _NET.search(text) or any(_NET.search(block) for block in blocks):
        return blocks
    return [block for block in _fenced(text, _ANY, _ANY) if _NET.search(block)] or blocks


def _fenced(text: str, deepest: int, deeper: int) -> list[str]:
    """Contents of blocks that are closed by a fence of the same kind, as long or longer.

    Args:
        deepest: columns by which a fence may be indented. deeper: how many more than its opening a closing one may.
    """
    blocks: list[str] = []
    opening = ""
    start = position = limit = 0
    for line in text.splitlines(keepends=True):
        fence, indent = _FENCE.fullmatch(line.rstrip("\r\n")), _indent(line)
        if fence and indent <= deepest:
            marks, info = fence.group(1), fence.group(2).strip()
            if not opening:
                opening, start, limit = marks, position + len(line), indent + deeper
            elif marks.startswith(opening) and not info and indent <= limit:
                blocks.append(text[start:position])
                opening = ""
        position += len(line)
    return [block for block in blocks if block.strip()]


def _cut(text: str) -> str:
    return text[:MAX_ANSWER_CHARS]


def _without_thinking(text: str) -> str:
    """Drop reasoning. An unclosed trace ends where a fence or a line of code begins."""
    opened = _THINK_OPEN.search(text)
    end = end_of_thinking(text)
    if end:
        # Templates often put the opening tag into the prompt, so a lone closing tag ends a trace as well.
        before = text[: opened.start()] if opened and opened.start() < end else ""
        return before + text[end:] if _NET.search(before) else text[end:].lstrip("\r\n")
    if opened is None:
        return text
    rest = text[opened.end() :]
    fence = re.search(r"^[ \t]{0,8}(?:```|~~~)", rest, re.MULTILINE)
    code = _CODE_LINE.search(rest)
    starts = [match.start() for match in (fence, code) if match]
    return text[: opened.start()] + _THINK_OPEN.sub("", rest[min(starts) :] if starts else rest)


def _plain_characters(text: str) -> str:
    return text.translate(_CHARACTERS)


def _plain_newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _without_fences(text: str) -> str:
    """The best closed block; without one, the best of the parts that stray fences cut the text into."""
    blocks = _closed_blocks(text)
    if blocks:
        best = max(reversed(blocks), key=_rank)
        if _NET.search(best) or not _NET.search(text):
            return best
    parts: list[list[str]] = [[]]
    found = False
    limit = _deepest_fence(text)
    for line in text.splitlines(keepends=True):
        fence = _FENCE.match(line)
        if fence is None or _indent(line) > limit:
            parts[-1].append(line)
            continue
        found = True
        # "```python import torch": code on the line of the fence belongs to the part that it opens.
        tail = line[fence.start(2) :]
        word = _INFO_WORD.match(tail)
        code = tail[word.end() :] if word else tail
        parts.append([code] if _CODE_LINE.match(code) else [])
    if not found:
        return text
    return max(("".join(part) for part in reversed(parts)), key=_rank)


_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("length", _cut),
    ("think", _without_thinking),
    ("characters", _plain_characters),
    ("newlines", _plain_newlines),
    ("fences", _without_fences),
    ("dedent", lines_of.dedent),
    ("tabs", lines_of.expand_tabs),
    ("leading prose", lines_of.without_leading_prose),
    ("trailing prose", lines_of.without_trailing_prose),
    ("imports", lines_of.with_missing_imports),
)
_MAX_ROUNDS = 8
