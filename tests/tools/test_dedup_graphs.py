"""Computation graphs: what is the same network, what is another, and what has none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from netwright.memory.types import Verdict
from netwright.sandbox import Limits, Outcome, Sandbox
from netwright.tools.dedup.graphs import MOST_LABELS, Graph, GraphStore, Tracer, read, similarity
from netwright.tools.dedup.structures import structure_key, structure_of, training_text
from netwright.tools.execution import Validator
from netwright.tools.tasks import task

from .frames import HEADER, LEARN, SETUP, SOURCES

TASK = task("fashion-mnist")


def network(layers: str, forward: str, imports: str = "") -> str:
    """A network of the plain frame."""

    def indented(text: str) -> str:
        return "".join(f"        {line}\n" for line in text.strip().splitlines())

    return (
        f"import torch\nfrom torch import nn\n{imports}\n\ndef supported_hyperparameters():\n"
        "    return {'lr', 'momentum'}\n\n\nclass Net(nn.Module):\n"
        f"{HEADER}{indented(layers)}\n    def forward(self, x):\n{indented(forward)}\n{SETUP}\n{LEARN}"
    )


LAYERS = """
self.left = nn.Conv2d(in_shape[1], 8, 3, padding=1)
self.right = nn.Conv2d(in_shape[1], 8, 5, padding=2)
self.norm = nn.BatchNorm2d(8)
self.drop = nn.Dropout(0.2)
self.head = nn.Linear(8 * 14 * 14, out_shape[0])
"""
FORWARD = """
a = torch.relu(self.left(x))
b = self.right(x)
y = self.norm(a + b)
y = self.drop(nn.functional.max_pool2d(y, 2))
return self.head(y.flatten(1))
"""
BASE = network(LAYERS, FORWARD)
RENAMED = network(
    """
self.out = nn.Linear(in_shape[2] // 2 * (in_shape[3] // 2) * 8, out_shape[0])
self.wide, self.act, self.pool = nn.Conv2d(in_shape[1], 8, kernel_size=5, padding='same'), nn.ReLU(), nn.MaxPool2d(2)
self.narrow = nn.Conv2d(in_shape[1], 8, kernel_size=(3, 3), padding=(1, 1), stride=1)
self.body = nn.Sequential(nn.BatchNorm2d(8, eps=1e-5), self.pool, nn.Dropout(p=0.2, inplace=True), nn.Flatten())
""".replace("'same'", "2"),
    """
second = self.wide(x)
first = self.act(self.narrow(x))
return self.out(self.body(second + first))
""",
)
OTHERS = {
    "kernel": BASE.replace("8, 5, padding=2", "8, 7, padding=3"),
    "dropout": BASE.replace("0.2", "0.3"),
    "activation": BASE.replace("torch.relu(", "torch.tanh("),
    "edge": BASE.replace("self.norm(a + b)", "self.norm(a + a)"),
    "shared weights": BASE.replace("self.right(x)", "self.left(x)"),
    "order": BASE.replace("self.norm(a + b)", "self.norm(a) + b"),
    "subtraction": BASE.replace("a + b", "a - b"),
    "initial values": BASE.replace("self.norm = ", "nn.init.zeros_(self.left.bias)\n        self.norm = "),
}
LOOP = BASE.replace("a = torch.relu", "while True:\n            pass\n        a = torch.relu")
GIANT = BASE.replace("b = self.right(x)", "b = self.right(x)\n        for _ in range(30_000):\n            b = b + 0.0")
PYTHON_BRANCH = BASE.replace("b = self.right(x)", "b = self.right(x) if float(x.sum()) > -1e9 else self.left(x)")


@pytest.fixture(scope="module")
def tracer(digits_sandbox: Sandbox) -> Tracer:
    return Tracer(digits_sandbox, TASK, GraphStore(None))


def test_renamed_and_reordered_code_is_the_same_graph(tracer: Tracer) -> None:
    one, other = tracer.trace(BASE), tracer.trace(RENAMED)
    assert one.fingerprint is not None, one.reason
    assert other.fingerprint == one.fingerprint
    assert one.labels == other.labels
    assert similarity(one, other) == 1.0
    assert structure_key(one.fingerprint, BASE) == structure_key(other.fingerprint, RENAMED)


@pytest.mark.parametrize("case", OTHERS)
def test_nearly_equal_text_of_another_graph(tracer: Tracer, case: str) -> None:
    one, other = tracer.trace(BASE), tracer.trace(OTHERS[case])
    assert OTHERS[case] != BASE
    assert other.fingerprint not in (None, one.fingerprint)
    near, far = similarity(one, other), similarity(one, tracer.trace(SOURCES["vit"]))
    assert near is not None
    assert far is not None
    assert far < near < 1.0


def test_what_has_no_graph_says_why(tracer: Tracer, digits_sandbox: Sandbox) -> None:
    soon = Tracer(digits_sandbox, TASK, GraphStore(None), Limits(wall_s=60, cpu_s=2))
    assert "CpuLimit" in (soon.trace(LOOP).reason or "")
    assert "more than 20000 operators" in (tracer.trace(GIANT).reason or "")
    assert "SyntaxError" in (tracer.trace("def f(:").reason or "")
    assert "ContractError" in (tracer.trace("x = 1").reason or "")
    assert "EmptySource" in (tracer.trace(" ").reason or "")
    assert similarity(tracer.trace(BASE), tracer.trace(GIANT)) is None


def test_control_flow_on_values_is_followed(tracer: Tracer) -> None:
    found = tracer.trace(PYTHON_BRANCH)
    assert found.fingerprint == tracer.trace(BASE).fingerprint


def test_a_verdict_tells_the_same_graph(tracer: Tracer, digits_sandbox: Sandbox) -> None:
    names = ["densenet", "gru", "linear", "resnet", "vit"]
    verdicts = Validator(digits_sandbox).validate_many([SOURCES[name] for name in names], TASK)
    graphs = tracer.trace_many([SOURCES[name] for name in names])
    assert [verdict.figures["graph"] for verdict in verdicts] == [graph.fingerprint for graph in graphs]
    assert len({graph.fingerprint for graph in graphs}) == len(names)
    assert structure_of(verdicts[0], SOURCES["densenet"]) is not None
    assert structure_of(None, SOURCES["densenet"]) is None


def test_a_network_that_refuses_to_be_traced_is_valid(digits_sandbox: Sandbox) -> None:
    traced = (
        "if self.training and not torch.is_grad_enabled():\n            raise SystemExit(3)\n        a = torch.relu"
    )
    refusing = BASE.replace("a = torch.relu", traced)
    verdict = Validator(digits_sandbox).validate(refusing, TASK)
    assert verdict.reason == "ok"
    assert "graph" not in verdict.figures
    assert verdict.figures["graph_error"] == "SystemExit"
    assert structure_of(verdict, refusing) is None


def test_the_store_keeps_graphs(tmp_path: Path, tracer: Tracer) -> None:
    graph = tracer.trace(BASE)
    store = GraphStore(tmp_path / "deep" / "graphs.db")
    store.put(BASE, TASK, graph)
    store.close()
    again = GraphStore(tmp_path / "deep" / "graphs.db")
    assert again.get(BASE, TASK) == graph
    assert again.get(BASE, task("cifar10")) is None
    assert again.get(RENAMED, TASK) is None
    again.close()


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {"graph": "0" * 31, "nodes": 1, "labels": []},
        {"graph": "0" * 32, "nodes": -1, "labels": []},
        {"graph": "0" * 32, "nodes": 1, "labels": None},
        {"graph": "0" * 32, "nodes": 1, "labels": ["\x1b[2J"]},
        {"graph": "0" * 32, "nodes": 1, "labels": ["0" * 16] * (MOST_LABELS + 1)},
        {"graph": None, "error_class": "\x1b[31m" * 99, "message": "x" * 10**6},
        {"graph": {"a": 1}, "nodes": 1, "labels": []},
    ],
)
def test_forged_results_are_no_graphs(told: object) -> None:
    outcome = Outcome(status="ok", result=told, wall_s=0.1, cpu_s=0.1)
    found = read(outcome, Limits())
    assert found.fingerprint is None
    assert found.reason
    assert found.reason.isprintable()
    assert len(found.model_dump_json()) < 1_000


def test_similarity_of_large_graphs_is_estimated_on_the_least_labels() -> None:
    labels = [f"{n:016x}" for n in range(0, 12 * MOST_LABELS, 2)]
    one = Graph(fingerprint="0" * 32, nodes=1, labels=tuple(labels[:MOST_LABELS]))
    same = [label for at, label in enumerate(labels) if at % 10]
    other = Graph(fingerprint="1" * 32, nodes=1, labels=tuple(same[:MOST_LABELS]))
    found = similarity(one, other)
    assert found == pytest.approx(0.9, abs=0.01)


def test_training_set_up_is_part_of_the_structure() -> None:
    plain = training_text(BASE)
    assert plain == training_text(RENAMED)
    assert plain == training_text(BASE.replace("self.train()", "self.train()  # a comment\n\n"))
    assert plain != training_text(BASE.replace("torch.optim.SGD", "torch.optim.Adam"))
    assert plain != training_text(BASE.replace("3)\n            self.optimizer", "5)\n            self.optimizer"))
    helper = "\n\ndef weighted(loss):\n    return loss * {}\n"
    used = BASE.replace("loss.backward()", "weighted(loss).backward()")
    assert training_text(used + helper.format(2)) != training_text(used + helper.format(3))
    assert training_text(BASE + helper.format(2)) == plain
    assert training_text("def f(:") is None
    assert structure_key("0" * 32, "def f(:") is None
    assert structure_key(None, BASE) is None
    assert structure_key(["0" * 32], BASE) is None
    assert structure_of(Verdict(ok=False, stage="build", figures={"graph": "0" * 32}), BASE) is None
    assert json.dumps(structure_key("0" * 32, BASE))
