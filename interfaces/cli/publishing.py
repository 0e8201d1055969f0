"""``netwright export`` and ``netwright stats``: what is on record, for others to use and as figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from ...memory.records import Records
from .console import JsonFlag, guarded, out, print_json
from .live import activity

if TYPE_CHECKING:
    from ...tools.corpus.export_chat import Description
    from ...tools.corpus.export_rows import Selection

TaskOption = Annotated[str | None, typer.Option("--task", help="Only this task, e.g. img-classification.")]
DatasetOption = Annotated[str | None, typer.Option("--dataset", "-d", help="Only results on this data set.")]
MetricOption = Annotated[str | None, typer.Option("--metric", help="Only results by this metric.")]
EpochOption = Annotated[int | None, typer.Option("--epoch", min=1, help="Only results after so many epochs.")]
PrefixOption = Annotated[
    list[str] | None, typer.Option("--nn-prefix", help="Only networks whose names start so; repeatable.")
]
CampaignOption = Annotated[
    list[str] | None, typer.Option("--campaign", metavar="ID", help="Only networks of this campaign; repeatable.")
]
_DEFAULT_OUT = {"parquet": "netwright.parquet", "jsonl": "netwright.jsonl", "hf": "netwright-hf"}


@guarded
def export(
    to: Annotated[str, typer.Option("--to", metavar="parquet|jsonl|hf", help="What to write.")] = "parquet",
    out_path: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File or, for hf, folder.", show_default="netwright.parquet and the like"),
    ] = None,
    task: TaskOption = None,
    dataset: DatasetOption = None,
    metric: MetricOption = None,
    epoch: EpochOption = None,
    nn_prefix: PrefixOption = None,
    campaign: CampaignOption = None,
    dedup: Annotated[bool, typer.Option("--dedup", help="One network of each cluster of near duplicates.")] = False,
    describe: Annotated[
        list[str] | None,
        typer.Option(
            "--describe",
            metavar="DATASET",
            help="Data set that chat pairs speak of; repeatable.",
            show_default="mnist and cifar10",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the splits.")] = 0,
    title: Annotated[str, typer.Option("--title", help="Of the folder's card.")] = "Neural networks from netwright",
    licence: Annotated[str, typer.Option("--license", help="Of the networks, as the hub names it.")] = "mit",
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there already.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write the networks on record with their results: as a table, as chat pairs, or as a Hugging Face data set."""
    from ...tools.corpus.export_chat import DESCRIBED_AS
    from ...tools.corpus.export_run import Wanted, export, format_of

    chosen = format_of(to)
    wanted = Wanted(
        to=chosen,
        out=out_path or Path(_DEFAULT_OUT[chosen]),
        selection=_selection(task, dataset, metric, epoch, nn_prefix, campaign),
        descriptions=_descriptions(describe or DESCRIBED_AS),
        dedup=dedup,
        seed=seed,
        title=title,
        licence=licence,
        replace=force,
    )
    with Records() as records, activity("reading the records", hidden=as_json) as tell:
        told = export(records, wanted, tell)
    if as_json:
        print_json(told)
    else:
        _print_export(told)


@guarded
def stats(
    task: TaskOption = None,
    dataset: DatasetOption = None,
    metric: MetricOption = None,
    epoch: EpochOption = None,
    nn_prefix: PrefixOption = None,
    campaign: CampaignOption = None,
    out_path: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the figures: PNG files, one HTML page, JSON.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print, and with --out draw, what the records say: best networks, groups, exemplars, means, epochs, lineage."""
    from ...tools.corpus.stats_run import statistics_of

    selection = _selection(task, dataset, metric, epoch, nn_prefix, campaign)
    written = None
    with Records() as records, activity("reading the records", hidden=as_json) as tell:
        found = statistics_of(records, selection)
        if out_path is not None:
            from ...tools.corpus.stats_page import write_statistics

            tell("drawing")
            written = write_statistics(found, out_path)
    if as_json:
        files = {"html": str(written.html), "figures": [str(one) for one in written.figures]} if written else None
        print_json({**found.model_dump(mode="json"), "files": files})
        return
    from ...tools.corpus.stats_tables import statistics_tables

    for table in statistics_tables(found):
        out.print(table)
    if written is not None:
        out.print(f"page: {escape(str(written.html))}\n  {len(written.figures)} figures beside it", soft_wrap=True)


def _selection(
    task: str | None,
    dataset: str | None,
    metric: str | None,
    epoch: int | None,
    prefixes: list[str] | None,
    campaigns: list[str] | None,
) -> Selection:
    from ...tools.corpus.export_rows import Selection

    return Selection(task, dataset, metric, epoch, tuple(prefixes or ()), tuple(campaigns or ()))


def _descriptions(datasets: list[str] | tuple[str, ...]) -> list[Description]:
    """Task descriptions in the designer's own words, so that a model is tuned on what it is asked later."""
    from ...agents.prompting import chat_prompt
    from ...memory.types import Request
    from ...tools.corpus.export_chat import Description
    from ...tools.tasks import task_info

    infos = {task_info(name).dataset: task_info(name) for name in datasets}
    prompts = {name: chat_prompt(Request(task=info.task)).messages for name, info in infos.items()}
    return [Description(name, system=first.text, user=second.text) for name, (first, second) in prompts.items()]


def _print_export(told: dict[str, Any]) -> None:
    splits = ", ".join(f"{name} {count:,}" for name, count in told["splits"].items())
    what = "pairs" if told["to"] == "jsonl" else "results"
    out.print(
        f"{escape(told['out'])}: {told['networks']:,} networks, {told['rows']:,} {what}"
        + (f"; networks by split: {splits}" if splits else ""),
        highlight=False,
        soft_wrap=True,
    )
    for reason, count in told["left_out"].items():
        out.print(f"left out, {reason}: {count:,}", markup=False, highlight=False, soft_wrap=True)
    for reason, count in told.get("dropped", {}).items():
        out.print(f"no chat pair, {reason}: {count:,}", markup=False, highlight=False, soft_wrap=True)
