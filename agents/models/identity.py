"""Which weights a model's name stands for on this machine, so that records do not answer for others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from .config import SCRIPTED, SMOLLM2, ModelConfig
from .folders import folder_here, place_of
from .smollm2 import SHA256 as SMOLLM2_SHA256

NOT_HERE = "not on this machine"
"""Identity of a model whose weights or script are missing, be it to be fetched or to be refused when opened."""

# What decides an answer beside the prompt: weights, tokenizer, and the template that makes the prompt a text.
_MODEL_FILES = ("*.safetensors", "*.bin", "tokenizer.json", "*.model", "*.jinja")
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.*")


def model_identity(config: ModelConfig) -> str:
    """What tells the model that ``config`` names from another one of the same name.

    Nothing is downloaded, converted or loaded. File contents are hashed once per process and version of a file.

    Returns:
        16 hex digits over weights, tokenizer, template and adapter of a model in this process, or over the script
        of a scripted one; the name of a hosted model, with the address of a served one and the digits of the adapter
        that it starts with; :data:`NOT_HERE`.
    """
    if config.base_url is not None:
        place, adapter = f"{config.name} at {_without_password(config.base_url)}", _adapter(config)
        return f"{place} with {_of_files(adapter)}" if adapter else place
    if config.name == SCRIPTED:
        return _of_files([config.path] if config.path is not None and config.path.is_file() else [])
    if config.name == SMOLLM2 and config.path is None:
        # Its folder is made from these very weights, and only from them, when the model is first opened.
        return _of_digests([("gguf", SMOLLM2_SHA256), *_digests(_adapter(config))])
    folder = local_folder(config)
    if folder is None:
        return config.name
    weights = _matching(folder, _MODEL_FILES)
    if not (folder / "config.json").is_file() or not weights:
        return NOT_HERE
    return _of_files([*weights, *_adapter(config)])


def local_folder(config: ModelConfig) -> Path | None:
    """Where a local model lies or would lie once it is fetched; ``None`` for a hosted one.

    Behind an address it counts as a local one when its weights are here too: then it can be tuned.
    """
    return folder_here(config) if config.base_url is not None else place_of(config)


def _adapter(config: ModelConfig) -> list[Path]:
    return _matching(config.adapter, _ADAPTER_FILES) if config.adapter is not None else []


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def _of_files(files: Iterable[Path]) -> str:
    digests = _digests(files)
    return _of_digests(digests) if digests else NOT_HERE


def _digests(files: Iterable[Path]) -> list[tuple[str, str]]:
    """Name and SHA-256 of each file."""
    stats = [(path, path.stat()) for path in files]
    return [(path.name, _file_sha256(path.resolve(), stat.st_size, stat.st_mtime_ns)) for path, stat in stats]


def _of_digests(digests: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


@lru_cache(maxsize=256)
def _file_sha256(path: Path, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file's contents; size and time of change are there to tell its versions apart."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _without_password(url: str) -> str:
    """An address as it may be written down."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
