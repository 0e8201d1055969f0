"""The network contract, and one adapter that understands its variants.

The contract is LEMUR's: ``supported_hyperparameters()`` and a class ``Net(nn.Module)`` with
``__init__(in_shape, out_shape, prm, device)``, ``train_setup(prm)``, ``learn(train_data)`` and
``forward(x)``. Networks in use differ: ``__init__`` without ``device`` or with no argument at all,
``train_setup(device, prm)``, a ``learn`` that yields or returns metrics or takes one batch at a time.
How arguments are matched is in ``signatures``.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import nn

if TYPE_CHECKING:
    from . import signatures
    from .signatures import ContractError as ContractError
else:  # In the worker these are top-level modules.
    import signatures
    from signatures import ContractError as ContractError

METHODS = ("forward", "train_setup", "learn")
MAX_HYPERPARAMETERS = 64
# LEMUR draws every hyperparameter but lr and momentum from [0, 1]; one fixed value keeps results comparable.
# Dropout as in "LEMUR 2", section 2.2.7; no weights are ever downloaded.
HYPERPARAMETERS: Mapping[str, float] = {"dropout": 0.2, "pretrained": 0.0}
OTHER_HYPERPARAMETER = 0.2
_INIT = "Net(in_shape, out_shape, prm, device)"
_TRAIN_SETUP = "train_setup(prm), train_setup(prm, device) or train_setup(device, prm)"


class Hyperparameters(dict[str, Any]):
    """``prm`` as a network gets it; a name that is not there is an error that says which ones are."""

    def __missing__(self, key: object) -> NoReturn:
        error = KeyError(key)
        error.add_note(f"prm has {', '.join(sorted(self))}; what else is used, supported_hyperparameters() must name")
        raise error

    def copy(self) -> Hyperparameters:
        return Hyperparameters(self)


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
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
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
            pending.extend(ast.iter_child_nodes(node))
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
            found = "a class that is not" if isinstance(net, type) else f"a {type(net).__name__}, not a class"
            raise ContractError(f"Net is {found} derived from torch.nn.Module")
        present = [name for name in METHODS if callable(getattr(net, name, None))]
        if net.forward is nn.Module.forward:
            present = [name for name in present if name != "forward"]
        _require_methods(present, None)
        signatures.check_forward(net.forward)
        self.net_class: type[nn.Module] = net
        self.hyperparameters = _hyperparameters(module)

    def prm(self, given: Mapping[str, Any]) -> Hyperparameters:
        """``prm`` of this network: what the protocol gives, and a fixed value for what else it supports.

        LEMUR's trainer also tells every network the number of epochs and the transform, whether it asks or not.
        """
        extra = {name: HYPERPARAMETERS.get(name, OTHER_HYPERPARAMETER) for name in self.hyperparameters}
        return Hyperparameters({"epoch_max": given.get("epoch", 1), "transform": "normalise", **extra, **given})

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
        args, kwargs = signatures.match("Net.__init__", self.net_class, offered, order, _INIT)
        net = self.net_class(*args, **kwargs)
        if getattr(net, "device", None) is None:
            setattr(net, "device", device)  # noqa: B010, nn.Module types its attributes as tensors and modules
        return net

    def train_setup(self, net: Any, prm: dict[str, Any], device: torch.device) -> None:
        """Call ``train_setup`` with the arguments that it takes, in its own order."""
        offered = {"prm": prm, "device": device}
        args, kwargs = signatures.match("train_setup", net.train_setup, offered, ("prm",), _TRAIN_SETUP)
        net.train_setup(*args, **kwargs)

    def learn(
        self, net: Any, train_data: Iterable[tuple[torch.Tensor, torch.Tensor]], prm: dict[str, Any]
    ) -> float | None:
        """One epoch. Generators are run to their end.

        Returns:
            The training loss, if ``learn`` tells one; the mean of what it yields.
        """
        if signatures.learns_by_batch(net.learn):
            return signatures.mean(signatures.loss_of(net.learn(inputs, labels)) for inputs, labels in train_data)
        device = getattr(net, "device", torch.device("cpu"))
        args, kwargs = signatures.learn_arguments(net.learn, train_data, prm, device)
        return signatures.loss_of(net.learn(*args, **kwargs))


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
    if function is None:
        raise ContractError("there is no function supported_hyperparameters()")
    if not callable(function):
        raise ContractError(f"supported_hyperparameters is a {type(function).__name__}, expected a function")
    names = function()
    # Some of LEMUR's networks return defaults by name; its trainer reads the names alone, and so does this one.
    if not isinstance(names, set | frozenset | list | tuple | Mapping):
        raise ContractError(f"supported_hyperparameters() returned {type(names).__name__}, expected a set of names")
    if len(names) > MAX_HYPERPARAMETERS:
        raise ContractError(f"supported_hyperparameters() returned {len(names)} names, at most {MAX_HYPERPARAMETERS}")
    if not all(isinstance(name, str) for name in names):
        raise ContractError("supported_hyperparameters() returned something that is not a name")
    return tuple(sorted(names))
