"""What is looked at in each request and response of the network library.

What a request sends as a credential is redacted from then on. A redirect to another server is not
followed: it would get the prompt, and the headers that were meant for the first one.
"""

from __future__ import annotations

import copy
from functools import partial
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from claude_nb.client import fork
from claude_nb.client.credentials import remember_address, remember_headers
from claude_nb.errors import RequestError

_MOST_REDIRECTS = 3
"""Redirects within one server that are followed for a request."""

_KEEPS_METHOD = (307, 308)
"""The redirects that repeat a request as it was; with the others a POST becomes a GET."""

_guarded: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""The copies of users' own clients. A copy must not go before the original: it would close the
connections, which they share."""

_copying = Lock()


def _renew() -> None:
    global _copying  # noqa: PLW0603 - one that was held when the process was forked stays held
    _copying = Lock()


fork.in_child(_renew)

_CONNECT = "%claude_nb connect {}"
_OWN = "give your client base_url={!r}"


def guard(client: Any, advice: str = _CONNECT) -> None:
    """Look at what a client of the network library sends and gets.

    Args:
        client: An ``httpx2.AsyncClient``.
        advice: How another address is asked, with ``{}`` for that.
    """
    hooks = client.event_hooks
    client.event_hooks = {
        "request": [*hooks["request"], _on_request],
        "response": [partial(_on_response, advice), *hooks["response"]],
    }
    client.max_redirects = min(client.max_redirects, _MOST_REDIRECTS)


def guarded_copy(client: Any) -> Any:
    """A guarded copy of a user's client, which stays as it is; the two share their connections."""
    with _copying:
        if client not in _guarded:
            _guarded[client] = copy.copy(client)
        made = _guarded[client]
        vars(made).update(vars(client))  # what was changed since, and whether it was closed
        guard(made, _OWN)
        return made


async def _on_request(request: Any) -> None:
    remember_headers(request.headers)
    remember_address(str(request.url))


async def _on_response(advice: str, response: Any) -> None:
    """Refuse a redirect to another server, or one that would send another request.

    Raises:
        RequestError: The response is one.
    """
    if not response.has_redirect_location:
        return
    request = response.request
    here, there = request.url, request.url.join(response.headers["location"])
    keeps = request.method in ("GET", "HEAD") or response.status_code in _KEEPS_METHOD
    if keeps and there.host and here.origin == there.origin:
        return
    base = _address(there.copy_with(path=there.path.removesuffix(_endpoint(here.path))))
    raise RequestError(
        f"{_address(here)} redirects to {_address(there)}. Nothing was sent there.",
        f"To use that server: {advice.format(base)}",
        status=response.status_code,
    )


def _endpoint(path: str) -> str:
    """What the SDK puts behind the address of a server: ``/v1/messages``."""
    return path[max(path.find("/v1/"), 0) :]


def _address(url: Any) -> str:
    """An address without what may be secret in it."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/")
