"""From a model's name to an open chat model with what the agents need to know about it."""

from __future__ import annotations

from pathlib import Path

from ...tools.serving.client import Connection
from ...tools.serving.environment import kind_here, make_environment, ready_environment
from ...tools.serving.server import key_for
from ...tools.serving.settings import ServeSpec, ServingError
from ...tools.serving.source import FoundServer, OwnServer, ServerSource
from .config import NANO_DECODING, PAPER_DECODING, SCRIPTED, ModelConfig, ModelUnavailable, key_in
from .folders import NANO_FOLDER, folder_here, hub_folder, weights_folder
from .handle import ChatModelHandle
from .local import LocalChatModel
from .rendered import RenderedChatModel
from .scripted import ScriptedChatModel
from .served import VllmChatModel

__all__ = ["NANO_FOLDER", "ChatModelHandle", "hub_folder", "open_chat_model", "serve_spec"]

CHAT_PARALLEL = 4
"""Requests under way at a time where a model is not served by vLLM: providers refuse too many."""


def open_chat_model(config: ModelConfig) -> ChatModelHandle:
    """Opens the model that ``config`` names. Nothing is downloaded unless ``allow_download`` is set.

    Raises:
        ModelUnavailable: it cannot be used here; the message says what to install, set or change.
    """
    if config.name == SCRIPTED:
        return _scripted(config)
    if config.base_url is not None:
        folder = weights_folder(config) if config.allow_download else folder_here(config)
        return _served(config) if folder is None else _found(config, folder)
    if config.serve is not None:
        return _own(config)
    folder = weights_folder(config)
    return _hosted(config) if folder is None else _local(config, folder)


def _local(config: ModelConfig, folder: Path) -> ChatModelHandle:
    _check_folders(config, folder)
    return _rendered(config, folder, LocalChatModel(folder=folder, name=config.name, adapter=config.adapter))


def _own(config: ModelConfig) -> ChatModelHandle:
    """A model that a server of ours serves; it is started by the first question."""
    spec = serve_spec(config)
    try:
        if config.allow_download:
            make_environment(spec.kind)
        ready_environment(spec.kind)
    except ServingError as error:
        raise ModelUnavailable(str(error)) from error
    folder = Path(spec.model)
    return _rendered(config, folder, _vllm(config, folder, OwnServer(spec), config.serving.context))


def serve_spec(config: ModelConfig) -> ServeSpec:
    """The server that serves the model of ``config`` on this machine.

    Raises:
        ModelUnavailable: its weights are not here.
    """
    folder = weights_folder(config)
    if folder is None:
        raise ModelUnavailable(f"{config.name} cannot be served here: its weights are not on this machine")
    _check_folders(config, folder)
    kind = kind_here(config.serving.device)
    return ServeSpec(model=str(folder.resolve()), name=config.name, kind=kind, settings=config.serving)


def _found(config: ModelConfig, folder: Path) -> ChatModelHandle:
    """A model whose weights are here, on a server that somebody runs."""
    assert config.base_url is not None
    _check_folders(config, folder)
    connection = Connection(
        config.base_url,
        _key(config),
        f"start it, for example by 'netwright serve-model --model {config.path or config.name}', or correct "
        "model.base_url",
    )
    try:
        here, takes = connection.models(), connection.takes_adapters()
    except ServingError as error:
        raise ModelUnavailable(str(error)) from error
    if config.name not in here:
        raise ModelUnavailable(
            f"the server at {config.base_url} serves {', '.join(here) or 'nothing'}, not {config.name}: "
            "set model.name to its name, and model.path to the folder with the weights"
        )
    if config.adapter is not None and not takes:
        raise ModelUnavailable(f"the server at {config.base_url} loads no adapters while it runs; leave model.adapter")
    model = _vllm(config, folder, FoundServer(connection, config.name), here[config.name])
    return _rendered(config, folder, model, tunable=takes)


def _key(config: ModelConfig) -> str | None:
    """The key of the server at ``base_url``: the one that is named, or that of a server of ours."""
    assert config.base_url is not None
    return key_in(config.api_key_env) if config.api_key_env else key_for(config.base_url)


def _vllm(config: ModelConfig, folder: Path, source: ServerSource, room: int | None) -> VllmChatModel:
    parallel = config.parallel or config.serving.concurrent
    return VllmChatModel(
        folder=folder, name=config.name, adapter=config.adapter, source=source, parallel=parallel, room=room
    )


def _check_folders(config: ModelConfig, folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelUnavailable(
            f"no model in {folder}: config.json is missing; name a Hugging Face folder by model.path"
        )
    if config.adapter is not None and not (config.adapter / "adapter_config.json").is_file():
        raise ModelUnavailable(f"no adapter in {config.adapter}: adapter_config.json is missing")


def _rendered(config: ModelConfig, folder: Path, probe: RenderedChatModel, *, tunable: bool = True) -> ChatModelHandle:
    style = probe.style
    decoding = config.decoding(NANO_DECODING if style == "completion" else PAPER_DECODING)
    return ChatModelHandle(
        name=config.name,
        model=probe.model_copy(update=decoding.model_dump()),
        style=style,
        tunable=tunable,
        supports_seed=True,
        base_folder=folder if tunable else None,
        parallel=probe.parallel if isinstance(probe, VllmChatModel) else 1,
        decoding=decoding.model_dump(),
        structured=isinstance(probe, VllmChatModel),
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
        model=served_chat_model(config, _key(config)),
        style="chat",
        tunable=False,
        supports_seed=True,
        parallel=config.parallel or CHAT_PARALLEL,
        decoding=config.decoding(PAPER_DECODING).model_dump(),
        structured=True,
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
        parallel=config.parallel or CHAT_PARALLEL,
        decoding=dict(config.chosen),
    )
