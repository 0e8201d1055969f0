"""Sandboxes shared by the tests of the room, and the attacks: how one is run and what is told of all at the end."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from netwright.sandbox import Job, Limits, Outcome, Sandbox, WorkerImage, open_sandbox

ATTACKS = Path(__file__).with_name("attacks")
SCORES = pytest.StashKey[dict[tuple[str, str], str]]()
DOCKER = pytest.param("docker", marks=pytest.mark.docker)

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
def docker(handlers: Path) -> Iterator[Sandbox]:
    """One container without torch."""
    with open_sandbox("docker", WorkerImage(handlers, preload=()), workers=1) as sandbox:
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
def private_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three arrays, one readable by its owner only."""
    folder = tmp_path_factory.mktemp("digits")
    np.save(folder / "x.npy", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    np.save(folder / "fortran.npy", np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    np.save(folder / "empty.npy", np.zeros((0, 3), dtype=np.float32))
    (folder / "x.npy").chmod(0o600)
    return folder


@pytest.fixture(scope="session")
def torch_bubblewrap(handlers: Path, private_digits: Path) -> Iterator[Sandbox]:
    """Two workers with torch and a data set ``digits``."""
    with open_sandbox("bubblewrap", WorkerImage(handlers, data={"digits": private_digits}), workers=2) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def torch_docker(handlers: Path, private_digits: Path) -> Iterator[Sandbox]:
    """Two containers with torch and a data set ``digits``."""
    with open_sandbox("docker", WorkerImage(handlers, data={"digits": private_digits}), workers=2) as sandbox:
        yield sandbox


@pytest.fixture(params=["bubblewrap", DOCKER])
def torch_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Each isolating backend with torch."""
    opened: Sandbox = request.getfixturevalue(f"torch_{request.param}")
    return opened


@pytest.fixture(scope="session")
def docker_digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One container, ready to validate anything and to train on digits."""
    from netwright.tools.training import evaluation_image

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(tmp_path_factory.mktemp("docker-home")))
        image = evaluation_image(["digits"])
    with open_sandbox("docker", image, workers=1) as sandbox:
        yield sandbox


class Attack:
    """A program of ``attacks/`` and a backend to run it in."""

    def __init__(self, name: str, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        prelude = (ATTACKS / "_prelude.py").read_text()
        self.source = (ATTACKS / f"{name}.py").read_text()
        self._program = f"{prelude}\n\n{self.source}"

    def run(self, payload: dict[str, Any] | None = None, **limits: Any) -> Outcome:
        """Run it under small limits; afterwards the sandbox still serves."""
        bounds = Limits(**{"wall_s": 20.0, "cpu_s": 10.0, "memory_mb": 256, "scratch_mb": 16, **limits})
        told = {"source": self._program, **(payload or {})}
        outcome = self.sandbox.run(Job(handler="candidate.run", payload=told, limits=bounds))
        assert self.next("result = {'alive': True}") == {"alive": True}
        return outcome

    def report(self, payload: dict[str, Any] | None = None, **limits: Any) -> dict[str, Any]:
        """Run it to its end. What it noticed; it must not have noticed a success."""
        outcome = self.run(payload, **limits)
        assert outcome.status == "ok", outcome
        found: dict[str, Any] = outcome.result
        assert found["won"] == []
        return found

    def refusals(self, payload: dict[str, Any] | None = None, **limits: Any) -> set[str]:
        """Run an attack that makes claims to its end. The names of the errors that they met."""
        found = self.report(payload, **limits)
        claims = found.keys() - {"won"}
        assert claims, "the attack tried nothing"
        return {str(found[claim]) for claim in claims}

    def next(self, source: str) -> Any:
        """What another candidate finds, after this one."""
        return self.sandbox.run(Job(handler="candidate.run", payload={"source": source})).result

    def residents(self) -> set[int]:
        """Processes on this machine, as the host sees them, that belong to the sandbox."""
        workers = set(self.sandbox.processes())  # type: ignore[attr-defined]
        users = {psutil.Process(pid).uids().real for pid in workers} - {os.getuid()}
        return workers | {one.pid for one in psutil.process_iter(["uids"]) if _user(one) in users}

    @property
    def settled(self) -> set[int]:
        """The processes of a sandbox that has nothing to do."""
        self.next("result = {}")
        return self.residents()


def _user(process: psutil.Process) -> int | None:
    found = process.info["uids"]
    return None if found is None else int(found.real)


@pytest.fixture(params=["bubblewrap", DOCKER])
def attack(request: pytest.FixtureRequest) -> Attack:
    """The attack that a test is named after, in each isolating backend in turn."""
    name = request.node.originalname.removeprefix("test_")
    return Attack(name, request.getfixturevalue(request.param))


@pytest.fixture(params=["bubblewrap", DOCKER])
def trained_attack(request: pytest.FixtureRequest) -> Attack:
    """As ``attack``, for programs that are networks: with torch and the digits in the worker."""
    name = request.node.originalname.removeprefix("test_")
    fixture = {"bubblewrap": "digits_sandbox", "docker": "docker_digits"}[request.param]
    return Attack(name, request.getfixturevalue(fixture))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Write down how an attack ended. Whatever is not shown to be blocked counts as a success of the attack."""
    report = yield
    names = {"attack", "trained_attack"} & set(getattr(item, "fixturenames", ()))
    if names and isinstance(item, pytest.Function) and not report.skipped and (report.failed or report.when == "call"):
        scores = item.config.stash.setdefault(SCORES, {})
        backend = str(item.callspec.params[names.pop()])
        key = (item.originalname.removeprefix("test_"), backend)
        blocked = report.passed and scores.get(key) != "SUCCEEDED"
        scores[key] = "blocked" if blocked else "SUCCEEDED"
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print backend × attack."""
    scores = config.stash.get(SCORES, {})
    if not scores:
        return
    write: Callable[[str], None] = terminalreporter.write_line
    attacks, backends = sorted({name for name, _ in scores}), sorted({backend for _, backend in scores})
    width = max(map(len, attacks))
    terminalreporter.section("attacks")
    write(" ".join([f"{'':{width}}", *(f"{backend:>12}" for backend in backends)]))
    for name in attacks:
        write(" ".join([f"{name:{width}}", *(f"{scores.get((name, b), '-'):>12}" for b in backends)]))
    for backend in backends:
        told = [score for (_, where), score in scores.items() if where == backend]
        write(f"{backend}: {told.count('SUCCEEDED')} of {len(told)} attacks succeeded")
