"""``netwright predict``: what a network will probably reach, learned from the records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from ...memory.home import home_folder
from ...memory.records import Records
from ...memory.types import Protocol, Task
from .check import DEFAULT_BACKENDS, Backend, Dataset
from .console import JsonFlag, fail, guarded, out, print_json
from .live import activity

if TYPE_CHECKING:
    from ...tools.execution import Validator
    from ...tools.prediction.evaluation import Quality
    from ...tools.prediction.model import Predictor
    from ...tools.prediction.report import PredictorReport

FOLDER = "prediction"


class _OrFile(TyperGroup):
    """``netwright predict net.py`` is ``netwright predict file net.py``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["file", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_OrFile, no_args_is_help=True, help="What a network will probably reach, learned from what is on record."
)

ProtocolOption = Annotated[
    str | None, typer.Option("--protocol", help="Name of the training protocol; default: the data set's own.")
]
CampaignOption = Annotated[
    str | None,
    typer.Option("--campaign", help="Data set and protocol of this campaign, in place of the other options."),
]
JudgedOption = Annotated[
    str | None,
    typer.Option("--campaign", help="Data set and protocol of this campaign; judge cycle by cycle too."),
]
ShownOption = Annotated[
    str | None, typer.Option("--campaign", help="What this campaign predicted, and what came of it.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of the folds and the trees.")]


@app.command(
    epilog="Examples:  netwright predict train  |  netwright predict train --campaign night-1 --to ./predictor"
    "  |  netwright predict train --dataset fashion-mnist --protocol lemur-quick --json"
)
@guarded
def train(
    dataset: Dataset = "digits",
    protocol: ProtocolOption = None,
    campaign: JudgedOption = None,
    seed: SeedOption = 0,
    to: Annotated[Path | None, typer.Option("--to", help="Folder for numbers and calibration plots.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Learn from all complete trials of a protocol, hold some out, and write down how good the predictions are."""
    from ...tools.prediction.examples import known_examples
    from ...tools.prediction.report import predictor_report, write_predictor

    with Records() as records, activity("reading the records", hidden=as_json) as tell:
        task, chosen = _about(records, dataset, protocol, campaign, as_json)
        examples = known_examples(records, task, chosen)
        cycles = _cycles(records, campaign)
        tell(f"learning from {len(examples)} networks, holding some out")
        report = predictor_report(examples, task, chosen, seed=seed, cycles=cycles)
        files = write_predictor(report, to or home_folder(FOLDER, f"{task.id}-{chosen.hash}"))
    if as_json:
        print_json({**_document(report), "files": files._asdict()})
        return
    out.print(_table(report))
    out.print(escape(f"page: {files.html}\n  plot: {files.png}\n  data: {files.json}"), soft_wrap=True)


@app.command(epilog="Examples:  netwright predict show  |  netwright predict show --campaign night-1 --json")
@guarded
def show(campaign: ShownOption = None, as_json: JsonFlag = False) -> None:
    """Show how good predictors were when they were trained, or what a campaign predicted and what came of it."""
    from ...tools.prediction.report import read_predictor

    if campaign is not None:
        _show_campaign(campaign, as_json)
        return
    found = [read_predictor(folder) for folder in sorted(home_folder(FOLDER).iterdir()) if folder.is_dir()]
    reports = [one for one in found if one is not None]
    if as_json:
        print_json([_document(one) for one in reports])
        return
    for one in reports:
        out.print(_table(one))
    if not reports:
        out.print("no predictor yet: netwright predict train")


@app.command(
    "file",
    epilog="Examples:  netwright predict net.py  |  netwright predict file *.py --dataset fashion-mnist --json",
)
@guarded
def file(
    files: Annotated[list[Path], typer.Argument(help="Python files, one network each.")],
    dataset: Dataset = "digits",
    protocol: ProtocolOption = None,
    campaign: CampaignOption = None,
    seed: SeedOption = 0,
    backend: Backend = None,
    as_json: JsonFlag = False,
) -> None:
    """Predict what networks will reach, best first; each is validated in the sandbox and not trained."""
    with Records() as records:
        task, chosen = _about(records, dataset, protocol, campaign, as_json)
        rows = _predicted(files, records, task, chosen, seed, backend or list(DEFAULT_BACKENDS), as_json)
    if as_json:
        print_json(rows)
    else:
        table = Table("file", f"predicted {task.metric}", "interval", "on record", "verdict")
        for row in rows:
            low, high = row["low"], row["high"]
            table.add_row(
                escape(row["file"]),
                _percent(row["metric"]),
                "–" if low is None else f"{_percent(low)} to {_percent(high)}",
                _percent(row["reached"]),
                escape(row["verdict"]),
            )
        out.print(table)
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


def _predicted(
    files: list[Path], records: Records, task: Task, chosen: Protocol, seed: int, backends: list[str], hidden: bool
) -> list[dict[str, Any]]:
    """A row for each file, the best first."""
    from ...sandbox import open_sandbox
    from ...tools.execution import Validator, validation_image
    from ...tools.prediction.examples import known_examples
    from ...tools.prediction.model import Predictor

    with activity("reading the records", hidden=hidden) as tell:
        known = known_examples(records, task, chosen)
        tell(f"learning from {len(known)} networks")
        predictor = Predictor(known, seed)
        tell("starting the sandbox")
        with open_sandbox(backends, validation_image(), workers=1) as box:
            validator = Validator(box)
            rows = []
            for path in files:
                tell(f"validating {path.name}")
                rows.append(_row(path, records, validator, predictor, task, chosen))
    return sorted(rows, key=lambda row: -(row["metric"] if row["metric"] is not None else -1.0))


def _row(
    path: Path, records: Records, validator: Validator, predictor: Predictor, task: Task, chosen: Protocol
) -> dict[str, Any]:
    from ...tools.execution import SourceRefused, read_source
    from ...tools.prediction.examples import example_of
    from ...tools.result_cache import find_result
    from ...tools.training import seen_task

    told: dict[str, Any] = {"metric": None, "low": None, "high": None, "reached": None}
    try:
        source = read_source(path)
    except SourceRefused as refused:
        return {"file": str(path), "ok": False, "verdict": refused.verdict.reason, **told}
    verdict = validator.validate(source, seen_task(task, chosen))
    if verdict.ok:
        stored = find_result(records, source, task, chosen)
        found = predictor.predict([example_of(records, source, verdict, task, chosen)])[0]
        told = {**found._asdict(), "reached": None if stored is None else stored.metric}
    return {"file": str(path), "ok": verdict.ok, "verdict": verdict.reason, **told}


def _about(
    records: Records, dataset: str, protocol: str | None, campaign: str | None, as_json: bool
) -> tuple[Task, Protocol]:
    """Task and protocol: those of a campaign, or by name."""
    from ...tools.protocols import default_protocol
    from ...tools.protocols import protocol as named
    from ...tools.tasks import task_info

    if campaign is None:
        task = task_info(dataset).task
        return task, named(protocol) if protocol else default_protocol(dataset)
    if protocol is not None:
        fail("--protocol and --campaign: a campaign has its own protocol; leave one of them out", as_json=as_json)
    stored = records.get_campaign(campaign)
    task_of, chosen = records.get_task(stored.task_id), records.get_protocol(stored.protocol_hash)
    if task_of is None or chosen is None:
        fail(f"the task or protocol of campaign {campaign} is missing from the records", as_json=as_json)
    return task_of, chosen


def _cycles(records: Records, campaign: str | None) -> dict[str, int] | None:
    """The first cycle that decided on each network of a campaign."""
    if campaign is None:
        return None
    found: dict[str, int] = {}
    for one in records.admissions(campaign):
        found.setdefault(one.candidate_id, one.cycle)
    return found


def _show_campaign(campaign: str, as_json: bool) -> None:
    """Each prediction of a campaign beside the trial that followed."""
    with Records() as records:
        stored = records.get_campaign(campaign)
        predictions = records.predictions(campaign)
        ids = [one.candidate_id for one in predictions]
        trials = records.get_trials(ids, stored.task_id, stored.protocol_hash)
    rows = [
        {
            **one.model_dump(),
            "reached": trials[one.candidate_id].metric if one.kept and one.candidate_id in trials else None,
        }
        for one in predictions
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("cycle", "place", "network", "predicted", "interval", "trained", "reached")
    for row in rows:
        interval = f"{_percent(row['low'])} to {_percent(row['high'])}"
        table.add_row(
            str(row["cycle"]),
            f"{row['place']} of {row['among']}",
            row["candidate_id"][:12],
            _percent(row["metric"]),
            interval,
            "yes" if row["kept"] else "no",
            _percent(row["reached"]),
        )
    why = f"campaign {campaign} predicted nothing: prediction.enabled is off, or too little was known"
    out.print(table if rows else escape(why))


def _document(report: PredictorReport) -> dict[str, Any]:
    """The report without its single points, which are in the file."""
    return report.model_dump(mode="json", exclude={"held_out": {"points"}, "forward": {"points"}})


def _table(report: PredictorReport) -> Table:
    """A row for each way of holding networks out."""
    title = f"{report.task}, {report.protocol} ({report.protocol_hash}): {report.learned_from} networks"
    table = Table(
        "held out by", "networks", "Spearman", "error", "of mean", "in interval", "width", title=escape(title)
    )
    parts: list[tuple[str, Quality]] = [("family", report.held_out)]
    if report.forward is not None:
        parts.append(("cycle", report.forward))
    for how, quality in parts:
        rank = quality.spearman
        interval = f"\n{rank.low:.2f} to {rank.high:.2f}" if rank.low is not None and rank.high is not None else ""
        table.add_row(
            how,
            str(quality.n),
            "–" if rank.value is None else f"{rank.value:.2f}{interval}",
            f"{quality.error:.3f}",
            f"{quality.baseline:.3f}",
            f"{_percent(quality.covered)} of {100 * quality.confidence:.0f} %",
            f"{quality.width:.2f}",
        )
    return table


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
