"""The identity of a model changes with what decides its answers, and with nothing else."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from netwright.agents.models import ModelConfig, identity
from netwright.agents.models.factory import NANO_FOLDER, hub_folder
from netwright.agents.models.identity import NOT_HERE, local_folder, model_identity


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that has what a model's folder has, as far as its identity goes."""
    made = tmp_path / "model"
    made.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "README.md"):
        (made / name).write_text(f"contents of {name}")
    return made


def of(**fields: object) -> str:
    return model_identity(ModelConfig(**fields))  # type: ignore[arg-type]


def is_digest(text: str) -> bool:
    return len(text) == 16 and set(text) <= set("0123456789abcdef")


def test_the_packaged_model_is_named_by_its_weights(tmp_path: Path) -> None:
    packaged = of()
    assert is_digest(packaged)
    shutil.copytree(NANO_FOLDER, tmp_path / "copy")
    assert of(name="mine", path=tmp_path / "copy") == packaged, "the same weights elsewhere are the same model"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "chat_template.jinja"])
def test_what_decides_answers_decides_the_identity(folder: Path, name: str) -> None:
    before = of(path=folder)
    (folder / name).write_text(f"Contents of {name}")  # the same size
    assert is_digest(before)
    assert is_digest(of(path=folder))
    assert of(path=folder) != before


def test_other_files_and_settings_do_not(folder: Path) -> None:
    before = of(path=folder)
    (folder / "README.md").write_text("rewritten")
    (folder / "training-report.json").write_text("{}")
    os.utime(folder / "model.safetensors")
    assert of(path=folder) == before
    assert of(name="another label", path=folder, temperature=0.1) == before


def test_an_adapter_is_part_of_the_model(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"r": 4}')
    (adapter / "adapter_model.safetensors").write_text("weights")
    with_it = of(path=folder, adapter=adapter)
    assert with_it != of(path=folder)
    (adapter / "adapter_config.json").write_text('{"r": 8}')
    assert of(path=folder, adapter=adapter) != with_it
    assert of(name="smollm2", adapter=adapter) != of(name="smollm2")
    served = of(base_url="http://host/v1")
    assert of(base_url="http://host/v1", adapter=adapter).startswith(f"{served} with ")


def test_smollm2_is_known_before_it_is_converted() -> None:
    assert is_digest(of(name="smollm2"))


def test_a_hub_model_counts_once_it_is_here(folder: Path) -> None:
    config = {"name": "owner/some-model", "allow_download": True}
    assert of(**config) == NOT_HERE
    assert local_folder(ModelConfig(**config, base_url="http://host/v1")) is None
    shutil.copytree(folder, hub_folder("owner/some-model"))
    assert local_folder(ModelConfig(**config, base_url="http://host/v1")) == hub_folder("owner/some-model")
    assert of(**config) == of(path=folder)


def test_a_script_is_its_text(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    assert of(name="scripted", path=path) == of(name="scripted") == NOT_HERE
    path.write_text("[one]")
    before = of(name="scripted", path=path)
    path.write_text("[two]")
    assert is_digest(before)
    assert of(name="scripted", path=path) != before
    assert of(name="mine", path=tmp_path) == NOT_HERE, "a folder without a model"


def test_models_elsewhere_are_named_by_name_and_address() -> None:
    assert of(name="openai:gpt-4.1") == "openai:gpt-4.1"
    assert of(name="coder", base_url="http://me:secret@gpu:8000/v1") == "coder at http://gpu:8000/v1"


def test_a_file_is_read_once_until_it_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = of(path=folder)

    def forbidden(*args: object, **options: object) -> None:
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(identity.hashlib, "file_digest", forbidden)
        assert of(path=folder) == before
        (folder / "model.safetensors").write_text("others")
        with pytest.raises(AssertionError, match="read again"):
            of(path=folder)


def test_asking_is_cheap() -> None:
    of()
    begun = time.perf_counter()
    for _ in range(20):
        of()
    assert time.perf_counter() - begun < 1.0
