"""Constructor arguments of blocks as JSON, and the objects that they stand for.

JSON values stand for themselves, with these exceptions, which :mod:`tools.blocks.arguments` writes as source text:

* a string that begins with ``torch.`` is that attribute: ``"torch.nn.GELU"`` is the class;
* ``{"tuple": [...]}`` is a tuple;
* ``{"class": "Name"}`` is a class of the block's file, or ``torch.…`` and ``types.SimpleNamespace`` by full name;
* ``{"class": "Name", "fields": {...}}`` is what that class makes of keyword arguments, and ``"set": {...}`` are
  attributes that are set on it afterwards.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import torch


def decode(value: Any, names: Mapping[str, Any]) -> Any:
    """The object that a JSON value stands for.

    Args:
        names: what the block's file defines.

    Raises:
        KeyError: a class that the file has not got. Whatever constructors raise comes through.
    """
    if isinstance(value, str):
        return _attribute(value) if value.startswith("torch.") else value
    if isinstance(value, list):
        return [decode(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(decode(each, names) for each in value["tuple"])
    if "class" not in value:
        return {key: decode(each, names) for key, each in value.items()}
    made = _class(value["class"], names)
    if "fields" in value:
        made = made(**{key: decode(each, names) for key, each in value["fields"].items()})
        for key, each in value.get("set", {}).items():
            setattr(made, key, decode(each, names))
    return made


def _class(name: str, names: Mapping[str, Any]) -> Any:
    if name == "types.SimpleNamespace":
        return types.SimpleNamespace
    return _attribute(name) if name.startswith("torch.") else names[name]


def _attribute(path: str) -> Any:
    found: Any = torch
    for part in path.split(".")[1:]:
        found = getattr(found, part)
    return found
