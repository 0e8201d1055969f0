"""What a campaign runs on, so that its times can be judged."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

import psutil

from ... import __version__

_LIBRARIES = ("torch", "transformers", "peft", "trl", "langgraph", "datasketch")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory (GiB), system, Python and library versions, as JSON values."""
    versions = {"netwright": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "versions": versions,
    }


def _processor() -> str:
    """The processor's name: Linux tells it in ``/proc/cpuinfo``, elsewhere Python may know."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
    except FileNotFoundError:
        pass  # no Linux
    return platform.processor() or platform.machine()
