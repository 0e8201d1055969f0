"""Putting TRL's GRPO trainer together: model, adapter, prompts as text, rewards from the sandbox, what is logged."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .finetuning_plan import Message
from .finetuning_trainer import with_adapter
from .grpo_config import GrpoConfig, GrpoStep
from .reward_parts import Reward, summarise

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from trl import GRPOConfig, GRPOTrainer

    from .skeletons import Skeleton


@dataclass(frozen=True)
class GrpoTask:
    """A skeleton as a language model is asked to fill it in.

    Attributes:
        prompt: the turns before the answer. Where the last one is the assistant's, the model writes on from it, and
            it is the skeleton's kept text; else the answer is to hold the network.
    """

    skeleton: Skeleton
    prompt: tuple[Message, ...]

    @classmethod
    def completion(cls, skeleton: Skeleton) -> GrpoTask:
        """As a completion model is asked: its header line, and the file up to the first mask."""
        turns = (
            Message(role="user", content=skeleton.prompt),
            Message(role="assistant", content=skeleton.kept),
        )
        return cls(skeleton, turns)

    @property
    def continued(self) -> bool:
        """Whether the answer goes on from the kept text."""
        return self.prompt[-1].role == "assistant"

    def network(self, answer: str) -> str:
        """The whole network that an answer stands for."""
        from .skeletons import complete, fill

        return complete(self.skeleton, answer) if self.continued else fill(self.skeleton, answer)


# Accuracies differ by at least one test image of ten thousand.
_SAME = 1e-6

Score = Callable[[Sequence[tuple["Skeleton", str]]], list[Reward]]


def rendered(task: GrpoTask, tokenizer: PreTrainedTokenizerBase) -> str:
    """The prompt as text, without the token that the tokenizer puts in front by itself."""
    text = str(
        tokenizer.apply_chat_template(
            [turn.model_dump() for turn in task.prompt],
            tokenize=False,
            add_generation_prompt=not task.continued,
            continue_final_message=task.continued,
        )
    )
    begin = tokenizer.bos_token
    if begin and text.startswith(begin) and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]:
        return text.removeprefix(begin)
    return text


@dataclass
class Scorer:
    """The reward function that TRL calls once a step, and what it has seen.

    Args:
        tasks: a row of the trainer's data names its task by index.
        group: answers to one task, which come one after the other.
    """

    tasks: Sequence[GrpoTask]
    score: Score
    group: int
    rewards: list[list[Reward]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    # TRL names a reward's columns in its logs after the function.
    __name__ = "reward"

    def __call__(self, completions: Sequence[str], task: Sequence[int], **_: Any) -> list[float]:
        """Rewards of the answers of one step, in order."""
        started = time.perf_counter()
        asked = [self.tasks[index] for index in task]
        answers = [(one.skeleton, one.network(text)) for one, text in zip(asked, completions, strict=True)]
        rewards = self.score(answers)
        self.rewards.append(rewards)
        self.seconds.append(time.perf_counter() - started)
        return [one.total for one in rewards]

    def telling(self) -> list[bool]:
        """Whether each answer of the last step is in a group whose rewards differ.

        Told from the rewards themselves: a mean of equal numbers in float32 is often not quite that number, and TRL's
        own count of such groups then misses them.
        """
        totals = [one.total for one in self.rewards[-1]]
        groups = [totals[start : start + self.group] for start in range(0, len(totals), self.group)]
        return [max(group) - min(group) > _SAME for group in groups for _ in group]


def build_grpo_trainer(
    base_folder: Path,
    scorer: Scorer,
    scratch: Path,
    *,
    config: GrpoConfig,
    seed: int,
    start_adapter: Path | None,
    progress: Callable[[GrpoStep], None],
) -> GRPOTrainer:
    """A trainer over the scorer's tasks in an order drawn by the seed.

    Call it inside ``finetuning_trainer.tuning_process``.
    """
    from datasets import Dataset
    from transformers import AutoTokenizer, PrinterCallback, set_seed

    tokenizer = AutoTokenizer.from_pretrained(base_folder, local_files_only=True, padding_side="left")
    set_seed(seed)
    model = _base_model(base_folder, config)
    model, lora = with_adapter(model, config.lora, start_adapter)
    rows = [{"prompt": rendered(task, tokenizer), "task": index} for index, task in enumerate(scorer.tasks)]
    trainer = _trainer_class(scorer if config.drop_equal else None)(
        model=model,
        reward_funcs=scorer,
        args=_arguments(scratch, config, seed),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[_step_callback(scorer, progress)],
    )
    trainer.remove_callback(PrinterCallback)
    # What is sampled must not depend on how many numbers the set-up has drawn.
    set_seed(seed)
    return trainer


def _base_model(folder: Path, config: GrpoConfig) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    half = config.precision == "bf16" and config.device == "auto"
    options: dict[str, Any] = {"dtype": torch.bfloat16 if half else torch.float32}
    if config.four_bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=options["dtype"]
        )
    # Not mapped into memory: a folder that is written anew meanwhile would change or kill the training.
    return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, disable_mmap=True, **options)


def _arguments(scratch: Path, config: GrpoConfig, seed: int) -> GRPOConfig:
    from trl import GRPOConfig

    return GRPOConfig(
        output_dir=str(scratch),
        max_steps=config.steps * config.reuse,
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=config.batch // config.micro_batch,
        num_generations=config.generations,
        num_iterations=config.reuse,
        learning_rate=config.lr,
        lr_scheduler_type=config.schedule,
        warmup_steps=config.warmup_steps,
        optim=config.optimizer,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        beta=config.kl,
        epsilon=config.clip,
        loss_type=config.loss,
        scale_rewards=config.scale,
        temperature=config.temperature,
        top_k=config.top_k or 0,
        top_p=config.top_p or 1.0,
        max_completion_length=config.max_new_tokens,
        bf16=config.precision == "bf16",
        use_cpu=config.device == "cpu",
        use_vllm=False,
        gradient_checkpointing=config.gradient_checkpointing,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        seed=seed,
        data_seed=seed,
        save_strategy="no",
        report_to=[],
        logging_steps=1,
        disable_tqdm=True,
    )


def _trainer_class(dropping: Scorer | None) -> Any:
    """TRL's trainer, or one that leaves out answers of groups that agree."""
    import torch
    from trl import GRPOTrainer

    if dropping is None:
        return GRPOTrainer
    told = dropping.telling

    class Dropping(GRPOTrainer):  # type: ignore[misc]
        """Takes the tokens of groups that agree out of the loss.

        Their gradient is zero, but the loss is a mean over the tokens of the batch: the more groups agree, the
        smaller a step the others would take.
        """

        def _generate_and_score_completions(self, inputs: Any) -> Any:
            output = super()._generate_and_score_completions(inputs)
            # One process: the answers are those that were scored, in their order.
            kept = torch.tensor(told(), device=output["completion_mask"].device)
            if self.model.training and bool(kept.any()):
                output["advantages"] = output["advantages"] * kept
                output["completion_mask"] = output["completion_mask"] * kept.unsqueeze(1)
                tokens = output["completion_mask"].sum()
                output["num_items_in_batch"] = self.accelerator.gather(tokens).sum()
            return output

    return Dropping


def _step_callback(scorer: Scorer, progress: Callable[[GrpoStep], None]) -> Any:
    """A trainer callback that passes on what each step did."""
    from transformers import TrainerCallback

    class Steps(TrainerCallback):  # type: ignore[misc]
        started = time.perf_counter()

        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.started = time.perf_counter()

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
            if "reward" not in logs:  # answers that were used before, or the end
                return
            step = GrpoStep(
                step=len(scorer.rewards),
                rewards=summarise(scorer.rewards[-1]),
                equal_groups=1 - statistics.fmean(scorer.telling()),
                loss=float(logs["loss"]),
                entropy=float(logs["entropy"]),
                kl=float(logs["kl"]) if "kl" in logs else None,
                grad_norm=float(logs["grad_norm"]),
                tokens=float(logs["completions/mean_length"]),
                seconds=time.perf_counter() - self.started,
                seconds_rewards=scorer.seconds[-1],
            )
            progress(step)

    return Steps()


def edge_means(values: Sequence[float]) -> tuple[float, float]:
    """Means of the first and of the last fifth of some values."""
    edge = max(1, len(values) // 5)
    return statistics.fmean(values[:edge]), statistics.fmean(values[-edge:])
