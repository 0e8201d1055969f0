"""Where candidates train: the CPU, or GPUs with as many candidates each as fit into their free memory."""

from __future__ import annotations

import gc
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DeviceChoice = Literal["auto", "cpu", "cuda"]
TRAINING_MEMORY_MB = 4096
"""MiB of main memory of one trial."""
GPU_MEMORY_MB = 2048
"""MiB of GPU memory that one candidate is counted with: CUDA's own context takes about 500 of them."""
_QUERY = ("--query-gpu=index,memory.free,memory.total", "--format=csv,noheader,nounits")
_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")


class DeviceMissing(RuntimeError):
    """The wanted kind of device is not here; the message says what was looked for."""


@dataclass(frozen=True)
class Device:
    """One place to train.

    Attributes:
        name: as torch calls it: ``cpu``, ``cuda:0``, ...
        room: candidates that fit at the same time; ``None``: as many as the sandbox has workers.
    """

    name: str
    room: int | None


CPU = Device("cpu", None)


def find_devices(
    wanted: DeviceChoice = "auto", memory_mb: int = GPU_MEMORY_MB, taken: Mapping[int, float] | None = None
) -> list[Device]:
    """The devices to train on: GPUs with room for at least one candidate, or else the CPU.

    Asks NVIDIA's own program, so that CUDA is not started in this process, from which workers are forked.

    Args:
        wanted: ``auto`` takes GPUs where there are any.
        memory_mb: MiB of GPU memory of one candidate.
        taken: index of a GPU -> share of all its memory that a server takes, or will take when it has started.

    Raises:
        DeviceMissing: ``cuda`` is wanted, and there is no GPU with that much free memory.
    """
    if wanted == "cpu":
        return [CPU]
    # Of memory that the server holds already, nothing is subtracted twice.
    free = [(index, min(mb, round(total * (1 - (taken or {}).get(index, 0.0))))) for index, mb, total in _memory()]
    gpus = [Device(f"cuda:{index}", free_mb // memory_mb) for index, free_mb in free if free_mb >= memory_mb]
    if gpus:
        return gpus
    if wanted == "cuda":
        found = (
            ", ".join(f"GPU {index} with {free_mb} MiB to spare" for index, free_mb in free) or "no GPU (nvidia-smi)"
        )
        raise DeviceMissing(f"training on a GPU needs one with {memory_mb} MiB of free memory; found {found}")
    return [CPU]


def _memory() -> list[tuple[int, int, int]]:
    """(index, free MiB, all MiB) of each NVIDIA GPU; empty without its program or driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = subprocess.run([program, *_QUERY], capture_output=True, text=True, timeout=30, check=False)
    if asked.returncode != 0:
        return []
    rows = [line.split(",") for line in asked.stdout.splitlines() if line.strip()]
    return [
        (int(index), int(free), int(total))
        for index, free, total in rows
        if free.strip().isdigit() and total.strip().isdigit()
    ]


def release_gpu_memory() -> None:
    """Give memory that PyTorch keeps for later back to the GPU, where another process may need it."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def places_on(devices: Sequence[Device]) -> int | None:
    """Trainings that fit on GPUs together; ``None`` on the CPU, where the number of cores decides."""
    return sum(device.room for device in devices if device.room is not None) or None


def device_nodes(devices: Sequence[Device]) -> tuple[Path, ...]:
    """What a sandbox must show of /dev for these devices."""
    indices = [device.name.partition(":")[2] for device in devices if device.name != CPU.name]
    if not indices:
        return ()
    return tuple(Path("/dev") / name for name in (*(f"nvidia{index}" for index in indices), *_NODES))


class Places:
    """Hands out places on devices, the emptiest device first. Thread-safe."""

    def __init__(self, devices: Sequence[Device]) -> None:
        if not devices:
            raise ValueError("training needs at least one device")
        self._devices = devices
        self._used = dict.fromkeys((device.name for device in devices), 0)
        self._changed = threading.Condition()

    @contextmanager
    def lease(self) -> Iterator[str]:
        """Wait for a place; the name of its device."""
        with self._changed:
            self._changed.wait_for(lambda: self._emptiest() is not None)
            device = self._emptiest()
            assert device is not None  # waited for, under the same lock
            self._used[device.name] += 1
        try:
            yield device.name
        finally:
            with self._changed:
                self._used[device.name] -= 1
                self._changed.notify()

    def _emptiest(self) -> Device | None:
        free = [device for device in self._devices if device.room is None or self._used[device.name] < device.room]
        return min(free, key=lambda device: self._used[device.name], default=None)
