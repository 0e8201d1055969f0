"""The app put together: Gradio's pages in a FastAPI application, and the guard around both."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from ..addresses import LOOPBACK
from .guard import Guard
from .settings import UPLOAD_BYTES, App, files_folder

if TYPE_CHECKING:
    import gradio as gr

_AT_ONCE: Final = 8  # events of all browsers that are worked on side by side; turns of conversations run elsewhere
_FILES_S: Final = 24 * 3600  # how long uploads and exports are kept
# Before gradio is imported: it reads these once.
_ENVIRONMENT: Final = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "GRADIO_ALLOW_FLAGGING": "never"}
_CSS: Final = """
.netwright-code .cm-editor { max-height: 32rem }
footer, #talk button[aria-label="Clear"] { display: none !important }
.netwright-diff { font-size: .8rem; overflow-x: auto; padding: .6rem }
.netwright-added { background: #d1fae5; color: #065f46 }
.netwright-gone { background: #fee2e2; color: #991b1b }
.netwright-at { color: #6b7280 }
.netwright-facts thead { display: none }
.netwright-facts table { font-size: .85rem; max-width: 100% }
.netwright-facts td { border-color: var(--border-color-primary) !important; overflow-wrap: anywhere }
.netwright-facts td:first-child { white-space: nowrap; color: var(--body-text-color-subdued) }
#charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(380px, 100%), 1fr)) }
/* A file that was refused: the message says why, and no old error lies over the next file. */
#upload [data-testid="status-tracker"] { display: none }
#candidates .wrap { max-height: 11rem; overflow-y: auto }
#talk table { font-size: .8rem; overflow-wrap: normal; word-break: normal }
#talk td, #talk th { padding: .3rem .5rem; white-space: nowrap }
@media (max-width: 640px) { .tab-container button { padding: 0 .5rem !important } }
"""


class MissingUi(ImportError):
    """Gradio is not installed."""


def guarded_app(app: App, token: str, *, hosts: Sequence[str] = LOOPBACK, port: int = 0) -> Guard:
    """The whole web app as an ASGI application.

    Args:
        token: of at least 16 characters.
        hosts: names that it is addressed by.
        port: makes the cookie's name, so that apps on several ports do not take each other's.

    Raises:
        MissingUi: the extra ``ui`` is not installed.
    """
    gradio = import_gradio()
    from fastapi import FastAPI

    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gradio.mount_gradio_app(
        outer,
        pages(app),
        path="",
        show_error=True,
        max_file_size=UPLOAD_BYTES,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=_theme(),
        css=_CSS,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
    return Guard(outer, token, hosts, f"netwright_{port}")


def pages(app: App) -> gr.Blocks:
    """All tabs."""
    gradio = import_gradio()
    from .tabs.blocks import blocks_tab
    from .tabs.campaigns import campaigns_tab
    from .tabs.chat import chat_tab
    from .tabs.explorer import explorer_tab

    with (
        gradio.Blocks(
            title="netwright", analytics_enabled=False, fill_width=True, delete_cache=(3600, _FILES_S)
        ) as made,
        gradio.Tabs(),
    ):
        with gradio.Tab("Chat", id="chat"):
            chat_tab(app)
        with gradio.Tab("Campaigns", id="campaigns"):
            campaigns_tab(app)
        with gradio.Tab("Explorer", id="explorer") as explorer:
            explorer_tab(app, explorer)
        with gradio.Tab("Blocks", id="blocks"):
            blocks_tab(app)
    made.queue(default_concurrency_limit=_AT_ONCE, max_size=256)
    return made


def import_gradio() -> Any:
    """Gradio, told to ask nobody for anything and to keep its files in the data directory.

    Raises:
        MissingUi: it is not installed.
    """
    os.environ.update(_ENVIRONMENT)
    os.environ["GRADIO_TEMP_DIR"] = str(files_folder())
    try:
        import gradio
    except ImportError as error:
        raise MissingUi('the web app needs Gradio: pip install "netwright[ui]"') from error
    # Gradio fetches a file whose "path" is an address, at the word of any request.
    gradio.processing_utils.async_ssrf_protected_download = _fetch_nothing
    return gradio


async def _fetch_nothing(url: str, cache_dir: str) -> str:
    raise PermissionError("the web app fetches nothing from other addresses")


def _theme() -> Any:
    """A theme whose fonts are the machine's own."""
    from gradio import themes

    return themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
