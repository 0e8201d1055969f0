"""A campaign's plan on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from .console import out

if TYPE_CHECKING:
    from ...graphs.plan import CampaignPlan
    from ...tools.footprint import Footprint


def print_plan(plan: CampaignPlan) -> None:
    """What a campaign would do and take, what is missing here, and what to type."""
    table = Table(show_header=False, box=None)
    for name, value in (*_work(plan), *_memory(plan)):
        table.add_row(f"[bold]{name}[/]", escape(value))
    out.print(table)
    for reason in plan.missing:
        out.print(f"[bold yellow]missing[/]: {escape(reason)}", soft_wrap=True)
    out.print("to run it:")
    for command in plan.commands:
        out.print(f"  {escape(command)}", soft_wrap=True, highlight=False)


def _work(plan: CampaignPlan) -> list[tuple[str, str]]:
    decoding = ", ".join(f"{name} {value:g}" for name, value in plan.decoding.items() if value is not None)
    cycles = f"{plan.cycles} cycles" if plan.cycles else "cycles until another budget is spent"
    return [
        ("model", plan.model),
        ("decoding", decoding),
        ("task", f"{plan.dataset}, protocol {plan.protocol}"),
        ("work", f"{cycles} of {plan.candidates} networks each, at most {plan.answer_tokens:,} answer tokens a cycle"),
        ("threshold", plan.threshold),
    ]


def _memory(plan: CampaignPlan) -> list[tuple[str, str]]:
    if plan.tuning is None:
        return [("tuning", "none: the model stays as it is")]
    tuning, found = plan.tuning, plan.footprint
    length = f"{tuning.epochs:g} epochs" if tuning.epochs else f"{tuning.steps} steps"
    batch = tuning.batch * tuning.accumulation
    rows = [(
        "tuning",
        f"LoRA of rank {tuning.lora.rank}, {length}, batches of {batch}, {tuning.optimizer}, {tuning.precision}",
    )]  # fmt: skip
    if found is None:
        return rows
    return [
        *rows,
        ("parameters", f"{found.parameters:,}, adapter {found.trainable:,}"),
        (
            "memory to tune",
            f"{found.tuning:.1f} GiB (weights {found.weights:.1f}, adapter {found.adapter:.1f}, activations "
            f"{found.activations:.1f})",
        ),
        ("memory to sample", _sampling(found)),
    ]


def _sampling(found: Footprint) -> str:
    if found.sampler == "vllm":
        return f"{found.sampling:.1f} GiB of vLLM's device, {found.cache:.2f} of it for one answer under way"
    return f"{found.sampling:.1f} GiB of main memory ({found.cache:.2f} for each answer of a batch)"
