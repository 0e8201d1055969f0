"""Which pair is trained on when: batches of admitted and replayed pairs, drawn before the training starts.

The whole order is fixed by the pairs, the configuration and the seed, so that an interrupted tune is redone
from its inputs and ends in the same weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

Role = Literal["system", "user", "assistant"]
Weighting = Literal["uniform", "rank"]

# Linear ranking selection (Baker 1985): the best is drawn 1.8 times as often as the average, the worst .2.
RANK_PRESSURE = 1.8


class Message(BaseModel):
    """One turn of a prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    content: str


class TuningPair(BaseModel):
    """One prompt and the answer the model is to learn.

    Attributes:
        prompt: the turns before the answer; the last one is the user's.
        completion: the answer, for networks the source text in the form the model is to write it.
        score: metric of the network in [0, 1], higher is better; used by ``weight="rank"`` alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: tuple[Message, ...] = Field(min_length=1)
    completion: str = Field(min_length=1)
    score: float | None = None

    @classmethod
    def of(cls, header: str, completion: str, score: float | None = None) -> TuningPair:
        """A pair whose prompt is a single user turn, as the embedded completion model wants it."""
        return cls(prompt=(Message(role="user", content=header),), completion=completion, score=score)

    def row(self) -> dict[str, list[dict[str, str]]]:
        """The conversational prompt–completion row that TRL takes."""
        return {
            "prompt": [turn.model_dump() for turn in self.prompt],
            "completion": [{"role": "assistant", "content": self.completion}],
        }


def rank_weights(pairs: Sequence[TuningPair]) -> np.ndarray:
    """Probability of each pair, shape (n,), linear in the rank of its score; equal scores share a rank.

    Raises:
        ValueError: if a pair has no score.
    """
    unscored = [index for index, pair in enumerate(pairs) if pair.score is None]
    if unscored:
        raise ValueError(
            f"weight='rank' needs a score on every pair, but {len(unscored)} of {len(pairs)} have none "
            f"(the first is number {unscored[0]}); give them scores or use weight='uniform'"
        )
    scores = np.array([pair.score for pair in pairs], dtype=np.float64)
    if len(pairs) == 1:
        return np.ones(1)
    below = np.searchsorted(np.sort(scores), scores, side="left")
    up_to = np.searchsorted(np.sort(scores), scores, side="right")
    rank = (below + up_to - 1) / 2  # 0 is the worst, n-1 the best
    weights = (2 - RANK_PRESSURE) + 2 * (RANK_PRESSURE - 1) * rank / (len(pairs) - 1)
    return np.asarray(weights / weights.sum())


def plan_batches(
    pairs: Sequence[TuningPair],
    replay_pairs: Sequence[TuningPair],
    *,
    steps: int,
    batch: int,
    replay: int,
    weight: Weighting,
    seed: int,
) -> list[TuningPair]:
    """The pairs in training order, ``steps * batch`` of them.

    Every batch holds ``batch - replay`` pairs of ``pairs`` and ``replay`` of ``replay_pairs``, the longest
    first: a step sees the batch as a whole, but its forward passes take neighbours, which then need little
    padding. Uniform draws run through a fresh permutation each time the last one is used up, so every pair is
    seen equally often; rank draws follow :func:`rank_weights`. Without replay pairs a batch is all new ones.

    Raises:
        ValueError: if there are no pairs, or the replay leaves no room for them.
    """
    if not pairs:
        raise ValueError("nothing to tune on: no pairs were given; admit at least one network first")
    if replay >= batch:
        raise ValueError(f"a batch of {batch} with {replay} replayed pairs has no room for admitted ones")
    rng = np.random.default_rng(seed)
    replayed = replay if replay_pairs else 0
    fresh = _draws(len(pairs), batch - replayed, rank_weights(pairs) if weight == "rank" else None, rng)
    old = _draws(len(replay_pairs), replayed, None, rng)
    order: list[TuningPair] = []
    for _ in range(steps):
        members = [pairs[i] for i in next(fresh)] + [replay_pairs[i] for i in next(old)]
        order.extend(sorted(members, key=lambda pair: len(pair.completion), reverse=True))
    return order


def _draws(population: int, size: int, weights: np.ndarray | None, rng: np.random.Generator) -> Iterator[list[int]]:
    """Endless draws of ``size`` indices below ``population``."""
    queue: list[int] = []
    while True:
        if size == 0:
            yield []
        elif weights is not None:
            yield rng.choice(population, size=size, replace=size > population, p=weights).tolist()
        else:
            while len(queue) < size:
                queue.extend(rng.permutation(population).tolist())
            taken, queue = queue[:size], queue[size:]
            yield taken
