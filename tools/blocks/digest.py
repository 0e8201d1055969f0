"""What a search reads of a block: its class alone, its words by field, the text that is embedded."""

from __future__ import annotations

import ast
import re
import textwrap
from typing import Final

from ...memory.block_types import Block
from ...memory.keyword_index import Words
from .concepts import described
from .words import expanded, name_words, parts

_DOC_CHARS: Final = 600  # of a docstring: what a class is for stands at its beginning, then come its arguments
_SAID_CHARS: Final = 300  # of it in what is embedded: the model reads 128 tokens
_MODULE: Final = re.compile(r"^(modeling|modular|models|layers?|ops|nn|src)$")
_BASIC: Final = {"self", "super", "range", "len", "int", "float", "tuple", "list", "isinstance", "getattr", "print"}
_USES: Final = 60
_SAID_USES: Final = 16


def class_source(block: Block) -> str:
    """The text of the block's own class, without what the file defines around it; empty if it isn't there."""
    head = re.search(rf"^class {re.escape(block.name)}\b.*(?:\n|\Z)", block.text, re.MULTILINE)
    if head is None:
        return ""
    lines = [head.group(0)]
    for line in block.text[head.end() :].splitlines(keepends=True):
        if line.strip() and not line[0].isspace() and line[0] not in ")#]":
            break
        lines.append(line)
    return "".join(lines).rstrip() + "\n"


def purpose(docstring: str) -> str:
    """The beginning of a docstring, without markup, rules and argument lists."""
    text = textwrap.dedent(docstring)
    text = re.split(r"\n\s*(?:Args|Arguments|Parameters|Returns|Example|Examples|Shape|Attributes)\b\s*:?", text)[0]
    text = re.sub(r"https?://\S+|:\w+:|[`*~^_]{1,3}|\[|\]|\(\)", " ", text)
    return re.sub(r"\s+", " ", text).strip()[:_DOC_CHARS]


def uses(source: str) -> list[str]:
    """The types and functions that a class calls, in the order in which they first stand: Conv2d, sigmoid, …"""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if len(name) > 2 and name not in _BASIC and not name.startswith("__"):
                found[name] = None
    return list(found)[:_USES]


def words_of(block: Block) -> Words:
    """The words of a block by field, as :class:`.KeywordIndex` takes them."""
    source = class_source(block)
    name = name_words(block.name)
    path = _path(block)
    called = uses(source)
    return Words(
        id=block.id,
        name=" ".join([*name, *expanded(name)]),
        docstring=" ".join([purpose(block.docstring), *described(name)]),
        path=" ".join([*path, block.category, *expanded(path)]),
        uses=" ".join(word for one in called for word in name_words(one, 2)),
        category=block.category,
        package=block.package,
        stage=block.check.stage if block.check is not None else "",
    )


def embedded_text(block: Block) -> str:
    """The text of a block that is embedded: name in words, purpose, place, arguments, what it is made of."""
    name = parts(block.name)
    said = " ".join(dict.fromkeys([*name, *expanded(name_words(block.name, 2))]))
    arguments = re.findall(r"(\w+)\s*(?=[:=,)])", block.signature)[:8]
    lines = [
        f"{block.name}: {said}",
        "; ".join(described(name_words(block.name)))[:_SAID_CHARS],
        purpose(block.docstring)[:_SAID_CHARS],
        f"{block.category} in {' '.join(_path(block))}",
        "made of " + ", ".join(uses(class_source(block))[:_SAID_USES]),
        "with " + ", ".join(dict.fromkeys(a for a in arguments if a not in {"None", "True", "False", "int", "bool"})),
    ]
    return ". ".join(line for line in lines if line and not line.endswith((" of ", "with ")))


def _path(block: Block) -> list[str]:
    """Words of the package and the module: ``timm.layers.squeeze_excite`` → timm, squeeze, excite."""
    found = [word for part in block.qualified.split(".")[:-1] for word in part.split("_")]
    return list(dict.fromkeys(word.lower() for word in found if word and not _MODULE.match(word)))
