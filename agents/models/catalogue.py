"""The language models that are first class, and whether each can be used on this machine."""

from __future__ import annotations

from importlib.util import find_spec

from pydantic import BaseModel, ConfigDict

from ...tools.serving.environment import MAKE, REQUIREMENT, kind_here, serve_environment
from .folders import NANO_FOLDER
from .smollm2 import INSTALL, smollm2_on_disk


class KnownModel(BaseModel):
    """One way to a language model. ``remedy`` says what to do when it is not ``available``."""

    model_config = ConfigDict(frozen=True)

    name: str
    available: bool
    style: str
    tunable: bool
    detail: str
    remedy: str | None = None


def known_models() -> list[KnownModel]:
    """The embedded models, and the ways to served and hosted ones."""
    nano = (NANO_FOLDER / "model.safetensors").is_file()
    smollm2 = smollm2_on_disk()
    openai = find_spec("langchain_openai") is not None
    environment = serve_environment(kind_here())
    return [
        KnownModel(
            name="nano",
            available=nano,
            style="completion",
            tunable=True,
            detail="netwright-nano, in the package: a small decoder conditioned on a header line",
            remedy=None if nano else "netwright model pretrain --out FOLDER, then --set model.path=FOLDER",
        ),
        KnownModel(
            name="smollm2",
            available=smollm2,
            style="chat",
            tunable=True,
            detail="SmolLM2-135M-Instruct, from a Python package",
            remedy=None if smollm2 else INSTALL,
        ),
        KnownModel(
            name="MODEL with model.serve=vllm",
            available=environment.made,
            style="as the model's",
            tunable=True,
            detail=f"any of the above or of the hub, served by {REQUIREMENT[environment.kind]}",
            remedy=None if environment.made else MAKE,
        ),
        KnownModel(
            name="MODEL with model.base_url=URL",
            available=openai,
            style="chat",
            tunable=False,
            detail="any OpenAI-compatible server; tunable if it loads adapters and the weights are here",
            remedy=None if openai else "pip install langchain-openai",
        ),
        KnownModel(
            name="PROVIDER:MODEL",
            available=openai,
            style="chat",
            tunable=False,
            detail="any provider of LangChain's init_chat_model; its key in the provider's environment variable",
            remedy=None if openai else "pip install the provider's LangChain package",
        ),
    ]
