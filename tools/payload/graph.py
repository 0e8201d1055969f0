"""The computation graph of a candidate: its canonical fingerprint, and labels by which graphs are compared.

Handler ``graph.run``. Payload: ``source``, ``in_shape`` (channels, height, width), ``classes``, ``prm``, ``batch``.

The fingerprint is that of Weisfeiler and Lehman on a directed graph: a node's label takes in those of what it reads,
then of what reads it, so that equal graphs have equal fingerprints whatever the order in which they were written or
run, and a weight that two layers share is another graph than two weights. Only what leads to the output counts.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from . import batches, candidate, contract, graph_trace
else:  # In the worker these are top-level modules.
    import batches
    import candidate
    import contract
    import graph_trace

BATCH = 2
MAX_FLOPS = 10**10
"""Of one sample; the forward pass of a heavier network is not repeated for its graph."""
HOPS = 3
"""How far around a node its labels look."""
MAX_LABELS = 4_096
"""Of one network that are told: the least, which make an unbiased sample."""


def run(payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> dict[str, Any]:
    """The graph of one candidate, in training mode. Never raises for what the candidate does.

    Returns:
        ``graph``, 32 hex digits or None; ``nodes``, how many; ``labels``, 16 hex digits each, sorted; ``error_class``,
        ``message`` and ``line`` where there is no graph.
    """
    try:
        net = built(payload, note)
        note("graph")
        nodes = traced(net, payload["in_shape"], graph_trace.leaves(net))
        told = {"graph": fingerprint(nodes), "nodes": len(nodes), "labels": labels(nodes)}
    # A candidate may raise anything, SystemExit and KeyboardInterrupt too.
    except BaseException as error:
        return {"graph": None, "nodes": None, "labels": [], **candidate.describe(error)}
    return {**told, "error_class": None, "message": None, "line": None}


def built(payload: dict[str, Any], note: Callable[[str], None]) -> nn.Module:
    """The network of a payload, with lazy layers in their size. Whatever the candidate raises comes through."""
    note("parse")
    tree, code = candidate.parse(payload["source"])
    note("contract")
    contract.check_static(tree)
    batches.seed_all(0)
    made = contract.Contract(candidate.execute(payload["source"], code))
    note("build")
    in_shape = (int(payload["batch"]), *payload["in_shape"])
    prm = made.prm(payload["prm"])
    net = made.build(in_shape, (int(payload["classes"]),), prm.copy(), torch.device("cpu"))
    note("forward")
    # Lazy layers get their size here; some networks make in train_setup what they need.
    net.eval()
    with torch.no_grad():
        try:
            net(torch.zeros(BATCH, *payload["in_shape"]))
        except Exception:
            with torch.enable_grad():
                made.train_setup(net, prm, torch.device("cpu"))
    return net


def traced(net: nn.Module, in_shape: Iterable[int], known: dict[int, str]) -> list[graph_trace.Node]:
    """The nodes on which the output depends, each after those that it reads.

    Args:
        in_shape: (channels, height, width).
        known: of ``graph_trace.leaves``, before any training.

    Raises:
        NoGraph: the forward pass is too long, or its output does not depend on its input.
        Exception: whatever the network raises.
    """
    # Only what networks draw from: torch.manual_seed would take longer than many a forward pass.
    random.seed(0)
    np.random.seed(0)
    torch.default_generator.manual_seed(0)
    images = torch.randn(BATCH, *in_shape)
    net.train()
    with torch.no_grad(), graph_trace.Trace(images, known) as trace:
        result = net(images)
        outputs = [trace.edge(one) for one in graph_trace._tensors((result,)) if isinstance(one, torch.Tensor)]
    nodes = _live(trace.nodes, outputs)
    if not any(node.label.startswith("input ") for node in nodes):
        raise graph_trace.NoGraph("the output does not depend on the input")
    return nodes


def fingerprint(nodes: list[graph_trace.Node]) -> str:
    """32 hex digits that equal graphs share."""
    up = _upward(nodes, range(len(nodes)))
    readers: list[list[str]] = [[] for _ in nodes]
    down = [""] * len(nodes)
    for at in range(len(nodes) - 1, -1, -1):
        down[at] = _digest(up[at], *sorted(readers[at]))
        free = graph_trace.is_commutative(nodes[at].label)
        for place, edge in enumerate(nodes[at].inputs):
            readers[edge.node].append(f"{down[at]}{0 if free else place}.{edge.output}")
    return hashlib.blake2b("".join(sorted(down)).encode(), digest_size=16).hexdigest()


def labels(nodes: list[graph_trace.Node]) -> list[str]:
    """The labels of all nodes, looking 0 to ``HOPS`` nodes back, the n-th of a kind marked by its n."""
    count: Counter[str] = Counter()
    marked = []
    told = [_digest(node.label) for node in nodes]
    for hop in range(HOPS + 1):
        for label in told:
            count[label] += 1
            marked.append(_digest(str(hop), label, str(count[label])))
        told = [_joined(node, label, told) for node, label in zip(nodes, told, strict=True)]
        count.clear()
    return sorted(marked)[:MAX_LABELS]


def _upward(nodes: list[graph_trace.Node], order: range) -> list[str]:
    told: list[str] = []
    for at in order:
        told.append(_joined(nodes[at], nodes[at].label, told))
    return told


def _joined(node: graph_trace.Node, label: str, told: list[str]) -> str:
    """A node's label with those of what it reads."""
    inputs = [f"{told[edge.node]}.{edge.output}" for edge in node.inputs]
    if graph_trace.is_commutative(node.label):
        inputs.sort()
    return _digest(label, *inputs)


def _live(nodes: list[graph_trace.Node], outputs: list[graph_trace.Edge]) -> list[graph_trace.Node]:
    """The nodes that lead to the outputs, renumbered, and one more that reads these."""
    reached = [False] * len(nodes)
    for edge in outputs:
        reached[edge.node] = True
    for at in range(len(nodes) - 1, -1, -1):
        if reached[at]:
            for edge in nodes[at].inputs:
                reached[edge.node] = True
    places = {old: new for new, old in enumerate(at for at, there in enumerate(reached) if there)}

    def moved(edges: Iterable[graph_trace.Edge]) -> tuple[graph_trace.Edge, ...]:
        return tuple(graph_trace.Edge(places[edge.node], edge.output) for edge in edges)

    kept = [graph_trace.Node(nodes[old].label, moved(nodes[old].inputs)) for old in places]
    return [*kept, graph_trace.Node("output", moved(outputs))]


def _digest(*parts: str) -> str:
    return hashlib.blake2b("|".join(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()
