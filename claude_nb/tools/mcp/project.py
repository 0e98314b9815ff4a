"""A project's ``.mcp.json``: found, read and checked, with the environment's variables put in."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claude_nb.client.credentials import remember_environment
from claude_nb.errors import InputError
from claude_nb.request.extra import is_secret
from claude_nb.request.files import read_bytes

FILE = ".mcp.json"
"""What the file is called, in Claude Code too."""

_MAX_BYTES = 1_000_000
_LONGEST = 4_000
"""Characters of a command line, an address or an environment at most: a longer one cannot be
judged."""

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}", re.ASCII)
_HTTP = ("http", "streamable-http", "streamableHttp")
_EXAMPLE = '{"mcpServers": {"trains": {"command": "python", "args": ["-m", "trains"]}}}'


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """A server that a file names.

    Attributes:
        name: What it is called.
        shown: Its command line or its address as the file has it: variables by their names.
        where: The same with the values of the variables.
        env: The variables of its environment.
        env_shown: The same as the file has them; of secrets the names alone.
        headers: What is sent with each request, if it is reached by HTTP.
        variables: The names of the variables of this kernel's environment that it gets.
        problem: Why it cannot be used; None if it can.
    """

    name: str
    shown: str = ""
    where: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    env_shown: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: tuple[str, ...] = ()
    problem: InputError | None = None


def find(folder: Path) -> Path | None:
    """The file of a folder, or of the nearest one above it up to the root of its Git repository."""
    above = [folder, *folder.parents]
    root = next((number for number, each in enumerate(above) if (each / ".git").exists()), 0)
    found = (each / FILE for each in above[: root + 1])
    return next((path for path in found if path.exists()), None)


def read(path: str | Path) -> list[ServerEntry]:
    """The servers that a file names; one that cannot be used has its problem.

    Raises:
        InputError: The file cannot be read, or is no such file.
    """
    data = read_bytes(path, limit=_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise InputError(f"{path} is larger than 1 MB.", f"Use this form: {_EXAMPLE}")
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        what = f"{path} is not valid JSON: {error.msg}, line {error.lineno}."
        raise InputError(what, f"Use this form: {_EXAMPLE}") from None
    except (UnicodeDecodeError, RecursionError):
        raise InputError(f"{path} is not valid JSON.", f"Use this form: {_EXAMPLE}") from None
    servers = found.get("mcpServers") if isinstance(found, dict) else None
    if not isinstance(servers, dict):
        raise InputError(f"{path} has no mcpServers.", f"Use this form: {_EXAMPLE}")
    return [_entry(name, about) for name, about in servers.items()]


def fill(text: str) -> str:
    """A text with the environment's variables put in: ``${NAME}``, or ``${NAME:-otherwise}``.

    The value of a variable with a secret's name is redacted from now on.

    Raises:
        InputError: One of them is not set.
    """

    def value(found: re.Match[str]) -> str:
        name, otherwise = found.groups()
        here = os.environ.get(name)
        if here is None and otherwise is None:
            raise InputError(
                f"The variable {name} is not set.",
                f'To enter it hidden: import os, getpass; os.environ["{name}"] = getpass.getpass()',
            )
        here = here or otherwise or ""
        remember_environment([(name, here)])
        return here

    return _VARIABLE.sub(value, text)


def fill_line(where: str) -> str:
    """``fill`` for a command line, whose words stay words, or an address.

    Raises:
        InputError: A variable is not set.
    """
    if "${" not in where or is_address(where):
        return fill(where)
    try:
        words = shlex.split(where)
    except ValueError:  # McpServer says so
        return where
    return shlex.join(map(fill, words))


def is_address(where: str) -> bool:
    """Whether it is the address of a server, not the command line that starts it."""
    return where.lower().startswith(("http://", "https://"))


def variables(texts: Iterable[str]) -> tuple[str, ...]:
    """The names of the variables that ``fill`` puts in, each once."""
    found = (match[1] for text in texts for match in _VARIABLE.finditer(text))
    return tuple(dict.fromkeys(found))


def _entry(name: str, about: Any) -> ServerEntry:
    shown = ""
    try:
        env, headers = _texts(about, "env"), _texts(about, "headers")
        shown = (_address if _is_http(about) else _command)(about)
        where = fill_line(shown)
        env_shown = " ".join(map(_shown, env, env.values()))
        _check_line(where, shown, is_http=_is_http(about))
        _check_length("environment", env_shown)
        return ServerEntry(
            name,
            shown,
            where,
            {key: fill(value) for key, value in env.items()},
            env_shown,
            {key: fill(value) for key, value in headers.items()},
            variables([shown, *env.values(), *headers.values()]),
        )
    except InputError as error:
        return ServerEntry(name, shown, problem=error)


def _shown(name: str, value: str) -> str:
    """A variable, with its value: one such as ``NODE_OPTIONS`` decides what code is run."""
    return name if is_secret(name) else f"{name}={shlex.quote(value)}"


def _is_http(about: dict[str, Any]) -> bool:
    kind = about.get("type", "stdio" if "command" in about else "http")
    if kind == "sse":
        raise InputError(
            "It uses SSE, which MCP no longer supports.",
            'Ask its provider for its streamable HTTP address: {"type": "http", "url": "https://…"}',
        )
    if kind != "stdio" and kind not in _HTTP:
        raise InputError(f"Its type is {kind!r:.60}.", "Use stdio or http.")
    return bool(kind != "stdio")


def _command(about: dict[str, Any]) -> str:
    command, args = about.get("command"), about.get("args", [])
    if not isinstance(command, str) or not command.strip():
        raise InputError("It has no command.", f"Use this form: {_EXAMPLE}")
    if not isinstance(args, list) or not all(isinstance(each, str) for each in args):
        raise InputError("args is not a list of strings.", f"Use this form: {_EXAMPLE}")
    return shlex.join([command, *args])


def _address(about: dict[str, Any]) -> str:
    url = about.get("url")
    if not isinstance(url, str) or not url.strip():
        raise InputError("It has neither a command nor a url.", f"Use this form: {_EXAMPLE}")
    return url.strip()


def _check_line(where: str, shown: str, *, is_http: bool) -> None:
    """Refuse what is not what it is said to be, or longer than anybody reads before allowing it."""
    if is_address(where) != is_http:
        what = "url is not an address" if is_http else "command is an address"
        raise InputError(f"Its {what}: {shown:.200}", "An address begins with http:// or https://")
    _check_length("command line or address", shown)


def _check_length(what: str, shown: str) -> None:
    if len(shown) > _LONGEST:
        raise InputError(f"Its {what} is longer than {_LONGEST} characters.")


def _texts(about: Any, name: str) -> dict[str, str]:
    if not isinstance(about, dict):
        raise InputError("It is not an object.", f"Use this form: {_EXAMPLE}")
    found = about.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise InputError(f"{name} is not an object of strings.", f'"{name}": {{"NAME": "value"}}')
    return found
