"""``langgraph.json``: each graph is found by the name in the file and can be drawn; the conversation can be run."""

from __future__ import annotations

import asyncio
import importlib
import json
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from netwright.graphs.config import load_config
from netwright.graphs.studio import Graph
from netwright.graphs.studio_talk import conversation
from netwright.graphs.talking import list_threads, open_conversation
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


PLACE: RunnableConfig = {"configurable": {"thread_id": "2b7a4f0e-studio"}}


@pytest.fixture
def graph(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Graph:
    """The conversation with a scripted model, as a server runs it."""
    answers = tmp_path / "answers.yaml"
    answers.write_text(yaml.safe_dump({**yaml.safe_load(script.read_text()), "style": "completion"}))
    settings = {
        "model": {"name": "scripted", "path": str(answers)},
        "chat": {"candidates": 2, "approve_training": True},
        "campaign": {"repair_tries": 0},
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETWRIGHT_CONFIG", str(tmp_path / "settings.yaml"))
    graph = conversation()
    graph.checkpointer = InMemorySaver()
    return graph


async def run(graph: Graph, given: object) -> tuple[set[str], set[str]]:
    """The stages that were told, and the nodes that ended."""
    stages, ended = set(), set()
    async for mode, part in graph.astream(given, PLACE, stream_mode=["custom", "updates"]):
        if mode == "custom":
            stages.add(part["stage"])
        else:
            ended |= set(part)
    return stages, ended


def says(text: str) -> dict[str, list[dict[str, str]]]:
    return {"messages": [{"role": "user", "content": text}]}


def kept() -> list[tuple[str, str]]:
    with Records() as records, open_conversation(load_config(), records, "2b7a4f0e-studio") as talk:
        return [(one.text, one.reply.kind if one.reply else "") for one in talk.history()]


def test_the_conversation_runs(graph: Graph) -> None:
    async def talk() -> None:
        assert await run(graph, {"messages": []}) == (set(), {"turn"}), "nothing said, nothing answered"
        assert await run(graph, says("a network under 50k, train it")) == ({"understand"}, {"turn"})
        assert "For which data set?" in graph.get_state(PLACE).values["messages"][-1].text
        stages, ended = await run(graph, says("digits"))
        assert {"generate", "validate"} <= stages
        assert ended == {"turn", "__interrupt__"}
        (asked,) = graph.get_state(PLACE).interrupts
        assert asked.value["step"] == "train"
        stages, ended = await run(graph, Command(resume=True))
        assert ("train" in stages, ended) == (True, {"approve", "turn"})

    asyncio.run(talk())
    messages = graph.get_state(PLACE).values["messages"]
    assert [one.type for one in messages] == ["human", "ai", "human", "ai", "human", "ai"]
    assert messages[-1].additional_kwargs["netwright"]["shown"][0]["metric"] is not None
    with Records() as records:
        (thread,) = list_threads(records)
    assert (thread.thread, thread.state) == ("2b7a4f0e-studio", "answer"), "netwright chat lists it and goes on with it"


def test_a_turn_whose_answer_was_lost_is_not_taken_twice(graph: Graph) -> None:
    asyncio.run(run(graph, says("a network under 50k")))
    # A server that is killed has the turn on file, and its own state from before it.
    with Records() as records, open_conversation(load_config(), records, "2b7a4f0e-studio") as talk:
        answer = talk.say("under 40k")
    before = kept()
    assert asyncio.run(run(graph, says("under 40k"))) == (set(), {"turn"})
    assert graph.get_state(PLACE).values["messages"][-1].text == answer.text
    assert kept() == before
    asyncio.run(run(graph, says("under 40k")))
    assert len(kept()) == len(before) + 2, "said once more by the person it is a turn of its own"


def test_a_held_thread_is_told_in_words(graph: Graph) -> None:
    with Records() as records, open_conversation(load_config(), records, "2b7a4f0e-studio"):
        asyncio.run(run(graph, says("digits")))
    assert "say it again" in graph.get_state(PLACE).values["messages"][-1].text


def test_a_cancelled_run_stops_the_work(graph: Graph) -> None:
    async def cancelled() -> None:
        stages = graph.astream(says("digits under 50k, 8 candidates, train it"), PLACE, stream_mode="custom")
        task = asyncio.create_task(anext(stages))
        assert (await task)["stage"] == "understand"
        following = asyncio.create_task(anext(stages))
        await asyncio.sleep(0)
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    asyncio.run(cancelled())
    (_, nothing), (_, kind) = kept()
    assert (nothing, kind) == ("", "stopped"), "the thread is free, and what was done is kept"
