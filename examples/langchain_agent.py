"""A LangChain agent with netwright's tools over MCP: ``python examples/langchain_agent.py [--model NAME]``.

By default a scripted model plays the agent, so that it runs with no key: it has a network written, validates it and has
it trained, each time from the result before. ``--model`` takes any LangChain name (``openai:gpt-…``,
``anthropic:claude-…``), whose key is in its environment variable, or ``nano`` and ``smollm2``, netwright's own, which
cannot call tools and say so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from netwright.agents.models import ModelConfig, open_chat_model
from netwright.agents.models.scripted_tools import ScriptedToolCaller, tool_call

ASKED = "Get me a working network for handwritten digits with at most 20,000 parameters and tell me its accuracy."
SERVER: dict[str, Any] = {
    "transport": "stdio",
    "command": sys.executable,
    "args": ["-m", "netwright.interfaces.cli.main", "mcp"],
    "env": dict(os.environ),
}


def script(messages: Sequence[BaseMessage], seed: int | None, position: int) -> str:
    """What the scripted agent says next: it looks at the results so far, as a model would."""
    results = [json.loads(told(message)) for message in messages if isinstance(message, ToolMessage)]
    if not results:
        return tool_call("generate", dataset="digits", max_params=20_000, style="residual", seed=3)
    network = results[0]["networks"][0]
    if len(results) == 1:
        return tool_call("validate", source=network["source"], dataset="digits", max_params=20_000)
    if len(results) == 2:
        return tool_call("evaluate", source=network["source"], dataset="digits")
    judged, trained = results[1], results[2]
    return f"A {network['style']} network of {judged['params']:,} parameters reaches {trained['metric']:.1%}."


def told(message: BaseMessage) -> str:
    """The text of a message."""
    if isinstance(message.content, str):
        return message.content
    return "".join(block["text"] for block in message.content if isinstance(block, dict) and block["type"] == "text")


def chat_model(name: str) -> BaseChatModel:
    """The model that plays the agent."""
    if name == "scripted":
        return ScriptedToolCaller.from_function(script)
    if name in ("nano", "smollm2"):
        return open_chat_model(ModelConfig(name=name)).model
    return init_chat_model(name)


async def main(name: str) -> None:
    model = chat_model(name)
    try:
        model.bind_tools([])
    except NotImplementedError:
        sys.exit(f"{name} cannot call tools, it only writes programs: name a model that can by --model")
    client = MultiServerMCPClient({"netwright": SERVER})  # type: ignore[dict-item]
    # One session for all calls: without it the adapters start a server for each.
    async with client.session("netwright") as session:
        tools = await load_mcp_tools(session)
        print(f"{len(tools)} tools")
        agent = create_agent(model, tools)
        async for step in agent.astream({"messages": [("user", ASKED)]}, stream_mode="updates"):
            for update in step.values():
                show(update["messages"])


def show(messages: Sequence[BaseMessage]) -> None:
    """Print what the agent did in a step."""
    for message in messages:
        if isinstance(message, AIMessage) and message.tool_calls:
            print("calls " + ", ".join(call["name"] for call in message.tool_calls))
        elif isinstance(message, ToolMessage):
            print(f"  {message.name} answers {len(told(message)):,} characters")
        else:
            print(told(message))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=ASKED)
    parser.add_argument("--model", default="scripted", help="scripted, nano, smollm2 or a LangChain name")
    asyncio.run(main(parser.parse_args().model))
