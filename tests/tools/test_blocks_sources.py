"""Sources of blocks: folders, wheels, archives, checkouts and installed packages; nothing is fetched unasked."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from netwright.tools.blocks.licences import licence_in
from netwright.tools.blocks.sources import find_source, folder_source, installed, module_name

from .block_sources import write

METADATA = """Metadata-Version: 2.1
Name: hard
Version: 1.2
Classifier: License :: OSI Approved :: MIT License
"""


def make_wheel(folder: Path) -> Path:
    write(folder / "tree")
    path = folder / "hard-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in sorted((folder / "tree").rglob("*.py")):
            wheel.write(file, file.relative_to(folder / "tree").as_posix())
        wheel.writestr("hard-1.2.dist-info/METADATA", METADATA)
    return path


def test_a_package_folder_names_its_modules_from_its_parent(tmp_path: Path) -> None:
    found = find_source(str(write(tmp_path)))
    assert (found.name, found.version, found.root) == ("hard", "unknown", tmp_path)
    assert "hard/layers/basic.py" in dict(found.files())


def test_version_and_licence_stand_beside_an_installed_folder(tmp_path: Path) -> None:
    package = write(tmp_path)
    (tmp_path / "hard-1.2.dist-info").mkdir()
    (tmp_path / "hard-1.2.dist-info" / "METADATA").write_text(METADATA)
    found = folder_source(package)
    assert (found.version, found.licence) == ("1.2", "MIT")


def test_a_wheel_is_unpacked_once(tmp_path: Path) -> None:
    path = make_wheel(tmp_path)
    first, second = find_source(str(path)), find_source(str(path))
    assert first == second
    assert (first.name, first.version, first.licence, first.packages) == ("hard", "1.2", "MIT", ("hard",))
    assert "hard/base.py" in dict(first.files())


def test_a_source_archive(tmp_path: Path) -> None:
    write(tmp_path / "hard-1.3")
    (tmp_path / "hard-1.3" / "LICENSE").write_text("Apache License\nVersion 2.0")
    path = tmp_path / "hard-1.3.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "hard-1.3", "hard-1.3")
    found = find_source(str(path))
    assert (found.name, found.version, found.licence) == ("hard", "1.3", "Apache-2.0")


def test_the_version_of_a_checkout_is_its_commit(tmp_path: Path) -> None:
    write(tmp_path / "repo")
    git = [shutil.which("git") or "git", "-C", str(tmp_path / "repo"), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    found = find_source(str(tmp_path / "repo"))
    assert (found.name, found.version) == ("repo", commit)
    cloned = find_source(f"file://{tmp_path / 'repo'}", download=True)
    assert (cloned.name, cloned.version) == ("repo", commit)
    assert cloned == find_source(f"file://{tmp_path / 'repo'}")


def test_an_installed_package_is_found_without_importing_it() -> None:
    found = installed("libcst")
    assert found is not None
    assert found.licence == "MIT"
    assert "libcst/__init__.py" in dict(found.files())


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("a-package-nobody-has", "with --download it is fetched"),
        ("hard==9.9", "with --download it is fetched"),
        ("https://example.org/hard.git", "with --download it is fetched"),
        ("no such thing!", "no folder, archive, installed package or git address"),
    ],
)
def test_nothing_is_fetched_unasked(wanted: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        find_source(wanted)


def test_a_file_that_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    path.write_text("no")
    with pytest.raises(ValueError, match="neither a wheel nor a source archive"):
        find_source(str(path))


def test_module_names() -> None:
    assert module_name("timm/layers/__init__.py") == "timm.layers"
    assert module_name("hubconf.py") == "hubconf"


def test_licence_texts() -> None:
    assert licence_in("Permission is hereby granted, free  of\ncharge, to any person") == "MIT"
    assert licence_in("All rights reserved.") == ""
