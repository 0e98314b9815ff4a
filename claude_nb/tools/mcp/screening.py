"""Lists of tools, screened: for a malformed one the ``mcp`` package would refuse them all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse, Tool, methods
from mcp_types.version import LATEST_HANDSHAKE_VERSION


@asynccontextmanager
async def screened(
    transport: AbstractAsyncContextManager[tuple[Any, Any]], left_out: Callable[[str, str], object]
) -> AsyncIterator[tuple[Any, Any]]:
    """A transport whose lists of tools hold only what is a tool.

    Args:
        transport: One of the ``mcp`` package's, or ``stdio``.
        left_out: Called with the name of each other one, and why it is none.

    Yields:
        Its streams.
    """
    async with transport as (received, sent):
        to_us, messages = anyio.create_memory_object_stream[Any](0)
        passing = asyncio.create_task(_pass_on(received, to_us, left_out))
        try:
            yield messages, sent
        finally:
            messages.close()
            passing.cancel()
            await asyncio.wait([passing])
            to_us.close()


async def _pass_on(received: Any, to_us: Any, left_out: Callable[[str, str], object]) -> None:
    with to_us, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        async for item in received:
            message = item.message if isinstance(item, SessionMessage) else None
            result = message.result if isinstance(message, JSONRPCResponse) else {}
            if isinstance(tools := result.get("tools"), list):
                for tool in tools:
                    if isinstance(tool, dict):
                        # Results would be checked against it, by a library that takes seconds to
                        # load, and with patterns that can take for ever.
                        tool.pop("outputSchema", None)
                result["tools"] = [tool for tool in tools if _is_tool(tool, left_out)]
            await to_us.send(item)


def _is_tool(value: Any, left_out: Callable[[str, str], object]) -> bool:
    name = str(value.get("name") or "?") if isinstance(value, dict) else "?"
    try:
        tool = Tool.model_validate(value, by_name=False)
        if tool.input_schema.get("type") != "object":
            left_out(name, "Its input schema is not an object.")
            return False
        methods.validate_server_result(
            "tools/list", LATEST_HANDSHAKE_VERSION, {"tools": [value]}
        )  # which is stricter
    except ValueError:
        left_out(name, "Its description does not follow MCP.")
        return False
    return True
