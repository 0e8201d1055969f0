"""The predictor agent: ranks what is new by what it will probably reach, and leaves the last of it untrained."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..memory.records import Records
from ..memory.rows import Prediction
from ..memory.types import Protocol, Task
from .seeds import derive_seed


class PredictorAgent:
    """Decides before training which of a cycle's new networks are trained.

    A decision is made once, from what ended before the campaign began and from the campaign's own earlier rounds, and
    is on record before it has any effect: a run that goes on decides as an undisturbed one does. It is the campaign's
    own: the trial stays waiting, and another campaign may train the same network.

    Args:
        seed: of the campaign.
        keep: share of each round that is trained, at least one network.
        least: complete trials from which it may learn; with fewer everything is trained.
    """

    def __init__(self, records: Records, task: Task, protocol: Protocol, *, seed: int, keep: float, least: int) -> None:
        self.records = records
        self.task = task
        self.protocol = protocol
        self.seed = seed
        self.keep = keep
        self.least = least

    def decide(self, run: str, cycle: int, ids: Sequence[str]) -> None:
        """Predict those of ``ids`` that nothing was decided on yet: the last among them are passed over for good.

        Args:
            ids: new candidates of the cycle, in the order of their slots.
        """
        before = self.records.predictions(run)
        decided = {one.candidate_id for one in before if one.cycle == cycle or not one.kept}
        open_ones = [key for key in dict.fromkeys(ids) if key not in decided]
        if open_ones:
            self.records.put_predictions(self._predictions(run, cycle, open_ones))

    def _predictions(self, run: str, cycle: int, ids: Sequence[str]) -> list[Prediction]:
        """One for each whose end is not known yet, or none while too little is known.

        Equal ones stand in the order of their slots.
        """
        # Here, because it imports scikit-learn, which a campaign without predictions does not need.
        from ..tools.prediction.examples import asked_examples, known_examples
        from ..tools.prediction.model import PredictionError, Predictor

        own = self.records.admissions(run)
        begun = self.records.get_campaign(run).created
        # Not of what others train meanwhile: neither what it learns nor what it ranks may depend on that.
        trained = {one.candidate_id for one in own if one.metric is not None}
        known = known_examples(self.records, self.task, self.protocol, before=begun, also=trained)
        settled = {one.candidate_id for one in own} | {one.key for one in known}
        ids = [key for key in ids if key not in settled]
        if not ids or len(known) < self.least:
            return []
        try:
            predictor = Predictor(known, derive_seed(self.seed, "predict", cycle))
        except PredictionError:
            return []  # all of one family: as good as nothing known
        asked = asked_examples(self.records, ids, self.task, self.protocol)
        told = dict(zip(ids, predictor.predict(asked), strict=True))
        ranked = sorted(ids, key=lambda key: -told[key].metric)
        kept = max(1, math.ceil(round(self.keep * len(ids), 9)))  # 0.55 of 20 is 11, not 11.000000000000002
        return [
            Prediction(
                campaign_id=run,
                cycle=cycle,
                candidate_id=key,
                predictor=predictor.identity,
                learned_from=predictor.learned_from,
                **told[key]._asdict(),
                place=place,
                among=len(ids),
                kept=place <= kept,
            )
            for place, key in enumerate(ranked, start=1)
        ]
