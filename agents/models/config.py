"""Which language model is used and how it decodes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...tools.serving.settings import ServeSettings

NANO = "nano"
SMOLLM2 = "smollm2"
SCRIPTED = "scripted"


class ModelUnavailable(RuntimeError):
    """The named model cannot be used here; the message says what to install, set or change."""


class Decoding(BaseModel):
    """How answers are drawn. ``top_k`` and ``top_p`` of ``None`` leave the distribution whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(ge=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_new_tokens: int = Field(ge=1)


PAPER_DECODING = Decoding(temperature=0.2, top_k=50, top_p=0.9, max_new_tokens=2048)
"""Chat models: Memorization to Creativity, section 3.1 and appendix J."""

NANO_DECODING = Decoding(temperature=0.9, max_new_tokens=768)
"""The nano model: warm enough that samples differ, by own trials; its programs stay below 768 tokens."""


class ModelConfig(BaseModel):
    """A language model by name.

    Attributes:
        name: ``nano`` (in the package), ``smollm2``, ``scripted``, ``owner/name`` of a Hugging Face hub model, or
            what LangChain's ``init_chat_model`` takes, such as ``openai:gpt-4.1`` or ``anthropic:claude-sonnet-4-5``.
            With ``path`` it is a label alone; with ``base_url`` it is the server's name of the model.
        path: folder of a model in Hugging Face format; for ``scripted`` the YAML or JSON file of answers.
        adapter: LoRA adapter to start with, for models whose weights are here.
        base_url: address of an OpenAI-compatible server, such as ``http://localhost:8000/v1``. With the weights here
            (``path``, an embedded model or a fetched one) it takes adapters too, if it loads them while it runs.
        serve: ``vllm``: a server of ours samples; ``None``: this process, or the server or provider that is named.
        serving: how that server is run.
        api_key_env: environment variable that holds the key.
        temperature, top_k, top_p, max_new_tokens: ``None`` is the model's default: the paper's decoding for local
            and served chat models, the nano model's own, and the provider's for hosted models.
        parallel: requests under way at a time; served and hosted models alone. ``None``: 4, and for models that
            vLLM serves here as many as it decodes together.
        allow_download: let a model that is not on this machine be fetched, and vLLM's environment be made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default=NANO, min_length=1)
    path: Path | None = None
    adapter: Path | None = None
    base_url: str | None = None
    serve: Literal["vllm"] | None = None
    serving: ServeSettings = ServeSettings()
    api_key_env: str | None = None
    temperature: float | None = Field(default=None, ge=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_new_tokens: int | None = Field(default=None, ge=1)
    parallel: int | None = Field(default=None, ge=1)
    allow_download: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.serve is not None and self.base_url is not None:
            raise ValueError("serve starts a server and base_url names one that runs: set one of them")
        if self.serve is not None and self.name == SCRIPTED:
            raise ValueError("a scripted model has no weights to serve")
        return self

    @property
    def chosen(self) -> dict[str, float | int]:
        """The decoding fields that were set."""
        values = self.model_dump(include=set(Decoding.model_fields))
        return {field: value for field, value in values.items() if value is not None}

    def decoding(self, default: Decoding) -> Decoding:
        """The default with the fields that were set put over it."""
        return Decoding(**{**default.model_dump(), **self.chosen})


def key_in(variable: str) -> str:
    """The key in an environment variable.

    Raises:
        ModelUnavailable: it is not set; the message names it.
    """
    key = os.environ.get(variable)
    if not key:
        raise ModelUnavailable(f"no key: set the environment variable {variable}, or name another by model.api_key_env")
    return key
