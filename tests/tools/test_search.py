"""Hyperparameter search: same seed, same points; what is on record is not trained again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.memory.records import Records
from netwright.memory.types import Protocol, Task, Trial, candidate_id
from netwright.sandbox import Sandbox, open_sandbox
from netwright.tools.protocols import protocol
from netwright.tools.result_cache import find_result, train_once
from netwright.tools.search import SearchError, SearchResult, SearchRow, search, supported_names
from netwright.tools.search_space import Space
from netwright.tools.tasks import task, task_info
from netwright.tools.training import Evaluator, evaluation_image

NET = (Path(__file__).parents[2] / "examples" / "small_net.py").read_text(encoding="utf-8")
DROPS = NET.replace('{"lr", "momentum"}', '{"lr", "momentum", "dropout"}')
DIGITS = task("digits")
BASE = protocol("digits-1ep")


class Counting(Evaluator):
    """The evaluator, and how often it was asked."""

    trained = 0

    def train(self, source: str, task: Task, protocol: Protocol) -> Trial:
        self.trained += 1
        return super().train(source, task, protocol)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(tmp_path_factory.mktemp("home")))
        image = evaluation_image(["digits"], transforms=["normalise", "norm_16_flip"])
        with open_sandbox("bubblewrap", image, workers=2) as opened:
            yield opened


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        yield opened


def points(result: SearchResult) -> list[tuple[object, ...]]:
    return [(row.number, row.protocol.hash, row.trial.state, row.trial.metric) for row in result.rows]


def test_supported_names_are_asked_in_the_sandbox(sandbox: Sandbox, tmp_path: Path) -> None:
    assert supported_names(sandbox, DROPS) == {"dropout": 0.2, "lr": 0.2, "momentum": 0.2}
    touched = tmp_path / "touched"
    hostile = DROPS + f"\ntry:\n    open({str(touched)!r}, 'w')\nexcept OSError:\n    pass\n"
    assert "dropout" in supported_names(sandbox, hostile)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "EmptySource"),
        ("x = 1", "no class Net"),
        (NET + "\nraise ValueError('at import')", "ValueError: at import"),
        (NET + "\nimport os; os._exit(3)", "asked for"),
        (NET + "\ndef supported_hyperparameters(): return 7", "expected a set of names"),
        (NET + "\ndef supported_hyperparameters(): return {str(n) for n in range(1000)}", "at most 64"),
        (NET + "\ndef supported_hyperparameters(): return {'a\\x1b[31m'}", "no name that can be printed"),
        (NET + "\ndef supported_hyperparameters(): return {'x' * 5000}", "no name that can be printed"),
    ],
)
def test_networks_that_do_not_say_what_they_support(sandbox: Sandbox, source: str, why: str) -> None:
    with pytest.raises(SearchError) as caught:
        supported_names(sandbox, source)
    assert why in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_the_space_is_lemurs() -> None:
    import optuna

    space = Space.of(BASE, {"lr": 0.2, "dropout": 0.2, "pretrained": 0.0, "width": 0.2}, task_info("digits"))
    assert space.batches == (8, 16, 32, 64)
    assert Space.of(protocol("lemur-1ep"), {}, task_info("cifar10")).batches == tuple(2**n for n in range(3, 12))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    made = [space.suggest(study.ask()) for _ in range(60)]
    assert made[0] == BASE
    assert all(1e-5 <= p.lr <= 1 and p.batch in space.batches for p in made)
    assert {p.momentum for p in made} == {BASE.momentum}  # not supported, so not chosen
    assert {p.transform for p in made} == {"normalise"}
    assert all(set(p.prm) == {"dropout", "width"} for p in made[1:])  # no weights are ever downloaded
    assert max(p.prm["dropout"] for p in made[1:]) <= 0.5 < max(p.prm["width"] for p in made[1:]) <= 1
    assert min(p.lr for p in made) < 1e-3 < 0.1 < max(p.lr for p in made)


@pytest.fixture(scope="module")
def whole(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    """A search of twelve points that nothing disturbed."""
    with Records(f"sqlite:///{tmp_path_factory.mktemp('whole') / 'records.db'}") as opened:
        names = supported_names(sandbox, DROPS)
        return search(Evaluator(sandbox), opened, DROPS, names, DIGITS, BASE, 12, 3, ["norm_16_flip"])


def test_each_point_is_a_trial_on_record(sandbox: Sandbox, records: Records) -> None:
    seen: list[SearchRow] = []
    names = supported_names(sandbox, NET)
    result = search(Evaluator(sandbox), records, NET, names, DIGITS, BASE, 9, 3, on_trial=seen.append)
    assert [row.number for row in seen] == list(range(9))
    assert tuple(seen) == result.rows
    assert result.rows[0].protocol == BASE
    assert len({row.protocol.hash for row in result.rows}) == 9
    for row in result.rows:
        assert records.get_protocol(row.protocol.hash) == row.protocol
        assert records.get_trial(candidate_id(NET), DIGITS.id, row.protocol.hash) == row.trial
        first = records.get_protocol(row.first.protocol_hash)
        assert first is not None
        assert first.train_limit == 479
        assert row.first.state == "complete"
    states = [row.trial.state for row in result.rows]
    assert states[:4] == ["complete"] * 4  # the median of fewer is chance
    pruned = [row for row in result.rows if row.trial.state == "pruned"]
    assert pruned
    assert all(row.trial.metric is None and "below the median" in str(row.trial.message) for row in pruned)
    complete = [row.trial.metric for row in result.rows if row.trial.metric is not None]
    assert result.best is not None
    assert result.best.trial.metric == max(complete) == result.ranking[0].trial.metric
    assert [row.trial.metric for row in result.ranking[: len(complete)]] == sorted(complete, reverse=True)
    # The best of a search is what an evaluation under its protocol gives.
    alone = Evaluator(sandbox).train(NET, DIGITS, result.best.protocol)
    assert alone.metric == result.best.trial.metric


def test_a_search_that_was_killed_goes_on(sandbox: Sandbox, records: Records, whole: SearchResult) -> None:
    names = supported_names(sandbox, DROPS)

    def ask(evaluator: Evaluator, n: int, **more: object) -> SearchResult:
        return search(evaluator, records, DROPS, names, DIGITS, BASE, n, 3, ["norm_16_flip"], **more)

    def kill(row: SearchRow) -> None:
        if row.number == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(Counting(sandbox), 12, on_trial=kill)
    resumed = Counting(sandbox)
    result = ask(resumed, 12)
    assert points(result) == points(whole)
    assert [row.cached for row in result.rows] == [True] * 8 + [False] * 4  # two rounds of four had ended
    fresh = sum(1 + (row.trial.state != "pruned") for row in result.rows[8:] if row.first.state == "complete")
    assert resumed.trained == fresh
    again = Counting(sandbox)
    assert points(ask(again, 12)) == points(whole)
    assert again.trained == 0
    assert {row.protocol.transform for row in whole.rows} == {"normalise", "norm_16_flip"}
    assert all("dropout" in row.prm for row in whole.rows[1:])


def test_another_seed_proposes_other_points(sandbox: Sandbox, records: Records, whole: SearchResult) -> None:
    names = supported_names(sandbox, DROPS)
    other = search(Evaluator(sandbox), records, DROPS, names, DIGITS, BASE, 4, 4, ["norm_16_flip"])
    assert other.rows[0].protocol == whole.rows[0].protocol
    assert {row.protocol.hash for row in other.rows[1:]}.isdisjoint(row.protocol.hash for row in whole.rows)


def test_a_network_whose_trainings_fail_has_no_best(sandbox: Sandbox, records: Records) -> None:
    bad = NET.replace("def learn(self, train_data):", "def learn(self, train_data):\n        raise RuntimeError('no')")
    assert bad != NET
    result = search(Evaluator(sandbox), records, bad, {"lr": 0.2}, DIGITS, BASE, 3, 0)
    assert result.best is None
    assert [row.trial.state for row in result.rows] == ["failed"] * 3
    assert all(row.trial.metric is None for row in result.rows)


def test_a_search_needs_a_trial(sandbox: Sandbox, records: Records) -> None:
    with pytest.raises(ValueError, match="at least one trial"):
        search(Evaluator(sandbox), records, NET, {}, DIGITS, BASE, 0, 0)
    with pytest.raises(ValueError, match="rungs must be smaller"):
        search(Evaluator(sandbox), records, NET, {}, DIGITS, protocol("lemur-rungs"), 1, 0)


def test_results_are_found_by_the_normalised_source(sandbox: Sandbox, records: Records) -> None:
    evaluator = Counting(sandbox)
    assert find_result(records, NET, DIGITS, BASE) is None
    first = train_once(evaluator, records, NET, DIGITS, BASE)
    other_layout = NET.replace("    ", "  ").replace("\n\n", "\n\n\n")
    second = train_once(evaluator, records, other_layout, DIGITS, BASE)
    assert (first.cached, second.cached, evaluator.trained) == (False, True, 1)
    assert first.trial == second.trial == find_result(records, other_layout, DIGITS, BASE)
    assert find_result(records, NET, DIGITS, protocol("digits-1ep", seed=1)) is None


def test_a_training_that_was_left_is_begun_anew(sandbox: Sandbox, records: Records) -> None:
    class Dies(Evaluator):
        def train(self, source: str, task: Task, protocol: Protocol) -> Trial:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_once(Dies(sandbox), records, NET, DIGITS, BASE)
    assert find_result(records, NET, DIGITS, BASE) is None
    result = train_once(Evaluator(sandbox), records, NET, DIGITS, BASE)
    assert (result.trial.state, result.cached) == ("complete", False)
    assert records.trial_attempts(candidate_id(NET), DIGITS.id, BASE.hash) == 2
