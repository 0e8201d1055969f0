"""``netwright``: the command line."""

from __future__ import annotations

import warnings
from typing import Annotated

import typer

from ... import __version__
from . import (
    blocks,
    campaign,
    check,
    corpus,
    dedup,
    design,
    doctor,
    evaluate,
    known,
    mcp,
    model,
    predicting,
    publishing,
    reinforcing,
    serve,
    serving,
    talk,
    tools,
    watch,
    web,
)
from .console import fail

app = typer.Typer(
    name="netwright",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help="Language-model agents design neural networks, judge them by running them, and learn from what worked.",
)
app.add_typer(blocks.app, name="blocks")
campaign.app.command("watch", epilog="Examples:  netwright campaign watch  |  netwright campaign watch night-1 --json")(
    watch.watch
)
campaign.app.command(
    "costs",
    epilog="Examples:  netwright campaign costs  |  netwright campaign costs night-1 --json"
    "  |  netwright campaign costs --set 'accounting.prices={nano: {prompt: 0.1, completion: 0.4}}'",
)(watch.costs)
app.add_typer(campaign.app, name="campaign")
app.add_typer(corpus.app, name="import")
model.app.command("grpo", epilog="Example:  netwright model grpo --out ./reinforced --set grpo.train_limit=320")(
    reinforcing.grpo
)
app.add_typer(model.app, name="model")
app.add_typer(predicting.app, name="predict")
app.command(
    "design",
    epilog='Examples:  netwright design "a CIFAR-10 classifier under 200k parameters" --out net.py'
    '  |  netwright design "a residual network for digits" --train --seed 3',
)(design.design)
app.command(
    "chat",
    epilog='Examples:  netwright chat  |  netwright chat --new --say "a digits classifier under 20k parameters"'
    "  |  netwright chat --say smaller --yes  |  netwright chat --list --json",
)(talk.chat)
app.command(
    "validate",
    epilog="Examples:  netwright validate net.py --dataset cifar10 --max-params 200000"
    "  |  netwright validate *.py --json",
)(check.validate)
app.command(
    "evaluate",
    epilog="Examples:  netwright evaluate net.py"
    "  |  netwright evaluate net.py --dataset fashion-mnist --epochs 2 --download"
    "  |  netwright evaluate net.py --search 20",
)(evaluate.evaluate)
app.command(
    "dedup",
    epilog="Examples:  netwright dedup networks/ --out found.jsonl  |  netwright dedup --records --json"
    "  |  netwright dedup networks/ --no-structural --splits splits.json --seed 1",
)(dedup.dedup)
app.command(
    "export",
    epilog="Examples:  netwright export --to parquet --out records.parquet"
    "  |  netwright export --to jsonl --campaign night-1 --dedup  |  netwright export --to hf --out ./networks",
)(publishing.export)
app.command(
    "stats",
    epilog="Examples:  netwright stats  |  netwright stats --dataset cifar10 --epoch 1 --out ./figures"
    "  |  netwright stats --nn-prefix alt- --json",
)(publishing.stats)
app.command(
    "serve",
    epilog="Examples:  netwright serve  |  netwright serve --port 9000 --token-file ./token --json"
    "  |  netwright serve --host 0.0.0.0 --allow-remote --allowed-host netwright.example",
)(serve.serve)
app.command(
    "serve-model",
    epilog="Examples:  netwright serve-model --prepare  |  netwright serve-model --model nano --detach"
    "  |  netwright serve-model --status --json  |  netwright serve-model --stop",
)(serving.serve_model)
app.add_typer(tools.app, name="tools")
app.command("mcp", epilog=mcp.EPILOG)(mcp.mcp)
app.command(
    "web",
    epilog="Examples:  netwright web  |  netwright web --port 8000 --set chat.approve_training=true"
    "  |  netwright web --host 0.0.0.0 --allow-remote",
)(web.web)
app.command("datasets", epilog="Examples:  netwright datasets  |  netwright datasets --json")(known.datasets)
app.command("protocols", epilog="Examples:  netwright protocols  |  netwright protocols --json")(known.protocols)
app.command("doctor", epilog="Examples:  netwright doctor  |  netwright doctor --json")(doctor.doctor)


def start_log(target: str, level: str) -> None:
    """Open the JSON log, or end the command and say why that cannot be."""
    from ...tools.logs import open_log

    try:
        open_log(target, level)
    except (ValueError, OSError) as error:
        fail(f"--log-json {target}: {error}")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"netwright {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    log_json: Annotated[
        str | None,
        typer.Option("--log-json", metavar="FILE", help="Log as JSON lines to this file; - is standard error."),
    ] = None,
    log_level: Annotated[
        str, typer.Option("--log-level", help="Of --log-json: debug, info, warning or error.")
    ] = "info",
) -> None:
    """Global options."""
    if log_json is not None:
        start_log(log_json, log_level)
    # Third-party deprecations are for developers, who see them in the tests.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
