"""The documents say what is there: links, modules, settings and commands are compared with the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
ROOMS = ("agents", "graphs", "interfaces", "memory", "sandbox", "tools")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def links(page: Path) -> list[str]:
    """Targets of the page's links to files of the repository, without their anchors."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    return [t.partition("#")[0] for t in found if not re.match(r"[a-z]+:|#", t)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [t for t in links(page) if not (page.parent / t).exists()]
    assert not broken, f"{page.name} links to {broken}"


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {(ROOT / t).resolve() for t in links(ROOT / "README.md")}
    assert {p for p in PAGES if p.name != "README.md"} <= linked


def modules() -> set[str]:
    """Modules of the package that do something, by their path in the repository."""
    return {
        p.relative_to(ROOT).as_posix()
        for room in ROOMS
        for p in (ROOT / room).rglob("*.py")
        if p.name != "__init__.py" and "/migrations/" not in p.as_posix()
    }


def test_the_module_map_is_the_tree() -> None:
    rooms = "|".join(ROOMS)
    listed = set(re.findall(rf"^\| `((?:{rooms})/[\w/]+\.py)` \|", text("docs/architecture.md"), re.MULTILINE))
    assert listed == modules(), "the module map is old: make docs"


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted paths of all leaf fields."""
    for name, field in model.model_fields.items():
        inner = nested(field.annotation)
        if inner is not None:
            yield from settings(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def nested(annotation: object) -> type[BaseModel] | None:
    """The pydantic model in an annotation such as ``Model`` or ``Model | None``."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def leaf(tree: Any, path: str) -> Any:
    for key in path.split("."):
        tree = tree[key]
    return tree


def test_every_setting_is_documented_with_its_default() -> None:
    from netwright.graphs.config import Config
    from netwright.tools.finetuning import TuneConfig

    defaults = Config(tuning=TuneConfig(steps=1)).model_dump(mode="json")
    defaults["tuning"]["steps"] = None  # named only because one of steps and epochs must be
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \|", text("docs/configuration.md"), re.MULTILINE)
    listed = {path: yaml.safe_load(default) for path, default in rows if "." in path and path != "model.name"}
    listed["model.name"] = next(yaml.safe_load(d) for p, d in rows if p == "model.name" and d != "what it is")
    assert listed == {path: leaf(defaults, path) for path in settings(Config)}


def commands() -> set[str]:
    """Every command of the command line, e.g. ``campaign run``."""
    import typer
    from netwright.interfaces.cli.main import app

    def walk(command: object, path: tuple[str, ...]) -> Iterator[str]:
        children = getattr(command, "commands", None)
        if children is None:
            yield " ".join(path)
            return
        for name, child in children.items():
            yield from walk(child, (*path, name))

    return set(walk(typer.main.get_command(app), ()))


def test_every_command_is_documented() -> None:
    documented = set(re.findall(r"^#+ `netwright ([a-z -]+?)(?: [A-Z\"\[].*)?`", text("docs/cli.md"), re.MULTILINE))
    assert commands() == documented


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))


def test_documented_make_targets_exist() -> None:
    named = {t for page in PAGES for t in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)}
    assert named, "no make target is documented"
    assert named <= make_targets()
