"""The text of one definition as it is emitted: as it stands in its file, but for names that had to change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

import libcst as cst

from .closure import Closure
from .linking import Linked
from .modules import Definition, External
from .naming import Names
from .uses import ALIAS, ANNOTATION, GLOBAL, LOOSE, STRING, Use

_ANYTHING: Final = "object"
"""Stands for a type that only annotations name and that the block does not need."""


class Edit(NamedTuple):
    """Bytes to replace."""

    start: int
    end: int
    text: str


def edits_of(linked: Linked, closure: Closure, names: Names) -> tuple[Edit, ...]:
    """What has to change in an item's text."""
    found: set[Edit] = set()
    loose: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for use in linked.missing:
        if use.flags & ANNOTATION:
            found.add(Edit(use.cut_start, use.cut_end, _ANYTHING))
    for link in linked.links:
        use = link.use
        if isinstance(link.target, Definition) and link.target not in names.definitions:
            found.add(Edit(use.cut_start, use.cut_end, _ANYTHING))
            continue
        new = names.of(link) + link.suffix
        spelled = _spelled(use, link.spelled)
        if use.flags & (STRING | LOOSE | GLOBAL):
            if spelled != new:
                loose.setdefault((use.start, use.end), []).append((spelled, new))
        elif use.flags & ALIAS:
            if use.name != new:
                found.add(Edit(use.start, use.end, f"{link.spelled.partition(' as ')[0]} as {new}"))
        elif link.spelled != new:
            found.add(Edit(use.start, link.end, new))
    cut = [edit for edit in found if edit.text == _ANYTHING]
    edits = [edit for edit in found if not _inside(edit, cut)]
    edits += [Edit(*span, "\0" + "\0".join(f"{a}\1{b}" for a, b in pairs)) for span, pairs in loose.items()]
    edits = [edit for edit in edits if not _inside(edit, cut)]
    for start, end in linked.removed:
        edits.append(Edit(start, end, ""))
    edits.extend(_local(edit.start, edit.end, edit.names, edit.missing, names) for edit in linked.edits)
    return tuple(sorted(set(edits)))


def _spelled(use: Use, spelled: str) -> str:
    if use.flags & (STRING | LOOSE):
        return use.name
    return use.name if use.flags & GLOBAL else spelled


def _inside(edit: Edit, wider: list[Edit]) -> bool:
    return any(w is not edit and w.start <= edit.start and edit.end <= w.end and w != edit for w in wider)


def _local(
    start: int, end: int, bound: tuple[tuple[str, Definition | External], ...], missing: str, names: Names
) -> Edit:
    if missing:
        return Edit(start, end, f'raise ImportError("{missing} is not part of this file")')
    lines = [f"{name} = globals()[{names.of_target(target)!r}]" for name, target in bound]
    return Edit(start, end, "; ".join(lines) or "pass")


def applied(source: bytes, linked: Linked, edits: tuple[Edit, ...]) -> str:
    """The text of an item with comments above it, edited and at no indentation."""
    start, end = _with_comments(source, linked)
    parts: list[bytes] = []
    at = start
    for edit in edits:
        if edit.start < at:
            continue
        stop = edit.end
        if not edit.text:
            first, stop = _whole_lines(source, edit)
            parts.append(source[at : max(first, at)])
        else:
            parts.append(source[at : edit.start])
            parts.append(_replacement(source, edit))
        at = stop
    parts.append(source[at:end])
    text = b"".join(parts).decode("utf-8", "replace").replace("\r\n", "\n")
    return _at_margin(text, linked.item.indent)


def _replacement(source: bytes, edit: Edit) -> bytes:
    if not edit.text.startswith("\0"):
        return edit.text.encode()
    text = source[edit.start : edit.end].decode("utf-8", "replace")
    for pair in edit.text[1:].split("\0"):
        old, new = pair.split("\1")
        text = re.sub(rf"(?<![\w.]){re.escape(old)}\b", new, text)
    return text.encode()


def _whole_lines(source: bytes, edit: Edit) -> tuple[int, int]:
    """A decorator goes with its line."""
    first = source.rfind(b"\n", 0, edit.start) + 1
    stop = source.find(b"\n", edit.end)
    return first, stop + 1 if stop >= 0 else edit.end


def _with_comments(source: bytes, linked: Linked) -> tuple[int, int]:
    """From the comment lines right above to the end of the last line."""
    start, end = linked.item.start, linked.item.end
    line = source.rfind(b"\n", 0, start) + 1
    if not source[line:start].strip():
        start = line
        if linked.item.kind in ("def", "class", "assign"):
            while start > 0:
                above = source.rfind(b"\n", 0, start - 1) + 1
                text = source[above : start - 1]
                if not text.strip().startswith(b"#") or text[: linked.item.indent].strip():
                    break
                start = above
    rest = source[end : source.find(b"\n", end) if source.find(b"\n", end) >= 0 else len(source)]
    if rest.strip().startswith(b"#"):
        end += len(rest)
    return start, end


def _at_margin(text: str, indent: int) -> str:
    """Take away the indentation of a block, without touching strings over several lines."""
    if indent == 0:
        return text
    stripped = text.lstrip("\n")
    if not stripped.startswith((" ", "\t")):
        return stripped
    module = cst.parse_module(f"if True:\n{stripped}\n")
    block = module.body[0]
    assert isinstance(block, cst.If)
    assert isinstance(block.body, cst.IndentedBlock)
    return cst.Module(
        body=cast("Sequence[cst.SimpleStatementLine | cst.BaseCompoundStatement]", block.body.body)
    ).code.rstrip("\n")
