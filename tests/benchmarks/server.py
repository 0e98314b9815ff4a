"""A server that costs next to nothing: it sends replies that were rendered beforehand.

A process of its own, with one connection at a time in mind. The prompt of a request says what to
send: ``KIND COUNT SIZE RATE``, as in ``mixed 16000 4 0``: so many deltas of so many characters, at
so many a second, or as fast as the client takes them (0). Each event is an HTTP chunk of its own,
as the API sends it. ``GET /sent`` gives the ``time.monotonic()`` at which each delta of the last
reply was written: a clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from functools import lru_cache
from typing import Any, Self

from tests.benchmarks.texts import deltas

MODEL = "claude-opus-5-5"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nrequest-id: req_0\r\n%s\r\n\r\n"
_BATCH = 256
"""Deltas in one write where nothing paces them."""


def _chunk(event: dict[str, Any]) -> bytes:
    body = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(body), body)


@lru_cache(8)
def reply(kind: str, count: int, size: int) -> tuple[bytes, list[bytes], bytes]:
    """What stands before the deltas, the deltas, and what stands behind them."""
    usage = {"input_tokens": 10, "output_tokens": 1}
    message = {
        "id": "msg_0",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    block: dict[str, Any] = {"type": "text", "text": ""}
    delta, field, reason = "text_delta", "text", "end_turn"
    if kind == "tool":
        block = {"type": "tool_use", "id": "toolu_0", "name": "save", "input": {}}
        delta, field, reason = "input_json_delta", "partial_json", "tool_use"
    before = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
    ]
    after = [
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {"output_tokens": count},
        },
        {"type": "message_stop"},
    ]
    middle = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": delta, field: text}}
        for text in deltas(kind, count, size)
    ]
    end = b"".join(map(_chunk, after)) + b"0\r\n\r\n"
    return b"".join(map(_chunk, before)), list(map(_chunk, middle)), end


class _Server:
    def __init__(self) -> None:
        self._sent: list[float] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as long as it asks."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if head.startswith(b"get /sent"):
                    body = json.dumps(self._sent).encode()
                    writer.write(_HEAD % (b"application/json", b"content-length: %d" % len(body)))
                    writer.write(body)
                else:
                    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                    asked = json.loads(await reader.readexactly(length))
                    await self._answer(asked["messages"][-1]["content"], writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, prompt: str, writer: asyncio.StreamWriter) -> None:
        kind, *numbers = prompt.split()
        count, size, rate = map(int, numbers)
        before, middle, after = reply(kind, count, size)
        self._sent = sent = []
        writer.write(_HEAD % (b"text/event-stream", b"transfer-encoding: chunked") + before)
        start = time.monotonic()
        if rate:
            for number, chunk in enumerate(middle):
                wait = start + number / rate - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                sent.append(time.monotonic())
                writer.write(chunk)
        else:
            for number in range(0, count, _BATCH):
                batch = middle[number : number + _BATCH]
                sent += [time.monotonic()] * len(batch)
                writer.write(b"".join(batch))
                await writer.drain()
        writer.write(after)


async def _main() -> None:
    server = await asyncio.start_server(_Server().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Replies:
    """The server's process.

    Attributes:
        url: Where it listens.
    """

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", __spec__.name]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def sent(self) -> list[float]:
        """When each delta of the last reply was written."""
        with urllib.request.urlopen(f"{self.url}/sent") as answer:
            return json.load(answer)


if __name__ == "__main__":
    asyncio.run(_main())
