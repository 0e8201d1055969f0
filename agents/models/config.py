"""Which language model is used and how it decodes."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

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
        adapter: LoRA adapter to start with; local models alone.
        base_url: address of an OpenAI-compatible server, such as ``http://localhost:8000/v1``.
        api_key_env: environment variable that holds the key.
        temperature, top_k, top_p, max_new_tokens: ``None`` is the model's default: the paper's decoding for local
            and served chat models, the nano model's own, and the provider's for hosted models.
        parallel: requests under way at a time; served and hosted models alone.
        allow_download: let a model that is not on this machine be fetched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default=NANO, min_length=1)
    path: Path | None = None
    adapter: Path | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    temperature: float | None = Field(default=None, ge=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_new_tokens: int | None = Field(default=None, ge=1)
    parallel: int = Field(default=4, ge=1)
    allow_download: bool = False

    @property
    def chosen(self) -> dict[str, float | int]:
        """The decoding fields that were set."""
        values = self.model_dump(include=set(Decoding.model_fields))
        return {field: value for field, value in values.items() if value is not None}

    def decoding(self, default: Decoding) -> Decoding:
        """The default with the fields that were set put over it."""
        return Decoding(**{**default.model_dump(), **self.chosen})
