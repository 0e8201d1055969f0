"""``netwright doctor``: what works on this machine, what is in force, and what to install."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from ...memory.home import home
from ...tools.tasks import known_datasets
from .console import JsonFlag, guarded, out, print_json, print_remedies
from .live import activity

if TYPE_CHECKING:
    from ...sandbox.capabilities import Capability

_LEAST_GIB = 1.0


@guarded
def doctor(as_json: JsonFlag = False) -> None:
    """List each capability, whether it is in force here, and what to install if not."""
    with activity("trying out what this machine offers", hidden=as_json):
        groups = _look()
    if as_json:
        rows = [
            {"group": group, "name": c.name, "in_force": c.in_force, "detail": c.detail, "remedy": c.remedy}
            for group, found in groups.items()
            for c in found
        ]
        print_json({"capabilities": rows})
        return
    table = Table("", "capability", "in force", "detail")
    table.columns[-1].overflow = "fold"
    for group, found in groups.items():
        for number, c in enumerate(found):
            mark = "[green]yes[/]" if c.in_force else "[yellow]no[/]"
            table.add_row(group if number == 0 else "", escape(c.name), mark, escape(c.detail))
        table.add_section()
    out.print(table)
    missing = [(c.name, c.remedy) for found in groups.values() for c in found if not c.in_force]
    if missing:
        out.print("What to do about each [yellow]no[/]:")
        print_remedies(missing)


def _look() -> dict[str, list[Capability]]:
    from ...sandbox.capabilities import capabilities
    from ...sandbox.docker_capabilities import docker_capabilities

    folder, usable = _data_directory()
    groups = {"machine": [*_machine(), folder], "sandbox": capabilities(), "docker": docker_capabilities()}
    if usable:
        looked = {"models": _models(), "serving": _serving()}
        return groups | looked | {"data sets": [_dataset(name) for name in known_datasets()]}
    return groups | {group: [_not_looked(folder)] for group in ("models", "serving", "data sets")}


def _machine() -> list[Capability]:
    import torch

    from ...sandbox.capabilities import Capability
    from ...tools.pretraining.trainer import native_bf16

    gpus, fast = torch.cuda.device_count(), native_bf16()
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in ("torch", "transformers", "trl", "langgraph"))
    return [
        Capability("libraries", True, versions, None),
        Capability("processor cores", True, str(len(os.sched_getaffinity(0))), None),
        Capability(
            "fast bfloat16", fast, "native" if fast else "pretraining runs in float32",
            None if fast else "a processor with AVX-512 BF16 or AMX",
        ),
        Capability("GPU", gpus > 0, f"{gpus} found", None if gpus else "none is needed for the embedded model"),
    ]  # fmt: skip


def _data_directory() -> tuple[Capability, bool]:
    """The data directory, and whether it can be used at all. Found by writing: permissions alone do not tell."""
    from ...sandbox.capabilities import Capability

    name = "data directory"
    try:
        folder = home()
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free / 2**30
    except OSError as error:
        told = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        return Capability(name, False, told, "set NETWRIGHT_HOME to a folder that you can write"), False
    remedy = None if free > _LEAST_GIB else "free some disk space, or set NETWRIGHT_HOME to a folder on another disk"
    return Capability(name, remedy is None, f"{folder}, {free:.0f} GiB free", remedy), True


def _models() -> list[Capability]:
    from ...agents.models.catalogue import known_models
    from ...sandbox.capabilities import Capability

    return [Capability(m.name, m.available, m.detail, None if m.available else m.remedy) for m in known_models()]


def _serving() -> list[Capability]:
    from ...sandbox.capabilities import Capability
    from ...tools.serving.environment import MAKE, REQUIREMENT, kind_here, serve_environment
    from ...tools.serving.server import servers

    kind = kind_here()
    place, on = serve_environment(kind), {"cpu": "the CPU", "gpu": "GPUs"}[kind]
    told = f"{REQUIREMENT[kind]} for {on}, in {place.folder}" if place.made else f"not made yet; it would be for {on}"
    running = [f"{state.name} at {state.url}" for state in servers()]
    return [
        Capability("environment with vLLM", place.made, told, None if place.made else MAKE),
        Capability("model server", bool(running), ", ".join(running) or "none runs",
                   None if running else "needed for model.base_url alone: netwright serve-model --detach"),
    ]  # fmt: skip


def _not_looked(folder: Capability) -> Capability:
    from ...sandbox.capabilities import Capability

    return Capability("not looked at", False, "they are kept in the data directory", folder.remedy)


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
