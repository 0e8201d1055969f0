"""Tuning a causal language model on prompt–code pairs: TRL's SFTTrainer with a peft LoRA adapter.

The same pairs, configuration and seed give bit-identical adapter weights on one thread, in any process,
whatever it did before. Importing this module is cheap; TRL is imported by the first tune.
"""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .devices import release_gpu_memory
from .finetuning_checkpoints import Spent, TuneCheckpoints, inputs_hash
from .finetuning_config import PROJECTIONS, LoraSettings, TuneConfig, TuneProgress, TuneReport
from .finetuning_plan import Message, TuningPair, Weighting, plan_batches, rank_weights
from .finetuning_trainer import build_trainer, save_adapter, tuning_process
from .stopping import Stopped

if TYPE_CHECKING:
    from trl import SFTTrainer

__all__ = [
    "PROJECTIONS",
    "LoraSettings",
    "Message",
    "TuneConfig",
    "TuneProgress",
    "TuneReport",
    "TuningPair",
    "Weighting",
    "check_tunable_here",
    "plan_batches",
    "rank_weights",
    "tune",
]


def tune(
    base_folder: Path,
    pairs: Sequence[TuningPair],
    replay_pairs: Sequence[TuningPair],
    out_dir: Path,
    *,
    config: TuneConfig,
    seed: int,
    start_adapter: Path | None = None,
    progress: Callable[[TuneProgress], None] | None = None,
    stopping: Callable[[], bool] = lambda: False,
    checkpoints: Path | None = None,
) -> TuneReport:
    """Tunes a LoRA adapter on the pairs and writes it to ``out_dir`` in peft's format.

    With ``checkpoints`` a tune that was stopped or killed goes on from the newest one, when it is called again with
    the same inputs, and ends in the weights that it would have ended in. An exception of ``progress`` ends the tune.
    Torch's thread count and all random states are as before afterwards.

    Args:
        base_folder: Hugging Face folder of the base model, with its tokenizer and chat template.
        pairs: the admitted pairs. replay_pairs: pairs of the initial corpus, against forgetting.
        out_dir: made when missing; must be empty. The caller renames it into place.
        start_adapter: go on from this adapter instead of a fresh one.
        stopping: asked after each optimizer step whether to stop.
        checkpoints: folder for them, made when missing; the caller deletes it. Without one a tune is redone.

    Raises:
        Stopped: ``stopping`` said so; a checkpoint was written, if there is a folder for it.
        ValueError: no pairs, a sequence plan that cannot be, an emulated precision, or an ``out_dir`` that is not
            empty.
        FileNotFoundError: no model in ``base_folder`` or no adapter in ``start_adapter``.
        ImportError: the optimizer needs a package that is missing; the message names it.
    """
    started = time.perf_counter()
    _check(base_folder, out_dir, start_adapter, config)
    steps = config.planned_steps(len(pairs))
    order = plan_batches(
        pairs,
        replay_pairs,
        steps=steps,
        batch=config.batch * config.accumulation,
        replay=config.replay,
        weight=config.weight,
        seed=seed,
    )
    inputs = inputs_hash(base_folder, order, config, seed, start_adapter)
    with ExitStack() as stack:
        folder = checkpoints or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="netwright-tune-", ignore_cleanup_errors=True))
        )
        kept = TuneCheckpoints(folder, inputs, keep=checkpoints is not None)
        build = partial(
            build_trainer, base_folder, order, folder, config=config, steps=steps, seed=seed,
            start_adapter=start_adapter, progress=progress,
        )  # fmt: skip
        try:
            with tuning_process(config.threads):
                trainer, spent = _trained(build, kept, stopping, started, steps)
                save_adapter(trainer, base_folder, out_dir)
            report = _report(trainer, len(pairs), len(replay_pairs), spent, config)
            del trainer
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)  # they hold the trainer, and the next one may need its memory
            raise
        finally:
            release_gpu_memory()
    (out_dir / "tune.json").write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return report


def _trained(
    build: Callable[[], SFTTrainer],
    kept: TuneCheckpoints,
    stopping: Callable[[], bool],
    started: float,
    steps: int,
) -> tuple[SFTTrainer, Spent]:
    """A trainer at its end, from the newest checkpoint on, and what all of it took before this run and in it.

    Args:
        started: when the tune began (``time.perf_counter``).
    """
    newest, before = kept.newest()
    trainer = build()
    training_started = time.perf_counter()

    def spent() -> Spent:
        now = time.perf_counter()
        return Spent(seconds=before.seconds + now - started, training=before.training + now - training_started)

    trainer.add_callback(kept.callback(stopping, spent))
    with kept.writing():
        trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    if trainer.state.global_step < steps:
        raise Stopped(f"asked to stop after {trainer.state.global_step} of {steps} steps of tuning")
    return trainer, spent()


def _report(trainer: SFTTrainer, pairs: int, replay_pairs: int, spent: Spent, config: TuneConfig) -> TuneReport:
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    edge = max(1, len(losses) // 10)
    return TuneReport(
        steps=trainer.state.global_step,
        pairs=pairs,
        replay_pairs=replay_pairs,
        loss_first=float(np.mean(losses[:edge])),
        loss_last=float(np.mean(losses[-edge:])),
        losses=losses,
        tokens=sum(len(ids) for ids in trainer.train_dataset["input_ids"]),
        trainable=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        seconds=spent.seconds,
        seconds_training=spent.training,
        seed=trainer.args.seed,
        config=config,
    )


def check_tunable_here(config: TuneConfig) -> None:
    """Fails if this machine cannot tune as ``config`` says; needs neither a model nor pairs.

    :func:`tune` asks it too, but a campaign comes to its first tune after hours, so it should ask at its start.

    Raises:
        ImportError: the optimizer needs a package that is missing; the message names it.
        ValueError: the precision would be emulated here.
    """
    if config.optimizer == "paged_adamw_8bit" and find_spec("bitsandbytes") is None:
        raise ImportError(
            "the optimizer paged_adamw_8bit needs bitsandbytes: pip install 'netwright[gpu]', "
            "or name another tuning, e.g. --set tuning.epochs=5 --set tuning.optimizer=adamw_torch"
        )
    if config.precision == "bf16" and not _native_bf16(config.device):
        raise ValueError(
            "this machine computes bfloat16 in emulation, ten times slower than float32; name another tuning, e.g. "
            "--set tuning.epochs=5 --set tuning.precision=fp32"
        )


def _check(base_folder: Path, out_dir: Path, start_adapter: Path | None, config: TuneConfig) -> None:
    """Fails before anything is loaded if the tune cannot be done."""
    if not (base_folder / "config.json").is_file():
        raise FileNotFoundError(f"no model in {base_folder}: config.json is missing; name a Hugging Face model folder")
    if start_adapter is not None and not (start_adapter / "adapter_config.json").is_file():
        raise FileNotFoundError(f"no adapter in {start_adapter}: adapter_config.json is missing")
    check_tunable_here(config)
    out_dir.mkdir(parents=True, exist_ok=True)
    if any(out_dir.iterdir()):
        raise ValueError(f"{out_dir} is not empty; give tune() a fresh folder and rename it afterwards")


def _native_bf16(device: str) -> bool:
    """Whether the processor that tunes has bfloat16 instructions."""
    import torch

    from .pretraining.trainer import native_bf16

    if device == "auto" and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return native_bf16()
