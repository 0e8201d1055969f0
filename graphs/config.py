"""One configuration tree, from one YAML file, every field overridable by ``--set path.to.field=value``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from ..agents.models import ModelConfig
from ..memory.block_types import Category
from ..memory.types import Precision
from ..sandbox import DockerOptions, Limits, backend_order
from ..tools.devices import GPU_MEMORY_MB, TRAINING_MEMORY_MB, DeviceChoice
from ..tools.finetuning import TuneConfig
from ..tools.grpo_config import GrpoConfig
from .campaign_settings import CampaignSettings
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

BackendName = Literal["bubblewrap", "docker", "process"]


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
