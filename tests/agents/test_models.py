"""The contract of the chat models that run in this process, held by each of them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import LLMResult
from netwright.agents.models import Answer, LocalChatModel, ScriptedChatModel, ScriptExhausted
from netwright.agents.models.batched import BatchedChatModel
from netwright.tools.pretraining.model import NanoShape, build_model, save_model
from netwright.tools.pretraining.tokenizer import train_tokenizer

PROGRAMS = [f"class Net:\n    def forward(self, x):\n        return x * {i}\n" for i in range(40)]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of the nano model's kind, small enough for tests."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = train_tokenizer([f"plain {i}\n{text}" for i, text in enumerate(PROGRAMS)], vocab_size=320)
    save_model(build_model(tokenizer, NanoShape(hidden=32, intermediate=64, layers=1, heads=1), 0), tokenizer, folder)
    return folder


class Recorder(BaseCallbackHandler):
    """Counts what LangChain tells its callbacks."""

    def __init__(self) -> None:
        self.started = 0
        self.ended: list[str] = []
        self.errors = 0

    def on_chat_model_start(self, serialized: dict[str, Any], messages: Any, **kwargs: Any) -> None:
        self.started += 1

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        self.ended.append(response.generations[0][0].text)

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.errors += 1


def headers(count: int) -> list[list[BaseMessage]]:
    return [[HumanMessage(f"plain {index}")] for index in range(count)]


class ChatModelContract(ABC):
    """What every embedded chat model promises."""

    @abstractmethod
    @pytest.fixture
    def model(self) -> BatchedChatModel: ...

    def test_is_a_langchain_chat_model(self, model: BatchedChatModel) -> None:
        assert isinstance(model, BaseChatModel)
        answer = model.invoke([HumanMessage("plain 1")], seed=3)
        assert isinstance(answer, AIMessage)
        assert isinstance(answer.content, str)
        assert answer.id

    def test_takes_plain_text(self, model: BatchedChatModel) -> None:
        assert isinstance(model.invoke("plain 1", seed=3), AIMessage)

    def test_counts_tokens_and_says_why_it_stopped(self, model: BatchedChatModel) -> None:
        answer = model.invoke([HumanMessage("plain 1")], seed=3)
        usage = answer.usage_metadata
        assert usage is not None
        assert usage["input_tokens"] > 0
        assert usage["output_tokens"] > 0
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert answer.response_metadata["finish_reason"] in {"stop", "length"}
        assert answer.response_metadata["model_name"] == model.model_name

    def test_batch_answers_all_in_order(self, model: BatchedChatModel) -> None:
        answers = model.batch(headers(4), seed=5)
        assert len(answers) == 4
        assert len({answer.id for answer in answers}) == 4
        assert model.batch([]) == []

    def test_a_batch_is_one_call(self, model: BatchedChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes: list[int] = []
        inner = type(model).reply

        def counted(self: Any, conversations: list[list[BaseMessage]], **options: Any) -> Any:
            sizes.append(len(conversations))
            return inner(self, conversations, **options)

        monkeypatch.setattr(type(model), "reply", counted)
        model.batch(headers(4), seed=1)
        asyncio.run(model.abatch(headers(3), seed=1))
        model.bind(seed=2).batch(headers(2))
        assert sizes == [4, 3, 2]

    def test_callbacks_see_each_conversation(self, model: BatchedChatModel) -> None:
        recorder = Recorder()
        answers = model.batch(headers(3), config={"callbacks": [recorder]}, seed=1)
        assert recorder.started == 3
        assert recorder.ended == [answer.content for answer in answers]

    def test_stop_strings_cut_the_answer(self, model: BatchedChatModel) -> None:
        whole = str(model.invoke("plain 1", seed=3).content)
        stop = whole[len(whole) // 2]
        cut = model.invoke("plain 1", seed=3, stop=[stop])
        assert cut.content == whole[: whole.index(stop)]
        assert cut.response_metadata["finish_reason"] == "stop"

    def test_streams_the_answer(self, model: BatchedChatModel) -> None:
        chunks = list(model.stream("plain 1", seed=3))
        assert "".join(str(chunk.content) for chunk in chunks)

    def test_asynchronously_too(self, model: BatchedChatModel) -> None:
        assert isinstance(asyncio.run(model.ainvoke("plain 1", seed=3)), AIMessage)


class TestLocal(ChatModelContract):
    @pytest.fixture
    def model(self, tiny_folder: Path) -> LocalChatModel:
        return LocalChatModel(folder=tiny_folder, max_new_tokens=12)

    def test_the_seed_decides(self, model: LocalChatModel) -> None:
        first = [answer.content for answer in model.batch(headers(4), seed=5)]
        model.batch(headers(2), seed=9)
        assert [answer.content for answer in model.batch(headers(4), seed=5)] == first
        assert [answer.content for answer in model.batch(headers(4), seed=6)] != first

    def test_equal_prompts_get_different_samples(self, model: LocalChatModel) -> None:
        answers = model.batch([[HumanMessage("plain 1")]] * 4, seed=5, temperature=1.5)
        assert len({str(answer.content) for answer in answers}) > 1

    def test_fields_can_be_overridden_per_call(self, model: LocalChatModel) -> None:
        assert model.invoke("plain 1", seed=1, max_new_tokens=3).usage_metadata["output_tokens"] <= 3  # type: ignore[index]
        greedy = model.bind(temperature=0.0)
        assert greedy.invoke("plain 1", seed=1).content == greedy.invoke("plain 1", seed=2).content

    def test_an_unknown_option_is_refused(self, model: LocalChatModel) -> None:
        with pytest.raises(TypeError, match="takes no tempratur"):
            model.invoke("plain 1", tempratur=0.3)

    def test_renders_the_header_and_nothing_else(self, model: LocalChatModel) -> None:
        assert model.render([HumanMessage("plain 1")]) == "<bos>plain 1\n"
        assert model.style == "completion"

    def test_a_trailing_answer_is_continued(self, model: LocalChatModel) -> None:
        begun: list[BaseMessage] = [HumanMessage("plain 1"), AIMessage("class Net:\n    def")]
        assert model.render(begun) == "<bos>plain 1\nclass Net:\n    def"
        answer = model.invoke(begun, seed=1)
        assert not str(answer.content).startswith("class Net")
        assert answer.usage_metadata is not None
        assert answer.usage_metadata["input_tokens"] == model.get_num_tokens(model.render(begun))

    def test_a_template_with_roles_is_chat(self, tiny_folder: Path, tmp_path: Path) -> None:
        for item in tiny_folder.iterdir():
            (tmp_path / item.name).write_bytes(item.read_bytes())
        (tmp_path / "chat_template.jinja").write_text(
            "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
        )
        model = LocalChatModel(folder=tmp_path, max_new_tokens=3)
        assert model.style == "chat"
        rendered = model.render([SystemMessage("Be brief."), HumanMessage("hello")])
        assert rendered == "[system] Be brief.\n[user] hello\n"

    def test_images_are_refused(self, model: LocalChatModel) -> None:
        picture = HumanMessage([{"type": "image", "url": "file:///picture.png"}])
        with pytest.raises(ValueError, match="text alone"):
            model.invoke([picture])

    def test_an_error_reaches_callbacks_and_caller(self, model: LocalChatModel) -> None:
        recorder = Recorder()
        with pytest.raises(ValueError, match="negative"):
            model.batch(headers(2), config={"callbacks": [recorder]}, temperature=-1.0)
        assert recorder.errors == 2
        assert all(isinstance(e, ValueError) for e in model.batch(headers(2), return_exceptions=True, temperature=-1.0))

    def test_a_missing_adapter_leaves_the_model_as_it_was(self, model: LocalChatModel, tmp_path: Path) -> None:
        before = model.invoke("plain 1", seed=1).content
        with pytest.raises(FileNotFoundError, match="adapter_config"):
            model.use_adapter(tmp_path)
        assert model.adapter is None
        assert model.invoke("plain 1", seed=1).content == before


class TestScripted(ChatModelContract):
    @pytest.fixture
    def model(self) -> ScriptedChatModel:
        return ScriptedChatModel.of([f"answer number {i}" for i in range(12)])

    def test_answers_in_order_then_says_it_is_exhausted(self) -> None:
        model = ScriptedChatModel.of(["a", Answer(text="b", finish="length"), "c"])
        assert model.invoke("x").content == "a"
        second, third = model.batch(["y", "z"])
        assert (second.content, third.content) == ("b", "c")
        assert second.response_metadata["finish_reason"] == "length"
        with pytest.raises(ScriptExhausted, match="3 answers are used up"):
            model.invoke("more")

    def test_records_what_was_asked(self) -> None:
        model = ScriptedChatModel.of(["a", "b"])
        model.batch([[SystemMessage("s"), HumanMessage("one")], "two"], seed=4)
        assert [call.messages[-1].content for call in model.calls] == ["one", "two"]
        assert [(call.seed, call.position) for call in model.calls] == [(4, 0), (4, 1)]

    def test_by_seed_the_past_does_not_matter(self) -> None:
        one = ScriptedChatModel.of([str(i) for i in range(50)], order="seed")
        two = ScriptedChatModel.of([str(i) for i in range(50)], order="seed")
        two.batch(headers(30), seed=1)
        first = [a.content for a in one.batch(headers(8), seed=2)]
        assert [a.content for a in two.batch(headers(8), seed=2)] == first
        assert [a.content for a in two.batch(headers(8), seed=3)] != first

    def test_a_function_answers(self) -> None:
        model = ScriptedChatModel.from_function(lambda messages, seed, place: f"{messages[-1].content} {seed} {place}")
        assert [a.content for a in model.batch(["p", "q"], seed=7)] == ["p 7 0", "q 7 1"]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("list.yaml", "- one\n- text: two\n  finish: length\n"),
            ("map.json", '{"answers": ["one", {"text": "two", "finish": "length"}], "style": "completion"}'),
        ],
    )
    def test_reads_files(self, tmp_path: Path, name: str, text: str) -> None:
        (tmp_path / name).write_text(text)
        model = ScriptedChatModel.from_file(tmp_path / name)
        one, two = model.batch(["x", "y"])
        assert (one.content, two.content) == ("one", "two")
        assert two.response_metadata["finish_reason"] == "length"
        assert model.style == ("completion" if "map" in name else "chat")

    @pytest.mark.parametrize("text", ["", "answers: []", "- [1, 2]", "x: {", "answers: [a]\nordr: seed"])
    def test_a_bad_file_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "script.yaml").write_text(text)
        with pytest.raises(ValueError, match="not a script of answers"):
            ScriptedChatModel.from_file(tmp_path / "script.yaml")
        with pytest.raises(FileNotFoundError, match="no script"):
            ScriptedChatModel.from_file(tmp_path / "none.yaml")
