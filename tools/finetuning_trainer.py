"""Putting TRL's trainer together for a tune: model, adapter, data in order, no network, no noise."""

from __future__ import annotations

import contextlib
import json
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .finetuning_config import LoraSettings, TuneConfig, TuneProgress
from .finetuning_plan import TuningPair

if TYPE_CHECKING:
    from trl import SFTConfig, SFTTrainer


@contextlib.contextmanager
def tuning_process(threads: int | None) -> Iterator[None]:
    """Sets torch's thread count and keeps the libraries quiet and off the network.

    All of it, and the random states, are as before afterwards.
    """
    import datasets
    import torch
    from huggingface_hub import constants
    from transformers.utils import logging

    python, numpy, count = random.getstate(), np.random.get_state(), torch.get_num_threads()
    bars, loading_bars = datasets.is_progress_bar_enabled(), logging.is_progress_bar_enabled()
    offline = constants.HF_HUB_OFFLINE
    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    # Without this TRL reports every trainer it builds to the hub.
    constants.HF_HUB_OFFLINE = True
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            # TRL 1.16 sets the checkpointing option by the name that transformers is about to drop.
            warnings.filterwarnings("ignore", message=".*gradient_checkpointing.*", category=FutureWarning)
            if threads is not None:
                torch.set_num_threads(threads)
            yield
    finally:
        torch.set_num_threads(count)
        random.setstate(python)
        np.random.set_state(numpy)
        constants.HF_HUB_OFFLINE = offline
        if bars:
            datasets.enable_progress_bars()
        if loading_bars:
            logging.enable_progress_bar()


def build_trainer(
    base_folder: Path,
    order: Sequence[TuningPair],
    scratch: Path,
    *,
    config: TuneConfig,
    steps: int,
    seed: int,
    start_adapter: Path | None,
    progress: Callable[[TuneProgress], None] | None,
) -> SFTTrainer:
    """A trainer that goes through ``order`` once, in order. Call it inside :func:`tuning_process`."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, set_seed
    from trl import SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(base_folder, local_files_only=True)
    if tokenizer.chat_template is None:
        raise ValueError(f"the tokenizer in {base_folder} has no chat template, so pairs cannot be rendered")
    set_seed(seed)
    dtype = torch.bfloat16 if config.precision == "bf16" and config.device == "auto" else torch.float32
    # Not mapped into memory: a folder that is written anew meanwhile would change or kill the tune.
    model = AutoModelForCausalLM.from_pretrained(base_folder, dtype=dtype, local_files_only=True, disable_mmap=True)
    model, lora = with_adapter(model, config.lora, start_adapter)
    trainer = SFTTrainer(
        model=model,
        args=_arguments(scratch, config, steps, seed),
        train_dataset=Dataset.from_list([pair.row() for pair in order]),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[_progress_callback(progress)] if progress else None,
    )
    trainer.remove_callback(PrinterCallback)
    # Dropout must not depend on how many numbers the set-up has drawn, which differs between library versions
    # and between a fresh adapter and a continued one.
    set_seed(seed)
    return trainer


def with_adapter(model: Any, settings: LoraSettings, start_adapter: Path | None) -> tuple[Any, Any]:
    """A model with the adapter that its training goes on from, or as it is with the settings of a fresh one.

    Returns:
        What a trainer of TRL takes as ``model`` and as ``peft_config``.
    """
    from peft import LoraConfig, PeftModel

    if start_adapter is not None:
        adapted = PeftModel.from_pretrained(model, start_adapter, is_trainable=True)
        # An adapter names its base without a place; peft would look for it on the hub whenever it saves.
        adapted.peft_config["default"].base_model_name_or_path = None
        return adapted, None
    return model, LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.modules),
        task_type="CAUSAL_LM",
    )


def _arguments(scratch: Path, config: TuneConfig, steps: int, seed: int) -> SFTConfig:
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(scratch),
        max_steps=steps,
        per_device_train_batch_size=config.batch,
        gradient_accumulation_steps=config.accumulation,
        learning_rate=config.lr,
        lr_scheduler_type=config.schedule,
        warmup_steps=config.warmup_steps,
        optim=config.optimizer,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        bf16=config.precision == "bf16",
        use_cpu=config.device == "cpu",
        gradient_checkpointing=config.gradient_checkpointing,
        max_length=config.max_tokens,
        completion_only_loss=True,
        train_sampling_strategy="sequential",
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        seed=seed,
        data_seed=seed,
        save_strategy="no",  # the checkpoints' callback says when
        report_to=[],
        logging_steps=1,
        disable_tqdm=True,
    )


def _progress_callback(progress: Callable[[TuneProgress], None]) -> Any:
    """A trainer callback that passes on the loss of each optimizer step."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **kwargs: Any) -> None:
            if "loss" in logs:
                progress(TuneProgress(step=state.global_step, steps=state.max_steps, loss=float(logs["loss"])))

    return Progress()


def save_adapter(trainer: SFTTrainer, base_folder: Path, out_dir: Path) -> None:
    """Writes the adapter's weights and configuration; the base model is named, not located.

    peft's model card is left out: it is an empty form.
    """
    # "auto" would ask the hub whether the vocabulary has grown.
    trainer.model.save_pretrained(out_dir, save_embedding_layers=False)
    (out_dir / "README.md").unlink(missing_ok=True)
    path = out_dir / "adapter_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = base_folder.name
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
