"""Model servers of this machine: start one, find a running one by its state file, wait until it answers, stop it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...memory.home import home_folder
from .client import Connection, RequestRefused
from .environment import ServeEnvironment
from .settings import ServeKind, ServeSettings, ServeSpec, ServingError, serve_command, serve_variables

_LOOK_S: Final = 0.5
_STOP_S: Final = 30.0
_TAIL: Final = 12
_LOGS: Final = 20
# What a server may see of this process's environment: where programs, libraries and GPUs are, no keys. Of NVIDIA's
# variables a few by name, because NVIDIA_API_KEY is a provider's key.
_PASSED: Final = re.compile(
    r"PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|CUDA_\w+|NCCL_\w+"
    r"|NVIDIA_(VISIBLE_DEVICES|DRIVER_CAPABILITIES|TF32_OVERRIDE)"
)


class ServerState(BaseModel):
    """What the state file of a running server says; readable by its user alone, because of the key.

    Attributes:
        weights: what the model's folder held when the server was started; it may have been written anew since.
        pid: the guardian's; ``begun`` is when it started, so that another process of this number is not taken for it.
        owner: process that the server ends with; ``None``: it stays until it is stopped.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    name: str
    kind: ServeKind
    settings: ServeSettings
    weights: str = ""
    python: str
    port: int
    key: str = Field(repr=False)
    pid: int
    begun: float
    owner: int | None
    log: Path

    @property
    def url(self) -> str:
        """The address of the server's interface."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def spec(self) -> ServeSpec:
        """What it serves."""
        return ServeSpec(model=self.model, name=self.name, kind=self.kind, settings=self.settings)

    @property
    def alive(self) -> bool:
        """Whether the process that was started still runs."""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.begun) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    @property
    def key_file(self) -> Path:
        """A file that holds the key alone, for other clients."""
        return _file(self.port).with_suffix(".key")

    def connect(self) -> Connection:
        """A connection to it."""
        remedy = f"see its log {self.log}; netwright serve-model --status lists servers, and starts one without it"
        return Connection(self.url, self.key, remedy)

    def log_tail(self, lines: int = _TAIL) -> str:
        """The last lines of its log."""
        if not self.log.is_file():
            return "(the log is empty)"
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def servers() -> list[ServerState]:
    """The servers that run, by port. State files of those that ended are cleared away."""
    found = []
    for path in sorted(home_folder("serving", "servers").glob("*.json")):
        try:
            state = ServerState.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValidationError, FileNotFoundError):
            continue  # of another version: its server may run
        if state.alive:
            found.append(state)
        else:
            path.unlink(missing_ok=True)
            path.with_suffix(".key").unlink(missing_ok=True)
    return found


def find_server(spec: ServeSpec) -> ServerState | None:
    """A running server that answers as ``spec`` would and belongs to no other process."""
    port, weights = spec.settings.port, _weights(spec)
    for state in servers():
        same = state.spec.fingerprint == spec.fingerprint and state.weights == weights
        if same and state.owner is None and port in (None, state.port):
            return state
    return None


def start_server(spec: ServeSpec, environment: ServeEnvironment, *, owned: bool) -> ServerState:
    """Start a server; it does not answer yet, see :func:`wait_ready`.

    Args:
        owned: it ends with this process, however that ends; else it stays until :func:`stop_server`.

    Raises:
        ServingError: its port is taken.
    """
    port = _port(spec.settings.port)
    log = home_folder("serving", "logs") / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', spec.name)}-{port}.log"
    log.unlink(missing_ok=True)
    _drop_old_logs(log.parent)
    key, owner = secrets.token_urlsafe(32), os.getpid() if owned else None
    order = {
        "command": serve_command(environment.python, spec, port),
        "environment": clean_environment() | serve_variables(spec, key, home_folder("serving", "cache")),
        "log": str(log),
        "owner": owner,
        "files": [str(_file(port)), str(_file(port).with_suffix(".key"))],
    }
    guardian = subprocess.Popen(
        [sys.executable, "-I", str(Path(__file__).with_name("guardian.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert guardian.stdin is not None
    state = ServerState(
        model=spec.model,
        name=spec.name,
        kind=spec.kind,
        settings=spec.settings,
        weights=_weights(spec),
        python=str(environment.python),
        port=port,
        key=key,
        pid=guardian.pid,
        begun=psutil.Process(guardian.pid).create_time(),
        owner=owner,
        log=log,
    )
    _write(_file(port), state.model_dump_json())
    _write(state.key_file, key)
    guardian.stdin.write(json.dumps(order).encode() + b"\n")
    guardian.stdin.close()
    return state


def wait_ready(state: ServerState, tell: Callable[[float], None] = lambda seconds: None) -> float:
    """Wait until a server answers; a server that was just started loads the model first.

    Args:
        tell: called now and then with the seconds waited.

    Returns:
        Seconds waited.

    Raises:
        ServingError: it ended, or did not answer in time and was stopped; the message shows the end of its log.
    """
    begun = time.monotonic()
    connection = state.connect()
    try:
        while not connection.healthy():
            waited = time.monotonic() - begun
            tell(waited)
            if not state.alive:
                raise ServingError(f"the model server for {state.name} ended while it started:\n{state.log_tail()}")
            if waited > state.settings.ready_s:
                stop_server(state)
                raise ServingError(
                    f"the model server for {state.name} did not answer within {state.settings.ready_s:g} s "
                    f"(model.serving.ready_s) and was stopped:\n{state.log_tail()}"
                )
            time.sleep(_LOOK_S)
        _is_ours(connection, state)
    finally:
        connection.close()
    return time.monotonic() - begun


def _is_ours(connection: Connection, state: ServerState) -> None:
    """Something else may have taken the port in the moment between choosing it and binding it."""
    try:
        if state.name in connection.models():
            return
    except RequestRefused:
        pass
    stop_server(state)
    raise ServingError(f"another program answers at {state.url}; start the server again, or choose another --port")


def stop_server(state: ServerState) -> None:
    """End a server and all its processes.

    Raises:
        ServingError: it is still there after half a minute.
    """
    if state.alive:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(state.pid).terminate()
    # Not by waiting for the process to be gone: ended, it stays a zombie as long as its owner does not look.
    deadline = time.monotonic() + _STOP_S
    while state.alive:
        if time.monotonic() > deadline:
            raise ServingError(f"the model server at {state.url} does not end; its process is {state.pid}")
        time.sleep(0.05)
    _file(state.port).unlink(missing_ok=True)
    state.key_file.unlink(missing_ok=True)


def key_for(url: str) -> str | None:
    """The key of a server of this machine by its address; ``None`` for others."""
    address = url.rstrip("/").replace("//localhost:", "//127.0.0.1:")
    return next((state.key for state in servers() if state.url == address), None)


def clean_environment() -> dict[str, str]:
    """This process's environment without what is none of a server's business, keys of providers among it."""
    return {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}


def _port(wanted: int | None) -> int:
    """A free port on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except OSError as error:
            raise ServingError(
                f"port {wanted} on 127.0.0.1 cannot be used ({error.strerror}): choose another, or none for a free one"
            ) from error
        return int(probe.getsockname()[1])


def _drop_old_logs(folder: Path) -> None:
    """Ports are chosen anew, and with them names of logs: the newest stay, and those of servers that run."""
    running = {state.log for state in servers()}
    logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in logs[_LOGS:]:
        if old not in running:
            old.unlink(missing_ok=True)


def _weights(spec: ServeSpec) -> str:
    """Twelve hex digits over names, sizes and times of the files that a model is read from."""
    files = sorted(path for end in ("*.json", "*.safetensors", "*.bin") for path in Path(spec.model).glob(end))
    told = [(path.name, stat.st_size, stat.st_mtime_ns) for path in files if (stat := path.stat())]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:12]


def _file(port: int) -> Path:
    return home_folder("serving", "servers") / f"{port}.json"


def _write(path: Path, text: str) -> None:
    """Write a file that only its user can read, all or nothing."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    scratch.replace(path)
