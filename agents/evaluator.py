"""The evaluator agent: decides what is new, has it trained, and admits what is good enough to the corpus."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ..memory.corpus import Corpus
from ..memory.novelty import CycleArchive, NoveltyIndex, NoveltyMode
from ..memory.records import Records, RecordsError
from ..memory.rows import Admission, Generation, Prediction
from ..memory.trial_records import FINISHED
from ..memory.types import Protocol, Task, Trial
from ..tools.dedup.graphs import Tracer
from ..tools.dedup.structures import structure_key, structure_of
from ..tools.logs import log_context
from ..tools.rungs import next_round, rungs_of
from ..tools.statistics import threshold_for_share
from ..tools.training import Evaluator

_log = logging.getLogger(__name__)


class EvaluatorAgent:
    """Novelty, trials and admissions of one campaign.

    Args:
        corpus: the initial corpus and what was admitted.
        corpus_index: its signatures; grows with what is admitted.
        threshold: least metric for admission; ``None``: cycle 1 sets it.
        threshold_share: the share of cycle 1's networks that may reach the threshold that it sets.
        admit_all: admit what is new whatever it reached (the ablation with no threshold).
        workers: trials that run at the same time.
        halving: train on the protocol's rungs first; without it every candidate is trained whole.
        novelty: by what a candidate must be new.
        limits_hash: under which its verdict, which tells its computation graph, is on record.
        tracer: of the corpus' programs that are near a candidate; without it these are compared by text alone.
    """

    def __init__(
        self,
        records: Records,
        evaluator: Evaluator,
        task: Task,
        protocol: Protocol,
        corpus: Corpus,
        corpus_index: NoveltyIndex,
        threshold: float | None,
        workers: int,
        halving: bool = True,
        novelty: NoveltyMode = "structural",
        limits_hash: str = "",
        tracer: Tracer | None = None,
        threshold_share: float = 0.0,
        admit_all: bool = False,
    ) -> None:
        self.records = records
        self.evaluator = evaluator
        self.task = task
        self.protocol = protocol
        self.corpus = corpus
        self.corpus_index = corpus_index
        self.threshold = threshold
        self.threshold_share = threshold_share
        self.admit_all = admit_all
        self.rungs = rungs_of(protocol) if halving else (protocol,)
        self.novelty = novelty
        self.limits_hash = limits_hash
        self.tracer = tracer
        self._remembered = ("", 0)
        # A trial is claimed only when a worker is free for it, so that "running" means running.
        self._room = threading.BoundedSemaphore(workers)

    def remember_admitted(self, run: str, before_cycle: int) -> None:
        """Put the networks admitted before a cycle into the corpus index; those already there stay once.

        A cycle that has ended admits nothing more, so what was put there before is not read again.
        """
        known = self._remembered[1] if self._remembered[0] == run else 0
        found = self.corpus.admitted(run, before_cycle - 1, after_cycle=min(known, before_cycle - 1))
        self._remembered = (run, before_cycle - 1)
        sources = {pair.candidate_id: pair.code for pair in found}
        structures = self._structures(sources)
        for key, source in sources.items():
            self.corpus_index.add(key, source, structures.get(key))

    def _structures(self, sources: dict[str, str]) -> dict[str, str | None]:
        """Structures of validated candidates, as their verdicts tell them."""
        verdicts = self.records.get_verdicts(sources, self.task.id, self.limits_hash)
        return {key: structure_of(verdicts.get(key), source) for key, source in sources.items()}

    def _corpus_structure(self, key: str, source: str) -> str | None:
        """The structure of a program of the initial corpus, which has no verdict."""
        return None if self.tracer is None else structure_key(self.tracer.trace(source).fingerprint, source)

    def judge_novelty(self, run: str, cycle: int) -> None:
        """Decide, in slot order, which valid candidates are new against the corpus and this cycle.

        Section 3 and appendix A.2 of *From Memorization to Creativity*, but before training, not after it.
        Decisions that stand are kept, so that a resumed run decides the rest as an undisturbed one would.
        """
        self.remember_admitted(run, cycle)
        valid = [g for g in self.records.generations(run, cycle) if g.valid_by != "none"]
        sources = self.records.get_candidates(g.candidate_id for g in valid if g.candidate_id)
        structures = self._structures({key: candidate.source for key, candidate in sources.items()})
        archive = CycleArchive(self.corpus_index, self.novelty, self._corpus_structure)
        if self.tracer is not None and self.novelty == "structural":
            undecided = (g.candidate_id for g in valid if g.novel is None)
            self.tracer.trace_ahead(
                text
                for key in undecided
                if key is not None
                for text in self.corpus_index.untraced(self.corpus_index.sketch(sources[key].source), structures[key])
            )
        decided: list[Generation] = []
        for generation in valid:
            assert generation.candidate_id is not None  # a valid generation has its candidate
            source, structure = sources[generation.candidate_id].source, structures[generation.candidate_id]
            if generation.novel is None:
                found = archive.decide(generation.candidate_id, source, structure)
                changes = {
                    "novel": found.novel,
                    "jaccard": found.jaccard,
                    "nearest": found.nearest,
                    "nearest_kind": found.kind,
                }
                decided.append(generation.model_copy(update=changes))
            elif generation.novel:
                archive.restore(generation.candidate_id, source, structure)
        self.records.update_generations(decided)
        new = [g.candidate_id for g in (*decided, *valid) if g.novel and g.candidate_id]
        self.records.queue_trials(dict.fromkeys(new), self.task.id, self.protocol.hash)

    def novel(self, run: str, cycle: int) -> list[Generation]:
        """Generations of a cycle that are valid and novel, by slot."""
        return [g for g in self.records.generations(run, cycle) if g.novel]

    def untrained_slots(self, run: str, cycle: int) -> list[int]:
        """Slots whose novel candidate is to be trained next: on the lowest rung that is not finished, or whole.

        Candidates that a finished rung stopped are written down as pruned first.
        """
        passed_over = self._passed_over(run)
        novel = [g for g in self.novel(run, cycle) if g.candidate_id not in passed_over]
        first = {g.candidate_id: g.slot for g in reversed(novel) if g.candidate_id}
        ids = sorted(first, key=first.__getitem__)
        due = next_round(ids, self.protocol, lambda rung: self.records.get_trials(ids, self.task.id, rung.hash))
        for trial in due.ended:
            if self.records.start_trial(trial.candidate_id, self.task.id, self.protocol.hash).state == "running":
                self._finish(trial)
        waiting = set(due.ids)
        return [g.slot for g in novel if g.candidate_id in waiting]

    def train(self, run: str, cycle: int, slot: int, stopping: Callable[[], bool] = lambda: False) -> Trial | None:
        """Train one slot's candidate, unless its trial is finished already; the finished trial.

        Args:
            stopping: asked when a worker is free; if true the trial is left waiting, and the answer is ``None``.
        """
        generation = self.records.get_generation(run, cycle, slot)
        if generation is None or generation.candidate_id is None:
            raise LookupError(f"run {run} has no candidate in cycle {cycle}, slot {slot}")
        with log_context(campaign=run, cycle=cycle, slot=slot):
            return self.train_candidate(generation.candidate_id, stopping)

    def train_candidate(self, candidate_id: str, stopping: Callable[[], bool] = lambda: False) -> Trial | None:
        """Train a candidate on record, unless its trial is finished already; the finished trial.

        Args:
            stopping: as in :meth:`train`.
        """
        candidate = self.records.get_candidate(candidate_id)
        if candidate is None:
            raise LookupError(f"no candidate {candidate_id} in the records")
        with self._room:
            if stopping():
                return None
            for rung in self.rungs:
                # The first that is not finished: a candidate comes here again only if it survived those before.
                self.records.add_protocol(rung)
                trial = self.records.start_trial(candidate.id, self.task.id, rung.hash)
                if trial.state == "running":
                    trained = self._finish(self.evaluator.train(candidate.source, self.task, rung))
                    about = {"stage": "train", "candidate": candidate.id}
                    _log.debug("training %s, metric %s", trained.state, trained.metric, extra=about)
                    return trained
            return trial

    def _finish(self, trial: Trial) -> Trial:
        """Store a trial's end. Where another campaign on the same records was faster, its end stands."""
        try:
            return self.records.finish_trial(trial)
        except RecordsError:
            stored = self.records.get_trial(trial.candidate_id, trial.task_id, trial.protocol_hash)
            if stored is None or stored.state not in FINISHED:
                raise
            return stored

    def threshold_of(self, run: str) -> float | None:
        """The campaign's threshold; ``None`` before cycle 1 has set it."""
        if self.threshold is not None:
            return self.threshold
        return next((c.threshold for c in self.records.cycles(run) if c.threshold is not None), None)

    def admit(self, run: str, cycle: int) -> int:
        """Admit the cycle's novel networks that reach the threshold; how many are admitted so far.

        Where cycle 1 is to set the threshold, it is fixed here, once, before anything is admitted. A cycle in which
        nothing has a score leaves that to the next.
        """
        passed_over = self._passed_over(run)
        novel = self.novel(run, cycle)
        trials = self._trials([g for g in novel if g.candidate_id not in passed_over])
        threshold = self.threshold_of(run)
        if threshold is None:
            metrics = [trial.metric for trial in trials.values() if trial.metric is not None]
            threshold = threshold_for_share(metrics, self.threshold_share)
            if metrics:
                self.records.update_cycle(run, cycle, threshold=threshold)
        ready = [trials[g.candidate_id] for g in novel if g.candidate_id in trials]
        self.records.put_admissions([self._decide(run, cycle, trial, threshold) for trial in ready])
        left = [passed_over[g.candidate_id] for g in novel if g.candidate_id in passed_over]
        self.records.put_admissions([_untrained(run, cycle, one) for one in left])
        return sum(a.admitted for a in self.records.admissions(run, cycle))

    def _decide(self, run: str, cycle: int, trial: Trial, threshold: float) -> Admission:
        if trial.state != "complete" or trial.metric is None:
            admitted = False
            reasons: tuple[str, ...] = (f"training {trial.state}: {trial.error_class}: {trial.message}",)
        else:
            above = trial.metric >= threshold
            admitted = above or self.admit_all
            relation = "reaches" if above else "is below"
            score = f"{self.task.metric} {trial.metric:.4f} {relation} the threshold {threshold:.4f}"
            reasons = ("keeps the contract", "novel", score) if admitted else (score,)
        return Admission(
            campaign_id=run,
            cycle=cycle,
            candidate_id=trial.candidate_id,
            admitted=admitted,
            reasons=reasons,
            metric=trial.metric,
        )

    def _passed_over(self, run: str) -> dict[str, Prediction]:
        """Predictions for which the campaign does not train a network, by candidate."""
        return {one.candidate_id: one for one in self.records.predictions(run) if not one.kept}

    def _trials(self, generations: list[Generation]) -> dict[str, Trial]:
        ids = [g.candidate_id for g in generations if g.candidate_id]
        return self.records.get_trials(ids, self.task.id, self.protocol.hash)


def _untrained(run: str, cycle: int, one: Prediction) -> Admission:
    """The decision on a network that was not trained because of what was predicted of it."""
    told = (
        f"not trained: predicted {one.metric:.4f} ({one.low:.4f} to {one.high:.4f}) from {one.learned_from} networks, "
        f"place {one.place} of {one.among}"
    )
    return Admission(
        campaign_id=run, cycle=cycle, candidate_id=one.candidate_id, admitted=False, reasons=(told,), metric=None
    )
