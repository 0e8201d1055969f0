"""Calls into a network whose signatures vary: arguments by name first, then by LEMUR's order."""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch

_ROLES: dict[str, str] = {
    **dict.fromkeys(("in_shape", "input_shape", "shape_in", "in_size"), "in_shape"),
    **dict.fromkeys(("out_shape", "output_shape", "shape_out", "out_size"), "out_shape"),
    **dict.fromkeys(
        (
            "prm",
            "prms",
            "param",
            "params",
            "hyperparameters",
            "hyperparams",
            "hparams",
            "hp",
            "config",
            "cfg",
        ),
        "prm",
    ),
    **dict.fromkeys(("device", "dev"), "device"),
}
_BATCH_LABELS = {"labels", "label", "targets", "target", "y"}
_LOSS_KEYS = ("loss", "train_loss", "total_loss", "avg_loss", "mean_loss", "epoch_loss")
_UNSET = object()


class ContractError(Exception):
    """A part of the contract is missing or has the wrong form; the message names it."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def match(
    what: str, function: Callable[..., Any], offered: Mapping[str, Any], order: tuple[str, ...], expected: str
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments for a call: by the parameters' names; unknown required names by the contract's order.

    Args:
        what: name of the function, for messages.
        offered: what the contract gives, by role.
        order: roles in LEMUR's order.
        expected: the signatures that the contract knows, for messages.

    Raises:
        ContractError: a parameter has no default and no role.
    """
    parameters = _parameters(function)
    if parameters is None or any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return [offered[name] for name in order], {}
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    positional_only_gap = False
    for place, p in enumerate(parameters):
        if p.kind is p.VAR_KEYWORD:
            continue
        value = _value(p, place, len(parameters), offered, order)
        if value is _UNSET and p.default is p.empty:
            raise _unknown(what, p.name, parameters, expected)
        if value is _UNSET:
            positional_only_gap = True
        elif p.kind is p.KEYWORD_ONLY or positional_only_gap:
            kwargs[p.name] = value
        else:
            args.append(value)
    return args, kwargs


def learn_arguments(
    learn: Callable[..., Any], train_data: object, prm: Mapping[str, Any], device: object
) -> tuple[list[Any], dict[str, Any]]:
    """``train_data`` first, whatever it is called, then what else is asked for by name.

    Raises:
        ContractError: no parameter can take the data, or another one has no role.
    """
    expected = "learn(train_data), or learn(inputs, labels) for one batch at a time"
    parameters = _parameters(learn)
    if parameters is None:
        return [train_data], {}
    known = {"prm": prm, "device": device}
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for p in parameters:
        if p.kind is p.VAR_KEYWORD:
            continue
        if not args and not kwargs:
            value: Any = train_data
        elif p.default is not p.empty or p.kind is p.VAR_POSITIONAL:
            continue
        else:
            value = known.get(_ROLES.get(p.name.lower(), ""), _UNSET)
        if value is _UNSET:
            raise _unknown("learn", p.name, parameters, expected)
        if p.kind is p.KEYWORD_ONLY:
            kwargs[p.name] = value
        else:
            args.append(value)
    if not args and not kwargs:
        raise ContractError(f"learn takes no training data; expected {expected}; found learn{_shown(parameters)}")
    return args, kwargs


def learns_by_batch(learn: Callable[..., Any]) -> bool:
    """Is it LEMUR's older ``learn(inputs, labels)``, called once for each batch?"""
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in _parameters(learn) or [] if p.kind in named]
    return len(names) >= 2 and names[1].lower() in _BATCH_LABELS


def check_forward(forward: Callable[..., Any]) -> None:
    """``forward`` of a class must be callable as ``forward(self, x)``.

    Raises:
        ContractError: it takes no input, or needs more than one.
    """
    parameters = _parameters(forward)
    if parameters is None:
        return
    placed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in placed[2:] if p.default is p.empty]
    needed += [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    takes = len(placed) >= 2 or any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if needed:
        raise _unknown("forward", needed[0].name, parameters, "forward(self, x)")
    if not takes:
        raise ContractError(f"forward takes no input; expected forward(self, x); found forward{_shown(parameters)}")


def loss_of(told: object) -> float | None:
    """A loss in whatever ``learn`` told: a number, a tensor, a tuple that holds one, a dictionary, an iterator."""
    if isinstance(told, Iterator):
        return mean(loss_of(item) for item in told)
    if isinstance(told, Mapping):
        return next((loss_of(told[key]) for key in _LOSS_KEYS if key in told), None)
    if isinstance(told, tuple | list):
        named = getattr(told, "loss", None)  # A named tuple.
        return loss_of(named if named is not None else _first_loss(told))
    if isinstance(told, torch.Tensor):
        told = told.detach().item() if told.numel() == 1 and not told.is_complex() else None
    if isinstance(told, numbers.Real) and not isinstance(told, bool) and math.isfinite(told):
        return float(told)
    return None


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are there; every value is asked for, since asking is what trains."""
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None


def _first_loss(told: tuple[Any, ...] | list[Any]) -> object:
    """Of (step, loss) the loss and of (loss, accuracy) too: the first that is not a whole number."""
    return next((item for item in told if not isinstance(item, int)), told[0] if told else None)


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _value(p: inspect.Parameter, place: int, count: int, offered: Mapping[str, Any], order: tuple[str, ...]) -> Any:
    role = _ROLES.get(p.name.lower())
    optional = p.default is not p.empty
    if role is not None and role in offered and (not optional or p.name in offered):
        return offered[role]
    # An unknown name: trust LEMUR's order only where the number of parameters says that it is LEMUR's.
    if not optional and count in (len(order), len(order) - 1) and place < len(order) and role is None:
        return offered[order[place]]
    return _UNSET


def _unknown(what: str, name: str, parameters: list[inspect.Parameter], expected: str) -> ContractError:
    return ContractError(
        f"{what} needs an argument {name!r} that the contract does not give; "
        f"expected {expected}; found {what}{_shown(parameters)}"
    )


def _shown(parameters: list[inspect.Parameter]) -> str:
    """A signature with names and defaults marked, without annotations, which may be long."""
    marks: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    names = [marks.get(p.kind, "") + p.name + ("" if p.default is p.empty else "=…") for p in parameters[:12]]
    return f"({', '.join(names)}{', …' if len(parameters) > 12 else ''})"
