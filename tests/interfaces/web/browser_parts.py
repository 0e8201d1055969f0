"""The web app and Chromium for the tests that click through it: what they start, and what they do in it."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TOKEN = "a-token-of-the-tests-0123456789"
CAMPAIGN = "night-ui"
SCREENSHOTS = Path(__file__).resolve().parents[3] / "build" / "ui"
WAIT_MS = 240_000
# Chromium asks for these by itself, with a page of nothing but a text field too: its sign-in, its clock, its updates
# and what it downloads for them. What the app's pages ask for is counted by itself, in ``Ui.requests``.
CHROMIUMS_OWN = {"accounts.google.com", "clients2.google.com", "update.googleapis.com", "redirector.gvt1.com"}
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

    def page(self, path: str = f"/?token={TOKEN}", **options: Any) -> Any:
        """A new browser session.

        Args:
            options: of the browser's context, such as its window's size.
        """
        options = {"viewport": {"width": 1500, "height": 1200}, "accept_downloads": True} | options
        context = self.browser.new_context(**options)
        context.add_init_script(WATCH)
        context.set_default_timeout(WAIT_MS)
        context.on("request", lambda request: self.requests.append(request.url))
        page = context.new_page()
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.goto(self.url + path)
        return page


def wait_until_listening(port: int, server: subprocess.Popen[str]) -> None:
    over = threading.Event()
    while server.poll() is None:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        over.wait(0.5)
    raise RuntimeError("the app ended before it listened")


def shot(page: Any, name: str) -> None:
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def say(page: Any, text: str) -> None:
    page.locator("#say textarea").fill(text)
    page.locator("#send").click()


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def field_of(page: Any, name: str) -> Any:
    """The text field of a widget."""
    return page.locator(f"#{name} input, #{name} textarea").first


def cell(page: Any, table: str, row: str, column: int, holds: str) -> Any:
    """A cell of the first row that has a text in it, once the cell's own text is the pattern ``holds``."""
    cells = page.locator(f"#{table} .virtual-row").filter(has_text=row).first.locator("[role=gridcell]")
    found = cells.nth(column).filter(has_text=re.compile(rf"^\s*{holds}\s*$"))
    found.wait_for()
    return found


def download(page: Any, name: str) -> Path:
    """What the link of a widget for files gives."""
    with page.expect_download() as made:
        page.locator(f"#{name} a[download], #{name} a").first.click()
    return Path(made.value.path())
