"""Write the module map of ``architecture.md`` from the first lines of the modules' docstrings (`make docs`)."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- module map begins: make docs writes it -->", "<!-- module map ends -->"
ROOMS = {
    "interfaces": "how people and programs come in",
    "graphs": "in what order: LangGraph state machines that wire and hold no logic",
    "agents": "who decides",
    "tools": "what can be done, usable with no agent and no graph",
    "sandbox": "where untrusted code runs",
    "memory": "what is remembered",
}


def modules(room: str) -> list[Path]:
    """Modules of a room, relative to the repository, without package markers and schema versions."""
    found = (p.relative_to(ROOT) for p in (ROOT / room).rglob("*.py") if p.name != "__init__.py")
    return sorted(p for p in found if "migrations" not in p.parts)


def says(path: Path) -> str:
    """The first line of a module's docstring, as one cell of a table."""
    text = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].replace("``", "`").replace("|", "\\|")


def module_map() -> str:
    """The map as Markdown: one table per room."""
    parts = []
    for room, what in ROOMS.items():
        rows = [f"| `{path.as_posix()}` | {says(path)} |" for path in modules(room)]
        parts.append("\n".join([f"### `{room}/`: {what}", "", "| module | what it does |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def main() -> None:
    """Put the map between its two marks."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{module_map()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
