"""What a pretrained model is worth: valid, distinct and new programs on held-out headers."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import binomtest

from ...memory.shingles import shingles
from ...memory.types import Task, Verdict, candidate_id
from ..generators.headers import Header, bucket_of
from ..generators.programs import Program
from ..generators.wishes import held_out_headers
from ..sampling import Completion, LanguageModel
from .tokenizer import conversation

SAMPLES = 200
TEMPERATURE = 0.8
MAX_NEW_TOKENS = 900
NEAR_COPY = 0.9
"""Jaccard similarity of token 10-gram shingles from which a program counts as a near copy (the novelty
threshold of *From Memorization to Creativity*)."""

Validate = Callable[[Sequence[str], Sequence[Task]], Sequence[Verdict]]
"""Verdicts on sources, each for its own task, in order."""


class Share(BaseModel):
    """A count out of a total with its 95 % Wilson interval."""

    model_config = ConfigDict(frozen=True)

    count: int
    total: int
    share: float
    low: float
    high: float

    @classmethod
    def of(cls, count: int, total: int) -> Share:
        """Share of ``count`` in ``total``; an empty total has the whole unit interval."""
        if total == 0:
            return cls(count=0, total=0, share=0.0, low=0.0, high=1.0)
        interval = binomtest(count, total).proportion_ci(method="wilson")
        return cls(count=count, total=total, share=count / total, low=interval.low, high=interval.high)


class Benchmark(BaseModel):
    """The benchmark's table.

    Attributes:
        valid: of the samples: parses, meets the contract, builds on its header's shapes, forward and one step.
        distinct: of the valid: different normalised sources.
        copies: of the valid: normalised source is in the training corpus.
        near_copies: of the valid: Jaccard similarity to some training program ≥ :data:`NEAR_COPY`.
        right_size: of the valid: parameters lie in the header's bucket.
        errors: how often each ``stage: error class`` stopped a sample.
        styles: valid samples by asked style.
        programs_per_s: sampling rate, one thread.
    """

    model_config = ConfigDict(frozen=True)

    samples: int
    temperature: float
    seed: int
    valid: Share
    distinct: Share
    copies: Share
    near_copies: Share
    right_size: Share
    errors: dict[str, int]
    messages: list[str]
    styles: dict[str, Share]
    mean_tokens: float
    programs_per_s: float


def header_task(header: Header) -> Task:
    """The task that a header names; shapes are what counts, so the data set is left anonymous."""
    return Task(dataset="header", in_shape=header.in_shape, out_shape=(header.classes,))


def benchmark_model(
    model: LanguageModel,
    validate: Validate,
    training: Sequence[Program],
    *,
    n: int = SAMPLES,
    temperature: float = TEMPERATURE,
    seed: int = 0,
) -> Benchmark:
    """Sample ``n`` programs, one for each of ``n`` held-out headers, and judge them.

    Args:
        model: the model to judge.
        validate: the validator; runs untrusted code, so give a sandboxed one.
        training: the corpus the model was trained on.
        n: samples.
        temperature: of sampling; no top-k, no top-p, no constrained decoding.
        seed: of headers and sampling.
    """
    headers = held_out_headers(random.Random(seed), n)
    prompts = [model.render(conversation(header.render())) for header in headers]
    start = time.process_time()
    completions = model.complete(prompts, seed=seed, temperature=temperature, max_new_tokens=MAX_NEW_TOKENS)
    seconds = time.process_time() - start
    verdicts = validate([c.text for c in completions], [header_task(h) for h in headers])
    if len(verdicts) != n:
        raise ValueError(f"the validator returned {len(verdicts)} verdicts for {n} programs")
    return _table(headers, completions, verdicts, training, temperature, seed, n / seconds)


def _table(
    headers: Sequence[Header],
    completions: Sequence[Completion],
    verdicts: Sequence[Verdict],
    training: Sequence[Program],
    temperature: float,
    seed: int,
    programs_per_s: float,
) -> Benchmark:
    valid = [i for i, verdict in enumerate(verdicts) if verdict.ok]
    ids = [candidate_id(completions[i].text) for i in valid]
    known = {candidate_id(program.source) for program in training}
    near = near_copies([completions[i].text for i in valid], [program.source for program in training])
    sized = sum(bucket_of(verdicts[i].params or 0) == headers[i].bucket for i in valid)
    failed = [verdict for verdict in verdicts if not verdict.ok]
    asked, served = Counter(h.style for h in headers), Counter(headers[i].style for i in valid)
    return Benchmark(
        samples=len(verdicts),
        temperature=temperature,
        seed=seed,
        valid=Share.of(len(valid), len(verdicts)),
        distinct=Share.of(len(set(ids)), len(ids)),
        copies=Share.of(sum(i in known for i in ids), len(ids)),
        near_copies=Share.of(near, len(ids)),
        right_size=Share.of(sized, len(ids)),
        errors=dict(Counter(f"{v.stage}: {v.error_class}" for v in failed).most_common()),
        messages=[verdict.reason[:200] for verdict in failed[:20]],
        styles={style: Share.of(served[style], asked[style]) for style in sorted(asked)},
        mean_tokens=sum(c.tokens for c in completions) / max(1, len(completions)),
        programs_per_s=programs_per_s,
    )


def near_copies(sources: Sequence[str], training: Sequence[str]) -> int:
    """How many sources have a training program at Jaccard ≥ :data:`NEAR_COPY` over token 10-grams, exactly."""
    sets = [shingles(source) for source in training]
    if not sets:
        return 0
    sizes = np.array([len(one) for one in sets])
    values = np.concatenate(sets)
    order = np.argsort(values, kind="stable")
    values, owners = values[order], np.repeat(np.arange(len(sets)), sizes)[order]
    count = 0
    for source in sources:
        mine = shingles(source)
        starts, ends = np.searchsorted(values, mine, "left"), np.searchsorted(values, mine, "right")
        found = [owners[start:end] for start, end in zip(starts, ends, strict=True)]
        shared = np.bincount(np.concatenate(found), minlength=len(sets))
        count += bool(np.any(shared >= NEAR_COPY * (len(mine) + sizes - shared)))
    return count
