"""Settings of what stands around designing: conversations, servers, supervision, tracking, accounting."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from ..tools.accounting import Price
from .settings import Settings


class ChatSettings(Settings):
    """Design requests in conversation."""

    candidates: int = Field(default=8, ge=1, le=256, description="networks written for a request that names no number")
    shown: int = Field(default=5, ge=1, le=64, description="networks shown in an answer, the best")
    train: bool = Field(default=True, description="train what a request gives, where its data set is on this machine")
    approve_training: bool = Field(default=False, description="ask before any training, however short")
    approve_seconds: float = Field(default=120.0, ge=0, description="ask before a training that may take longer")
    approve_tokens: int | None = Field(
        default=100_000, ge=0, description="ask before a hosted model may be asked for more tokens; null: never"
    )


class HttpSettings(Settings):
    """The HTTP server."""

    body_mb: float = Field(default=2.0, gt=0, le=1024, description="largest body of a request, in MiB")
    body_s: float = Field(default=30.0, gt=0, description="seconds that a client may take between two pieces of it")
    workers: int = Field(default=4, ge=1, le=256, description="calls of tools that run at once")
    queued: int = Field(default=256, ge=0, description="calls that may wait beside them; one more is answered by 429")
    chats: int = Field(default=2, ge=1, le=64, description="turns of conversations at once; each holds a model")


class SupervisionSettings(Settings):
    """A campaign waits for a full disk, memory or a model's server, and tries again, instead of failing."""

    enabled: bool = False
    first_s: float = Field(default=5.0, gt=0, description="seconds before the second try; each further wait doubles")
    most_s: float = Field(default=600.0, gt=0, description="longest wait between two tries")
    give_up_s: float = Field(default=7200.0, ge=0, description="trouble that lasts longer ends the campaign as failed")
    disk_floor_mb: float = Field(default=512.0, ge=0, description="MiB of free disk below which the campaign waits")


class RetentionSettings(Settings):
    """What is kept on disk while a campaign goes on."""

    adapters: int | None = Field(
        default=None, ge=2, description="newest adapters that are kept, with those still needed; null: all"
    )
    log_mb: float = Field(default=4.0, gt=0, description="size at which campaign.log is rotated")
    logs: int = Field(default=4, ge=1, description="rotated logs that are kept")


class NotifySettings(Settings):
    """Who is told when a campaign ends, fails or waits."""

    webhook: str | None = Field(default=None, pattern=r"^https?://", description="URL that gets a JSON POST")
    webhook_env: str | None = Field(
        default=None, description="environment variable that holds the URL, where the URL itself is a secret"
    )
    timeout_s: float = Field(default=5.0, gt=0, le=60, description="of one try")
    tries: int = Field(default=3, ge=1, le=10)


class TrackingSettings(Settings):
    """An MLflow store that follows the campaign, beside the records. It needs the extra ``track``."""

    mlflow: str | None = Field(
        default=None, description="sqlite:///<path> or the URL of a tracking server; null: nothing is tracked"
    )
    experiment: str = Field(default="netwright", min_length=1, description="MLflow experiment of the runs")
    traces: bool = Field(default=True, description="keep a trace of each call of the language model")

    @model_validator(mode="after")
    def _is_a_store(self) -> Self:
        if self.mlflow is None:
            return self
        if not self.mlflow.startswith(("sqlite:///", "http://", "https://")):
            raise ValueError(f"tracking.mlflow takes sqlite:///<path>, http:// or https://, not {self.mlflow!r}")
        if "@" in urlsplit(self.mlflow).netloc:
            raise ValueError(
                "tracking.mlflow must hold no user or password, it is kept in the records: set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment"
            )
        return self


class AccountingSettings(Settings):
    """What a language model's tokens cost, for the sums in reports."""

    prices: dict[str, Price] = Field(
        default_factory=dict, description="by model.name: {prompt, completion} per million tokens; none by default"
    )
    currency: str = Field(default="USD", min_length=1, max_length=8, description="of the prices; nothing is converted")
