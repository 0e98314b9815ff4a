"""Addresses, proxies and certificates: errors that name the wrong one, and what to type."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

from claude_nb.errors import ClaudeError, InputError, RequestError, UnreachableError, either

if TYPE_CHECKING:
    import httpx2
    from anthropic import APIConnectionError

BASE_URL = "ANTHROPIC_BASE_URL"
"""The environment variable that names the server."""

LOCAL = ("127.0.0.1", "localhost", "::1")
"""The names of this machine: it is reached without a proxy."""

_MAX_PORT = 65_535
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
"""What OpenSSL calls the answer of a server that does not speak TLS."""

_OTHER_NAME = "Ask the server by the name that its certificate is for."
_CERTIFICATES = {
    10: "Renew the server's certificate, or set this machine's clock.",
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}
"""What to do about a certificate, by OpenSSL's number of what is wrong with it: expired, for
another name or address."""


def check_address(url: str, what: str, example: str) -> None:
    """Refuse what is not the address of a server.

    Args:
        url: What was typed.
        what: Where it stands, as the beginning of the error.
        example: What to type instead.

    Raises:
        InputError: It is none; the error says why.
    """
    import httpx2

    try:
        found = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        wrong = str(error)
    else:
        is_port = found.port is None or 0 < found.port <= _MAX_PORT
        is_host = found.host and "%" not in found.host  # which stands for what no name has
        has_rest = found.query or found.fragment  # the SDK's path would stand behind it
        if found.scheme in ("http", "https") and is_host and is_port and not has_rest:
            return
        wrong = "An address is http:// or https:// and the name of a server."
        if not is_port:
            wrong = f"There is no port {found.port}."
        elif has_rest:
            wrong = "Leave out the ? or # and everything after it."
    raise InputError(f"{what} is not the address of a server.", example, detail=wrong)


def shown(url: httpx2.URL) -> str:
    """An address as it can be shown: without a user name, a password and a query."""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}".rstrip("/")


def without_api_path(url: str) -> str:
    """An address without the path that the SDK puts behind it."""
    return re.sub(r"(/v1)?(/messages|/chat/completions)?/*$", "", url)


def repeated_path(url: httpx2.URL) -> InputError | None:
    """The error for a request whose server's address already ends in the API's path, or None."""
    base = shown(url).rpartition("/v1/")[0]
    root = without_api_path(base)
    if root == base.rstrip("/"):
        return None
    named = os.environ.get(BASE_URL, "").strip().rstrip("/")
    is_named = bool(named) and base.startswith(named)
    return InputError(
        f"The server's address ends in {base.removeprefix(root)}, and the SDK appends /v1/…:"
        f" {shown(url)} does not exist.",
        f"Leave it out: %env {BASE_URL}={root}" if is_named else f'Leave it out: base_url="{root}"',
    )


def unusable(error: BaseException) -> InputError:
    """The error for settings of the environment with which no client can be made."""
    for name, url in _proxies().items():
        if (wrong := _wrong_proxy(name, url, error)) is not None:
            return wrong
    name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
    if isinstance(error, OSError) and (path := os.environ.get(name)):
        return InputError(
            f"{name} is {path}, which holds no readable certificate.",
            f"Name a PEM file, or use the system's certificates: %env {name}=",
            detail=str(error),
        )
    if os.environ.get("NO_PROXY") or os.environ.get("no_proxy"):
        return InputError(
            "NO_PROXY contains an invalid host name.",
            "For example: %env NO_PROXY=localhost,.example.com",
            detail=str(error),
        )
    return InputError(
        "Cannot set up a connection.",
        "Check the environment variables for proxies and certificates.",
        detail=str(error),
    )


def _proxies() -> dict[str, str]:
    """The addresses of the proxies in use, by the variable that names each."""
    found = {}
    for scheme, url in getproxies().items():
        if scheme in ("http", "https", "all"):
            lower = f"{scheme}_proxy"
            name = lower if os.environ.get(lower) else lower.upper()
            found[name] = url if "://" in url else f"http://{url}"
    return found


def _wrong_proxy(name: str, url: str, error: BaseException) -> InputError | None:
    import httpx2

    example = f"For example: %env {name}=http://proxy.example:8080"
    try:
        found = httpx2.URL(url)
    except httpx2.InvalidURL as invalid:
        return InputError(f"{name} is not the address of a proxy.", example, detail=str(invalid))
    if found.scheme not in _PROXY_SCHEMES:
        if found.scheme.startswith("socks"):
            example = f"For example: %env {name}=socks5://{found.netloc.decode()}"
        return InputError(
            f"{name} names a proxy of the kind {found.scheme}://. Use {either(_PROXY_SCHEMES)}.",
            example,
        )
    if found.scheme.startswith("socks") and "socksio" in str(error):
        return InputError(
            f"{name} names a SOCKS proxy, which needs the package socksio.",
            "%pip install 'httpx2[socks]' installs it; then restart the kernel.",
        )
    return None


def unreachable(error: APIConnectionError, advice: str) -> ClaudeError:
    """The error for a request that got no answer.

    Args:
        error: The SDK's.
        advice: What to do where nothing is known but that the server cannot be reached.
    """
    import httpx2

    causes, cause, url = list(_causes(error)), error.__cause__, error.request.url
    where = shown(url.copy_with(raw_path=b"/"))
    name, proxy = _proxy_for(url)
    tls = next((c for c in causes if isinstance(c, ssl.SSLError)), None)
    if tls is not None and (wrong := _wrong_tls(tls, where, name, proxy)) is not None:
        return wrong
    if isinstance(cause, httpx2.LocalProtocolError):
        return unsendable_header()
    if isinstance(cause, httpx2.TooManyRedirects):
        return RequestError(
            f"{shown(url)} redirects in a loop.", "Check the address of the server."
        )
    if isinstance(cause, httpx2.ProxyError) and str(cause).startswith("407"):
        return wants_password(name)
    if proxy is not None:
        where = f"{where} (through the proxy of {name})"
        advice = f"Check the proxy, or connect without it: %env {name}="
    if isinstance(cause, (httpx2.ReadError, httpx2.RemoteProtocolError)) and url.scheme == "http":
        advice = f"If it expects TLS, its address begins with https://. {advice}"
    what, detail = _failure(error, where)
    lost = UnreachableError(what, advice, detail=detail)
    before = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
    lost.connected = not isinstance(cause, before)
    return lost


def unsendable_header(name: str = "") -> InputError:
    """The error for a header that HTTP does not allow; what it holds may be a secret.

    Args:
        name: The header's, if it is known.
    """
    return InputError(
        f"{f'The header {name}' if name else 'A header'} holds a character that cannot be sent.",
        "Check ANTHROPIC_CUSTOM_HEADERS (a line for each, as Name: value) and the key.",
    )


def proxy_variable(url: httpx2.URL) -> str:
    """The variable that names the proxy before an address; empty for none."""
    return _proxy_for(url)[0]


def wants_password(name: str) -> InputError:
    """The error for a proxy that asks who is there.

    Args:
        name: The variable that names it.
    """
    return InputError(
        f"The proxy of {name} requires a user name and password (407).",
        f"Put them into its address: %env {name}=http://USER:PASSWORD@proxy.example:8080",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what caused it, the outermost first."""
    yield error
    for inner in error.exceptions[:1] if isinstance(error, BaseExceptionGroup) else ():
        yield from _causes(inner)
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield from _causes(cause)


def _failure(error: APIConnectionError, where: str) -> tuple[str, str]:
    """What happened to a request that got no answer, and the detail of it."""
    import httpx2
    from anthropic import APITimeoutError

    if isinstance(error, APITimeoutError):
        return f"{where} did not answer in time.", ""
    if isinstance(error.__cause__, httpx2.RemoteProtocolError):
        return f"{where} did not answer in HTTP.", str(error.__cause__)
    if isinstance(error.__cause__, (httpx2.ReadError, httpx2.WriteError)):
        return f"{where} closed the connection without an answer.", ""
    return f"{where} cannot be reached.", _reason(list(_causes(error)))


def _reason(causes: list[BaseException]) -> str:
    """What the system says, or else the innermost exception that says anything."""
    system = [c for c in causes if isinstance(c, OSError) and c.errno]
    if not system:
        return next((text for cause in reversed(causes) if (text := str(cause))), "")
    if isinstance(system[-1], socket.gaierror):
        return f"A name was not found: {system[-1].strerror}."
    return f"{os.strerror(system[-1].errno or 0)}."


def _proxy_for(url: Any) -> tuple[str, httpx2.URL | None]:
    """The variable whose proxy stands before an address, and the proxy's address, or None."""
    import httpx2

    if url.host in LOCAL or proxy_bypass(url.host):
        return "", None
    found = {name.lower(): (name, proxy) for name, proxy in _proxies().items()}
    name, proxy = found.get(f"{url.scheme}_proxy") or found.get("all_proxy") or ("", "")
    return name, httpx2.URL(proxy) if proxy else None


def _wrong_tls(
    error: ssl.SSLError, where: str, name: str, proxy: httpx2.URL | None
) -> InputError | None:
    """The error for TLS that will fail again."""
    if proxy is not None and proxy.scheme == "https":
        where = f"{where} or of the proxy of {name}"
    if isinstance(error, ssl.SSLCertVerificationError):
        otherwise = "If you trust it, name its certificate: %env SSL_CERT_FILE=/path/to/file.pem"
        wrong = error.verify_message.rstrip(".")
        return InputError(
            f"The certificate of {where} is not valid: {wrong}.",
            _CERTIFICATES.get(error.verify_code, otherwise),
        )
    if error.reason not in _NO_TLS:
        return None
    hint = "Its address may have to begin with http://."
    return InputError(f"{where} did not answer in TLS.", hint)
