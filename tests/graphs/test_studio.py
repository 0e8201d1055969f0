"""``langgraph.json``: each graph is found by the name in the file and can be drawn."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[2] / "langgraph.json"
GRAPHS: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))["graphs"]


def test_all_graphs_are_named() -> None:
    assert set(GRAPHS) == {"design", "campaign", "chat"}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_load_and_draw(name: str) -> None:
    module, _, factory = GRAPHS[name].partition(":")
    graph = getattr(importlib.import_module(module), factory)()
    assert graph.name == name
    assert graph.checkpointer is None
    drawn = graph.get_graph()
    assert len(drawn.nodes) > 5
    assert "__start__" in drawn.draw_mermaid()
