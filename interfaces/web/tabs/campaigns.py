"""The campaigns tab: start, pause, resume and stop them, and watch how they do."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ....tools.report import campaign_report
from ....tools.tasks import known_datasets
from ...campaign_process import campaign_states, pause_campaign, resume_campaign, start_campaign, stop_campaign
from ..settings import App
from ..views import campaigns as view
from ..views.fields import number, whole
from ..views.figures import empty_figure
from ..views.text import plain
from .wiring import PRIVATE, told

TICK_S = 3.0
_FROM_PRESET = "as in the preset"
_NONE = "no campaign yet"
_FIRST = f"{_NONE}: open “Start a campaign” and press Start"


def campaigns_tab(app: App) -> None:
    """Lay out the tab and wire it."""
    _Campaigns(app).build()


class _Campaigns:
    """Widgets of the tab and what they do."""

    def __init__(self, app: App) -> None:
        self._app = app

    def build(self) -> None:
        self.timer = gr.Timer(TICK_S)
        self.seen = gr.State("")
        self.table = gr.Dataframe(
            headers=list(view.HEADERS), datatype="str", interactive=False, max_height=260, elem_id="campaigns",
            latex_delimiters=[],
        )  # fmt: skip
        with gr.Row():
            self.campaign = gr.Dropdown([], label="Campaign", scale=4, elem_id="campaign")
            self.pause = gr.Button("Pause", min_width=80, elem_id="campaign-pause")
            self.resume = gr.Button("Resume", min_width=80, elem_id="campaign-resume")
            self.stop = gr.Button("Stop", variant="stop", min_width=80, elem_id="campaign-stop")
        self.more = gr.Textbox(
            "", label="Resume with a budget of so many cycles (empty: as it is)", max_lines=1, elem_id="campaign-more"
        )
        self.said = gr.Markdown("", elem_id="campaign-said")
        self._start()
        with gr.Row(elem_id="charts"):
            self.charts = [gr.Plot(format="png", label=name, show_label=False, min_width=380) for name in view.CHARTS]
        self.log = gr.Code(label="Log", language=None, interactive=False, lines=12, elem_id="campaign-log")
        self._wire()

    def _start(self) -> None:
        with gr.Accordion("Start a campaign", open=False, elem_id="start"):
            with gr.Row():
                self.preset = gr.Dropdown(view.presets(), value=view.DEFAULTS, label="Preset", elem_id="start-preset")
                self.dataset = gr.Dropdown(
                    [_FROM_PRESET, *known_datasets()], value=_FROM_PRESET, label="Data set", elem_id="start-dataset"
                )
                self.identifier = gr.Textbox("", label="Id (optional)", max_lines=1, elem_id="start-id")
                self.overnight = gr.Checkbox(False, label="overnight: supervised, ends by a budget")
            with gr.Row():
                self.cycles = gr.Textbox("", label="Cycles", max_lines=1, elem_id="start-cycles")
                self.candidates = gr.Textbox("", label="Candidates a cycle", max_lines=1, elem_id="start-candidates")
                self.minutes = gr.Textbox("", label="Minutes of running", max_lines=1, elem_id="start-minutes")
            self.pasted = gr.Code(
                label="Configuration (YAML, optional)", language="yaml", lines=4, elem_id="start-yaml"
            )
            self.start = gr.Button("Start", variant="primary", elem_id="start-go")

    def _wire(self) -> None:
        shown = [self.seen, self.table, self.campaign, *self.charts, self.log]
        options: dict[str, Any] = {"api_visibility": PRIVATE, "show_progress": "hidden"}
        wish = [
            self.preset, self.pasted, self.dataset, self.cycles, self.candidates, self.minutes, self.identifier,
            self.overnight,
        ]  # fmt: skip
        events = (
            self.start.click(told(self._started), wish, [self.campaign, self.said], **options),
            self.pause.click(told(self._asked(pause_campaign, "paused")), self.campaign, self.said, **options),
            self.stop.click(told(self._asked(stop_campaign, "stopped")), self.campaign, self.said, **options),
            self.resume.click(told(self._resumed), [self.campaign, self.more], self.said, **options),
            self.campaign.input(lambda: "", None, self.said, **options),
        )
        for event in events:
            event.then(self._all, self.campaign, shown, **options)
        # One look at a time: a slow one must not be overtaken by the next.
        self.timer.tick(
            self._changed, [self.campaign, self.seen], shown, concurrency_limit=2, trigger_mode="once", **options
        )
        page = gr.context.Context.root_block
        assert page is not None  # inside of a gr.Blocks
        page.load(self._all, self.campaign, shown, **options)

    def _started(
        self, preset: str, pasted: str, dataset: str, cycles: str, candidates: str,
        minutes: str, identifier: str, overnight: bool,
    ) -> list[Any]:  # fmt: skip
        wish = view.Wish(
            preset=preset,
            pasted=pasted or "",
            dataset=None if dataset == _FROM_PRESET else dataset,
            cycles=whole("Cycles", cycles),
            candidates=whole("Candidates a cycle", candidates),
            minutes=number("Minutes of running", minutes, least=0.1),
        )
        settings = view.settings(wish, self._app.config)
        name = start_campaign(settings, view.identifier(identifier), overnight=overnight)
        return [gr.Dropdown(choices=self._ids(), value=name), f"started {plain(name)}"]

    def _asked(self, ask: Any, word: str) -> Any:
        def asked(campaign: str | None) -> str:
            there = ask(_chosen(campaign))
            if there:
                return f"{plain(campaign)} will be {word} at its next safe point"
            return f"no process works on {plain(campaign)}"

        return asked

    def _resumed(self, campaign: str | None, cycles: str) -> str:
        more = whole("Cycles", cycles)
        resume_campaign(_chosen(campaign), None if more is None else {"cycles": more})
        return f"{plain(campaign)} goes on"

    def _ids(self) -> list[str]:
        return [one.id for one in reversed(campaign_states(self._app.records))]

    def _changed(self, campaign: str | None, seen: str) -> list[Any]:
        return self._shown(campaign, seen)

    def _all(self, campaign: str | None) -> list[Any]:
        return self._shown(campaign, "")

    def _shown(self, campaign: str | None, seen: str) -> list[Any]:
        """The table and the log; charts where they would be others than those that are seen."""
        states = campaign_states(self._app.records)
        one = next((state for state in states if state.id == campaign), states[-1] if states else None)
        table = view.rows(states)
        if one is None:
            empty = [gr.skip() if seen == _NONE else empty_figure(f"{name}: {_NONE}") for name in view.CHARTS]
            return [_NONE, table, gr.Dropdown(choices=[]), *empty, _FIRST]
        now = view.signature(self._app.records, one)
        drawn: list[Any] = [gr.skip()] * len(self.charts)
        if now != seen:
            report = campaign_report(self._app.records, one.id)
            drawn = list(view.charts(report, self._app.records.get_campaign(one.id)))
        chosen = gr.Dropdown(choices=[state.id for state in reversed(states)], value=one.id)
        return [now, table, chosen, *drawn, view.log_tail(one.id)]


def _chosen(campaign: str | None) -> str:
    if not campaign:
        raise gr.Error("choose a campaign first", print_exception=False)
    return campaign
