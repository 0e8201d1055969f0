"""Texts for widgets that read Markdown: what a model wrote stays text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from difflib import unified_diff
from typing import Any, Final

_FENCE: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_SPAN: Final = re.compile(r"(`+)(.+?)\1")
_ACTIVE: Final = re.compile(r"([\\*_{}\[\]()#+!|~$`])")


def plain(value: object) -> str:
    """Any text as Markdown that shows it letter for letter, on one line."""
    return _ACTIVE.sub(r"\\\1", html.escape(" ".join(str(value).split()), quote=False))


def shown(markdown: str) -> str:
    """Markdown of netwright's own whose parts may come from a model: without HTML, pictures and addresses to follow.

    Code, fenced or in backquotes, stays as it is: the browser shows it as text already.
    """
    lines, fence = [], ""
    for line in markdown.splitlines():
        mark = _FENCE.match(line)
        if fence:
            lines.append(line)
            if mark and mark[1].startswith(fence) and line.strip() == mark[1]:
                fence = ""
        elif mark:
            lines.append(line)
            fence = mark[1]
        else:
            lines.append(_outside_code(line))
    return "\n".join([*lines, fence] if fence else lines)


def _outside_code(line: str) -> str:
    parts, place = [], 0
    for span in _SPAN.finditer(line):
        parts += [_tame(line[place : span.start()]), span[0]]
        place = span.end()
    return "".join([*parts, _tame(line[place:])])


def _tame(text: str) -> str:
    return html.escape(text, quote=False).replace("](", "]\\(").replace("![", "!\\[")


def difference(before: str, after: str, names: tuple[str, str]) -> str:
    """What changed, as a unified diff."""
    lines = unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="", n=3)
    return "\n".join(lines) or "no difference"


def coloured(diff: str) -> str:
    """A unified diff as HTML for a Markdown widget: every line escaped, what was added and taken out marked."""
    marks = (("+++", "at"), ("---", "at"), ("@@", "at"), ("+", "added"), ("-", "gone"))
    made = []
    for line in diff.splitlines():
        kind = next((name for mark, name in marks if line.startswith(mark)), "same")
        # Signs of Markdown cannot act inside of <pre>; a line of its own for each keeps the block whole.
        made.append(f'<span class="netwright-{kind}">{html.escape(line) or " "}</span>')
    return '<pre class="netwright-diff">' + "\n".join(made) + "</pre>"


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Names and values as a Markdown table; values that are ``None`` are left out."""
    rows = [f"| {plain(name)} | {plain(value)} |" for name, value in pairs if value is not None]
    return "\n".join(["| | |", "|:--|:--|", *rows]) if rows else ""


def count(value: int | None) -> str:
    """A whole number with separators."""
    return "–" if value is None else f"{value:,}"


def percent(value: float | None) -> str:
    """A share in [0, 1] in per cent."""
    return "–" if value is None else f"{100 * value:.1f} %"
