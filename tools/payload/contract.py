"""The network contract, and one adapter that understands its variants.

The contract is LEMUR's: ``supported_hyperparameters()`` and a class ``Net(nn.Module)`` with
``__init__(in_shape, out_shape, prm, device)``, ``train_setup(prm)``, ``learn(train_data)`` and
``forward(x)``. Networks in use differ: ``__init__`` without ``device`` or with no argument at all,
``train_setup(device, prm)``, a ``learn`` that yields or returns metrics or takes one batch at a time.
Arguments are matched by name first, then by LEMUR's order.
"""

from __future__ import annotations

import ast
import inspect
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

METHODS = ("forward", "train_setup", "learn")
MAX_HYPERPARAMETERS = 64
# LEMUR draws every hyperparameter but lr and momentum from [0, 1]; one fixed value keeps results comparable.
# Dropout as in "LEMUR 2", section 2.2.7; no weights are ever downloaded.
HYPERPARAMETERS: Mapping[str, float] = {"dropout": 0.2, "pretrained": 0.0}
OTHER_HYPERPARAMETER = 0.2

_ROLES: dict[str, str] = {
    **dict.fromkeys(("in_shape", "input_shape", "shape_in"), "in_shape"),
    **dict.fromkeys(("out_shape", "output_shape", "shape_out"), "out_shape"),
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
_UNSET = object()


class ContractError(Exception):
    """A part of the contract is missing or has the wrong form; the message names it."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def check_static(tree: ast.Module) -> None:
    """What can be said before anything runs: is there a ``Net``, are its methods there?

    Raises:
        ContractError: with the line of the class, where there is one.
    """
    bound, classes, star = _bindings(tree.body)
    if star:
        return
    if "Net" not in bound:
        raise ContractError("there is no class Net; the contract needs 'class Net(nn.Module)'")
    net = classes.get("Net")
    if net is not None and _is_plain_module(net):
        inside, _, _ = _bindings(net.body)
        _require_methods(inside, net.lineno)
    if "supported_hyperparameters" not in bound:
        raise ContractError("there is no function supported_hyperparameters()")


def _require_methods(present: Iterable[str], line: int | None) -> None:
    missing = [f"{name}()" for name in METHODS if name not in set(present)]
    if missing:
        raise ContractError(f"class Net has no {' and no '.join(missing)}", line)


def _is_plain_module(net: ast.ClassDef) -> bool:
    """Is ``nn.Module`` the only base, so that every method must be in the class itself?"""
    return len(net.bases) == 1 and ast.unparse(net.bases[0]) in ("nn.Module", "torch.nn.Module", "Module")


def _bindings(body: list[ast.stmt]) -> tuple[set[str], dict[str, ast.ClassDef], bool]:
    """Names that statements bind, also inside ``if`` and ``try``; classes; is there a star import?"""
    names: set[str] = set()
    classes: dict[str, ast.ClassDef] = {}
    star = False
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            if isinstance(node, ast.ClassDef):
                classes[node.name] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            star = star or any(alias.name == "*" for alias in node.names)
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                names.add(node.id)
        elif not isinstance(node, ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))
    return names, classes, star


class Contract:
    """The contract as one module fulfils it.

    Raises:
        ContractError: a part is missing or has the wrong form.
    """

    def __init__(self, module: types.ModuleType) -> None:
        net = getattr(module, "Net", None)
        if net is None:
            raise ContractError("there is no class Net; the contract needs 'class Net(nn.Module)'")
        if not isinstance(net, type) or not issubclass(net, nn.Module):
            raise ContractError("Net is not a class derived from torch.nn.Module")
        present = [name for name in METHODS if callable(getattr(net, name, None))]
        if net.forward is nn.Module.forward:
            present = [name for name in present if name != "forward"]
        _require_methods(present, None)
        self.net_class: type[nn.Module] = net
        self.hyperparameters = _hyperparameters(module)

    def prm(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """``prm`` of this network: what the protocol gives, and a fixed value for what else it supports."""
        extra = {name: HYPERPARAMETERS.get(name, OTHER_HYPERPARAMETER) for name in self.hyperparameters}
        return {**extra, **given}

    def build(
        self, in_shape: tuple[int, ...], out_shape: tuple[int, ...], prm: dict[str, Any], device: torch.device
    ) -> nn.Module:
        """Construct the network, and give it ``device`` if it has none of its own.

        Args:
            in_shape: (batch, channels, height, width).
            out_shape: (classes,).
        """
        offered = {"in_shape": in_shape, "out_shape": out_shape, "prm": prm, "device": device}
        order = ("in_shape", "out_shape", "prm", "device")
        args, kwargs = _match("Net.__init__", self.net_class, offered, order)
        net = self.net_class(*args, **kwargs)
        if not hasattr(net, "device"):
            setattr(net, "device", device)  # noqa: B010, nn.Module types its attributes as tensors and modules
        return net

    def train_setup(self, net: Any, prm: dict[str, Any], device: torch.device) -> None:
        """Call ``train_setup`` with the arguments that it takes, in its own order."""
        args, kwargs = _match("train_setup", net.train_setup, {"prm": prm, "device": device}, ("prm",))
        net.train_setup(*args, **kwargs)

    def learn(
        self, net: Any, train_data: Iterable[tuple[torch.Tensor, torch.Tensor]], prm: dict[str, Any]
    ) -> float | None:
        """One epoch. Generators are run to their end.

        Returns:
            The training loss, if ``learn`` tells one; the mean of what it yields.
        """
        names = _parameter_names(net.learn)
        if len(names) >= 2 and names[1].lower() in _BATCH_LABELS:
            return _mean(_loss(net.learn(inputs, labels)) for inputs, labels in train_data)
        return _loss(net.learn(*_learn_arguments(net, train_data, prm)))


def check_output(output: object, batch: int, classes: int) -> torch.Tensor:
    """The logits, if they have the form (batch, classes).

    Raises:
        ContractError: another type, shape or dtype.
    """
    if not isinstance(output, torch.Tensor):
        raise ContractError(f"forward() returned {type(output).__name__}, expected a tensor ({batch}, {classes})")
    if tuple(output.shape) != (batch, classes):
        raise ContractError(f"forward() returned shape {tuple(output.shape)}, expected ({batch}, {classes})")
    if not output.dtype.is_floating_point:
        raise ContractError(f"forward() returned {output.dtype}, expected floating-point logits")
    return output


def _hyperparameters(module: types.ModuleType) -> tuple[str, ...]:
    function = getattr(module, "supported_hyperparameters", None)
    if not callable(function):
        raise ContractError("there is no function supported_hyperparameters()")
    names = function()
    if not isinstance(names, set | frozenset | list | tuple):
        raise ContractError(f"supported_hyperparameters() returned {type(names).__name__}, expected a set of names")
    if len(names) > MAX_HYPERPARAMETERS:
        raise ContractError(f"supported_hyperparameters() returned {len(names)} names, at most {MAX_HYPERPARAMETERS}")
    if not all(isinstance(name, str) for name in names):
        raise ContractError("supported_hyperparameters() returned something that is not a name")
    return tuple(sorted(names))


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _parameter_names(function: Callable[..., Any]) -> list[str]:
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in _parameters(function) or [] if p.kind in named]


def _match(
    what: str, function: Callable[..., Any], offered: Mapping[str, Any], order: tuple[str, ...]
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments for a call: by the parameters' names; unknown required names by the contract's order."""
    parameters = _parameters(function)
    if parameters is None or any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return [offered[name] for name in order], {}
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    positional_only_gap = False
    for place, p in enumerate(parameters):
        if p.kind is p.VAR_KEYWORD:
            continue
        value = _value(what, p, place, len(parameters), offered, order)
        if value is _UNSET:
            positional_only_gap = True
        elif p.kind is p.KEYWORD_ONLY or positional_only_gap:
            kwargs[p.name] = value
        else:
            args.append(value)
    return args, kwargs


def _value(
    what: str,
    p: inspect.Parameter,
    place: int,
    count: int,
    offered: Mapping[str, Any],
    order: tuple[str, ...],
) -> Any:
    role = _ROLES.get(p.name.lower())
    optional = p.default is not p.empty
    if role is not None and role in offered and (not optional or p.name in offered):
        return offered[role]
    if optional:
        return _UNSET
    # An unknown name: trust LEMUR's order only where the number of parameters says that it is LEMUR's.
    if count in (len(order), len(order) - 1) and place < len(order) and role is None:
        return offered[order[place]]
    raise ContractError(f"{what} needs an argument {p.name!r} that the contract does not give")


def _learn_arguments(net: Any, train_data: object, prm: dict[str, Any]) -> list[Any]:
    """``train_data`` first, whatever it is called, then what else is asked for by name."""
    known = {"prm": prm, "device": getattr(net, "device", torch.device("cpu"))}
    extra: list[Any] = []
    for p in (_parameters(net.learn) or [])[1:]:
        if p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.KEYWORD_ONLY):
            break
        role = _ROLES.get(p.name.lower())
        if role is None or role not in known:
            raise ContractError(f"learn needs an argument {p.name!r} that the contract does not give")
        extra.append(known[role])
    return [train_data, *extra]


def _loss(told: object) -> float | None:
    """A loss in whatever ``learn`` told: a number, a tensor, a tuple that begins with one, a dictionary."""
    if isinstance(told, Iterator):
        return _mean(_loss(item) for item in told)
    if isinstance(told, dict):
        return next((_loss(told[key]) for key in ("loss", "train_loss") if key in told), None)
    if isinstance(told, tuple | list):
        return _loss(told[0]) if told else None
    if isinstance(told, torch.Tensor):
        told = told.detach().item() if told.numel() == 1 else None
    if isinstance(told, int | float) and not isinstance(told, bool) and math.isfinite(told):
        return float(told)
    return None


def _mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are there; every value is asked for, since asking is what trains."""
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None
