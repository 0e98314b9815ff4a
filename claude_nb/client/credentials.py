"""What is sent as a credential: found in the environment, in clients and in requests."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from claude_nb.client.network import unsendable_header
from claude_nb.errors import CredentialsError
from claude_nb.redaction import remember

_NAMED = re.compile(
    r"(?:api|access|subscription|signing)[-_]?key\b|apikey\b|\bkey\b|token\b|secret\b|password\b"
    r"|credentials?\b|cookie\b|\bauth\b|authorization\b|authentication\b"
    r"|\bjwt\b|assertion\b|passwd\b|\bpwd\b|passphrase\b",
    re.IGNORECASE,
)
"""The names of headers, of arguments in an address and of variables that hold a credential."""

_SCHEME = re.compile(r"(?:basic|bearer|token|apikey|api-key|negotiate) +(?=\S)", re.IGNORECASE)
"""The schemes of ``Authorization`` that are followed by a credential."""

_SIGNED = re.compile(r"AWS4-|Digest ", re.IGNORECASE)
"""The schemes that send no credential, but a signature made of one, which changes each time."""


def remember_environment(variables: Iterable[tuple[str, str]]) -> None:
    """Redact what variables of the environment hold that the SDK and the network library send."""
    for name, value in variables:
        if name.upper() == "ANTHROPIC_CUSTOM_HEADERS":
            remember_headers(custom_headers(value))
        elif "://" in value or name.upper().endswith("_PROXY"):
            remember_address(value if "://" in value else f"//{value}")
        elif _NAMED.search(name.replace("_", "-")) and not name.upper().endswith("_FILE"):
            remember(value)


def custom_headers(lines: str) -> dict[str, str]:
    """The headers in ``ANTHROPIC_CUSTOM_HEADERS``, as the SDK reads them."""
    pairs = (line.partition(":") for line in lines.split("\n") if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def remember_headers(headers: Mapping[str, Any]) -> None:
    """Redact the values of headers with a credential's name or scheme."""
    for name, value in headers.items():
        if not isinstance(value, str) or _SIGNED.match(value):
            continue
        if scheme := _SCHEME.match(value):
            _remember_with_parts(value[scheme.end() :])
        elif _NAMED.search(name):
            remember(value)
            for part in value.split(";") if "cookie" in name.lower() else ():
                remember(part.partition("=")[2])


def remember_address(address: str) -> None:
    """Redact what an address holds before its host, and arguments with a credential's name."""
    try:
        parts = urlsplit(address)
        found = [parts.password or parts.username or ""]
        found += [value for name, value in parse_qsl(parts.query) if _NAMED.search(name)]
        parts.port  # noqa: B018 - it is read to be checked
    except ValueError:  # as for a password with a slash in it, of which an error quotes a part
        password = address.rpartition("@")[0].partition("//")[2].partition(":")[2]
        found = [password, *re.split("[/?#]", password)]
    for value in found:
        remember(unquote(value))
        remember(value)


def remember_command(words: Sequence[str]) -> None:
    """Redact what a command line holds behind an option, or in a variable, of a credential's name.

    Args:
        words: Its words: ``--token=VALUE``, ``--token VALUE``, ``-e TOKEN=VALUE``.
    """
    for word, after in pairwise((*words, "")):
        name, equals, value = word.partition("=")
        if "://" in word:
            remember_address(value if "://" in value else word)
        if _NAMED.search(name.replace("_", "-")):
            if equals:
                remember(value)
            elif name.startswith("-") and not after.startswith("-"):
                remember(after)


def remember_client(client: Any) -> None:
    """Redact what a client of the SDK sends as a credential.

    Raises:
        CredentialsError: It cannot be sent as it is.
        InputError: Another header cannot.
    """
    for name in ("api_key", "auth_token", "webhook_key"):
        if isinstance(value := getattr(client, name, None), str):
            remember(value)
    headers = dict(client._client.headers)  # noqa: SLF001
    for of_sdk in ("default_headers", "auth_headers"):
        headers |= getattr(client, of_sdk, None) or {}
    remember_headers(headers)
    remember_address(str(client.base_url))
    for name, value in headers.items():
        # The network library would refuse it too, but with the value in its message.
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            is_credential = _NAMED.search(name)
            raise unsendable(f"The header {name}") if is_credential else unsendable_header(name)


def unsendable(what: str) -> CredentialsError:
    """The error for a credential with a character that cannot be sent; it does not show it."""
    return CredentialsError(
        f"{what} holds a line break or another character that cannot be sent.",
        "Copy it again; %claude_nb key asks for a key.",
    )


def _remember_with_parts(value: str) -> None:
    """Redact what stands behind a scheme; for ``Basic`` also the password in it."""
    remember(value)
    try:
        pair = base64.b64decode(value, validate=True).decode()
    except ValueError:
        return
    if ":" in pair and pair.isprintable():
        user, _, password = pair.partition(":")
        remember(password or user)
