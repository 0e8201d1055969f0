"""The chat tab: a design conversation with live steps, approvals, and the networks that it shows."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ....graphs.turns import Message, Shown
from ..settings import App
from ..turn_board import Turn, new_thread
from ..views import talk, text
from ..views.drawing import architecture
from ..views.figures import empty_figure, learning_curve
from .wiring import PRIVATE, told

TICK_S = 1.0
_HINT = "a CIFAR-10 classifier under 200k parameters"
_NOTHING = "no network yet: say what you need on the left"
_NO_CODE = "# No network yet: say what you need, and its code stands here."


def chat_tab(app: App) -> None:
    """Lay out the tab and wire it."""
    _Chat(app).build()


class _Chat:
    """Widgets of the tab and what they do. What is shown is a function of the thread's file and the running turn."""

    def __init__(self, app: App) -> None:
        self._app = app

    def build(self) -> None:
        self.thread = gr.BrowserState(None, storage_key="netwright-thread", secret="netwright-thread")
        self.seen = gr.State("")
        self.timer = gr.Timer(TICK_S, active=False)
        with gr.Row():
            with gr.Column(scale=5, min_width=420):
                self._left()
            with gr.Column(scale=6, min_width=420):
                self._right()
        self._wire()

    def _left(self) -> None:
        with gr.Row():
            self.threads = gr.Dropdown(label="Thread", choices=[], interactive=True, scale=4, elem_id="threads")
            self.new = gr.Button("New thread", scale=1, min_width=110, elem_id="new-thread")
        self.talk = gr.Chatbot(
            label="Design", show_label=False, height=460, latex_delimiters=[], allow_tags=False, feedback_options=None,
            buttons=["copy"], elem_id="talk", placeholder=f"Say what you need, e.g. *{_HINT}*",
        )  # fmt: skip
        self.progress = gr.Markdown("", elem_id="progress")
        with gr.Row(visible=False) as self.approval:
            self.asked = gr.Textbox("", label="Approval", interactive=False, scale=4, elem_id="asked")
            self.approve = gr.Button("Approve", variant="primary", min_width=100, elem_id="approve")
            self.reject = gr.Button("Reject", variant="stop", min_width=100, elem_id="reject")
        with gr.Row():
            self.offers = [
                gr.Button("", visible=False, size="sm", min_width=60, elem_id=f"offer-{n}") for n in range(talk.OFFERS)
            ]
        with gr.Row():
            self.text = gr.Textbox(
                "", show_label=False, placeholder=_HINT, scale=5, lines=1, max_lines=6, elem_id="say"
            )
            self.send = gr.Button("Send", variant="primary", min_width=80, elem_id="send")
            self.stop = gr.Button("Stop", variant="stop", min_width=80, visible=False, elem_id="stop")

    def _right(self) -> None:
        self.choice = gr.Radio(label="Candidates", choices=[], visible=False, elem_id="candidates")
        self.table = gr.Dataframe(
            headers=["#", "network", "parameters", "FLOPs", "reached", "varies"], datatype="str", interactive=False,
            visible=False, max_height=220, elem_id="candidate-table",
        )  # fmt: skip
        with gr.Tabs():
            with gr.Tab("Code"):
                self.code = gr.Code(
                    language="python", interactive=False, lines=18, elem_id="code", elem_classes="netwright-code"
                )
            with gr.Tab("Difference"):
                self.changes = gr.Markdown("", elem_id="changes", latex_delimiters=[])
            with gr.Tab("Learning curve"):
                self.curve = gr.Plot(format="png", show_label=False, elem_id="curve")
            with gr.Tab("Architecture"):
                self.drawing = gr.Plot(format="png", show_label=False, elem_id="drawing")

    def _wire(self) -> None:
        shown = [
            self.seen, self.talk, self.progress, self.timer, self.approval, self.asked, *self.offers, self.stop,
            self.threads, self.choice, self.table,
        ]  # fmt: skip
        details = [self.code, self.changes, self.curve, self.drawing]
        shown += details
        options: dict[str, Any] = {"api_visibility": PRIVATE, "show_progress": "hidden"}
        for event in (self.send.click, self.text.submit):
            event(told(self._say), [self.text, self.thread], [self.thread, self.text], **options).then(
                self._all, self.thread, shown, **options
            )
        for button in self.offers:
            button.click(told(self._say), [button, self.thread], [self.thread, self.text], **options).then(
                self._all, self.thread, shown, **options
            )
        for button, approved in ((self.approve, True), (self.reject, False)):
            button.click(told(self._decide(approved)), self.thread, None, **options).then(
                self._all, self.thread, shown, **options
            )
        self.stop.click(told(self._stop), self.thread, None, **options)
        self.new.click(lambda: new_thread(), None, self.thread, **options).then(
            self._all, self.thread, shown, **options
        )
        self.threads.input(lambda chosen: chosen, self.threads, self.thread, **options).then(
            self._all, self.thread, shown, **options
        )
        self.timer.tick(self._changed, [self.thread, self.seen], shown, **options)
        # What a person chooses; what the page chooses comes with its details. A hidden widget tells of no change.
        self.choice.input(self._chosen, [self.choice, self.thread], details, **options)
        page = gr.context.Context.root_block
        assert page is not None  # inside of a gr.Blocks
        page.load(self._all, self.thread, shown, **options)

    def _say(self, text: str, thread: str | None) -> tuple[str, str]:
        if not text.strip():
            raise gr.Error("say what you need first", print_exception=False)
        return self._app.board.say(thread, text), ""

    def _decide(self, approved: bool) -> Any:
        def decide(thread: str) -> None:
            self._app.board.decide(thread, approved)

        return decide

    def _stop(self, thread: str) -> None:
        self._app.board.stop(thread)

    def _changed(self, thread: str | None, seen: str) -> list[Any]:
        """What a tick changes: all of it when something was said, else the progress alone."""
        turn, history = self._look(thread)
        if _signature(history, turn) != seen:
            return self._shown(thread, turn, history)
        made: list[Any] = [gr.skip()] * (14 + len(self.offers))
        made[2] = _progress(turn)
        return made

    def _all(self, thread: str | None) -> list[Any]:
        return self._shown(thread, *self._look(thread))

    def _look(self, thread: str | None) -> tuple[Turn | None, tuple[Message, ...]]:
        # In this order: a turn that ends in between has its reply in the history then.
        turn = self._app.board.turn(thread)
        return turn, self._app.board.history(thread)

    def _shown(self, thread: str | None, turn: Turn | None, history: tuple[Message, ...]) -> list[Any]:
        running = turn is not None and not turn.ended
        standing, known, newest = talk.standing(history), talk.candidates(history), talk.newest(history)
        asks = standing.approval is not None and not running
        threads = self._app.board.threads()
        if thread and thread not in {key for _, key in threads}:
            threads = [("new thread", thread), *threads]
        return [
            _signature(history, turn),
            talk.messages(history, turn.said if running and turn else None),
            _progress(turn),
            gr.Timer(active=running),
            gr.Row(visible=asks),
            standing.approval if asks else "",
            *(_offer(standing.offers, n, running) for n in range(len(self.offers))),
            gr.Button(visible=running),
            gr.Dropdown(choices=threads, value=thread),
            gr.Radio(choices=talk.choices(known), value=newest, visible=bool(known)),
            gr.Dataframe(value=talk.table(known), visible=bool(known)),
            *_details(newest, known),
        ]

    def _chosen(self, n: int | None, thread: str | None) -> list[Any]:
        return _details(n, talk.candidates(self._app.board.history(thread)))


def _details(n: int | None, known: list[Shown]) -> list[Any]:
    """Code, difference, curve and drawing of a candidate."""
    one = next((each for each in known if each.n == n), None)
    if one is None:
        return [_NO_CODE, _NOTHING, empty_figure(_NOTHING), empty_figure(_NOTHING)]
    curve = learning_curve(one.epochs, one.metric_name, empty=f"not trained: say “train {one.n}”")
    return [one.source, talk.changes(one, known), curve, architecture(one.source)]


def _offer(offers: tuple[str, ...], n: int, running: bool) -> Any:
    known = n < len(offers) and not running
    return gr.Button(offers[n] if known else "", visible=known)


def _progress(turn: Turn | None) -> str:
    if turn is None:
        return ""
    return f"⚠ {text.shown(turn.error)}" if turn.error else f"⏳ {turn.stands()}"


def _signature(history: tuple[Message, ...], turn: Turn | None) -> str:
    """Equal as long as nothing was said and no turn has begun or ended."""
    return f"{len(history)} {turn is not None and not turn.ended} {turn is not None and turn.error}"
