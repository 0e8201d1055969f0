"""Rewards: the paper's numbers for each way a network can go, and the same out of the real sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from netwright.memory.records import Records
from netwright.memory.types import Trial, Verdict
from netwright.sandbox import Sandbox, open_sandbox
from netwright.tools.execution import Validator
from netwright.tools.pretraining.pipeline import packaged_corpus
from netwright.tools.protocols import protocol
from netwright.tools.rewards import Reward, RewardConfig, Rewarder, reward_of, summarise
from netwright.tools.skeletons import Skeleton, mask
from netwright.tools.stopping import Stopped
from netwright.tools.tasks import task_info
from netwright.tools.training import Evaluator, evaluation_image

OK = Verdict(ok=True, stage="backward")
TASK = task_info("digits").task
PROTOCOL = protocol("digits-1ep", train_limit=320)


def trial(metric: float | None, message: str | None = None) -> Trial:
    state = "failed" if metric is None else "complete"
    return Trial(candidate_id="x", task_id="t", protocol_hash="p", state=state, metric=metric, message=message)


def reward(verdict: Verdict, made: Trial | None, baseline: float | None = 0.4, **config: object) -> Reward:
    return reward_of("x", verdict, made, baseline, config=RewardConfig.model_validate(config))


@pytest.mark.parametrize("stage", ["extract", "parse", "contract", "build", "forward"])
def test_invalid_networks_have_minus_one(stage: str) -> None:
    found = reward(Verdict.model_validate({"ok": False, "stage": stage, "error_class": "E"}), None)
    assert (found.total, found.invalid, found.stage, found.valid) == (-1.0, -1.0, stage, False)


def test_each_stage_that_is_passed_adds_a_fifth() -> None:
    no_gradient = reward(Verdict(ok=False, stage="backward", error_class="RuntimeError"), None)
    assert no_gradient.total == pytest.approx(0.4)
    assert not no_gradient.valid
    not_trained = reward(OK, trial(None, "epoch 1: loss is not finite"))
    assert (not_trained.total, not_trained.stage) == (pytest.approx(0.4), "train")
    not_measured = reward(OK, trial(None, "test after epoch 1: outputs are not finite"))
    assert (not_measured.total, not_measured.stage) == (pytest.approx(0.6), "test")


def test_the_gain_is_what_is_above_the_baseline() -> None:
    assert reward(OK, trial(0.7)).total == pytest.approx(0.9)
    assert reward(OK, trial(0.3)).total == pytest.approx(0.6)
    assert reward(OK, trial(0.3), gain="signed").total == pytest.approx(0.5)
    assert reward(OK, trial(0.3), baseline=None).total == pytest.approx(0.9)
    parts = reward(OK, trial(0.7))
    assert parts.total == pytest.approx(parts.invalid + parts.build + parts.forward + parts.training + parts.gain)


def test_a_copy_of_the_original_has_no_reward_unless_it_may() -> None:
    def copied(**config: object) -> Reward:
        return reward_of("x", OK, trial(0.7), 0.4, config=RewardConfig.model_validate(config), copied=True)

    assert (copied().total, copied().copy_of_original) == (0.0, True)
    assert copied(copies=True).total == pytest.approx(0.9)


def test_summary_counts_parts_and_shares() -> None:
    invalid = reward(Verdict(ok=False, stage="build", error_class="E"), None)
    found = summarise([reward(OK, trial(0.8)), invalid])
    assert (found.reward, found.valid, found.accuracy) == (pytest.approx(0.0), 0.5, 0.8)
    assert (found.invalid, found.gain, found.distinct) == (-0.5, pytest.approx(0.2), 0.5)
    with pytest.raises(ValueError, match="no rewards"):
        summarise([])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox("bubblewrap", evaluation_image(["digits"])) as opened:
        yield opened


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return mask(next(p.source for p in packaged_corpus() if p.header.in_shape == (1, 8, 8) and p.style == "mlp"))


def rewarder(sandbox: Sandbox, records: Records, **options: object) -> Rewarder:
    made = {"workers": sandbox.workers, **options}
    return Rewarder(Validator(sandbox), Evaluator(sandbox), records, TASK, PROTOCOL, **made)  # type: ignore[arg-type]


def test_a_group_is_scored_in_the_sandbox_and_kept(sandbox: Sandbox, skeleton: Skeleton) -> None:
    broken = skeleton.original.replace("nn.Linear(", "nn.Linnear(")
    other = skeleton.original.replace("prm['lr']", "0.9 * prm['lr']")
    answers = [(skeleton, broken), (skeleton, skeleton.original), (skeleton, other), (skeleton, other)]
    with Records() as records:
        first = rewarder(sandbox, records).score(answers)
        assert [one.total for one in first[:2]] == [-1.0, 0.0]
        assert first[0].stage == "build"
        original = records.get_trial(skeleton.id, TASK.id, PROTOCOL.hash)
        assert original is not None
        assert first[2].baseline == original.metric
        assert first[2] == first[3]
        assert first[2].total == pytest.approx(0.6 + max(0.0, first[2].accuracy - original.metric))  # type: ignore[operator]
        stored = records.get_candidate(first[2].candidate_id)
        assert stored is not None
        assert (stored.origin, stored.parents) == ("rl-", (skeleton.id,))
        again = rewarder(sandbox, records).score(answers)
        assert all(one.cached for one in again)
        assert [one.total for one in again] == [one.total for one in first]


def test_a_number_as_baseline_needs_no_original(sandbox: Sandbox, skeleton: Skeleton) -> None:
    other = skeleton.original.replace("prm['lr']", "0.8 * prm['lr']")
    with Records() as records:
        found = rewarder(sandbox, records, config=RewardConfig(baseline=0.1, gain="signed")).score([(skeleton, other)])
        assert found[0].total == pytest.approx(0.5 + (found[0].accuracy or 0.0))
        assert records.get_trial(skeleton.id, TASK.id, PROTOCOL.hash) is None


def test_scoring_stops_when_asked(sandbox: Sandbox, skeleton: Skeleton) -> None:
    with Records() as records, pytest.raises(Stopped):
        rewarder(sandbox, records, stopping=lambda: True).score([(skeleton, skeleton.original)])


@pytest.mark.parametrize("baseline", [float("nan"), float("inf"), 40.0, -0.1])
def test_a_baseline_is_an_accuracy(baseline: float) -> None:
    with pytest.raises(ValueError, match="baseline"):
        RewardConfig(baseline=baseline)
