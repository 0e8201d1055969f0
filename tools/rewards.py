"""Scoring networks that filled in masked skeletons: in the sandbox, side by side, each distinct one once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..memory.records import Records
from ..memory.types import Candidate, Protocol, RequestLimits, Task, Trial, Verdict, candidate_id
from .execution import Validator
from .result_cache import find_result, train_once
from .reward_parts import Reward, RewardConfig, RewardSummary, reward_of, summarise
from .stopping import Stopped
from .training import Evaluator

if TYPE_CHECKING:
    from .skeletons import Skeleton

__all__ = ["Reward", "RewardConfig", "RewardSummary", "Rewarder", "reward_of", "summarise"]


class Rewarder:
    """Scores networks in the sandbox, as many at a time as it has workers, each distinct one once.

    Verdicts and trials go into the records, so that nothing is run twice, by a redone training neither.

    Args:
        protocol: the "mini-epoch" that networks are trained for.
        seen: the task with images as the protocol's transform makes them; as they are when left out.
        limits: of the request; a network outside of them is invalid.
        limits_hash: under which verdicts are on record.
        stopping: asked before each network; if true, :class:`Stopped` ends the scoring.
    """

    def __init__(
        self,
        validator: Validator,
        evaluator: Evaluator,
        records: Records,
        task: Task,
        protocol: Protocol,
        *,
        workers: int,
        config: RewardConfig | None = None,
        seen: Task | None = None,
        limits: RequestLimits | None = None,
        limits_hash: str = "",
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.validator = validator
        self.evaluator = evaluator
        self.records = records
        self.task = task
        self.protocol = protocol
        self.workers = workers
        self.config = config or RewardConfig()
        self.seen = seen or task
        self.limits = limits
        self.limits_hash = limits_hash
        self.stopping = stopping
        records.add_task(task)
        records.add_protocol(protocol)

    def score(self, answers: Sequence[tuple[Skeleton, str]]) -> list[Reward]:
        """Rewards of ``(skeleton, source)`` pairs, in order. Networks of origin ``rl-`` go into the records."""
        originals = {skeleton.id: skeleton.original for skeleton, _ in answers}
        if self.config.baseline != "original":
            originals = {}
        sources = {candidate_id(source): (source, skeleton.id) for skeleton, source in reversed(answers)}
        # One of a campaign is on record with its own origin, which stays.
        self.records.add_candidates(Candidate(source=source, origin="hand-") for source in originals.values())
        self.records.add_candidates(
            Candidate(source=source, origin="rl-", parents=(parent,) if parent != key and parent in originals else ())
            for key, (source, parent) in sources.items()
        )
        wanted = {key: source for key, (source, _) in sources.items()} | originals
        with ThreadPoolExecutor(max_workers=max(1, self.workers)) as pool:
            try:
                results = dict(zip(wanted, pool.map(self._measure, wanted.values()), strict=True))
            except BaseException:
                pool.shutdown(cancel_futures=True)  # Ctrl-C must not wait for what has not begun
                raise
        return [self._reward(skeleton, candidate_id(source), results) for skeleton, source in answers]

    def _reward(self, skeleton: Skeleton, key: str, results: dict[str, tuple[Verdict, Trial | None, bool]]) -> Reward:
        verdict, trial, cached = results[key]
        base = self.config.baseline
        if base == "original":
            original = results[skeleton.id][1]
            baseline = original.metric if original is not None else None
        else:
            baseline = float(base)
        copied = key == skeleton.id
        return reward_of(key, verdict, trial, baseline, config=self.config, copied=copied, cached=cached)

    def _measure(self, source: str) -> tuple[Verdict, Trial | None, bool]:
        """Verdict and trial of one network, from the records where they are there."""
        if self.stopping():
            raise Stopped("asked to stop while networks were being scored")
        key = candidate_id(source)
        verdict = self.records.get_verdict(key, self.task.id, self.limits_hash)
        cached = verdict is not None
        if verdict is None:
            verdict = self.validator.validate(source, self.seen, self.limits)
            self.records.put_verdict(key, self.task.id, verdict, self.limits_hash)
        if not verdict.ok:
            return verdict, None, cached
        known = find_result(self.records, source, self.task, self.protocol)
        if known is not None:
            return verdict, known, cached
        return verdict, train_once(self.evaluator, self.records, source, self.task, self.protocol).trial, False
