"""Errors of the SDK and of the network, explained to the user."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from typing import TYPE_CHECKING, Any

from claude_nb import errors
from claude_nb.characters import brief, wellformed_json
from claude_nb.client import colab
from claude_nb.client.network import (
    proxy_variable,
    repeated_path,
    shown,
    unreachable,
    unsendable_header,
    wants_password,
)
from claude_nb.errors import ClaudeError, CredentialsError, DroppedError, InputError, MalformedError
from claude_nb.redaction import redact_exception
from claude_nb.request.host import host

if TYPE_CHECKING:
    import httpx2
    from anthropic import APIStatusError

SERVER = "claude_nb-simulator"
"""The simulator's ``Server`` header."""

ENTER_KEY = (
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

_NOT_FOUND = re.compile(r"\W*(?:not found)?\W*", re.IGNORECASE)
"""What a server says of an address that it does not know; of a model it says which."""

_ADVICE = {
    "invalid_request_error": "Change what the message names, then ask again.",
    "authentication_error": "Check the key. To enter another: %claude_nb key. For your own"
    " server: %claude_nb connect URL --key-env NAME",
    "billing_error": "Check your plan and credit: https://platform.claude.com/settings/billing",
    "permission_error": "This key has no permission for that. Use a key of a workspace with it.",
    "not_found_error": "Check the model's id: %claude_nb models lists them.",
    "request_too_large": "Send less: the API takes at most 32 MB.",
}

_RAISE_IT = "Waiting does not help. To raise the limit: https://platform.claude.com/settings/limits"

_CREDIT = re.compile(r"\bcredit balance\b", re.IGNORECASE)
_SPEND_LIMIT = re.compile(r"\b(API usage|spend(ing)?) limits?\b", re.IGNORECASE)
"""What the API's messages say where money is the reason: both come as 400, with the type of any
other bad request (documentation, "Errors")."""
_TOO_LONG = "prompt is too long"
"""How the API's message begins where a prompt is longer than the context window: it has no code."""

_LONGEST_WAIT = 366 * 24 * 3600.0
"""Seconds; nobody means more by ``retry-after``."""


_KNOWN = ("overloaded_error", "rate_limit_error", *_ADVICE)
"""The types of errors of which it is known what to do."""


def is_simulator(headers: Mapping[str, str]) -> bool:
    """Whether the simulator sent a response with these headers, whoever made the client."""
    return headers.get("server") == SERVER


def explain(error: Exception, advice: str = "", *, began: bool = True) -> ClaudeError:
    """The ``ClaudeError`` for an exception of the SDK or of the network.

    An error inside a stream has status 200 and one class for all, so the error's own type decides
    before the status does; and a connection that is lost inside a stream is the network library's
    exception, not the SDK's.

    Args:
        error: What was raised; one that nobody expected becomes a ``MalformedError``.
        advice: What to do where the server cannot be reached.
        began: Whether there was a response; before that, the server has nothing to do with what
            goes wrong within the SDK.
    """
    if isinstance(error, ClaudeError):
        return error
    redact_exception(error)  # the new error is raised from it
    try:
        import anthropic
    except ImportError as missing:
        return ClaudeError(
            "The anthropic package cannot be used.",
            "Install it again: %pip install 'anthropic>=2.14,<3'",
            detail=detail_of(missing),
        )
    if isinstance(error, anthropic.APIStatusError):
        explained = _status_error(error)
        explained.simulated = is_simulator(error.response.headers)
        return explained
    if isinstance(error, anthropic.APIConnectionError):
        if isinstance(cause := error.__cause__, ClaudeError):  # of ``guard``
            error.__cause__ = error.__context__ = None  # it is raised from ``error`` in turn
            return cause
        return unreachable(error, advice)
    if (lost := _lost(error)) is not None:
        return lost
    if isinstance(error, UnicodeEncodeError) and error.encoding == "ascii":
        return unsendable_header()
    if isinstance(error, TypeError) and "authentication" in str(error):
        return no_key()
    return _unexpected(error, began=began)


def _unexpected(error: Exception, *, began: bool) -> ClaudeError:
    """The error for what is neither a status nor a loss: a mistake of the server, or the SDK's."""
    import anthropic
    from anthropic.lib.credentials import WorkloadIdentityError

    if isinstance(error, (anthropic.CredentialsError, WorkloadIdentityError)):
        return unreadable_credentials(error)
    is_sdk = isinstance(error, anthropic.AnthropicError) or not began
    if is_sdk and not isinstance(error, anthropic.APIError):
        return InputError("The SDK cannot send this request.", detail=detail_of(error))
    if isinstance(error, (anthropic.APIError, ValueError, TypeError)):
        return MalformedError(
            "The server sent something that is not the Messages API.",
            "A gateway or proxy may have changed it.",
            detail=detail_of(error),
        )
    what = f"{type(error).__name__} while reading the reply."
    return MalformedError(what, detail=detail_of(error))


def no_key() -> CredentialsError:
    """The error for a request without a key."""
    return CredentialsError("No API key found.", _enter_key())


def _enter_key() -> str:
    return colab.ENTER_KEY if host() == "colab" else ENTER_KEY


def unreadable_credentials(error: BaseException) -> CredentialsError:
    """The error for a profile or an identity of which the SDK makes no credentials."""
    return CredentialsError(
        "The credentials cannot be read.", _enter_key(), detail=detail_of(error)
    )


def _lost(error: Exception) -> ClaudeError | None:
    """The error for a stream that broke off; None for anything else."""
    import httpx2

    if isinstance(error, httpx2.TimeoutException):
        return DroppedError("The stream timed out: the server stopped sending.")
    if isinstance(error, httpx2.TransportError):
        return DroppedError("The connection was lost.", detail=detail_of(error))
    if isinstance(error, (json.JSONDecodeError, UnicodeDecodeError, httpx2.DecodingError)):
        return DroppedError("The stream was damaged in transit.", detail=detail_of(error))
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
    if status in (404, 405) and (wrong := repeated_path(error.request.url)) is not None:
        return wrong
    if status == 407:
        return wants_password(proxy_variable(error.request.url))
    facts: dict[str, Any] = {
        "detail": _server_message(error.body)[:2000],
        "request_id": error.request_id,
        "status": status,
    }
    kind = error.type if isinstance(error.type, str) else _TYPE_BY_STATUS.get(status, "")
    said = error.response.headers.get("retry-after")
    limits = "spend_limit" in str(error.error_code) or said is None
    if (spent := _about_money(kind, is_limit=status == 429 and limits, **facts)) is not None:
        return spent
    wait = _seconds(said or "")
    asks = (
        "" if wait is None else "The server asks to wait until {}, {} from now.".format(*_end(wait))
    )
    if kind == "overloaded_error" or status == 529:
        advice = f"This is not your limit. {asks or 'Try again in a moment.'}"
        return errors.OverloadedError("Claude is overloaded.", advice, retry_after=wait, **facts)
    if kind == "rate_limit_error" or status == 429:
        if wait is None:
            unread = f" The server's retry-after is not a time: {said[:40]!r}." if said else ""
            return errors.RateLimitError(
                f"Rate limited.{unread}", "Try again in a minute.", **facts
            )
        when, left = _end(wait)
        advice = f"That is in {left}; send it again then."
        return errors.RateLimitError(
            f"Rate limited until {when}.", advice, retry_after=wait, **facts
        )
    says_nothing = _NOT_FOUND.fullmatch(facts["detail"]) is not None
    if status in (404, 405, 501) and (says_nothing or not isinstance(error.type, str)):
        advice = "Check the server's address, and the model's id: %claude_nb models"
        url = shown(error.request.url)
        return errors.RequestError(f"There is nothing at {url} ({status}).", advice, **facts)
    if kind in _ADVICE or (400 <= status < 500 and status != 408):  # which is a time-out
        code = f" ({status})" if status >= 400 else ""
        if facts["detail"].lower().startswith(_TOO_LONG):
            what = f"The prompt is longer than the model's context window{code}."
            return errors.RequestError(what, errors.CONTEXT_FULL, **facts)
        return errors.RequestError(
            f"The server refused the request{code}.", _ADVICE.get(kind, ""), **facts
        )
    what = f"The server failed ({status})." if status >= 400 else "The server failed."
    return errors.ServerError(what, asks or "Try again in a moment.", retry_after=wait, **facts)


def _end(wait: float) -> tuple[str, str]:
    """When a wait of so many seconds ends, and how long it is, as text."""
    now = datetime.now().astimezone()
    until = now + timedelta(seconds=wait)
    when = f"{until:%H:%M:%S}" if until.date() == now.date() else f"{until:%Y-%m-%d %H:%M}"
    return when, f"{wait:.0f} s" if wait < 120 else str(timedelta(seconds=round(wait)))


def _about_money(
    kind: str, *, is_limit: bool, detail: str, status: int, **facts: Any
) -> ClaudeError | None:
    """The error for a request that was refused because of money; None for others.

    Args:
        kind: The type of the error.
        is_limit: Whether it is a limit that time does not lift.
        detail: The server's message.
        status: The HTTP status.
        **facts: Its other facts.
    """
    refused = kind in ("billing_error", "invalid_request_error")
    if refused and _CREDIT.search(detail):
        what, advice = "The credit is used up.", _ADVICE["billing_error"]
    elif kind == "billing_error":
        what, advice = "The server refused the request because of billing.", _ADVICE[kind]
    elif refused and _SPEND_LIMIT.search(detail):
        what, advice = "Your own spend limit is reached.", _RAISE_IT
    elif is_limit and kind != "overloaded_error":
        what, advice = "A usage limit is reached.", _RAISE_IT
    else:
        return None
    return errors.SpendLimitError(what, advice, detail=detail, status=status, **facts)


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


def _seconds(retry_after: str) -> float | None:
    """Seconds that a server asks to wait, in either of HTTP's forms; None for what is no wait."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None
    return seconds if 0 <= seconds <= _LONGEST_WAIT else None
