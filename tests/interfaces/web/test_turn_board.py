"""Turns run beside the page: one per thread, few at once, stopped when asked, and their replies stay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from netwright.graphs.config import Config, load_config
from netwright.interfaces.web.settings import App
from netwright.interfaces.web.turn_board import BoardFull, TurnBoard
from netwright.memory.records import Records
from netwright.tools.generators.corpus import build_corpus
from netwright.tools.tasks import task


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    programs = [p.source for p in build_corpus(987_654, 40) if p.header.in_shape == (1, 8, 8) and p.params < 60_000]
    path = tmp_path_factory.mktemp("script") / "answers.yaml"
    path.write_text(yaml.safe_dump({"order": "seed", "answers": programs}))
    settings = ["model.name=scripted", f"model.path={path}", "chat.candidates=2", "chat.approve_training=true"]
    return load_config(overrides=settings)


@pytest.fixture(scope="module")
def app(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(tmp_path_factory.mktemp("board-home")))
        with Records() as records, closing(App.open(config, records)) as app:
            yield app


@pytest.fixture(autouse=True)
def netwright_home(app: App, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory that the module shares."""
    home = Path(str(app.records._engine.url.database)).parent
    monkeypatch.setenv("NETWRIGHT_HOME", str(home))
    return home


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.05)


def test_a_turn_runs_beside_and_its_reply_stays(app: App) -> None:
    board = app.board
    thread = board.say(None, "a small network")
    until(lambda: board.turn(thread) is None)
    assert [message.role for message in board.history(thread)] == ["person", "netwright"]
    board.say(thread, "for digits")
    with pytest.raises(BoardFull, match="still being worked on"):
        board.say(thread, "and more")
    until(lambda: board.turn(thread) is None)
    reply = board.history(thread)[-1].reply
    assert reply is not None
    assert (reply.kind, len(reply.shown)) == ("approval", 2)
    board.decide(thread, False)
    until(lambda: board.turn(thread) is None)
    last = board.history(thread)[-1].reply
    assert last is not None
    assert last.kind == "answer"
    assert thread in [key for _, key in board.threads()]


def test_what_cannot_begin_is_told(app: App) -> None:
    thread = app.board.say("no/good", "hello")
    until(lambda: (turn := app.board.turn(thread)) is not None and turn.ended)
    turn = app.board.turn(thread)
    assert turn is not None
    assert "letters, digits" in (turn.error or "")
    assert app.board.history(thread) == ()
    assert app.board.history("../../etc") == ()


def test_a_board_that_closes_stops_its_turns(config: Config, app: App) -> None:
    board = TurnBoard(config, app.records)
    threads = [board.say(None, f"{n} small networks for digits") for n in (1, 2, 3)]
    board.close()
    for thread in threads:
        assert all(message.role == "person" or message.reply for message in board.history(thread))


def test_an_upload_runs_in_the_sandbox(app: App, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    source = f"open({str(trace)!r}, 'w').write('x')\nimport torch.nn as nn\nclass Net(nn.Module): pass\n"
    verdict = app.validate(source, task("digits"))
    assert not verdict.ok
    assert not trace.exists()
