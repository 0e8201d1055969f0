"""A plain MCP client: ``python examples/mcp_client.py``.

Starts ``netwright mcp`` as its server over standard input and output, lists the tools, lets one write a network, has it
trained while the progress is printed, and cancels a second training on its way.
"""

from __future__ import annotations

import asyncio
import os
import sys

from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.stdio import stdio_client

SERVER = StdioServerParameters(
    command=sys.executable, args=["-m", "netwright.interfaces.cli.main", "mcp"], env=dict(os.environ)
)


async def show(done: float, total: float | None, message: str | None) -> None:
    """Print how far a call is."""
    print(f"  {done:.0f}{f' of {total:.0f}' if total else ''}: {message}")


async def cancelled_training(session: ClientSession, source: str) -> str:
    """Ask for a long training and take the request back when it has begun; what the server answers."""
    begun = asyncio.Event()

    async def seen(done: float, total: float | None, message: str | None) -> None:
        begun.set()

    request = session._request_id  # the SDK numbers requests and has no name for the next one
    arguments = {"source": source, "epochs": 1000, "time_limit_s": 3600}
    call = asyncio.create_task(session.call_tool("evaluate", arguments, progress_callback=seen))
    await begun.wait()
    params = types.CancelledNotificationParams(requestId=request, reason="changed my mind")
    await session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))
    try:
        await call
    except McpError as error:
        return str(error)
    return "it was too late"


async def main() -> None:
    async with stdio_client(SERVER) as (reads, writes), ClientSession(reads, writes) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        print(f"{len(tools)} tools: {', '.join(tool.name for tool in tools)}")

        written = await session.call_tool("generate", {"dataset": "digits", "max_params": 20_000, "seed": 1})
        assert written.structuredContent is not None
        network = written.structuredContent["networks"][0]
        print(f"a {network['style']} network of {network['params']} parameters; training it:")

        trained = await session.call_tool("evaluate", {"source": network["source"]}, progress_callback=show)
        assert trained.structuredContent is not None, trained.content
        print(f"accuracy {trained.structuredContent['metric']:.3f}")

        print(f"a second training: {await cancelled_training(session, network['source'])}")
        newest = await session.call_tool("list_jobs", {"limit": 1})
        assert newest.structuredContent is not None
        job = newest.structuredContent["jobs"][0]["id"]
        ended = await session.call_tool("job_status", {"id": job, "wait_s": 10})
        assert ended.structuredContent is not None
        print(f"its job is {ended.structuredContent['state']}")

        wrong = await session.call_tool("validate", {"dataset": "digits"})
        assert isinstance(wrong.content[0], types.TextContent)
        print(f"an error: {wrong.content[0].text}")


if __name__ == "__main__":
    asyncio.run(main())
