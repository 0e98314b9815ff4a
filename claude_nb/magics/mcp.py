"""``%claude_nb mcp``: servers of tools added, loaded from a project's file, listed and removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import get_args

from claude_nb.characters import clean
from claude_nb.errors import ClaudeError, InputError, nearest
from claude_nb.magics import options
from claude_nb.magics.options import Option, Value
from claude_nb.redaction import redact
from claude_nb.render import labels
from claude_nb.render.markdown.inline import QUIET, text
from claude_nb.request.place import possible_paths, session_name, shell
from claude_nb.tools.mcp import project
from claude_nb.tools.mcp.named import check_name, servers
from claude_nb.tools.mcp.project import ServerEntry
from claude_nb.tools.mcp.server import Confirm, McpServer
from claude_nb.views.confirmation import ask_by_input
from claude_nb.views.terminal import say

_UNFOLDED = 20
"""So many tools of a server are listed in sight, more of them folded."""

_BRIEF = 200
"""Characters of a description in sight; the rest is folded."""

DOES = "servers of tools: start or reach one, those of a project's .mcp.json, list, end"
HINT = "Options of add stand before NAME. For example: %claude_nb mcp add time uvx mcp-server-time"
TAKES = "[add NAME COMMAND|add NAME URL|list|load [FILE]|remove NAME|forget NAME]"


def _pair(value: Value, separator: str, example: str) -> tuple[tuple[str, str]]:
    name, found, rest = value.text.partition(separator)
    if not found or not name.strip():
        raise InputError(f"It takes a name and a value: {example}")
    return ((name.strip(), rest.strip()),)


def _read_header(value: Value, _variables: object) -> tuple[tuple[str, str]]:
    return _pair(value, ":", '"Authorization: Bearer ${DOCS_TOKEN}"')


def _read_env(value: Value, _variables: object) -> tuple[tuple[str, str]]:
    return _pair(value, "=", "LOG_LEVEL=info")


def _read_confirm(value: Value, _variables: object) -> str:
    if value.text not in get_args(Confirm):
        raise InputError(f"It takes {', '.join(get_args(Confirm))}, not {value.text!r}.")
    return value.text


OPTIONS = (
    Option(
        "header",
        "",
        '"NAME: VALUE"',
        "add: send this with each request to the server; ${TOKEN} is a variable's value",
        _read_header,
    ),
    Option("env", "", "NAME=VALUE", "add: a variable of the server's environment", _read_env),
    Option(
        "confirm",
        "",
        "WHEN",
        "add: ask before each call (always), once for each tool (session), or never",
        _read_confirm,
    ),
)


def command(*, line: str) -> object:
    """Do what a line asks for.

    Args:
        line: What was typed after ``%claude_nb mcp``.

    Returns:
        What is to be shown.

    Raises:
        ClaudeError: It cannot be done.
    """
    name, _, rest = line.strip().partition(" ")
    if name == "add":
        return _add(rest.strip())
    words, _ = options.parse_command(rest, ())
    if name in ("", "list") and len(words) < 2:
        return listing(map(_named, words) if words else servers.values(), whole=bool(words))
    if name == "remove" and len(words) == 1:
        server = servers.pop(_named(*words).name)
        server.close()
        say(f"{server.name} has ended: its tools cannot be called any more.")
        return None
    if name == "load":
        return _load(" ".join(words))
    raise InputError(f"%claude_nb mcp takes {TAKES[1:-1].replace('|', ', ')}.", _EXAMPLE)


_EXAMPLE = "For example: %claude_nb mcp add time uvx mcp-server-time"


def _add(line: str) -> Listing:
    words, given = options.parse_command(line, OPTIONS, most=2)
    if len(words) == 2 and project.is_address(words[1]):
        words, given = options.parse_command(line, OPTIONS)
    if len(words) != 2:
        raise InputError("%claude_nb mcp add takes a name, and a command line or a URL.", _EXAMPLE)
    name, where = words
    filled = project.fill_line(where)
    if name in servers and servers[name].where == filled:  # the cell is run again
        servers.pop(name).close()
    _check_name(name)
    server = McpServer(
        filled,
        name=name,
        headers={key: project.fill(each) for key, each in given.get("header", ())},
        env={key: project.fill(each) for key, each in given.get("env", ())},
        confirm=given.get("confirm", "always"),
    )
    if redact(line) != line:
        say(
            "A key stands in this line, and is saved with the notebook. The name of a variable in"
            ' its place is not secret: --header "Authorization: Bearer ${TOKEN}"'
        )
    servers[name] = server.connect()
    return listing([server])


def _check_name(name: str) -> None:
    """Refuse a name that something else has.

    Raises:
        InputError: It is that of another server, of a function, or of something of ``--tools``.
    """
    check_name(name)
    here = shell()
    if here is not None and callable(here.user_ns.get(name)):
        raise InputError(f"{name} is a function of this notebook.", "Take another name.")


def _named(name: str) -> McpServer:
    """The server of that name.

    Raises:
        InputError: There is none.
    """
    if name in servers:
        return servers[name]
    near = nearest(name, servers)
    there = f"There {'is' if len(servers) == 1 else 'are'} {', '.join(servers) or 'none'}."
    raise InputError(f"There is no MCP server {name}.", f"Did you mean {near}?" if near else there)


def _load(file: str) -> Listing | None:
    """Start or reach the servers of a project's file, each after asking."""
    path = Path(file) if file else project.find(_folder())
    if path is None:
        raise InputError(
            f"There is no {project.FILE} in {_folder()}, nor above it in its Git repository.",
            "To name one: %claude_nb mcp load FILE",
        )
    entries = project.read(path)
    count = labels.counted(len(entries), "server")
    say(f"{path} names {count}. None is started or reached unless you allow it.")
    loaded = []
    for entry in entries:
        try:
            server = _allowed(entry)
            if server is not None:
                servers[entry.name] = server.connect()
                loaded.append(server)
        except ClaudeError as error:
            say(f"{entry.name}: {error}")
        except _NobodyError:
            raise InputError(
                f"Nothing more of {path} was started or reached: nobody can be asked here.",
                "Name those that you trust: %claude_nb mcp add NAME COMMAND",
            ) from None
    return listing(loaded) if loaded else None


class _NobodyError(Exception):
    """Nobody can be asked."""


def _allowed(entry: ServerEntry) -> McpServer | None:
    """The server of an entry, if it is running already or the user allows it.

    Raises:
        InputError: It can be none, or its name is taken.
        _NobodyError: Nobody can be asked.
    """
    if entry.problem is not None:
        raise entry.problem
    if entry.name in servers and servers[entry.name].where == entry.where:
        return servers[entry.name]
    _check_name(entry.name)
    server = McpServer(entry.where, name=entry.name, headers=entry.headers, env=entry.env)
    say("\n".join(f"  {head}: {shown}" for head, shown in _facts(entry)))
    verb = "Reach" if project.is_address(entry.where) else "Start"
    answer = ask_by_input(f"{verb} {entry.name}?")
    if answer is None:
        raise _NobodyError
    if not answer:
        say(f"{entry.name}: not {'reached' if verb == 'Reach' else 'started'}.")
    return server if answer else None


def _facts(entry: ServerEntry) -> list[tuple[str, str]]:
    """What is started or reached, and what it gets: variables by name, never their values."""
    facts = {
        "address" if project.is_address(entry.where) else "command": entry.shown,
        "its environment": ", ".join(entry.env),
        "headers": ", ".join(entry.headers),
        "read from this kernel's environment": ", ".join(entry.variables),
    }
    return [(head, shown.replace("\n", "␊")) for head, shown in facts.items() if shown]


def _folder() -> Path:
    """The folder of this kernel's notebook, or the working folder."""
    paths = (path for path in possible_paths(session_name()) if path.is_file())
    return next((path.resolve().parent for path in paths), Path.cwd())


_ASKS = {
    "always": "each call asks first",
    "session": "asks once for each tool",
    "never": "calls do not ask",
}


def listing(shown: Iterable[McpServer], *, whole: bool = False) -> Listing:
    """Servers with their tools, as they are now.

    Args:
        shown: The servers.
        whole: Whether nothing of them is folded.
    """
    return Listing([_Shown.of(server) for server in shown], whole=whole)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is shown of a server."""

    name: str
    where: str
    about: str
    tools: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, server: McpServer) -> _Shown:
        state = "running" if server.is_connected else "ended; the next question starts it again"
        left_out = ((name, f"It cannot be used: {why}") for name, why in server.left_out.items())
        tools = ((tool.name, tool.description) for tool in server.tools)
        return cls(
            server.name, server.where, f"{state} · {_ASKS[server.confirm]}", (*tools, *left_out)
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """Servers and their tools: tables in a notebook, text in a terminal.

    Attributes:
        servers: What is shown of each.
        whole: Whether nothing of them is folded.
    """

    servers: Sequence[_Shown]
    whole: bool = False

    def __repr__(self) -> str:
        lines = [line for server in self.servers for line in self._lines(server)]
        return clean(redact("\n".join(lines or [_NONE])))

    def _lines(self, server: _Shown) -> Iterable[str]:
        yield f"{server.name} · {server.where} · {server.about}"
        most = len(server.tools) if self.whole else _UNFOLDED
        shown = server.tools[:most]
        width = max((len(name) for name, _ in shown), default=0)
        for name, description in shown:
            about = " ".join(description.split())
            if not self.whole:
                about = labels.first_words(description, _BRIEF)
            yield f"  {name:<{width}}  {about}".rstrip()
        if rest := len(server.tools) - len(shown):
            yield f"  and {rest} more: %claude_nb mcp list {server.name}"
        if not server.tools:
            yield "  It has no tools."

    def _repr_html_(self) -> str:
        return "".join(map(self._html, self.servers)) or f"<p>{text(_NONE)}</p>"

    def _html(self, server: _Shown) -> str:
        head = (
            f'<p style="margin:6px 0 2px"><b>{text(server.name)}</b>'
            f" · <code>{text(server.where)}</code>"
            f' · <span style="{QUIET}">{text(server.about)}</span></p>'
        )
        if not server.tools:
            return f"{head}<p>It has no tools.</p>"
        rows = "".join(
            f'<tr><td style="{_CELL}"><code>{text(name)}</code></td>'
            f'<td style="{_CELL}">{self._description(description)}</td></tr>'
            for name, description in server.tools
        )
        table = f'<table style="margin-left:0"><tbody>{rows}</tbody></table>'
        if len(server.tools) <= _UNFOLDED or self.whole:
            return head + table
        summary = labels.counted(len(server.tools), "tool")
        return f"{head}<details><summary>{summary}</summary>{table}</details>"

    def _description(self, description: str) -> str:
        brief = labels.first_words(description, _BRIEF)
        if brief == description.strip():
            return text(brief)
        # All of it, as the model gets it.
        rest = f'<div style="white-space:pre-wrap">{escape(clean(redact(description)))}</div>'
        return rest if self.whole else f"<details><summary>{text(brief)}</summary>{rest}</details>"


_NONE = "No MCP server is named here. For example: %claude_nb mcp add time uvx mcp-server-time"
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0"
