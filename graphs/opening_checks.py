"""What is checked before a campaign opens anything: that its model can be tuned here, and is the one it began with."""

from __future__ import annotations

from ..agents.models import ModelUnavailable
from ..agents.models.factory import ChatModelHandle
from ..agents.models.identity import NOT_HERE, model_identity
from ..agents.reinforcer import grpo_defaults
from ..memory.rows import Campaign
from ..tools.finetuning import LoraSettings, TuneConfig, check_tunable_here
from ..tools.grpo import check_grpo_here
from .config import Config, ConfigError
from .library import check_library


def check_improvement(config: Config, model: ChatModelHandle, tuning: TuneConfig) -> None:
    """Fails before anything is written if what ``campaign.improve`` names cannot be done here.

    Raises:
        ImportError: a package is missing.
        ConfigError: a server would have no room for the adapters.
    """
    if "sft" in config.campaign.improve:
        check_tunable_here(tuning)
        _check_rank(config, tuning.lora, "tuning.lora.rank")
    if "grpo" in config.campaign.improve:
        reinforced = config.grpo.training or grpo_defaults(model.name, model.style)
        check_grpo_here(reinforced)
        _check_rank(config, reinforced.lora, "grpo.training.lora.rank")


def check_same_model(campaign: Campaign, config: Config) -> None:
    """A campaign goes on with the weights and the blocks it began with, or not at all.

    Raises:
        ModelUnavailable: the model that its name stands for is another one now.
        ConfigError: the block library is another one now.
    """
    blocks, now = campaign.machine.get("blocks"), check_library(config)
    if blocks not in (None, now):
        raise ConfigError(
            f"campaign {campaign.id} was begun with other blocks in the library ({blocks}, now {now}): "
            "bring those back, or start a new campaign"
        )
    begun, here = campaign.machine.get("model"), model_identity(config.model)
    if begun not in (None, NOT_HERE, here):
        raise ModelUnavailable(
            f"campaign {campaign.id} was begun with other weights of {config.model.name} ({begun}, now {here}): "
            "bring those back, or start a new campaign"
        )


def _check_rank(config: Config, lora: LoraSettings, setting: str) -> None:
    """A server of ours makes room for adapters when it starts, long before the first one is tuned.

    Raises:
        ConfigError: the adapters would not fit.
    """
    room = config.model.serving.max_lora_rank
    if config.model.serve is not None and lora.rank > room:
        raise ConfigError(
            f"adapters of rank {lora.rank} ({setting}) do not fit into a server with room for rank "
            f"{room}: raise model.serving.max_lora_rank"
        )
