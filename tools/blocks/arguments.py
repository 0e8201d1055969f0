"""The recorded constructor arguments of a block as Python source, so that another file can build it.

``BlockCheck.arguments`` is JSON. Its values stand for themselves, except: a string that begins with ``torch.`` is that
attribute, ``{"tuple": [...]}`` a tuple, ``{"class": name}`` a class, and ``{"class": name, "fields": {...}}`` what the
class makes of keyword arguments. ``{"set": {...}}`` beside the fields names attributes that were set afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Rename = Callable[[str], str]


def as_source(arguments: Mapping[str, Any], rename: Rename = str) -> str:
    """Keyword arguments of a call: ``dim=64, act_layer=torch.nn.GELU``.

    Args:
        rename: the name that a class of the block's file has in the other file.

    Raises:
        ValueError: an argument cannot be written as one expression.
    """
    return ", ".join(f"{name}={value_source(value, rename)}" for name, value in arguments.items())


def value_source(value: Any, rename: Rename = str) -> str:
    """One value as an expression.

    Raises:
        ValueError: it needs attributes set after it was made, or is no recorded value.
    """
    if isinstance(value, str):
        return value if value.startswith("torch.") else repr(value)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(value_source(each, rename) for each in value)}]"
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} is no recorded argument")
    if "tuple" in value:
        inner = ", ".join(value_source(each, rename) for each in value["tuple"])
        return f"({inner},)" if len(value["tuple"]) == 1 else f"({inner})"
    if "class" not in value:
        raise ValueError(f"a recorded argument names a tuple or a class, not {', '.join(sorted(value)) or 'nothing'}")
    if value.get("set"):
        raise ValueError(f"{value['class']} needs {', '.join(value['set'])} set after it was made")
    name = str(value["class"])
    made = name if name.startswith(("torch.", "types.")) else rename(name)
    return f"{made}({as_source(value['fields'], rename)})" if "fields" in value else made
