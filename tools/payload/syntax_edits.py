"""Edits for a text that does not parse: brackets, indentation, stray characters, lines that make no sense.

A small search: each error that Python reports suggests changes to its line, and a changed text may have another error
further down. Texts that depart least from what was written come first.
"""

from __future__ import annotations

import heapq
import re
import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .splice import Edit
else:  # In the worker this is a top-level module.
    from splice import Edit

MAX_PARSED = 600
"""Texts that are looked at; at about a millisecond each."""
MAX_SECONDS = 3.0
MAX_CHANGES = 6
MAX_FOUND = 9
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_HEADERS = re.compile(r"(?:for|while|if|elif|else|def|class|with|try|except|finally)\b")
_TARGET = re.compile(r"(?:self\.)?\w+$")
_CUTS = 5

Change = tuple[int, str, list[str]]
"""Cost, name, all lines."""


def syntax_edits(source: str, most: int = MAX_FOUND) -> list[Edit]:
    """Up to ``most`` texts that parse, the least changed first; none for one that parses already."""
    error = _error(source)
    if error is None:
        return []
    until, parsed, found = time.thread_time() + MAX_SECONDS, 0, list[Edit]()
    seen, number = set[str](), 0
    first = (error.lineno or 1, str(error.msg)[:80])
    waiting: list[tuple[int, int, int, str, SyntaxError]] = [(0, 0, number, source, error)]
    while waiting and len(found) < most and parsed < MAX_PARSED and time.thread_time() < until:
        cost, changes, _, text, error = heapq.heappop(waiting)
        for more, _, lines in _changes(text, error):
            changed = "\n".join(lines)
            plain = "".join(changed.split())
            if plain in seen or parsed >= MAX_PARSED:
                continue
            seen.add(plain)
            parsed, number = parsed + 1, number + 1
            left = _error(changed)
            if left is None:
                found.append(Edit(changed, "syntax", first[0], first[1], _line(source, first[0]),
                                  _line(changed, first[0]), cost + more))  # fmt: skip
            elif changes + 1 < MAX_CHANGES:
                # An error that is further down is worth more than one that stays where it was.
                stays = 0 if (left.lineno or 0) > (error.lineno or 0) else 1
                heapq.heappush(waiting, (cost + more + stays, changes + 1, number, changed, left))
    return sorted(found, key=lambda edit: edit.cost)[:most]


def _error(text: str) -> SyntaxError | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<text>", "exec", dont_inherit=True)
        except SyntaxError as error:
            return error
        except (ValueError, RecursionError, MemoryError):
            return SyntaxError("too deep")
    return None


def _changes(text: str, error: SyntaxError) -> Iterator[Change]:
    """Changed texts for one error, the gentler first."""
    lines = text.split("\n")
    at = min(max(1, error.lineno or 1), len(lines)) - 1
    column = min(max(1, error.offset or 1) - 1, len(lines[at]))
    message = str(error.msg)
    yield from _brackets(lines, at, column, message)
    yield from _indentation(lines, at, message)
    yield from _characters(lines, at, column, message)
    yield from _cut(lines, at, column)
    yield 6, "line", [*lines[:at], *lines[at + 1 :]]
    if at:
        yield 7, "line before", [*lines[: at - 1], *lines[at:]]


def _brackets(lines: list[str], at: int, column: int, message: str) -> Iterator[Change]:
    line = lines[at]
    head, tail = line[:column], line[column + 1 :]
    if message.startswith("unmatched"):
        yield 1, "bracket", _with(lines, at, head + tail)
        for n in _commas(head)[:_CUTS]:  # the bracket that it closes may have been lost with a part before it
            yield 4, "part", _with(lines, at, head[:n] + tail)
    wrong = re.match(r"closing parenthesis '.' does not match opening parenthesis '(.)'(?: on line (\d+))?", message)
    if wrong is not None:
        closer = _CLOSERS[wrong.group(1)]
        yield 1, "bracket", _with(lines, at, head + closer + line[column:])
        yield 1, "bracket", _with(lines, at, head + closer + tail)
        yield 1, "bracket", _with(lines, at, head + tail)
        opened = head.rfind(wrong.group(1))
        if opened >= 0:
            yield 2, "bracket", _with(lines, at, line[:opened] + line[opened + 1 :])
        for n in _commas(head)[:_CUTS]:
            yield 4, "part", _with(lines, at, head[:n] + closer + line[column:])
            yield 4, "part", _with(lines, at, head[:n] + line[column:])
    never = re.match(r"'(.)' was never closed", message)
    if never is not None:
        closer = _CLOSERS[never.group(1)]
        for end in _ends(lines, at):
            yield 1, "bracket", _with(lines, end, _closed(lines[end], closer))
        yield 2, "bracket", _with(lines, at, head + tail)


def _ends(lines: list[str], at: int) -> Iterator[int]:
    """Where a bracket opened on a line may have ended: on that line, or before a line that stands no deeper."""
    yield at
    depth = _indent(lines[at])
    for n in range(at + 1, len(lines)):
        if lines[n].strip() and _indent(lines[n]) <= depth:
            if n - 1 > at:
                yield n - 1
            if lines[n].strip() in (")", "]", "),", "],"):
                yield n
            return


def _closed(line: str, closer: str) -> str:
    """A line with a bracket closed at its end, before the colon of a header."""
    text = line.rstrip()
    colon = ":" if text.endswith(":") and _HEADERS.match(text.lstrip()) else ""
    body = text.removesuffix(colon).rstrip() if colon else text
    return f"{body}{closer}{colon}"


def _indentation(lines: list[str], at: int, message: str) -> Iterator[Change]:
    before = next((n for n in range(at - 1, -1, -1) if lines[n].strip()), None)
    if message.startswith(("unexpected indent", "unindent does not match")) and before is not None:
        yield 1, "indent", _with(lines, at, " " * _indent(lines[before]) + lines[at].lstrip())
    if message.startswith("expected an indented block") and before is not None:
        inner = " " * (_indent(lines[before]) + 4)
        yield 1, "indent", _with(lines, at, inner + lines[at].lstrip())
        yield 3, "pass", [*lines[: before + 1], f"{inner}pass", *lines[before + 1 :]]


def _characters(lines: list[str], at: int, column: int, message: str) -> Iterator[Change]:
    line = lines[at]
    plain = "".join(ch for ch in line if ch.isascii() and (ch.isprintable() or ch == "\t"))
    if plain != line:
        yield 1, "characters", _with(lines, at, plain)
    number = re.compile(r"(\d)(?=[A-Za-z_])")
    if message.startswith("invalid decimal literal"):
        for match in [m for m in number.finditer(line) if m.end() >= column][:2]:
            yield 2, "comma", _with(lines, at, f"{line[: match.end()]}, {line[match.end() :]}")
    if message.startswith("invalid syntax"):
        if "comma" in message:
            for n in (m.end() for m in re.finditer(r"[)\]\w](?=\s*[A-Za-z_(\[])", line[column:])):
                yield 2, "comma", _with(lines, at, f"{line[: column + n]}, {line[column + n :]}")
                break
        yield 3, "token", _with(lines, at, line[:column] + re.sub(r"^\s*(?:\w+|.)", "", line[column:], count=1))
    if message.startswith("expected ':'"):
        yield 1, "colon", _with(lines, at, f"{line.rstrip()}:")
    doubled = re.sub(r",(\s*,)+", ",", line)
    if doubled != line:
        yield 1, "comma", _with(lines, at, doubled)


def _cut(lines: list[str], at: int, column: int) -> Iterator[Change]:
    """The line up to the error, or to a comma before it, with its brackets closed; or what comes after the error."""
    line = lines[at]
    indent = line[: _indent(line)]
    for cost, n in enumerate([column, *_commas(line[:column])[:_CUTS]], 3):
        begun = line[:n].rstrip().rstrip(",=").rstrip()
        if begun.strip():
            missing = "".join(_CLOSERS[ch] for ch in reversed(_open(begun)))
            colon = ":" if _HEADERS.match(begun.lstrip()) else ""
            yield cost, "cut", _with(lines, at, f"{begun}{missing}{colon}")
            yield cost, "cut", _with(lines, at, begun)
    assigned = line.rfind(" = ")
    if assigned > column:
        name = _TARGET.search(line, max(0, assigned - 80), assigned)  # only there: the time is quadratic in the length
        if name is not None:
            yield 4, "cut", _with(lines, at, indent + line[name.start() :])
    yield 5, "cut", _with(lines, at, indent + line[column:].lstrip())


def _open(text: str) -> list[str]:
    """Brackets of a text that are still open at its end; quotes are taken as they come."""
    opened: list[str] = []
    for ch in text:
        if ch in _CLOSERS:
            opened.append(ch)
        elif ch in _CLOSERS.values() and opened and _CLOSERS[opened[-1]] == ch:
            opened.pop()
    return opened


def _commas(text: str) -> list[int]:
    """Places of commas, from the last."""
    return [n for n in range(len(text) - 1, -1, -1) if text[n] == ","]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _with(lines: list[str], at: int, line: str) -> list[str]:
    return [*lines[:at], line, *lines[at + 1 :]]


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return " ".join(lines[number - 1].split())[:80] if number <= len(lines) else ""
