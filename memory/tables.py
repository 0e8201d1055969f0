"""The tables of the records, as SQLAlchemy metadata. Migrations must lead to exactly this schema."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

# Names for every constraint, so that a later migration can address them on any database.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ESCAPED = "\ufdd0"  # a noncharacter: marks text that was escaped on the way in


class AnyText(TypeDecorator[str]):
    """Text that a model may have written: lone surrogates and NUL, which databases refuse, survive."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if value.startswith(_ESCAPED) or "\0" in value or not _encodable(value):
            return _ESCAPED + json.dumps(value)
        return value

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or not value.startswith(_ESCAPED):
            return value
        text: str = json.loads(value[len(_ESCAPED) :])
        return text


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC, on databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _candidate(name: str = "candidate_id", **options: Any) -> Column[Any]:
    return Column(name, String(64), ForeignKey("candidates.id"), **options)


def _campaign(**options: Any) -> Column[Any]:
    return Column("campaign_id", String(64), ForeignKey("campaigns.id"), **options)


tasks = Table(
    "tasks",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("content", JSON, nullable=False),
)

protocols = Table(
    "protocols",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("content", JSON, nullable=False),
)

candidates = Table(
    "candidates",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("source", AnyText, nullable=False),
    Column("origin", String(32), nullable=False),
    Column("parents", JSON, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("blocks", JSON, nullable=False, server_default="[]"),
)

verdicts = Table(
    "verdicts",
    metadata,
    _candidate(primary_key=True),
    Column("task_id", String(200), ForeignKey("tasks.id"), primary_key=True),
    Column("limits_hash", String(64), primary_key=True),
    Column("ok", Boolean, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("error_class", AnyText),
    Column("message", AnyText),
    Column("line", Integer),
    Column("params", BigInteger),
    Column("flops", BigInteger),
    Column("seconds", Float, nullable=False),
    Column("figures", JSON, nullable=False, server_default="{}"),
)

trials = Table(
    "trials",
    metadata,
    _candidate(primary_key=True),
    Column("task_id", String(200), ForeignKey("tasks.id"), primary_key=True),
    Column("protocol_hash", String(64), ForeignKey("protocols.hash"), primary_key=True),
    Column("state", String(16), nullable=False, index=True),
    Column("metric", Float),
    Column("epochs", JSON, nullable=False),
    Column("error_class", AnyText),
    Column("message", AnyText),
    Column("cpu_s", Float, nullable=False),
    Column("wall_s", Float, nullable=False),
    Column("peak_mb", Float),
    Column("setting", JSON, nullable=False, server_default="{}"),
    Column("attempts", Integer, nullable=False),
    Column("updated", UtcTime, nullable=False),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("config", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("task_id", String(200), ForeignKey("tasks.id"), nullable=False),
    Column("protocol_hash", String(64), ForeignKey("protocols.hash"), nullable=False),
    Column("limits_hash", String(64), nullable=False),
    Column("initial_corpus", Integer, nullable=False),
    Column("machine", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("stop_reason", AnyText),
    Column("wall_s", Float, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("candidates", BigInteger, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),
)

spending = Table(
    "spending",
    metadata,
    _campaign(primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("wall_s", Float, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("candidates", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("agent", String(32)),
    Column("model", String(200)),
    Column("tokens_in", BigInteger, nullable=False, server_default="0"),
    Column("tokens_out", BigInteger, nullable=False, server_default="0"),
)

cycles = Table(
    "cycles",
    metadata,
    _campaign(primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("state", String(32), nullable=False),
    Column("adapter", AnyText),
    Column("threshold", Float),
    Column("timings", JSON, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("ended", UtcTime),
)

generations = Table(
    "generations",
    metadata,
    _campaign(primary_key=True),
    Column("cycle", Integer, primary_key=True, autoincrement=False),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("seed", BigInteger, nullable=False),
    Column("prompt", AnyText, nullable=False),
    Column("answer", AnyText),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    _candidate("raw_candidate_id"),
    _candidate("cleaned_candidate_id"),
    _candidate(index=True),
    Column("valid_by", String(16), nullable=False),
    Column("repair_tries", Integer, nullable=False),
    Column("novel", Boolean),
    Column("jaccard", Float),
    Column("nearest", String(200)),
    Column("nearest_kind", String(16)),
    Column("exemplars", JSON, nullable=False, server_default="[]"),
    Column("blocks", JSON, nullable=False, server_default="[]"),
    Column("parent", String(64)),
)

repair_attempts = Table(
    "repair_attempts",
    metadata,
    Column("campaign_id", String(64), primary_key=True),
    Column("cycle", Integer, primary_key=True, autoincrement=False),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("try_no", Integer, primary_key=True, autoincrement=False),
    Column("error", AnyText, nullable=False),
    Column("answer", AnyText),
    _candidate(),
    Column("verdict", JSON(none_as_null=True)),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("by", String(16), nullable=False, server_default="model"),
    Column("parent", String(64)),
    ForeignKeyConstraint(
        ["campaign_id", "cycle", "slot"],
        ["generations.campaign_id", "generations.cycle", "generations.slot"],
        name="fk_repair_attempts_generation",
    ),
)

admissions = Table(
    "admissions",
    metadata,
    _campaign(primary_key=True),
    Column("cycle", Integer, primary_key=True, autoincrement=False),
    _candidate(primary_key=True),
    Column("admitted", Boolean, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("metric", Float),
)

predictions = Table(
    "predictions",
    metadata,
    _campaign(primary_key=True),
    Column("cycle", Integer, primary_key=True, autoincrement=False),
    _candidate(primary_key=True),
    Column("predictor", String(64), nullable=False),
    Column("learned_from", Integer, nullable=False),
    Column("metric", Float, nullable=False),
    Column("low", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("place", Integer, nullable=False),
    Column("among", Integer, nullable=False),
    Column("kept", Boolean, nullable=False),
)

adapters = Table(
    "adapters",
    metadata,
    _campaign(primary_key=True),
    Column("cycle", Integer, primary_key=True, autoincrement=False),
    Column("path", AnyText, nullable=False),
    Column("parent", Integer),
    Column("state", String(16), nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("created", UtcTime, nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    _candidate(primary_key=True),
    Column("target", String(100), primary_key=True),
    Column("content", JSON, nullable=False),
    Column("created", UtcTime, nullable=False),
)

# The corpus as a data set: what memory/scores.py writes and memory/dataset_view.py reads. Rows of `networks`,
# `score_tasks` and `prms` have numbers made of their content, so that writers need not look them up.

networks = Table(
    "networks",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False, unique=True),
    _candidate(nullable=False, index=True),
    Column("own", Boolean, nullable=False),
    Column("figures", JSON(none_as_null=True)),
)

score_tasks = Table(
    "score_tasks",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("task", String(200), nullable=False),
    Column("dataset", String(200), nullable=False),
    Column("metric", String(200), nullable=False),
)

prms = Table(
    "prms",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("content", JSON, nullable=False),
)

codes = Table(
    "codes",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("source", AnyText, nullable=False),
)

scores = Table(
    "scores",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("network_id", BigInteger, ForeignKey("networks.id"), nullable=False),
    Column("task_id", BigInteger, ForeignKey("score_tasks.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("accuracy", Float, nullable=False),
    Column("duration", BigInteger, nullable=False),
    Column("prm_id", BigInteger, ForeignKey("prms.id"), nullable=False),
    # One record is there once. The index behind it is also what finds a network's best.
    UniqueConstraint("network_id", "task_id", "epoch", "accuracy", "duration", "prm_id"),
    Index("ix_scores_task_id", "task_id", "network_id", "epoch", "accuracy"),
)
