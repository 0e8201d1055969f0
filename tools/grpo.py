"""Reinforcement learning of a language model on masked skeletons: TRL's GRPOTrainer with a peft LoRA adapter.

*LEMUR 2*, section 2.2.2 and supplement 6. The same tasks, configuration and seed give the same weights on one thread,
as long as each network's result is the same. Importing this module is cheap; TRL is imported by the first training.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .devices import release_gpu_memory
from .finetuning_trainer import save_adapter, tuning_process
from .grpo_config import GrpoConfig, GrpoReport, GrpoStep
from .grpo_trainer import GrpoTask, Score, Scorer, build_grpo_trainer, edge_means, rendered

if TYPE_CHECKING:
    from .sampling import LanguageModel

__all__ = ["GrpoConfig", "GrpoReport", "GrpoStep", "GrpoTask", "answer", "check_grpo_here", "fitting", "train_grpo"]


def train_grpo(
    base_folder: Path,
    tasks: Sequence[GrpoTask],
    out_dir: Path,
    *,
    score: Score,
    protocol_hash: str,
    config: GrpoConfig,
    seed: int,
    start_adapter: Path | None = None,
    progress: Callable[[GrpoStep], None] | None = None,
) -> GrpoReport:
    """Trains a LoRA adapter on the tasks; writes it to ``out_dir`` in peft's format, with ``grpo.json``.

    Nothing is checkpointed: an interrupted training is redone from its inputs, and what was scored before is answered
    by the records. An exception of ``progress`` or ``score`` ends it. Torch's thread count and all random states are
    as before afterwards.

    Args:
        base_folder: Hugging Face folder of the base model, with its tokenizer and chat template.
        out_dir: made when missing; must be empty. The caller renames it into place.
        score: gives rewards to ``(skeleton, network)`` pairs, such as ``rewards.Rewarder.score``.
        protocol_hash: of the protocol behind ``score``, for the report.
        start_adapter: go on from this adapter instead of a fresh one.

    Raises:
        ValueError: no task fits the context, or ``out_dir`` is not empty.
        FileNotFoundError: no model in ``base_folder`` or no adapter in ``start_adapter``.
        ImportError: a package is missing; the message names it.
    """
    started = time.perf_counter()
    _check(base_folder, out_dir, start_adapter, config)
    usable = _usable(base_folder, tasks, config)
    scorer = Scorer(usable, score, config.generations)
    steps: list[GrpoStep] = []

    def note(step: GrpoStep) -> None:
        steps.append(step)
        if progress:
            progress(step)

    trainable = _train(base_folder, scorer, out_dir, config, seed, start_adapter, note)
    report = GrpoReport(
        **_figures(steps, scorer),
        tasks=len(usable),
        left_out=len(tasks) - len(usable),
        trainable=trainable,
        seconds=time.perf_counter() - started,
        seed=seed,
        protocol=protocol_hash,
        config=config,
    )
    (out_dir / "grpo.json").write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    release_gpu_memory()
    return report


def _usable(base_folder: Path, tasks: Sequence[GrpoTask], config: GrpoConfig) -> list[GrpoTask]:
    """The tasks that fit the model's context.

    Raises:
        ValueError: they are fewer than one step needs.
    """
    usable = fitting(base_folder, tasks, config.max_new_tokens)
    if len(usable) < config.skeletons:
        raise ValueError(
            f"{len(usable)} of {len(tasks)} skeletons leave {config.max_new_tokens} tokens of the context free, a step "
            f"needs {config.skeletons}: give more skeletons, or lower grpo.training.skeletons or "
            "grpo.training.max_new_tokens"
        )
    return usable


def _train(
    base_folder: Path,
    scorer: Scorer,
    out_dir: Path,
    config: GrpoConfig,
    seed: int,
    start_adapter: Path | None,
    note: Callable[[GrpoStep], None],
) -> int:
    """Train on the scorer's tasks and save the adapter; how many weights were trained."""
    scratch = Path(tempfile.mkdtemp(prefix="netwright-grpo-"))
    try:
        with tuning_process(config.threads):
            trainer = build_grpo_trainer(
                base_folder,
                scorer,
                scratch,
                config=config,
                seed=seed,
                start_adapter=start_adapter,
                progress=note,
            )
            trainer.train()
            if "ref" in trainer.model.peft_config:
                trainer.model.delete_adapter("ref")  # TRL's copy of the start, for the KL term
            save_adapter(trainer, base_folder, out_dir)
            return sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _figures(steps: list[GrpoStep], scorer: Scorer) -> dict[str, Any]:
    """What a report says of the steps and of the answers."""
    networks = [one.candidate_id for batch in scorer.rewards for one in batch]
    reward = edge_means([step.rewards.reward for step in steps])
    valid = edge_means([step.rewards.valid for step in steps])
    return {
        "steps": steps,
        "networks": len(networks),
        "distinct": len(set(networks)),
        "tokens": round(sum(step.tokens * step.rewards.n for step in steps)),
        "reward_first": reward[0],
        "reward_last": reward[1],
        "valid_first": valid[0],
        "valid_last": valid[1],
        "seconds_rewards": sum(scorer.seconds),
    }


def fitting(base_folder: Path, tasks: Sequence[GrpoTask], room: int) -> list[GrpoTask]:
    """Tasks whose prompt leaves ``room`` tokens of the context for the answer (supplement 6.2's length filter)."""
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_folder, local_files_only=True)
    if tokenizer.chat_template is None:
        raise ValueError(f"the tokenizer in {base_folder} has no chat template, so skeletons cannot be rendered")
    context = int(AutoConfig.from_pretrained(base_folder, local_files_only=True).max_position_embeddings)
    return [task for task in tasks if len(tokenizer(rendered(task, tokenizer))["input_ids"]) + room <= context]


def answer(model: LanguageModel, tasks: Sequence[GrpoTask], *, config: GrpoConfig, seed: int) -> list[str]:
    """The network that a model writes for each task, sampled as in training."""
    prompts = [model.render([turn.model_dump() for turn in task.prompt]) for task in tasks]
    written = model.complete(
        prompts,
        seed=seed,
        temperature=config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        max_new_tokens=config.max_new_tokens,
    )
    return [task.network(done.text) for task, done in zip(tasks, written, strict=True)]


def check_grpo_here(config: GrpoConfig) -> None:
    """Fails if this machine cannot train as ``config`` says; needs neither a model nor tasks.

    Raises:
        ImportError: bitsandbytes is needed and missing.
    """
    if (config.four_bit or config.optimizer == "paged_adamw_8bit") and find_spec("bitsandbytes") is None:
        raise ImportError(
            "this GRPO setting needs bitsandbytes: pip install 'netwright[gpu]', or set grpo.training.four_bit=false "
            "and grpo.training.optimizer=adamw_torch"
        )


def _check(base_folder: Path, out_dir: Path, start_adapter: Path | None, config: GrpoConfig) -> None:
    """Fails before anything is loaded if the training cannot be done."""
    if not (base_folder / "config.json").is_file():
        raise FileNotFoundError(f"no model in {base_folder}: config.json is missing; name a Hugging Face model folder")
    if start_adapter is not None and not (start_adapter / "adapter_config.json").is_file():
        raise FileNotFoundError(f"no adapter in {start_adapter}: adapter_config.json is missing")
    check_grpo_here(config)
    out_dir.mkdir(parents=True, exist_ok=True)
    if any(out_dir.iterdir()):
        raise ValueError(f"{out_dir} is not empty; give train_grpo() a fresh folder and rename it afterwards")
