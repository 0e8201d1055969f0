"""``netwright tools`` and ``netwright mcp`` from the terminal."""

from __future__ import annotations

import json

from click.testing import Result
from netwright.interfaces.cli.main import app
from typer.testing import CliRunner


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_tools_are_listed() -> None:
    shown = call("tools")
    assert shown.exit_code == 0
    assert "validate" in shown.stdout
    listed = json.loads(call("tools", "list", "--json").stdout)
    assert listed == json.loads(call("tools", "--json").stdout)
    evaluate = next(one for one in listed if one["name"] == "evaluate")
    assert evaluate["kind"] == "job"
    assert "source" in evaluate["arguments"]["properties"]


def test_a_tool_is_called() -> None:
    made = call("tools", "call", "generate", "--arguments", '{"max_params": 20000}', "--json")
    assert made.exit_code == 0
    assert json.loads(made.stdout)["networks"][0]["params"] <= 20_000


def test_a_long_tool_runs_as_a_job() -> None:
    failed = call("tools", "call", "deduplicate", "--arguments", '{"all_records": true}', "--json")
    assert failed.exit_code == 1
    assert "no network on record yet" in json.loads(failed.stdout)["error"]


def test_what_is_wrong_is_said() -> None:
    for arguments, told, code in (
        (("nothing",), "no tool is called", 1),
        (("validate", "-a", "{"), "is no JSON", 2),
        (("validate", "-a", "[]"), "must be a JSON object", 2),
        (("validate", "-a", "{}"), "either source or candidate_id", 1),
        (("evaluate", "-a", "{}"), "either source or candidate_id", 1),
    ):
        result = call("tools", "call", *arguments, "--json")
        assert result.exit_code == code, arguments
        assert told in json.loads(result.stdout)["error"]


def test_mcp_refuses_what_it_cannot_serve() -> None:
    remote = call("mcp", "--http", "--host", "0.0.0.0")
    assert remote.exit_code == 2
    assert "own address" in remote.output
    aimless = call("mcp", "--token-file", "token")
    assert aimless.exit_code == 2
    assert "--token-file is for --http" in aimless.output
    assert call("mcp", "--set", "campaign.sead=1").exit_code == 2


def test_help_has_examples() -> None:
    for command in (("mcp",), ("tools", "call"), ("tools", "list")):
        shown = call(*command, "--help")
        assert shown.exit_code == 0
        assert "Example" in shown.output
    assert "mcpServers" in call("mcp", "--help").output
