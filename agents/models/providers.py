"""Chat models that run elsewhere: hosted ones by LangChain name, served ones by an OpenAI-compatible address."""

from __future__ import annotations

from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from .config import PAPER_DECODING, ModelConfig, ModelUnavailable, key_in

KEY_VARIABLES = {
    "anthropic": "ANTHROPIC_API_KEY",
    "cohere": "COHERE_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "fireworks": "FIREWORKS_API_KEY",
    "google_genai": "GOOGLE_API_KEY",
    "groq": "GROQ_API_KEY",
    "mistralai": "MISTRAL_API_KEY",
    "nvidia": "NVIDIA_API_KEY",
    "openai": "OPENAI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "perplexity": "PPLX_API_KEY",
    "together": "TOGETHER_API_KEY",
    "upstage": "UPSTAGE_API_KEY",
    "xai": "XAI_API_KEY",
}
"""The variable in which LangChain's integrations look for the key."""

SEEDED_PROVIDERS = frozenset({"openai", "azure_openai", "mistralai", "groq", "together", "fireworks"})
"""Providers whose chat call takes a ``seed`` argument."""


def served_chat_model(config: ModelConfig, key: str | None) -> ChatOpenAI:
    """A model behind an OpenAI-compatible address, such as vLLM's.

    ``top_k`` is not in OpenAI's interface; it goes into the request's body, where vLLM and llama.cpp look for it.

    Args:
        key: what the server wants to see; ``None``: nothing.
    """
    assert config.base_url is not None
    decoding = config.decoding(PAPER_DECODING)
    return ChatOpenAI(
        model=config.name,
        base_url=config.base_url,
        # A server that wants no key takes any, but the client insists on one.
        api_key=SecretStr(key or "unused"),
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        max_completion_tokens=decoding.max_new_tokens,
        extra_body={"top_k": decoding.top_k} if decoding.top_k else None,
    )


def hosted_chat_model(config: ModelConfig) -> tuple[BaseChatModel, bool]:
    """A model by ``init_chat_model`` name, and whether it takes a seed.

    Decoding fields that are not set are left to the provider, as many hosted models refuse some of them.

    Raises:
        ModelUnavailable: unknown name, missing package or missing key.
    """
    provider = config.name.split(":", 1)[0] if ":" in config.name else ""
    options: dict[str, Any] = config.chosen
    if "max_new_tokens" in options:
        options["max_tokens"] = options.pop("max_new_tokens")
    if provider == "openai" and "top_k" in options:
        raise ModelUnavailable(f"{config.name} takes no top_k; leave model.top_k unset")
    variable = config.api_key_env or KEY_VARIABLES.get(provider)
    if variable:
        options["api_key"] = key_in(variable)
    try:
        model = init_chat_model(config.name, **options)
    except ImportError as error:
        raise ModelUnavailable(f"the model {config.name} cannot be opened: {error}") from error
    except ValueError as error:
        raise ModelUnavailable(
            f"unknown language model {config.name!r}: use nano, smollm2, scripted, owner/name of a hub model, or "
            f"provider:model as LangChain's init_chat_model takes it ({str(error).splitlines()[0]})"
        ) from error
    return model, provider in SEEDED_PROVIDERS
