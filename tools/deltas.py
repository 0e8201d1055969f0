"""Answers that change a given network: search/replace blocks or a unified diff, applied strictly or not at all.

Every hunk names lines of the parent that must stand there exactly once, to the character. Nothing is guessed: line
numbers of a diff are not used (language models count badly), and white space counts. An error names the hunk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .execution import MAX_SOURCE_BYTES
from .extraction import answered

MAX_ANSWER_CHARS: Final = 64 * 1024
"""Characters of an answer that is read; a longer one is refused, not cut."""
MAX_HUNKS: Final = 32
MAX_HUNK_LINES: Final = 400

_SEARCH = re.compile(r"<{5,9} ?SEARCH[ \t]*")
_MIDDLE = re.compile(r"={5,9}[ \t]*")
_REPLACE = re.compile(r">{5,9} ?REPLACE[ \t]*")
_HUNK = "@@"
# What is meant as the edge of a block and is not written as one: indented, in bold, of another length or word.
_EDGE = re.compile(r"[\s*_\u200b-\u200d\ufeff]*(?:<{4,}|>{5,})")
_FENCE = re.compile(r"(?:`{3,}|~{3,})[^\n`]*")
_SHOWN = 60
_MOST_PLACES = 6  # of equal lines that are looked for; one is too many already


class DeltaError(ValueError):
    """An answer cannot be applied.

    Attributes:
        error_class: ``NoDelta`` (no blocks in it), ``BadDelta`` (a block is malformed), ``DeltaMismatch`` (lines that
            the parent has not, or has more than once), ``DeltaConflict`` (hunks that overlap), ``DeltaEmpty`` (nothing
            is changed), ``DeltaTooLarge``.
    """

    def __init__(self, error_class: str, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class


@dataclass(frozen=True)
class Hunk:
    """Lines of the parent and what stands there afterwards.

    Attributes:
        number: place in the answer, from 1.
        old, new: lines without their ends; ``new`` is empty where they are deleted.
    """

    number: int
    old: tuple[str, ...]
    new: tuple[str, ...]


def changed(parent: str, answer: str) -> str:
    """The parent's text as an answer changes it.

    Raises:
        DeltaError: the answer holds no change that applies.
    """
    return apply(parent, parse(answer))


def parse(answer: str) -> tuple[Hunk, ...]:
    """The hunks of an answer: its search/replace blocks, or, where it has none, its unified diff.

    Text around them, the code fences there and reasoning are ignored. What looks like a further block or hunk and is
    not written as one is an error: an answer is applied whole or not at all.

    Raises:
        DeltaError: ``NoDelta``, ``BadDelta`` or ``DeltaTooLarge``.
    """
    if len(answer) > MAX_ANSWER_CHARS:
        raise DeltaError("DeltaTooLarge", f"the answer has {len(answer):,} characters, at most {MAX_ANSWER_CHARS:,}")
    lines = _lines(answered(answer))
    if any(_SEARCH.fullmatch(line) for line in lines):
        hunks = _blocks(lines)
    elif any(line.startswith(_HUNK) for line in lines):
        hunks = _diff(lines)
    else:
        raise DeltaError("NoDelta", "the answer holds no <<<<<<< SEARCH block and no unified diff")
    if len(hunks) > MAX_HUNKS:
        raise DeltaError("DeltaTooLarge", f"the answer has {len(hunks)} hunks, at most {MAX_HUNKS}")
    for hunk in hunks:
        if max(len(hunk.old), len(hunk.new)) > MAX_HUNK_LINES:
            raise DeltaError("DeltaTooLarge", f"hunk {hunk.number} has more than {MAX_HUNK_LINES} lines")
        if not any(line.strip() for line in hunk.old):
            raise DeltaError("BadDelta", f"hunk {hunk.number} names no line of the file: quote the lines it changes")
    return tuple(hunks)


def apply(parent: str, hunks: tuple[Hunk, ...]) -> str:
    """The parent's text with all hunks applied; each is looked for in the parent as it was, so their order is free.

    Raises:
        DeltaError: ``DeltaMismatch``, ``DeltaConflict``, ``DeltaEmpty`` or ``DeltaTooLarge``.
    """
    lines = _lines(parent)
    for hunk in hunks:
        for line in hunk.new:
            if (_FENCE.fullmatch(line) or _EDGE.match(line)) and line not in lines:
                what = "code fence" if _FENCE.fullmatch(line) else "edge of a block"
                raise DeltaError("BadDelta", f"hunk {hunk.number} holds the {what} '{line[:_SHOWN]}': leave it out")
    placed = sorted((_place(lines, hunk), hunk.number, hunk) for hunk in hunks)
    for (at, number, hunk), (after, second, _) in pairwise(placed):
        if at + len(hunk.old) > after:
            raise DeltaError("DeltaConflict", f"hunks {number} and {second} change the same lines (line {after + 1})")
    for at, _, hunk in reversed(placed):
        lines[at : at + len(hunk.old)] = hunk.new
    text = "\n".join(lines)
    if text == "\n".join(_lines(parent)):
        raise DeltaError("DeltaEmpty", "the answer changes nothing")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        raise DeltaError("DeltaTooLarge", f"the changed file has more than {MAX_SOURCE_BYTES:,} bytes")
    return text


def _place(lines: list[str], hunk: Hunk) -> int:
    """The one line, from 0, at which a hunk's old lines stand."""
    # Searched as one text, which takes linear time: line by line it would not, in a file of many equal lines.
    text, wanted = "\n".join(("", *lines, "")), "\n".join(("", *hunk.old, ""))
    found: list[int] = []
    at = text.find(wanted)
    while at >= 0 and len(found) < _MOST_PLACES:
        found.append(text.count("\n", 0, at))
        at = text.find(wanted, at + 1)
    if len(found) == 1:
        return found[0]
    size = len(hunk.old)
    first = next(line for line in hunk.old if line.strip()).strip()[:_SHOWN]
    if found:
        times = f"{len(found)} times" if len(found) < _MOST_PLACES else "many times"
        places = ", ".join(str(one + 1) for one in found)
        raise DeltaError(
            "DeltaMismatch",
            f"hunk {hunk.number} ('{first}'): its {size} lines stand {times} in the file (lines {places}); "
            "quote more lines around the change",
        )
    known = set(lines)
    near = next((n for n, line in enumerate(hunk.old) if line not in known), None)
    wrong = (
        f"; line {near + 1} of it, '{hunk.old[near].strip()[:_SHOWN]}', is not in the file" if near is not None else ""
    )
    raise DeltaError("DeltaMismatch", f"hunk {hunk.number} ('{first}'): its {size} lines are not in the file{wrong}")


def _blocks(lines: list[str]) -> list[Hunk]:
    """Search/replace blocks."""
    hunks: list[Hunk] = []
    old: list[str] | None = None
    new: list[str] | None = None
    for line in lines:
        number = len(hunks) + 1
        if _SEARCH.fullmatch(line):
            if old is not None:
                raise DeltaError("BadDelta", f"hunk {number} is not closed by >>>>>>> REPLACE before the next begins")
            old = []
        elif old is None:
            _check_outside(line, number)
        elif _MIDDLE.fullmatch(line):
            if new is not None:
                raise DeltaError("BadDelta", f"hunk {number} has more than one =======: which of them parts it?")
            new = []
        elif _REPLACE.fullmatch(line):
            if new is None:
                raise DeltaError("BadDelta", f"hunk {number} has no ======= between its two parts")
            hunks.append(Hunk(number, tuple(old), tuple(new)))
            old = new = None
        else:
            (old if new is None else new).append(line)
    if old is not None:
        raise DeltaError("BadDelta", f"hunk {len(hunks) + 1} is not closed by >>>>>>> REPLACE: was the answer cut?")
    return hunks


def _diff(lines: list[str]) -> list[Hunk]:
    """The hunks of a unified diff; a hunk ends at a line that belongs to none."""
    hunks: list[Hunk] = []
    inside: list[str] | None = None
    for number, line in enumerate([*lines, "```"]):
        header = line.startswith(_HUNK)
        if header or _names_file(lines, number) or (inside is not None and _FENCE.fullmatch(line)):
            if inside:
                hunks.append(_hunk(len(hunks) + 1, inside))
            inside = [] if header else None
        elif inside is None:
            _check_outside(line, len(hunks) + 1)
        elif line.startswith("\\ No newline"):
            continue
        elif line[:1] in ("-", "+", " ") or not line:
            inside.append(line)
        else:
            raise DeltaError("BadDelta", f"hunk {len(hunks) + 1}: the line '{line[:_SHOWN]}' begins with none of ' -+'")
    return hunks


def _names_file(lines: list[str], number: int) -> bool:
    """Whether a diff begins anew here: ``---`` and ``+++`` may be lines of a hunk too, but not before a header."""
    return [line[:4] for line in lines[number : number + 2]] == ["--- ", "+++ "] and (
        number + 2 < len(lines) and lines[number + 2].startswith(_HUNK)
    )


def _hunk(number: int, lines: list[str]) -> Hunk:
    """A hunk of its lines in the answer, without the empty ones between it and what follows there.

    Elsewhere an empty line stands for an empty line of context, whose blank editors and models leave out.
    """
    size = len(lines)
    while size and not lines[size - 1]:
        size -= 1
    old = tuple(line[1:] for line in lines[:size] if line[:1] != "+")
    new = tuple(line[1:] for line in lines[:size] if line[:1] != "-")
    return Hunk(number, old, new)


def _check_outside(line: str, number: int) -> None:
    """Refuses what stands outside of all hunks and is one that is not written as it must be."""
    if _EDGE.match(line) or line.startswith(_HUNK):
        shown = line.strip()[:_SHOWN]
        raise DeltaError(
            "BadDelta",
            f"hunk {number}: '{shown}' is not understood here; the edges of a block are <<<<<<< SEARCH, ======= and "
            ">>>>>>> REPLACE, each alone on its line, and blocks and diffs do not mix",
        )


def _lines(text: str) -> list[str]:
    """Lines without their ends, whichever of the three kinds these are."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
