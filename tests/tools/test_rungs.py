"""Successive halving is read off the trials on record: the same trials give the same survivors."""

from __future__ import annotations

import pytest
from netwright.memory.types import Protocol, Trial, TrialState
from netwright.tools.rungs import next_round, rungs_of, survivors

WHOLE = Protocol(name="p", rungs=(100, 400), time_limit_s=100.0)
LOW, HIGH, LAST = rungs_of(WHOLE)
IDS = [f"c{n}" for n in range(9)]


def trial(key: str, rung: Protocol, metric: float | None, state: TrialState = "complete") -> Trial:
    return Trial(candidate_id=key, task_id="t", protocol_hash=rung.hash, state=state, metric=metric, cpu_s=2.0)


class Recorded(dict[str, dict[str, Trial]]):
    """Trials by protocol and candidate."""

    def put(self, rung: Protocol, metrics: dict[str, float]) -> None:
        self.setdefault(rung.hash, {}).update({key: trial(key, rung, value) for key, value in metrics.items()})

    def of(self, rung: Protocol) -> dict[str, Trial]:
        return self.get(rung.hash, {})


def test_each_rung_is_a_protocol_of_its_own():
    assert [rung.train_limit for rung in (LOW, HIGH, LAST)] == [100, 400, None]
    assert LAST is WHOLE
    plain = WHOLE.model_copy(update={"rungs": ()})
    assert len({LOW.hash, HIGH.hash, LAST.hash, plain.hash}) == 4
    assert LOW.rungs == HIGH.rungs == ()
    assert LOW.time_limit_s < HIGH.time_limit_s < WHOLE.time_limit_s
    assert rungs_of(plain) == (plain,)


@pytest.mark.parametrize(("count", "kept"), [(1, 1), (2, 1), (3, 1), (4, 2), (9, 3)])
def test_a_third_survives_but_never_nobody(count: int, kept: int):
    trials = {key: trial(key, LOW, n / 10) for n, key in enumerate(IDS[:count])}
    assert survivors(IDS[:count], trials) == IDS[:count][-kept:]


def test_of_equals_the_first_survives_and_failures_never_do():
    trials = {key: trial(key, LOW, 0.5) for key in IDS}
    trials["c0"] = trial("c0", LOW, None, "failed")
    assert survivors(IDS, trials) == ["c1", "c2", "c3"]


def test_a_round_begins_when_the_one_before_has_ended():
    known = Recorded()
    first = next_round(IDS, WHOLE, known.of)
    assert (first.protocol, first.ids, first.ended) == (LOW, tuple(IDS), ())
    known.put(LOW, {key: n / 10 for n, key in enumerate(IDS) if key != "c4"})
    known[LOW.hash]["c3"] = trial("c3", LOW, None, "running")
    assert next_round(IDS, WHOLE, known.of).ids == ("c3", "c4")
    known.put(LOW, {"c3": 0.3, "c4": 0.9})
    second = next_round(IDS, WHOLE, known.of)
    assert (second.protocol, second.ids) == (HIGH, ("c4", "c7", "c8"))
    assert {one.candidate_id for one in second.ended} == set(IDS) - {"c4", "c7", "c8"}
    known.put(HIGH, {"c4": 0.5, "c7": 0.6, "c8": 0.4})
    last = next_round(IDS, WHOLE, known.of)
    assert (last.protocol, last.ids, len(last.ended)) == (WHOLE, ("c7",), 8)
    known.put(WHOLE, {"c7": 0.95})
    assert next_round(IDS, WHOLE, known.of).ids == ()


def test_who_is_stopped_ends_without_a_score_under_the_whole_protocol():
    known = Recorded()
    known.put(LOW, {key: n / 10 for n, key in enumerate(IDS)})
    known[LOW.hash]["c0"] = trial("c0", LOW, None, "failed").model_copy(
        update={"error_class": "RuntimeError", "message": "no"}
    )
    ended = {one.candidate_id: one for one in next_round(IDS, WHOLE, known.of).ended}
    assert ended["c1"].state == "pruned"
    assert "0.1000 after 100 samples is not among the best third of 9" in (ended["c1"].message or "")
    assert (ended["c0"].state, ended["c0"].error_class) == ("failed", "RuntimeError")
    for one in ended.values():
        assert (one.protocol_hash, one.metric, one.epochs) == (WHOLE.hash, None, ())


def test_when_all_fail_nobody_goes_on():
    known = Recorded({LOW.hash: {key: trial(key, LOW, None, "failed") for key in IDS}})
    last = next_round(IDS, WHOLE, known.of)
    assert (last.protocol, last.ids, len(last.ended)) == (WHOLE, (), 9)
