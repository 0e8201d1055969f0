"""The paper's setting on a machine without a GPU: every object is built, and trains, around a tiny model of the same
architecture; the memory that the real one takes is told from its dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from netwright.graphs.config import load_config
from netwright.tools.finetuning import TuneConfig, TuningPair
from netwright.tools.finetuning_trainer import build_trainer, tuning_process
from netwright.tools.footprint import architecture, footprint
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

ASSETS = Path(__file__).resolve().parents[2] / "assets"
NAME = "deepseek-ai/deepseek-coder-7b-instruct-v1.5"
TINY = {"hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 2, "num_attention_heads": 4}
PAIRS = [TuningPair.of(f"a network of {n} layers", f"import torch\n\nlayers = {n}\n") for n in range(8)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of the paper's architecture, with the embedded model's tokenizer."""
    folder = tmp_path_factory.mktemp("tiny-7b")
    tokenizer = AutoTokenizer.from_pretrained(ASSETS / "netwright-nano")
    special = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    shape = architecture(NAME) | TINY | special | {"num_key_value_heads": 4, "vocab_size": len(tokenizer)}
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(**shape)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_named_configuration_is_the_papers_setting() -> None:
    config = load_config(Path("paper-7b"))
    assert config.tuning == TuneConfig.paper_7b()
    assert (config.model.temperature, config.model.top_k, config.model.top_p, config.model.max_new_tokens) == (
        0.20, 50, 0.9, 2048,
    )  # fmt: skip
    assert (config.model.serve, config.model.serving.stop_to_tune) == ("vllm", True)
    assert (config.campaign.dynamic.from_cycle, config.campaign.dynamic.at_least, config.budget.cycles) == (11, 30, 22)


@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
def test_every_object_is_built_and_takes_its_steps(tiny: Path, tmp_path: Path) -> None:
    # All but the place: transformers refuses bf16 on "auto" where there is no GPU.
    config = TuneConfig.paper_7b(device="cpu", threads=1)
    with tuning_process(config.threads):
        trainer: Any = build_trainer(
            tiny, PAIRS, tmp_path, config=config, steps=2, seed=0, start_adapter=None, progress=None
        )
        before = {name: p.detach().clone() for name, p in trainer.model.named_parameters() if p.requires_grad}
        trainer.train()
    args = trainer.args
    assert (args.optim, args.lr_scheduler_type) == ("paged_adamw_8bit", "cosine")
    assert (args.warmup_steps, args.bf16) == (20, True)
    assert (args.per_device_train_batch_size, args.gradient_accumulation_steps) == (1, 4)
    assert args.gradient_checkpointing
    assert type(trainer.optimizer.optimizer).__module__.startswith("bitsandbytes")
    assert trainer.state.global_step == 2
    lora = trainer.model.peft_config["default"]
    assert (lora.r, lora.lora_alpha, lora.lora_dropout, len(lora.target_modules)) == (32, 64, 0.05, 7)
    changed = [name for name, p in trainer.model.named_parameters() if p.requires_grad and not p.equal(before[name])]
    assert len(changed) == 2 * 7 * TINY["num_hidden_layers"]  # A and B of each projection


def test_the_real_model_fits_a_gpu_of_24_gb() -> None:
    found = footprint(architecture(NAME), TuneConfig.paper_7b(), answer_tokens=3_048, sampler="vllm")
    assert found.parameters == 6_910_365_696  # as published: "7B"
    assert found.trainable == 32 * 30 * (4 * 2 * 4096 + 3 * (4096 + 11008))
    assert found.weights == pytest.approx(2 * found.parameters / 2**30)
    assert found.tuning < 22.4  # 24 GB in GiB
    assert found.sampling < 0.85 * 22.4  # what the configuration gives to the server
    in_process = footprint(architecture(NAME), TuneConfig.paper_7b(), answer_tokens=3_048)
    assert in_process.sampling > 4 * in_process.weights  # float32, and a copy for the adapter


def test_checkpointing_and_eight_bits_save_what_they_are_for() -> None:
    whole = TuneConfig.paper_7b(gradient_checkpointing=False, optimizer="adamw_torch")
    saved, plain = (footprint(architecture(NAME), each, answer_tokens=3_048) for each in (TuneConfig.paper_7b(), whole))
    assert saved.activations < plain.activations / 3
    assert saved.adapter < plain.adapter


def test_an_architecture_that_is_not_known_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"model\.path.*deepseek-coder-7b"):
        architecture("someone/unheard-of")
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
        architecture("mine", tmp_path)
