"""One server for all tests of this folder, with the real tools and a scripted language model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fastapi import FastAPI
from netwright.interfaces.http.app import create_app
from netwright.interfaces.http.backend import Backend
from netwright.interfaces.http.server import listen, make_server, serve
from netwright.interfaces.jobs.board import JobBoard
from netwright.interfaces.toolbox import registry
from netwright.interfaces.toolbox.shared import Shared
from netwright.tools.generators.corpus import build_corpus
from starlette.testclient import TestClient

TOKEN = "a-token-of-the-tests-0123456789"


@pytest.fixture(scope="session")
def token() -> str:
    return TOKEN


@pytest.fixture(scope="session")
def http_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http-home")


@pytest.fixture(autouse=True)
def netwright_home(http_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One data directory for this folder, because the server is shared."""
    monkeypatch.setenv("NETWRIGHT_HOME", str(http_home))
    return http_home


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A scripted model, few candidates, and a question before any training."""
    programs = [p.source for p in build_corpus(987_654, 20) if p.header.in_shape == (1, 8, 8) and p.params < 60_000]
    path = tmp_path_factory.mktemp("script") / "answers.yaml"
    path.write_text(yaml.safe_dump({"order": "seed", "answers": programs[:3]}))
    model = ["model.name=scripted", f"model.path={path}", "sandbox.workers=1"]
    return [*model, "chat.candidates=2", "chat.approve_training=true", "http.body_mb=0.25", "http.body_s=1"]


@pytest.fixture(scope="session")
def backend(http_home: Path, settings: list[str]) -> Iterator[Backend]:
    """The real tools; jobs are taken and wait, because nothing starts them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(http_home))
        with Shared(settings) as shared, JobBoard(http_home, settings=settings, dispatch=False) as board:
            opened = Backend(shared.config, registry(), shared, shared.records, board)
            yield opened
            opened.close()


@pytest.fixture(scope="session")
def app(backend: Backend) -> FastAPI:
    return create_app(backend, token=TOKEN)


@pytest.fixture(scope="session")
def bare(app: FastAPI) -> TestClient:
    """A client without a token."""
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


@pytest.fixture(scope="session")
def client(app: FastAPI) -> TestClient:
    """A client with the token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return TestClient(app, base_url="http://localhost", headers=headers, follow_redirects=False)


@pytest.fixture(scope="session")
def operations(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every operation, with ids that nothing has."""
    ids = {"{job_id}": f"job-{0:016x}-{0:08x}", "{candidate_id}": "0" * 64, "{campaign_id}": "none", "{model}": "none"}
    found = []
    for path, methods in app.openapi()["paths"].items():
        for name, value in ids.items():
            path = path.replace(name, value)
        found += [(method.upper(), path) for method in methods]
    return found


@pytest.fixture(scope="session")
def live(app: FastAPI) -> Iterator[str]:
    """The same application, served by uvicorn on loopback: its URL."""
    server, ready = make_server(app), threading.Event()
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=serve, args=(server, listening, ready.set))
        thread.start()
        try:
            assert ready.wait(60)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()
