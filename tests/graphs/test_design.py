"""The design graph: one request, a validated network or a reason, the same after any stop."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph.runtime import RunControl
from netwright.graphs import opening
from netwright.graphs.config import Config, load_config
from netwright.graphs.design import design_id, run_design
from netwright.graphs.locking import CampaignBusy, one_process
from netwright.memory.home import home_folder
from netwright.memory.records import Records
from netwright.memory.types import Request
from netwright.tools.execution import Validator
from netwright.tools.requests import parse_request


@pytest.fixture
def records() -> Iterator[Records]:
    with Records() as opened:
        yield opened


@pytest.fixture
def two_records(tmp_path: Path) -> Iterator[tuple[Records, Records]]:
    """Two empty records, to compare what the same request leaves in each."""
    with Records(f"sqlite:///{tmp_path / 'calm.db'}") as calm, Records(f"sqlite:///{tmp_path / 'other.db'}") as other:
        yield calm, other


class StopAfter(RunControl):
    """Asks to stop once it was looked at so many times: in the middle of branches as well as between steps."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    @property
    def drain_requested(self) -> bool:
        self.looks -= 1
        if self.looks == 0:
            self.request_drain("test")
        return super().drain_requested


def scripted(script: Path, *overrides: str) -> Config:
    return load_config(overrides=["model.name=scripted", f"model.path={script}", "campaign.candidates=4", *overrides])


def facts(request: Request, config: Config, records: Records) -> list[tuple[object, ...]]:
    """What a request left on record."""
    run = design_id(request, config)
    stored = records.get_campaign(run)
    written = records.generations(run)
    trials = records.get_trials(
        [g.candidate_id for g in written if g.candidate_id], stored.task_id, stored.protocol_hash
    )
    return [
        *((g.slot, g.answer, g.candidate_id, g.valid_by) for g in written),
        *((a.slot, a.try_no, a.answer, a.candidate_id) for a in records.repairs(run)),
        *sorted((t.candidate_id, t.state, t.metric) for t in trials.values()),
        (stored.state, stored.stop_reason),
    ]


@pytest.fixture
def nothing_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a sandbox nor a model may be opened."""

    def forbidden(*args: object, **options: object) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(opening, "open_sandbox", forbidden)
    monkeypatch.setattr(opening, "open_chat_model", forbidden)


def test_design_returns_a_valid_network_under_the_limit(script: Path, records: Records) -> None:
    request = parse_request("a digits classifier under 100k parameters")
    designed = run_design(request, scripted(script), records)
    assert designed.candidate is not None
    assert designed.verdict is not None
    assert designed.verdict.ok
    assert designed.verdict.params is not None
    assert designed.verdict.params <= 100_000
    assert designed.finished
    assert "valid through backward" in designed.explanation
    assert records.get_campaign(design_id(request, scripted(script))).state == "complete"


def test_same_request_is_answered_from_the_records(
    script: Path, records: Records, request: pytest.FixtureRequest
) -> None:
    asked = parse_request("a digits classifier under 90k parameters")
    config = scripted(script)
    first = run_design(asked, config, records)
    answers = records.generations(design_id(asked, config))
    request.getfixturevalue("nothing_opens")
    assert run_design(asked, config, records) == first
    assert records.generations(design_id(asked, config)) == answers
    assert not list(home_folder("designs", design_id(asked, config)).glob("checkpoints.db*"))


def test_design_can_train_and_takes_the_best(script: Path, records: Records, request: pytest.FixtureRequest) -> None:
    asked = parse_request("digits, at most 80k parameters")
    config = scripted(script, "protocol.epochs=2")
    untrained = run_design(asked, config, records)
    assert untrained.trial is None
    designed = run_design(asked, config, records, train=True)
    assert designed.written == untrained.written, "training writes nothing new"
    assert designed.trial is not None
    assert designed.trial.state == "complete"
    assert len(designed.trial.epochs) == 2, "the configured protocol is used"
    assert "accuracy" in designed.explanation
    run = design_id(asked, config)
    stored = records.get_campaign(run)
    ids = [g.candidate_id for g in records.generations(run) if g.candidate_id and g.valid_by != "none"]
    trials = records.get_trials(ids, stored.task_id, stored.protocol_hash)
    assert set(trials) == set(ids)
    assert designed.trial.metric == max(t.metric for t in trials.values() if t.metric is not None)
    request.getfixturevalue("nothing_opens")
    assert run_design(asked, config, records, train=True) == designed
    assert run_design(asked, config, records) == untrained


def test_other_settings_and_other_weights_are_other_requests(script: Path, tmp_path: Path) -> None:
    request = parse_request("digits, at most 70k parameters")
    path = tmp_path / "script.yaml"
    path.write_text(script.read_text())
    configs = [
        scripted(path),
        scripted(path, "protocol.epochs=2"),
        scripted(path, "sandbox.validation.cpu_s=5"),
        scripted(path, "budget.candidates=3"),
        scripted(path, "campaign.seed=1"),
    ]
    ids = {design_id(request, config) for config in configs}
    assert len(ids) == len(configs)
    assert design_id(request, scripted(path, "budget.wall_s=60", "sandbox.workers=1")) in ids, "changes no answer"
    path.write_text(script.read_text() + "\n# another script\n")
    assert design_id(request, configs[0]) not in ids


def test_design_that_finds_nothing_says_how_far_it_got_and_why(tmp_path: Path, records: Records) -> None:
    path = tmp_path / "bad.yaml"
    late = "import torch.nn as nn\\ndef supported_hyperparameters(): return set()\\nclass Net(nn.Module):\\n" + "".join(
        f"  def {name}(self, *a, **k): 1 / 0\\n" for name in ("__init__", "train_setup", "learn", "forward")
    )
    path.write_text(
        'answers:\n- no idea\n- |\n  ```python\n  x = 1\n  ```\n- nothing\n- "```python\\n' + late + '```"\n- never\n'
    )
    request = parse_request("an svhn classifier under 100k parameters")
    config = scripted(path, "campaign.candidates=5", "campaign.repair_tries=0", "budget.candidates=5")
    designed = run_design(request, config, records)
    assert designed.candidate is None
    assert designed.as_json()["candidate"] is None
    assert (designed.written, designed.valid, designed.finished) == (5, 0, True)
    assert "none of 5 candidates met the request" in designed.explanation
    assert "as far as the stage build" in designed.explanation
    order = [designed.explanation.index(text) for text in ("3 × extract: NoCode", "1 × contract: ", "1 × build: Zero")]
    assert order == sorted(order)
    assert "--candidates" in designed.explanation


def test_stopped_and_asked_again_equals_undisturbed(script: Path, two_records: tuple[Records, Records]) -> None:
    undisturbed, records = two_records
    request = parse_request("a digits classifier under 60k parameters")
    config = scripted(script, "campaign.repair_tries=1", "sandbox.workers=1")
    calm = run_design(request, config, undisturbed, train=True)
    stops = 0
    for looks in (1, 4, 9, 3, 12, 7, 11):
        designed = run_design(request, config, records, train=True, control=StopAfter(looks))
        if designed.finished:
            break
        stops += 1
        assert designed.candidate is None
        assert "stopped before the end (test)" in designed.explanation
        assert records.get_campaign(design_id(request, config)).state == "stopped"
    else:
        designed = run_design(request, config, records, train=True)
    assert stops >= 4
    assert (designed.candidate, designed.explanation) == (calm.candidate, calm.explanation)
    assert facts(request, config, records) == facts(request, config, undisturbed)


def test_a_failed_request_says_so_and_goes_on_when_asked_again(
    script: Path, two_records: tuple[Records, Records], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, records = two_records
    request = parse_request("a digits classifier under 50k parameters")
    config = scripted(script)
    calm = run_design(request, config, undisturbed)
    judge, left = Validator.validate, [2]

    def fail(self: Validator, *args: object, **options: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("the disk is full")
        return judge(self, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Validator, "validate", fail)
        with pytest.raises(OSError, match="the disk is full"):
            run_design(request, config, records)
    stored = records.get_campaign(design_id(request, config))
    assert (stored.state, stored.stop_reason) == ("failed", "OSError: the disk is full")
    assert run_design(request, config, records).candidate == calm.candidate
    assert facts(request, config, records) == facts(request, config, undisturbed)


def test_one_process_works_on_a_request(script: Path, records: Records) -> None:
    request = parse_request("a digits classifier under 40k parameters")
    run = design_id(request, scripted(script))
    with one_process(home_folder("designs", run), run), pytest.raises(CampaignBusy, match=run):
        run_design(request, scripted(script), records)


WORK = """
import sys
from netwright.graphs.config import load_config
from netwright.graphs.design import run_design
from netwright.memory.records import Records
from netwright.tools.requests import parse_request

with Records() as records:
    request = parse_request("a digits classifier under 60k parameters")
    run_design(request, load_config(overrides=sys.argv[1:]), records, train=True)
"""


@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_killed_and_asked_again_equals_undisturbed(script: Path, tmp_path: Path) -> None:
    overrides = ["model.name=scripted", f"model.path={script}", "campaign.candidates=24"]

    def launch(home: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "NETWRIGHT_HOME": str(home)}
        return subprocess.Popen([sys.executable, "-c", WORK, *overrides], env=environment, start_new_session=True)

    begun = time.monotonic()
    assert launch(tmp_path / "calm").wait(timeout=600) == 0
    seconds, rng = time.monotonic() - begun, random.Random(7)
    for _ in range(5):
        process = launch(tmp_path / "killed")
        try:
            process.wait(timeout=rng.uniform(0.2, 0.7) * seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(1.0)
    assert launch(tmp_path / "killed").wait(timeout=600) == 0
    request, config = parse_request("a digits classifier under 60k parameters"), load_config(overrides=overrides)
    found = []
    for name in ("calm", "killed"):
        with Records(f"sqlite:///{tmp_path / name / 'records.db'}") as records:
            found.append(facts(request, config, records))
    assert found[0] == found[1]
