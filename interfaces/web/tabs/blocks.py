"""The blocks tab: find blocks of the library by words, with their code and licence."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ....memory.block_types import BLOCK_STAGES, CATEGORIES
from ..settings import App
from ..views import blocks as view
from ..views.text import facts
from .wiring import PRIVATE, told

ANY = "any"
_ID = len(view.HEADERS) - 1


def blocks_tab(app: App) -> None:
    """Lay out the tab and wire it."""

    def search(text: str, category: str, package: str, stage: str, mode: str) -> list[Any]:
        if not text.strip():
            raise gr.Error("name what is looked for", print_exception=False)
        hits = view.search(
            app.config,
            text,
            category=None if category == ANY else category,
            package=package.strip() or None,
            stage=None if stage == ANY else stage,
            mode=mode,
        )
        said = f"{len(hits)} kinds of blocks" if hits else "Nothing fits." if stored() else view.EMPTY
        return [view.rows(hits), said]

    def stored() -> int:
        with view.library(app.config) as store:
            return len(store)

    def chosen(event: gr.SelectData) -> list[Any]:
        with view.library(app.config) as store:
            block = store.get(event.row_value[_ID])
        if block is None:
            raise gr.Error("this block is no longer in the library", print_exception=False)
        return [facts(view.facts_of(block)), block.text]

    with gr.Row():
        text = gr.Textbox("", label="What the block is for, or its name", max_lines=1, scale=4, elem_id="blocks-text")
        category = gr.Dropdown([ANY, *CATEGORIES], value=ANY, label="Category", elem_id="blocks-category")
        package = gr.Textbox("", label="Package", max_lines=1, elem_id="blocks-package")
        stage = gr.Dropdown([ANY, *BLOCK_STAGES], value=ANY, label="Passed at least", elem_id="blocks-stage")
        mode = gr.Dropdown(["hybrid", "vector", "keyword"], value="hybrid", label="Rank by", elem_id="blocks-mode")
        go = gr.Button("Search", variant="primary", min_width=90, elem_id="blocks-go")
    said = gr.Markdown("", elem_id="blocks-said")
    table = gr.Dataframe(
        headers=list(view.HEADERS), datatype="str", interactive=False, max_height=420, max_chars=60, elem_id="blocks",
        latex_delimiters=[],
    )  # fmt: skip
    about = gr.Markdown(
        "Choose a row to see its code.", latex_delimiters=[], elem_id="block-facts", elem_classes="netwright-facts"
    )
    code = gr.Code(language="python", interactive=False, lines=14, elem_id="block-code", elem_classes="netwright-code")
    options: dict[str, Any] = {"api_visibility": PRIVATE, "show_progress": "minimal"}
    for event in (go.click, text.submit):
        # One search at a time: the index is brought up to date by it.
        event(
            told(search), [text, category, package, stage, mode], [table, said], concurrency_limit=1,
            concurrency_id="blocks", **options,
        )  # fmt: skip
    table.select(told(chosen), None, [about, code], **options)
