"""One app and one browser for all tests that click through it; the files of such tests run in order of their names."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .browser_parts import CAMPAIGN, CHROMIUMS_FEATURES, SCREENSHOTS, TOKEN, Proxy, Ui, wait_until_listening


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui-home")


@pytest.fixture(scope="session")
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
        wait_until_listening(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        # A campaign outlives the app; after a test that failed there may be one.
        subprocess.run([*command, "campaign", "stop", CAMPAIGN], env=environment, check=False, capture_output=True)
        server.send_signal(signal.SIGINT)
        server.wait(60)
        log.close()


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def page(ui: Ui) -> Any:
    """The session in which most is done, in the order of the files."""
    page = ui.page()
    page.wait_for_selector("#say")
    return page
