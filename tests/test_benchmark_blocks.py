"""The block benchmark: new processes without the packages, rows that survive a kill, shares and reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from netwright.memory.block_store import BlockStore
from netwright.memory.block_types import Block, BlockCheck
from netwright.sandbox import Sandbox, open_sandbox

BENCHMARK = "blocks"
GOOD = "from torch import nn\n\n\nclass Gate(nn.Module):\n    def forward(self, x):\n        return x.sigmoid()\n"


@pytest.fixture(scope="module")
def sandbox(benchmark: ModuleType) -> Iterator[Sandbox]:
    with open_sandbox("bubblewrap", benchmark.fresh_image(), workers=1) as opened:
        yield opened


def block(text: str = GOOD, qualified: str = "timm.layers.gate.Gate", **fields: Any) -> Block:
    plain = {"package": "timm", "version": "1", "path": "gate.py", "line": 1, "file_hash": "0", "category": "utility"}
    return Block.model_validate({"qualified": qualified, "text": text, **plain, **fields})


def test_a_file_that_stands_alone(benchmark: ModuleType, sandbox: Sandbox) -> None:
    row = benchmark.fresh_row(sandbox, block())
    assert (row["ok"], row["why"]) == (True, None)
    assert row["cpu_s"] > 0.1
    assert row["peak_mb"] > 50


NOT_ALONE = {
    "torchvision is not there": ("import torchvision\n" + GOOD, "ModuleNotFoundError: No module named 'torchvision'"),
    "undefined name": (GOOD.replace("x.sig", "y.sig"), "UndefinedName: line 6: undefined y"),
    "ends at once": ("import os\nos._exit(3)\n" + GOOD, "exit code 3"),
}


@pytest.mark.parametrize("case", NOT_ALONE)
def test_files_that_do_not(case: str, benchmark: ModuleType, sandbox: Sandbox) -> None:
    text, why = NOT_ALONE[case]
    row = benchmark.fresh_row(sandbox, block(text))
    assert (row["ok"], row["why"]) == (False, why)


def test_rows_survive_a_kill(benchmark: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = benchmark.Rows(path)
    rows.add({"id": "a", "ok": True})
    rows.add({"id": "b", "ok": False})
    path.write_text(path.read_text() + '{"id": "c", "o')
    again = benchmark.Rows(path)
    assert sorted(again.known) == ["a", "b"]
    again.add({"id": "c", "ok": True})
    assert sorted(benchmark.Rows(path).known) == ["a", "b", "c"]


def test_only_what_is_missing_is_checked(benchmark: ModuleType, tmp_path: Path) -> None:
    checks = {"A": None, "B": BlockCheck(stage="names"), "C": BlockCheck(stage="names", error_class="E", message="m")}
    with BlockStore(tmp_path / "b.db") as store:
        store.put_blocks(block(qualified=f"m.{name}", check=check) for name, check in checks.items())
        assert [each.name for each in benchmark.unchecked(store, "names", None)] == ["A"]
        assert [each.name for each in benchmark.unchecked(store, "forward", None)] == ["A", "B"]
        assert [each.name for each in benchmark.unchecked(store, "forward", 1)] == ["A"]


def test_shares_and_reasons(benchmark: ModuleType) -> None:
    report = benchmark.blocks_report
    blocks = [block(qualified=f"{module}.{name}") for module, name in (("a", "One"), ("b", "One"), ("a", "Two"))]
    rows = {
        each.id: {"ok": ok, "why": None if ok else "no", "qualified": each.qualified, "cpu_s": 1.0, "peak_mb": 9}
        for each, ok in zip(blocks, (True, False, True), strict=True)
    }
    names = report.names_summary(["One", "Two", "Three", "Four"], blocks, rows)
    assert (names["any"], names["all"], names["files"], names["not_found"]) == (0.5, 0.25, 3, ["Four", "Three"])
    assert names["failed"] == [{"block": "b.One", "why": "no"}]
    stages = [("forward", None), ("names", "TypeError"), ("import", "UndefinedName"), ("import", "UndefinedName")]
    checked = [
        block(qualified=f"m.C{n}", check=BlockCheck(stage=stage, error_class=why, message=f"line {n}: undefined x"))
        for n, (stage, why) in enumerate(stages)
    ]
    found = report.stages([*checked, block(qualified="m.D")])
    assert (found["blocks"], found["stand_alone"]) == (4, 0.5)
    assert found["passed"] == {"parse": 4, "compile": 4, "import": 4, "names": 2, "build": 1, "forward": 1}
    assert found["reasons"] == [
        {"stage": "names", "reason": "UndefinedName: undefined x", "blocks": 2, "examples": ["m.C2", "m.C3"]}
    ]
    document = {
        "names": names,
        "all": found,
        "asked": report.ASKED,
        "absent": ["timm"],
        "packages": {"timm": "1"},
        "mining": {step: {"cpu_s": 1.0, "peak_mb": 100} for step in ("names", "all")},
        "validation": {"blocks": 4, "cpu_s": 2.0, "peak_mb": 300},
        "repeat": {"package": "timm", "identical": True, "blocks": 3, "files": 2, "parsed": 1, "reused": 1},
    }
    text = report.text(json.loads(json.dumps(document)))
    assert "| netwright, any module of the name | 4 | 50.0 % | 1 | 100 MB |" in text
    assert "| names | UndefinedName: undefined x | 2 | `m.C2` |" in text
    assert "gave identical bytes" in text
    assert report.exit_code(document) == 1
    assert "* b.One: no" in report.failures_text(document, checked)


@pytest.mark.slow
def test_mining_repeats_byte_by_byte_and_reads_only_what_changed(benchmark: ModuleType, tmp_path: Path) -> None:
    package = tmp_path / "smallpkg"
    package.mkdir()
    (package / "__init__.py").write_text("from .gate import Gate\n")
    (package / "helpers.py").write_text("import torch\n\n\ndef squash(x):\n    return torch.sigmoid(x)\n")
    body = GOOD.replace("x.sigmoid()", "squash(x)").replace("from torch import nn", "from torch import nn\n\nimport os")
    (package / "gate.py").write_text("from .helpers import squash\n" + body + "\n\nclass Other(Gate):\n    pass\n")
    found = benchmark.repeat(package, tmp_path / "build")
    assert found["identical"]
    assert found["blocks"] >= 1
    assert (found["files"], found["parsed"], found["reused"]) == (3, 1, 2)


def test_the_names_are_those_asked_for(benchmark: ModuleType) -> None:
    names = json.loads(Path(benchmark.__file__ or "").with_name("data").joinpath("block_names.json").read_text())
    assert len(names) == len(set(names)) == 150
