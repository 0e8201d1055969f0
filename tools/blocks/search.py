"""Search over the block library: vectors and keywords, fused, one of each kind of block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from ...memory.block_store import BlockStore
from ...memory.block_types import BLOCK_STAGES, CATEGORIES, Block, BlockStage, Category
from ...memory.keyword_index import KeywordIndex
from ...memory.vector_index import BLOCKS, Embedder, Item, VectorIndex
from ..embedding import SentenceEmbedder
from .digest import embedded_text, words_of
from .ranking import Kind, collapsed, fused
from .words import expanded, name_words, query_terms

Mode = Literal["hybrid", "vector", "keyword"]
DEPTH: Final = 200  # of either ranking: what neither has among as many is no answer
_PART: Final = 20  # blocks that are read from the store at a time while kinds are being found
_WRITTEN: Final = 256  # blocks that are indexed at a time
_FORMAT: Final = "2"  # of the digest: blocks are digested again when it changes
_STAMP: Final = "store"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Hit:
    """One answer: the block, its score in [0, 1] within this search, and the near-identical ones behind it."""

    block: Block
    score: float
    others: tuple[Block, ...] = ()


class BlockSearch:
    """Search over a block store. A context manager.

    Args:
        store: the blocks; the caller closes it.
        keywords: the index of words.
        vectors: makes the index of vectors when it is first needed, so that a keyword search loads no model.
    """

    def __init__(self, store: BlockStore, keywords: KeywordIndex, vectors: Callable[[], VectorIndex]) -> None:
        self.store = store
        self.keywords = keywords
        self._make_vectors = vectors
        self._vectors: VectorIndex | None = None

    @classmethod
    def open(cls, store: BlockStore, *, chroma: str | None = None, embedder: Embedder | None = None) -> Self:
        """The search beside a store: words in ``search.db``, vectors in ``chroma`` or on the server at a URL."""
        folder = store.path.parent
        place: Path | str = chroma or folder / "chroma"
        return cls(
            store,
            KeywordIndex(folder / "search.db"),
            lambda: VectorIndex(BLOCKS, embedder or SentenceEmbedder(), place),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the indexes; the store stays open."""
        self.keywords.close()
        if self._vectors is not None:
            self._vectors.close()

    @property
    def vectors(self) -> VectorIndex:
        """The index of vectors."""
        if self._vectors is None:
            self._vectors = self._make_vectors()
        return self._vectors

    def update(self, *, vectors: bool = True, progress: Progress | None = None) -> dict[str, int]:
        """Index what is new or changed in the store, take out what it no longer has.

        At once if the store's file is as it was. A kill loses at most one batch; the next update goes on.

        Args:
            vectors: whether vectors are wanted too; a keyword search does without.
            progress: told the stage, how many blocks are done, and of how many.

        Returns:
            blocks: in the store; words and vectors: written; removed: taken out.
        """
        done = {"blocks": len(self.store), "words": 0, "vectors": 0, "removed": 0}
        stamp = self._stamp()
        notes = [_STAMP, f"{_STAMP} {self.vectors.place} {self.vectors.embedder.name}"] if vectors else [_STAMP]
        if all(self.keywords.note(note) == stamp for note in notes):
            return done
        seen: set[str] = set()
        for part in self._parts():
            seen.update(block.id for block in part)
            done["words"] += self.keywords.put(map(words_of, part))
            if vectors:
                done["vectors"] += self.vectors.put([_item(block) for block in part])
            if progress is not None:
                progress("index", len(seen), done["blocks"])
        gone = self.keywords.ids() - seen
        self.keywords.remove(gone)
        if vectors:
            old = self.vectors.ids() - seen
            self.vectors.remove(old)
            gone |= old
        done["removed"] = len(gone)
        for note in notes:
            self.keywords.set_note(note, stamp)
        return done

    def rebuild(self, progress: Progress | None = None) -> dict[str, int]:
        """Empty both indexes and build them anew; texts that were embedded before are not embedded again."""
        self.keywords.clear()
        self.vectors.clear()
        return self.update(progress=progress)

    def search(
        self,
        text: str,
        *,
        limit: int = 5,
        category: Category | None = None,
        package: str | None = None,
        at_least: BlockStage | None = None,
        mode: Mode = "hybrid",
    ) -> list[Hit]:
        """The blocks that fit a text best, one of each kind, best first; :meth:`update` is the caller's.

        Args:
            limit: how many kinds.
            category, package: only of these.
            at_least: only blocks whose validation passed this stage.
            mode: ``vector`` and ``keyword`` take one ranking alone.
        """
        where: dict[str, list[str]] = {}
        if category is not None:
            where["category"] = [category]
        if package is not None:
            where["package"] = [package]
        if at_least is not None:
            where["stage"] = list(BLOCK_STAGES[BLOCK_STAGES.index(at_least) :])
        vector: dict[str, float] = {}
        keyword: dict[str, float] = {}
        if mode != "keyword":
            vector = {near.id: near.similarity for near in self.vectors.query(_spoken(text), DEPTH, where)}
        if mode != "vector":
            terms = query_terms(text, self.keywords.knows, self.keywords.vocabulary)
            keyword = dict(self.keywords.query(terms, DEPTH, where))
        weight = {"hybrid": None, "vector": 0.0, "keyword": 1.0}[mode]
        scores = fused(vector, keyword) if weight is None else fused(vector, keyword, weight)
        return self._kinds(scores, limit)

    def _kinds(self, scores: dict[str, float], limit: int) -> list[Hit]:
        """The best ``limit`` kinds, read from the store until one more would be begun."""
        kinds: list[Kind] = []
        order = list(scores)
        for start in range(0, len(order), _PART):
            known = self.store.get_many(order[start : start + _PART])
            kinds = collapsed(kinds, list(known.values()))
            if len(kinds) > limit:
                break
        return [Hit(kind.block, round(scores[kind.block.id], 4), tuple(kind.others)) for kind in kinds[:limit]]

    def _parts(self) -> Iterator[Sequence[Block]]:
        # Not all at once: the emitted files of a large library are hundreds of megabytes.
        for category in CATEGORIES:
            blocks = self.store.blocks(category=category)
            for start in range(0, len(blocks), _WRITTEN):
                yield blocks[start : start + _WRITTEN]

    def _stamp(self) -> str:
        """What the store's file and its log look like from outside: it changes with every write."""
        marks = [_FORMAT]
        for path in (self.store.path, self.store.path.with_name(self.store.path.name + "-wal")):
            if path.exists() and (state := path.stat()).st_size:
                marks.append(f"{state.st_size} {state.st_mtime_ns}")
        return " ".join(marks)


def _item(block: Block) -> Item:
    stage = block.check.stage if block.check is not None else ""
    return Item(block.id, embedded_text(block), {"category": block.category, "package": block.package, "stage": stage})


def _spoken(text: str) -> str:
    """A query with its abbreviations written out: the embedding model is of general English."""
    short = [word for said in text.split() for word in expanded(name_words(said.strip(",.?!"), 2))]
    return " ".join(dict.fromkeys([text, *short]))
