"""Requests written as a sheet, in JSON or as a Markdown table -> lines of "name: value", which are read as text.

Only names of what a request can have are taken over. Anything else stays as it is, to be passed over as written for a
machine: a tool call does not become a request because it has braces.
"""

from __future__ import annotations

import json
import re

_NAMES = re.compile(
    r"(?:data[\s_-]*set|data|task|problem|target|name|goal|network|net|model|architecture|style|type|family|kind|design|request"
    r"|description|limits?|constraints?|budgets?|requirements?|(?:(?:max|min)(?:imum|imal)?|most|least|total|num|number|n|upper|lower)"
    r"(?:[\s_-]*(?:of|limit|bound))?[\s_-]*(?:param(?:eter)?s?|weights?|size|bytes|[km]i?b|flops|macs|classes|candidates|variants|epochs)?"
    r"|(?:param(?:eter)?s?|weights?|size|flops|macs|candidates|variants|epochs|seed|train(?:ing)?|precision|dtype|classes|language)"
    r"(?:[\s_-]*(?:max|min|limit|budget|count|cap|bytes|kb|mb))?)",
    re.I,
)
_OBJECT = re.compile(r"(?:```\w*\s*)?(\{[^`]*\})(?:\s*```)?", re.S)
_TABLE = re.compile(r"(?:^[ \t]*\|.*\|[ \t]*(?:\n|\Z)){2,}", re.M)
_RULE = re.compile(r"[\s|:-]+")


_CODE = re.compile(
    r"(?<!`)`((?!_)[\w-]+|(?:\d|[<>≤≥]|(?:under|below|over|above|at|max|min|up|exactly|between|cifar|fashion|places)\b)"
    r"[\w ,<>≤≥=-]*(?:\.\d+\w*)?)`(?!`)"
)


_MARKS = str.maketrans("’‘ʼ＇“”„‟", "''''" + '"' * 4)
_PICTURES = re.compile("[\u2600-\u27bf\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff]+")
_ITEM = re.compile(r"^\s*(?:(?:\d{1,2}[.)]|[-*#>•]+)\s+)+(?=[^\W\d_])|^\s*\d{1,2}[.)]\s+(?=[<\[{$`*\"])", re.M)
# "1) CIFAR-10 2) residual" in one line; a lone number with a bracket may be a limit.
_INLINE = re.compile(r"(?<![\w.,(])[1-9][.)]\s+(?=[^\W\d_]|[≤<>])")
_LISTED = re.compile(r"(?<![\w.,(])1[.)]\s.*?(?<![\w.,(])2[.)]\s", re.S)


def plain_marks(text: str) -> str:
    """The text with plain quotes, and without pictures, bullets and the numbers of a list."""
    text = _PICTURES.sub(" ", text.translate(_MARKS))
    return _ITEM.sub("", _INLINE.sub("; ", text) if _LISTED.search(text) else text)


def unquoted(text: str) -> str:
    """The text without back-ticks around names and numbers; what is code by its signs stays quoted."""
    return _CODE.sub(lambda hit: hit[1], text)


def without_sheets(text: str) -> str:
    """The text with the objects and tables that hold a request as lines of names and values."""
    return _TABLE.sub(_from_table, _OBJECT.sub(_from_object, text))


def _from_object(hit: re.Match[str]) -> str:
    try:
        lines = _lines(json.loads(hit[1]))
    except (ValueError, RecursionError):
        return hit.group()
    return "\n" + "\n".join(lines) + "\n" if lines else hit.group()


def _lines(value: object, above: str = "") -> list[str] | None:
    """The lines of an object; ``None`` if it holds anything that is no request."""
    if not isinstance(value, dict):
        return None
    lines: list[str] = []
    for name, held in value.items():
        said = f"{above} {name}".replace("_", " ").strip()
        if not _NAMES.fullmatch(name):
            return None
        if isinstance(held, dict):
            inner = _lines(held, "" if re.match(r"limit|constraint|budget|requirement|request", name, re.I) else name)
            if inner is None:
                return None
            lines += inner
        elif isinstance(held, bool):
            lines += [said if held else f"no {said}"]
        elif isinstance(held, str | int | float):
            lines += [f"{said}: {held}"]
        elif held is not None:
            return None
    return lines


def _from_table(hit: re.Match[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in hit.group().strip().splitlines()]
    ruled = len(rows) > 1 and all(_RULE.fullmatch(f"{cell} ") or not cell for cell in rows[1])
    rows = [row for row in rows if not all(_RULE.fullmatch(f"{cell} ") for cell in row)]
    if ruled and len(rows) == 2 and (len(rows[0]) > 2 or all(_NAMES.fullmatch(cell) for cell in rows[0])):
        pairs = [list(pair) for pair in zip(*rows, strict=False)]
    else:
        pairs = rows[1:] if ruled and not _NAMES.fullmatch(rows[0][0]) else rows
    return "\n" + "\n".join(f"{row[0]}: {', '.join(row[1:])}" for row in pairs if row) + "\n"
