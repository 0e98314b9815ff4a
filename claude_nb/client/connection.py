"""Where requests go and with which key: the SDK's clients.

The import of the SDK takes more than a second: it happens while the kernel is idle (``preload``),
or when a request needs it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import re
import sys
import threading
import warnings
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from claude_nb.characters import wellformed_json
from claude_nb.client import colab, fork
from claude_nb.client.credentials import (
    custom_headers,
    remember_client,
    remember_environment,
    unsendable,
)
from claude_nb.client.explain import (
    detail_of,
    explain,
    json_of,
    no_key,
    unreadable_credentials,
)
from claude_nb.client.guard import guard, guarded_copy
from claude_nb.client.network import BASE_URL, LOCAL, check_address, shown, unusable
from claude_nb.errors import ClaudeError, CredentialsError, InputError, UnreachableError
from claude_nb.redaction import DUMMY_KEY, LogFilter, remember
from claude_nb.request.extra import COUNTED

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from claude_nb.simulator import Simulator

_READ_TIMEOUT = 90.0
"""Seconds without an event or a ping after which a stream counts as lost. A user's own client has
its own."""

CONNECT_TIMEOUT = 10.0

_API = "https://api.anthropic.com"
"""Where the SDK sends requests if nothing says otherwise: its ``AsyncAnthropic``."""

_LIST_TIMEOUT = 10.0
"""Seconds to wait for a list of models: ours is shown without it."""

_AMBIENT = re.compile(r"ANTHROPIC_|SSL_CERT_|\w+_PROXY$", re.IGNORECASE)
"""The environment variables that the SDK and its network library read."""

_NOT_COUNTED = ("container", "max_tokens", "metadata", "stop_sequences")
"""The arguments of ``messages.create`` that ``messages.count_tokens`` does not take."""

_NOT_SUPPORTED = (404, 405, 501)
"""The statuses of servers that do not know an endpoint."""

# With ANTHROPIC_LOG=debug it writes the bodies of requests, to the output of the cell.
logging.getLogger("anthropic._base_client").addFilter(LogFilter())


@dataclass(frozen=True)
class Connection:
    """Where requests go, and with which key.

    Credentials of the environment go only to the address that the environment names. Another
    ``base_url`` gets the key in ``key_env``, or a dummy.

    Attributes:
        base_url: The server, or None for what the environment says.
        api_key: A key typed by the user, or None for the environment's. Never shown.
        own_client: The user's ``AsyncAnthropic`` (or a sibling for another platform), or None.
        simulated: Whether the server is the simulator.
        simulator: The simulator, if its address is not known yet.
        key_env: The environment variable whose key ``base_url`` may have; empty for none.
        replayed: Whether recordings answer: there is no server.

    Raises:
        InputError: ``own_client`` is not an asynchronous client of the SDK.
    """

    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    own_client: Any = field(default=None, repr=False)
    simulated: bool = False
    simulator: Simulator | None = None
    key_env: str = ""
    replayed: bool = False

    def __post_init__(self) -> None:
        own = self.own_client
        raw = getattr(getattr(own, "messages", None), "with_raw_response", None)
        closes = inspect.iscoroutinefunction(getattr(own, "close", None))
        if own is not None and (raw is None or not closes):
            raise InputError(
                f"client= is a {type(own).__name__}.",
                "Pass an anthropic.AsyncAnthropic, or the async client of another platform.",
            )

    @property
    def origin(self) -> str:
        """The name of the server that answers: another one refuses thinking that it signed."""
        if self.replayed:
            return "recordings"
        if self.simulated:
            return "simulator"
        own = getattr(self.own_client, "base_url", None)
        url = own or self.base_url or named_address() or _API
        # Without the slash that the SDK puts behind some, and without a password.
        return re.sub(r"//[^/@]*@", "//", str(url)).rstrip("/")

    @property
    def is_api(self) -> bool:
        """Whether it is Anthropic's own server."""
        return self.origin == _API

    @property
    def diagnoses_cache(self) -> bool:
        """Whether the server says why a prompt was not read from the cache, where it is asked.

        The API does, but not Amazon Bedrock and others (documentation, "Cache diagnostics").
        """
        return self.is_api or self.simulated

    @property
    def advice(self) -> str:
        """What to do where its server cannot be reached."""
        if self.simulated:
            return "%claude_nb simulate on starts the simulator again."
        if self.own_client is not None:
            return "Check the address of client=."
        if self.base_url is not None:
            return "Check that the server is running. To disconnect: %claude_nb connect off"
        if named_address():
            return f"Check that the server is running; its address comes from {BASE_URL}."
        return "Check the network connection."

    @property
    def cache(self) -> object:
        """What tells its prompt cache from others: each simulator has one of its own."""
        return self.origin, self.simulator

    @property
    def pending(self) -> str:
        """What has to be ready before a request can be sent, for the user; empty for nothing."""
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
                detail=detail_of(error),
            ) from None

    def client(self) -> AsyncAnthropic:
        """A client for this connection, kept for the next request, which reuses its socket.

        The SDK's retries are off: it would sleep unseen for an hour if a server asked for it. The
        engine retries.

        Raises:
            CredentialsError: There is no key, or none that can be sent.
            InputError: The network's settings are not possible, or recordings are being replayed.
            ClaudeError: The simulator did not start.
        """
        _silence()
        if self.replayed:
            raise InputError(
                "Recordings are being replayed, so nothing is sent.",
                "%claude_nb replay off asks the API again.",
            )
        ambient = remember_ambient()  # also what is not sent: a connected server is to have none
        if self.own_client is not None:
            url = str(getattr(self.own_client, "base_url", _API))
            check_address(url, "The base_url of client=", "For example: http://localhost:8080")
            return _own_client(self.own_client)
        server = self.prepare()
        with _making:  # or several requests at once would each make one, and leave it open
            return _client(server, ambient, server.key())

    def key(self) -> str | None:
        """The key to send; None: the SDK finds one in the environment.

        Raises:
            CredentialsError: The variable ``key_env`` is not set, or Colab gives no key.
        """
        if self.base_url is None and self.simulator is None:
            return self.api_key or colab.secret.get()
        if not self.key_env:
            return DUMMY_KEY
        key = os.environ.get(self.key_env, "").strip()
        if not key:
            raise CredentialsError(
                f"The environment variable {self.key_env} is not set.",
                f"It should hold the key for {self.base_url}: %env {self.key_env}=…, or connect"
                " without --key-env.",
            )
        return key

    def key_source(self) -> str:
        """Where its key comes from and for which server, in words; never the key.

        Raises:
            ClaudeError: There is no key, or no request can be sent.
        """
        client = self.client()
        address = shown(client.base_url)
        return self._key_named(client) + ("" if address == _API else f", for {address}")

    def _key_named(self, client: AsyncAnthropic) -> str:
        if self.base_url is not None:
            return f"the environment variable {self.key_env}" if self.key_env else "a dummy"
        if self.api_key:
            return "entered with %claude_nb key, in memory only"
        if colab.secret.key and client.api_key == colab.secret.key:
            return f"Colab's secret {colab.NAME}"
        variables = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
        name = next((name for name in variables if os.environ.get(name)), None)
        if name is None and client.credentials is not None:
            path = getattr(client.credentials, "config_path", None)
            if path is not None:
                return f"the profile {path}"
            name = "ANTHROPIC_FEDERATION_RULE_ID"
        return f"the environment variable {name or 'ANTHROPIC_CUSTOM_HEADERS'}"


def _silence() -> None:
    """Silence the SDK's warnings about models and thinking: a note on the request says the same.

    They are attributed to the module that calls the SDK. ``catch_warnings`` would not do: it
    changes the filters of all threads.
    """
    if warnings.filters[:1] != [_SILENT]:
        warnings.filterwarnings("ignore", module=_CALLERS)


_CALLERS = r"claude_nb\.client\."
_SILENT = ("ignore", None, Warning, re.compile(_CALLERS), 0)


def remember_ambient() -> tuple[tuple[str, str], ...]:
    """What the SDK and its network library read of the environment; credentials are redacted.

    It is called before values and cells are put into a prompt, which may hold them.
    """
    found = tuple(sorted(kv for kv in os.environ.items() if _AMBIENT.match(kv[0])))
    remember_environment(found)
    return found


def named_address() -> str:
    """The address that the environment names, without outer blanks; empty where it names none."""
    return os.environ.get(BASE_URL, "").strip()


_making = threading.Lock()

_users: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
"""The users' own clients, and the processes that used them first."""


def _own_client(own: Any) -> AsyncAnthropic:
    """A copy of the user's client; it shares the original's connections.

    Raises:
        InputError: These are connections of the process that forked this one.
    """
    if _users.setdefault(own, os.getpid()) != os.getpid():
        raise InputError(
            "client= was made before this process was forked, so it cannot be used here.",
            "Make a client in the function that runs in this process: anthropic.AsyncAnthropic()",
        )
    guarded = guarded_copy(own._client)  # noqa: SLF001
    copy: AsyncAnthropic = own.with_options(max_retries=0, http_client=guarded)
    remember_client(copy)
    return copy


def _make_client(
    connection: Connection, _ambient: tuple[tuple[str, str], ...], api_key: str | None
) -> AsyncAnthropic:
    """Make a client; after a change of the environment (a key set in a cell) another one."""
    import anthropic
    import httpx2

    timeout = httpx2.Timeout(600.0, connect=CONNECT_TIMEOUT, read=_READ_TIMEOUT)
    base_url = connection.base_url
    if base_url is None and BASE_URL in os.environ:
        base_url = named_address() or _API
        example = f"For example: %env {BASE_URL}=http://localhost:8080"
        check_address(base_url, BASE_URL, example)
    try:
        # A server on this machine, as the simulator is, is reached without a proxy. The SDK's own
        # client is made here too: one that it fails to make itself prints an error when it is gone.
        local = httpx2.URL(base_url or "").host in LOCAL
        http = (
            httpx2.AsyncClient(
                trust_env=False, verify=httpx2.create_ssl_context(), follow_redirects=True
            )
            if local
            else anthropic.DefaultAsyncHttpxClient()
        )
        client = anthropic.AsyncAnthropic(
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            max_retries=0,
            http_client=http,
            default_headers=without_custom(api_key) if connection.base_url else None,
        )
    except anthropic.AnthropicError as error:
        raise unreadable_credentials(error) from None
    except (ImportError, OSError, RuntimeError, ValueError, httpx2.InvalidURL) as error:
        raise unusable(error) from None
    # Blanks around a key are copied with it, and the network library would refuse them.
    client.api_key = client.api_key and client.api_key.strip()
    client.auth_token = client.auth_token and client.auth_token.strip()
    if not _has_credentials(client):
        raise no_key()
    for key, variable in ((client.api_key, "API_KEY"), (client.auth_token, "AUTH_TOKEN")):
        if key and not (key.isascii() and key.isprintable()):
            remember(key)
            named = connection.key_env or ("" if api_key else f"ANTHROPIC_{variable}")
            raise unsendable(named or "The API key")
    remember_client(client)
    guard(client._client)  # noqa: SLF001
    # An evicted client is closed by nobody else: queue its connections for close_unused().
    weakref.finalize(client, _unused.append, client._client).atexit = False  # noqa: SLF001
    return client


_client = lru_cache(maxsize=32)(_make_client)


def _renew() -> None:
    global _making, _client, _unused
    fork.leave(_client, _unused)
    _making, _client, _unused = threading.Lock(), lru_cache(maxsize=32)(_make_client), deque()


fork.in_child(_renew)

_CLOSE_TIMEOUT = 1.0
"""Seconds that a connection may take to close: the next request waits for it."""

_unused: deque[Any] = deque()
"""The network library's clients of SDK clients that were evicted."""


async def close_unused() -> None:
    """Close the connections of evicted clients, on the loop on which they were used."""
    while _unused:
        with suppress(Exception):  # the server may be gone too, or never answer
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await _unused.popleft().aclose()


def without_custom(api_key: str | None) -> dict[str, Any]:
    """Headers that remove those of ``ANTHROPIC_CUSTOM_HEADERS``: they are for another server."""
    from anthropic import omit

    names = custom_headers(os.environ.get("ANTHROPIC_CUSTOM_HEADERS", ""))
    kept = {"authorization": f"Bearer {api_key}"}  # not removed, or the key would be too
    return {name: kept.get(name.lower(), omit) for name in names}


def _has_credentials(client: AsyncAnthropic) -> bool:
    headers = {name.lower() for name in client.default_headers}
    return bool(
        client.api_key
        or client.auth_token
        or client.credentials
        or headers & {"authorization", "x-api-key"}
    )


async def count_tokens(connection: Connection, params: dict[str, Any]) -> int:
    """Ask the server how many tokens a request's input has; that is free, and nearly exact.

    Args:
        connection: Where to ask.
        params: The arguments of ``messages.create``.

    Raises:
        ClaudeError: The server did not answer, or does not count.
    """
    counting = {name: value for name, value in params.items() if name not in _NOT_COUNTED}
    if fields := counting.pop("extra_body", None):
        counting["extra_body"] = {name: fields[name] for name in COUNTED if name in fields}
    try:
        client = await asyncio.to_thread(connection.client)
        response = await client.messages.with_raw_response.count_tokens(**counting)
        found = json_of(response.http_response, "a count of tokens", "input_tokens", int)
    except Exception as error:
        explained = explain(error, connection.advice)
        # The API's own 404 has a type, and is about a model.
        if explained.status not in _NOT_SUPPORTED or getattr(error, "type", None) is not None:
            raise explained from error
        raise InputError(
            "This server does not count tokens.",
            "Dry runs, max_cost and budgets need that. Nothing was sent.",
        ) from None
    return int(found["input_tokens"])


async def list_models(connection: Connection) -> list[dict[str, Any]]:
    """Ask the server which models it has.

    Args:
        connection: Where to ask.

    Returns:
        The API's ``ModelInfo`` of each, as it came over the wire, the newest first.

    Raises:
        ClaudeError: The server did not answer.
    """
    try:
        client = await asyncio.to_thread(connection.client)
        async with asyncio.timeout(_LIST_TIMEOUT):
            response = await client.models.with_raw_response.list(limit=1000)
            json_of(response.http_response, "a list of models", "data", list)
            return [
                wellformed_json(model.to_dict(mode="json", warnings=False))
                async for model in await response.parse()
            ]
    except TimeoutError:
        raise UnreachableError("The server did not list its models in time.") from None
    except Exception as error:
        raise explain(error, connection.advice) from error


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a default that is left out, which its definition shows
        return make(function)


def output_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema in the form that the API takes for answers.

    Args:
        schema: Such as pydantic makes; what the API does not take moves into descriptions.
    """
    from anthropic import transform_schema

    return transform_schema(_one_type_each(schema))


def _one_type_each(schema: Any) -> Any:
    """A schema with ``anyOf`` for each list of types, which ``transform_schema`` does not know."""
    if isinstance(schema, list):
        return list(map(_one_type_each, schema))
    if not isinstance(schema, dict):
        return schema
    made = {name: _one_type_each(part) for name, part in schema.items()}
    types = made.get("type")
    if not isinstance(types, list) or "enum" in made or "const" in made:
        return made
    about = {name: made.pop(name) for name in ("title", "description", "$defs") if name in made}
    forms = [{"type": kind} if kind == "null" else {**made, "type": kind} for kind in types]
    return {**about, "anyOf": forms}
