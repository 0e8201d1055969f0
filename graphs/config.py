"""One configuration tree, from one YAML file, every field overridable by ``--set path.to.field=value``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from ..agents.models import ModelConfig
from ..memory.block_types import Category
from ..memory.novelty import NoveltyMode
from ..memory.types import Precision
from ..sandbox import DockerOptions, Limits, backend_order
from ..tools.devices import GPU_MEMORY_MB, TRAINING_MEMORY_MB, DeviceChoice
from ..tools.finetuning import TuneConfig
from ..tools.generators.headers import ANY, EACH, STYLES
from ..tools.grpo_config import GrpoConfig
from .service_settings import (
    AccountingSettings,
    ChatSettings,
    HttpSettings,
    NotifySettings,
    RetentionSettings,
    SupervisionSettings,
    TrackingSettings,
)
from .settings import Settings

CONFIGS: Final = Path(__file__).resolve().parents[1] / "configs"
"""Named configurations: ``--config paper-7b`` is the file of that name here."""

Answers = Literal["full", "delta"]
BackendName = Literal["bubblewrap", "docker", "process"]
Improvement = Literal["sft", "grpo"]


class DynamicSampling(Settings):
    """Section 3.1: from cycle 11 on the paper samples until at least 30 new networks are above threshold."""

    from_cycle: int | None = Field(default=None, ge=1, description="first cycle with dynamic sampling; null: never")
    at_least: int = Field(default=30, ge=1, description="new networks above threshold that a cycle must find")
    max_batches: int = Field(default=8, ge=1, description="most batches of candidates in one cycle")


class StoppingRule(Settings):
    """Appendix D: stop when mean accuracy gains less than ``delta`` over ``cycles`` cycles and the share
    above threshold stays within its Wilson interval."""

    enabled: bool = True
    delta: float = Field(default=0.01, ge=0, description="least gain of mean accuracy, as a fraction of 1")
    cycles: int = Field(default=3, ge=2, description="consecutive cycles that are looked at")


class CollapseGuard(Settings):
    """An adapter is taken back when what it writes is valid, or varied, far less often than cycle 1 was."""

    enabled: bool = True
    valid: float = Field(default=0.5, ge=0, le=1, description="least valid rate, as a share of cycle 1's")
    distance: float = Field(
        default=0.7, ge=0, le=1, description="least mean Jaccard distance of a cycle's texts, as a share of cycle 1's"
    )


class CampaignSettings(Settings):
    """What a campaign does in each cycle."""

    dataset: str = "digits"
    seed: int = Field(default=0, ge=0)
    candidates: int = Field(default=64, ge=1, description="candidates written per batch")
    style: str | tuple[str, ...] = Field(
        default="any",
        min_length=1,
        description="architecture style asked for; several, or each of them all, in turn; any: the model chooses",
    )
    min_params: int | None = Field(default=None, ge=1)
    max_params: int | None = Field(default=None, ge=1, description="parameter budget of each network; null: none")
    threshold: float | None = Field(
        default=None, ge=0, le=1, description="least metric for admission; null: the task's"
    )
    threshold_share: float | None = Field(
        default=None, gt=0, lt=1, description="take the threshold that at most this share of cycle 1 reaches"
    )
    admit: Literal["above", "all"] = Field(
        default="above", description="what is admitted; all: the ablation with no threshold"
    )
    exemplars: int = Field(default=0, ge=0, description="networks from the records shown to an instruct model")
    answers: Answers = Field(
        default="full", description="whole files, or what an instruct model changes in a network of the records (delta)"
    )
    repair_tries: int = Field(default=2, ge=0, le=5)
    hints: bool = Field(default=True, description="repair with hints and edits that a sandbox finds")
    novelty: NoveltyMode = Field(
        default="structural",
        description="new by text and computation graph, by text alone (lexical), or all are (none)",
    )
    tune: bool = Field(default=True, description="false: the no-iteration ablation")
    improve: tuple[Improvement, ...] = Field(
        default=("sft",), min_length=1, description="how the model is tuned: sft, grpo, or both in this order"
    )
    least_pairs: int = Field(
        default=0, ge=0, description="pairs of a tune; while fewer are admitted, the best below the threshold fill up"
    )
    least_share: float = Field(
        default=0.0, ge=0, le=1, description="the same as a share of all networks trained so far; the larger counts"
    )
    tune_from: Literal["latest", "base"] = Field(
        default="latest", description="what each tune begins with: the newest adapter, or the model as it was at first"
    )
    most_pairs: int | None = Field(
        default=None, ge=1, description="pairs of a tune; of more the best, in turn from each prompt; null: all"
    )
    dynamic: DynamicSampling = DynamicSampling()
    stopping: StoppingRule = StoppingRule()
    guard: CollapseGuard = CollapseGuard()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        known = (ANY, EACH, *STYLES) if isinstance(self.style, str) else STYLES
        for style in (self.style,) if isinstance(self.style, str) else self.style:
            if style not in known:
                raise ValueError(f"unknown style {style!r}; choose from {', '.join(known)}")
        if self.threshold is not None and self.threshold_share is not None:
            raise ValueError("set either threshold or threshold_share, not both")
        if self.threshold_share is not None and self.dynamic.from_cycle == 1:
            raise ValueError("threshold_share is set by a whole cycle 1: let dynamic.from_cycle begin later")
        if self.most_pairs is not None and self.most_pairs < self.least_pairs:
            raise ValueError(f"most_pairs {self.most_pairs} is below least_pairs {self.least_pairs}")
        if self.min_params and self.max_params and self.min_params > self.max_params:
            raise ValueError(f"min_params {self.min_params:,} is above max_params {self.max_params:,}")
        if len(set(self.improve)) < len(self.improve):
            raise ValueError(f"improve names something twice: {', '.join(self.improve)}")
        return self


class ProtocolSettings(Settings):
    """The training protocol: a name, and fields that differ from it."""

    name: str | None = Field(default=None, description="null: the data set's own")
    epochs: int | None = Field(default=None, ge=1)
    batch: int | None = Field(default=None, ge=1)
    lr: float | None = Field(default=None, gt=0)
    momentum: float | None = Field(default=None, ge=0)
    transform: str | None = Field(default=None, description="name or spec of the images' transform")
    precision: Precision | None = Field(default=None, description="fp32, bf16 or auto")
    rungs: tuple[int, ...] | None = Field(default=None, description="samples of each round of successive halving")
    prm: dict[str, float | int] | None = Field(default=None, description="further hyperparameters, e.g. dropout")
    seed: int | None = None
    train_limit: int | None = Field(default=None, ge=1)
    test_limit: int | None = Field(default=None, ge=1)
    time_limit_s: float | None = Field(default=None, gt=0)


class Budget(Settings):
    """A campaign stops cleanly when any of these is spent. Null: no limit."""

    cycles: int | None = Field(default=6, ge=1)
    candidates: int | None = Field(default=None, ge=1)
    wall_s: float | None = Field(default=None, gt=0, description="seconds of running, over all resumes")
    tokens: int | None = Field(default=None, ge=1, description="prompt and completion tokens")
    disk_mb: float | None = Field(
        default=None, gt=0, description="MiB by which the campaign's folder and the records grow"
    )


class SandboxSettings(Settings):
    """Where untrusted code runs. ``process`` is no security boundary."""

    backend: BackendName | tuple[BackendName, ...] = Field(
        default="bubblewrap", description="a name, or several to try in order: the first that runs here is taken"
    )
    workers: int | None = Field(default=None, ge=1, description="null: one per core")
    validation: Limits = Limits(wall_s=60, cpu_s=20)
    docker: DockerOptions = DockerOptions()

    @model_validator(mode="after")
    def _order_makes_sense(self) -> Self:
        backend_order(self.backend)
        return self


class EvaluationSettings(Settings):
    """Where networks are trained, and with how much memory."""

    device: DeviceChoice = Field(default="auto", description="auto: GPUs where there are any, else the CPU")
    memory_mb: int = Field(default=TRAINING_MEMORY_MB, ge=256, description="MiB of memory of one training")
    gpu_memory_mb: int = Field(default=GPU_MEMORY_MB, ge=256, description="MiB of GPU memory of one training")


class RetrievalSettings(Settings):
    """Blocks of the library: shown to an instruct model, or grafted into networks for any model."""

    blocks: int = Field(default=0, ge=0, description="blocks shown to an instruct model with each prompt")
    grafts: int = Field(default=0, ge=0, description="networks per batch that get a block grafted, from cycle 2 on")
    packages: tuple[str, ...] = Field(default=(), description="graft blocks of these packages only; empty: of any")
    categories: tuple[Category, ...] = Field(default=(), description="and of these categories; empty: of any")
    max_params: int | None = Field(default=1_000_000, ge=1, description="parameters of a block; null: any")
    library: Path | None = Field(default=None, description="block store; null: the one in the data directory")
    chroma: str | None = Field(default=None, description="URL of a Chroma server; null: embedded")

    @property
    def wanted(self) -> bool:
        """Whether the block library is needed at all."""
        return bool(self.blocks or self.grafts)


class PredictionSettings(Settings):
    """Networks that will probably do badly are not trained: predicted from code and figures, as the records teach."""

    enabled: bool = False
    keep: float = Field(default=0.5, gt=0, le=1, description="share of the new networks that is trained, the best")
    least: int = Field(default=100, ge=40, description="complete trials on record before predictions decide")


class GrpoSettings(Settings):
    """Reinforcement learning on masked skeletons, where ``campaign.improve`` has ``grpo``."""

    order: Literal["together", "alternate"] = Field(
        default="together", description="sft and grpo both in each cycle, or in turn from cycle to cycle"
    )
    skeletons: int = Field(
        default=64, ge=1, description="skeletons of a cycle: of the newest admitted networks, then of the corpus"
    )
    train_limit: int | None = Field(
        default=None, ge=1, description="images of the mini-epoch behind a reward; null: the campaign's own protocol"
    )
    time_limit_s: float | None = Field(default=None, gt=0, description="CPU seconds of it; null: the protocol's own")
    training: GrpoConfig | None = Field(default=None, description="null: the model's own defaults")


class Config(Settings):
    """The whole tree."""

    campaign: CampaignSettings = CampaignSettings()
    model: ModelConfig = ModelConfig()
    tuning: TuneConfig | None = Field(default=None, description="null: the model's own defaults")
    protocol: ProtocolSettings = ProtocolSettings()
    budget: Budget = Budget()
    sandbox: SandboxSettings = SandboxSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    prediction: PredictionSettings = PredictionSettings()
    grpo: GrpoSettings = GrpoSettings()
    chat: ChatSettings = ChatSettings()
    http: HttpSettings = HttpSettings()
    supervision: SupervisionSettings = SupervisionSettings()
    retention: RetentionSettings = RetentionSettings()
    notify: NotifySettings = NotifySettings()
    tracking: TrackingSettings = TrackingSettings()
    accounting: AccountingSettings = AccountingSettings()


class ConfigError(ValueError):
    """The configuration cannot be used; the message names the field."""


def load_config(path: Path | None = None, overrides: Iterable[str] = (), base: dict[str, Any] | None = None) -> Config:
    """Defaults, then a YAML file, then ``a.b.c=value`` overrides (values are YAML).

    Args:
        path: YAML file with the tree of :class:`Config`, may be partial; or the name of one in :data:`CONFIGS`.
        overrides: e.g. ``["campaign.tune=false", "budget.cycles=3"]``.
        base: a tree to start from instead of the defaults (a stored campaign's configuration).

    Raises:
        ConfigError: unreadable file, unknown field or a value out of range.
    """
    tree: dict[str, Any] = dict(base or {})
    if path is not None:
        try:
            read = yaml.safe_load(_file(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            named = ", ".join(sorted(one.stem for one in CONFIGS.glob("*.yaml")))
            raise ConfigError(f"cannot read the configuration {path}: {error} (by name there are: {named})") from error
        if read is not None and not isinstance(read, dict):
            raise ConfigError(f"{path}: expected a mapping at the top, got {type(read).__name__}")
        tree = _merge(tree, read or {})
    for item in overrides:
        tree = _merge(tree, _override(item))
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join([*filter(None, [".".join(map(str, e["loc"]))]), e["msg"]]) for e in error.errors()
        )
        raise ConfigError(f"invalid configuration: {problems}") from error


def _file(path: Path) -> Path:
    """The file of a configuration that is given by path or by name."""
    named = CONFIGS / f"{path.name}.yaml"
    return named if len(path.parts) == 1 and not path.exists() and named.is_file() else path


def _override(item: str) -> dict[str, Any]:
    path, equals, value = item.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set takes path.to.field=value, got '{item}'")
    try:
        tree: Any = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {path}: the value is not YAML: {error}") from error
    for key in reversed(keys):
        tree = {key: tree}
    return dict(tree)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
