"""How commands end: expected errors in one line, faults of the program with their traceback."""

from __future__ import annotations

import json
import signal
import sqlite3

import pytest
import typer
from netwright.interfaces.cli.console import explain, going_on, graceful_stop, guarded, print_remedies
from netwright.memory.records import Records, RecordsError
from netwright.tools.protocols import protocol
from netwright.tools.training import evaluation_image


def ended(command, **options) -> int:
    with pytest.raises(typer.Exit) as stop:
        guarded(command)(**options)
    return stop.value.exit_code


def raiser(error: BaseException):
    def command(as_json: bool = False) -> None:
        raise error

    return command


def test_own_errors_end_with_code_two_and_their_message(capsys):
    assert ended(raiser(RecordsError("no such [thing]"))) == 2
    assert capsys.readouterr().err == "error: no such [thing]\n"


def test_json_says_it_on_standard_output(capsys):
    assert ended(raiser(RecordsError("no")), as_json=True) == 2
    assert json.loads(capsys.readouterr().out) == {"ok": False, "error": "no"}


def test_interrupt_is_code_130_and_one_line(capsys):
    assert ended(raiser(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ValueError("of a library"), RuntimeError("x")])
def test_faults_of_the_program_keep_their_traceback(error):
    with pytest.raises(type(error)):
        guarded(raiser(error))()


def test_a_command_ends_as_it_wants():
    assert ended(raiser(typer.Exit(1))) == 1


def test_values_that_netwright_refuses_are_explained():
    with pytest.raises(ValueError, match="unknown protocol") as caught:
        protocol("none")
    assert "digits-1ep" in (explain(caught.value) or "")


def test_unknown_data_set_is_explained():
    with pytest.raises(ValueError, match="unknown data set") as caught:
        evaluation_image(["imagenet"])
    assert "cifar10" in (explain(caught.value) or "")


def test_records_that_are_no_database_are_explained(tmp_path):
    (tmp_path / "records.db").write_bytes(b"this is no database, for sure" * 9)
    with pytest.raises(Exception, match="not a database") as caught:
        Records(f"sqlite:///{tmp_path / 'records.db'}")
    message = explain(caught.value) or ""
    assert "file is not a database" in message
    assert "NETWRIGHT_HOME" in message
    assert "SQL" not in message


def test_checkpoints_that_are_locked_are_explained():
    assert "database is locked" in (explain(sqlite3.OperationalError("database is locked")) or "")
    assert explain(sqlite3.ProgrammingError("wrong number of bindings")) is None


def test_files_are_named_and_other_system_errors_are_faults():
    assert "/x/y" in (explain(PermissionError(13, "Permission denied", "/x/y")) or "")
    assert "No space left" in (explain(OSError(28, "No space left on device")) or "")
    assert explain(ChildProcessError(10, "No child processes")) is None


def test_the_command_that_goes_on_is_told(capsys):
    def command(as_json: bool = False) -> None:
        with going_on("netwright campaign resume night-1"):
            error = RecordsError("gone")
            error.add_note("During task with name 'train'")
            raise error

    assert ended(command, as_json=True) == 2
    assert json.loads(capsys.readouterr().out)["next"] == "netwright campaign resume night-1"
    assert ended(command) == 2
    assert capsys.readouterr().err.splitlines()[1] == "go on with: netwright campaign resume night-1"


def test_remedies_that_are_equal_share_a_line(capsys):
    long = "pip install 'netwright[smollm2]' and " + "so on " * 30
    print_remedies([("one", long), ("two", "other"), ("three", long), ("four", None)])
    assert capsys.readouterr().out.splitlines() == [f"one, three: {long}", "two: other"]


def test_second_interrupt_ends_at_once():
    asked: list[str] = []

    def twice() -> None:
        with graceful_stop(asked.append):
            signal.raise_signal(signal.SIGTERM)
            assert asked == ["terminated"]
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert asked == ["terminated"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
