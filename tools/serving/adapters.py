"""Adapters of a running server: each is loaded under a name of its own, and the one before is dropped."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from .client import Connection, RequestRefused
from .settings import ServingError

_CONFIG = "adapter_config.json"


class AdapterRefused(ServingError):
    """The server does not take an adapter; the message says why and what to do."""


def adapter_name(folder: Path) -> str:
    """The name under which a server knows an adapter, such as ``cycle-003.1b9f04.5e0c77d2``.

    The folder's own name, six digits for the folder that it lies in (one campaign's), eight for its contents: the
    same adapter has the same name when a campaign is resumed, another one never has, though it may be of the same
    cycle. A name in use cannot be given to other weights: the server caches what it computed under it.

    Raises:
        FileNotFoundError: ``folder`` holds no adapter.
    """
    if not (folder / _CONFIG).is_file():
        raise FileNotFoundError(f"no {_CONFIG} in {folder}; name a folder that peft saved")
    digest = hashlib.sha256()
    for path in sorted([folder / _CONFIG, *folder.glob("adapter_model.*")]):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{folder.name}{_family(folder)}{digest.hexdigest()[:8]}"


def adapter_rank(folder: Path) -> int:
    """The rank of an adapter."""
    held: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    return int(held.get("r", 8))


def _family(folder: Path) -> str:
    """The middle part of the names of adapters that lie beside each other."""
    return f".{hashlib.sha256(str(folder.resolve().parent).encode()).hexdigest()[:6]}."


class AdapterSwap:
    """The adapter of one server that is in use. Thread-safe.

    Args:
        connection: the server.
        base: the server's name of the model without an adapter.
    """

    def __init__(self, connection: Connection, base: str) -> None:
        self._connection = connection
        self._base = base
        self._lock = threading.Lock()
        self._name = base
        self._folder: Path | None = None

    def put_on(self, folder: Path | None) -> str:
        """Load the adapter in ``folder`` unless the server has it, drop its siblings, and tell its name.

        Adapters of the same folder of adapters, of earlier cycles and of a campaign that was killed, are dropped
        from the server; those of other campaigns stay. ``None`` is the model without any.

        Raises:
            FileNotFoundError: ``folder`` holds no adapter.
            AdapterRefused: the server does not take it; what was in use stays.
            ServerUnreachable: nothing answers.
        """
        with self._lock:
            if folder is None and self._folder is None:
                return self._base
            name = self._name
            if folder != self._folder:
                name = adapter_name(folder) if folder is not None else self._base
            here = self._connection.models()
            if folder is not None and name not in here:  # also where a server was started again since
                self._load(name, folder)
            for other in self._siblings(folder, here):
                if other != name:
                    self._connection.unload_adapter(other)
            self._name, self._folder = name, folder
            return name

    def _siblings(self, folder: Path | None, here: dict[str, int | None]) -> list[str]:
        """Adapters on the server that lie beside the new one or the one in use."""
        families = {_family(one) for one in (folder, self._folder) if one is not None}
        return [name for name in here if any(family in name for family in families)]

    def _load(self, name: str, folder: Path) -> None:
        try:
            self._connection.load_adapter(name, str(folder.resolve()))
        except RequestRefused as refused:
            if refused.status == 404 and not self._connection.takes_adapters():
                raise AdapterRefused(
                    f"the server at {self._connection.url} takes no adapters while it runs: start it with "
                    "--enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment, as "
                    "'netwright serve-model' does, or set campaign.tune=false"
                ) from refused
            raise AdapterRefused(
                f"{refused}. The adapter is {folder}, of rank {adapter_rank(folder)}: the server must be able to read "
                "that folder, and its --max-lora-rank (model.serving.max_lora_rank) must not be below the rank"
            ) from refused
