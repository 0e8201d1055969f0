"""What ``--overnight`` sets where nothing else is said: a night's budget, supervision, bounded disk."""

from __future__ import annotations

from typing import Any, Final

from .config import Config, ConfigError

NIGHT_S: Final = 36_000.0
"""Ten hours."""

ADAPTERS: Final = 8
"""Adapters that a night keeps."""


def for_the_night(config: Config, *, spent_s: float = 0.0, resumed: bool = False, another: bool = False) -> Config:
    """The settings of a night.

    A limit of wall time where there is none; no limit of cycles, unless one was named; supervision on; the newest
    adapters kept. What was named stays as it is.

    Args:
        spent_s: wall time that the campaign has spent: the night comes on top.
        resumed: the settings are a record's, which names everything: its cycles are left as they are.
        another: if the limit of wall time is spent, give one more night. A service that is started again with the
            machine must not.

    Raises:
        ConfigError: supervision was switched off by name.
    """
    named = config.supervision.model_fields_set if "supervision" in config.model_fields_set else set()
    if not resumed and "enabled" in named and not config.supervision.enabled:
        raise ConfigError("--overnight supervises, supervision.enabled says not to: leave one of them")
    budget: dict[str, Any] = {}
    if config.budget.wall_s is None or (another and config.budget.wall_s <= spent_s):
        budget["wall_s"] = spent_s + NIGHT_S
    chosen = config.budget.model_fields_set if "budget" in config.model_fields_set else set()
    if not resumed and "cycles" not in chosen:
        budget["cycles"] = None
    kept = {} if config.retention.adapters is not None else {"adapters": ADAPTERS}
    return config.model_copy(
        update={
            "budget": config.budget.model_copy(update=budget),
            "supervision": config.supervision.model_copy(update={"enabled": True}),
            "retention": config.retention.model_copy(update=kept),
        }
    )
