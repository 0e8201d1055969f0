"""Networks of the generator with metrics that follow from their text, so that it is known what can be learned."""

from __future__ import annotations

import hashlib

import pytest
from netwright.memory.types import candidate_id
from netwright.tools.generators.corpus import build_corpus
from netwright.tools.prediction.examples import Example


def metric_of(source: str, params: int) -> float:
    """High with normalisation, a little higher with size, and a spread that no feature tells."""
    noise = int(hashlib.sha256(source.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF - 0.5
    base = 0.75 if "BatchNorm" in source else 0.35
    return min(1.0, max(0.0, base + (0.1 if params > 20_000 else 0.0) + 0.1 * noise))


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """70 networks for one shape, each once."""
    made: dict[str, Example] = {}
    for program in build_corpus(4_711, 240):
        key = candidate_id(program.source)
        if program.header.in_shape == (1, 8, 8):
            figures = {"params": program.params, "total_params": program.params, "graph": key[:32]}
            made[key] = Example(key, program.source, figures, metric=metric_of(program.source, program.params))
    assert len(made) >= 70
    return list(made.values())[:70]
