"""A server of tools over HTTP for tests, on a free port, which it prints; so does ``hang``."""

from __future__ import annotations

import base64
import socket
import sys

import anyio
import uvicorn
from mcp.server.mcpserver import Image, MCPServer

from tests.tools.mcp.stdio_server import PNG

server = MCPServer("pictures")


@server.tool()
def picture(subject: str) -> Image:
    """Draw a picture."""
    return Image(data=base64.b64decode(PNG), format="png")


@server.tool()
async def hang() -> str:
    """Never answer."""
    print("hangs", flush=True)
    try:
        await anyio.sleep_forever()
    finally:
        print("cancelled", flush=True)


def main() -> None:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 0))
    print(sock.getsockname()[1], flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_level="critical")
    uvicorn.Server(config).run(sockets=[sock])


if __name__ == "__main__":
    main()
