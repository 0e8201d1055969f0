"""The documents say what is there: links, modules, settings and commands are compared with the code."""

from __future__ import annotations

import ast
import importlib
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


def snippets(page: Path, language: str) -> list[str]:
    """The page's fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def imported(source: str) -> Iterator[tuple[str, str]]:
    """``(module, name)`` for each name that a program imports from netwright; the name is empty for ``import``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "netwright":
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((a.name, "") for a in node.names if a.name.partition(".")[0] == "netwright")


def test_python_in_the_documents_imports_what_exists() -> None:
    found = {(page.name, *pair) for page in PAGES for code in snippets(page, "python") for pair in imported(code)}
    assert len(found) > 10, "the snippets were not found"
    missing = [f"{page}: {module}.{name}" for page, module, name in sorted(found) if not resolves(module, name)]
    assert not missing


def resolves(module: str, name: str) -> bool:
    """Whether ``import module``, or ``from module import name``, works."""
    try:
        if name and not hasattr(importlib.import_module(module), name):
            module = f"{module}.{name}"
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def options() -> dict[str, set[str]]:
    """The options of every command, e.g. of ``campaign run``."""
    import typer
    from netwright.interfaces.cli.main import app

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, set[str]]]:
        children = getattr(command, "commands", None)
        if children is None:
            yield " ".join(path), {"--help", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}
            return
        for name, child in children.items():
            yield from walk(child, (*path, name))

    return dict(walk(typer.main.get_command(app), ()))


def test_commands_in_the_documents_have_the_options_that_are_shown() -> None:
    known = options()
    wrong, seen = [], 0
    for page in PAGES:
        for line in "\n".join(snippets(page, "sh")).splitlines():
            shown = re.match(r"(?:\.venv/bin/)?netwright ([^|#]*)", line)
            if shown is None:
                continue
            words = shown[1].split()
            while words[0] in ("--log-json", "--log-level"):  # options of all commands stand before them
                del words[:2]
            name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
            used = {w.partition("=")[0] for w in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", w)}
            seen += 1
            if name not in known or used - known[name]:
                wrong.append(f"{page.name}: {line}")
    assert seen > 20, "the commands were not found"
    assert not wrong


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
    """The pydantic model in an annotation such as ``Model`` or ``Model | None``; a mapping is one setting."""
    if getattr(annotation, "__origin__", None) is dict:
        return None
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def leaf(tree: Any, path: str) -> Any:
    for key in path.split("."):
        tree = tree[key]
    return tree


def test_every_setting_is_documented_with_its_default() -> None:
    from netwright.graphs.config import Config, GrpoSettings
    from netwright.tools.finetuning import TuneConfig
    from netwright.tools.grpo_config import GrpoConfig

    grpo = GrpoSettings(training=GrpoConfig())
    defaults = Config(tuning=TuneConfig(steps=1), grpo=grpo).model_dump(mode="json")
    defaults["tuning"]["steps"] = None  # named only because one of steps and epochs must be
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \|", text("docs/configuration.md"), re.MULTILINE)
    listed = {path: yaml.safe_load(default) for path, default in rows if "." in path and path != "model.name"}
    listed["model.name"] = next(yaml.safe_load(d) for p, d in rows if p == "model.name" and d != "what it is")
    assert listed == {path: leaf(defaults, path) for path in settings(Config)}


def test_every_command_is_documented() -> None:
    documented = set(re.findall(r"^#+ `netwright ([a-z -]+?)(?: [A-Z\"\[].*)?`", text("docs/cli.md"), re.MULTILINE))
    assert set(options()) == documented


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))


def test_documented_make_targets_exist() -> None:
    named = {t for page in PAGES for t in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)}
    assert named, "no make target is documented"
    assert named <= make_targets()
