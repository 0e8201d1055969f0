"""Successive halving: cheap trainings first, the whole one only for those that did best in them.

Each rung is a protocol of its own, with a hash of its own, so that a trial on few samples is never taken for one
under the whole protocol. Decisions are made when a whole round has ended, in the order of the candidates: the same
trials give the same survivors, whatever ended first.

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..memory.trial_records import FINISHED
from ..memory.types import Protocol, Trial

KEPT = 1 / 3
"""Share of a rung that goes on: the reciprocal of the usual eta = 3 (Li et al., "Hyperband", 2018, section 3.6)."""


@dataclass(frozen=True)
class Round:
    """What is to be done next.

    Attributes:
        protocol: under which to train.
        ids: candidates without a finished trial under it, in their order.
        ended: candidates that go no further: their end under the whole protocol, without a score.
    """

    protocol: Protocol
    ids: tuple[str, ...]
    ended: tuple[Trial, ...]


def rungs_of(protocol: Protocol) -> tuple[Protocol, ...]:
    """The protocols of a training in rungs, the whole one last; without rungs that one alone.

    A rung's time limit is the share of the whole that its samples are of the next rung's, but never less than a
    fifth: building and testing take their time on few samples too.
    """
    cheap = []
    for number, samples in enumerate(protocol.rungs):
        above = protocol.rungs[number + 1] if number + 1 < len(protocol.rungs) else 3 * samples
        share = max(0.2, samples / above)
        fields = {
            "name": f"{protocol.name}@{samples}",
            "train_limit": samples,
            "rungs": (),
            "time_limit_s": share * protocol.time_limit_s,
        }
        cheap.append(protocol.model_copy(update=fields))
    return (*cheap, protocol)


def survivors(ids: Sequence[str], trials: Mapping[str, Trial]) -> list[str]:
    """The best third of a rung's complete trials, at least one, in the order of ``ids``; of equals the first."""
    complete = [key for key in ids if key in trials and trials[key].state == "complete"]
    best = sorted(complete, key=lambda key: -(trials[key].metric or 0.0))
    kept = set(best[: max(1, math.ceil(KEPT * len(complete)))])
    return [key for key in complete if key in kept]


def next_round(ids: Sequence[str], protocol: Protocol, trials_of: Callable[[Protocol], Mapping[str, Trial]]) -> Round:
    """The round that the trials on record say is due.

    Args:
        ids: candidates, each once, in their order.
        protocol: the whole one; it names the rungs.
        trials_of: trials of these candidates under a protocol, by candidate.
    """
    left = list(dict.fromkeys(ids))
    ended: list[Trial] = []
    for rung in rungs_of(protocol):
        trials = trials_of(rung)
        waiting = tuple(key for key in left if key not in trials or trials[key].state not in FINISHED)
        if waiting or rung is protocol:
            return Round(rung, waiting, tuple(ended))
        kept = survivors(left, trials)
        ended += [_end(trials[key], rung, protocol, len(left)) for key in left if key not in kept]
        left = kept
    raise AssertionError("the last rung is the whole protocol")


def _end(trial: Trial, rung: Protocol, protocol: Protocol, competitors: int) -> Trial:
    """The end under the whole protocol of a candidate that a rung stopped: failed as it failed there, or pruned."""
    spent = {"protocol_hash": protocol.hash, "metric": None, "epochs": ()}
    if trial.state == "failed":
        return trial.model_copy(update=spent)
    told = f"{trial.metric:.4f} after {rung.train_limit:,} samples is not among the best third of {competitors}"
    return trial.model_copy(update=spent | {"state": "pruned", "error_class": "Pruned", "message": told})
