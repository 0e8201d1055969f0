"""Sandboxes shared by the tests of the room: the contract's two backends without torch, and one with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from netwright.sandbox import Sandbox, WorkerImage, open_sandbox

HANDLER = '''
"""Runs a candidate's source and hands back its variable ``result``."""

def run(payload, data, note):
    names = {"note": note, "data": data, "payload": payload, "result": {}}
    exec(compile(payload["source"], "<candidate>", "exec"), names)
    return names["result"]

def number(payload, data, note):
    return 7

def unwritable(payload, data, note):
    return {"value": object()}
'''


@pytest.fixture(scope="session")
def handlers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one handler module, ``candidate``."""
    folder = tmp_path_factory.mktemp("handlers")
    (folder / "candidate.py").write_text(HANDLER)
    return folder


@pytest.fixture(scope="session")
def bubblewrap(handlers: Path) -> Iterator[Sandbox]:
    """One worker without torch; what attack programs run in."""
    with open_sandbox("bubblewrap", WorkerImage(handlers, preload=()), workers=1) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def process(handlers: Path) -> Iterator[Sandbox]:
    """One worker of the backend that is no boundary."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = open_sandbox("process", WorkerImage(handlers, preload=()), workers=1)
    with opened as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def torch_sandbox(handlers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Two workers with torch and a data set ``digits`` of three arrays, one readable by its owner only."""
    folder = tmp_path_factory.mktemp("digits")
    np.save(folder / "x.npy", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    np.save(folder / "fortran.npy", np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    np.save(folder / "empty.npy", np.zeros((0, 3), dtype=np.float32))
    (folder / "x.npy").chmod(0o600)
    with open_sandbox("bubblewrap", WorkerImage(handlers, data={"digits": folder}), workers=2) as sandbox:
        yield sandbox
