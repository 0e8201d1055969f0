"""How much memory a language model takes to tune and to sample from, told from its architecture alone.

The parameters are counted exactly, on a model without weights; the rest is arithmetic on its dimensions. Kernels' work
space and fragmentation are not in it: :data:`SLACK` stands for them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from .finetuning_config import TuneConfig

GIB: Final = 2**30
SLACK: Final = 1.1  # CUDA context, work space, fragmentation: a tenth, by common experience
Sampler = Literal["process", "vllm"]
ARCHITECTURES: Final = Path(__file__).resolve().parents[1] / "assets" / "architectures"
# Activations of one Llama layer that its backward pass needs, in units of the residual stream: two norms, q, k, v, the
# attention's output, and the MLP's three inner tensors, which are counted apart because they are wider.
_STREAMS: Final = 8


class Footprint(BaseModel):
    """Memory of a model in GiB.

    Attributes:
        parameters: of the base model. trainable: of the adapter.
        weights: of the base model in the precision it is loaded in.
        adapter: weights, gradients and optimizer states of the adapter.
        activations: of one forward and backward pass, the logits included.
        cache: keys and values of one answer of full length.
        tuning, sampling: the sum for each, slack included; sampling is for ``parallel`` answers at a time.
        sampler: who samples: this process from main memory, or vLLM on its device.
    """

    model_config = ConfigDict(frozen=True)

    parameters: int
    trainable: int
    weights: float
    adapter: float
    activations: float
    cache: float
    tuning: float
    sampling: float
    sampler: Sampler = "process"


def architecture(name: str, folder: Path | None = None) -> dict[str, Any]:
    """The ``config.json`` of a model: of its folder, else of one of the architectures that the package knows.

    Raises:
        FileNotFoundError: neither is there.
    """
    known = ARCHITECTURES / f"{name.rpartition('/')[2].lower()}.json"
    path = folder / "config.json" if folder is not None else known
    if not path.is_file():
        names = ", ".join(sorted(one.stem for one in ARCHITECTURES.glob("*.json")))
        raise FileNotFoundError(
            f"the architecture of {name} is not known here: {path} is missing; name the model's folder by model.path, "
            f"or fetch it with model.allow_download=true (known without: {names})"
        )
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def footprint(
    config: dict[str, Any],
    tuning: TuneConfig,
    *,
    answer_tokens: int,
    parallel: int = 1,
    sampler: Sampler = "process",
) -> Footprint:
    """Memory that a model of this architecture takes.

    Args:
        config: as of ``config.json``, of a decoder whose dimensions have Llama's names.
        answer_tokens: prompt and answer together. parallel: answers sampled at a time.
        sampler: this process loads the model in fp32 and merges an adapter into a copy of it; vLLM holds both in bf16.
    """
    parameters, trainable = _count(config, tuning)
    half = tuning.precision == "bf16" and tuning.device == "auto"
    width = 2 if half else 4
    weights = parameters * width
    # Adapter weights and gradients are fp32; AdamW keeps two numbers for each, of one byte in its 8-bit form.
    adapter = trainable * (8 + (2 if tuning.optimizer == "paged_adamw_8bit" else 8))
    activations = _activations(config, tuning, width)
    sampled = 2 if sampler == "vllm" else 4
    held = parameters + trainable if sampler == "vllm" else 2 * parameters
    cache = answer_tokens * _cache_per_token(config, sampled)
    return Footprint(
        parameters=parameters,
        trainable=trainable,
        weights=weights / GIB,
        adapter=adapter / GIB,
        activations=activations / GIB,
        cache=cache / GIB,
        tuning=SLACK * (weights + adapter + activations) / GIB,
        sampling=SLACK * (held * sampled + parallel * cache) / GIB,
        sampler=sampler,
    )


def _count(config: dict[str, Any], tuning: TuneConfig) -> tuple[int, int]:
    """Parameters of the base model and of its adapter, both built without weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = AutoConfig.for_model(**config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(shape)
        base = sum(p.numel() for p in model.parameters())
        tuned = get_peft_model(model, LoraConfig(
            r=tuning.lora.rank, target_modules=list(tuning.lora.modules), task_type="CAUSAL_LM",
        ))  # fmt: skip
        trainable = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
    return base, trainable


def _activations(config: dict[str, Any], tuning: TuneConfig, width: int) -> float:
    """Bytes that the backward pass needs of a forward pass over the longest batch."""
    tokens = tuning.batch * min(tuning.max_tokens, int(config.get("max_position_embeddings", tuning.max_tokens)))
    hidden, inner, layers = (int(config[k]) for k in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    layer = tokens * (_STREAMS * hidden + 3 * inner) * width
    # With checkpointing a layer keeps its input alone, and one layer at a time is computed again.
    kept = layers * tokens * hidden * width + layer if tuning.gradient_checkpointing else layers * layer
    logits = 2 * tokens * int(config["vocab_size"]) * 4  # fp32, and their gradient
    return kept + logits


def _cache_per_token(config: dict[str, Any], width: int) -> int:
    """Bytes of keys and values that one token adds."""
    heads = int(config["num_attention_heads"])
    head = int(config.get("head_dim") or int(config["hidden_size"]) // heads)
    return 2 * int(config["num_hidden_layers"]) * int(config.get("num_key_value_heads") or heads) * head * width
