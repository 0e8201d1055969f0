"""The examples run as they stand, from another folder, and show what they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, folder: Path, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=290)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_generate_programs(tmp_path: Path) -> None:
    lines = run("generate_programs", tmp_path, "2").splitlines()
    assert lines[0].startswith("0: ")
    assert "similarity" in lines[1]
    assert "class Net(nn.Module):" in lines


def test_validate_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("class Net:\n")
    first, trial, second = run("validate_file", tmp_path, str(EXAMPLES / "small_net.py"), str(broken)).splitlines()
    assert first.startswith("small_net.py: ok")
    assert trial.startswith("complete: accuracy 0.")
    assert second.startswith("broken.py: parse: ")


def test_run_in_sandbox(tmp_path: Path) -> None:
    lines = [line for line in run("run_in_sandbox", tmp_path).splitlines() if line]
    outcomes = {line[:13].strip(): line[13:].split()[0] for line in lines}
    assert outcomes["arithmetic"] == outcomes["environment"] == "ok"
    assert outcomes["accounts"] == outcomes["network"] == "error"
    assert outcomes["endless loop"] in {"timeout", "cpu"}
    assert outcomes["memory"] == "memory"
    assert outcomes["noise"] == "output"
    assert outcomes["exit"] == "crash"


def test_lemur_data(tmp_path: Path) -> None:
    lines = run("lemur_data", tmp_path).splitlines()
    assert lines[0] == "2 networks, 5 records, 1 left out"
    assert "Lost.py is missing" in lines[1]
    assert lines[2:] == [
        "alt-nn3-0a1b on cifar-10: 0.71 after epoch 2, lr 0.01",
        "ResNet on svhn: 0.83 after epoch 1, lr 0.01",
    ]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_every_example_explains_itself(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith('"""')


def test_design_with_script(tmp_path: Path) -> None:
    printed = run("design_with_script", tmp_path)
    assert "repair 1: forward: RuntimeError" in printed
    assert "→ ok" in printed
    assert "valid through backward (by repair)" in printed


@pytest.mark.slow
def test_mcp_client(tmp_path: Path) -> None:
    printed = run("mcp_client", tmp_path)
    assert "24 tools: " in printed
    assert "of 3: validating" in printed
    assert "accuracy 0." in printed
    assert "a second training: Request cancelled\nits job is cancelled" in printed
    assert "an error: validate: arguments: give either source or candidate_id" in printed


@pytest.mark.slow
def test_langchain_agent(tmp_path: Path) -> None:
    lines = run("langchain_agent", tmp_path).splitlines()
    assert lines[0] == "24 tools"
    assert [line for line in lines if line.startswith("calls ")] == [
        "calls generate",
        "calls validate",
        "calls evaluate",
    ]
    assert "parameters reaches" in lines[-1]


@pytest.mark.slow
def test_langchain_agent_with_a_model_that_cannot_call_tools(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "langchain_agent.py"), "--model", "nano"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=290)
    assert done.returncode == 1
    assert done.stderr.strip().endswith(
        "nano cannot call tools, it only writes programs: name a model that can by --model"
    )
