"""``netwright chat``: one turn, several from standard input, lists, commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from netwright.interfaces.cli.main import app
from netwright.interfaces.cli.talk_view import TurnView, harmless
from netwright.tools.generators.corpus import build_corpus
from typer.testing import CliRunner, Result

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs for the digits from a model that reads no instructions."""
    small = [p.source for p in build_corpus(4_321, 40) if p.header.in_shape == (1, 8, 8) and p.params < 60_000]
    path = tmp_path_factory.mktemp("script") / "answers.yaml"
    path.write_text(yaml.safe_dump({"order": "seed", "style": "completion", "answers": small}))
    return path


def run(script: Path, *arguments: str, stdin: str | None = None) -> Result:
    usual = ["model.name=scripted", f"model.path={script}", "chat.candidates=2", "campaign.repair_tries=0"]
    options = [part for item in usual for part in ("--set", item)]
    return CliRunner().invoke(app, ["chat", *options, *arguments], input=stdin)


def test_one_turn_after_the_other(script: Path, tmp_path: Path) -> None:
    asked = run(script, "--json", "--say", "a network under 50k")
    assert asked.exit_code == 0, asked.output
    question = json.loads(asked.stdout)
    assert question["kind"] == "question"
    answer = json.loads(run(script, "--json", "--say", "digits", "--set", "chat.train=false").stdout)
    assert answer["thread"] == question["thread"], "the newest conversation goes on"
    assert answer["kind"] == "answer"
    assert answer["shown"]
    refused = run(script, "--json", "--say", "under 3 parameters")
    assert (refused.exit_code, json.loads(refused.stdout)["ok"]) == (1, False)

    saved = tmp_path / "net.py"
    lines = f"/code 1\n/save 1 {saved}\n/save 1\n/code 99\n/history\n/threads\n/nonsense\nlist\n/quit\nsmaller\n"
    typed = run(script, stdin=lines)
    assert typed.exit_code == 0, typed.output
    assert saved.read_text() == answer["shown"][0]["source"]
    said = ANSI.sub("", typed.output)
    for told in ("class Net", "written to", "no network 99", "needs the name of a file", "no command /nonsense"):
        assert told in said
    assert "a network under 50k" in said
    listed = json.loads(run(script, "--list", "--json").stdout)
    assert [one["thread"] for one in listed] == [question["thread"]], "/quit left before the last line"
    new = json.loads(run(script, "--new", "--json", "--say", "hello").stdout)
    assert new["thread"] != question["thread"]


def test_several_messages_are_said_in_order(script: Path) -> None:
    done = run(script, "--new", "--say", "a network under 50k", "--say", "digits", "--say", "list")
    assert done.exit_code == 0, done.output
    assert done.output.index("For which data set") < done.output.index("Understood: ")
    refused = run(script, "--json", "--say", "under 3 parameters", "--say", "smaller")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["kind"] == "refusal", "nothing is said after it"


def test_yes_approves(script: Path) -> None:
    told = run(script, "--yes", "--set", "chat.approve_training=true", "--say", "digits, 1 candidate", "-t", "mine")
    assert told.exit_code == 0, told.output
    assert "accuracy" in told.output
    assert "Understood" in told.output


def test_what_cannot_be_opened(script: Path) -> None:
    assert run(script, "--new", "--thread", "x").exit_code == 2
    bad = run(script, "--thread", "../x", "--say", "hello")
    assert bad.exit_code == 2
    assert "id of a thread" in bad.output
    assert json.loads(run(script, "--list", "--json").stdout) == []
    assert "no conversation yet" in run(script, "--list").output
    missing = run(script, "--say", "digits", "--json", "--set", "model.path=/nowhere.yaml", "-t", "y")
    assert missing.exit_code == 1
    assert "no script at" in json.loads(missing.stdout)["text"]


def test_characters_that_a_terminal_obeys_are_left_out() -> None:
    assert harmless("a\x1b]0;title\x07\tb\n\u202ec\x00") == "a]0;title\tb\nc"


def test_live_steps() -> None:
    from netwright.graphs.services import Event

    with TurnView(hidden=True) as view:
        view(Event("begin", 1, "train", 3))
        view(Event("done", 1, "train"))
        assert view.stage == "train"
        view(Event("begin", 1, "anything new"))
        assert view.stage == "anything new"
