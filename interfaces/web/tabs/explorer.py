"""The explorer tab: the networks on record, filtered; one of them in full; a file tried in the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ....memory.exploring import SORTS, Looked, choices, explore
from ....tools.tasks import known_datasets
from ....tools.tasks import task as task_of
from ..settings import App, files_folder
from ..views import explorer as view
from ..views.drawing import architecture
from ..views.fields import number, whole
from ..views.figures import empty_figure, learning_curve, scatter
from ..views.lineage import lineage_figure
from ..views.text import facts
from .wiring import PRIVATE, told

ANY = "any"
_NOTHING = "0 found: take filters away, or have networks designed in Chat or Campaigns"
_ID = len(view.HEADERS) - 1  # column of the table


def explorer_tab(app: App, tab: gr.Tab) -> None:
    """Lay out the tab and wire it; it looks again whenever ``tab`` is opened."""
    _Explorer(app).build(tab)


class _Explorer:
    """Widgets of the tab and what they do."""

    def __init__(self, app: App) -> None:
        self._app = app

    def build(self, tab: gr.Tab) -> None:
        self._filters()
        self.found = gr.Markdown("", elem_id="found")
        self.table = gr.Dataframe(
            headers=list(view.HEADERS), datatype="str", interactive=False, max_height=420, max_chars=24,
            elem_id="networks", latex_delimiters=[],
        )  # fmt: skip
        with gr.Row():
            self.before = gr.Button("◀", size="sm", min_width=60, elem_id="page-before")
            self.page = gr.Number(1, precision=0, minimum=1, show_label=False, min_width=80, elem_id="page")
            self.after = gr.Button("▶", size="sm", min_width=60, elem_id="page-after")
            self.csv = gr.Button("Export CSV", size="sm", elem_id="export-csv")
            self.parquet = gr.Button("Export Parquet", size="sm", elem_id="export-parquet")
        self.file = gr.File(label="Export", visible=False, interactive=False, elem_id="export")
        self._network()
        self._validate()
        self._wire(tab)

    def _filters(self) -> None:
        with gr.Row():
            self.dataset = gr.Dropdown([ANY], value=ANY, label="Data set", elem_id="filter-dataset")
            self.origin = gr.Dropdown([ANY], value=ANY, label="Origin", elem_id="filter-origin")
            self.campaign = gr.Dropdown([ANY], value=ANY, label="Campaign", elem_id="filter-campaign")
            self.valid = gr.Dropdown([ANY, "valid", "invalid"], value=ANY, label="Verdict", elem_id="filter-valid")
        with gr.Row():
            self.text = gr.Textbox("", label="Name or id", max_lines=1, elem_id="filter-text")
            self.low = gr.Textbox("", label="Parameters from", max_lines=1, elem_id="filter-from")
            self.high = gr.Textbox("", label="Parameters to", max_lines=1, elem_id="filter-to")
            self.metric = gr.Textbox("", label="Metric from, %", max_lines=1, elem_id="filter-metric")
            self.sort = gr.Dropdown(list(SORTS), value="metric", label="Sort by", elem_id="sort")
            self.down = gr.Checkbox(True, label="largest first", elem_id="descending")
            self.look = gr.Button("Look", variant="primary", min_width=80, elem_id="look")

    def _network(self) -> None:
        self.chosen = gr.State(None)
        self.name = gr.Markdown("Choose a row to see its network.", elem_id="network-name")
        with gr.Tabs(elem_id="network-tabs"):
            with gr.Tab("Code"):
                self.code = gr.Code(
                    language="python",
                    interactive=False,
                    lines=12,
                    elem_id="network-code",
                    elem_classes="netwright-code",
                )
                self.source = gr.Button("Download net.py", size="sm", elem_id="network-download")
                self.source_file = gr.File(label="Network", visible=False, interactive=False, elem_id="network-file")
            with gr.Tab("Facts and verdict"):
                self.facts = gr.Markdown(
                    "", latex_delimiters=[], elem_id="network-facts", elem_classes="netwright-facts"
                )
            with gr.Tab("Learning curve"):
                self.curve = gr.Plot(format="png", show_label=False, elem_id="network-curve")
            with gr.Tab("Architecture"):
                self.drawing = gr.Plot(format="png", show_label=False, elem_id="network-drawing")
            with gr.Tab("Lineage"):
                self.lineage = gr.Plot(format="png", show_label=False, elem_id="network-lineage")
            with gr.Tab("Against size"), gr.Row():
                self.by_params = gr.Plot(format="png", show_label=False, elem_id="by-params")
                self.by_flops = gr.Plot(format="png", show_label=False, elem_id="by-flops")

    def _validate(self) -> None:
        with gr.Accordion("Validate a file: it runs in the sandbox only", open=False):
            with gr.Row():
                self.upload = gr.File(label="net.py", file_types=[".py"], file_count="single", elem_id="upload")
                self.task = gr.Dropdown(
                    list(known_datasets()), value=known_datasets()[0], label="Data set", elem_id="upload-dataset"
                )
                self.check = gr.Button("Validate", elem_id="validate")
            self.verdict = gr.Markdown("", latex_delimiters=[], elem_id="verdict", elem_classes="netwright-facts")

    def _wire(self, tab: gr.Tab) -> None:
        filters = [
            self.dataset, self.origin, self.campaign, self.valid, self.text, self.low, self.high, self.metric,
            self.sort, self.down,
        ]  # fmt: skip
        shown = [self.table, self.page, self.found]
        options: dict[str, Any] = {"api_visibility": PRIVATE, "show_progress": "minimal"}
        self.look.click(told(self._first_page), filters, shown, **options)
        for field in (self.text, self.low, self.high, self.metric):
            field.submit(told(self._first_page), filters, shown, **options)
        for box in (self.dataset, self.origin, self.campaign, self.valid, self.sort, self.down):
            box.input(told(self._first_page), filters, shown, **options)
        for button, step in ((self.before, -1), (self.after, 1)):
            button.click(told(self._turn(step)), [self.page, *filters], shown, **options)
        self.page.submit(told(self._turn(0)), [self.page, *filters], shown, **options)
        self.csv.click(told(self._export(view.write_csv)), filters, self.file, **options)
        self.parquet.click(told(self._export(view.write_parquet)), filters, self.file, **options)
        details = [
            self.chosen, self.name, self.code, self.facts, self.curve, self.drawing, self.lineage, self.by_params,
            self.by_flops, self.source_file,
        ]  # fmt: skip
        self.table.select(told(self._chosen), filters, details, **options)
        self.source.click(told(self._source), self.chosen, self.source_file, **options)
        self.check.click(told(self._tried), [self.upload, self.task], self.verdict, **options)
        page = gr.context.Context.root_block
        assert page is not None  # inside of a gr.Blocks
        for look in (page.load, tab.select):
            look(self._choices, None, [self.dataset, self.origin, self.campaign], **options)
            look(told(self._turn(0)), [self.page, *filters], shown, **options)

    def _choices(self) -> list[Any]:
        found = choices(self._app.records)
        return [gr.Dropdown(choices=[ANY, *found[name]]) for name in ("dataset", "origin", "campaign")]

    def _first_page(self, *filters: Any) -> list[Any]:
        return self._page(1, looked(*filters))

    def _turn(self, step: int) -> Any:
        def turn(page: float | None, *filters: Any) -> list[Any]:
            return self._page(int(page or 1) + step, looked(*filters))

        return turn

    def _page(self, page: int, wanted: Looked) -> list[Any]:
        total = explore(self._app.records, wanted, limit=1).total
        page, pages = view.page_of(total, page)
        found = explore(self._app.records, wanted, offset=(page - 1) * view.PAGE, limit=view.PAGE)
        said = f"{total:,} found · page {page} of {pages}" if total else _NOTHING
        return [view.rows(found.lines), page, said]

    def _chosen(self, event: gr.SelectData, *filters: Any) -> list[Any]:
        chosen = event.row_value[_ID]
        one = view.network(self._app.records, chosen)
        if one is None:
            raise gr.Error("this network is no longer on record", print_exception=False)
        wanted = looked(*filters)
        lines = view.dots(self._app.records, wanted)
        at = next((line for line in lines if line.id == chosen), None)
        return [
            chosen,
            view.heading(one),
            one.candidate.source,
            facts(one.facts),
            learning_curve(one.epochs, one.metric),
            architecture(one.candidate.source),
            lineage_figure(self._app.records, chosen),
            *(_against(lines, at, field, label) for field, label in (("params", "parameters"), ("flops", "FLOPs"))),
            gr.File(visible=False),
        ]

    def _source(self, chosen: str | None) -> Any:
        one = view.network(self._app.records, chosen) if chosen else None
        if one is None:
            raise gr.Error("choose a row first", print_exception=False)
        return gr.File(value=str(view.write_source(one, files_folder())), visible=True)

    def _export(self, write: Any) -> Any:
        def export(*filters: Any) -> Any:
            lines = explore(self._app.records, looked(*filters), limit=None).lines
            return gr.File(value=str(write(lines, files_folder())), visible=True)

        return export

    def _tried(self, path: str | None, dataset: str) -> str:
        if path is None:
            raise gr.Error("choose a file first", print_exception=False)
        source = Path(path).read_bytes().decode("utf-8", "replace")
        verdict = self._app.validate(source, task_of(dataset))
        pairs = [("verdict", verdict.reason), ("parameters", verdict.params), ("FLOPs", verdict.flops)]
        return facts([*pairs, ("seconds", f"{verdict.seconds:.1f}")])


def looked(
    dataset: str, origin: str, campaign: str, valid: str, text: str | None,
    low: str | None, high: str | None, metric: str | None, sort: Any, down: bool,
) -> Looked:  # fmt: skip
    """The filters as the records understand them.

    Raises:
        FieldError: a number is none.
    """
    percent = number("Metric", metric, most=100)
    return Looked(
        dataset=None if dataset == ANY else dataset,
        origin=None if origin == ANY else origin,
        campaign=None if campaign == ANY else campaign,
        text=text or "",
        valid={"valid": True, "invalid": False}.get(valid),
        params_from=whole("Parameters from", low, least=0),
        params_to=whole("Parameters to", high, least=0),
        metric=None if percent is None else percent / 100,
        sort=sort if sort in SORTS else "metric",
        descending=down,
    )


def _against(lines: list[Any], at: Any, field: str, label: str) -> Any:
    dots = [(getattr(one, field), one.metric) for one in lines if getattr(one, field)]
    chosen = (getattr(at, field), at.metric) if at is not None and getattr(at, field) else None
    return scatter(dots, label, chosen=chosen) if dots else empty_figure(f"nothing with {label} here")
