"""``langgraph.json``: each graph is found by the name in the file and can be drawn; the conversation can be run."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import yaml
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from netwright.graphs.studio_talk import conversation
from netwright.graphs.talking import list_threads
from netwright.memory.records import Records

FILE = Path(__file__).resolve().parents[2] / "langgraph.json"
GRAPHS: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))["graphs"]


def test_all_graphs_are_named() -> None:
    assert set(GRAPHS) == {"design", "campaign", "chat", "conversation"}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_load_and_draw(name: str) -> None:
    module, _, factory = GRAPHS[name].partition(":")
    graph = getattr(importlib.import_module(module), factory)()
    assert graph.name == name
    assert graph.checkpointer is None
    drawn = graph.get_graph()
    assert len(drawn.nodes) > 3
    assert "__start__" in drawn.draw_mermaid()


def test_the_conversation_runs(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = tmp_path / "answers.yaml"
    answers.write_text(yaml.safe_dump({**yaml.safe_load(script.read_text()), "style": "completion"}))
    settings = {
        "model": {"name": "scripted", "path": str(answers)},
        "chat": {"candidates": 2, "approve_training": True},
        "campaign": {"repair_tries": 0},
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("NETWRIGHT_CONFIG", str(tmp_path / "settings.yaml"))
    graph = conversation()
    graph.checkpointer = InMemorySaver()  # as a server gives it
    place: RunnableConfig = {"configurable": {"thread_id": "2b7a4f0e-studio"}}

    def run(given: object) -> tuple[list[dict[str, object]], list[str]]:
        steps, ends = [], []
        for mode, part in graph.stream(given, place, stream_mode=["custom", "updates"]):
            steps += [part] if mode == "custom" else []
            ends += list(part) if mode == "updates" else []
        return steps, ends

    steps, ends = run({"messages": [{"role": "user", "content": "a network under 50k, train it"}]})
    assert "For which data set?" in graph.get_state(place).values["messages"][-1].text
    assert ends == ["turn"]
    steps, ends = run({"messages": [{"role": "user", "content": "digits"}]})
    assert {"generate", "validate"} <= {step["stage"] for step in steps}
    assert ends[-1] == "__interrupt__"
    (asked,) = graph.get_state(place).interrupts
    assert asked.value["step"] == "train"
    steps, ends = run(Command(resume=True))
    assert ends == ["approve", "turn"]
    messages = graph.get_state(place).values["messages"]
    assert [one.type for one in messages] == ["human", "ai", "human", "ai", "human", "ai"]
    assert messages[-1].additional_kwargs["netwright"]["shown"][0]["metric"] is not None
    with Records() as records:
        (kept,) = list_threads(records)
    assert (kept.thread, kept.state) == ("2b7a4f0e-studio", "answer"), "netwright chat lists it and goes on with it"
