"""The warm worker: import once, hold the data, fork per job.

It speaks frames (see ``wire``) on its standard input and output: first the host's configuration and our
readiness, then jobs and outcomes, one at a time. End of input is the order to end.
"""

from __future__ import annotations

import gc
import importlib
import math
import mmap
import os
import pkgutil
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import group, job, kernel, pages, wire


def main() -> None:
    """Serve jobs until the input ends."""
    control = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what a preloaded module prints belongs to the log, not to the channel
    os.close(null)
    try:
        configuration, seccomp = wire.receive(control[0], 1 << 16)
        isolating = bool(configuration["isolating"])
        if not isolating:
            kernel.die_with_parent()
            kernel.adopt_orphans()
            _sweep()
        _require_pidfds()
        readiness = _readiness()
        data = _load(configuration)
        _require_one_thread()
        gc.collect()
        gc.freeze()  # a collection in a fork must not write to, and so copy, all inherited objects
        pages.gather()
        own = group.own() if configuration["group"] else None
        gauge = own is None and bool(configuration["gauge_memory"])
        setting = job.Setting(isolating, bytes(seccomp) or None, gauge, control[0], own)
        if configuration["group"]:
            readiness["control_groups"] = own and own.version
            readiness["resident_mib"] = own and own.resident_mib()
        wire.send(control[1], readiness)
        while True:
            header, payload = wire.receive(control[0], wire.MAX_PAYLOAD)
            if "stop" in header:
                continue  # for a job that ended at the same moment
            resident = data.get(header["data"], {}) if header["data"] is not None else {}
            outcome, answer = job.run(setting, header["handler"], payload, resident, header["limits"])
            wire.send(control[1], outcome, answer)
            answer[:] = bytes(len(answer))  # the next fork must not find it in our memory
    except (wire.Closed, BrokenPipeError):
        return


def _load(configuration: dict[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Import what jobs will need and read the resident data."""
    sys.path[:0] = [configuration["handlers"]]
    sys.path.extend(configuration["sites"])
    if "torch" in configuration["preload"] or configuration["data"]:
        torch = importlib.import_module("torch")
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
    for name in configuration["preload"]:
        importlib.import_module(name)
    data: dict[str, Mapping[str, Any]] = {name: _tensors(files) for name, files in configuration["data"].items()}
    os.listdir(configuration["handlers"])  # unlike the search below, this says so if it may not
    for module in pkgutil.iter_modules([configuration["handlers"]]):
        importlib.import_module(module.name)
    return data


def _tensors(files: dict[str, int | str]) -> dict[str, Any]:
    """Map each ``.npy`` file (stem -> descriptor or path) as a tensor: copy-on-write, so jobs are apart."""
    import numpy
    import torch
    from numpy.lib import format as npy

    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    tensors = {}
    for stem, file in files.items():
        with open(file, "rb") as stream:
            version = npy.read_magic(stream)
            if version not in readers:
                raise ValueError(f"{stem}.npy has format {version}, known are {sorted(readers)}")
            shape, fortran, dtype = readers[version](stream)
            if dtype.hasobject:
                raise ValueError(f"{stem}.npy holds Python objects, which are never loaded")
            if 0 in shape:
                tensors[stem] = torch.from_numpy(numpy.empty(shape, dtype))
                continue
            mapped = mmap.mmap(stream.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
            count = math.prod(shape)
            flat = numpy.frombuffer(mapped, dtype, count, stream.tell())
            tensors[stem] = torch.from_numpy(flat.reshape(shape, order="F" if fortran else "C"))
    return tensors


def _require_one_thread() -> None:
    """A fork copies one thread only: with more, a lock held by another would be held for ever."""
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(
            f"the worker has {threads} threads after loading and cannot fork safely; "
            "a preloaded module or a handler module started one when it was imported"
        )


def _sweep() -> None:
    """Remove the folders of jobs whose worker was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{job.FOLDER}*-*"):
        pid = folder.name.removeprefix(job.FOLDER).split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _require_pidfds() -> None:
    """Waiting for a job and its pipes at once needs a descriptor of the process (Linux 5.3)."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        raise RuntimeError(f"this kernel, or what stands in for it, has no process descriptors: {error}") from error


def _readiness() -> dict[str, Any]:
    """What was given to the worker, before a module that it imports can add anything."""
    with open("/proc/self/net/dev") as stream:
        interfaces = [line.split(":")[0].strip() for line in stream if ":" in line]
    with open("/proc/self/status") as stream:
        bounding = next(line.split()[1] for line in stream if line.startswith("CapBnd"))
    return {
        "interfaces": interfaces,
        "environment": sorted(os.environ),
        "capabilities": int(bounding, 16),
    }
