"""The docker backend: what its containers are, when they are replaced, and that it agrees with bubblewrap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from netwright.graphs.asked import campaign_request, limits_hash
from netwright.graphs.config import Config, ConfigError, load_config
from netwright.sandbox import (
    DockerOptions,
    Job,
    Limits,
    Sandbox,
    SandboxUnavailable,
    WorkerImage,
    build_seccomp,
    open_sandbox,
)
from netwright.sandbox.bubblewrap import BubblewrapSandbox
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task
from netwright.tools.training import Evaluator

NOWHERE = "unix:///nowhere/docker.sock"


def submit(sandbox: Sandbox, source: str, **limits: Any) -> Any:
    """The outcome of a candidate's source."""
    bounds = Limits(**{"wall_s": 10.0, "cpu_s": 8.0, "memory_mb": 256, **limits})
    return sandbox.run(Job(handler="candidate.run", payload={"source": source}, limits=bounds))


def command(*arguments: str) -> str:
    """What the docker command prints."""
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def own_containers() -> list[str]:
    listing = ("ps", "--all", "--no-trunc", "--filter", "label=netwright.host", "--format", "{{.Names}}")
    return sorted(name for name in command(*listing).split() if name.startswith(f"netwright-{os.getpid()}-"))


@pytest.fixture
def fresh(handlers: Path) -> Iterator[Any]:
    """Opens sandboxes of one container and gives its name."""
    opened: list[Sandbox] = []

    def make(**options: Any) -> tuple[Sandbox, str]:
        before = set(own_containers())
        image = WorkerImage(handlers, preload=())
        opened.append(open_sandbox("docker", image, workers=1, docker=DockerOptions(**options)))
        (name,) = set(own_containers()) - before
        return opened[-1], name

    yield make
    for sandbox in opened:
        sandbox.close()


class TestWithoutADaemon:
    def test_a_missing_sdk_is_named(self, monkeypatch: pytest.MonkeyPatch, handlers: Path) -> None:
        monkeypatch.setitem(sys.modules, "docker", None)
        with pytest.raises(SandboxUnavailable, match=r"pip install netwright\[docker\]"):
            open_sandbox("docker", WorkerImage(handlers, preload=()))

    def test_a_missing_daemon_is_named(self, monkeypatch: pytest.MonkeyPatch, handlers: Path) -> None:
        monkeypatch.setenv("DOCKER_HOST", NOWHERE)
        with pytest.raises(SandboxUnavailable, match=r"reaches no daemon.*apt-get install docker\.io"):
            open_sandbox("docker", WorkerImage(handlers, preload=()))

    def test_an_order_falls_through_with_a_warning(self, monkeypatch: pytest.MonkeyPatch, handlers: Path) -> None:
        monkeypatch.setenv("DOCKER_HOST", NOWHERE)
        image = WorkerImage(handlers, preload=())
        with (
            pytest.warns(UserWarning, match="trying the bubblewrap sandbox, because: .*reaches no daemon"),
            open_sandbox(["docker", "bubblewrap"], image, workers=1) as sandbox,
        ):
            assert sandbox.name == "bubblewrap"

    @pytest.mark.filterwarnings("ignore:trying the")
    def test_an_order_that_fails_lists_each_reason(self, monkeypatch: pytest.MonkeyPatch, handlers: Path) -> None:
        monkeypatch.setenv("DOCKER_HOST", NOWHERE)
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(SandboxUnavailable, match=r"docker: .*no daemon.*bubblewrap: .*apt-get install bubblewrap"):
            open_sandbox(("docker", "bubblewrap"), WorkerImage(handlers, preload=()))

    @pytest.mark.parametrize(
        ("order", "why"),
        [
            (["bubblewrap", "process"], "no security boundary"),
            (["process", "docker"], "no security boundary"),
            ([], "at least one"),
            (["docker", "docker"], "at most once"),
            (["docker", "chroot"], "'chroot'"),
        ],
    )
    def test_an_order_that_makes_no_sense(self, order: list[str], why: str, handlers: Path) -> None:
        with pytest.raises(ValueError, match=why):
            open_sandbox(order, WorkerImage(handlers, preload=()))

    @pytest.mark.parametrize("machine", build_seccomp.ARCHITECTURES)
    def test_the_profile_has_the_table_of_the_filter(self, machine: str) -> None:
        profile = build_seccomp.container_profile(machine)
        assert json.loads(json.dumps(profile)) == profile
        refused = {name for rule in profile["syscalls"] if not rule["args"] for name in rule["names"]}
        assert refused == {*build_seccomp._EPERM, "clone3"} - {"mount"}
        assert {"io_uring_setup", "bpf", "ptrace", "unshare", "setns", "pivot_root"} <= refused
        flags = {rule["args"][0]["value"] for rule in profile["syscalls"] if rule["names"] == ["clone"]}
        assert flags == {0x02000000, 0x04000000, 0x40000000}  # control groups, host name, network


@pytest.mark.docker
class TestContainer:
    def test_the_daemon_tells_what_was_asked_for(self, fresh: Any) -> None:
        sandbox, name = fresh()
        submit(sandbox, "", memory_mb=128)
        (told,) = json.loads(command("inspect", name))
        host, config = told["HostConfig"], told["Config"]
        assert (host["NetworkMode"], host["ReadonlyRootfs"], host["Privileged"]) == ("none", True, False)
        assert (host["CapDrop"], host["CapAdd"], host["IpcMode"], host["PidMode"]) == (["ALL"], None, "private", "")
        assert 0 < host["PidsLimit"] <= 1024
        assert 128 << 20 < host["Memory"] == host["MemorySwap"] < 400 << 20
        assert (host["NanoCpus"], host["AutoRemove"], host["LogConfig"]["Type"]) == (10**9, True, "none")
        options = host["SecurityOpt"]
        assert "no-new-privileges" in options
        (profile,) = [json.loads(o.removeprefix("seccomp=")) for o in options if o.startswith("seccomp=")]
        assert any("io_uring_setup" in rule["names"] for rule in profile["syscalls"])
        assert int(config["User"].split(":")[0]) > 1000
        assert not told["Mounts"] or all(not mount["RW"] for mount in told["Mounts"])
        assert not [mount for mount in told["Mounts"] if "docker.sock" in mount["Source"] or mount["Source"] == "/"]
        assert set(host["Tmpfs"]) == {"/scratch", "/tmp", "/dev/shm", "/dev/mqueue"}
        assert config["Image"].startswith("netwright-sandbox:")
        assert name.startswith(f"netwright-{os.getpid()}-")

    def test_the_image_is_made_once(self, fresh: Any) -> None:
        fresh()
        before = command("images", "--quiet", "netwright-sandbox").split()
        fresh()
        assert command("images", "--quiet", "netwright-sandbox").split() == before

    @pytest.mark.parametrize(
        ("source", "status"),
        [
            ("while True: pass", "timeout"),
            ("x = []\nwhile True: x.append(bytearray(b'1') * (1 << 20))", "memory"),
            ("while True: print('x' * 999)", "output"),
            ("import os\nos._exit(3)", "crash"),
            ("import os\nos.write(3, b'junk')\nos._exit(0)", "result"),
        ],
    )
    def test_it_is_replaced_after_a_violation(self, fresh: Any, source: str, status: str) -> None:
        sandbox, name = fresh()
        assert submit(sandbox, source, wall_s=1).status == status
        assert name not in own_containers()
        assert submit(sandbox, "result = {'again': 1}").result == {"again": 1}

    def test_a_replacement_that_dies_is_replaced_too(self, fresh: Any) -> None:
        sandbox, _ = fresh()
        others = set(own_containers())
        assert submit(sandbox, "import os\nos._exit(3)").status == "crash"
        (replacement,) = set(own_containers()) - others
        command("rm", "--force", replacement)
        assert submit(sandbox, "result = {'again': 1}").result == {"again": 1}

    def test_it_is_replaced_after_so_many_jobs(self, fresh: Any) -> None:
        sandbox, name = fresh(recycle_after=3)  # the self-check was the first
        for source in ("result = {}", "raise ValueError"):
            assert name in own_containers()
            submit(sandbox, source)
        assert name not in own_containers()
        assert submit(sandbox, "result = {'again': 1}").result == {"again": 1}

    def test_what_a_killed_host_left_is_removed(self, fresh: Any) -> None:
        _, base = fresh()
        (told,) = json.loads(command("inspect", base))
        image, label = told["Config"]["Image"], told["Config"]["Labels"]["netwright.host"]
        node, _, started = label.rsplit(":", 2)
        made = {f"test-{os.getpid()}-{kind}": kind for kind in ("gone", "reused", "elsewhere")}
        labels = {"gone": f"{node}:4194304:1.00", "reused": f"{node}:{os.getpid()}:1.00", "elsewhere": "other:1:1.00"}
        try:
            for name, kind in made.items():
                command("create", "--name", name, "--label", f"netwright.host={labels[kind]}", image, "/usr/bin/true")
            copies = [Path(tempfile.gettempdir(), f"netwright-docker-{pid}-test") for pid in (4194304, os.getpid())]
            for folder in copies:
                (folder / "inside").mkdir(parents=True)
            fresh()
            assert [folder.exists() for folder in copies] == [False, True]
            copies[1].joinpath("inside").rmdir()
            copies[1].rmdir()
            left = [name for name in command("ps", "--all", "--format", "{{.Names}}").split() if name in made]
            assert [made[name] for name in left] == ["elsewhere"]
            assert base in own_containers()
            assert float(started) > 1
        finally:
            subprocess.run(["docker", "rm", "--force", *made], capture_output=True, check=False)

    def test_an_unknown_runtime_or_image_is_named(self, handlers: Path) -> None:
        for options, why in (
            (DockerOptions(runtime="nosuch"), "no runtime 'nosuch'"),
            (DockerOptions(image="netwright-test/nosuch:1"), "netwright-test/nosuch:1"),
        ):
            with pytest.raises(SandboxUnavailable, match=why):
                open_sandbox("docker", WorkerImage(handlers, preload=()), workers=1, docker=options)

    def test_a_runtime_can_be_named(self, fresh: Any) -> None:
        sandbox, name = fresh(runtime="runc")
        assert json.loads(command("inspect", name))[0]["HostConfig"]["Runtime"] == "runc"
        assert submit(sandbox, "result = {'x': 1}").result == {"x": 1}

    def test_gvisor_serves_or_is_refused(self, fresh: Any) -> None:
        if '"runsc"' not in command("info", "--format", "{{json .Runtimes}}"):
            pytest.skip("the daemon has no runtime 'runsc'")
        refusal = ""
        try:
            sandbox, _ = fresh(runtime="runsc")
        except SandboxUnavailable as error:
            refusal = str(error)
        # One that lacks what isolates jobs from each other must not open, and says so.
        assert "under the runtime 'runsc'" in refusal or submit(sandbox, "result = {'x': 1}").result == {"x": 1}
        assert submit(fresh()[0], "result = {'x': 2}").result == {"x": 2}

    def test_an_image_with_its_own_python(self, fresh: Any, tmp_path: Path) -> None:
        name = f"netwright-test:{os.getpid()}"
        command("import", "--change", "ENV LD_LIBRARY_PATH=/usr/local/lib", str(python_image(tmp_path)), name)
        try:
            sandbox, _ = fresh(image=name)
            outcome = submit(sandbox, "import os, sys\nresult = {'at': sys.prefix, 'usr': os.listdir('/usr')}")
            assert outcome.result["at"] == "/usr/local"
            assert set(outcome.result["usr"]) <= {"lib", "local"}  # nothing of this machine's
            sandbox.close()
        finally:
            command("rmi", "--force", name)


def python_image(folder: Path) -> Path:
    """A tar archive with this machine's interpreter at /usr/local and the libraries that it loads."""
    archive, library = folder / "image.tar", Path(sysconfig.get_path("stdlib"))
    binary = Path(os.path.realpath(sys.executable))
    loaded = [line.split("=>")[-1].split("(")[0].strip() for line in Path("/proc/self/maps").read_text().splitlines()]
    needed = {
        line.split()[-1] for line in loaded if ".so" in line and line.split()[-1].startswith(("/usr/lib", "/lib"))
    }
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"

    def lean(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        heavy = (
            "/site-packages",
            "/test",
            "/__pycache__",
            "/ensurepip",
            "/idlelib",
            f"/config-{sys.version_info.major}",
        )
        return None if any(part in member.name for part in heavy) else member

    with tarfile.open(archive, "w") as tar:
        tar.add(binary, "usr/local/bin/python3")
        tar.add(library, f"usr/local/lib/{version}", filter=lean)
        for shared in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
            tar.add(shared, f"usr/local/lib/{shared.name}")
        for name in sorted({*needed, *libraries(binary)}):
            tar.add(os.path.realpath(name), name.lstrip("/"))
        for name in ("scratch", "tmp"):
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(member)
    return archive


def libraries(binary: Path) -> list[str]:
    """The shared libraries of a program and of the standard library's extensions."""
    extensions = Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so")
    told = subprocess.run(["ldd", str(binary), *map(str, extensions)], capture_output=True, text=True, check=False)
    found = {word for word in told.stdout.split() if word.startswith(("/lib", "/usr/lib"))}
    return sorted(name.rstrip(":") for name in found if os.path.exists(name))


@pytest.mark.docker
class TestAgreement:
    @pytest.mark.parametrize(
        "source",
        [
            "print('hallo')\nnote('x')\nresult = {'n': [1.5, None, 'ü']}",
            "raise ValueError('no')",
            "x = (",
            "import os\nos._exit(4)",
            "import ctypes\nctypes.string_at(0)",
            "x = bytearray(20 << 30)",
            "x = []\nwhile True: x.append(bytearray(b'1') * (1 << 20))",
            "import time\ntime.sleep(60)",
            "while True: pass",
            "while True: print('spam' * 100)",
            "result = {'x': 'x' * 9_000_000}",
            "result = {'x': object()}",
            "import os\nos.write(3, b'junk')\nos._exit(0)",
            "open('big', 'wb').write(b'x' * (100 << 20))",
            "import os\nwhile True: os.fork()",
            "import socket\nsocket.create_connection(('127.0.0.1', 1))",
            "open('/etc/shadow')",
            "open('/usr/new', 'w')",
            "import os\nresult = {'p': [os.getpid(), os.getppid()], 'l': sorted(os.listdir('/proc'))}",
        ],
    )
    def test_an_outcome_is_that_of_bubblewrap(self, source: str, bubblewrap: Sandbox, docker: Sandbox) -> None:
        limits = {"cpu_s": 2.0} if "pass" in source else {"wall_s": 2.0}
        here, there = (submit(sandbox, source, **limits) for sandbox in (bubblewrap, docker))
        differing = {"wall_s", "cpu_s", "stdout"}
        assert there.model_dump(exclude=differing) == here.model_dump(exclude=differing)
        assert there.stdout[-200:] == here.stdout[-200:]

    def test_a_seed_gives_the_same_accuracy_to_the_last_digit(
        self, digits_sandbox: Sandbox, docker_digits: Sandbox
    ) -> None:
        variants = Path(__file__).parents[1] / "data" / "variants"
        source, digits = (variants / "plain.py").read_text(), task("digits")
        trials = [
            Evaluator(sandbox).train(source, digits, protocol("digits-1ep", lr=0.02))
            for sandbox in (digits_sandbox, docker_digits, digits_sandbox, docker_digits)
        ]
        assert {trial.state for trial in trials} == {"complete"}, trials
        assert len({trial.metric for trial in trials}) == 1
        assert len({json.dumps([e["accuracy"] for e in trial.epochs]) for trial in trials}) == 1
        losses = [[e.get("train_loss") for e in trial.epochs] for trial in trials]
        assert losses.count(losses[0]) == 4

    def test_private_data_arrives(self, torch_docker: Sandbox, private_digits: Path) -> None:
        assert (private_digits / "x.npy").stat().st_mode & 0o077 == 0
        job = Job(handler="candidate.run", payload={"source": "result = {'s': int(data['x'].sum())}"}, data="digits")
        assert torch_docker.run(job).result == {"s": 276}


class TestSettings:
    def test_the_default_is_bubblewrap(self) -> None:
        assert Config().sandbox.backend == BubblewrapSandbox.name
        assert Config().sandbox.docker == DockerOptions()

    def test_an_order_and_options(self) -> None:
        config = load_config(overrides=["sandbox.backend=[docker, bubblewrap]", "sandbox.docker.runtime=runsc"])
        assert config.sandbox.backend == ("docker", "bubblewrap")
        assert config.sandbox.docker.runtime == "runsc"
        assert load_config(base=config.model_dump(mode="json")) == config

    @pytest.mark.parametrize("order", ["[docker, process]", "[]", "[docker, docker]", "[chroot]"])
    def test_an_order_that_makes_no_sense(self, order: str) -> None:
        with pytest.raises(ConfigError, match="sandbox"):
            load_config(overrides=[f"sandbox.backend={order}"])

    def test_a_verdict_does_not_depend_on_how_a_container_is_made(self) -> None:
        changed = load_config(overrides=["sandbox.docker.recycle_after=5"])
        request = campaign_request(changed)
        assert limits_hash(request, changed) == limits_hash(request, Config())
        assert limits_hash(request, load_config(overrides=["sandbox.backend=docker"])) != limits_hash(request, changed)
