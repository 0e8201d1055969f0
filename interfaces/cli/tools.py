"""``netwright tools``: the tools that agents call, listed and called from the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from .choosing import SetOption
from .console import JsonFlag, err, fail, guarded, out, print_json
from .live import activity

if TYPE_CHECKING:
    from ..jobs.model import Job


class _OrList(TyperGroup):
    """``netwright tools`` is ``netwright tools list``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_OrList, help="The tools that agents call over MCP, HTTP and LangChain.")


@app.command("list", epilog="Examples:  netwright tools  |  netwright tools list --json")
@guarded
def listed(as_json: JsonFlag = False) -> None:
    """List the tools; with --json, their descriptions and the schemas of arguments and results."""
    from ..toolbox import registry

    tools = list(registry())
    if as_json:
        print_json(
            [
                {
                    "name": tool.name,
                    "title": tool.title,
                    "kind": tool.kind,
                    "writes": tool.writes,
                    "description": tool.description,
                    "arguments": tool.arguments.model_json_schema(),
                    "result": tool.result.model_json_schema(mode="serialization"),
                }
                for tool in tools
            ]
        )
        return
    table = Table("tool", "kind", "what it does", "arguments")
    for tool in tools:
        required = [name for name, field in tool.arguments.model_fields.items() if field.is_required()]
        others = [name for name in tool.arguments.model_fields if name not in required]
        told = ", ".join([*(f"[bold]{name}[/]" for name in required), *others])
        table.add_row(tool.name, tool.kind, escape(tool.description.partition("\n\n")[0]), told)
    out.print(table)
    out.print("call one: netwright tools call NAME --arguments '{…}'", markup=False, highlight=False)


@app.command(
    "call",
    epilog="""Examples:  netwright tools call list_datasets"""
    """  |  netwright tools call generate --arguments '{"count": 2, "max_params": 20000}'"""
    """  |  netwright tools call design --arguments '{"request": "a network for digits"}'""",
)
@guarded
def call(
    name: Annotated[str, typer.Argument(help="The tool's name.")],
    arguments: Annotated[str, typer.Option("--arguments", "-a", help="Its arguments as a JSON object.")] = "{}",
    overrides: SetOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Run one tool and print its result as JSON; a long one runs as a job, and Ctrl-C cancels it."""
    from ...memory.home import home
    from ...tools.registry import ToolError
    from ..jobs.board import JobBoard
    from ..toolbox import registry
    from ..toolbox.calls import CallPool
    from ..toolbox.shared import Shared

    try:
        given = json.loads(arguments)
    except json.JSONDecodeError as error:
        fail(f"--arguments is no JSON: {error}", as_json=as_json)
    if not isinstance(given, dict):
        fail("--arguments must be a JSON object", as_json=as_json)
    tools, settings = registry(), tuple(overrides or ())
    try:
        if tools[name].kind == "job":
            with JobBoard(home(), settings=settings) as board:
                result = _finished(name, given, board, hidden=as_json)
        else:
            with CallPool(tools, Shared(settings)) as pool, activity(name, hidden=as_json):
                result = pool.call(name, given)
    except ToolError as error:
        fail(str(error), as_json=as_json, code=1)
    print_json(result)


def _finished(name: str, given: dict[str, Any], board: Any, *, hidden: bool) -> dict[str, Any]:
    """Run a job to its end.

    Raises:
        ToolError: it did not complete.
    """
    from ...tools.registry import ToolError
    from ..jobs.tools import submit
    from ..toolbox import registry

    job: Job = submit(registry(), board, name, given)
    try:
        with activity(name, hidden=hidden) as tell:
            while not job.finished:
                job = board.wait(job.id, 0.3)
                tell(f"{name}: {job.progress.message if job.progress else job.state}")
    except KeyboardInterrupt:
        board.cancel(job.id)
        err.print(f"{job.id} is cancelled", markup=False)
        raise
    if job.state != "complete":
        raise ToolError(f"{name}: {job.error}")
    result: dict[str, Any] = board.result(job.id)
    return result
