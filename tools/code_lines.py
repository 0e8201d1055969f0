"""Line-wise repairs of a Python text that may not parse: indentation, prose, missing imports.

The text is hostile: every pattern here runs in time linear in its length.
"""

from __future__ import annotations

import re
import textwrap

_DEFINITION = re.compile(
    r"import[ \t]+[\w.]+(?:[ \t]+as[ \t]+\w+)?[ \t]*(?:[,;#].*)?$"
    r"|from[ \t]+[\w.]+[ \t]+import\b"
    r"|(?:async[ \t]+)?def[ \t]+\w+[ \t]*\("
    r"|class[ \t]+\w+[ \t]*[(:]"
    r"|@[A-Za-z_]"
)
"""A line that begins code for certain."""
_STATEMENT = re.compile(
    r"#|[\"')\]}]"
    r"|(?:if|elif|for|while|with)\b.*:[ \t]*(?:#.*)?$"
    r"|(?:else|try|finally)[ \t]*:|except\b[^:]*:"
    r"|(?:return|raise|del|assert|global)\b[ \t]+\w[^ ]*$|(?:pass|return)[ \t]*$"
    r"|[A-Za-z_][\w.]*(?:\[[^\]]*\])?(?:[ \t]*,[ \t]*[A-Za-z_]\w*)*[ \t]*(?::[^=]{1,80})?"
    r"(?:[-+*/%|&^@]|//|\*\*)?=(?!=)"
    r"|[A-Za-z_][\w.]*\("
)
"""A line at column 0 that can be code: comments, closing brackets, headers of blocks, assignments, calls."""

# Strings and comments. Each alternative ends at the end of the text at the latest, so a scan never goes back.
_NOT_CODE = re.compile(
    r'#[^\n]*|"""(?:[^\\"]|\\.|"(?!""))*(?:"""|\\?\Z)|\'\'\'(?:[^\\\']|\\.|\'(?!\'\'))*(?:\'\'\'|\\?\Z)'
    r'|"(?:[^"\\\n]|\\.)*"?|\'(?:[^\'\\\n]|\\.)*\'?',
    re.DOTALL,
)

IMPORTS: tuple[tuple[str, str], ...] = (
    ("torch", "import torch"),
    ("nn", "import torch.nn as nn"),
    ("F", "import torch.nn.functional as F"),
    ("optim", "import torch.optim as optim"),
    ("Tensor", "from torch import Tensor"),
    ("math", "import math"),
    ("random", "import random"),
    ("np", "import numpy as np"),
    ("functools", "import functools"),
    ("itertools", "import itertools"),
    ("partial", "from functools import partial"),
    ("OrderedDict", "from collections import OrderedDict"),
    ("dataclass", "from dataclasses import dataclass"),
    *(
        (name, f"from typing import {name}")
        for name in (
            "Any",
            "Callable",
            "Dict",
            "Iterable",
            "List",
            "Optional",
            "Sequence",
            "Tuple",
            "Type",
            "Union",
        )
    ),
)
"""Names that may be imported for a program that uses them unbound, and how."""
_ATTRIBUTE_ONLY = {"torch", "nn", "F", "optim", "math", "random", "np", "functools", "itertools"}
"""Modules: used only as ``name.something``, so that a variable called ``F`` is not taken for one."""


def dedent(text: str) -> str:
    """Take out an indentation common to all lines."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    return textwrap.dedent(text) if first[:1] in (" ", "\t") else text


def expand_tabs(text: str) -> str:
    """Four blanks for each tab in the indentation of a line."""
    if "\t" not in text:
        return text

    def spaces(match: re.Match[str]) -> str:
        return match.group().replace("\t", "    ")

    return re.sub(r"^[ \t]+", spaces, text, flags=re.MULTILINE)


def without_leading_prose(text: str) -> str:
    """Drop everything up to the last prose line before the first import, definition or decorator."""
    lines = text.split("\n")
    inside = _inside_string(text)
    first = next((at for at, line in enumerate(lines) if not inside[at] and _DEFINITION.match(line)), None)
    if first is None:
        return text
    prose = [at for at in range(first) if not inside[at] and _is_prose(lines[at])]
    if not prose:
        return text
    start = prose[-1] + 1
    while not lines[start].strip():
        start += 1
    return "\n".join(lines[start:])


def without_trailing_prose(text: str) -> str:
    """Drop everything from the first prose line after the last line of code at column 0."""
    lines = text.split("\n")
    inside = _inside_string(text)
    code = [at for at, line in enumerate(lines) if not inside[at] and _DEFINITION.match(line)]
    if not code:
        return text
    last = code[-1]
    for at in range(len(lines) - 1, last, -1):
        line = lines[at]
        if not inside[at] and line[:1].strip() and not line.startswith("#") and not _is_prose(line):
            last = at
            break
    for at in range(last + 1, len(lines)):
        if not inside[at] and _is_prose(lines[at]):
            return "\n".join(lines[:at]).rstrip("\n") + "\n"
    return text


def with_missing_imports(text: str) -> str:
    """Add the imports of well-known names that are used and bound nowhere; each once."""
    code = _NOT_CODE.sub(_blank, text)
    if not _DEFINITION_ANYWHERE.search(code):
        return text
    bound = _bound_names(code)
    # "import torch.nn as nn" names torch and does not use it.
    body = _IMPORT_LINE.sub("", code)
    missing = [line for name, line in IMPORTS if name not in bound and _uses(body, name)]
    if not missing:
        return text
    lines = text.split("\n")
    at = _place_for_imports(lines, _inside_string(text))
    return "\n".join([*lines[:at], *missing, *lines[at:]])


_DEFINITION_ANYWHERE = re.compile(rf"^(?:{_DEFINITION.pattern})", re.MULTILINE)
_IMPORT_LINE = re.compile(r"^[ \t]*(?:import|from)\b[^\n]*", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n;]+)", re.MULTILINE)
_FROM_IMPORT = re.compile(r"^[ \t]*from[ \t]+[\w.]+[ \t]+import[ \t]*(?:\(([^)]{0,1000})\)|([^\n(;]+))", re.MULTILINE)
_ASSIGNED = re.compile(r"^[ \t]*(\w+)[ \t]*(?::[^=\n]{1,80})?=(?!=)|\b(?:def|class|for|as)[ \t]+(\w+)", re.MULTILINE)


def _is_prose(line: str) -> bool:
    """Is this a line of running text at column 0? Indented and empty lines are neither."""
    return bool(line[:1].strip()) and not _DEFINITION.match(line) and not _STATEMENT.match(line)


def _blank(match: re.Match[str]) -> str:
    """The same number of lines, nothing on them."""
    return "\n" * match.group().count("\n")


def _inside_string(text: str) -> list[bool]:
    """For each line: does it begin inside a triple-quoted string?"""
    flags = [False] * (text.count("\n") + 1)
    line = position = 0
    for match in _NOT_CODE.finditer(text):
        line += text.count("\n", position, match.start())
        position = match.start()
        for offset in range(match.group().count("\n")):
            flags[line + offset + 1] = match.group()[:3] in ('"""', "'''")
    return flags


def _bound_names(code: str) -> set[str]:
    bound: set[str] = set()
    for match in _IMPORT.finditer(code):
        for item in match.group(1).split(","):
            words = item.split()
            if len(words) == 3 and words[1] == "as":
                bound.add(words[2])
            elif words:
                bound.add(words[0].split(".")[0])
    for match in _FROM_IMPORT.finditer(code):
        for item in (match.group(1) or match.group(2)).split(","):
            if words := item.split():
                bound.add(words[-1])
    for match in _ASSIGNED.finditer(code):
        bound.add(match.group(1) or match.group(2))
    return bound


def _uses(code: str, name: str) -> bool:
    tail = r"[ \t]*\.[ \t]*\w" if name in _ATTRIBUTE_ONLY else r"\b"
    return re.search(rf"(?<![\w.]){name}{tail}", code) is not None


def _place_for_imports(lines: list[str], inside: list[bool]) -> int:
    """Before the first line of code that is not ``from __future__``; docstring and comments stay above."""
    for at, line in enumerate(lines):
        if not inside[at] and _DEFINITION.match(line) and not line.startswith("from __future__"):
            return at
    return 0
