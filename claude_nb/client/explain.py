"""Errors of the SDK and of the network, explained to the user."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from claude_nb import errors
from claude_nb.errors import ClaudeError, DroppedError, InputError, MalformedError, UnreachableError
from claude_nb.redaction import redact_exception

if TYPE_CHECKING:
    from anthropic import APIStatusError

SERVER = "claude_nb-simulator"
"""The simulator's ``Server`` header."""

NO_KEY = (
    "Type %claude_nb key to enter one (it is kept in memory only), or set ANTHROPIC_API_KEY before"
    " starting Jupyter. To try it without a key: %claude_nb simulate on"
)

_TYPE_BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
}
"""The error type of a status, for answers of proxies, which have none: documentation, "Errors"."""

_ADVICE = {
    "invalid_request_error": "Change what the message names, and ask again.",
    "authentication_error": "Check the key. To enter another one: %claude_nb key; that of a server"
    " of your own: %claude_nb connect URL --key-env NAME",
    "billing_error": "Check the plan and the credit of the organisation in the Console.",
    "permission_error": "This key may not do that; another key or workspace may.",
    "not_found_error": "Check the model's id: %claude_nb models lists them.",
    "request_too_large": "Send less: the API takes at most 32 MB.",
}


def is_simulator(headers: Mapping[str, str]) -> bool:
    """Whether the simulator sent a response with these headers, whoever made the client."""
    return headers.get("server") == SERVER


def unusable_network(error: BaseException) -> InputError:
    """The error for settings of the network with which nothing can be sent."""
    return InputError(
        "No connection can be set up.",
        "Check ANTHROPIC_BASE_URL, and the variables for a proxy and for certificates.",
        detail=detail_of(error),
    )


def explain(error: Exception) -> ClaudeError:
    """The ``ClaudeError`` for an exception of the SDK or of the network.

    An error inside a stream has status 200 and one class for all, so the error's own type decides
    before the status does; and a connection that is lost inside a stream is the network library's
    exception, not the SDK's.

    Args:
        error: What was raised; one that nobody expected becomes a ``MalformedError``.
    """
    if isinstance(error, ClaudeError):
        return error
    redact_exception(error)  # the new error is raised from it
    if isinstance(error, ImportError):
        return ClaudeError(
            "The anthropic package cannot be used.",
            "Install it again: %pip install -U 'anthropic>=2.12,<3'",
            detail=detail_of(error),
        )
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        explained = _status_error(error)
        explained.simulated = is_simulator(error.response.headers)
        return explained
    if (lost := _network_error(error)) is not None:
        return lost
    if isinstance(error, TypeError) and "authentication" in str(error):
        return errors.CredentialsError("There is no API key.", NO_KEY)
    if isinstance(error, (anthropic.APIError, ValueError, TypeError)):
        return MalformedError(
            "The server sent something that is not the Messages API.",
            "If a gateway or proxy stands between, it may have changed the answer.",
            detail=detail_of(error),
        )
    what = f"{type(error).__name__} while reading the reply."
    return MalformedError(what, detail=detail_of(error))


def _network_error(error: Exception) -> ClaudeError | None:
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIConnectionError):
        cause = error.__cause__
        if isinstance(cause, ClaudeError):  # of ``guard``; it is raised from ``error`` in turn
            error.__cause__ = error.__context__ = None
            return cause
        if isinstance(cause, httpx2.TooManyRedirects):
            return errors.RequestError(
                f"{error.request.url.copy_with(userinfo=b'', query=None)} redirects without end.",
                "Check the address of the server.",
            )
        if isinstance(cause, (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)):
            return unusable_network(cause)
        if isinstance(error, anthropic.APITimeoutError):
            lost = UnreachableError("The server did not answer in time.", "Try again in a moment.")
        else:
            lost = UnreachableError(
                "The server cannot be reached.",
                "Check the network connection, a proxy, and ANTHROPIC_BASE_URL if it is set.",
                detail=detail_of(cause or error),
            )
        before = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
        lost.connected = not isinstance(cause, before)
        return lost
    if isinstance(error, httpx2.TimeoutException):
        return DroppedError("The stream fell silent, and was given up.")
    if isinstance(error, httpx2.TransportError):
        return DroppedError("The connection was lost.", detail=detail_of(error))
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
        return DroppedError("The stream was damaged on its way.", detail=detail_of(error))
    return None


def detail_of(error: BaseException) -> str:
    """What an exception says, as the detail of an error."""
    return str(error)[:500] or type(error).__name__


def _status_error(error: APIStatusError) -> ClaudeError:
    status = error.status_code
    facts: dict[str, Any] = {
        "detail": _server_message(error.body)[:2000],
        "request_id": error.request_id,
        "status": status,
    }
    kind = error.type if isinstance(error.type, str) else _TYPE_BY_STATUS.get(status, "")
    if kind == "overloaded_error" or status == 529:
        return errors.OverloadedError(
            "Claude is overloaded.", "This is not your limit: try again in a moment.", **facts
        )
    if kind == "rate_limit_error" or status == 429:
        wait = _retry_after(error)
        if status == 429 and "retry-after" not in error.response.headers:
            advice = "Waiting does not lift it: see the limits of the organisation in the Console."
            return errors.SpendLimitError("A usage limit is reached.", advice, **facts)
        if wait is None:
            return errors.RateLimitError("Rate limited.", "Try again in a minute.", **facts)
        until = datetime.now().astimezone() + timedelta(seconds=wait)
        advice = f"That is in {wait:.0f} s; then it can be sent again."
        return errors.RateLimitError(
            f"Rate limited until {until:%H:%M:%S}.", advice, retry_after=wait, **facts
        )
    if kind in _ADVICE or (400 <= status < 500 and status != 408):  # which is a time-out
        code = f" ({status})" if status >= 400 else ""
        return errors.RequestError(
            f"The server refused the request{code}.", _ADVICE.get(kind, ""), **facts
        )
    what = f"The server failed ({status})." if status >= 400 else "The server failed."
    return errors.ServerError(what, "Try again in a moment.", **facts)


def _server_message(body: Any) -> str:
    """The message of an error, in the API's form or in one of those of other servers.

    ``{"error": {"message": …}}`` (the API, vLLM, llama.cpp), ``{"error": "…"}`` (Ollama, LM
    Studio), ``{"message": …}`` and ``{"detail": …}`` (gateways).
    """
    found = body if isinstance(body, dict) else {}
    inner = found.get("error")
    message = inner.get("message") if isinstance(inner, dict) else inner
    message = message or found.get("message") or found.get("detail")
    return message if isinstance(message, str) else json.dumps(message) if message else ""


def _retry_after(error: APIStatusError) -> float | None:
    """Seconds that the server asks to wait, in either of HTTP's forms; None for nonsense."""
    value = error.response.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
