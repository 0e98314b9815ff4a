"""The tools of an MCP server that the API calls: what is sent of them, and where one may be."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from claude_nb.errors import InputError
from claude_nb.redaction import redact_error, remember
from claude_nb.request.server_tools import MCP_TOOLSET

_LOCAL = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "arpa")
"""Last parts of names that no public server has."""


def toolset(name: str, url: str, token: str | None, only: Collection[str] | None) -> dict[str, Any]:
    """The definition of a server's tools; ``server`` in it becomes an entry of ``mcp_servers``.

    Args:
        name: What the server is called in calls.
        url: Its address.
        token: What the API sends it as ``Authorization: Bearer``, or None.
        only: The names of the tools that may be called; None for all of them.
    """
    server = {"type": "url", "url": url, "name": name}
    server |= {} if token is None else {"authorization_token": token}
    found: dict[str, Any] = {"type": MCP_TOOLSET, "mcp_server_name": name, "server": server}
    if only is not None:
        enabled = {tool: {"enabled": True} for tool in sorted(only)}
        found |= {"default_config": {"enabled": False}, "configs": enabled}
    return found


def checked_token(token: str) -> str:
    """A token without blanks around it, redacted from now on.

    Raises:
        InputError: It cannot be sent.
    """
    token = token.strip()
    remember(token)
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise InputError(
            "The token of the MCP server is empty or has characters that cannot be sent.",
            "Pass it without Bearer: token=os.environ['TOKEN']",
        )
    return token


def check_public(url: str) -> None:
    """Refuse an address that the API cannot reach, and one with a password in it.

    Raises:
        InputError: It is one.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        raise InputError(f"{redact_error(url)!r:.80} is not a server address.") from None
    if parts.username is not None:
        raise InputError(
            f"The address of the MCP server on {host} contains a user name or password.",
            "Pass a token instead: token=os.environ['TOKEN']",
        )
    last = host.rpartition(".")[2]
    is_public = "." in host and last not in _LOCAL and not last[:1].isdigit()
    with suppress(ValueError):
        is_public = ip_address(host).is_global
    if parts.scheme != "https" or not is_public or not url.isprintable() or " " in url:
        shown = redact_error(url)[:200]
        raise InputError(
            f"The API cannot call {shown}: it needs a public https address.",
            f"Let the kernel call it: claude_nb.Tools.mcp({shown!r})",
        )
