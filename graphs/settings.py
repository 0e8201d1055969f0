"""The base of all settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base: unknown fields are errors, so that a misspelt override is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")
