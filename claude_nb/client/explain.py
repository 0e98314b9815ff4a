"""Errors of the SDK and of the network, explained to the user."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from typing import TYPE_CHECKING, Any

from claude_nb import errors
from claude_nb.characters import brief, wellformed_json
from claude_nb.errors import ClaudeError, DroppedError, InputError, MalformedError, UnreachableError

if TYPE_CHECKING:
    import httpx2
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

_MOST = 100_000
"""Characters of a page that are read for its words."""

_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)

_ADVICE = {
    "invalid_request_error": "Change what the message names, and ask again.",
    "authentication_error": "Check the key. To enter another one: %claude_nb key; that of a server"
    " of your own: %claude_nb connect URL --key-env NAME",
    "billing_error": "Check the plan and the credit of the organisation in the Console.",
    "permission_error": "This key may not do that; another key or workspace may.",
    "not_found_error": "Check the model's id: %claude_nb models lists them.",
    "request_too_large": "Send less: the API takes at most 32 MB.",
}


_KNOWN = ("overloaded_error", "rate_limit_error", *_ADVICE)
"""The types of errors of which it is known what to do."""


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


def json_of(response: httpx2.Response, wanted: str, field: str, kind: type) -> dict[str, Any]:
    """The JSON object of a response with status 200 that was read.

    Args:
        response: The response; a gateway or a login page may have sent it.
        wanted: What was asked for, for the error.
        field: What the object has to have.
        kind: The type of this field.

    Raises:
        ClaudeError: It is no such object; the error says what came.
    """
    try:
        found = wellformed_json(json.loads(response.content))
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and isinstance(found.get(field), kind):
        return found
    raise unexpected(response, wanted)


def unexpected(response: httpx2.Response, wanted: str) -> ClaudeError:
    """The error for a response with status 200 that is not what was asked for.

    Args:
        response: The response, which was read.
        wanted: What was asked for.
    """
    import anthropic

    text, kind = response.text, response.headers.get("content-type", "").partition(";")[0]
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and error.get("type") in _KNOWN:
        return explain(anthropic.APIStatusError("", response=response, body=body))
    if "html" in kind or text.lstrip()[:1] == "<":
        came, words = "a web page", unescape(_TAGS.sub(" ", text))
    elif not text.strip():
        came, words = "nothing", ""
    else:
        came = "an error" if error else "something else"
        words = _server_message(body) or text
    words = " ".join(words[:_MOST].split())
    url = response.url
    return MalformedError(
        f"{url.copy_with(userinfo=b'', query=None)} sent {came} instead of {wanted}.",
        "Check that this is the address of a Messages API; a proxy or a gateway may want you to"
        " sign in first.",
        detail=f"It says: {brief(words)}" if words else "",
        request_id=response.headers.get("request-id"),
    )


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
