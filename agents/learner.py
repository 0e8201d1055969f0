"""The learner: tunes the language model on what was admitted, one adapter per cycle."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..memory.adapters import AdapterStore
from ..memory.corpus import Corpus, Pair
from ..memory.records import Records
from ..memory.rows import Adapter
from ..memory.types import Request
from ..tools.finetuning import Message, TuneConfig, TuneProgress, TuneReport, TuningPair, tune
from ..tools.generators.headers import Header, bucket_of
from ..tools.grpo_config import GrpoReport
from .collapse import CollapseGuard
from .models.batched import Style
from .models.config import SMOLLM2
from .models.factory import ChatModelHandle
from .prompting import Prompt, chat_prompt, header_of
from .reinforcer import Reinforcer
from .seeds import derive_seed

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}
_KEPT_OF_GRPO = {"tasks", "networks", "tokens", "reward_first", "reward_last", "valid_first", "valid_last", "seconds"}
_KEPT = {"steps", "pairs", "replay_pairs", "loss_first", "loss_last", "tokens", "seconds"}


def tuning_defaults(name: str, style: Style) -> TuneConfig:
    """How a model is tuned when the configuration does not say: small ones on the CPU, others as in the paper."""
    if style == "completion":
        return TuneConfig.embedded()
    return TuneConfig.smollm2() if name == SMOLLM2 else TuneConfig.paper_7b()


class Learner:
    """Turns admitted networks into prompt–code pairs and tunes an adapter on all of them.

    Args:
        replay: pairs of the initial corpus, mixed in against forgetting.
        initial_adapter: adapter that the first cycle samples from and tuning starts with; none: the base model.
        enabled: ``False`` is the no-iteration ablation: the corpus grows, the model stays as it is.
        guard: takes an adapter back whose cycle collapsed; without it every adapter stays.
        least_pairs: of a tune; the best networks below the threshold make up what is missing.
        least_share: of all networks trained so far, the share that a tune has at least, made up in the same way.
        from_base: each tune begins with the initial adapter or the base model, not with the last cycle's adapter.
        most_pairs: of a tune; the best of each prompt in turn. A growing corpus then raises what is learned from.
        reinforcer: trains by GRPO in the cycles where ``improvement`` names it.
        improvement: what a cycle does, in order: ``sft``, ``grpo`` or both.
        stopping: asked after each step of a tune whether to stop.
    """

    def __init__(
        self,
        model: ChatModelHandle,
        records: Records,
        adapters: AdapterStore,
        corpus: Corpus,
        request: Request,
        replay: Sequence[TuningPair],
        config: TuneConfig,
        *,
        seed: int,
        limits_hash: str,
        enabled: bool = True,
        initial_adapter: Path | None = None,
        progress: Callable[[TuneProgress], None] | None = None,
        guard: CollapseGuard | None = None,
        least_pairs: int = 0,
        least_share: float = 0.0,
        from_base: bool = False,
        most_pairs: int | None = None,
        reinforcer: Reinforcer | None = None,
        improvement: Callable[[int], Sequence[str]] = lambda cycle: ("sft",),
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.model = model
        self.records = records
        self.adapters = adapters
        self.corpus = corpus
        self.request = request
        self.replay = replay
        self.config = config
        self.seed = seed
        self.limits_hash = limits_hash
        self.enabled = enabled
        self.initial_adapter = initial_adapter
        self.progress = progress
        self.guard = guard
        self.least_pairs = least_pairs
        self.least_share = least_share
        self.from_base = from_base
        self.most_pairs = most_pairs
        self.reinforcer = reinforcer
        self.improvement = improvement
        self.stopping = stopping

    def newest(self) -> Path | None:
        """Folder of the campaign's newest active adapter; the initial one, if any, before the first tune."""
        adapter = self.adapters.latest()
        return Path(adapter.path) if adapter else self.initial_adapter

    def put_on(self, adapter: Path | None) -> None:
        """Put an adapter on the model, or take it off, for models that take any."""
        if self.model.tunable:
            self.model.use_adapter(adapter)

    def pairs(self, run: str, up_to_cycle: int) -> list[TuningPair]:
        """Prompt–code pairs to tune on: what was admitted so far that the model can learn, in the order of admission.

        While they are fewer than ``least_pairs`` or ``least_share``, the best of what was not admitted fills up. Of
        more than ``most_pairs`` the best are taken, in turn from those of each prompt, so that none is crowded out.
        """
        admitted = self._admitted(run, up_to_cycle)
        others = [pair for pair in self.corpus.runners_up(run, up_to_cycle) if not self._beyond(pair)]
        least = max(self.least_pairs, math.ceil(self.least_share * (len(admitted) + len(others))))
        admitted += others[: max(0, least - len(admitted))]
        if self.most_pairs is not None and len(admitted) > self.most_pairs:
            admitted = _best_of_each(admitted, self.most_pairs)
        return self._as_tuned_on(admitted)

    def _admitted(self, run: str, up_to_cycle: int) -> list[Pair]:
        return [pair for pair in self.corpus.admitted(run, up_to_cycle) if not self._beyond(pair)]

    def _as_tuned_on(self, admitted: Sequence[Pair]) -> list[TuningPair]:
        verdicts = self.records.get_verdicts(
            (pair.candidate_id for pair in admitted), self.request.task.id, self.limits_hash
        )
        params = {key: verdict.params for key, verdict in verdicts.items()}
        return [
            TuningPair(
                prompt=self._prompt(pair, params.get(pair.candidate_id)), completion=pair.code, score=pair.metric
            )
            for pair in admitted
        ]

    def tune(self, run: str, cycle: int) -> Adapter | None:
        """Tune on the corpus after ``cycle``; its adapter, or ``None`` when there is nothing to learn from.

        An adapter that is recorded already is not tuned again; an interrupted tune goes on from its newest
        checkpoint, and so ends in the same weights. If what the cycle wrote is a collapse, the adapter that
        wrote it is taken back first, and tuning goes on from the one before.

        Raises:
            Stopped: it was asked to stop. The tune goes on from its checkpoint later; a reinforcement starts over, with
                what it scored on record.
        """
        if not self.enabled or self.model.base_folder is None:
            return None
        stored = self.adapters.find(cycle)
        if stored is not None:
            return stored
        collapse = self._take_back(run, cycle)
        pairs = self.pairs(run, cycle)
        steps = [step for step in self.improvement(cycle) if pairs or step == "grpo"]
        if not steps:
            return None
        self.model.make_room()
        parent = self.adapters.latest()
        start = Path(parent.path) if parent and not self.from_base else self.initial_adapter
        metrics: dict[str, Any] = {"pairs": len(pairs)}
        went_on = parent.cycle if parent and not self.from_base else None
        improve = partial(self._improve, run=run, cycle=cycle, pairs=pairs)
        for step in steps[:-1]:
            known = self.adapters.staged(
                cycle,
                f"{step}-from-{went_on or 0:03d}",
                partial(improve, step, start),
            )
            metrics |= _metrics_in(known)
            start = known
        folder = self.adapters.begin(cycle)
        improve(steps[-1], start, folder)
        metrics |= _metrics_in(folder)
        if "grpo" in metrics:
            written = metrics["grpo"]["tokens"]
            self.records.spend(run, f"{cycle}/grpo", agent="reinforcer", model=self.model.name, tokens_out=written)
        metrics |= {"left_out": self._left_out(run, cycle), "collapse": collapse}
        return self.adapters.commit(cycle, parent=went_on, metrics=metrics)

    def _improve(
        self, step: str, start: Path | None, folder: Path, *, run: str, cycle: int, pairs: list[TuningPair]
    ) -> None:
        """Train an adapter into an empty folder, by one way of training, from the adapter ``start``."""
        assert self.model.base_folder is not None
        if step == "grpo":
            assert self.reinforcer is not None, "the improvement of a cycle names grpo, but there is no reinforcer"
            # Its skeletons are of what was admitted: what fills up a tune would come first there.
            newest = self._as_tuned_on(self._admitted(run, cycle))
            self.reinforcer.train(newest, self.replay, cycle, folder, start)
            return
        tune(
            self.model.base_folder,
            pairs,
            self.replay,
            folder,
            config=self.config,
            seed=derive_seed(self.seed, "tune", cycle),
            start_adapter=start,
            progress=self.progress,
            stopping=self.stopping,
            checkpoints=self.adapters.at_work(cycle, step),
        )

    def _take_back(self, run: str, cycle: int) -> str | None:
        """Roll back the adapter that wrote a cycle if the cycle collapsed; why, or ``None``."""
        wrote = next(c for c in self.records.cycles(run) if c.n == cycle).adapter
        reason = self.guard.collapsed(self.records, run, cycle) if self.guard and wrote else None
        latest = self.adapters.latest()
        # Only if it is still there: a tune that was interrupted after the roll-back comes here again.
        if reason and latest is not None and latest.path == wrote:
            self.adapters.rollback(latest.cycle - 1)
        return reason

    def _left_out(self, run: str, up_to_cycle: int) -> int:
        return sum(self._beyond(pair) for pair in self.corpus.admitted(run, up_to_cycle))

    def _beyond(self, pair: Pair) -> bool:
        """A completion model has no prompt for a graft, and a mined block is longer than its context."""
        return pair.grafted and self.model.style == "completion"

    def _prompt(self, pair: Pair, params: int | None) -> tuple[Message, ...]:
        if self.model.style == "completion":
            header = Header.parse(header_of(pair.prompt))
            # The label says what the program is, not what was asked for: the model must not learn to miss.
            if params is not None and header.bucket != "any":
                header = dataclasses.replace(header, bucket=bucket_of(params))
            return (Message(role="user", content=header.render()),)
        return tuning_turns(chat_prompt(self.request))


def _metrics_in(folder: Path) -> dict[str, Any]:
    """What the record of an adapter keeps of the reports that its training left beside it."""
    kept: dict[str, Any] = {}
    if (folder / "tune.json").is_file():
        kept |= TuneReport.model_validate_json((folder / "tune.json").read_bytes()).model_dump(
            mode="json", include=_KEPT
        )
    if (folder / "grpo.json").is_file():
        report = GrpoReport.model_validate_json((folder / "grpo.json").read_bytes())
        kept["grpo"] = report.model_dump(mode="json", include=_KEPT_OF_GRPO) | {"steps": len(report.steps)}
    return kept


def _best_of_each(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """The best of each prompt, then the second best of each, up to ``count``; in the order in which they came."""
    ranked = sorted(pairs, key=lambda pair: -(pair.metric or 0.0))  # stable
    seen: Counter[str] = Counter()
    places: dict[str, int] = {}
    for pair in ranked:
        places[pair.candidate_id] = seen[pair.prompt]
        seen[pair.prompt] += 1
    chosen = {pair.candidate_id for pair in sorted(ranked, key=lambda pair: places[pair.candidate_id])[:count]}
    return [pair for pair in pairs if pair.candidate_id in chosen]


def tuning_turns(prompt: Prompt) -> tuple[Message, ...]:
    """A prompt as the turns before the answer in a tuning pair."""
    return tuple(Message.model_validate({"role": _ROLES[m.type], "content": m.text}) for m in prompt.messages)
