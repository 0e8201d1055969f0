"""How far does a candidate get? Parse, contract, build, forward, backward, on random data.

Handler ``validate.run``. Payload: ``source``; ``in_shape`` (channels, height, width); ``classes``; ``prm``;
``batch``, the batch size that ``in_shape`` tells the network; ``min_params`` and ``max_params``, or null.
"""

from __future__ import annotations

import ast
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from . import batches, candidate, contract, figures, flow, graph, graph_trace, larger
else:  # In the worker these are top-level modules.
    import batches
    import candidate
    import contract
    import figures
    import flow
    import graph
    import graph_trace
    import larger

FORWARD_BATCH = 4
LEARN_BATCH = 8
LEARN_BATCHES = 2
# Trying larger images builds the network again while the first is still there; memory has a limit.
MAX_PARAMS_BUILT_AGAIN = 50_000_000
CPU = torch.device("cpu")


def run(payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> dict[str, Any]:
    """Validate one candidate. Never raises for what the candidate does.

    Returns:
        ``ok``, ``stage`` (the last one passed, or the one that stopped it), ``error_class``, ``message``,
        ``line``, ``params``, ``flops`` (of one sample), ``figures`` (see ``figures``), ``seconds``.
    """
    started = time.perf_counter()
    check = Validation(payload, note)
    try:
        check.run()
        failure: dict[str, Any] = {"error_class": None, "message": None, "line": None}
    # A candidate may raise anything, SystemExit and KeyboardInterrupt too, and each is only its verdict.
    except BaseException as error:
        check.explain(error)
        failure = candidate.describe(error)
    return {
        "ok": failure["error_class"] is None,
        "stage": check.stage,
        **failure,
        "params": check.params,
        "flops": check.flops,
        "figures": check.figures,
        "seconds": time.perf_counter() - started,
    }


class Validation:
    """The stages, one method each; ``stage`` is the one that is running."""

    def __init__(self, payload: dict[str, Any], note: Callable[[str], None]) -> None:
        self._payload = payload
        self._note = note
        self._in_shape = tuple(payload["in_shape"])
        self._classes = int(payload["classes"])
        self._made: contract.Contract | None = None
        self._prm = contract.Hyperparameters()
        self._is_set_up = False
        self.stage = "parse"
        self.params: int | None = None
        self.flops: int | None = None
        self.figures: dict[str, Any] = {}

    def _load(self, source: str) -> tuple[contract.Contract, ast.Module]:
        """The text parsed, looked at and executed as a module."""
        self._enter("parse")
        tree, code = candidate.parse(source)
        self._enter("contract")
        contract.check_static(tree)
        batches.seed_all(0)
        made = contract.Contract(candidate.execute(source, code))
        self._made, self._prm = made, made.prm(self._payload["prm"])
        return made, tree

    def run(self) -> None:
        source = self._payload["source"]
        made, tree = self._load(source)
        self._enter("build")
        net = self._build(made)
        self._enter("forward")
        followed = self._forward(made, net)
        self.figures = figures.figures(net, tree, source, followed)
        known = self._leaves(net)
        self._enter("backward")
        self._backward(made, net)
        self._trace(net, known)

    def _leaves(self, net: nn.Module) -> dict[int, str] | None:
        """What parameters are before any training; None where no graph is wanted or the network does not tell."""
        if self.flops is None or self.flops > graph.MAX_FLOPS:
            return None
        try:
            return graph_trace.leaves(net)
        # Whatever a candidate's modules do when they are looked at, its verdict does not depend on it.
        except Exception as error:
            self.figures["graph_error"] = type(error).__name__[:80]
            return None

    def _trace(self, net: nn.Module, known: dict[int, str] | None) -> None:
        """Add the graph's fingerprint to the figures; last, so that nothing of the verdict depends on it."""
        if known is None:
            return
        try:
            self.figures["graph"] = graph.fingerprint(graph.traced(net, self._in_shape, known))
        # The network has passed, whatever it raises when it is run once more.
        except BaseException as error:
            self.figures["graph_error"] = type(error).__name__[:80]

    def explain(self, error: BaseException) -> None:
        """Add the remedy to an error that a larger image would not have given."""
        if self._made is None or self.stage == "contract" or (self.params or 0) > MAX_PARAMS_BUILT_AGAIN:
            return
        batch = int(self._payload["batch"])
        hint = larger.hint(error, self._made, self._prm, batch, self._in_shape, self._classes)
        if hint is not None:
            with contextlib.suppress(Exception):  # Notes of a candidate's own class may be anything.
                BaseException.add_note(error, hint)

    def _enter(self, stage: str) -> None:
        self.stage = stage
        self._note(stage)

    def _build(self, made: contract.Contract) -> nn.Module:
        in_shape = (int(self._payload["batch"]), *self._in_shape)
        out_shape = (self._classes,)
        if self._payload.get("max_params") is not None:
            # First without memory, so that a network far over its budget is refused and not killed.
            try:
                with torch.device("meta"):
                    empty = made.build(in_shape, out_shape, self._prm.copy(), torch.device("meta"))
                params = count_params(empty)
            except Exception:
                params = None  # Not every network can be built without values; the real build below decides.
            if params is not None:
                self._check_budget(params, final=False)
        batches.seed_all(0)
        net = made.build(in_shape, out_shape, self._prm.copy(), CPU)
        self._check_budget(count_params(net), final=not _has_lazy(net))
        return net

    def _check_budget(self, params: int, final: bool) -> None:
        """Compare with the limits; a lower limit waits until lazy layers have their size."""
        self.params = params
        most, least = self._payload.get("max_params"), self._payload.get("min_params")
        if most is not None and params > most:
            raise candidate.Rejected(
                "OverBudget", f"the network has {params:,} parameters, at most {most:,} are allowed"
            )
        if final and least is not None and params < least:
            raise candidate.Rejected(
                "UnderBudget", f"the network has {params:,} parameters, at least {least:,} are needed"
            )

    def _forward(self, made: contract.Contract, net: nn.Module) -> flow.Flow | None:
        images = torch.randn(FORWARD_BATCH, *self._in_shape)
        lazy = _has_lazy(net)
        logits = contract.check_output(self._logits(made, net, images), FORWARD_BATCH, self._classes)
        if lazy:
            self._check_budget(count_params(net), final=True)
        if not torch.isfinite(logits).all():
            self._check_finite_in_training(net, images)
        self.flops, followed = count_flops(net, images)
        return followed

    def _logits(self, made: contract.Contract, net: nn.Module, images: torch.Tensor) -> object:
        """One forward pass. Trainers call ``train_setup`` first, and some networks make there what they need."""
        net.eval()
        with torch.no_grad():
            try:
                return net(images)
            except Exception as error:
                first = error
            try:
                self._set_up(made, net)
                return net(images)
            except Exception:
                raise first from None

    def _set_up(self, made: contract.Contract, net: nn.Module) -> None:
        if not self._is_set_up:
            with torch.enable_grad():
                made.train_setup(net, self._prm, CPU)
            self._is_set_up = True

    def _check_finite_in_training(self, net: nn.Module, images: torch.Tensor) -> None:
        """Refuse a network whose outputs are infinite or undefined in training mode too.

        Without its batch statistics an untrained network can overflow although it would train well, so that
        evaluation mode alone decides nothing.
        """
        net.train()
        with torch.no_grad():
            logits = contract.check_output(net(images), FORWARD_BATCH, self._classes)
        net.eval()
        if not torch.isfinite(logits).all():
            raise candidate.Rejected(
                "NonFinite", "forward() gives infinite or undefined outputs (inf, nan) on standard-normal images"
            )

    def _backward(self, made: contract.Contract, net: nn.Module) -> None:
        count = LEARN_BATCH * LEARN_BATCHES
        images = torch.randint(0, 256, (count, *self._in_shape), dtype=torch.uint8)
        labels = torch.arange(count) % self._classes
        channels = self._in_shape[0]
        dataset = batches.Images(images, labels, [0.5] * channels, [0.25] * channels)
        self._set_up(made, net)
        before = {id(p): (p._version, p.data_ptr()) for p in net.parameters()}
        net.train()
        made.learn(net, batches.Batches(dataset, torch.arange(count), LEARN_BATCH, seed=0), self._prm)
        if not any(_has_learned(p, before.get(id(p))) for p in net.parameters()):
            raise candidate.Rejected(
                "NoLearning",
                "learn() changed no parameter and left no gradient: is there backward() and step()?",
            )


def count_params(net: nn.Module) -> int:
    """Trainable and frozen parameters; shared ones once, lazy ones not before they are built."""
    return sum(p.numel() for p in net.parameters() if not isinstance(p, UninitializedParameter))


def count_flops(net: nn.Module, images: torch.Tensor) -> tuple[int | None, flow.Flow | None]:
    """Floating-point operations of one forward pass of one sample, and what was called in it.

    Each is None where torch's counter, or what follows the calls, cannot tell.
    """
    # The network has already passed without them, so that a failure here is their limit.
    with contextlib.suppress(Exception), torch.no_grad():
        with FlopCounterMode(display=False) as counter, flow.Flow(images) as followed:
            net(images)
        return int(counter.get_total_flops()) // len(images), followed
    with contextlib.suppress(Exception), torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            net(images)
        return int(counter.get_total_flops()) // len(images), None
    return None, None


def _has_lazy(net: nn.Module) -> bool:
    return any(isinstance(p, UninitializedParameter) for p in net.parameters())


def _has_learned(p: nn.Parameter, before: tuple[int, int] | None) -> bool:
    """In-place steps raise a tensor's version; a gradient is enough where ``learn`` leaves one."""
    if before is None or (p._version, p.data_ptr()) != before:
        return True
    return p.grad is not None and bool(p.grad.count_nonzero())
