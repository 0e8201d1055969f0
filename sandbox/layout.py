"""Which folders a worker needs, and where it sees them.

A virtual environment's interpreter often lives in a home that nobody else may enter. Inside the sandbox the
base installation, the site-packages, the worker program and the handlers are therefore shown at fixed paths.
"""

from __future__ import annotations

import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

OWN = ("inside", "handlers")
INSIDE = Path(__file__).with_name("inside")
_SYSTEM = Path("/usr")
LINKED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Folders that are links into /usr on today's systems, and folders of their own on older ones."""
SHOWN = ("/etc/ld.so.cache", "/etc/alternatives")
"""What the dynamic linker and Debian's links need, where it exists."""
WORKER = "import sys; sys.path.insert(0, '/netwright'); from inside.main import main; main()"
"""The worker's program, given the folders of a :class:`Layout`."""


@dataclass(frozen=True)
class Layout:
    """The interpreter and its libraries, outside and inside.

    Attributes:
        folders: name -> folder outside; inside it is ``/netwright/<name>``. ``OWN`` names the small ones.
        executable: the interpreter, as seen inside.
        library_path: folder of its shared library, as seen inside; ``None`` for a system interpreter.
        sites: site-packages folders as seen inside, in the order of ``sys.path``.
    """

    folders: dict[str, Path]
    executable: str
    library_path: str | None
    sites: list[str]


def site_folders() -> list[Path]:
    """The site-packages folders of this environment that are in use, in the order of ``sys.path``."""
    known = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        known.append(site.getusersitepackages())
    resolved = {Path(path).resolve() for path in known}
    return list(dict.fromkeys(path for path in map(Path, sys.path) if path.resolve() in resolved))


def layout(handlers: Path) -> Layout:
    """What to show for the running interpreter and a folder of handlers.

    Raises:
        FileNotFoundError: there is no such folder of handlers.
    """
    if not handlers.is_dir():
        raise FileNotFoundError(f"{handlers} is not a folder of handlers")
    base = Path(sys.base_prefix).resolve()
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    folders = {"inside": INSIDE.resolve(), "handlers": handlers.resolve()}
    if not _below(base, _SYSTEM):
        folders["python"] = base
    sites = []
    for number, path in enumerate(path.resolve() for path in site_folders()):
        if not _below(path, _SYSTEM) and not _below(path, base):
            folders[f"site{number}"] = path
        sites.append(seen(path, folders))
    library = None if _below(base, _SYSTEM) else f"{seen(base, folders)}/lib"
    return Layout(folders, seen(executable, folders), library, sites)


def seen(path: Path, folders: dict[str, Path]) -> str:
    """Where ``path`` is inside, given what is shown. Paths below /usr keep their place."""
    for name, folder in folders.items():
        if _below(path, folder):
            return str(Path("/netwright") / name / path.relative_to(folder))
    return str(path)


def hidden_inside(hidden: Iterable[Path], folders: dict[str, Path]) -> list[str]:
    """Where folders that jobs must not see would be seen inside; without those of which nothing is shown."""
    places = [seen(folder.resolve(), folders) for folder in hidden if folder.is_dir()]
    return [place for place in places if place.startswith(("/usr/", "/netwright/"))]


def _below(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder)
