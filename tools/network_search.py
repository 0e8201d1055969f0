"""High-performing networks by what they are made of, beside the blocks in the vector index."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Final, Self

from ..memory.records import Records
from ..memory.vector_index import NETWORKS, Embedder, Item, VectorIndex
from .blocks.digest import uses
from .blocks.words import expanded, name_words, parts
from .embedding import SentenceEmbedder

BEST: Final = 200
"""Networks of a task under one protocol that are indexed: the best ones, for only those are worth showing."""
_MADE_OF: Final = 24
_PLAIN: Final = {"Net", "forward", "train_setup", "learn", "supported_hyperparameters"}


class NetworkSearch:
    """The best trained networks of the records, by text. A context manager.

    Args:
        place: folder or URL of Chroma; ``<home>/chroma`` when not given.
        embedder: the packaged model when not given.
    """

    def __init__(self, place: Path | str | None = None, embedder: Embedder | None = None) -> None:
        self.vectors = VectorIndex(NETWORKS, embedder or SentenceEmbedder(), place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index."""
        self.vectors.close()

    def update(self, records: Records, task_id: str, protocol_hash: str, best: int = BEST) -> int:
        """Index the best complete trials of a task under a protocol; how many networks were written."""
        trials = records.best_trials(task_id, protocol_hash, limit=best)
        sources = records.get_candidates(trial.candidate_id for trial in trials)
        return self.vectors.put(
            Item(
                f"{trial.candidate_id}:{task_id}:{protocol_hash}",
                network_text(sources[trial.candidate_id].source),
                {
                    "task": task_id,
                    "protocol": protocol_hash,
                    "metric": float(trial.metric or 0.0),
                    "name": sources[trial.candidate_id].name,
                },
            )
            for trial in trials
        )

    def similarities(self, text: str, task_id: str, protocol_hash: str, limit: int = BEST) -> dict[str, float]:
        """Candidate id -> cosine similarity to a text, of the indexed networks that are nearest, nearest first."""
        found = self.vectors.query(text, limit, {"task": [task_id], "protocol": [protocol_hash]})
        return {near.id.partition(":")[0]: near.similarity for near in found}


def network_text(source: str) -> str:
    """What of a network is embedded: the classes it defines, then what it is built of, the commonest first."""
    defined = [name for name in re.findall(r"^class\s+(\w+)", source, re.MULTILINE) if name not in _PLAIN]
    called = {name for name in uses(source) if name not in _PLAIN and not name.islower()}
    counts = Counter(word for word in re.findall(r"\b\w+(?=\()", source) if word in called)
    made = [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MADE_OF]]
    words = dict.fromkeys(word for name in defined for word in [*parts(name), *expanded(name_words(name, 2))])
    return f"network with {' '.join(words) or 'plain layers'}. made of {', '.join(made)}"
