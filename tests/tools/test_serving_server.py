"""Starting, finding and ending servers: real processes and a real HTTP server that stands in for vLLM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from netwright.memory.home import home_folder
from netwright.tools.serving.client import ServerUnreachable
from netwright.tools.serving.environment import (
    MAKE,
    lock_text,
    make_command,
    make_environment,
    ready_environment,
    serve_environment,
)
from netwright.tools.serving.server import (
    ServerState,
    _drop_old_logs,
    find_server,
    key_for,
    servers,
    start_server,
    stop_server,
    wait_ready,
)
from netwright.tools.serving.settings import ServeSettings, ServeSpec, ServingError
from netwright.tools.serving.source import OwnServer

from .serving_parts import standin_environment


def spec(name: str = "nano", **settings: object) -> ServeSpec:
    return ServeSpec(model="/models/nano", name=name, kind="cpu", settings=ServeSettings(**{"ready_s": 60, **settings}))


def started(wanted: ServeSpec, *, owned: bool) -> ServerState:
    state = start_server(wanted, ready_environment("cpu"), owned=owned)
    wait_ready(state)
    return state


@pytest.fixture(autouse=True)
def environment():
    """The stand-in; whatever a test left running ends with it."""
    yield standin_environment()
    for state in servers():
        stop_server(state)


def printed(state: ServerState, word: str) -> list[dict]:
    """What the stand-in wrote to its log after a word."""
    lines = state.log.read_text().splitlines()
    return [json.loads(line.partition(" ")[2]) for line in lines if line.startswith(f"{word} ")]


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited a minute in vain"
        time.sleep(0.05)


def test_a_server_answers_is_found_again_and_ends() -> None:
    state = started(spec(), owned=False)
    inner = psutil.Process(state.pid).children(recursive=True)
    assert find_server(spec()) == state
    assert find_server(spec(port=state.port)) == state
    assert find_server(spec(context=512)) is None
    assert find_server(spec("other")) is None
    assert key_for(state.url) == key_for(state.url.replace("127.0.0.1", "localhost") + "/") == state.key
    stop_server(state)
    assert servers() == []
    assert key_for(state.url) is None
    assert inner
    assert all(gone(process.pid) for process in inner)
    with pytest.raises(ServerUnreachable, match="does not answer"):
        state.connect().models()


def test_key_and_state_are_for_their_user_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-service")
    monkeypatch.setenv("NVIDIA_API_KEY", "of-another-service")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    state = started(spec(), owned=True)
    files = [p for p in home_folder("serving", "servers").iterdir() if p.suffix in {".json", ".key"}]
    assert len(files) == 2
    assert {p.stat().st_mode & 0o777 for p in files} == {0o600}
    assert state.key_file.read_text() == state.key
    commands = [" ".join(p.cmdline()) for p in psutil.Process(state.pid).children(recursive=True)]
    assert commands
    assert not any(state.key in command for command in commands)
    (seen,) = printed(state, "environment")
    assert "of-another-service" not in seen.values()
    assert seen["CUDA_VISIBLE_DEVICES"] == "1"
    assert (seen["VLLM_API_KEY"], seen["VLLM_ALLOW_RUNTIME_LORA_UPDATING"]) == (state.key, "True")
    wrong = state.model_copy(update={"key": "wrong"})
    with pytest.raises(ServingError, match=r"refuses the key.*model\.api_key_env"):
        wrong.connect().models()


def test_a_server_that_fails_to_start_shows_its_log() -> None:
    state = start_server(spec("broken"), ready_environment("cpu"), owned=True)
    with pytest.raises(ServingError, match="ended while it started:\nValueError: this model cannot be loaded"):
        wait_ready(state)
    wait_for(lambda: servers() == [])


def test_a_taken_port_is_refused() -> None:
    state = started(spec(), owned=True)
    with pytest.raises(ServingError, match=f"port {state.port} on 127.0.0.1 cannot be used"):
        start_server(spec(port=state.port), ready_environment("cpu"), owned=True)


def test_without_the_environment_the_error_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path / "empty"))
    with pytest.raises(ServingError, match=MAKE):
        ready_environment("cpu")
    assert serve_environment("cpu").folder != serve_environment("gpu").folder
    monkeypatch.setattr("netwright.tools.serving.environment.kind_here", lambda: "cpu")
    assert (make_command("cpu"), make_command("gpu")) == (MAKE, f"{MAKE} --set model.serving.device=gpu")


def test_the_environment_counts_when_it_is_made_to_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path / "empty"))
    results, told = [0, 1, 0, 0, 0, 0], list[str]()

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        serve_environment("cpu").folder.mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, results.pop(0), "", "No space left on device")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("netwright.tools.serving.environment.kind_here", lambda: "cpu")
    with pytest.raises(ServingError, match=rf"pip install failed with exit code 1:\nNo space left.*\n.*{MAKE}"):
        make_environment("cpu")
    assert not serve_environment("cpu").made
    place = make_environment("cpu", told.append)
    assert place.made
    assert results == []
    assert [line.split()[0] for line in told] == ["making", "installing", "removing", "importing"]
    assert (place.folder / "lock.txt").read_text() == lock_text("cpu")
    assert make_environment("cpu", told.append) == place
    assert len(told) == 4, "it is there already"


@pytest.fixture
def owner():
    """A process that has started a server for itself and looks no more."""
    program = (
        "import time\n"
        "from netwright.tools.serving.settings import ServeSpec\n"
        "from netwright.tools.serving.source import OwnServer\n"
        f"source = OwnServer(ServeSpec.model_validate_json({spec().model_dump_json()!r}))\n"
        "source.opened()\n"
        "print(flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_an_owned_server_dies_with_its_owner(owner) -> None:
    """However the owner ends: killed, it has no chance to tidy up."""
    (state,) = servers()
    guardian = psutil.Process(state.pid)
    inner = guardian.children(recursive=True)
    assert inner
    assert state.owner == owner.pid
    assert find_server(spec()) is None, "a server that belongs to a process is not for others"
    owner.kill()
    wait_for(lambda: all(gone(process.pid) for process in (guardian, *inner)))
    assert servers() == []


def test_a_server_of_another_process_can_be_stopped(owner) -> None:
    """Its guardian stays a zombie then, because its parent does not look."""
    (state,) = servers()
    begun = time.monotonic()
    stop_server(state)
    assert time.monotonic() - begun < 15
    assert servers() == []
    assert owner.poll() is None


def test_a_guardian_that_is_killed_takes_the_server_along() -> None:
    state = started(spec(), owned=False)
    inner = psutil.Process(state.pid).children(recursive=True)
    os.kill(state.pid, signal.SIGKILL)
    wait_for(lambda: all(gone(process.pid) for process in inner))
    assert servers() == [], "the state file that is left names a process that is gone"
    assert list(home_folder("serving", "servers").iterdir()) == []


def test_a_server_of_weights_that_were_there_before_is_not_found(tmp_path: Path) -> None:
    wanted = spec().model_copy(update={"model": str(tmp_path)})
    (tmp_path / "model.safetensors").write_bytes(b"one")
    state = start_server(wanted, ready_environment("cpu"), owned=False)
    assert find_server(wanted) == state
    (tmp_path / "model.safetensors").write_bytes(b"another")
    assert find_server(wanted) is None


def test_a_source_takes_a_server_that_runs_and_leaves_it_running() -> None:
    state = started(spec(), owned=False)
    source = OwnServer(spec())
    connection, _ = source.opened()
    assert connection.url == state.url
    source.close()
    assert servers() == [state]


def test_a_source_starts_its_own_server_again_after_it_died() -> None:
    source = OwnServer(spec())
    first, swap = source.opened()
    assert source.opened() == (first, swap)
    (state,) = servers()
    os.kill(psutil.Process(state.pid).children()[0].pid, signal.SIGKILL)
    wait_for(lambda: not state.alive)
    second, _ = source.opened()
    assert "nano" in second.models()
    assert second is not first
    source.close()
    assert servers() == []


def test_a_source_that_shares_its_gpu_makes_room_and_starts_again() -> None:
    staying = OwnServer(spec())
    staying.opened()
    staying.make_room()
    assert len(servers()) == 1
    staying.close()

    alone = spec()
    sharing = OwnServer(alone.model_copy(update={"settings": alone.settings.model_copy(update={"stop_to_tune": True})}))
    first, _ = sharing.opened()
    sharing.make_room()
    assert servers() == []
    second, _ = sharing.opened()
    assert second is not first
    assert "nano" in second.models()
    sharing.close()


def test_a_state_file_of_another_version_stays_and_old_logs_go(netwright_home: Path) -> None:
    other = home_folder("serving", "servers") / "1.json"
    other.write_text("{}", encoding="utf-8")
    assert servers() == []
    assert other.is_file()
    logs = home_folder("serving", "logs")
    for n in range(30):
        (logs / f"old-{n}.log").touch()
        os.utime(logs / f"old-{n}.log", (n, n))
    _drop_old_logs(logs)
    assert sorted(path.name for path in logs.iterdir()) == sorted(f"old-{n}.log" for n in range(10, 30))
