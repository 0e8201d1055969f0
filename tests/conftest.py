"""What every test gets: its own data directory, one thread, strict checkpoints, no network but loopback."""

from __future__ import annotations

import os

# Before anything imports torch or langgraph: both read these once.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["LANGSMITH_TRACING"] = "false"

import importlib
import ipaddress
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from netwright.sandbox import Sandbox

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


class NetworkForbidden(RuntimeError):
    """A test tried to reach something beyond loopback."""


def is_local(family: int, address: Any) -> bool:
    """Whether a socket address stays on this machine: a Unix path, a loopback IP or the name localhost."""
    if family == getattr(socket, "AF_UNIX", None):
        return True
    host = address[0] if isinstance(address, tuple) else address
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class GuardedSocket(socket.socket):
    """A socket that connects and sends to this machine only."""

    def _check(self, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not is_local(self.family, address):
            raise NetworkForbidden(f"tests may not use the network: {address!r}")

    def connect(self, address: Any) -> None:
        self._check(address)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        self._check(address)
        return super().connect_ex(address)

    def sendto(self, data: Any, *rest: Any) -> int:
        self._check(rest[-1])
        return super().sendto(data, *rest)


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Replace ``socket.socket`` in this process for the whole session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", GuardedSocket)
        yield


@pytest.fixture(autouse=True, scope="session")
def interrupts_arrive() -> None:
    """A shell that runs the tests in the background ignores Ctrl-C for them and for every process they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def netwright_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test's own."""
    home = tmp_path / "netwright-home"
    monkeypatch.setenv("NETWRIGHT_HOME", str(home))
    return home


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """One intra-op thread, so that seeds give the same numbers everywhere and cores are not fought over."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def few_trees() -> Iterator[None]:
    """Predictors of few folds and trees, each with more say, judged by few draws: tests fit dozens of them."""
    from netwright.tools.prediction import evaluation, model, trees

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(trees._TREES, "n_estimators", 12)
        patch.setitem(trees._TREES, "learning_rate", 0.35)
        patch.setattr(model, "FOLDS", 4)
        patch.setattr(evaluation, "BOOTSTRAPS", 200)
        yield


@pytest.fixture(scope="session")
def digits_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The bubblewrap sandbox, ready to validate anything and to train on digits; opened once, shared by all."""
    from netwright.sandbox import open_sandbox
    from netwright.tools.training import evaluation_image

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(tmp_path_factory.mktemp("sandbox-home")))
        image = evaluation_image(["digits"])
    with open_sandbox("bubblewrap", image, workers=2) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def benchmark(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The script of ``benchmarks/`` that a test module names in ``BENCHMARK``; afterwards none of them is loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module(request.module.BENCHMARK)
        for name in [path.stem for path in BENCHMARKS.glob("*.py")]:
            sys.modules.pop(name, None)
