"""The search for arguments with which a block can be built, and inputs with which it runs.

A bounded walk in a fixed order: likely values first, then one parameter changed at a time, then other widths. The
first arguments that build are kept, unless later ones can be run as well.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

if TYPE_CHECKING:
    from . import block_arguments, block_budget, block_configs, block_shapes, block_values
else:  # In the worker these are top-level modules.
    import block_arguments
    import block_budget
    import block_configs
    import block_shapes
    import block_values

_MOST_TRIES: Final = 64
_MOST_CHANGES: Final = 12  # of one parameter, before those that have a default are looked at
_MOST_PAIRS: Final = 24
_MOST_CALLS: Final = 48  # forward passes with the first arguments that build
_LATER_CALLS: Final = 5  # and with others
_UNKNOWN: Final = "unknown configuration"
_WIDTH_OF_PROFILE: Final = {"small": 64, "medium": 512, "default": 64}


@dataclass
class Found:
    """What came of the search.

    Attributes:
        arguments: JSON, those that built the block; ``None`` if none did.
        error: the first error of the stage that was not passed, at the likeliest try.
    """

    arguments: dict[str, Any] | None = None
    params: int | None = None
    inputs: list[list[int]] = field(default_factory=list)
    outputs: list[list[int]] = field(default_factory=list)
    ran: bool = False
    error: BaseException | None = None


class CannotBuild(Exception):
    """There is nothing to try: the constructor hides its parameters."""


class NoTensor(Exception):
    """The forward pass ended and gave no tensor."""


class Search:
    """Tries for one class.

    Args:
        cls: the block.
        names: everything that its file defines.
        budget: for all tries together.
    """

    def __init__(self, cls: type, names: Mapping[str, Any], budget: block_budget.Budget) -> None:
        self._cls = cls
        self._names = names
        self._budget = budget
        # In the order of the file, which is that of the dictionary; what was imported is not the file's own.
        own = {name: each for name, each in names.items() if isinstance(each, type)}
        self._classes = {name: each for name, each in own.items() if each.__module__ == cls.__module__}

    def run(self, forward: bool = True) -> Found:
        """Search; never raises for what the block does."""
        found = Found()
        forward_error: BaseException | None = None
        for arguments, width in self._assignments():
            if self._budget.spent:
                break
            made, told, error = self._build(arguments)
            if made is None:
                found.error = found.error or error
                continue
            first = found.arguments is None
            if first:
                found.arguments, found.params = told, count_params(made)
            if not forward:
                break
            ran, error = self._forward(made, arguments, width, _MOST_CALLS if first else _LATER_CALLS)
            forward_error = forward_error or error
            if ran is not None:
                found.arguments, found.params = told, count_params(made)
                found.inputs, found.outputs, found.ran = *ran, True
                break
        if found.arguments is not None:
            found.error = None if found.ran else forward_error
        elif found.error is None:
            found.error = CannotBuild("its constructor does not tell its parameters")
        return found

    def _assignments(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Arguments to try, with the width that they were made for; each once."""
        seen: list[dict[str, Any]] = []
        for collected in (False, True):
            told = block_arguments.parameters(self._cls, collected=collected) or {}
            required = [each for each in told.values() if self._is_required(each)]
            unset = [each for each in told.values() if each not in required and each.default is None]
            for arguments, width in self._variations(required, unset):
                if arguments not in seen:
                    seen.append(arguments)
                    yield arguments, width
                if len(seen) >= _MOST_TRIES:
                    return

    def _is_required(self, parameter: inspect.Parameter) -> bool:
        """Configurations are, even where ``None`` is their default: what uses them does not check."""
        if parameter.default is inspect.Parameter.empty:
            return True
        return parameter.default is None and block_configs.wants_config(parameter, self._classes)

    def _variations(
        self, required: list[inspect.Parameter], unset: list[inspect.Parameter]
    ) -> Iterator[tuple[dict[str, Any], int]]:
        configured = [each for each in required if block_configs.wants_config(each, self._classes)]
        options = self._config_options(configured) if configured else [({}, 64)]
        rest = [each for each in required if each not in configured]
        plain = {each.name: block_arguments.candidates(each, 64, self._classes) for each in rest}
        for configs, width in options:
            values = {each.name: block_arguments.candidates(each, width, self._classes)[0] for each in rest}
            yield {**configs, **values}, width
        first = {name: values[0] for name, values in plain.items()}
        configs = options[0][0]
        # Second choices of all before third ones of any; flags and the like, which have few, first.
        few = sorted(plain, key=lambda name: len(plain[name]))
        ranks = range(1, max((len(values) for values in plain.values()), default=0))
        changes = [(name, plain[name][rank]) for rank in ranks for name in few if rank < len(plain[name])]
        for name, value in changes[:_MOST_CHANGES]:
            yield {**configs, **first, name: value}, 64
        # What is None by default may be needed all the same: a size, a layer's class.
        for each in unset:
            for value in block_arguments.candidates(each, 64, self._classes)[:2]:
                yield {**configs, **first, each.name: value}, 64
        for name, value in changes[_MOST_CHANGES:]:
            yield {**configs, **first, name: value}, 64
        for width in block_arguments.WIDTHS[1:] if rest else ():
            values = {each.name: block_arguments.candidates(each, width, self._classes)[0] for each in rest}
            yield {**configs, **values}, width
        pairs = [pair for pair in combinations(changes, 2) if pair[0][0] != pair[1][0]]
        for pair in pairs[:_MOST_PAIRS]:
            yield {**configs, **first, **dict(pair)}, 64

    def _config_options(self, parameters: list[inspect.Parameter]) -> list[tuple[dict[str, Any], int]]:
        options: list[tuple[dict[str, Any], int]] = []
        for profile in block_configs.PROFILES:
            made: dict[str, Any] = {}
            for each in parameters:
                name = block_configs.config_class(each, self._cls.__name__, self._classes)
                made[each.name] = {_UNKNOWN: profile} if name is None else self._config(name, profile)
            options.append((made, _WIDTH_OF_PROFILE[profile]))
        unknown = {each.name: {_UNKNOWN: "small"} for each in parameters}
        return [*options, (unknown, 64)]

    def _config(self, name: str, profile: str) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        made: Any = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with self._budget.attempt():
                    fields = block_configs.small_fields(self._classes[name], profile, self._classes)
                    made = block_values.decode({"class": name, "fields": fields}, self._names)
            except Exception:
                # What it needs is guessed as for any other class.
                needed = block_arguments.parameters(self._classes[name]) or {}
                for each in needed.values():
                    if each.default is inspect.Parameter.empty:
                        fields[each.name] = block_arguments.candidates(each, 64, self._classes)[0]
        spec: dict[str, Any] = {"class": name, "fields": fields}
        # A model as a whole would choose this; a block alone has nobody to do it.
        if made is not None and getattr(made, "_attn_implementation", "eager") is None:
            spec["set"] = {"_attn_implementation": "eager"}
        return spec

    def _build(self, arguments: dict[str, Any]) -> tuple[nn.Module | None, dict[str, Any], BaseException | None]:
        torch.manual_seed(0)
        unknown: dict[str, block_configs.UnknownConfig] = {}
        try:
            with self._budget.attempt(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                given: dict[str, Any] = {}
                for name, value in arguments.items():
                    if isinstance(value, dict) and _UNKNOWN in value:
                        given[name] = unknown[name] = block_configs.UnknownConfig(value[_UNKNOWN])
                    else:
                        given[name] = block_values.decode(value, self._names)
                made = self._cls(**given)
                if not isinstance(made, nn.Module):
                    raise TypeError(f"the class makes a {type(made).__name__}, no module")
                made.eval()
        except Exception as error:
            return None, {}, error
        return made, {**arguments, **{name: each.described() for name, each in unknown.items()}}, None

    def _forward(
        self, module: nn.Module, arguments: dict[str, Any], width: int, most: int
    ) -> tuple[tuple[list[list[int]], list[list[int]]] | None, BaseException | None]:
        first: BaseException | None = None
        try:
            calls = list(islice(block_shapes.calls(module, arguments, width), most))
        except Exception as error:
            return None, error
        for given in calls:
            if self._budget.spent:
                break
            try:
                with self._budget.attempt(), torch.no_grad(), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    inputs = block_shapes.shapes_of(given)
                    outputs = block_shapes.shapes_of(module(**given))
                    if not outputs:
                        raise NoTensor("forward() gave no tensor")
                return (inputs, outputs), None
            except Exception as error:
                first = first or error
        return None, first


def count_params(module: nn.Module) -> int:
    """Parameters that have a size; shared ones once."""
    return sum(p.numel() for p in module.parameters() if not isinstance(p, UninitializedParameter))
