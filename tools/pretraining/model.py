"""The nano model: a small Llama-architecture decoder in plain Hugging Face format."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .tokenizer import CONTEXT


class NanoShape(BaseModel):
    """Size of the decoder. The defaults give 2.1 million parameters with 1,024 tied embeddings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hidden: int = Field(default=192, gt=0)
    intermediate: int = Field(default=576, gt=0)
    layers: int = Field(default=4, gt=0)
    heads: int = Field(default=6, gt=0, description="head size hidden/heads; vLLM on CPU takes 32")


def build_model(tokenizer: PreTrainedTokenizerFast, shape: NanoShape, seed: int) -> LlamaForCausalLM:
    """A freshly initialised decoder, its weights drawn from ``seed`` alone.

    Args:
        tokenizer: gives the vocabulary size and the special tokens' ids.
        shape: the decoder's size.
        seed: of the initial weights; the process's generator is left as it was.
    """
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.hidden // shape.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.8,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def parameter_count(model: torch.nn.Module) -> int:
    """Parameters, tied ones counted once."""
    return sum(parameter.numel() for parameter in model.parameters())


def save_model(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write ``config.json``, ``model.safetensors``, the tokenizer and the generation defaults to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
