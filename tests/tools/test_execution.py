"""Verdicts through the bubblewrap sandbox: variants of the contract, faults by stage, and attacks."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from netwright.graphs.config import Config
from netwright.memory.types import RequestLimits, Verdict
from netwright.sandbox import Limits, Outcome, Sandbox, open_sandbox
from netwright.tools.execution import (
    VALIDATION_LIMITS,
    SourceRefused,
    Validator,
    _verdict,
    read_source,
    validation_image,
)
from netwright.tools.tasks import task

NETWORKS = sorted((Path(__file__).parent.parent / "data" / "variants").glob("*.py"))
PLAIN = next(path for path in NETWORKS if path.stem == "plain").read_text()
SECRET = "a-secret-of-the-parent-process"
DIGITS = task("digits")
# Generous in wall time, which a busy machine stretches; tight in what it does not.
LIMITS = Limits(wall_s=20, cpu_s=4, memory_mb=1024, processes=16, output_kb=128, result_kb=64)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_TEST_SECRET", SECRET)
        with open_sandbox("bubblewrap", validation_image(), workers=2) as opened:
            yield opened


@pytest.fixture(scope="module")
def validator(sandbox: Sandbox) -> Validator:
    return Validator(sandbox, LIMITS)


def test_the_default_limits_are_those_of_a_campaign() -> None:
    assert Config().sandbox.validation == VALIDATION_LIMITS


def check(verdict: Verdict, stage: str, error_class: str, words: str) -> None:
    assert not verdict.ok
    assert (verdict.stage, verdict.error_class) == (stage, error_class), verdict.reason
    assert words in (verdict.message or ""), verdict.reason


def test_every_variant_of_the_contract_is_valid(validator: Validator) -> None:
    assert len(NETWORKS) >= 8
    verdicts = validator.validate_many([path.read_text() for path in NETWORKS], DIGITS)
    reasons = {path.stem: verdict.reason for path, verdict in zip(NETWORKS, verdicts, strict=True)}
    assert reasons == {path.stem: "ok" for path in NETWORKS}
    for verdict in verdicts:
        assert verdict.stage == "backward"
        assert verdict.params is not None
        assert verdict.params > 100
        assert verdict.flops is not None
        assert verdict.flops > 1000


FAULTS = {
    "no class": ("class Net", "class Not", "contract", "ContractError", "no class Net"),
    "no learn": ("def learn", "def lern", "contract", "ContractError", "class Net has no learn()"),
    "no train_setup": ("def train_setup", "def setup", "contract", "ContractError", "no train_setup()"),
    "no hyperparameters": ("def supported_", "def _", "contract", "ContractError", "supported_hyperparameters()"),
    "hyperparameters": ("{'lr', 'momentum'}", "'lr'", "contract", "ContractError", "returned str"),
    "not a module": ("class Net(nn.Module)", "class Net", "contract", "ContractError", "not derived from torch.nn"),
    "import": ("import torch\n", "import torch\nimport absent_module\n", "contract", "ModuleNotFoundError", "absent"),
    "exit": ("import torch\n", "import torch\nraise SystemExit(0)\n", "contract", "SystemExit", "0"),
    "syntax": ("def forward(", "def forward((", "parse", "SyntaxError", ""),
    "deep": ("import torch\n", "import torch\nx = " + "(" * 5000 + ")" * 5000 + "\n", "parse", "SyntaxError", "nested"),
    "null byte": ("import torch\n", "import torch\0\n", "parse", "NullByte", "null byte"),
    "build": ("super().__init__()", "super().__init__(); 1 / 0", "build", "ZeroDivisionError", "division"),
    "unknown argument": ("prm: dict,", "prm: dict, extra, more,", "build", "ContractError", "'extra'"),
    "shape": ("nn.Linear(16 *", "nn.Linear(17 *", "forward", "RuntimeError", "shapes cannot be multiplied"),
    "classes": ("out_shape[0])", "3)", "forward", "ContractError", "shape (4, 3), expected (4, 10)"),
    "tuple": ("return self.classifier(", "return 1, self.classifier(", "forward", "ContractError", "returned tuple"),
    "key": ("lr=prm['lr']", "lr=prm['rate']", "backward", "KeyError", "'rate'"),
    "two passes": ("for inputs", "for inputs, labels in list(train_data) + list(train_data):\n            pass\n"
                   "        for inputs", "backward", "ProtocolError", "more than one pass"),
    "no learning": ("for inputs, labels in train_data:", "for inputs, labels in []:", "backward", "NoLearning", "step"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_at_its_stage(validator: Validator, fault: str) -> None:
    old, new, stage, error_class, words = FAULTS[fault]
    assert old in PLAIN
    check(validator.validate(PLAIN.replace(old, new), DIGITS), stage, error_class, words)


def test_an_exception_that_cannot_be_told_is_named_all_the_same(validator: Validator) -> None:
    hostile = "class Odd(Exception):\n    def __str__(self): raise KeyboardInterrupt\nraise Odd()\n"
    check(validator.validate(PLAIN + hostile, DIGITS), "contract", "Odd", "could not be made: KeyboardInterrupt")


def test_a_fault_has_its_line(validator: Validator) -> None:
    source = PLAIN.replace("self.features(x)", "self.feature(x)")
    verdict = validator.validate(source, DIGITS)
    check(verdict, "forward", "AttributeError", "feature")
    assert verdict.line is not None
    assert "self.feature(x)" in source.split("\n")[verdict.line - 1]


def test_outputs_that_are_not_finite_are_refused(validator: Validator) -> None:
    for body in ("x = x / 0", "x = x * float('nan')", "x = x.abs().add(1).mul(100).exp().exp()"):
        source = PLAIN.replace("return self.classifier(", f"{body}\n        return self.classifier(")
        check(validator.validate(source, DIGITS), "forward", "NonFinite", "inf, nan")


def test_an_overflow_that_batch_statistics_take_away_is_none(validator: Validator) -> None:
    """Weights drawn far too large: evaluation mode overflows, training mode normalises each layer."""
    layers = "[m for _ in range(30) for m in (nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16))]"
    source = PLAIN.replace("nn.MaxPool2d(2)", f"*{layers}, nn.MaxPool2d(2)").replace(
        "        self.classifier = ",
        "        for p in self.features.parameters():\n"
        "            nn.init.normal_(p, std=5.0) if p.ndim == 4 else None\n"
        "        self.classifier = ",
    )
    verdict = validator.validate(source, DIGITS)
    assert verdict.ok, verdict.reason
    unnormalised = source.replace(", nn.BatchNorm2d(16)", ", nn.Identity()")
    assert unnormalised != source
    check(validator.validate(unnormalised, DIGITS), "forward", "NonFinite", "inf, nan")


def test_a_gradient_alone_is_learning(validator: Validator) -> None:
    """LEMUR's networks leave the step to others in places; what counts is that something can be learned."""
    source = PLAIN.replace("self.optimizer.step()", "pass")
    assert source != PLAIN
    assert validator.validate(source, DIGITS).ok
    check(
        validator.validate(source.replace("loss.backward()", "pass"), DIGITS), "backward", "NoLearning", "no gradient"
    )


def test_limits_of_the_request(validator: Validator) -> None:
    params = validator.validate(PLAIN, DIGITS).params
    assert params == 16 * 9 + 16 + 32 + 16 * 16 * 10 + 10
    exact = RequestLimits(min_params=params, max_params=params)
    assert validator.validate(PLAIN, DIGITS, exact).ok
    over = validator.validate(PLAIN, DIGITS, RequestLimits(max_params=params - 1))
    check(over, "build", "OverBudget", f"{params:,} parameters")
    assert over.params == params
    check(validator.validate(PLAIN, DIGITS, RequestLimits(min_params=params + 1)), "build", "UnderBudget", "at least")


def test_operations_are_limited_as_they_are_counted(validator: Validator) -> None:
    flops = validator.validate(PLAIN, DIGITS).flops
    assert flops is not None
    assert validator.validate(PLAIN, DIGITS, RequestLimits(max_flops=flops)).ok
    over = validator.validate(PLAIN, DIGITS, RequestLimits(max_flops=flops - 1))
    check(over, "forward", "OverBudget", f"{flops:,} FLOPs, at most {flops - 1:,} are allowed")
    uncounted = Outcome(status="ok", result={**HONEST, "flops": None})
    check(_verdict(uncounted, LIMITS, RequestLimits(max_flops=5)), "forward", "OverBudget", "could not be counted")


def test_a_giant_network_is_refused_before_it_is_built(validator: Validator) -> None:
    giant = PLAIN.replace("nn.Linear(16 *", "nn.Linear(1600000000 *")
    verdict = validator.validate(giant, DIGITS, RequestLimits(max_params=10**6))
    check(verdict, "build", "OverBudget", "256,000,000,202 parameters")
    assert verdict.seconds < 5
    check(validator.validate(giant, DIGITS), "build", "MemoryLimit", "")


def _attack(body: str) -> str:
    return PLAIN.replace("import torch\n", f"import torch\n{body}\n", 1)


ATTACKS = {
    "endless loop": ("while True:\n    pass", "CpuLimit", "4 seconds of CPU time"),
    "ignored signals": (
        "import signal\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n    except OSError: pass\n"
        "while True: pass", "CpuLimit", "CPU time"),
    "20 GB": ("x = torch.ones(20 * 2**30 // 4)", "MemoryLimit", ""),
    "20 GB of bytes": ("x = []\nwhile True: x.append(bytearray(2**24))", "MemoryLimit", ""),
    "endless print": ("while True:\n    print('x' * 1000)", "OutputLimit", "128 KiB of output"),
    "exit": ("import os\nos._exit(0)", "Crash", "exit code 0"),
    "segmentation fault": ("import ctypes\nctypes.string_at(0)", "Crash", "SIGSEGV"),
}  # fmt: skip


@pytest.fixture(scope="module")
def attack_verdicts(validator: Validator) -> dict[str, Verdict]:
    sources = [_attack(body) for body, _, _ in ATTACKS.values()]
    before = set(os.listdir("/tmp"))
    children = len(psutil.Process().children(recursive=True))
    verdicts = validator.validate_many(sources, DIGITS)
    assert _eventually(lambda: len(psutil.Process().children(recursive=True)) <= children)
    left = {name for name in set(os.listdir("/tmp")) - before if name.startswith(("candidate", "attack"))}
    assert not left
    return dict(zip(ATTACKS, verdicts, strict=True))


def _eventually(condition: object, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("attack", ATTACKS)
def test_each_limit_gives_a_verdict(attack_verdicts: dict[str, Verdict], attack: str) -> None:
    _, error_class, words = ATTACKS[attack]
    verdict = attack_verdicts[attack]
    if verdict.error_class == "Timeout":  # On a crowded machine the clock can be faster than the CPU limit.
        error_class, words = "Timeout", "20 seconds of wall time"
    check(verdict, "contract", error_class, words)
    assert verdict.seconds < LIMITS.wall_s + 5


def test_sleeping_ends_by_the_clock(sandbox: Sandbox) -> None:
    short = Validator(sandbox, LIMITS.model_copy(update={"wall_s": 3.0}))
    verdict = short.validate(_attack("import time\nwhile True:\n    time.sleep(1)"), DIGITS)
    check(verdict, "contract", "Timeout", "more than 3 seconds of wall time")


def test_a_fork_bomb_ends_with_its_tree(validator: Validator) -> None:
    children = len(psutil.Process().children(recursive=True))
    verdict = validator.validate(_attack("import os\nwhile True:\n    os.fork()"), DIGITS)
    assert not verdict.ok
    assert verdict.stage == "contract"
    assert verdict.error_class in {"ProcessLimit", "BlockingIOError", "CpuLimit", "Timeout", "Crash"}
    assert _eventually(lambda: len(psutil.Process().children(recursive=True)) <= children)
    assert validator.validate(PLAIN, DIGITS).ok


def test_the_environment_has_no_secret(validator: Validator) -> None:
    verdict = validator.validate(
        _attack("import glob, os\ntext = repr(dict(os.environ))\n"
                "for path in glob.glob('/proc/*/environ'):\n"
                "    try: text += open(path).read()\n    except OSError: pass\n"
                "raise RuntimeError('leaked' if 'a-secret-of' in text else 'nothing of the parent in ' + text[:200])"),
        DIGITS,
    )  # fmt: skip
    check(verdict, "contract", "RuntimeError", "nothing of the parent")
    assert SECRET not in verdict.reason


def test_files_of_the_host_are_not_there(validator: Validator, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text(SECRET)
    for path in (str(kept), "/etc/shadow", str(Path.home() / ".bashrc"), str(tmp_path)):
        verdict = validator.validate(_attack(f"raise RuntimeError(open({path!r}).read())"), DIGITS)
        assert (verdict.ok, verdict.stage) == (False, "contract")
        assert verdict.error_class in {"FileNotFoundError", "PermissionError", "NotADirectoryError"}
    accounts = _attack("raise RuntimeError(open('/etc/passwd').read())")
    verdict = validator.validate(accounts, DIGITS)
    assert (verdict.ok, verdict.stage) == (False, "contract")
    for line in Path("/etc/passwd").read_text().splitlines()[1:]:
        assert line not in (verdict.message or "")


def test_nothing_is_written_outside(validator: Validator, tmp_path: Path) -> None:
    home = str(Path.home())
    for folder in (home, str(tmp_path), "/usr", str(Path(__file__).parent)):
        target = str(Path(folder) / "attack-was-here")
        verdict = validator.validate(
            _attack(f"import os\nopen({target!r}, 'w').write('x')\nraise RuntimeError('written')"), DIGITS
        )
        assert (verdict.ok, verdict.stage) == (False, "contract")
        assert verdict.error_class in {"FileNotFoundError", "PermissionError", "OSError"}, verdict.reason
        assert not os.path.exists(target)


def test_no_socket_reaches_the_host(validator: Validator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        reached = threading.Event()

        def wait() -> None:
            try:
                server.accept()
                reached.set()
            except TimeoutError:
                return

        watcher = threading.Thread(target=wait)
        watcher.start()
        port = server.getsockname()[1]
        body = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\nraise RuntimeError('reached')"
        verdict = validator.validate(_attack(body), DIGITS)
        watcher.join()
    assert (verdict.ok, verdict.stage) == (False, "contract")
    assert verdict.error_class in {"OSError", "PermissionError", "ConnectionRefusedError"}, verdict.reason
    assert not reached.is_set()


def test_files_that_are_no_source(validator: Validator, tmp_path: Path) -> None:
    files = {
        "empty.py": (b"", "EmptySource"),
        "blank.py": (b" \n\n", "EmptySource"),
        "binary.py": (bytes(range(256)) * 4, "BinaryFile"),
        "latin.py": ("# café\n".encode("latin-1"), "EncodingError"),
        "large.py": (b"#" * (256 * 1024 + 1), "TooLarge"),
    }
    for name, (content, error_class) in files.items():
        (tmp_path / name).write_bytes(content)
        check(validator.validate_file(tmp_path / name, DIGITS), "extract", error_class, "")
    check(validator.validate_file(tmp_path / "absent.py", DIGITS), "extract", "FileNotFoundError", "absent.py")
    check(validator.validate_file(Path("/dev/zero"), DIGITS), "extract", "NotAFile", "/dev/zero")
    (tmp_path / "ok.py").write_bytes(b"\xef\xbb\xbf" + PLAIN.encode())
    assert validator.validate_file(tmp_path / "ok.py", DIGITS).ok
    with pytest.raises(SourceRefused):
        read_source(tmp_path / "empty.py")
    check(validator.validate("\ud800", DIGITS), "extract", "EncodingError", "Unicode")
    check(validator.validate("import torch\n", DIGITS), "contract", "ContractError", "no class Net")


HONEST = {"ok": True, "stage": "backward", "params": 10, "flops": 10}
FORGED = [None, [], {}, {"ok": 1}, {**HONEST, "params": -1}, {**HONEST, "params": True}, {**HONEST, "params": 1e3},
          {**HONEST, "params": 10**30}, {**HONEST, "stage": "extract"}, {"ok": True, "stage": "backward"}]  # fmt: skip


@pytest.mark.parametrize("result", FORGED, ids=range(len(FORGED)))
def test_a_forged_result_is_no_success(result: object) -> None:
    outcome = Outcome(status="ok", result=result, note="no such stage\x1b[2J")
    check(_verdict(outcome, LIMITS, RequestLimits()), "parse", "ResultLimit", "malformed")


def test_what_a_failure_tells_is_bounded_and_printable() -> None:
    told = {"ok": False, "stage": ["x"], "error_class": "\x1b[31mE" * 100, "message": "a\x00b\x1b" * 10**4, "line": -4}
    verdict = _verdict(Outcome(status="ok", result=told), LIMITS, RequestLimits(max_params=5))
    assert (verdict.stage, verdict.line) == ("parse", None)
    assert len(verdict.error_class or "") <= 80
    assert len(verdict.message or "") <= 500
    assert verdict.reason.isprintable()
    honest = Outcome(status="ok", result=HONEST)
    assert _verdict(honest, LIMITS, RequestLimits()).ok
    check(_verdict(honest, LIMITS, RequestLimits(max_params=5)), "build", "OverBudget", "10 parameters")
