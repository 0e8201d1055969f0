"""Checkpoints of a tune: after a stop or a kill it goes on from the newest one, to the same weights."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ..memory.files import flush_folder, write_whole
from .finetuning_config import TuneConfig
from .finetuning_plan import TuningPair

_EVERY_S: Final = 120.0
"""Seconds between two checkpoints: what a kill may cost."""

_INPUTS: Final = "inputs.sha256"
_WHOLE: Final = "whole.json"
_LIBRARIES: Final = ("torch", "transformers", "trl", "peft", "accelerate", "numpy")
# What torch says when a disk is full while it writes.
_NOT_WRITTEN: Final = re.compile(r"iostream error|inline_container|PytorchStreamWriter")


class Spent(BaseModel):
    """Seconds that a tune took up to a checkpoint: of all its work, and of training alone."""

    seconds: float = 0.0
    training: float = 0.0


class _Whole(BaseModel):
    """What a checkpoint holds, written last."""

    spent: Spent
    files: dict[str, int]


class TuneCheckpoints:
    """The checkpoints of one tune, in a folder of its own; the newest is kept.

    A checkpoint counts when it says what it holds, and holds it: that is written last. What a tune from other inputs
    left in the folder is cleared away.

    Args:
        folder: made when missing.
        inputs: of :func:`inputs_hash`.
        keep: without it nothing is written: the folder is the trainer's alone.
    """

    def __init__(self, folder: Path, inputs: str, *, keep: bool = True) -> None:
        self.folder = folder
        self.keep = keep
        folder.mkdir(parents=True, exist_ok=True)
        named = folder / _INPUTS
        if keep and (not named.is_file() or named.read_text(encoding="ascii") != inputs):
            named.unlink(missing_ok=True)  # first: half of what is cleared away must not count
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            write_whole(named, inputs.encode("ascii"))

    def newest(self) -> tuple[Path | None, Spent]:
        """The checkpoint to go on from, and what was spent up to it; all others are deleted."""
        whole = [(path, known) for path in self._found() if (known := _whole(path)) is not None]
        chosen = whole[-1] if whole else None
        self._delete_all_but(chosen[0] if chosen else None)
        return (chosen[0], chosen[1].spent) if chosen else (None, Spent())

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Whatever ends a training within leaves no half checkpoint.

        Raises:
            OSError: the disk is full; torch has other words for it.
        """
        try:
            yield
        except BaseException as error:
            for path in self._found():
                if _whole(path) is None:
                    shutil.rmtree(path, ignore_errors=True)
            if isinstance(error, RuntimeError) and _NOT_WRITTEN.search(str(error)):
                raise OSError(errno.ENOSPC, "no room for a checkpoint of the tune", str(self.folder)) from error
            raise

    def callback(self, stopping: Callable[[], bool], spent: Callable[[], Spent]) -> Any:
        """A trainer callback that saves from time to time, and saves and ends the training when a stop is asked for.

        Args:
            stopping: asked after each optimizer step.
            spent: what the tune has taken so far, earlier runs included.
        """
        from transformers import TrainerCallback

        checkpoints = self

        class Keeping(TrainerCallback):  # type: ignore[misc]
            saved = time.monotonic()

            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                if state.global_step >= state.max_steps:
                    return  # the adapter itself is written next
                if stopping():
                    control.should_training_stop = True
                due = control.should_training_stop or time.monotonic() - self.saved >= _EVERY_S
                if due and checkpoints.keep:
                    control.should_save = True

            def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                checkpoints._saved(state.global_step, spent())
                self.saved = time.monotonic()

        return Keeping()

    def _saved(self, step: int, spent: Spent) -> None:
        """Let a checkpoint count, now that all of it is written, and the others go."""
        path = self.folder / f"checkpoint-{step}"
        flush_folder(path)
        write_whole(path / _WHOLE, _Whole(spent=spent, files=_sizes(path)).model_dump_json().encode())
        self._delete_all_but(path)

    def _found(self) -> list[Path]:
        """All checkpoints, whole or not, in the order of their steps."""
        return sorted(self.folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))

    def _delete_all_but(self, kept: Path | None) -> None:
        for path in self._found():
            if path != kept:
                shutil.rmtree(path)


def _whole(path: Path) -> _Whole | None:
    """What a checkpoint says of itself, if it is as it says."""
    try:
        known = _Whole.model_validate_json((path / _WHOLE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None  # half of one: the process was killed as it was written
    return known if known.files == _sizes(path) else None


def _sizes(path: Path) -> dict[str, int]:
    files = (one for one in path.rglob("*") if one.is_file() and one.name != _WHOLE)
    return {str(one.relative_to(path)): one.stat().st_size for one in files}


def inputs_hash(
    base_folder: Path, order: Sequence[TuningPair], config: TuneConfig, seed: int, start_adapter: Path | None
) -> str:
    """A hash of all that decides on the weights of a tune, the versions of the libraries included.

    Files of models count by place, size and time: those of a large one take minutes to read.
    """
    digest = hashlib.sha256()
    parts = [config.model_dump_json(), str(seed), *(pair.model_dump_json() for pair in order)]
    parts += [f"{library} {version(library)}" for library in _LIBRARIES]
    for folder in filter(None, (base_folder, start_adapter)):
        for path in sorted(path for path in folder.resolve().iterdir() if path.is_file()):
            parts.append(f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}")
    for part in parts:
        digest.update(hashlib.sha256(part.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()
