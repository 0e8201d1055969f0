"""``netwright doctor``: what works on this machine, what is in force, and what to install."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from ...memory.home import home
from ...tools.tasks import known_datasets
from .console import JsonFlag, out, print_json

if TYPE_CHECKING:
    from ...sandbox.capabilities import Capability


def doctor(as_json: JsonFlag = False) -> None:
    """List each capability, whether it is in force here, and what to install if not.

    Example:  netwright doctor --json
    """
    from ...agents.models.catalogue import known_models
    from ...sandbox.capabilities import Capability, capabilities

    groups = {
        "machine": _machine(),
        "sandbox": capabilities(),
        "models": [
            Capability(m.name, m.available, m.detail, None if m.available else m.remedy) for m in known_models()
        ],
        "data sets": [_dataset(name) for name in known_datasets()],
    }
    if as_json:
        print_json(
            {
                "capabilities": [
                    {
                        "group": group,
                        "name": c.name,
                        "in_force": c.in_force,
                        "detail": c.detail,
                        "remedy": c.remedy,
                    }
                    for group, found in groups.items()
                    for c in found
                ]
            }
        )
        return
    table = Table("", "capability", "in force", "detail", "remedy")
    for group, found in groups.items():
        for number, c in enumerate(found):
            mark = "[green]yes[/]" if c.in_force else "[yellow]no[/]"
            table.add_row(group if number == 0 else "", c.name, mark, c.detail, c.remedy or "")
        table.add_section()
    out.print(table)


def _machine() -> list[Capability]:
    import torch

    from ...sandbox.capabilities import Capability
    from ...tools.pretraining.trainer import native_bf16

    folder = home()
    free = shutil.disk_usage(folder).free / 2**30
    gpus = torch.cuda.device_count()
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in ("torch", "transformers", "trl", "langgraph"))
    return [
        Capability("libraries", True, versions, None),
        Capability("processor cores", True, str(len(os.sched_getaffinity(0))), None),
        Capability(
            "fast bfloat16", native_bf16(), "native" if native_bf16() else "pretraining runs in float32",
            None if native_bf16() else "a processor with AVX-512 BF16 or AMX",
        ),
        Capability("GPU", gpus > 0, f"{gpus} found", None if gpus else "none is needed for the embedded model"),
        Capability(
            "data directory", os.access(folder, os.W_OK) and free > 1, f"{folder}, {free:.0f} GiB free",
            None if free > 1 else "free some disk space or set NETWRIGHT_HOME to another folder",
        ),
    ]  # fmt: skip


def _dataset(name: str) -> Capability:
    from ...sandbox.capabilities import Capability
    from ...tools.datasets import on_disk

    found = on_disk(name)
    if found:
        return Capability(name, True, found, None)
    remedy = f"netwright evaluate NET.py --dataset {name} --download"
    if name == "fashion-mnist" and Path("/usr/bin/apt-get").exists():
        remedy = f"apt-get install dataset-fashion-mnist, or {remedy}"
    return Capability(name, False, "not on disk; networks for it can be designed and validated, not trained", remedy)
