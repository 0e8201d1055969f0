"""``netwright chat``: design requests as a conversation in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from ...memory.home import home
from ...memory.records import Records
from .choosing import ConfigOption, SetOption
from .console import INTERRUPTED, JsonFlag, err, explain, fail, graceful_stop, guarded, out, print_json
from .talk_view import TurnView, harmless

if TYPE_CHECKING:
    from ...graphs.turns import Conversation, Reply

COMMANDS = """\
/code N         the source of network N          /save N FILE   write it to a file
/threads        all conversations                /history       what was said in this one
/help           what can be said                 /quit          leave; --thread goes on later"""
_EXITS = {"refusal": 1, "failed": 1, "stopped": INTERRUPTED}


@guarded
def chat(
    thread: Annotated[
        str | None, typer.Option("--thread", "-t", help="Go on with this conversation, or begin one under this id.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Begin a conversation; default: go on with the newest.")] = False,
    list_them: Annotated[bool, typer.Option("--list", help="List the conversations and end.")] = False,
    say: Annotated[
        list[str] | None, typer.Option("--say", help="Say this, print the answer and end. Repeated: said in order.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve whatever asks for approval.")] = False,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Design networks in conversation: say what you need, then "smaller", "use attention", "train it", …

    Reads lines from standard input where that is no terminal. Exit code of --say: 1 for a refusal or a failure.
    """
    from ...graphs.config import load_config
    from ...graphs.locking import CampaignBusy
    from ...graphs.talking import list_threads, open_conversation

    if new and thread is not None:
        fail("--new begins a conversation under an id of its own: leave it out, or leave --thread", as_json=as_json)
    settings = load_config(config, overrides or ())
    with Records() as records:
        threads = list_threads(records)
        if list_them:
            _print_threads(threads, as_json)
            return
        name = thread or (threads[0].thread if threads and not new else None)
        with ExitStack() as stack:
            approve: Literal["always", "ask"] = "always" if yes else "ask"
            try:
                conversation = stack.enter_context(open_conversation(settings, records, name, approve=approve))
            except CampaignBusy as busy:
                if thread is not None:
                    raise
                err.print(f"[yellow]{escape(str(busy))}; this is a new conversation[/]")
                conversation = stack.enter_context(open_conversation(settings, records, approve=approve))
            session = _Session(conversation, records, as_json)
            if not say:
                session.loop()
            for message in say or ():
                reply = session.turn(message)
                # What comes after a message that was not done may mean something else without it.
                if reply is None or reply.kind in _EXITS:
                    raise typer.Exit(_EXITS[reply.kind] if reply else INTERRUPTED)
                if session.asked_to_stop:
                    raise typer.Exit(INTERRUPTED)


class _Session:
    """One conversation at the terminal."""

    def __init__(self, conversation: Conversation, records: Records, as_json: bool) -> None:
        self.conversation = conversation
        self.records = records
        self.as_json = as_json
        self.asks = sys.stdin.isatty() and not as_json
        self.asked_to_stop = False

    def loop(self) -> None:
        """Take messages until there are no more."""
        if self.asks:
            self._greet()
        for line in _lines(self.asks):
            said = line.strip()
            if said in ("/quit", "/exit", "/q"):
                return
            if said.startswith("/"):
                self._command(said)
            elif said:
                self.turn(said)

    def turn(self, said: str) -> Reply | None:
        """Say one message and print the answer; ``None`` where it was interrupted at once."""
        from langgraph.runtime import RunControl

        control = RunControl()
        try:
            with graceful_stop(control.request_drain), TurnView(hidden=self.as_json) as view:
                reply = self.conversation.say(said, notify=view, control=control)
        except KeyboardInterrupt:
            err.print("[yellow]interrupted at once; 'go on' goes on from what is on record[/]")
            return None
        self._print(reply)
        self.asked_to_stop = control.drain_requested
        return reply

    def _print(self, reply: Reply) -> None:
        if self.as_json:
            print_json({"ok": reply.kind not in _EXITS, "thread": self.conversation.thread, **_plain(reply)})
        else:
            out.print(Markdown(harmless(reply.text)))
            out.print()

    def _greet(self) -> None:
        out.print(f"[dim]conversation {self.conversation.thread}; /help says what can be said, /quit leaves[/]")
        history = self.conversation.history()
        if history and history[-1].reply is not None:
            out.print(Markdown(harmless(history[-1].text)))
        elif history:
            out.print(f"[yellow]the last turn was cut off: {escape(harmless(history[-1].text))}[/]; say 'go on'")

    def _command(self, line: str) -> None:
        name, *rest = line[1:].split(maxsplit=2)
        if name == "help":
            out.print(COMMANDS, markup=False)
            self.turn("help")
        elif name == "threads":
            from ...graphs.talking import list_threads

            _print_threads(list_threads(self.records), self.as_json)
        elif name == "history":
            self._history()
        elif name in ("code", "save") and rest:
            self._source(name, rest)
        else:
            err.print(f"[bold red]error[/]: no command {escape(line)}; there are:\n{escape(COMMANDS)}", highlight=False)

    def _history(self) -> None:
        for message in self.conversation.history():
            who = "you" if message.role == "person" else "netwright"
            out.print(f"[bold]{who}[/] [dim]{escape(message.at)}[/]")
            out.print(Markdown(harmless(message.text)))

    def _source(self, name: str, rest: list[str]) -> None:
        """Print or write the source of a network that was shown."""
        shown = {one.n: one for m in self.conversation.history() if m.reply for one in m.reply.shown}
        number = rest[0].lstrip("#")
        one = shown.get(int(number)) if number.isdecimal() else None
        if one is None:
            known = f"there are 1 to {max(shown)}" if shown else "none has been shown yet"
            err.print(f"[bold red]error[/]: no network {escape(rest[0])}: {known}", highlight=False)
        elif name == "code":
            typer.echo(harmless(one.source))
        elif len(rest) < 2:
            err.print("[bold red]error[/]: /save N FILE needs the name of a file", highlight=False)
        else:
            try:
                Path(rest[1]).expanduser().write_text(one.source, encoding="utf-8")
            except OSError as error:
                err.print(f"[bold red]error[/]: {escape(explain(error) or str(error))}", highlight=False)
            else:
                out.print(f"written to {rest[1]}", markup=False, soft_wrap=True)


def _plain(reply: Reply) -> dict[str, Any]:
    return reply.model_dump(mode="json")


def _print_threads(threads: list[Any], as_json: bool) -> None:
    if as_json:
        print_json([one.model_dump(mode="json") for one in threads])
        return
    table = Table("conversation", "first words", "last", "state")
    for one in threads:
        table.add_row(one.thread, escape(harmless(one.first)), one.at[:16].replace("T", " "), one.state)
    out.print(table if threads else "no conversation yet: netwright chat")


def _lines(asks: bool) -> Iterator[str]:
    """Messages: typed at a prompt with a history, or the lines of standard input."""
    if not asks:
        yield from sys.stdin
        return
    with _typed_before():
        while True:
            try:
                yield input("you> ")
            except EOFError:
                out.print()
                return
            except KeyboardInterrupt:
                out.print("\n[dim]/quit leaves[/]")


@contextmanager
def _typed_before() -> Iterator[None]:
    """The history of what was typed, kept in the data directory."""
    try:
        import readline
    except ImportError:  # Python without GNU readline: typing works, without a history
        yield
        return
    path = home() / "chat_history"
    with suppress(OSError):  # none yet
        readline.read_history_file(path)
    try:
        yield
    finally:
        path.touch(mode=0o600)
        readline.set_history_length(1000)
        readline.write_history_file(path)
