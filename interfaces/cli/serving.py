"""``netwright serve-model``: serve a language model on this machine by vLLM."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from .console import JsonFlag, err, fail, graceful_stop, guarded, out, print_json

if TYPE_CHECKING:
    from ...agents.models.config import ModelConfig
    from ...tools.serving.environment import ServeEnvironment
    from ...tools.serving.server import ServerState
    from ...tools.serving.settings import ServeKind, ServeSpec


class Backend(StrEnum):
    """What can serve a model."""

    VLLM = "vllm"


@guarded
def serve_model(
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="nano, smollm2, a folder or owner/name; default: nano.")
    ] = None,
    backend: Annotated[Backend, typer.Option("--backend", help="What serves it.")] = Backend.VLLM,
    adapter: Annotated[Path | None, typer.Option("--adapter", help="LoRA adapter to load beside the model.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default: a free one.")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="A field of the model, e.g. model.serving.context=4096."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Leave the server running and return.")] = False,
    status: Annotated[bool, typer.Option("--status", help="List the servers that run.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop servers: of this --model or --port, or all.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Stop such servers and start them again.")] = False,
    prepare: Annotated[bool, typer.Option("--prepare", help="Make the environment with vLLM and return.")] = False,
    gpus: Annotated[
        int | None, typer.Option("--plan", metavar="GPUS", min=0, help="Print what a machine with GPUS would run.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Serve a language model by vLLM on 127.0.0.1, behind a key; adapters can be loaded while it runs.

    Makes an environment of its own for vLLM the first time (gigabytes: some minutes).
    """
    from ...tools.serving.environment import kind_here

    if sum((detach, status, stop, restart, prepare, gpus is not None)) > 1:
        fail("give one of --detach, --status, --stop, --restart, --prepare and --plan", as_json=as_json)
    if status or stop or restart:
        _running(model, port, "status" if status else "stop" if stop else "restart", as_json)
        return
    config = _config(model, port, overrides or [])
    if gpus is not None:
        _plan(config, gpus, as_json)
        return
    if prepare:
        folder = _environment(kind_here(config.serving.device), as_json).folder
        _tell({"environment": str(folder)}, f"vLLM is in {folder}", as_json)
        return
    spec, adapter = _checked(config, adapter or config.adapter)
    _serve(spec, _environment(spec.kind, as_json), adapter, detach=detach, as_json=as_json)


def _config(model: str | None, port: int | None, overrides: list[str]) -> ModelConfig:
    """The model's configuration, with a folder as its path; the embedded models' names are no folders."""
    from ...agents.models.config import NANO, SMOLLM2
    from ...graphs.config import ConfigError, load_config

    tree: dict[str, Any] = {}
    if model is not None:
        folder = Path(model).expanduser().resolve()
        named = model not in {NANO, SMOLLM2} and folder.is_dir()
        tree = {"name": folder.name, "path": str(folder)} if named else {"name": model}
    for override in overrides:
        if not override.startswith("model."):
            raise ConfigError(f"--set {override} says nothing of the model: give a field such as model.serving.context")
    if port is not None:
        overrides = [*overrides, f"model.serving.port={port}"]
    return load_config(overrides=overrides, base={"model": tree}).model


def _checked(config: ModelConfig, adapter: Path | None) -> tuple[ServeSpec, Path | None]:
    """What is served; what is not there is refused before the environment is made."""
    from ...agents.models.factory import serve_spec
    from ...tools.serving.adapters import adapter_name

    spec = serve_spec(config)
    if adapter is not None:
        adapter_name(adapter)
    return spec, adapter


def _plan(config: ModelConfig, gpus: int, as_json: bool) -> None:
    from ...agents.models.folders import folder_here
    from ...tools.serving.plan import plan

    folder = folder_here(config)
    found = plan(str(folder or config.name), gpus, name=config.name, settings=config.serving)
    _tell(found.model_dump(mode="json"), found.script(), as_json)


def _environment(kind: ServeKind, as_json: bool) -> ServeEnvironment:
    from ...tools.serving.environment import make_environment
    from .live import activity

    with activity("the environment for vLLM", hidden=as_json):
        return make_environment(kind, lambda line: None if as_json else err.print(escape(line), highlight=False))


def _serve(
    spec: ServeSpec, environment: ServeEnvironment, adapter: Path | None, *, detach: bool, as_json: bool
) -> None:
    """Start the server, or take the one that runs already, and stay with it unless it is to be left."""
    from ...tools.serving.adapters import AdapterSwap
    from ...tools.serving.server import find_server, start_server, stop_server, wait_ready
    from .live import activity

    found = find_server(spec)
    state, left = found or start_server(spec, environment, owned=not detach), found is not None
    try:
        with activity(f"loading {spec.name}", hidden=as_json):
            wait_ready(state)
        names = [spec.name]
        if adapter is not None:
            with closing(state.connect()) as connection:
                names.append(AdapterSwap(connection, spec.name).put_on(adapter))
        row = _row(state) | {"names": names, "reused": found is not None}
        line = f"{' and '.join(names)} at {state.url}; the key is in {state.key_file}"
        left = left or detach
        if left:
            _tell(row, line, as_json)
        else:
            _stay(state, lambda: _tell(row, line, as_json))
    finally:
        if not left:
            stop_server(state)


def _stay(state: ServerState, tell: Callable[[], None]) -> None:
    """Tell where the server is, and stay until Ctrl-C, SIGTERM or the server's own end."""
    asked = threading.Event()
    with graceful_stop(lambda name: asked.set()):
        tell()
        while not asked.wait(1.0):
            if not state.alive:
                fail(f"the model server ended:\n{state.log_tail()}")


def _running(model: str | None, port: int | None, action: str, as_json: bool) -> None:
    from ...tools.serving.environment import ServeEnvironment
    from ...tools.serving.server import servers, start_server, stop_server, wait_ready

    named = None if model is None else {model, str(Path(model).expanduser().resolve())}
    chosen = [s for s in servers() if port in (None, s.port) and (named is None or {s.name, s.model} & named)]
    owned = next((state for state in chosen if state.owner is not None), None)
    if action == "restart" and owned is not None:
        fail(f"the server at {owned.url} belongs to process {owned.owner}: end that one instead", as_json=as_json)
    if action != "status":
        for state in chosen:
            stop_server(state)
    if action == "restart":
        again = []
        for state in chosen:
            spec = state.spec.model_copy(update={"settings": state.settings.model_copy(update={"port": state.port})})
            environment = ServeEnvironment(state.kind, Path(state.python).parents[1])
            again.append(start_server(spec, environment, owned=False))
        for state in again:
            wait_ready(state)
        chosen = again
    rows = [_row(state, ask=action == "status") for state in chosen]
    if as_json:
        print_json({"servers": rows} if action == "status" else {"ok": True, action: rows})
    elif not rows:
        out.print("no server is running")
    else:
        out.print(_table(rows))


def _row(state: ServerState, *, ask: bool = False) -> dict[str, Any]:
    row: dict[str, Any] = {
        "model": state.name,
        "folder": state.model,
        "device": state.kind,
        "url": state.url,
        "key_file": str(state.key_file),
        "log": str(state.log),
        "pid": state.pid,
        "owner": state.owner,
    }
    if ask:
        with closing(state.connect()) as connection:
            row["healthy"] = connection.healthy()
            row["names"] = list(connection.models()) if row["healthy"] else []
    return row


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("model", "device", "address", "answers", "names", "log")
    table.columns[-1].overflow = "fold"
    for row in rows:
        healthy = {True: "yes", False: "not yet", None: "–"}[row.get("healthy")]
        names = ", ".join(row.get("names", []))
        table.add_row(escape(row["model"]), row["device"], row["url"], healthy, escape(names), escape(row["log"]))
    return table


def _tell(document: dict[str, Any], line: str, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        out.print(escape(line), soft_wrap=True, highlight=False)
