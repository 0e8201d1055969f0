"""What is left out or made smaller: decorators that only document or register, and definitions that stand in."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

from .modules import OVERLAY, Definition, External, Target, World

HELPERS: Final = f"{OVERLAY}helpers"
"""A module of functions that emitted files may need and that no source has."""
_DROPPED: Final = frozenset(
    {
        "register_notrace_module",
        "register_notrace_function",
        "register_model",
        "register_builtin_model",
        "register_pip_model",
        "auto_docstring",
        "auto_class_docstring",
        "add_start_docstrings",
        "add_start_docstrings_to_model_forward",
        "add_end_docstrings",
        "add_code_sample_docstrings",
        "replace_return_docstrings",
        "use_kernel_forward_from_hub",
        "use_kernel_func_from_hub",
        "use_kernelized_func",
        "use_experts_implementation",
        "register_for_hub",
        "requires",
        "handle_legacy_interface",
    }
)
"""Decorators of sources that give back what they are given (or a variant that needs the hub)."""
_DROPPED_EXTERNAL: Final = frozenset(
    {
        "huggingface_hub.dataclasses.strict",
        "huggingface_hub.dataclasses.validated_field",
        "huggingface_hub.utils.validate_hf_hub_args",
        "typing_extensions.dataclass_transform",
        "typing.dataclass_transform",
        "torch.jit.ignore_module",
    }
)
_AVAILABLE: Final = re.compile(r"_?is_\w+_(available|installed|xpu_available)$")
_TRUE: Final = frozenset({"is_torch_available", "is_numpy_available"})


def dropped(target: Target | None, world: World) -> bool:
    """Whether a decorator is left out."""
    if isinstance(target, External):
        return target.path in _DROPPED_EXTERNAL
    return isinstance(target, Definition) and target.name in _DROPPED


@cache
def overlays() -> dict[str, str]:
    """Texts that stand in for parts of modules, by module name."""
    folder = files(__package__) / "overlays"
    return {
        entry.name.removesuffix(".txt"): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".txt")
    }


def availability(names: list[str]) -> str:
    """Functions that say what a file without its source finds: torch and numpy, and nothing that is optional."""
    lines = []
    for name in names:
        if _AVAILABLE.match(name):
            lines.append(f"def {name}(*args, **kwargs) -> bool:\n    return {name in _TRUE}\n\n\n")
    return "".join(lines)
