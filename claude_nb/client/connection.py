"""The SDK's client, and its errors in our words.

With ``source`` and ``batch_api``, the only modules that use the SDK. Its import takes more than a
second: it is done while the kernel is idle (``preload``), or when a request needs it.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import os
import re
import sys
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from claude_nb.errors import (
    ClaudeError,
    CredentialsError,
    DroppedError,
    InputError,
    MalformedError,
    OverloadedError,
    RateLimitError,
    RequestError,
    ServerError,
    SpendLimitError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anthropic import APIStatusError, AsyncAnthropic

    from claude_nb.simulator import Simulator

_READ_TIMEOUT = 90.0
"""Seconds of silence after which a stream counts as lost; the server's pings count as sound. A
user's own client has its own."""

CONNECT_TIMEOUT = 10.0

_API = "https://api.anthropic.com"
"""Where the SDK sends requests if nothing says otherwise: its ``AsyncAnthropic``."""

_LIST_TIMEOUT = 10.0
"""Seconds that a list of models may take: what we know ourselves is shown without it."""

_AMBIENT = re.compile(r"ANTHROPIC_|SSL_CERT_|\w+_PROXY$", re.IGNORECASE)
"""The environment variables that the SDK and its network library read."""

_DUMMY_KEY = "simulated"

_COUNTED = (
    "cache_control",
    "messages",
    "model",
    "output_config",
    "system",
    "thinking",
    "tool_choice",
    "tools",
)
"""What ``messages.count_tokens`` takes of the arguments of ``messages.create``."""

_LOCAL = ("127.0.0.1", "localhost", "::1")

SERVER = "claude_nb-simulator"
"""The simulator's ``Server`` header."""

_NO_KEY = (
    "Type %claude_nb key to enter one (it is kept in memory only), or set ANTHROPIC_API_KEY before"
    " starting Jupyter. To try it without a key: %claude_nb simulate on"
)

_NO_SUCH_PLACE = (404, 405, 501)
"""What servers answer that do not know an address."""

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
}
"""What a status means where a proxy answered without the API's words: documentation, "Errors"."""

_ADVICE = {
    "invalid_request_error": "Change what the message names, and run the cell again.",
    "authentication_error": "Check the key: %claude_nb key asks for another one; for a server that"
    " you connected, --key-env names its variable.",
    "billing_error": "Check the plan and the credit of the organisation in the Console.",
    "permission_error": "This key may not do that; another key or workspace may.",
    "not_found_error": "Check the model's id: %claude_nb models lists them.",
    "request_too_large": "Send less: the API takes at most 32 MB.",
}


@dataclass(frozen=True)
class Connection:
    """Where requests go, and with which key.

    Ambient credentials go only to the address that the environment names. A ``base_url`` of our
    own (the simulator's) gets a dummy key.

    Attributes:
        base_url: The server, or None for what the environment says.
        api_key: A key typed by the user, or None for the environment's. Never shown.
        own_client: The user's ``AsyncAnthropic`` (or a sibling for another platform), or None.
        simulated: Whether the server is the simulator.
        simulator: The simulator, if its address is not known yet.
        key_env: The environment variable whose key ``base_url`` may have; empty for none.
        replayed: Whether recordings answer: there is no server.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    own_client: Any = field(default=None, repr=False)
    simulated: bool = False
    simulator: Simulator | None = None
    key_env: str = ""
    replayed: bool = False

    @property
    def origin(self) -> str:
        """The server that answers, as a name: what one has signed is nothing to another."""
        if self.replayed:
            return "recordings"
        if self.simulated:
            return "simulator"
        own = getattr(self.own_client, "base_url", None)
        url = own or self.base_url or os.environ.get("ANTHROPIC_BASE_URL") or _API
        return str(url).rstrip("/")  # which the SDK puts behind some

    @property
    def cache(self) -> object:
        """What tells its prompt cache from others: each simulator has one of its own."""
        return self.origin, self.simulator

    @property
    def pending(self) -> str:
        """What is being waited for before a request can be sent, in words; empty for nothing."""
        if self.replayed:
            return ""
        sdk = sys.modules.get("anthropic")
        if sdk is None or getattr(sdk.__spec__, "_initializing", False):
            return "loading the SDK"
        is_starting = self.simulator is not None and not self.simulator.listens
        return "starting the simulator" if is_starting else ""

    def prepare(self) -> Connection:
        """Wait until a request can be sent: for the SDK, and for the simulator if it answers.

        Returns:
            The same connection, with the simulator's address.

        Raises:
            ClaudeError: The simulator did not start.
        """
        import anthropic  # noqa: F401

        if self.simulator is None:
            return self
        try:
            return replace(self, base_url=self.simulator.base_url, simulator=None)
        except RuntimeError as error:
            raise ClaudeError(
                "The simulator did not start.",
                "%claude_nb simulate on starts it again.",
                detail=_words(error),
            ) from None

    def client(self) -> AsyncAnthropic:
        """A client for this connection, kept for the next request so that it finds a warm socket.

        Its retries are off, because retrying is ours: the SDK would sleep an hour unseen if a
        server asked for it.

        Raises:
            CredentialsError: There is no key, or none that can be sent.
            InputError: The network's settings are not possible, ``own_client`` is not an
                asynchronous client of the SDK, or recordings are being replayed.
            ClaudeError: The simulator did not start.
        """
        if self.replayed:
            raise InputError(
                "Recordings are being replayed, so nothing is sent.",
                "%claude_nb replay off asks the API again.",
            )
        if self.own_client is not None:
            return _without_retries(self.own_client)
        server = self.prepare()
        ambient = tuple(sorted(kv for kv in os.environ.items() if _AMBIENT.match(kv[0])))
        with _making:  # or several that begin at once would each make one, and leave it open
            return _client(server, ambient, server.key())

    def key(self) -> str | None:
        """The key to send: None for what the environment has for its own server.

        Another server gets the one that is named for it, or a dummy, and so does the simulator.

        Raises:
            CredentialsError: The variable that is named for it is not set.
        """
        if self.base_url is None and self.simulator is None:
            return self.api_key
        if not self.key_env:
            return _DUMMY_KEY
        key = os.environ.get(self.key_env, "")
        if not key:
            raise CredentialsError(
                f"The environment variable {self.key_env} is not set.",
                f"It was named for {self.base_url}: %env {self.key_env}=…, or connect without it.",
            )
        return key


_making = threading.Lock()


def _without_retries(own: Any) -> AsyncAnthropic:
    """A copy of the user's client; it shares the original's connections."""
    raw = getattr(getattr(own, "messages", None), "with_raw_response", None)
    if raw is None or not inspect.iscoroutinefunction(getattr(own, "close", None)):
        raise InputError(
            f"client= is a {type(own).__name__}.",
            "Pass an anthropic.AsyncAnthropic, or one of its siblings for other platforms.",
        )
    copy: AsyncAnthropic = own.with_options(max_retries=0)
    return copy


@lru_cache(maxsize=32)
def _client(
    connection: Connection, _ambient: tuple[tuple[str, str], ...], api_key: str | None
) -> AsyncAnthropic:
    """Make a client; a changed environment (a key set in a cell) makes another one."""
    import anthropic
    import httpx2

    timeout = httpx2.Timeout(600.0, connect=CONNECT_TIMEOUT, read=_READ_TIMEOUT)
    try:
        # To a server on this machine, as the simulator is, no proxy leads; the SDK's own client
        # would take one from the environment, whatever ``trust_env`` says.
        local = httpx2.URL(connection.base_url or "").host in _LOCAL
        direct = httpx2.AsyncClient(trust_env=False) if local else None
        client = anthropic.AsyncAnthropic(
            base_url=connection.base_url,
            api_key=api_key,
            timeout=timeout,
            max_retries=0,
            http_client=direct,
            default_headers=_ours_alone(api_key) if connection.base_url else None,
        )
    except anthropic.AnthropicError as error:
        raise CredentialsError(
            "The credentials cannot be read.", _NO_KEY, detail=_words(error)
        ) from None
    except (OSError, ValueError, httpx2.InvalidURL) as error:
        raise _impossible(error) from None
    if not _has_credentials(client):
        raise CredentialsError("There is no API key.", _NO_KEY)
    for key in filter(None, (client.api_key, client.auth_token)):
        # The network library would say so too, but with the key in its words.
        if not key.isascii() or not key.isprintable():
            raise CredentialsError("The API key holds a character that no key has.", _NO_KEY)
    # Nothing else closes its connections when it has given way to other clients.
    weakref.finalize(client, _unused.append, client._client).atexit = False  # noqa: SLF001
    return client


_GOODBYE = 1.0
"""Seconds that a connection may take to close: the next request waits for it."""

_unused: deque[Any] = deque()
"""The network library's clients of SDK clients that are gone."""


async def close_unused() -> None:
    """Close the connections of clients that are gone: on the loop on which they were used."""
    while _unused:
        with suppress(Exception):  # the server may be gone as well, or not say goodbye
            async with asyncio.timeout(_GOODBYE):
                await _unused.popleft().aclose()


def _ours_alone(api_key: str | None) -> dict[str, Any]:
    """Headers that take out those of ``ANTHROPIC_CUSTOM_HEADERS``: they are for its own server."""
    from anthropic import omit

    lines = os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").split("\n")
    names = [line.partition(":")[0].strip() for line in lines if ":" in line]
    kept = {"authorization": f"Bearer {api_key}"}  # not taken out, or the key would go with it
    return {name: kept.get(name.lower(), omit) for name in names}


def _impossible(error: BaseException) -> InputError:
    return InputError(
        "No connection can be set up.",
        "Check ANTHROPIC_BASE_URL, and the variables for a proxy and for certificates.",
        detail=_words(error),
    )


def _has_credentials(client: AsyncAnthropic) -> bool:
    headers = {name.lower() for name in client.default_headers}
    return bool(
        client.api_key
        or client.auth_token
        or client.credentials
        or headers & {"authorization", "x-api-key"}
    )


def is_simulator(headers: Mapping[str, str]) -> bool:
    """Whether it is the simulator that answers, whoever made the client that asked.

    Args:
        headers: Those of a response.
    """
    return headers.get("server") == SERVER


async def count_tokens(connection: Connection, params: dict[str, Any]) -> int:
    """Ask the server how many tokens a request's input has; that is free, and nearly exact.

    Args:
        connection: Where to ask.
        params: The arguments of ``messages.create``, those too that do not count.

    Raises:
        ClaudeError: The server did not say.
    """
    counting = {name: params[name] for name in _COUNTED if name in params}
    try:
        client = await asyncio.to_thread(connection.client)
        counted = (await client.messages.count_tokens(**counting)).input_tokens
    except Exception as error:
        said = explain(error)
        if said.status in _NO_SUCH_PLACE and getattr(error, "type", None) is None:
            raise _uncounted() from error  # the API's own 404 has a type, and is about a model
        raise said from error
    if not isinstance(counted, int):
        raise _uncounted()
    return counted


def _uncounted() -> InputError:
    return InputError(
        "This server does not count tokens.",
        "So --dry-run, --max-cost and a budget cannot be kept with it. Nothing was sent.",
    )


async def list_models(connection: Connection) -> list[dict[str, Any]]:
    """Ask the server which models it has.

    Args:
        connection: Where to ask.

    Returns:
        The API's ``ModelInfo`` of each, as it came over the wire, the newest first.

    Raises:
        ClaudeError: The server did not say.
    """
    try:
        client = await asyncio.to_thread(connection.client)
        async with asyncio.timeout(_LIST_TIMEOUT):
            return [
                model.to_dict(mode="json", warnings=False)
                async for model in client.models.list(limit=1000)
            ]
    except TimeoutError:
        raise UnreachableError("The server did not list its models in time.") from None
    except Exception as error:
        raise explain(error) from error


def function_tool(function: Any) -> Any:
    """What the SDK makes of a function: its schema, and a way to call it with checked arguments.

    Args:
        function: With type hints; its docstring says what it and its arguments are.

    Returns:
        An object with ``to_dict()``, the definition, and ``call(input)``, a coroutine for an
        asynchronous function.

    Raises:
        Exception: An argument has no form in JSON.
    """
    from anthropic import beta_async_tool, beta_tool

    make = beta_async_tool if inspect.iscoroutinefunction(function) else beta_tool
    return make(function)


def output_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema in the form that the API takes for answers.

    Args:
        schema: Such as pydantic makes; what the API does not know is told in descriptions.
    """
    from anthropic import transform_schema

    return transform_schema(schema)


def has_credentials() -> bool:
    """Whether the environment or the SDK's own configuration files hold credentials."""
    try:
        Connection().client()
    except ClaudeError:
        return False
    return True


def explain(error: Exception) -> ClaudeError:
    """An exception of the SDK or of the network, in our words.

    An error inside a stream has status 200 and one class for all, so the error's own type decides
    before the status does; and a connection that is lost inside a stream is the network library's
    exception, not the SDK's.

    Args:
        error: What was raised; one that nobody expected becomes a ``MalformedError``.
    """
    if isinstance(error, ClaudeError):
        return error
    if isinstance(error, ImportError):
        return ClaudeError(
            "The anthropic package cannot be used.",
            "Install it again: %pip install -U 'anthropic>=2.12,<3'",
            detail=_words(error),
        )
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        said = _status_error(error)
        said.simulated = is_simulator(error.response.headers)
        return said
    if (lost := _network_error(error)) is not None:
        return lost
    if isinstance(error, TypeError) and "authentication" in str(error):
        return CredentialsError("There is no API key.", _NO_KEY)
    if isinstance(error, (anthropic.APIError, ValueError, TypeError)):
        return MalformedError(
            "The server sent something that is not the Messages API.",
            "If a gateway or proxy stands between, it may have changed the answer.",
            detail=_words(error),
        )
    return MalformedError(f"{type(error).__name__} while reading the reply.", detail=_words(error))


def _network_error(error: Exception) -> ClaudeError | None:
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIConnectionError):
        cause = error.__cause__
        if isinstance(cause, (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)):
            return _impossible(cause)
        if isinstance(error, anthropic.APITimeoutError):
            lost = UnreachableError("The server did not answer in time.", "Try again in a moment.")
        else:
            lost = UnreachableError(
                "The server cannot be reached.",
                "Check the network connection, a proxy, and ANTHROPIC_BASE_URL if it is set.",
                detail=_words(cause or error),
            )
        before = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
        lost.connected = not isinstance(cause, before)
        return lost
    if isinstance(error, httpx2.TimeoutException):
        return DroppedError("The stream fell silent, and was given up.")
    if isinstance(error, httpx2.TransportError):
        return DroppedError("The connection was lost.", detail=_words(error))
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return DroppedError("The stream was damaged on its way.", detail=_words(error))
    return None


def _words(error: BaseException) -> str:
    return str(error)[:500] or type(error).__name__


def _status_error(error: APIStatusError) -> ClaudeError:
    said = _server_words(error.body)
    facts: dict[str, Any] = {
        "detail": str(said)[:2000] if said else "",
        "request_id": error.request_id,
        "status": error.status_code,
    }
    status = error.status_code
    kind = error.type if isinstance(error.type, str) else _TYPES.get(status, "")
    if kind == "overloaded_error" or status == 529:
        return OverloadedError(
            "Claude is overloaded.", "This is not your limit: try again in a moment.", **facts
        )
    if kind == "rate_limit_error" or status == 429:
        wait = _retry_after(error)
        if status == 429 and "retry-after" not in error.response.headers:
            advice = "Waiting does not lift it: see the limits of the organisation in the Console."
            return SpendLimitError("A usage limit is reached.", advice, **facts)
        if wait is None:
            return RateLimitError("Rate limited.", "Try again in a minute.", **facts)
        until = datetime.now().astimezone() + timedelta(seconds=wait)
        advice = f"That is in {wait:.0f} s; then it can be sent again."
        return RateLimitError(
            f"Rate limited until {until:%H:%M:%S}.", advice, retry_after=wait, **facts
        )
    if kind in _ADVICE or (400 <= status < 500 and status != 408):  # which is a time-out
        code = f" ({status})" if status >= 400 else ""
        return RequestError(
            f"The server refused the request{code}.", _ADVICE.get(kind, ""), **facts
        )
    what = f"The server failed ({status})." if status >= 400 else "The server failed."
    return ServerError(what, "Try again in a moment.", **facts)


def _server_words(body: Any) -> str:
    """What a server says of an error: the API's form, or one of those that other servers have.

    ``{"error": {"message": …}}`` (the API, vLLM, llama.cpp), ``{"error": "…"}`` (Ollama, LM
    Studio), ``{"message": …}`` and ``{"detail": …}`` (gateways).
    """
    found = body if isinstance(body, dict) else {}
    inner = found.get("error")
    said = inner.get("message") if isinstance(inner, dict) else inner
    said = said or found.get("message") or found.get("detail")
    return said if isinstance(said, str) else json.dumps(said) if said else ""


def _retry_after(error: APIStatusError) -> float | None:
    """Seconds that the server asks to wait, in either of HTTP's forms; nonsense is not said."""
    said = error.response.headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
