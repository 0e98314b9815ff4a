"""A server that is a process: JSON-RPC by line over its stdin and stdout.

The ``mcp`` package has a transport of its own, which ends with the first line that is no UTF-8,
logs what the server writes, and takes a time that grows with the square of a message's length.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter

from claude_nb.characters import clean, wellformed_escapes
from claude_nb.redaction import redact_error

MAX_MESSAGE = 100_000_000
"""Bytes of a message at most: a server that sends a longer one is ended."""

_STDERR = 8_000
"""Bytes of a server's stderr that are kept, from its end."""

_LINE = 200
"""Bytes of a line that are kept."""

_CHUNK = 1 << 18
_GRACE = 1.0
"""Seconds for a server to end by itself, once its stdin is closed; and again after SIGTERM."""

_INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TZ", "LANG", "LC_ALL"),
    *("LC_CTYPE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "VIRTUAL_ENV"),
    *("PYTHONPATH",),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("APPDATA", "LOCALAPPDATA", "USERPROFILE", "USERNAME", "HOMEDRIVE", "HOMEPATH", "TEMP", "TMP"),
    *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "PROGRAMDATA", "PROGRAMFILES"),
)
"""Variables of the environment that a server gets: what programs need to find their files."""


_OWN_PYTHON = ("python", "python3", f"python3.{sys.version_info.minor}")
"""Commands that stand for the Python of this process, as in a kernel's spec: it may not be in the
path, and it has the packages of the notebook."""


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server: of ours what is harmless and holds no credential.

    Args:
        own: What the user sets for it, which is passed on as it is.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {n: value for n, value in inherited.items() if redact_error(value) == value} | {**own}


class Output:
    """What a server's process wrote beside its messages, for an error."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._line = b""
        self._note: str | None = None

    def take_stderr(self, chunk: bytes) -> None:
        """Keep the end of its stderr."""
        self._chunks.append(chunk[-_STDERR:])
        self._size += len(self._chunks[-1])
        while self._size - len(self._chunks[0]) >= _STDERR:
            self._size -= len(self._chunks.popleft())

    def take_line(self, line: bytes) -> None:
        """Keep the first line of its stdout that is no message."""
        self._line = self._line or line.strip()[:_LINE]

    def take_end(self, note: str) -> None:
        """Keep why it ended; empty where we end it."""
        self._note = note if self._note is None else self._note

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self._note is not None

    @property
    def text(self) -> str:
        """All of it in a few lines, without credentials and control characters."""
        stderr = b"".join(self._chunks)[-_STDERR:].decode(errors="replace").strip()
        line = self._line.decode(errors="replace")
        told = (
            self._note or "",
            f"It wrote this to stdout, which is for MCP messages only: {line}" if line else "",
            f"It wrote this to stderr: {stderr}" if stderr else "",
        )
        return clean(redact_error("\n".join(filter(None, told))))


@asynccontextmanager
async def stdio(
    words: Sequence[str], env: Mapping[str, str], folder: str, output: Output
) -> AsyncIterator[tuple[Any, Any]]:
    """Start a server, and end it with the context.

    Args:
        words: Its command line; ``python`` is the Python of this process.
        env: Its environment.
        folder: Where it is started.
        output: Takes what else it writes.

    Yields:
        A stream of its messages, and one for those to it, as ``mcp.Client`` takes them.

    Raises:
        OSError: The command cannot be started.
    """
    pipe = asyncio.subprocess.PIPE
    command, *arguments = words
    process = await asyncio.create_subprocess_exec(
        sys.executable if command in _OWN_PYTHON else command,
        *arguments,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=dict(env),
        cwd=folder,
        limit=_CHUNK,
        start_new_session=True,  # what interrupts the kernel is not for the server
    )
    to_us, messages = anyio.create_memory_object_stream[SessionMessage](0)
    answers, from_us = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(_read(process, to_us, output)),
        asyncio.create_task(_write(process.stdin, from_us)),
        asyncio.create_task(_keep(process.stderr, output)),
    ]
    try:
        yield messages, answers
    finally:
        output.take_end("")
        for stream in (messages, answers):
            stream.close()
        ending = asyncio.ensure_future(_end(process))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending  # it takes seconds at most, and a process must not stay
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for stream in (to_us, from_us):
                stream.close()


async def _read(process: Any, to_us: Any, output: Output) -> None:
    """Pass the messages on; what comes after the last one is read too, so that nothing blocks."""
    with to_us, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        await _read_lines(process, to_us, output)
    while await process.stdout.read(_CHUNK):
        pass


async def _read_lines(process: Any, to_us: Any, output: Output) -> None:
    """Pass each line on that is a message; what else a server prints is left out."""
    parts: list[bytes] = []
    size = 0
    while chunk := await process.stdout.read(_CHUNK):
        first, *more = chunk.split(b"\n")
        parts.append(first)
        size += len(first)
        for after in more:
            await _pass_on(b"".join(parts), to_us, output)
            parts, size = [after], len(after)
        if size > MAX_MESSAGE:
            output.take_end(f"It sent a message of more than {MAX_MESSAGE // 10**6} MB.")
            return
    code = await process.wait()
    output.take_end(f"It ended with exit code {code}." if code >= 0 else _killed(-code))


def _killed(number: int) -> str:
    with suppress(ValueError):
        return f"{signal.Signals(number).name} ended it."
    return f"Signal {number} ended it."


async def _pass_on(line: bytes, to_us: Any, output: Output) -> None:
    try:
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        message = _mended(line)
        if message is None:
            output.take_line(line)
            return
    await to_us.send(SessionMessage(message))


def _mended(line: bytes) -> Any:
    """What a line stands for that is nearly a message, so that nobody waits for it in vain.

    Returns:
        The message with halves of characters replaced; for an answer of another form an error; None
        for anything else.
    """
    with suppress(ValueError, RecursionError):
        source = wellformed_escapes(line.decode(errors="replace"))
        with suppress(ValueError):
            return jsonrpc_message_adapter.validate_json(source, by_name=False)
        value = json.loads(source)
        if isinstance(value, dict) and isinstance(value.get("id"), (int, str)):
            what = ErrorData(code=PARSE_ERROR, message="an answer that is not JSON-RPC")
            return JSONRPCError(jsonrpc="2.0", id=value["id"], error=what)
    return None


async def _write(stdin: Any, from_us: Any) -> None:
    with from_us, suppress(OSError):  # it ended: the reader sees that too
        async for item in from_us:
            line = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            stdin.write(line.encode() + b"\n")
            await stdin.drain()


async def _keep(stream: Any, output: Output) -> None:
    while chunk := await stream.read(_CHUNK):
        output.take_stderr(chunk)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its stdin, as the specification has it; end it, and what it started, if that fails."""
    if process.stdin is not None:
        process.stdin.close()
    for stop in ("SIGTERM", "SIGKILL"):
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE)
            return
        with suppress(OSError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.Signals[stop])
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _GRACE)
