"""From a model's name to an open chat model with what the agents need to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.language_models.base import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda

from ...memory.home import home_folder
from .batched import BatchedChatModel, Style
from .config import (
    NANO,
    NANO_DECODING,
    PAPER_DECODING,
    SCRIPTED,
    SMOLLM2,
    ModelConfig,
    ModelUnavailable,
)
from .local import LocalChatModel
from .scripted import ScriptedChatModel
from .smollm2 import smollm2_folder

NANO_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "netwright-nano"

ANSWER_ROOM = 64
"""Tokens that a prompt must leave free: below that no rewriting can be hoped for."""


@dataclass(frozen=True)
class ChatModelHandle:
    """An open chat model.

    Attributes:
        style: ``completion`` when the prompt is a header line, ``chat`` when it is instructions.
        tunable: its weights are here, so it takes LoRA adapters (:meth:`use_adapter`).
        supports_seed: the same seed gives the same answers; hosted models promise this at best roughly.
        base_folder: Hugging Face folder of a tunable model, which adapters are tuned from.
    """

    name: str
    model: BaseChatModel
    style: Style
    tunable: bool
    supports_seed: bool
    base_folder: Path | None = None
    parallel: int = 1
    decoding: dict[str, Any] = field(default_factory=dict)

    def ask(
        self, conversations: Sequence[LanguageModelInput], *, seed: int, config: RunnableConfig | None = None
    ) -> list[AIMessage]:
        """One answer per conversation, in order; equal conversations get answers of their own.

        Models in this process answer all at once; others are asked ``parallel`` at a time, each conversation
        with a seed of its own if the model takes one.
        """
        if isinstance(self.model, BatchedChatModel):
            return self.model.batch(conversations, config, seed=seed)

        def one(item: tuple[int, LanguageModelInput]) -> AIMessage:
            if self.supports_seed:
                return self.model.invoke(item[1], seed=seed + item[0])
            return self.model.invoke(item[1])

        limited: RunnableConfig = {**(config or {}), "max_concurrency": self.parallel}
        return RunnableLambda(one).batch(list(enumerate(conversations)), limited)

    def has_room(self, conversation: Sequence[BaseMessage]) -> bool:
        """Whether a conversation leaves a local model's context room for an answer; others judge by themselves."""
        if not isinstance(self.model, LocalChatModel):
            return True
        used = self.model.get_num_tokens(self.model.render(list(conversation)))
        return used + ANSWER_ROOM <= self.model.language_model.context

    def use_adapter(self, folder: Path | None) -> None:
        """Puts a LoRA adapter on, or takes it off.

        Raises:
            ModelUnavailable: the model's weights are not here.
            FileNotFoundError: no adapter in ``folder``.
        """
        if not isinstance(self.model, LocalChatModel):
            raise ModelUnavailable(f"{self.name} takes no adapter: its weights are not on this machine")
        self.model.use_adapter(folder)

    def describe(self) -> dict[str, Any]:
        """What is worth recording, JSON-serialisable and without secrets."""
        adapter = self.model.adapter if isinstance(self.model, LocalChatModel) else None
        return {
            "name": self.name,
            "style": self.style,
            "tunable": self.tunable,
            "supports_seed": self.supports_seed,
            "base_folder": str(self.base_folder) if self.base_folder else None,
            "adapter": str(adapter) if adapter else None,
            "decoding": self.decoding,
        }


def open_chat_model(config: ModelConfig) -> ChatModelHandle:
    """Opens the model that ``config`` names. Nothing is downloaded unless ``allow_download`` is set.

    Raises:
        ModelUnavailable: it cannot be used here; the message says what to install, set or change.
    """
    if config.base_url is not None:
        return _served(config)
    if config.name == SCRIPTED:
        return _scripted(config)
    if config.path is not None:
        return _local(config, config.path)
    if config.name == NANO:
        return _local(config, NANO_FOLDER)
    if config.name == SMOLLM2:
        return _local(config, smollm2_folder(allow_download=config.allow_download))
    if "/" in config.name and ":" not in config.name:
        return _local(config, _hub_folder(config))
    return _hosted(config)


def _local(config: ModelConfig, folder: Path) -> ChatModelHandle:
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(
            f"no model in {folder}: config.json is missing; name a Hugging Face folder by model.path"
        )
    if config.adapter is not None and not (config.adapter / "adapter_config.json").is_file():
        raise ModelUnavailable(f"no adapter in {config.adapter}: adapter_config.json is missing")
    probe = LocalChatModel(folder=folder, name=config.name, adapter=config.adapter)
    style = probe.style
    decoding = config.decoding(NANO_DECODING if style == "completion" else PAPER_DECODING)
    model = probe.model_copy(update=decoding.model_dump())
    return ChatModelHandle(
        name=config.name,
        model=model,
        style=style,
        tunable=True,
        supports_seed=True,
        base_folder=folder,
        decoding=decoding.model_dump(),
    )


def _scripted(config: ModelConfig) -> ChatModelHandle:
    if config.path is None:
        raise ModelUnavailable("the scripted model needs its answers: name a YAML or JSON file by model.path")
    try:
        model = ScriptedChatModel.from_file(config.path)
    except (FileNotFoundError, ValueError) as error:
        raise ModelUnavailable(str(error)) from error
    return ChatModelHandle(SCRIPTED, model, model.style, tunable=False, supports_seed=True)


def _served(config: ModelConfig) -> ChatModelHandle:
    from .providers import served_chat_model

    return ChatModelHandle(
        name=config.name,
        model=served_chat_model(config),
        style="chat",
        tunable=False,
        supports_seed=True,
        parallel=config.parallel,
        decoding=config.decoding(PAPER_DECODING).model_dump(),
    )


def _hosted(config: ModelConfig) -> ChatModelHandle:
    from .providers import hosted_chat_model

    model, supports_seed = hosted_chat_model(config)
    return ChatModelHandle(
        name=config.name,
        model=model,
        style="chat",
        tunable=False,
        supports_seed=supports_seed,
        parallel=config.parallel,
        decoding=dict(config.chosen),
    )


def hub_folder(name: str) -> Path:
    """Where a Hugging Face hub model lies in the data directory once it is fetched."""
    return home_folder("models") / "hub" / name.replace("/", "--")


def _hub_folder(config: ModelConfig) -> Path:
    """The folder of a Hugging Face hub model in the data directory, fetched when that is allowed."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    folder = hub_folder(config.name)
    if (folder / "config.json").is_file():
        return folder
    if not config.allow_download:
        raise ModelUnavailable(
            f"{config.name} is not on this machine; set model.allow_download=true to fetch it from the Hugging Face "
            "hub, or name a folder that holds it by model.path"
        )
    try:
        snapshot_download(
            config.name, local_dir=folder, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.model"]
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ModelUnavailable(f"{config.name} could not be fetched from the hub: {error}") from error
    return folder
