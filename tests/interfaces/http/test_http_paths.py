"""A path outside the data directory is never read, whatever a client names and whatever lies there."""

from __future__ import annotations

import os
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from netwright.graphs.asked import register_campaign
from netwright.graphs.config import load_config
from netwright.interfaces.http.backend import Backend
from netwright.interfaces.http.files import TooLarge, read_inside
from starlette.testclient import TestClient

SECRET = "what lies outside"

NAMES = [
    "..",
    "../..",
    "../../outside",
    "..%2f..%2foutside",
    "%2e%2e/%2e%2e/outside",
    "%2e%2e%2f%2e%2e%2foutside",
    "..%252f..%252foutside",
    "%c0%ae%c0%ae/outside",
    "....//....//outside",
    "..\\..\\outside",
    "..%5c..%5coutside",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "file:%2f%2f%2fetc%2fpasswd",
    "night%00",
    "night%00/../../outside",
    "night%2f..%2f..%2foutside",
    "~root",
    ".",
    "%2e",
    "night;/../../outside",
    "night%0a",
    "%ff%fe",
    "x" * 5000,
]
PATHS = ["/campaigns/{}", "/campaigns/{}/report", "/candidates/{}", "/jobs/{}", "/jobs/{}/result", "/jobs/{}/events"]


@pytest.fixture(scope="module", autouse=True)
def outside(http_home: Path, backend: Backend) -> Path:
    """A campaign with a report, and secrets beside the data directory and within it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(http_home))
        for name in ("night", "linked", "folder", "pipe"):
            register_campaign(load_config(), name, backend.records)
    folder = http_home / "campaigns"
    for name in ("night", "linked", "folder", "pipe"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "night" / "report.html").write_text("<h1>good morning</h1>")
    (folder / "night" / "report.json").write_text('{"best": 1}')
    secret = http_home.parent / "outside"
    secret.mkdir()
    for name in ("report.html", "report.json", "job.json"):
        (secret / name).write_text(SECRET)
    (folder / "linked" / "report.html").symlink_to(secret / "report.html")
    (folder / "folder").rmdir()
    (folder / "folder").symlink_to(secret)
    os.mkfifo(folder / "pipe" / "report.html")
    return secret


def test_reports_are_read(client: TestClient) -> None:
    page = client.get("/campaigns/night/report")
    assert (page.text, page.headers["content-type"]) == ("<h1>good morning</h1>", "text/html; charset=utf-8")
    assert "sandbox" in page.headers["content-security-policy"]
    data = client.get("/campaigns/night/report?format=json")
    assert (data.json(), data.headers["content-type"]) == ({"best": 1}, "application/json")
    assert client.get("/campaigns/night").json()["standing"]["id"] == "night"
    assert "night" in {one["id"] for one in client.get("/campaigns").json()["campaigns"]}


@pytest.mark.parametrize("path", PATHS)
def test_no_name_leads_outside(live: str, token: str, path: str) -> None:
    for name in NAMES:
        status, text = raw(live, token, path.format(name))
        assert status in (400, 404, 422), (name, status)
        assert SECRET not in text
        assert "root:" not in text


def raw(live: str, token: str, path: str) -> tuple[int, str]:
    """Ask for a path as it stands: other clients tidy up the dots in it."""
    with closing(HTTPConnection("127.0.0.1", int(live.rpartition(":")[2]), timeout=60)) as connection:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize(
    "wanted", ["../job.json", "html/../../../outside/report.html", "..%2f", "html%00", "/etc/passwd"]
)
def test_no_format_leads_outside(client: TestClient, wanted: str) -> None:
    assert client.get("/campaigns/night/report", params={"format": wanted}).status_code == 422


@pytest.mark.parametrize("name", ["linked", "folder", "pipe"])
def test_links_are_not_followed_and_pipes_not_waited_for(client: TestClient, name: str) -> None:
    answer = client.get(f"/campaigns/{name}/report")
    assert answer.status_code == 404
    assert SECRET not in answer.text


def test_sources_are_texts_and_never_paths(client: TestClient, outside: Path) -> None:
    given = {"source": str(outside / "report.html"), "dataset": "digits", "structural": False}
    answer = client.post("/tools/check_novelty", json=given)
    assert answer.status_code in (200, 400)
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "parts",
    [(), ("..", "outside", "report.html"), ("a/../../outside", "report.html"), ("\0",), ("",), (".",), ("\udcff",)],
)
def test_parts_are_names(tmp_path: Path, parts: tuple[str, ...]) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "report.html").write_text(SECRET)
    assert read_inside(tmp_path / "home", *parts, most=100) is None


def test_files_are_read_to_a_limit(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"12345")
    assert read_inside(tmp_path, "folder", "file", most=5) == b"12345"
    assert read_inside(tmp_path, "folder", most=5) is None
    assert read_inside(tmp_path, "folder", "file", "more", most=5) is None
    with pytest.raises(TooLarge, match="folder/file"):
        read_inside(tmp_path, "folder", "file", most=4)
