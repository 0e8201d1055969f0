"""``netwright model``: pretrain the embedded model, list models and adapters, roll adapters back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ...memory.records import Records, RecordsError
from ...sandbox import SandboxUnavailable, open_sandbox
from .console import JsonFlag, err, fail, out, print_json

app = typer.Typer(no_args_is_help=True, help="Language models: the embedded one, its training, adapters.")


@app.command(epilog="Example:  netwright model pretrain --seed 1 --out ./nano-1")
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
    from ...tools.pretraining.trainer import PretrainingInterrupted

    folder, budget = to or Path(f"netwright-nano-{seed}"), steps or STEPS
    try:
        with open_sandbox("bubblewrap", validation_image()) as sandbox, progress_bar(err) as bar:
            judge = Validator(sandbox).validate_many
            report = pretrain_and_benchmark(seed, folder, judge, steps=budget, progress=bar)
    except PretrainingInterrupted:
        fail(
            f"interrupted; go on with: netwright model pretrain --seed {seed} --out {folder} --steps {budget}",
            as_json=as_json,
            code=130,
        )
    except (SandboxUnavailable, ValueError) as error:
        fail(str(error), as_json=as_json)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        out.print(tables([report]), markup=False)
        out.print(f"model: {folder}", soft_wrap=True)


@app.command("list", epilog="Example:  netwright model list --json")
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
        table.add_row(
            entry.name,
            "yes" if entry.available else "no",
            entry.style,
            "yes" if entry.tunable else "no",
            entry.detail,
        )
    out.print(table)
    if adapters:
        rows = Table("campaign", "cycle", "state", "pairs", "last loss", "folder")
        for a in adapters:
            loss = a.metrics.get("loss_last")
            rows.add_row(
                a.campaign_id,
                str(a.cycle),
                a.state,
                str(a.metrics.get("pairs", "–")),
                f"{loss:.3f}" if loss else "–",
                a.path,
            )
        out.print(rows)


@app.command(epilog="Example:  netwright model rollback night-1 --to-cycle 3")
def rollback(
    campaign: Annotated[str, typer.Argument(help="The campaign's id.")],
    to_cycle: Annotated[int, typer.Option("--to-cycle", min=0, help="Newest cycle whose adapter stays; 0: none.")],
    as_json: JsonFlag = False,
) -> None:
    """Take back the adapters of later cycles: the next cycle samples from the one that is left."""
    with Records() as records:
        try:
            records.get_campaign(campaign)
        except RecordsError as error:
            fail(str(error), as_json=as_json)
        taken = records.rollback_adapters(campaign, to_cycle)
        left = records.active_adapter(campaign)
    if as_json:
        print_json({"rolled_back": [a.cycle for a in taken], "active": left.cycle if left else None})
    else:
        cycles = ", ".join(str(a.cycle) for a in taken) or "none"
        out.print(f"rolled back: {cycles}; active: {f'cycle {left.cycle}' if left else 'the base model'}")
