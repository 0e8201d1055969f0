"""``netwright model grpo``: reinforcement learning of a local model on masked skeletons, outside of a campaign."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ...memory.records import Records
from .choosing import ConfigOption, SetOption
from .console import JsonFlag, err, going_on, guarded, out, print_json

if TYPE_CHECKING:
    from ...tools.grpo_config import GrpoReport, GrpoStep


@guarded
def grpo(
    to: Annotated[Path, typer.Option("--out", "-o", help="Folder for the adapter; must not exist.")],
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a LoRA adapter by GRPO on masked skeletons of the model's own corpus (LEMUR 2, section 2.2.2).

    The data set, the model, the protocol and the seed are those of a campaign's settings; how it is trained are
    grpo.training's. Interrupted, it starts over, but what was scored is on record.
    """
    from ...graphs.config import load_config
    from ...graphs.opening import open_reinforcer

    settings = load_config(config, overrides or ())
    if to.exists():
        raise FileExistsError(f"{to} is there already: name a folder that is not")
    again = f"netwright model grpo --out {shlex.quote(str(to))}"
    again += f" --config {shlex.quote(str(config))}" if config else ""
    again += "".join(f" --set {shlex.quote(item)}" for item in overrides or ())
    part = to.with_name(f".{to.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with going_on(again), Records() as records, open_reinforcer(settings, records, progress=_show) as (agent, corpus):
        report = agent.train([], corpus, 0, part, settings.model.adapter)
        part.rename(to)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        out.print(_table(report))
        out.print(f"adapter: {to}", markup=False, soft_wrap=True)


def _show(step: GrpoStep) -> None:
    r = step.rewards
    err.print(
        f"step {step.step}: reward {r.reward:+.3f}, valid {r.valid:.0%}, groups that agree {step.equal_groups:.0%}, "
        f"{step.seconds:.0f} s",
        highlight=False,
    )


def _table(report: GrpoReport) -> Table:
    table = Table("", "first fifth of the steps", "last fifth")
    table.add_row("mean reward", f"{report.reward_first:+.3f}", f"{report.reward_last:+.3f}")
    table.add_row("valid", f"{report.valid_first:.0%}", f"{report.valid_last:.0%}")
    table.caption = f"{report.networks} networks scored, {report.distinct} distinct, {report.seconds:.0f} s"
    return table
