"""Where the weights of a model lie on this machine."""

from __future__ import annotations

from pathlib import Path

from ...memory.home import home_folder
from .config import NANO, SMOLLM2, ModelConfig, ModelUnavailable
from .smollm2 import FOLDER as SMOLLM2_FOLDER
from .smollm2 import smollm2_folder

NANO_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "netwright-nano"


def weights_folder(config: ModelConfig) -> Path | None:
    """Where the weights lie, fetched or converted when that is needed; ``None`` for a hosted model."""
    if config.path is None and config.name == SMOLLM2:
        return smollm2_folder(allow_download=config.allow_download)
    if config.path is None and _on_hub(config.name):
        return _hub_folder(config)
    return place_of(config)


def place_of(config: ModelConfig) -> Path | None:
    """Where the weights lie or would lie once they are fetched; ``None`` for a hosted model."""
    if config.path is not None:
        return config.path
    if config.name == NANO:
        return NANO_FOLDER
    if config.name == SMOLLM2:
        return home_folder("models") / SMOLLM2_FOLDER
    return hub_folder(config.name) if _on_hub(config.name) else None


def folder_here(config: ModelConfig) -> Path | None:
    """Where the weights lie already; ``None`` when they are not on this machine. Nothing is fetched or converted.

    A folder that is named and holds no model is told apart from none when it is opened.
    """
    place = place_of(config)
    named = config.path is not None
    return place if place is not None and (named or (place / "config.json").is_file()) else None


def hub_folder(name: str) -> Path:
    """Where a Hugging Face hub model lies in the data directory once it is fetched."""
    return home_folder("models") / "hub" / name.replace("/", "--")


def _on_hub(name: str) -> bool:
    return "/" in name and ":" not in name


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
    # Complete or not there at all: begun again, the hub's client goes on with what it has.
    begun = folder.with_name(f"{folder.name}.part")
    try:
        snapshot_download(
            config.name, local_dir=begun, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.model"]
        )
        begun.rename(folder)
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ModelUnavailable(f"{config.name} could not be fetched from the hub: {error}") from error
    return folder
