"""GRPO: prompts as a model is asked, that a reward moves it, that the same inputs give the same weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from netwright.agents.models.factory import NANO_FOLDER
from netwright.agents.prompting import skeleton_prompt
from netwright.agents.reinforcer import skeleton_task
from netwright.memory.types import Request
from netwright.tools.finetuning import LoraSettings, Message
from netwright.tools.grpo import GrpoConfig, GrpoReport, GrpoStep, GrpoTask, answer, fitting, train_grpo
from netwright.tools.grpo_trainer import Scorer, edge_means, rendered
from netwright.tools.pretraining.pipeline import packaged_corpus
from netwright.tools.rewards import Reward
from netwright.tools.sampling import load_language_model
from netwright.tools.skeletons import MASK, Skeleton, mask_all
from netwright.tools.tasks import task_info
from transformers import AutoTokenizer

TASK = task_info("digits").task
QUICK = GrpoConfig(
    lora=LoraSettings(rank=4, alpha=8), steps=2, skeletons=2, generations=4, micro_batch=4, lr=1e-3, max_new_tokens=48
)


@pytest.fixture(scope="module")
def skeletons() -> list[Skeleton]:
    programs = (p for p in packaged_corpus() if p.header.in_shape == TASK.in_shape)
    return mask_all(((p.header.render(), p.source) for p in programs), most=6)


@pytest.fixture(scope="module")
def tasks(skeletons: list[Skeleton]) -> list[GrpoTask]:
    return [GrpoTask.completion(one) for one in skeletons]


def made(total: float, key: str = "x") -> Reward:
    return Reward(candidate_id=key, total=total, gain=total, stage="complete", valid=total > 0)


def by_text(answers: Sequence[tuple[Skeleton, str]]) -> list[Reward]:
    """A reward that needs no sandbox: the share of digits in the text."""
    keys = [hashlib.sha256(text.encode()).hexdigest() for _, text in answers]
    shares = [sum(map(str.isdigit, text)) / len(text) for _, text in answers]
    return [made(share, key) for share, key in zip(shares, keys, strict=True)]


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()


def test_a_completion_model_writes_on_from_the_kept_text(tasks: list[GrpoTask]) -> None:
    task, tokenizer = tasks[0], AutoTokenizer.from_pretrained(NANO_FOLDER)
    text = rendered(task, tokenizer)
    assert text == f"{tokenizer.bos_token}{task.skeleton.prompt}\n{task.skeleton.kept}"
    assert task.network("\n        rest") == task.skeleton.kept + "\n        rest"


def test_a_chat_model_gets_the_masked_file_and_the_rules(skeletons: list[Skeleton]) -> None:
    task = skeleton_task(skeletons[0], Request(task=TASK), "chat")
    asked = task.prompt[0].content
    assert not task.continued
    assert skeletons[0].masked.strip() in asked
    for part in (MASK, "```python", "digits", "1 × 8 × 8", "train_setup", "supported_hyperparameters", "Net.__init__"):
        assert part in asked
    assert asked == skeleton_prompt(Request(task=TASK), skeletons[0].masked)
    assert task.network(f"```python\n{skeletons[0].original}```") == skeletons[0].original


def test_skeletons_too_long_for_the_context_are_left_out(skeletons: list[Skeleton]) -> None:
    long = GrpoTask(skeletons[0], (Message(role="user", content="x = 1\n" * 400),))
    short = GrpoTask.completion(skeletons[1])
    assert fitting(NANO_FOLDER, [long, short], 384) == [short]


def test_presets_and_what_cannot_be() -> None:
    assert GrpoConfig.embedded(steps=3).steps == 3
    paper = GrpoConfig.paper()
    assert (paper.four_bit, paper.device, paper.batch) == (True, "auto", 32)
    with pytest.raises(ValueError, match="micro_batch"):
        GrpoConfig(skeletons=3, generations=3, micro_batch=4)
    with pytest.raises(ValueError, match="GPU"):
        GrpoConfig(four_bit=True)
    assert edge_means([1, 2, 3, 4, 5]) == (1, 5)


def test_a_training_writes_an_adapter_and_its_report(tasks: list[GrpoTask], tmp_path: Path) -> None:
    seen: list[GrpoStep] = []
    before = torch.get_rng_state()
    report = train_grpo(
        NANO_FOLDER, tasks, tmp_path / "a", score=by_text, protocol_hash="p", config=QUICK, seed=1, progress=seen.append
    )
    assert torch.equal(before, torch.get_rng_state())
    assert [step.step for step in seen] == [1, 2]
    assert all(step.rewards.n == QUICK.batch for step in seen)
    assert (report.networks, report.tasks, report.left_out) == (16, len(tasks), 0)
    assert GrpoReport.model_validate_json((tmp_path / "a" / "grpo.json").read_bytes()) == report
    assert json.loads((tmp_path / "a" / "adapter_config.json").read_bytes())["r"] == 4
    # The weights have moved, and they can be put on.
    model = load_language_model(NANO_FOLDER, tmp_path / "a")
    assert model.adapter == tmp_path / "a"
    assert len(answer(model, tasks[:2], config=QUICK, seed=0)) == 2
    train_grpo(NANO_FOLDER, tasks, tmp_path / "b", score=by_text, protocol_hash="p", config=QUICK, seed=1)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    with pytest.raises(ValueError, match="not empty"):
        train_grpo(NANO_FOLDER, tasks, tmp_path / "a", score=by_text, protocol_hash="p", config=QUICK, seed=1)


def test_goes_on_from_an_adapter_with_a_reference(tasks: list[GrpoTask], tmp_path: Path) -> None:
    once = QUICK.model_copy(update={"steps": 1})
    train_grpo(NANO_FOLDER, tasks, tmp_path / "a", score=by_text, protocol_hash="p", config=once, seed=1)
    with_kl = once.model_copy(update={"kl": 0.05})
    report = train_grpo(
        NANO_FOLDER,
        tasks,
        tmp_path / "b",
        score=by_text,
        protocol_hash="p",
        config=with_kl,
        seed=2,
        start_adapter=tmp_path / "a",
    )
    assert report.steps[0].kl is not None
    assert weights(tmp_path / "a") != weights(tmp_path / "b")
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "grpo.json",
    ]


def test_groups_that_agree_teach_nothing(tasks: list[GrpoTask], tmp_path: Path) -> None:
    def same(answers: Sequence[tuple[Skeleton, str]]) -> list[Reward]:
        return [made(0.6) for _ in answers]

    report = train_grpo(NANO_FOLDER, tasks, tmp_path / "a", score=same, protocol_hash="p", config=QUICK, seed=1)
    assert [step.equal_groups for step in report.steps] == [1.0, 1.0]
    assert all(step.grad_norm == 0 for step in report.steps)


def test_groups_are_told_apart_by_their_rewards(tasks: list[GrpoTask]) -> None:
    totals = iter([0.6, 0.6, 0.6, 0.6, 0.6, 0.6028, -1.0, -1.0])
    scorer = Scorer(tasks, lambda answers: [made(next(totals)) for _ in answers], group=2)
    scorer([""] * 8, task=[0, 0, 1, 1, 2, 2, 3, 3])
    assert scorer.telling() == [False] * 4 + [True] * 2 + [False] * 2


def test_too_few_skeletons_are_an_error(tasks: list[GrpoTask], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a step needs 2"):
        train_grpo(NANO_FOLDER, tasks[:1], tmp_path / "a", score=by_text, protocol_hash="p", config=QUICK, seed=1)


@pytest.mark.slow
def test_the_reward_rises(tasks: list[GrpoTask], tmp_path: Path) -> None:
    config = QUICK.model_copy(update={"steps": 15, "lr": 4e-3, "generations": 8, "micro_batch": 16})
    report = train_grpo(NANO_FOLDER, tasks, tmp_path / "a", score=by_text, protocol_hash="p", config=config, seed=1)
    assert report.reward_last > 1.3 * report.reward_first
