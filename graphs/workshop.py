"""What takes seconds to open and is kept open between the turns of a conversation: the model and the sandbox."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..agents.models.factory import ChatModelHandle
from ..sandbox import Sandbox, WorkerImage


@dataclass(frozen=True)
class _Model:
    key: Hashable
    handle: ChatModelHandle


@dataclass(frozen=True)
class _Sandbox:
    place: Hashable
    image: WorkerImage
    sandbox: Sandbox


class Workshop:
    """Gives the model and the sandbox that it gave before until others are needed; closes what it replaces.

    For one piece of work at a time: what it gave is closed when another takes its place.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: _Model | None = None
        self._sandbox: _Sandbox | None = None

    def model(self, key: Hashable, opened: Callable[[], ChatModelHandle]) -> ChatModelHandle:
        """The model of this key.

        Args:
            key: equal for equal models.
            opened: opens it where it is not open.
        """
        with self._lock:
            if self._model is None or self._model.key != key:
                self._close_model()
                self._model = _Model(key, opened())
            return self._model.handle

    def sandbox(self, place: Hashable, image: WorkerImage, opened: Callable[[], Sandbox]) -> Sandbox:
        """A sandbox whose workers hold what ``image`` says; one that holds more data serves as well.

        Args:
            place: equal for equal backends with equal settings.
            opened: opens it where none that serves is open.
        """
        with self._lock:
            held = self._sandbox
            if held is None or held.place != place or not _serves(held.image, image):
                self._close_sandbox()
                held = self._sandbox = _Sandbox(place, image, opened())
            return held.sandbox

    def close(self) -> None:
        """Close what is open; it opens again when it is asked for."""
        with self._lock:
            try:
                self._close_sandbox()
            finally:
                self._close_model()

    def _close_model(self) -> None:
        held, self._model = self._model, None
        if held is not None:
            held.handle.close()

    def _close_sandbox(self) -> None:
        held, self._sandbox = self._sandbox, None
        if held is not None:
            held.sandbox.close()


class Workshops:
    """As many workshops as there are turns side by side.

    Args:
        count: turns at once; another one waits until a workshop is given back.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._free: queue.SimpleQueue[Workshop] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(Workshop())

    @contextmanager
    def one(self) -> Iterator[Workshop]:
        """A workshop for one turn."""
        workshop = self._free.get()
        try:
            yield workshop
        finally:
            self._free.put(workshop)

    def close(self) -> None:
        """Close them all; one that a turn still holds is waited for."""
        for _ in range(self._count):
            self._free.get().close()


def _serves(held: WorkerImage, wanted: WorkerImage) -> bool:
    """Whether workers with one image can do what those with the other could."""
    same = ("handlers", "preload", "seed_environment")
    return (
        all(getattr(held, name) == getattr(wanted, name) for name in same)
        and dict(wanted.data).items() <= dict(held.data).items()
        and set(wanted.hidden) <= set(held.hidden)
        and set(wanted.devices) <= set(held.devices)
    )
