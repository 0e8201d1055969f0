"""What tools share in one process: opened when it is first needed, kept warm, closed at the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from ...memory.home import home_folder
from ...memory.records import Records
from ...memory.types import Candidate
from ...tools.registry import Context, ToolError

if TYPE_CHECKING:
    from ...graphs.config import Config
    from ...memory.block_store import BlockStore
    from ...memory.novelty import NoveltyIndex
    from ...sandbox import Sandbox, WorkerImage
    from ...tools.blocks.search import BlockSearch
    from ...tools.dedup.graphs import GraphStore
    from ...tools.execution import Validator

T = TypeVar("T")
WARM: Final = 2
"""Workers of the warm sandbox: validations are short, and a worker holds some hundred MB."""


def _once(make: Callable[[Shared], T]) -> Callable[[Shared], T]:
    """Make something at most once, whoever asks first."""

    @wraps(make)
    def get(self: Shared) -> T:
        with self._lock:
            if make.__name__ not in self._made:
                if self._closed:
                    raise ToolError("netwright is closing: ask again when it runs")
                self._made[make.__name__] = make(self)
            made: T = self._made[make.__name__]
            return made

    return get


class Shared:
    """Records, a warm sandbox, the block library and the index of known networks.

    Thread-safe: several tools may run at a time. Nothing is opened before a tool asks for it.

    Args:
        settings: ``path=value`` overrides of the configuration, of whoever started the server and never of a caller.
    """

    def __init__(self, settings: Sequence[str] = ()) -> None:
        self.settings = tuple(settings)
        self.novelty_lock = threading.Lock()
        self._lock = threading.RLock()
        self._stack = ExitStack()
        self._made: dict[str, Any] = {}
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened; tools that ask for it afterwards fail."""
        with self._lock:
            self._closed = True
            self._made.clear()
            self._stack.close()

    def _keep(self, opened: AbstractContextManager[T]) -> T:
        return self._stack.enter_context(opened)

    @property
    @_once
    def config(self) -> Config:
        """The configuration."""
        from ...graphs.config import load_config

        return load_config(overrides=self.settings)

    @property
    @_once
    def records(self) -> Records:
        """The records."""
        return self._keep(Records())

    @property
    @_once
    def sandbox(self) -> Sandbox:
        """A warm sandbox that validates and holds no data."""
        from ...tools.execution import validation_image

        workers = self.config.sandbox.workers or min(WARM, os.cpu_count() or 1)
        return self._keep(self.open_sandbox(validation_image(), workers))

    @property
    @_once
    def validator(self) -> Validator:
        """Validates in the warm sandbox."""
        from ...tools.execution import Validator

        return Validator(self.sandbox, self.config.sandbox.validation)

    @property
    @_once
    def blocks(self) -> BlockStore:
        """The block library."""
        from ...memory.block_store import BlockStore

        return self._keep(BlockStore())

    @property
    @_once
    def block_search(self) -> BlockSearch:
        """Search in the block library."""
        from ...tools.blocks.search import BlockSearch

        return self._keep(BlockSearch.open(self.blocks))

    @property
    @_once
    def graphs(self) -> GraphStore:
        """Computation graphs that were traced before."""
        from contextlib import closing

        from ...tools.dedup.graphs import GraphStore

        return self._keep(closing(GraphStore(home_folder("novelty") / "graphs.db")))

    @property
    @_once
    def known(self) -> NoveltyIndex:
        """The networks on record as far as they were looked at; who uses it holds ``novelty_lock``."""
        from ...memory.novelty import NoveltyIndex
        from ...memory.signatures import SignatureCache

        return NoveltyIndex(SignatureCache(home_folder("novelty") / "records.npz"))

    def open_sandbox(self, image: WorkerImage, workers: int | None = None) -> Sandbox:
        """A sandbox of the configured kind; the caller closes it.

        Raises:
            SandboxUnavailable: it cannot run here, and why.
        """
        from ...sandbox import open_sandbox

        place = self.config.sandbox
        return open_sandbox(place.backend, image, workers=workers or place.workers, docker=place.docker)

    def candidate(self, wanted: str) -> Candidate:
        """A network on record by its id, the beginning of it, or its name.

        Raises:
            ToolError: there is none, or there are several.
        """
        from ...memory.candidate_query import ids_like

        found = ids_like(self.records, wanted.rpartition("-")[2].lower())
        if len(found) != 1:
            many = f"several networks ({', '.join(one[:16] for one in found)})" if found else "no network on record"
            raise ToolError(f"{wanted} names {many}: query_records lists the networks on record with their ids")
        candidate = self.records.get_candidate(found[0])
        assert candidate is not None  # it was found a moment ago, and nothing is ever taken out
        return candidate

    def source(self, source: str | None, candidate_id: str | None) -> str:
        """The text of a network that a caller gave, or named."""
        return source if source is not None else self.candidate(candidate_id or "").source


def shared_of(context: Context) -> Shared:
    """What a tool's process shares; whoever runs the tools must have given it."""
    if not isinstance(context.shared, Shared):
        raise TypeError("tools of this registry run with Context(shared=Shared())")
    return context.shared


@contextmanager
def watching(context: Context, look: Callable[[], tuple[float, float | None, str]], every_s: float) -> Iterator[None]:
    """Report what ``look`` says every so many seconds while the block runs; it may read the records, say."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every_s):
            context.report(*look())

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
