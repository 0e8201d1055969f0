"""Models behind a vLLM server, against a real HTTP server that stands in for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from netwright.agents.models import ModelConfig, ModelUnavailable, open_chat_model
from netwright.agents.models.factory import NANO_FOLDER, ChatModelHandle
from netwright.agents.models.identity import model_identity
from netwright.agents.models.served import VllmChatModel
from netwright.agents.retriever import budget_of
from netwright.agents.seeds import derive_seed
from netwright.tools.serving.adapters import adapter_name
from netwright.tools.serving.client import ServerUnreachable, Structured
from netwright.tools.serving.environment import ready_environment
from netwright.tools.serving.server import ServerState, servers, start_server, stop_server, wait_ready
from netwright.tools.serving.settings import ServeSpec
from pydantic import ValidationError

from ..tools.serving_parts import standin_environment, write_adapter

HEADER = "# task=img-classification in=1x8x8 out=10 params=3k-10k style=any"


@pytest.fixture
def environment():
    yield standin_environment()
    for state in servers():
        stop_server(state)


@pytest.fixture
def handle(environment):
    opened = open_chat_model(ModelConfig(serve="vllm", parallel=4))
    yield opened
    opened.close()


def asked(state: ServerState) -> list[dict]:
    """The completions that the stand-in was asked for, in order of their seeds' places."""
    lines = [line for line in state.log.read_text().splitlines() if line.startswith("completion ")]
    return [json.loads(line.partition(" ")[2]) for line in lines]


def test_the_server_is_started_by_the_first_question_and_stopped_by_close(handle: ChatModelHandle) -> None:
    assert (handle.style, handle.tunable, handle.structured) == ("completion", True, True)
    assert handle.base_folder == NANO_FOLDER
    assert servers() == []
    answers = handle.ask([[HumanMessage(HEADER)]] * 3, seed=5)
    places = [answer.text.split()[1] for answer in answers]
    assert places == [str(derive_seed(5, place)) for place in range(3)]
    assert len(servers()) == 1
    handle.close()
    assert servers() == []


def test_the_prompt_is_that_of_a_model_in_this_process(handle: ChatModelHandle) -> None:
    local = open_chat_model(ModelConfig()).model
    conversation = [HumanMessage(HEADER), AIMessage("import torch\n\n\nclass Net")]
    (answer,) = handle.ask([conversation], seed=1)
    assert answer.usage_metadata is not None
    (body,) = asked(servers()[0])
    assert body["prompt"] == local.encode(local.render(conversation))
    assert body["temperature"] == 0.9
    assert "top_k" not in body
    assert body["max_tokens"] == min(768, 1024 - len(body["prompt"]))
    assert isinstance(handle.model, VllmChatModel)
    assert handle.model.context == 1024
    assert budget_of(handle).tokens == budget_of(open_chat_model(ModelConfig())).tokens > 0
    assert handle.has_room([HumanMessage(HEADER)])
    assert not handle.has_room([HumanMessage(HEADER), AIMessage("x = 1\n" * 600)])
    with pytest.raises(ValueError, match="fills the context of 1024"):
        handle.ask([[HumanMessage("x = 1\n" * 2000)]], seed=1)


def test_adapters_come_and_go_while_it_runs(handle: ChatModelHandle, tmp_path: Path) -> None:
    first, second = (write_adapter(tmp_path / f"cycle-00{n}", bytes([n])) for n in (1, 2))
    handle.use_adapter(first)
    assert servers() == [], "nothing is asked yet"
    assert handle.ask(["x"], seed=1)[0].text.startswith(f"{adapter_name(first)} ")
    handle.use_adapter(second)
    assert handle.ask(["x"], seed=1)[0].text.startswith(f"{adapter_name(second)} ")
    connection = servers()[0].connect()
    assert set(connection.models()) == {"nano", adapter_name(second)}
    handle.use_adapter(None)
    assert handle.ask(["x"], seed=1)[0].text.startswith("nano ")
    assert handle.describe()["adapter"] is None
    with pytest.raises(FileNotFoundError):
        handle.use_adapter(tmp_path)


def test_a_shape_is_asked_for_and_kept_to(handle: ChatModelHandle, tmp_path: Path) -> None:
    (answer,) = handle.ask(["x"], seed=1, structured=Structured(regex=r"\d+"))
    assert answer.text == "42"
    assert asked(servers()[0])[0]["structured_outputs"] == {"regex": r"\d+"}
    with pytest.raises(ModelUnavailable, match="does not keep to structured_outputs"):
        handle.ask(["x"], seed=1, structured=Structured(regex="[a-z]+"))
    (tmp_path / "script.yaml").write_text("[one]")
    scripted = open_chat_model(ModelConfig(name="scripted", path=tmp_path / "script.yaml"))
    with pytest.raises(ModelUnavailable, match="takes no structured output"):
        scripted.ask(["x"], seed=1, structured=Structured(regex="[a-z]+"))


def test_without_the_environment_it_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="netwright serve-model --prepare"):
        open_chat_model(ModelConfig(serve="vllm"))


def test_a_found_server_is_tunable_and_its_key_is_found_too(environment, tmp_path: Path) -> None:
    spec = ServeSpec(model=str(NANO_FOLDER), name="nano", kind="cpu")
    state = start_server(spec, ready_environment("cpu"), owned=True)
    wait_ready(state)
    handle = open_chat_model(ModelConfig(base_url=state.url))
    assert (handle.style, handle.tunable, handle.base_folder) == ("completion", True, NANO_FOLDER)
    handle.use_adapter(write_adapter(tmp_path / "cycle-001"))
    assert handle.ask(["x"], seed=1)[0].text.startswith("cycle-001.")
    with pytest.raises(ModelUnavailable, match=r"serves nano.*, not coder: set model\.name"):
        open_chat_model(ModelConfig(name="coder", path=NANO_FOLDER, base_url=state.url))
    stop_server(state)
    with pytest.raises(ServerUnreachable, match="netwright serve-model --model nano"):
        handle.ask(["x"], seed=1)
    with pytest.raises(ModelUnavailable, match=r"does not answer .*: start it.*model\.base_url"):
        open_chat_model(ModelConfig(base_url=state.url))
    handle.close()


def test_the_weights_decide_who_a_served_model_is() -> None:
    assert model_identity(ModelConfig(serve="vllm")) == model_identity(ModelConfig())


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, "set one of them"),
        ({"name": "scripted"}, "no weights to serve"),
        ({"serving": {"max_lora_rank": 20}}, "max_lora_rank"),
    ],
)
def test_settings_that_do_not_fit_together(fields: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ModelConfig(serve="vllm", **fields)


def test_a_hosted_model_cannot_be_served() -> None:
    with pytest.raises(ModelUnavailable, match="its weights are not on this machine"):
        open_chat_model(ModelConfig(name="openai:gpt-4.1", serve="vllm"))
