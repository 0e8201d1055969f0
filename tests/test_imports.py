"""The arrows between rooms point one way: interfaces → graphs → agents → tools → {sandbox, memory}."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "interfaces": {"graphs", "agents", "tools", "sandbox", "memory"},
    "graphs": {"agents", "tools", "sandbox", "memory"},
    "agents": {"tools", "sandbox", "memory"},
    "tools": {"sandbox", "memory"},
    "sandbox": set(),
    "memory": set(),
}
PAYLOAD = "tools/payload/"
PAYLOAD_MAY_IMPORT = {"torch", "torchvision", "numpy", "__future__"}


def package_files() -> list[Path]:
    """Every Python file of the package, relative to the repository."""
    return sorted(p.relative_to(ROOT) for room in MAY_IMPORT for p in (ROOT / room).rglob("*.py"))


def resolve(path: Path, node: ast.Import | ast.ImportFrom) -> list[str]:
    """Absolute dotted names that one import statement in `path` may bind, e.g. ``netwright.tools.tasks``."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level:
        package = ["netwright", *path.parts[:-1]]
        anchor = package[: len(package) - (node.level - 1)]
        assert anchor, f"{path}:{node.lineno} climbs above the package"
        base = ".".join([*anchor, *([node.module] if node.module else [])])
    else:
        base = node.module or ""
    return [base, *(f"{base}.{alias.name}" for alias in node.names)]


def imports(path: Path, source: str) -> list[tuple[int, str]]:
    """(line, absolute name) of every import of a file, also inside functions and under conditions."""
    found = []
    for node in ast.walk(ast.parse(source, filename=str(path))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += [(node.lineno, name) for name in resolve(path, node)]
    return found


def violations(path: Path, source: str) -> list[str]:
    """Imports of `source`, standing at `path` in the repository, that break an arrow."""
    room = path.parts[0]
    broken = set()
    for line, name in imports(path, source):
        parts = name.split(".")
        if parts[0] != "netwright" or len(parts) < 2 or parts[1] not in MAY_IMPORT:
            continue
        if parts[1] != room and parts[1] not in MAY_IMPORT[room]:
            broken.add(f"{path}:{line} {room} imports {parts[1]}")
    return sorted(broken)


def without_type_checking(source: str) -> str:
    """The source without what stands under ``if TYPE_CHECKING:``, which never runs in the sandbox.

    Nor does ``or __package__``, by which the host may import a payload module too: there it is a top-level one.
    """

    class Drop(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST:
            self.generic_visit(node)
            if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING", "TYPE_CHECKING or __package__"}:
                node.body = [ast.Pass()]
            return node

    return ast.unparse(Drop().visit(ast.parse(source)))


def payload_violations(path: Path, source: str, siblings: set[str]) -> list[str]:
    """Imports of a sandboxed module beyond the standard library, torch, torchvision, numpy and its siblings.

    The worker has these files as plain top-level modules, so a sibling is imported by its bare name and a
    relative import would fail there.
    """
    allowed = PAYLOAD_MAY_IMPORT | siblings | sys.stdlib_module_names
    names = {name for _, name in imports(path, without_type_checking(source))}
    return sorted(f"{path} the payload imports {n}" for n in names if n.split(".")[0] not in allowed)


def test_rooms_exist() -> None:
    assert all((ROOT / room / "__init__.py").is_file() for room in MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_room_imports_upward(room: str) -> None:
    files = [p for p in package_files() if p.parts[0] == room]
    assert files, f"{room} has no files"
    broken = [v for p in files for v in violations(p, (ROOT / p).read_text(encoding="utf-8"))]
    assert not broken, "\n".join(broken)


def test_payload_needs_nothing_of_the_host() -> None:
    files = [p for p in package_files() if p.as_posix().startswith(PAYLOAD) and p.name != "__init__.py"]
    siblings = {p.stem for p in files}
    broken = [v for p in files for v in payload_violations(p, (ROOT / p).read_text(encoding="utf-8"), siblings)]
    assert not broken, "\n".join(broken)


def test_the_inner_worker_needs_nothing_of_the_host() -> None:
    """``sandbox/inside`` is bound into the sandbox without the rest of netwright."""
    inside = Path("sandbox/inside")
    files = [p for p in package_files() if p.is_relative_to(inside)]
    assert files
    allowed = {"torch", "numpy", "__future__", *sys.stdlib_module_names}
    for path in files:
        names = {name for _, name in imports(path, (ROOT / path).read_text(encoding="utf-8"))}
        outside = {n for n in names if n.split(".")[0] not in allowed and not n.startswith("netwright.sandbox.inside")}
        assert outside <= {"inside", "inside.main"}, f"{path} imports {outside}"


def test_the_package_itself_imports_no_room_eagerly() -> None:
    """``import netwright.sandbox`` must not bring memory along: the root imports rooms inside functions."""
    path = Path("__init__.py")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    eager = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    names = [name for node in eager for name in resolve(path, node)]
    assert not [n for n in names if n.split(".")[:1] == ["netwright"]]


def test_servers_and_conversations_start_without_the_large_frameworks() -> None:
    """Each takes half a second to six to import, and hundreds of MB: they come when something needs them."""
    start = "graphs.talking", "interfaces.http.app", "interfaces.mcp.transports", "interfaces.web.serving"
    large = {"torch", "transformers", "torchvision", "scipy", "sklearn", "pandas", "matplotlib", "libcst", "mlflow"}
    imported = "; ".join(f"import netwright.{name}" for name in start)
    program = f"import sys; {imported}; print(*sorted({large!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tools/planted.py", "from ..agents.designer import Designer"),
        ("tools/planted.py", "from .. import agents"),
        ("tools/planted.py", "def late():\n    import netwright.graphs.design"),
        ("tools/generators/planted.py", "from ...agents import designer"),
        ("sandbox/planted.py", "from ..memory.types import Verdict"),
        ("memory/planted.py", "from netwright.sandbox import open_sandbox"),
        ("memory/migrations/planted.py", "if True:\n    from ...tools import tasks"),
        ("graphs/planted.py", "from netwright import interfaces"),
        ("agents/planted.py", "from ..graphs import campaign"),
    ],
)
def test_checker_finds_planted_violations(path: str, source: str) -> None:
    assert len(violations(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("interfaces/cli/fine.py", "from ...graphs.campaign import run"),
        ("tools/fine.py", "from ..memory.types import Verdict\nfrom .tasks import TASKS\nimport agents"),
        ("tools/generators/fine.py", "from ..tasks import TASKS\nfrom ...sandbox.protocol import Job"),
    ],
)
def test_checker_lets_the_right_direction_pass(path: str, source: str) -> None:
    assert violations(Path(path), source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pydantic",
        "from . import contract",
        "if True:\n    from ..tasks import TASKS",
        "from netwright import memory",
    ],
)
def test_checker_finds_planted_payload_violations(source: str) -> None:
    assert payload_violations(Path(PAYLOAD) / "planted.py", source, {"contract"})


def test_checker_lets_payload_siblings_pass() -> None:
    source = (
        "import json\nimport torch.nn as nn\nfrom numpy import ndarray\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from . import contract\nelse:\n    import contract"
    )
    assert payload_violations(Path(PAYLOAD) / "fine.py", source, {"contract"}) == []
