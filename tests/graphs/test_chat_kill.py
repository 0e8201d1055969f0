"""Conversations across processes that are killed: the same answer, and an approval that waits."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SAY = """
import json, sys
from netwright.graphs.config import load_config
from netwright.graphs.talking import open_conversation
from netwright.memory.records import Records

with Records() as records, open_conversation(load_config(overrides=sys.argv[2:]), records, "killed") as talk:
    said = json.loads(sys.argv[1])
    reply = talk.say(said, notify=lambda event: print(event.stage, flush=True))
    print("REPLY", json.dumps(reply.model_dump(mode="json")))
"""


def launch(home: Path, text: str, *overrides: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "NETWRIGHT_HOME": str(home)}
    command = [sys.executable, "-c", SAY, json.dumps(text), *overrides]
    return subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE, text=True)


def reply_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    told, _ = process.communicate(timeout=600)
    assert process.returncode == 0, told
    found: dict[str, Any] = json.loads(told.rpartition("REPLY ")[2])
    return found


def essence(reply: dict[str, Any]) -> dict[str, Any]:
    """All of a reply but its words, which tell what else is on record."""
    return {key: value for key, value in reply.items() if key != "text"}


@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_killed_in_a_turn_and_gone_on_with_is_the_undisturbed_answer(script: Path, tmp_path: Path) -> None:
    overrides = ["model.name=scripted", f"model.path={script}", "chat.candidates=6", "campaign.repair_tries=1"]
    text = "a digits classifier under 60k parameters"
    begun = time.monotonic()
    calm = reply_of(launch(tmp_path / "calm", text, *overrides))
    seconds, rng, killed = time.monotonic() - begun, random.Random(3), 0
    said = text
    for turn in range(5):
        process = launch(tmp_path / "killed", said, *overrides)
        try:
            process.wait(timeout=rng.uniform(0.2, 0.8) * seconds)
            break
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            killed += 1
        time.sleep(1.0)
        said = "go on" if turn % 2 else text  # both take the turn up again
    else:
        process = launch(tmp_path / "killed", said, *overrides)
    answer = reply_of(process)
    assert killed >= 1
    assert essence(answer) == essence(calm)


@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_an_approval_waits_for_another_process(script: Path, tmp_path: Path) -> None:
    overrides = ["model.name=scripted", f"model.path={script}", "chat.candidates=3", "chat.approve_training=true"]
    asked = reply_of(launch(tmp_path, "a digits classifier under 60k parameters", *overrides))
    assert asked["kind"] == "approval"
    # Killed while it trains what was approved, and asked again with the same word.
    process = launch(tmp_path, "yes", *overrides)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "train":
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(1.0)
    answer = reply_of(launch(tmp_path, "yes", *overrides))
    assert answer["kind"] == "answer"
    assert {one["candidate_id"] for one in answer["shown"]} == {one["candidate_id"] for one in asked["shown"]}
    assert all(one["metric"] is not None for one in answer["shown"])
