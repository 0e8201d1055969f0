"""Opening models by name: what each says of itself, what it is asked with, and clear refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from netwright.agents.models import ModelConfig, ModelUnavailable, open_chat_model
from netwright.agents.models.config import NANO_DECODING, PAPER_DECODING
from netwright.agents.models.factory import hub_folder
from netwright.agents.models.providers import KEY_VARIABLES
from netwright.tools.pretraining.model import NanoShape, build_model, save_model
from netwright.tools.pretraining.tokenizer import train_tokenizer
from netwright.tools.serving.client import Structured


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of the nano model's kind, small enough for tests."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = train_tokenizer(["plain\nclass Net:\n    pass\n"], vocab_size=300)
    save_model(build_model(tokenizer, NanoShape(hidden=32, intermediate=64, layers=1, heads=1), 0), tokenizer, folder)
    return folder


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An OpenAI-compatible server on loopback that repeats the question and the seed, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({**body, "authorization": self.headers["Authorization"]})
            text = f"{body['messages'][-1]['content']} {body.get('seed')}"
            answer = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            }
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            """Keeps the test's output clean."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/v1", asked
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_a_local_folder(tiny_folder: Path) -> None:
    handle = open_chat_model(ModelConfig(name="mine", path=tiny_folder, temperature=0.4, max_new_tokens=5))
    assert (handle.style, handle.tunable, handle.supports_seed) == ("completion", True, True)
    assert handle.decoding == {**NANO_DECODING.model_dump(), "temperature": 0.4, "max_new_tokens": 5}
    answers = handle.ask([[HumanMessage("plain")]] * 3, seed=1)
    assert [a.content for a in answers] == [a.content for a in handle.ask([[HumanMessage("plain")]] * 3, seed=1)]
    assert all(a.usage_metadata and a.usage_metadata["output_tokens"] <= 5 for a in answers)
    told = json.loads(json.dumps(handle.describe()))
    assert told["base_folder"] == str(tiny_folder)
    assert told["adapter"] is None


def test_a_chat_template_brings_the_paper_decoding(tiny_folder: Path, tmp_path: Path) -> None:
    for item in tiny_folder.iterdir():
        (tmp_path / item.name).write_bytes(item.read_bytes())
    (tmp_path / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
    )
    handle = open_chat_model(ModelConfig(name="mine", path=tmp_path))
    assert handle.style == "chat"
    assert handle.decoding == PAPER_DECODING.model_dump()
    assert (PAPER_DECODING.temperature, PAPER_DECODING.top_k, PAPER_DECODING.top_p) == (0.2, 50, 0.9)


def test_a_scripted_model(tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text("[one, two]")
    handle = open_chat_model(ModelConfig(name="scripted", path=tmp_path / "script.yaml"))
    assert (handle.style, handle.tunable) == ("chat", False)
    assert [a.content for a in handle.ask(["x", "y"], seed=0)] == ["one", "two"]
    with pytest.raises(ModelUnavailable, match="takes no adapter"):
        handle.use_adapter(tmp_path)


def test_a_served_model(server: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    url, asked = server
    monkeypatch.setenv("MY_KEY", "secret-key")
    config = ModelConfig(name="coder-7b", base_url=url, api_key_env="MY_KEY", top_k=20)
    handle = open_chat_model(config)
    answers = handle.ask([[HumanMessage("a")], [HumanMessage("a")], [HumanMessage("b")]], seed=10)
    assert [a.content for a in answers] == ["a 10", "a 11", "b 12"]
    assert answers[0].usage_metadata is not None
    assert answers[0].usage_metadata["total_tokens"] == 5
    body = asked[0]
    assert (body["model"], body["temperature"], body["top_p"], body["top_k"]) == ("coder-7b", 0.2, 0.9, 20)
    assert body["max_completion_tokens"] == 2048
    assert body["authorization"] == "Bearer secret-key"
    assert "secret-key" not in json.dumps(handle.describe())


def test_a_served_model_is_asked_for_a_shape(server: tuple[str, list[dict[str, Any]]]) -> None:
    handle = open_chat_model(ModelConfig(name="coder-7b", base_url=server[0], top_k=20))
    assert handle.ask(["a"], seed=1, structured=Structured(choice=["a 1", "b 1"]))[0].text == "a 1"
    assert server[1][0]["structured_outputs"] == {"choice": ["a 1", "b 1"]}
    assert server[1][0]["top_k"] == 20
    with pytest.raises(ModelUnavailable, match="does not keep to structured_outputs"):
        handle.ask(["a"], seed=1, structured=Structured(choice=["c"]))


def test_a_served_model_needs_no_key(server: tuple[str, list[dict[str, Any]]]) -> None:
    handle = open_chat_model(ModelConfig(name="coder-7b", base_url=server[0]))
    assert handle.ask(["a"], seed=1)[0].content == "a 1"
    assert handle.tunable is False


def test_a_hosted_model_gets_only_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    handle = open_chat_model(ModelConfig(name="openai:gpt-4.1", max_new_tokens=100))
    assert handle.supports_seed
    assert handle.decoding == {"max_new_tokens": 100}
    assert handle.model.model_dump(include={"max_tokens", "temperature"}) == {"max_tokens": 100, "temperature": None}
    with pytest.raises(ModelUnavailable, match="takes no top_k"):
        open_chat_model(ModelConfig(name="openai:gpt-4.1", top_k=5))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"name": "openai:gpt-4.1"}, "OPENAI_API_KEY"),
        ({"name": "openai:gpt-4.1", "api_key_env": "OTHER_KEY"}, "OTHER_KEY"),
        ({"name": "coder", "base_url": "http://127.0.0.1:9/v1", "api_key_env": "OTHER_KEY"}, "OTHER_KEY"),
        ({"name": "no-such-model"}, "unknown language model 'no-such-model'"),
        ({"name": "owner/some-model"}, "model.allow_download=true"),
        ({"name": "scripted"}, "needs its answers"),
        ({"name": "scripted", "path": Path("/nowhere/script.yaml")}, "no script at"),
        ({"name": "mine", "path": Path("/nowhere")}, "config.json is missing"),
    ],
)
def test_what_is_missing_is_named(config: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in KEY_VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ModelUnavailable) as refusal:
        open_chat_model(ModelConfig(**config))
    assert says in str(refusal.value)


def test_a_fetched_model_is_whole_or_not_there(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = ModelConfig(name="owner/some-model", allow_download=True)

    def fetch(name: str, local_dir: Path, **options: object) -> None:
        local_dir.mkdir(parents=True, exist_ok=True)
        (local_dir / "config.json").write_bytes((tiny_folder / "config.json").read_bytes())
        if interrupted:
            raise OSError("connection lost")
        for item in tiny_folder.iterdir():
            (local_dir / item.name).write_bytes(item.read_bytes())

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    interrupted = True
    with pytest.raises(ModelUnavailable, match="could not be fetched from the hub: connection lost"):
        open_chat_model(config)
    with pytest.raises(ModelUnavailable, match=r"model\.allow_download=true"):
        open_chat_model(ModelConfig(name="owner/some-model"))
    interrupted = False
    assert open_chat_model(config).base_folder == hub_folder("owner/some-model")
    assert open_chat_model(ModelConfig(name="owner/some-model")).tunable


def test_a_missing_provider_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain")
    monkeypatch.setenv("UPSTAGE_API_KEY", "secret-key")
    with pytest.raises(ModelUnavailable, match="pip install langchain-upstage"):
        open_chat_model(ModelConfig(name="upstage:solar-pro"))


def test_a_missing_adapter_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no adapter"):
        open_chat_model(ModelConfig(name="mine", path=tiny_folder, adapter=tmp_path))
