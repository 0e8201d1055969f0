"""A scripted model that calls tools: agents run with it in tests and demonstrations, with no key and no weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from .batched import Reply
from .scripted import ScriptedChatModel


def tool_call(name: str, **arguments: Any) -> str:
    """The answer by which a scripted model calls a tool."""
    return json.dumps({"tool": name, "arguments": arguments})


class ScriptedToolCaller(ScriptedChatModel):
    """A :class:`ScriptedChatModel` whose answers of the form :func:`tool_call` are tool calls, all others text.

    It only calls what was bound to it.
    """

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with these tools; which of them is called, the script says."""
        names = [convert_to_openai_tool(tool)["function"]["name"] for tool in tools]
        return self.bind(tool_names=names, **kwargs)

    def reply(self, conversations: list[Any], **options: Any) -> list[Reply]:
        """Answers from the script.

        Raises:
            ValueError: an answer calls a tool that is not bound.
        """
        bound, replies = options.get("tool_names", ()), super().reply(conversations, **options)
        for one in replies:
            called = _called(one.text)
            if called is not None and called["tool"] not in bound:
                raise ValueError(f"the script calls {called['tool']}, which is none of the bound tools: {bound}")
        return replies

    def _result(self, reply: Reply, stop: list[str] | None) -> ChatResult:
        result, called = super()._result(reply, stop), _called(reply.text)
        message = result.generations[0].message
        if called is not None and isinstance(message, AIMessage):
            message.content = ""
            key = f"call-{self._used}-{len(self._calls)}"
            message.tool_calls = [{"name": called["tool"], "args": called["arguments"], "id": key, "type": "tool_call"}]
        return result


def _called(text: str) -> dict[str, Any] | None:
    """The tool that an answer calls; ``None`` where it is text."""
    if not text.startswith('{"tool":'):
        return None
    called: dict[str, Any] = json.loads(text)
    return called
