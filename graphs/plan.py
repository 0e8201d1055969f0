"""What a campaign would do and take, told before anything runs: the model, memory, steps and commands."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from ..agents.designer import CHUNK
from ..agents.learner import tuning_defaults
from ..agents.models.batched import Style
from ..agents.models.config import NANO, NANO_DECODING, PAPER_DECODING
from ..agents.models.identity import NOT_HERE, local_folder, model_identity
from ..agents.reinforcer import grpo_defaults
from ..tools.finetuning import TuneConfig, check_tunable_here
from ..tools.footprint import Footprint, Sampler, architecture, footprint
from ..tools.grpo import check_grpo_here
from ..tools.protocols import default_protocol
from ..tools.serving.environment import kind_here, ready_environment
from ..tools.serving.settings import ServingError
from ..tools.tasks import task_info
from .asked import chosen_protocol
from .config import Config

PROMPT_TOKENS = 1_000
"""Tokens of the designer's prompt without exemplars, rounded up."""


class CampaignPlan(BaseModel):
    """A dry run.

    Attributes:
        candidates, answer_tokens: most per cycle, before dynamic sampling and repair.
        threshold: as it is set; the task's own where the configuration has none.
        footprint: memory of the language model in GiB; ``None`` for one whose architecture is not known here.
        missing: what keeps it from running on this machine, each with what to do.
        commands: what to type, in order.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    decoding: dict[str, float | int | None]
    dataset: str
    protocol: str
    cycles: int | None
    candidates: int
    answer_tokens: int
    threshold: str
    tuning: TuneConfig | None
    footprint: Footprint | None
    missing: tuple[str, ...]
    commands: tuple[str, ...]


def plan_campaign(config: Config, asked: str = "") -> CampaignPlan:
    """The plan of a campaign. Loads no weights, writes nothing and asks nobody.

    Args:
        asked: the options of the command line that made ``config``, for the commands.
    """
    settings, model = config.campaign, config.model
    embedded = model.name == NANO
    decoding = model.decoding(NANO_DECODING if embedded else PAPER_DECODING)
    tuned = settings.tune and local_folder(model) is not None
    tuning = (config.tuning or tuning_defaults(model.name, "completion" if embedded else "chat")) if tuned else None
    missing: list[str] = []
    memory = _footprint(config, tuning, decoding.max_new_tokens, missing)
    missing += _untrainable(config, tuning)
    if model_identity(model) == NOT_HERE:
        missing.append(
            f"{model.name} is not on this machine: --set model.allow_download=true fetches it, or name a folder that "
            "holds it by model.path"
        )
    if model.serve is not None:
        try:
            ready_environment(kind_here(model.serving.device))
        except ServingError as error:
            missing.append(str(error))
    chosen = chosen_protocol(config, settings.dataset)
    return CampaignPlan(
        model=model.name,
        decoding=decoding.model_dump(),
        dataset=settings.dataset,
        protocol=f"{config.protocol.name or default_protocol(settings.dataset).name} ({chosen.hash[:12]})",
        cycles=config.budget.cycles,
        candidates=settings.candidates,
        answer_tokens=settings.candidates * decoding.max_new_tokens,
        threshold=_threshold(config),
        tuning=tuning,
        footprint=memory,
        missing=tuple(missing),
        commands=_commands(config, asked, tuning),
    )


def _untrainable(config: Config, tuning: TuneConfig | None) -> list[str]:
    """Why this machine cannot improve the model as ``campaign.improve`` says."""
    if tuning is None:
        return []
    style: Style = "completion" if config.model.name == NANO else "chat"
    reinforced = config.grpo.training or grpo_defaults(config.model.name, style)
    checks = {"sft": lambda: check_tunable_here(tuning), "grpo": lambda: check_grpo_here(reinforced)}
    found = []
    for step in config.campaign.improve:
        try:
            checks[step]()
        except (ImportError, ValueError) as error:
            found.append(str(error))
    return found


def _footprint(config: Config, tuning: TuneConfig | None, answer: int, missing: list[str]) -> Footprint | None:
    model, folder = config.model, local_folder(config.model)
    if tuning is None or folder is None:
        return None
    try:
        shape = architecture(model.name, folder if (folder / "config.json").is_file() else None)
    except FileNotFoundError as error:
        missing.append(str(error))
        return None
    # A model in this process answers a chunk of prompts at a time, as one batch; vLLM as many as there is room for.
    served = model.serve is not None or model.base_url is not None
    parallel = 1 if served else min(CHUNK, config.campaign.candidates)
    sampler: Sampler = "vllm" if served else "process"
    return footprint(shape, tuning, answer_tokens=PROMPT_TOKENS + answer, parallel=parallel, sampler=sampler)


def _threshold(config: Config) -> str:
    settings = config.campaign
    if settings.threshold_share is not None:
        return f"what at most {settings.threshold_share:.0%} of cycle 1 reaches"
    value = settings.threshold if settings.threshold is not None else task_info(settings.dataset).threshold
    return f"{value:g}"


def _commands(config: Config, asked: str, tuning: TuneConfig | None) -> tuple[str, ...]:
    fetch = " --set model.allow_download=true" if model_identity(config.model) == NOT_HERE else ""
    install = ["pip install 'netwright[gpu]'"] if tuning is not None and tuning.optimizer == "paged_adamw_8bit" else []
    served = ["netwright serve-model --prepare"] if config.model.serve is not None else []
    run = f"netwright campaign run{asked} --id planned --download{fetch}"
    return (*install, *served, run, "netwright campaign resume planned", "netwright campaign report planned")
