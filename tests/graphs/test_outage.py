"""A campaign whose model's server goes away and comes back ends as an undisturbed one, each network written once."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from langgraph.runtime import RunControl
from netwright.graphs.asked import register_campaign
from netwright.graphs.config import Config, load_config
from netwright.graphs.journal import happenings
from netwright.graphs.notifying import SECRET, SIGNATURE, tell_webhook
from netwright.graphs.runner import CampaignGaveUp, CampaignResult, run_campaign
from netwright.graphs.service_settings import NotifySettings
from netwright.memory.records import Records


class Server(ThreadingHTTPServer):
    daemon_threads = True


class ModelServer(BaseHTTPRequestHandler):
    """OpenAI's chat completions: answers come in turn, after as many refusals as it is told."""

    answers: ClassVar[list[str]] = []
    refusals: ClassVar[list[int]] = []
    asked: ClassVar[list[str]] = []
    lock: ClassVar = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest() + str(body.get("seed"))
        with self.lock:
            status = self.refusals.pop(0) if self.refusals else 200
            if status == 200:
                self.asked.append(prompt)
        if status != 200:
            self.reply(status, {"error": {"message": "come back later"}}, {"Retry-After": "0"})
            return
        text = self.answers[int(prompt[:8], 16) % len(self.answers)]
        message = {"role": "assistant", "content": f"```python\n{text}```"}
        usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        told = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "usage": usage}
        self.reply(200, told | {"choices": [choice]}, {})

    def reply(self, status: int, body: Any, headers: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""


class Hook(BaseHTTPRequestHandler):
    """A webhook that keeps what it gets; ``broken`` times it answers 500 first."""

    got: ClassVar[list[tuple[bytes, str | None]]] = []
    broken: ClassVar[int] = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if type(self).broken:
            type(self).broken -= 1
            self.send_response(500)
        else:
            self.got.append((body, self.headers[SIGNATURE]))
            self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""


def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def hook() -> Iterator[str]:
    yield from serving(Hook)


@pytest.fixture(scope="module")
def model_server(script: Path) -> Iterator[str]:
    written = yaml.safe_load(script.read_text())["answers"]
    ModelServer.answers = [a for a in written if a.startswith("import")][:12]
    yield from serving(ModelServer)


def settings(url: str, *more: str) -> Config:
    fields = ["model.name=m", f"model.base_url={url}/v1", "model.parallel=1", "campaign.candidates=3"]
    fields += ["budget.cycles=1", "campaign.repair_tries=0", "sandbox.workers=1", "protocol.train_limit=100"]
    fields += ["supervision.enabled=true", "supervision.first_s=0.1", "supervision.most_s=0.2", *more]
    return load_config(overrides=fields)


@pytest.fixture(scope="module")
def outage(graph_home: Path, model_server: str, hook: str) -> tuple[CampaignResult, list[tuple[str, str]]]:
    """One cycle through a server that refuses with 503 and 429 more often than the client itself tries again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(graph_home))
        patch.setenv(SECRET, "s3cret")
        ModelServer.refusals[:] = [503, 503, 429]
        Hook.got.clear()
        with Records() as records:
            config = settings(model_server, f"notify.webhook={hook}")
            register_campaign(config, "outage", records)
            result = run_campaign("outage", records, config)
            answers = [(g.prompt, g.answer or "") for g in records.generations("outage", 1)]
    return result, answers


def test_it_ends_as_if_nothing_had_been(outage):
    result, answers = outage
    assert result.campaign.state == "complete"
    assert result.campaign.stop_reason == "budget: 1 cycles"
    assert result.campaign.candidates == len(answers) == 3
    assert result.campaign.tokens == 3 * 30, "what was refused costs nothing, what was answered counts once"


def test_journal_and_morning_report_tell_of_the_wait(outage, graph_home):
    result, _ = outage
    found = happenings(graph_home / "campaigns" / "outage")
    assert [one.what for one in found] == ["begun", "waiting", "recovered", "ended"]
    told = result.morning_md.read_text()
    assert "waited" in told
    assert "come back later" in told
    assert "netwright campaign resume outage --set budget.cycles=2" in told
    page = result.morning_html.read_text()
    assert "<script" not in page
    for link in [line.split('"')[1] for line in page.split("<td>") if line.startswith('<a href="networks/')]:
        assert (result.morning_html.parent / link).is_file()
    log = (graph_home / "campaigns" / "outage" / "campaign.log").read_text()
    assert "waiting (model) until" in log
    assert "went on after" in log


def test_webhook_is_told_and_signed(outage):
    news = [json.loads(body) for body, _ in Hook.got]
    assert [one["event"] for one in news] == ["waiting", "end"]
    assert news[0]["trouble"] == "model"
    assert news[1]["state"] == "complete"
    assert news[1]["campaign"] == "outage"
    for body, signed in Hook.got:
        assert signed == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        assert b"s3cret" not in body


def test_a_webhook_that_stumbles_is_asked_again_and_one_that_is_dead_hurts_nobody(hook, monkeypatch):
    Hook.got.clear()
    Hook.broken = 1
    assert tell_webhook(NotifySettings(webhook=hook, tries=2), "end", {"campaign": "x"})
    assert Hook.got[0][1] is None, "without a secret nothing is signed"
    assert not tell_webhook(NotifySettings(webhook="http://127.0.0.1:9", tries=1), "end", {})
    assert not tell_webhook(NotifySettings(), "end", {})
    monkeypatch.setenv("MY_HOOK", hook)
    assert tell_webhook(NotifySettings(webhook_env="MY_HOOK"), "end", {"campaign": "y"})


@pytest.mark.slow
def test_a_server_that_stays_away_ends_it_as_failed_with_advice(model_server, netwright_home):
    config = settings("http://127.0.0.1:9", "supervision.give_up_s=0")
    with Records() as records:
        register_campaign(config, "away", records)
        with pytest.raises(CampaignGaveUp, match="check its address"):
            run_campaign("away", records, config)
        stored = records.get_campaign("away")
    assert stored.state == "failed"
    assert "gave up after" in (stored.stop_reason or "")
    assert "Go on when the cause is removed" in (netwright_home / "campaigns" / "away" / "morning.md").read_text()


@pytest.mark.slow
def test_a_stop_during_a_wait_stops_at_once(netwright_home):
    config = settings("http://127.0.0.1:9", "supervision.first_s=300", "supervision.most_s=300")
    control = RunControl()
    with Records() as records:
        register_campaign(config, "waiter", records)

        def stop_when_it_waits() -> None:
            while records.get_campaign("waiter").state != "waiting":
                threading.Event().wait(0.05)
            control.request_drain("terminated")

        thread = threading.Thread(target=stop_when_it_waits)
        thread.start()
        result = run_campaign("waiter", records, config, control=control)
        thread.join()
    assert result.campaign.state == "stopped"
    assert result.campaign.stop_reason == "terminated"


def test_a_night_that_ends_in_a_wait_ends_by_its_budget(netwright_home):
    config = settings("http://127.0.0.1:9", "supervision.disk_floor_mb=1e12", "budget.wall_s=0.3")
    with Records() as records:
        register_campaign(config, "short-night", records)
        result = run_campaign("short-night", records, config)
    assert result.campaign.state == "complete"
    assert "seconds of wall time, the last of them waiting" in (result.campaign.stop_reason or "")
