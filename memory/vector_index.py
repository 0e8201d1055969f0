"""Vectors of blocks and networks in Chroma: embedded in a folder below the data directory, or a server by URL."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

from .home import home_folder

BLOCKS: Final = "netwright-blocks"
NETWORKS: Final = "netwright-networks"
_BATCH: Final = 256  # items per write: a kill loses at most that many embeddings
_HASH: Final = "hash"
Value = str | int | float | bool


class Embedder(Protocol):
    """Texts to vectors. The same text always gives the same vector."""

    @property
    def name(self) -> str:
        """What made the vectors; vectors of two names do not compare."""
        ...

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of unit length per text, in order."""
        ...


class Item(NamedTuple):
    """What is indexed: an id, the text that is embedded, and what can be filtered by."""

    id: str
    text: str
    metadata: Mapping[str, Value]


class Near(NamedTuple):
    """One answer: the id, and the cosine similarity in [-1, 1]."""

    id: str
    similarity: float


class VectorUnavailable(RuntimeError):
    """Chroma cannot be used: the message says why and what to do."""


class VectorIndex:
    """One collection of vectors. Chroma embeds nothing itself: vectors always come from the embedder.

    Args:
        collection: :data:`BLOCKS` or :data:`NETWORKS`; vectors of another embedder are a collection of their own.
        embedder: makes the vectors.
        place: a folder, a server's URL (``http://127.0.0.1:8000``), or nothing: ``<home>/chroma``.

    Raises:
        VectorUnavailable: the server does not answer, or the folder cannot be opened.
    """

    def __init__(self, collection: str, embedder: Embedder, place: Path | str | None = None) -> None:
        self.embedder = embedder
        self.place = place if place is not None else home_folder("chroma")
        self._name = f"{collection}-{hashlib.sha256(embedder.name.encode()).hexdigest()[:8]}"
        self._client: Any = _client(self.place)
        self._collection = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __len__(self) -> int:
        return int(self._collection.count())

    def close(self) -> None:
        """Let the client go; a second call does nothing."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(AttributeError):
                client.close()

    def ids(self) -> set[str]:
        """The ids of all items."""
        return set(self._collection.get(include=[])["ids"])

    def put(self, items: Iterable[Item]) -> int:
        """Make the items part of the index; how many were written: only new ones and those with another text or other
        metadata."""
        wanted = [item for _, item in sorted({item.id: item for item in items}.items())]
        written = 0
        for start in range(0, len(wanted), _BATCH):
            part = wanted[start : start + _BATCH]
            known = self._hashes([item.id for item in part])
            changed = [item for item in part if known.get(item.id) != _hash(item)]
            if changed:
                self._collection.upsert(
                    ids=[item.id for item in changed],
                    embeddings=self.embedder.embed([item.text for item in changed]),
                    metadatas=[{**item.metadata, _HASH: _hash(item)} for item in changed],
                )
            written += len(changed)
        return written

    def remove(self, ids: Iterable[str]) -> None:
        """Take items out; unknown ids are passed over."""
        known = sorted(self.ids() & set(ids))
        for start in range(0, len(known), _BATCH):
            self._collection.delete(ids=known[start : start + _BATCH])

    def clear(self) -> None:
        """Empty the collection, so that the next :meth:`put` builds it anew."""
        self._client.delete_collection(self._name)
        self._collection = self._open()

    def query(self, text: str, limit: int, where: Mapping[str, Sequence[Value]] | None = None) -> list[Near]:
        """The nearest items, nearest first, by id where they are equally near.

        Args:
            where: field -> the values that are let through, e.g. ``{"category": ["attention"]}``.
        """
        if limit < 1 or not len(self):
            return []
        clauses = [{field: {"$in": list(values)}} for field, values in sorted((where or {}).items())]
        found = self._collection.query(
            query_embeddings=self.embedder.embed([text]),
            n_results=min(limit, len(self)),
            where=(clauses[0] if len(clauses) == 1 else {"$and": clauses}) if clauses else None,
            include=["distances"],
        )
        near = [Near(one, 1 - float(far)) for one, far in zip(found["ids"][0], found["distances"][0], strict=True)]
        return sorted(near, key=lambda one: (-round(one.similarity, 6), one.id))

    def _hashes(self, ids: list[str]) -> dict[str, str]:
        found = self._collection.get(ids=ids, include=["metadatas"])
        return {one: str(data[_HASH]) for one, data in zip(found["ids"], found["metadatas"], strict=True)}

    def _open(self) -> Any:
        return self._client.get_or_create_collection(
            self._name, embedding_function=None, configuration={"hnsw": {"space": "cosine", "ef_search": 400}}
        )


def _client(place: Path | str) -> Any:
    import chromadb
    from chromadb.config import Settings

    # It reports failed telemetry even where telemetry is off.
    logging.getLogger("chromadb.telemetry").setLevel(logging.CRITICAL)
    settings = Settings(anonymized_telemetry=False)
    try:
        if isinstance(place, Path):
            place.mkdir(parents=True, exist_ok=True)
            return chromadb.PersistentClient(path=str(place), settings=settings)
        url = urlsplit(place)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise VectorUnavailable(f"{place} is no URL of a Chroma server: write it as http://127.0.0.1:8000")
        ssl = url.scheme == "https"
        return chromadb.HttpClient(
            host=url.hostname, port=url.port or (443 if ssl else 8000), ssl=ssl, settings=settings
        )
    except VectorUnavailable:
        raise
    except Exception as error:  # chromadb raises its own, httpx's and bare ValueErrors for one and the same reason
        what = f"the folder {place}" if isinstance(place, Path) else f"a Chroma server at {place}"
        hint = "" if isinstance(place, Path) else "; start one with: chroma run --path FOLDER"
        raise VectorUnavailable(f"{what} cannot be opened: {error}{hint}") from error


def _hash(item: Item) -> str:
    fields = json.dumps([item.text, dict(item.metadata)], sort_keys=True)
    return hashlib.sha256(fields.encode("utf-8", "surrogatepass")).hexdigest()[:16]
