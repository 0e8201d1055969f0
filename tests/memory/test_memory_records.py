"""The contract of the records: each backend passes the same class."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from netwright.memory.records import Records, RecordsError
from netwright.memory.rows import (
    Adapter,
    Admission,
    Campaign,
    Cycle,
    Deployment,
    Generation,
    RepairAttempt,
)
from netwright.memory.types import Candidate, Protocol, Task, Trial, Verdict

from .backends import BACKENDS, new_database

TASK = Task(dataset="digits", in_shape=(1, 8, 8), out_shape=(10,))
PROTOCOL = Protocol(name="one-epoch")


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_database(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def records(url: str) -> Iterator[Records]:
    with Records(url) as opened:
        opened.add_task(TASK)
        opened.add_protocol(PROTOCOL)
        opened.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash, seed=7))
        yield opened


def _candidate(records: Records, text: str = "x = 1") -> str:
    return records.add_candidate(Candidate(source=text))


class TestRecordsContract:
    def test_tasks_and_protocols_come_back(self, records: Records) -> None:
        assert records.get_task(records.add_task(TASK)) == TASK
        assert records.get_protocol(records.add_protocol(PROTOCOL)) == PROTOCOL
        assert records.get_task("none") is None

    def test_task_with_other_shapes_is_refused(self, records: Records) -> None:
        with pytest.raises(RecordsError, match="other shapes"):
            records.add_task(TASK.model_copy(update={"out_shape": (3,)}))

    def test_candidate_is_stored_once_and_first_wins(self, records: Records) -> None:
        first = Candidate(source="x = 1\n", origin="hand-", parents=("p",))
        same = Candidate(source="x  =  1", origin="llm-")
        assert records.add_candidates([first, same]) == [first.id, first.id]
        assert records.get_candidate(first.id) == first

    @pytest.mark.parametrize("text", ["\ud800", "a\0b", "\ufdd0", '\ufdd0"x', "é\U0001f600", ""])
    def test_hostile_text_survives(self, records: Records, text: str) -> None:
        candidate = Candidate(source=text)
        records.add_candidate(candidate)
        records.put_generation(Generation(campaign_id="c", cycle=1, slot=0, prompt=text, answer=text))
        assert records.get_candidate(candidate.id) == candidate
        assert records.generations("c")[0].answer == text

    def test_first_verdict_stays(self, records: Records) -> None:
        key = _candidate(records)
        good = Verdict(ok=True, stage="backward", params=3_000_000_000, flops=1)
        bad = Verdict(ok=False, stage="build", error_class="ValueError", message="\0")
        assert records.put_verdict(key, TASK.id, good) == good
        assert records.put_verdict(key, TASK.id, bad) == good
        assert records.put_verdict(key, TASK.id, bad, limits_hash="tight") == bad
        assert records.get_verdict("none", TASK.id) is None

    def test_row_of_unknown_things_is_refused(self, records: Records) -> None:
        with pytest.raises(RecordsError, match="do not know"):
            records.put_verdict("0" * 64, TASK.id, Verdict(ok=True, stage="backward"))

    def test_generation_is_put_once_then_updated(self, records: Records) -> None:
        first = Generation(campaign_id="c", cycle=1, slot=3, seed=1, answer="one")
        assert records.put_generation(first) == first
        assert records.put_generation(first.model_copy(update={"answer": "two"})) == first
        key = _candidate(records)
        changed = records.update_generation("c", 1, 3, candidate_id=key, valid_by="cleanup", novel=True)
        assert records.generations("c", 1) == [changed]
        assert changed.valid_by == "cleanup"
        records.update_generations([changed.model_copy(update={"jaccard": 0.5})])
        assert records.get_generation("c", 1, 3) == changed.model_copy(update={"jaccard": 0.5})
        with pytest.raises(RecordsError, match="put_generation"):
            records.update_generation("c", 9, 9, novel=False)

    def test_bulk_of_a_cycle(self, records: Records) -> None:
        slots = [Generation(campaign_id="c", cycle=2, slot=slot) for slot in range(120)]
        assert records.put_generations(slots) == slots
        ids = records.add_candidates(Candidate(source=f"x = {n}") for n in range(900))
        assert list(records.get_candidates(ids)) != []
        assert len(records.get_candidates(ids)) == 900

    def test_repairs(self, records: Records) -> None:
        records.put_generation(Generation(campaign_id="c", cycle=1, slot=0))
        verdict = Verdict(ok=False, stage="parse", error_class="SyntaxError", message="bad")
        first = RepairAttempt(campaign_id="c", cycle=1, slot=0, try_no=1, error="e", verdict=verdict)
        second = RepairAttempt(campaign_id="c", cycle=1, slot=0, try_no=2, error="e2")
        for attempt in (second, first, first):
            records.put_repair(attempt)
        assert records.repairs("c") == [first, second]

    def test_admissions_deployments_and_cycles(self, records: Records) -> None:
        key = _candidate(records)
        admission = Admission(campaign_id="c", cycle=1, candidate_id=key, admitted=True, reasons=("novel",))
        records.put_admission(admission)
        records.put_admission(admission.model_copy(update={"admitted": False}))
        assert records.admissions("c", 1) == [admission]
        records.put_deployment(Deployment(candidate_id=key, target="onnx", content={"ms": 1}))
        records.put_deployment(Deployment(candidate_id=key, target="onnx", content={"ms": 2}))
        assert [d.content for d in records.deployments(key)] == [{"ms": 2}]
        records.put_cycle(Cycle(campaign_id="c", n=1))
        records.update_cycle("c", 1, timings={"generate": 1.5})
        records.update_cycle("c", 1, timings={"train": 2.0}, state="complete", threshold=0.4)
        (cycle,) = records.cycles("c")
        assert cycle.timings == {"generate": 1.5, "train": 2.0}
        assert (cycle.state, cycle.threshold) == ("complete", 0.4)

    def test_adapters_roll_back_and_are_replaced(self, records: Records) -> None:
        for cycle in (1, 2, 3):
            records.put_adapter(Adapter(campaign_id="c", cycle=cycle, path=f"/a/{cycle}", parent=cycle - 1))
        kept = records.put_adapter(Adapter(campaign_id="c", cycle=3, path="/other"))
        assert kept.path == "/a/3"
        assert [a.cycle for a in records.rollback_adapters("c", 1)] == [2, 3]
        active = records.active_adapter("c")
        assert active is not None
        assert active.cycle == 1
        assert records.put_adapter(Adapter(campaign_id="c", cycle=2, path="/new")).path == "/new"

    def test_campaign_keeps_its_configuration(self, records: Records) -> None:
        stored = records.get_campaign("c")
        again = Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash, seed=7)
        assert records.create_campaign(again) == stored
        with pytest.raises(RecordsError, match="another seed"):
            records.create_campaign(again.model_copy(update={"seed": 8}))
        assert records.update_campaign("c", state="stopped", stop_reason="tokens").state == "stopped"
        assert [c.id for c in records.list_campaigns()] == ["c"]
        with pytest.raises(ValueError, match="cannot be changed"):
            records.update_campaign("c", tokens=3)
        with pytest.raises(RecordsError, match="no campaign"):
            records.get_campaign("other")

    def test_spending_counts_once_per_key(self, records: Records, url: str) -> None:
        with Records(url) as resumed:
            for opened in (records, resumed, records):
                opened.spend("c", "1/generate", wall_s=1.5, tokens=100, candidates=4)
        spent = records.spend("c", "1/train", wall_s=0.5)
        assert (spent.wall_s, spent.tokens, spent.candidates) == (2.0, 100, 4)

    def test_threads_and_connections_share_one_database(self, records: Records, url: str) -> None:
        key = _candidate(records)
        with Records(url) as other, ThreadPoolExecutor(8) as pool:

            def work(n: int) -> None:
                opened = (records, other)[n % 2]
                opened.spend("c", str(n), tokens=1)
                opened.put_generation(Generation(campaign_id="c", cycle=1, slot=n, candidate_id=key))
                opened.start_trial(key, TASK.id, PROTOCOL.hash)

            list(pool.map(work, range(100)))
        assert records.get_campaign("c").tokens == 100
        assert len(records.generations("c", 1)) == 100
        assert records.trial_attempts(key, TASK.id, PROTOCOL.hash) == 100


class TestTrialContract:
    @pytest.fixture
    def key(self, records: Records) -> str:
        return _candidate(records)

    def _end(self, key: str, **changes: object) -> Trial:
        base = {"candidate_id": key, "task_id": TASK.id, "protocol_hash": PROTOCOL.hash}
        end = {"state": "complete", "metric": 0.9, "epochs": ({"epoch": 1, "accuracy": 0.9},)}
        return Trial.model_validate(base | end | changes)

    def test_each_start_is_counted(self, records: Records, key: str) -> None:
        records.queue_trials([key, key], TASK.id, PROTOCOL.hash)
        waiting = records.get_trial(key, TASK.id, PROTOCOL.hash)
        assert waiting is not None
        assert waiting.state == "waiting"
        for attempt in (1, 2):
            assert records.start_trial(key, TASK.id, PROTOCOL.hash).state == "running"
            assert records.trial_attempts(key, TASK.id, PROTOCOL.hash) == attempt
        records.queue_trials([key], TASK.id, PROTOCOL.hash)
        assert records.trial_attempts(key, TASK.id, PROTOCOL.hash) == 2

    @pytest.mark.parametrize("state", ["complete", "failed", "pruned"])
    def test_finished_trial_never_changes(self, records: Records, key: str, state: str) -> None:
        end = self._end(key, state=state, metric=0.9 if state == "complete" else None)
        records.start_trial(key, TASK.id, PROTOCOL.hash)
        records.finish_trial(end)
        assert records.finish_trial(end) == end
        with pytest.raises(RecordsError, match="never changes"):
            records.finish_trial(end.model_copy(update={"cpu_s": 9.0}))
        assert records.start_trial(key, TASK.id, PROTOCOL.hash) == end
        records.queue_trials([key], TASK.id, PROTOCOL.hash)
        assert records.get_trial(key, TASK.id, PROTOCOL.hash) == end
        assert records.trial_attempts(key, TASK.id, PROTOCOL.hash) == 1

    def test_not_finite_numbers_become_null(self, records: Records, key: str) -> None:
        end = self._end(key, epochs=({"epoch": 1, "train_loss": float("nan")},))
        records.start_trial(key, TASK.id, PROTOCOL.hash)
        records.finish_trial(end)
        records.finish_trial(end)
        stored = records.get_trial(key, TASK.id, PROTOCOL.hash)
        assert stored is not None
        assert stored.epochs == ({"epoch": 1, "train_loss": None},)

    def test_scores_only_where_they_belong(self, records: Records, key: str) -> None:
        records.start_trial(key, TASK.id, PROTOCOL.hash)
        for end in (
            self._end(key, state="failed"),
            self._end(key, metric=None),
            self._end(key, metric=float("nan")),
            self._end(key, state="running", metric=None),
        ):
            with pytest.raises(ValueError, match="trial"):
                records.finish_trial(end)

    def test_end_without_start_is_refused(self, records: Records, key: str) -> None:
        with pytest.raises(RecordsError, match="start_trial"):
            records.finish_trial(self._end(key))
