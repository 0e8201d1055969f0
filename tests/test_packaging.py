"""What is installed is what is in the tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("agents", "graphs", "interfaces", "memory", "sandbox", "tools")
# Folders of the repository that hold files which the package reads: each of these files must be installed.
WITH_DATA = (*ROOMS, "assets", "configs")


def setuptools_table() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def source_files() -> list[Path]:
    """Files of the repository that are tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return sorted(Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file())


def is_installed(path: Path, package_data: dict[str, list[str]], packages: set[str]) -> bool:
    """Whether a data file is covered by a pattern of one of the packages above it."""
    for parent in path.parents:
        package = ".".join(("netwright", *parent.parts))
        inner = path.relative_to(parent).as_posix()
        if package in packages and any(matches(inner, pattern) for pattern in package_data.get(package, [])):
            return True
    return False


def matches(inner: str, pattern: str) -> bool:
    """Setuptools' patterns: ``*`` stays within a folder, ``**`` crosses folders."""
    if "**" in pattern:
        return fnmatch(inner, pattern.replace("**/", "*"))
    return inner.count("/") == pattern.count("/") and fnmatch(inner, pattern)


def test_package_list_equals_the_tree() -> None:
    found = {"netwright"} | {
        ".".join(("netwright", *path.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    }
    assert set(setuptools_table()["packages"]) == found


def test_every_python_file_is_in_a_package() -> None:
    packages = set(setuptools_table()["packages"])
    lost = [
        str(p)
        for p in source_files()
        if p.suffix == ".py" and p.parts[0] in ROOMS and ".".join(("netwright", *p.parent.parts)) not in packages
    ]
    assert not lost, f"no __init__.py beside, or not listed in pyproject.toml: {lost}"


def test_every_data_file_is_installed() -> None:
    table = setuptools_table()
    packages, data = set(table["packages"]), table["package-data"]
    files = [p for p in source_files() if p.parts[0] in WITH_DATA and p.suffix != ".py"]
    lost = [str(p) for p in files if not is_installed(p, data, packages)]
    assert not lost, f"not in package-data of pyproject.toml: {lost}"


def test_checker_finds_a_planted_data_file() -> None:
    data = {"netwright.agents.prompts": ["*.md"]}
    packages = {"netwright", "netwright.agents.prompts"}
    assert is_installed(Path("agents/prompts/a.md"), data, packages)
    assert not is_installed(Path("agents/prompts/a.txt"), data, packages)
    assert not is_installed(Path("agents/prompts/deep/a.md"), data, packages)
    assert is_installed(Path("assets/nano/a.bin"), {"netwright": ["assets/**/*"]}, packages)


def test_every_requirement_is_locked() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    lines = [x for x in (ROOT / "constraints.txt").read_text().splitlines() if x and not x.startswith("#")]
    locked = {canonicalize_name(name): Version(version) for name, version in (x.split("==") for x in lines)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = project["project"]["dependencies"] + project["build-system"]["requires"]
    texts += [t for extra in project["project"]["optional-dependencies"].values() for t in extra]
    for requirement in map(Requirement, texts):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in constraints.txt (make lock)"
        assert version in requirement.specifier, f"{requirement} is locked at {version}"
    assert not [v for v in locked.values() if v.local], "a local version cannot be installed elsewhere"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment's folder with the wheel in it and this environment's packages within reach."""
    tmp = tmp_path_factory.mktemp("wheel")
    clone, wheels, env = tmp / "clone", tmp / "wheels", tmp / "env"
    for path in source_files():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, clone / path)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(clone)]
    built = subprocess.run(build, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True)
    python = env / "bin" / "python"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, *map(str, wheels.glob("*.whl"))], check=True)
    # A path file names this environment's packages; path files inside that folder, the editable install's
    # among them, are not read from there.
    site = next((env / "lib").glob("python3*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return env


def run(env: Path, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(
        [str(env / "bin" / command[0]), *command[1:]], cwd=cwd, env=clean, capture_output=True, text=True
    )


@pytest.mark.wheel
def test_wheel_holds_netwright_only(installed: Path) -> None:
    site = next((installed / "lib").glob("python3*/site-packages"))
    tops = {p.name for p in site.iterdir()} - {"dependencies.pth"}
    assert tops == {"netwright", next(t for t in tops if t.endswith(".dist-info"))}
    inside = {p.name for p in (site / "netwright").iterdir() if p.is_dir()} - {"__pycache__"}
    assert inside <= set(WITH_DATA), f"tests, docs or benchmarks were installed: {inside}"


@pytest.mark.wheel
def test_doctor_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "netwright", "doctor", "--json", cwd=tmp_path)
    assert done.stdout, done.stderr[-2000:]
    found = {c["name"]: c["in_force"] for c in json.loads(done.stdout)["capabilities"]}
    # Both rest on files that are not Python: the weights, and the system call filter.
    assert found["nano"]
    assert found["seccomp filter"]
    where = run(installed, "python", "-c", "import netwright; print(netwright.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(installed), where.stdout
