"""How a language model is trained by reinforcement on masked skeletons: settings with presets, progress, report."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .finetuning_config import LoraSettings, Optimizer, Schedule
from .reward_parts import RewardConfig, RewardSummary


class GrpoConfig(BaseModel):
    """How one training by GRPO is done.

    One step writes ``skeletons * generations`` networks, scores them and takes one gradient step on them.

    Attributes:
        skeletons: skeletons of one step; each has a group of answers.
        generations: answers to one skeleton; a reward counts by how it differs from its group's mean.
        micro_batch: answers of one forward pass of the gradient.
        kl: weight of the divergence from the model that the training began with; 0 keeps no reference.
        clip: bound of the policy ratio; it binds only where ``reuse`` is above 1.
        reuse: gradient steps on the same answers.
        scale: advantages are divided by the deviation of the ``group``, of the ``batch``, or not at all.
        drop_equal: leave out groups whose answers all have the same reward: they teach nothing and thin out the rest.
        temperature, top_k, top_p, max_new_tokens: of the sampling.
        precision: ``bf16`` is autocast over fp32 adapter weights.
        four_bit: hold the base model in 4 bits (bitsandbytes, GPUs alone).
        threads: torch threads; ``None`` leaves them. Bit-identity is promised for 1.
        device: ``cpu``, or ``auto`` for the GPU where there is one.
        reward: what the paper leaves open about the reward.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lora: LoraSettings = LoraSettings()
    steps: int = Field(default=30, ge=1)
    skeletons: int = Field(default=8, ge=1)
    generations: int = Field(default=8, ge=2)
    micro_batch: int = Field(default=16, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    schedule: Schedule = "constant_with_warmup"
    warmup_steps: int = Field(default=0, ge=0)
    kl: float = Field(default=0.0, ge=0)
    clip: float = Field(default=0.2, gt=0)
    reuse: int = Field(default=1, ge=1)
    loss: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = "dapo"
    scale: Literal["group", "batch", "none"] = "group"
    drop_equal: bool = True
    temperature: float = Field(default=1.0, gt=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_new_tokens: int = Field(default=384, ge=16)
    optimizer: Optimizer = "adamw_torch"
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    precision: Literal["fp32", "bf16"] = "fp32"
    gradient_checkpointing: bool = False
    four_bit: bool = False
    threads: int | None = Field(default=1, ge=1)
    device: Literal["cpu", "auto"] = "cpu"
    reward: RewardConfig = RewardConfig()

    @property
    def batch(self) -> int:
        """Answers of one step."""
        return self.skeletons * self.generations

    @model_validator(mode="after")
    def _batches_fit(self) -> Self:
        if self.batch % self.micro_batch:
            raise ValueError(
                f"a step of {self.skeletons} × {self.generations} answers does not divide into passes of "
                f"{self.micro_batch}: choose micro_batch so that it does"
            )
        if self.four_bit and self.device == "cpu":
            raise ValueError("four_bit needs a GPU: set device to auto, or four_bit to false")
        return self

    @classmethod
    def embedded(cls, **changes: Any) -> Self:
        """Defaults for netwright-nano: minutes on two cores, most of them for the rewards."""
        # The longest program of the corpus has 313 tokens behind its first mask, all but a few in a hundred below 256.
        base = {"steps": 24, "lr": 2e-3, "scale": "batch", "max_new_tokens": 256}
        return cls(**{**base, **changes})

    @classmethod
    def smollm2(cls, **changes: Any) -> Self:
        """Defaults for SmolLM2-135M: a rate at which tuning it stayed stable. Slow on a CPU; no gain was measured."""
        base = {
            "lora": LoraSettings(rank=32, alpha=64, dropout=0.0),
            "skeletons": 2,
            "generations": 8,
            "micro_batch": 2,
            "lr": 2e-4,
            "max_new_tokens": 768,
        }
        return cls(**{**base, **changes})

    @classmethod
    def paper(cls, **changes: Any) -> Self:
        """The setting of *LEMUR 2*, supplement 6.2, for DeepSeek-Coder-6.7B-Instruct on a GPU.

        The paper names GRPO of TRL, LoRA, 4-bit weights and a token limit, and gives no number. Group size and the
        missing KL term are TRL's defaults; rank, alpha and rate are usual for LoRA at this size.
        """
        base = {
            "lora": LoraSettings(rank=32, alpha=64, dropout=0.05),
            "steps": 500,
            "skeletons": 4,
            "generations": 8,
            "micro_batch": 2,
            "lr": 1e-5,
            "schedule": "cosine",
            "warmup_steps": 20,
            "max_new_tokens": 2048,
            "optimizer": "paged_adamw_8bit",
            "precision": "bf16",
            "gradient_checkpointing": True,
            "four_bit": True,
            "threads": None,
            "device": "auto",
        }
        return cls(**{**base, **changes})


class GrpoStep(BaseModel):
    """What one step did.

    Attributes:
        equal_groups: share of groups whose answers all had the same reward.
        entropy: nats per token of the answers. kl: from the reference; ``None`` without one.
        tokens: mean length of an answer.
        seconds, seconds_rewards: wall time of the step, and of scoring alone.
    """

    step: int
    rewards: RewardSummary
    equal_groups: float
    loss: float
    entropy: float
    kl: float | None = None
    grad_norm: float
    tokens: float
    seconds: float
    seconds_rewards: float


class GrpoReport(BaseModel):
    """What a training did.

    Attributes:
        tasks: skeletons it drew from; ``left_out`` were too long for the context.
        networks: answers scored; ``distinct`` of them were different, and all had so many ``tokens``.
        trainable: parameters of the adapter.
        seconds: wall time of loading, training and saving; ``seconds_rewards`` is the scoring alone.
        reward_first, reward_last: mean reward of the first and last fifth of the steps.
        valid_first, valid_last: share of valid answers likewise.
    """

    steps: list[GrpoStep]
    tasks: int
    left_out: int
    networks: int
    distinct: int
    tokens: int
    trainable: int
    reward_first: float
    reward_last: float
    valid_first: float
    valid_last: float
    seconds: float
    seconds_rewards: float
    seed: int
    protocol: str = Field(description="hash of the protocol that the rewards were measured under")
    config: GrpoConfig
