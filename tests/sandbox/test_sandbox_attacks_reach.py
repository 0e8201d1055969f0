"""Attacks on what lies outside: network, sockets, files, environment. The host looks whether anything happened."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from .conftest import Attack

SECRET = "canary-5e5d2a"


class Service:
    """A socket of the host that notes who comes."""

    def __init__(self, family: int, kind: int, address: Any) -> None:
        self.visits = 0
        self._server = socket.socket(family, kind)
        self._server.bind(address)
        if kind == socket.SOCK_STREAM:
            self._server.listen()
        self.address = self._server.getsockname()
        self._kind = kind
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                if self._kind == socket.SOCK_STREAM:
                    self._server.accept()[0].close()
                else:
                    self._server.recv(16)
                self.visits += 1

    def works(self) -> bool:
        """Does it notice a visit of our own?"""
        before = self.visits
        with socket.socket(self._server.family, self._kind) as client:
            client.connect(("127.0.0.1", self.address[1]) if self._server.family == socket.AF_INET else self.address)
            if self._kind == socket.SOCK_DGRAM:
                client.send(b"x")
        deadline = time.monotonic() + 5
        while self.visits == before and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.visits > before

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def service() -> Iterator[Any]:
    """Makes services that are closed at the end."""
    opened: list[Service] = []

    def make(family: int, kind: int, address: Any) -> Service:
        opened.append(Service(family, kind, address))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_network_out(attack: Attack, service: Any) -> None:
    tcp = service(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0))
    udp = service(socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", tcp.address[1]))
    own = [a.address for found in psutil.net_if_addrs().values() for a in found if a.family == socket.AF_INET]
    attack.report({"addresses": [*own, "0.0.0.0", "192.0.2.1", "169.254.169.254"], "port": tcp.address[1]})
    assert (tcp.visits, udp.visits) == (0, 0)
    assert tcp.works()


def test_network_in(attack: Attack) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reached, done = [], threading.Event()

    def knock() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1) as client:
                if client.getsockname() != client.getpeername():  # a port may connect to itself
                    reached.append(1)
            time.sleep(0.02)

    knocking = threading.Thread(target=knock)
    knocking.start()
    try:
        attack.report({"port": port})
    finally:
        done.set()
        knocking.join()
    assert not reached


def test_network_loopback(attack: Attack, service: Any) -> None:
    local = service(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
    attack.report({"port": local.address[1]})
    assert local.visits == 0
    assert local.works()


def test_network_families(attack: Attack) -> None:
    found = attack.report()
    found.pop("won")
    assert set(found.values()) == {"EAFNOSUPPORT"}


def test_abstract_socket(attack: Attack, service: Any) -> None:
    name = f"netwright-test-{os.getpid()}-{id(attack)}"
    stream = service(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + name)
    attack.report({"name": name})
    assert stream.visits == 0
    assert stream.works()


def test_docker_socket(attack: Attack, service: Any, tmp_path: Path) -> None:
    path = tmp_path / "service"
    file = service(socket.AF_UNIX, socket.SOCK_STREAM, str(path))
    path.chmod(0o777)
    attack.report({"path": str(path)})
    assert file.visits == 0
    assert file.works()


def test_environment_of_others(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", SECRET)
    with subprocess.Popen(["sleep", "60"], env={"SECRET_TOKEN": SECRET}) as other:
        try:
            outcome = attack.run({"name": "SECRET_TOKEN", "pids": [os.getpid(), other.pid]})
        finally:
            other.kill()
    assert outcome.status == "ok"
    assert outcome.result["won"] == []
    assert SECRET not in outcome.model_dump_json()
    found = outcome.result["environment"]
    assert (found["HOME"], found["PATH"]) == ("/scratch", "/usr/bin:/bin")
    assert not any(str(Path.home()) in value for value in found.values())


def test_secret_files(attack: Attack, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    tmp_path.chmod(0o755)
    paths = [secret, tmp_path, Path.home(), Path(__file__), Path.cwd(), Path(psutil.__file__).parents[3]]
    outcome = attack.report({"paths": [str(path) for path in paths]})
    assert SECRET not in json.dumps(outcome)


def test_search_for_a_canary(attack: Attack) -> None:
    name = f"netwright-canary-{os.getpid()}"
    places = [Path("/var/tmp", name), Path("/tmp", name), Path("/dev/shm", name)]
    places += [Path("/opt", name), Path("/srv", name)] if os.getuid() == 0 else []
    try:
        for place in places:
            place.write_text(SECRET)
            place.chmod(0o644)
        found = attack.report({"name": name})
        assert found["searched"] > 10
        assert all(place.read_text() == SECRET for place in places)
    finally:
        for place in places:
            place.unlink(missing_ok=True)


def test_dotdot_escape(attack: Attack, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    assert attack.refusals({"path": str(secret)}) <= {"ENOENT", "EPERM", "EACCES"}
    assert secret.read_text() == SECRET


def test_links(attack: Attack, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text(SECRET)
    canary.chmod(0o666)
    tmp_path.chmod(0o777)
    attack.report({"path": str(canary)})
    assert canary.read_text() == SECRET
    assert canary.stat().st_nlink == 1
    assert not Path("/usr/lib/written").exists()


def test_devices(attack: Attack) -> None:
    # ENXIO and ENOTTY: there is no terminal. ENODEV and EACCES: of device files that a host shows and forbids.
    assert attack.refusals() <= {"ENOENT", "EPERM", "ENXIO", "ENOTTY", "EACCES", "ENODEV"}


def digest(folder: Path) -> str:
    """A hash over the names, modes and contents below a folder."""
    parts = [(str(p), p.lstat().st_mode, p.read_bytes() if p.is_file() else b"") for p in sorted(folder.rglob("*"))]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def shown(handlers: Path) -> list[Path]:
    """Small folders of the host that are shown inside."""
    from netwright.sandbox.layout import INSIDE

    return [handlers, INSIDE]


def test_write_outside(attack: Attack, handlers: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text(SECRET)
    canary.chmod(0o666)
    tmp_path.chmod(0o777)
    name = f"netwright-written-{os.getpid()}"
    before = [digest(folder) for folder in (*shown(handlers), tmp_path)]
    attack.report({"name": name, "folders": [str(tmp_path), "/var/lib"], "files": [str(canary)]})
    assert [digest(folder) for folder in (*shown(handlers), tmp_path)] == before
    places = ["/", "/usr", "/usr/lib", "/dev", "/etc", "/tmp", "/var/tmp", "/run", Path(psutil.__file__).parents[1]]
    assert not [place for place in places if Path(place, name).exists()]


def test_delete_data(attack: Attack, handlers: Path, netwright_home: Path) -> None:
    data = netwright_home / "data"
    data.mkdir(parents=True)
    (data / "train.npy").write_text(SECRET)
    for folder in (*data.parents[:2], data):
        folder.chmod(0o777)
    before = [digest(folder) for folder in (*shown(handlers), netwright_home)]
    licences = len(list(Path("/usr/share").iterdir()))
    attack.report({"folders": [str(netwright_home)], "files": [str(data / "train.npy"), "/usr/bin/env"]})
    assert [digest(folder) for folder in (*shown(handlers), netwright_home)] == before
    assert len(list(Path("/usr/share").iterdir())) == licences


def test_host_identity(attack: Attack) -> None:
    found = attack.report()
    assert platform.node() not in found["names"]
    assert found["names"][3] == "/scratch"


def test_descriptors(attack: Attack) -> None:
    found = attack.report()
    assert found["kinds"] == {"0": False, "1": True, "2": True, "3": True, "4": True}


def test_core_dump(attack: Attack) -> None:
    outcome = attack.run()
    assert (outcome.status, outcome.exit_code) == ("crash", -11)
    assert not list(Path.cwd().glob("core*"))
