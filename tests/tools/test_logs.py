"""Structured logs: one JSON object a line, with its place, without secrets."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from netwright.tools.logs import HIDDEN, close_log, log_context, open_log, redacted

LOG = logging.getLogger("netwright.test")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "deep" / "log.jsonl"
    handler = open_log(str(path), "debug")
    yield path
    close_log(handler)


def lines(path: Path) -> list[dict]:
    """The lines of this file's loggers: what else runs in the process may write lines of its own."""
    read = (json.loads(line) for line in path.read_text().splitlines())
    return [line for line in read if line["logger"] in (LOG.name, "other")]


def test_a_line_says_its_place(target: Path) -> None:
    with log_context(campaign="night-1"):
        LOG.info("cycle %d", 3, extra={"cycle": 3, "stage": "train"})
    LOG.debug("after")
    first, second = lines(target)
    assert (first["campaign"], first["cycle"], first["stage"]) == ("night-1", 3, "train")
    assert (first["level"], first["message"], first["logger"]) == ("info", "cycle 3", "netwright.test")
    assert "campaign" not in second


def test_a_line_stays_a_line_and_holds_the_traceback(target: Path) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        LOG.exception("it\nfailed")
    (line,) = lines(target)
    assert "ValueError: two" in line["error"]
    assert line["message"] == "it\nfailed"


def test_secrets_are_hidden(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "correct-horse-battery")
    monkeypatch.setenv("PLAIN", "staple-of-words")
    LOG.warning("key %s, plain %s", "correct-horse-battery", "staple-of-words")
    (line,) = lines(target)
    assert line["message"] == f"key {HIDDEN}, plain staple-of-words"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "key sk-abcdefghijklmnop",
        "https://user:hunter2222@host/path",
        "GET /?token=abcdefgh12345678&x=1",
    ],
)
def test_shapes_of_secrets_are_hidden(text: str) -> None:
    assert HIDDEN in redacted(text)
    assert not any(word in redacted(text) for word in ("abcdefgh", "hunter2222"))


def test_what_is_no_secret_stays() -> None:
    text = "campaign night-1 on http://localhost:8000/v1, 3 of 4 valid"
    assert redacted(text) == text


def test_other_packages_are_heard_from_warnings_on(target: Path) -> None:
    logging.getLogger("other").info("chatter")
    logging.getLogger("other").warning("trouble")
    assert [line["message"] for line in lines(target)] == ["trouble"]


def test_threads_write_whole_lines(target: Path) -> None:
    threads = [
        threading.Thread(target=lambda n=n: [LOG.info("x" * 500, extra={"slot": n}) for _ in range(50)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(target)) == 200


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="debug, info, warning, error"):
        open_log("-", "loud")
