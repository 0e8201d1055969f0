"""``netwright model``: pretrain the embedded model, list models and adapters, roll adapters back."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from ...memory.records import Records
from ...memory.rows import Adapter
from ...sandbox import open_sandbox
from .console import JsonFlag, err, going_on, guarded, out, print_json, print_remedies

app = typer.Typer(no_args_is_help=True, help="Language models: the embedded one, its training, adapters.")


@app.command(epilog="Example:  netwright model pretrain --seed 1 --out ./nano-1")
@guarded
def pretrain(
    seed: Annotated[int, typer.Option(min=0, help="Of initial weights, batch order and samples.")] = 0,
    to: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the model; default ./netwright-nano-SEED.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps; default: the recipe's.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train netwright-nano from scratch, benchmark it on held-out headers, and print its table.

    Goes on from a checkpoint in the folder when it was interrupted.
    """
    from ...tools.execution import Validator, validation_image
    from ...tools.pretraining.pipeline import STEPS, pretrain_and_benchmark, progress_bar
    from ...tools.pretraining.report import tables

    folder, budget = to or Path(f"netwright-nano-{seed}"), steps or STEPS
    again = f"netwright model pretrain --seed {seed} --out {shlex.quote(str(folder))} --steps {budget}"
    with (
        going_on(again),
        open_sandbox("bubblewrap", validation_image()) as sandbox,
        progress_bar(err) as bar,
    ):
        judge = Validator(sandbox).validate_many
        report = pretrain_and_benchmark(seed, folder, judge, steps=budget, progress=bar)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        out.print(tables([report]), markup=False)
        out.print(f"model: {folder}", markup=False, soft_wrap=True)


@app.command("list", epilog="Example:  netwright model list --json")
@guarded
def list_models(as_json: JsonFlag = False) -> None:
    """List the language models that can be used here and the adapters of all campaigns."""
    from ...agents.models.catalogue import known_models

    with Records() as records:
        adapters = [a for c in records.list_campaigns() for a in records.adapters(c.id)]
    models = known_models()
    if as_json:
        document = {
            "models": [m.model_dump(mode="json") for m in models],
            "adapters": [a.model_dump(mode="json") for a in adapters],
        }
        print_json(document)
        return
    table = Table("model", "here", "style", "can be tuned", "detail")
    for entry in models:
        marks = ["yes" if mark else "no" for mark in (entry.available, entry.tunable)]
        table.add_row(escape(entry.name), marks[0], entry.style, marks[1], escape(entry.detail))
    out.print(table)
    print_remedies([(m.name, m.remedy) for m in models if not m.available])
    if adapters:
        out.print(_adapter_table(adapters))


def _adapter_table(adapters: list[Adapter]) -> Table:
    table = Table("campaign", "cycle", "state", "pairs", "last loss", "folder")
    table.columns[-1].overflow = "fold"
    for a in adapters:
        loss, pairs = a.metrics.get("loss_last"), a.metrics.get("pairs", "–")
        shown = f"{loss:.3f}" if loss is not None else "–"
        table.add_row(a.campaign_id, str(a.cycle), a.state, str(pairs), shown, escape(a.path))
    return table


@app.command(epilog="Example:  netwright model rollback night-1 --to-cycle 3")
@guarded
def rollback(
    campaign: Annotated[str, typer.Argument(help="The campaign's id.")],
    to_cycle: Annotated[int, typer.Option("--to-cycle", min=0, help="Newest cycle whose adapter stays; 0: none.")],
    as_json: JsonFlag = False,
) -> None:
    """Take back the adapters of later cycles: the next cycle samples from the one that is left."""
    with Records() as records:
        records.get_campaign(campaign)
        taken = records.rollback_adapters(campaign, to_cycle)
        left = records.active_adapter(campaign)
    if as_json:
        print_json({"rolled_back": [a.cycle for a in taken], "active": left.cycle if left else None})
    else:
        cycles = ", ".join(str(a.cycle) for a in taken) or "none"
        out.print(f"rolled back: {cycles}; active: {f'cycle {left.cycle}' if left else 'the base model'}")
