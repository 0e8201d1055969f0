"""What the tabs share: gradio, and how an error that is expected reaches the person."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr

from ...cli.console import explain
from ..turn_board import BoardFull

P = ParamSpec("P")
T = TypeVar("T")

PRIVATE = "private"
"""No event of the app is a named API: other programs use ``netwright serve`` and ``netwright mcp``."""


def told(work: Callable[P, T]) -> Callable[P, T]:
    """Let expected errors end as a message in the page; faults of the program go on to the log with their traceback."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except BoardFull as error:
            raise gr.Error(str(error), print_exception=False) from error
        except gr.Error:
            raise
        except Exception as error:
            message = explain(error)
            if message is None:
                raise
            # Gradio shows errors as HTML; a message may hold what a model wrote.
            raise gr.Error(_escaped(message), print_exception=False) from error

    return run


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
