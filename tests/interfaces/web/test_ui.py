"""The web app in Chromium: a design request, a campaign, the explorer, the blocks; nothing leaves this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.ui, pytest.mark.timeout(900)]

TOKEN = "a-token-of-the-tests-0123456789"
SCREENSHOTS = Path(__file__).resolve().parents[3] / "build" / "ui"
WAIT_MS = 240_000
# Chromium asks for these by itself, with an empty page too: its sign-in, its clock and its updates.
CHROMIUMS_OWN = {"accounts.google.com", "clients2.google.com", "update.googleapis.com"}
# Its guesses at forms, translations and the like, which ask for any page; the last switch of this name counts.
CHROMIUMS_FEATURES = (
    "AutofillServerCommunication", "OptimizationHints", "Translate", "MediaRouter", "DialMediaRouteProvider",
    "CertificateTransparencyComponentUpdater", "ThirdPartyStoragePartitioning", "PaintHolding", "LensOverlay",
)  # fmt: skip
WATCH = "addEventListener('securitypolicyviolation', e => console.error('POLICY ' + e.blockedURI))"


class Proxy:
    """Stands where a proxy would: whatever the browser wanted from outside is written down, and refused."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            with connection:
                self.asked.append(connection.recv(300).decode("latin-1").partition("\r\n")[0])

    @staticmethod
    def host(line: str) -> str:
        """Whom a line of a request to a proxy is for."""
        target = line.split(" ")[1]
        return urlsplit(target if "//" in target else f"//{target}").hostname or target

    def close(self) -> None:
        self._socket.close()


@dataclass
class Ui:
    """The running app and a browser at it."""

    url: str
    browser: Any
    proxy: Proxy
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def page(self, path: str = f"/?token={TOKEN}") -> Any:
        """A new browser session."""
        context = self.browser.new_context(viewport={"width": 1500, "height": 1200}, accept_downloads=True)
        context.add_init_script(WATCH)
        context.set_default_timeout(WAIT_MS)
        context.on("request", lambda request: self.requests.append(request.url))
        page = context.new_page()
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.goto(self.url + path)
        return page


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui-home")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    """The app as a user starts it, on a free port, with the embedded model; blocks of one module are mined before."""
    environment = {**os.environ, "NETWRIGHT_HOME": str(home), "NETWRIGHT_TOKEN": TOKEN}
    command = [sys.executable, "-m", "netwright.interfaces.cli.main"]
    source = home / "source"
    source.mkdir()
    import torchvision

    shutil.copy(Path(torchvision.__file__).parent / "ops" / "misc.py", source / "misc.py")
    subprocess.run([*command, "blocks", "mine", str(source)], env=environment, check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = ["chat.approve_training=true", "chat.candidates=3", "campaign.candidates=2", "campaign.tune=false"]
    arguments = [part for one in settings for part in ("--set", one)]
    log = (home / "web.log").open("w")
    server = subprocess.Popen(
        [*command, "web", "--port", str(port), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert server.stdout is not None
    said = server.stdout.readline()
    assert f"http://127.0.0.1:{port}/?token={TOKEN}" in said
    try:
        _listening(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
        log.close()


def _listening(port: int, server: subprocess.Popen[str]) -> None:
    over = threading.Event()
    while server.poll() is None:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        over.wait(0.5)
    raise RuntimeError("the app ended before it listened")


@pytest.fixture(scope="module")
def ui(url: str) -> Iterator[Ui]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium on this machine: make test-ui installs it")
    proxy = Proxy()
    arguments = [
        f"--proxy-server=127.0.0.1:{proxy.port}",
        "--proxy-bypass-list=127.0.0.1",
        f"--disable-features={','.join(CHROMIUMS_FEATURES)}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        try:
            yield Ui(url, browser, proxy)
        finally:
            browser.close()
            proxy.close()


@pytest.fixture(scope="module")
def page(ui: Ui) -> Any:
    """The session in which most is done, in the order of this file."""
    page = ui.page()
    page.wait_for_selector("#say")
    return page


def shot(page: Any, name: str) -> None:
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def say(page: Any, text: str) -> None:
    page.locator("#say textarea").fill(text)
    page.locator("#send").click()


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def test_wrong_token(ui: Ui) -> None:
    page = ui.page("/")
    assert page.url.endswith("/login")
    page.locator("#token").fill("not-the-token-of-the-tests")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("alert").wait_for()
    shot(page, "login")
    page.locator("#token").fill(TOKEN)
    page.get_by_role("button", name="Open").click()
    page.wait_for_selector("#say")
    assert "token" not in page.url
    wrong = ui.page("/?token=not-the-token-of-the-tests")
    assert "a token is needed" in wrong.inner_text("body")
    [cookie] = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert TOKEN not in cookie["value"]


def test_design_request(ui: Ui, page: Any) -> None:
    talk = page.locator("#talk")
    say(page, "a small residual network")
    talk.get_by_text("data set").last.wait_for()  # the question
    shot(page, "question")

    say(page, "handwritten digits")
    page.locator("#progress").get_by_text("⏳").wait_for()
    shot(page, "working")
    other = ui.page()  # the running turn does not keep another browser from its work
    tab(other, "Explorer")
    other.locator("#found").get_by_text("found").wait_for()
    other.close()

    page.locator("#approve").wait_for()
    shot(page, "approval")
    page.locator("#approve").click()
    page.locator("#approve").wait_for(state="hidden")
    page.locator("#candidate-table .virtual-row").get_by_text("accuracy").first.wait_for()
    page.locator("#code").get_by_text("forward").first.wait_for()
    shot(page, "answer")
    tab(page, "Learning curve")
    page.locator("#curve img").wait_for()
    shot(page, "curve")
    tab(page, "Architecture")
    page.locator("#drawing img").wait_for()
    shot(page, "architecture")


def test_variant_and_reject(page: Any) -> None:
    before = page.locator("#candidates input").count()
    page.get_by_role("button", name="smaller", exact=True).click()
    page.locator("#reject").wait_for()
    page.locator("#reject").click()
    page.locator("#reject").wait_for(state="hidden")
    page.locator("#stop").wait_for(state="hidden")
    page.locator("#talk").get_by_text("not trained").last.wait_for()
    assert page.locator("#candidates input").count() > before
    tab(page, "Difference")
    page.locator("#changes").get_by_text("@@").first.wait_for()
    shot(page, "difference")


def test_reload_finds_the_thread(page: Any) -> None:
    page.reload()
    page.locator("#talk").get_by_text("a small residual network").first.wait_for()
    page.locator("#talk").get_by_text("not trained").last.wait_for()
    page.locator("#code").get_by_text("forward").first.wait_for()
    page.locator("#new-thread").click()
    page.locator("#talk").get_by_text("a small residual network").first.wait_for(state="detached")
    shot(page, "new-thread")


def test_campaign_starts_and_stops(page: Any) -> None:
    tab(page, "Campaigns")
    page.locator("#start").get_by_role("button", name="Start a campaign").click()
    page.locator("#start-id input, #start-id textarea").first.fill("night-ui")
    page.locator("#start-cycles input, #start-cycles textarea").first.fill("50")
    page.locator("#start-go").click()
    page.locator("#campaign-said").get_by_text("started night").wait_for()
    table = page.locator("#campaigns .virtual-row")
    table.get_by_text("running", exact=True).last.wait_for()
    shot(page, "campaign-running")
    page.locator("#campaign-stop").click()
    page.locator("#campaign-said").get_by_text("stopped at its next safe point").wait_for()
    table.get_by_text("stopped", exact=True).last.wait_for()
    shot(page, "campaign-stopped")


def test_explorer(page: Any) -> None:
    tab(page, "Explorer")
    page.locator("#filter-from input, #filter-from textarea").first.fill("100")
    page.locator("#filter-metric input, #filter-metric textarea").first.fill("1")
    page.locator("#look").click()
    page.locator("#found").get_by_text("page 1 of").wait_for()
    page.locator("#networks .virtual-row").first.locator("[role=gridcell]").first.click()
    page.locator("#network-code").get_by_text("forward").first.wait_for()
    shot(page, "explorer")
    for name in ("Facts and verdict", "Architecture", "Lineage", "Against size"):
        tab(page.locator("#network-tabs"), name)
    page.locator("#by-params img").wait_for()
    shot(page, "explorer-size")
    page.locator("#export-csv").click()
    with page.expect_download() as download:
        page.locator("#export a[download], #export a").first.click()
    text = Path(download.value.path()).read_text()
    assert text.startswith("id,name,origin,dataset")
    assert "digits" in text


def test_blocks(page: Any) -> None:
    tab(page, "Blocks")
    page.locator("#blocks-text input, #blocks-text textarea").first.fill("squeeze and excitation")
    page.locator("#blocks-go").click()
    page.locator("#blocks .virtual-row").first.locator("[role=gridcell]").first.click()
    page.locator("#block-code").get_by_text("class").first.wait_for()
    page.locator("#block-facts").get_by_text("licence").wait_for()
    shot(page, "blocks")


def test_nothing_left_this_machine(ui: Ui, page: Any) -> None:
    page.wait_for_timeout(1000)
    assert len(ui.requests) > 50
    outside = [u for u in ui.requests if urlsplit(u).scheme not in ("data", "blob") and not u.startswith(ui.url)]
    assert outside == []
    assert {host for host in map(Proxy.host, ui.proxy.asked) if host not in CHROMIUMS_OWN} == set()
    assert [line for line in ui.console if "POLICY" in line] == []
