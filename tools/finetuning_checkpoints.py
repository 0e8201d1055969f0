"""Checkpoints of a tune: after a stop or a kill it goes on from the newest one, to the same weights."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ..memory.files import flush_folder, write_whole
from .finetuning_config import TuneConfig
from .finetuning_plan import TuningPair

_EVERY_S: Final = 120.0
"""Seconds between two checkpoints: what a kill may cost."""

_INPUTS: Final = "inputs.sha256"
_SPENT: Final = "spent.json"


class Spent(BaseModel):
    """Seconds that a tune took up to a checkpoint: of all its work, and of training alone."""

    seconds: float = 0.0
    training: float = 0.0


class TuneCheckpoints:
    """The checkpoints of one tune, in a folder of its own.

    A checkpoint counts when it says what was spent up to it: that is written last. What a tune from other inputs
    left in the folder is cleared away.

    Args:
        folder: made when missing.
        inputs: of :func:`inputs_hash`.
    """

    def __init__(self, folder: Path, inputs: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        named = folder / _INPUTS
        if not named.is_file() or named.read_text(encoding="ascii") != inputs:
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            write_whole(named, inputs.encode("ascii"))

    def newest(self) -> tuple[Path | None, Spent]:
        """The checkpoint to go on from, and what was spent up to it."""
        found = sorted(self.folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
        for path in reversed(found):
            try:
                return path, Spent.model_validate_json((path / _SPENT).read_bytes())
            except (FileNotFoundError, ValidationError):
                shutil.rmtree(path)  # half of one: the process was killed as it was written
        return None, Spent()

    def callback(self, stopping: Callable[[], bool], spent: Callable[[], Spent]) -> Any:
        """A trainer callback that saves from time to time, and saves and ends the training when a stop is asked for.

        Args:
            stopping: asked after each optimizer step.
            spent: what the tune has taken so far, earlier runs included.
        """
        from transformers import TrainerCallback

        folder = self.folder

        class Keeping(TrainerCallback):  # type: ignore[misc]
            saved = time.monotonic()

            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                if state.global_step >= state.max_steps:
                    return  # the adapter itself is written next
                if stopping():
                    control.should_training_stop = True
                if control.should_training_stop or time.monotonic() - self.saved >= _EVERY_S:
                    control.should_save = True

            def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                path = folder / f"checkpoint-{state.global_step}"
                flush_folder(path)
                write_whole(path / _SPENT, spent().model_dump_json().encode())
                self.saved = time.monotonic()

        return Keeping()


def inputs_hash(
    base_folder: Path, order: Sequence[TuningPair], config: TuneConfig, seed: int, start_adapter: Path | None
) -> str:
    """A hash of all that decides on the weights of a tune.

    Weights count by place, size and time: those of a large model take minutes to read.
    """
    digest = hashlib.sha256()
    parts = [config.model_dump_json(), str(seed), *(pair.model_dump_json() for pair in order)]
    for folder in filter(None, (base_folder, start_adapter)):
        for path in sorted(folder.resolve().glob("*.safetensors")):
            parts.append(f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}")
    for part in parts:
        digest.update(hashlib.sha256(part.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()
