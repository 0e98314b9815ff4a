"""``%claude_nb mcp``: servers of tools added, loaded from a project's file, listed and removed."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from IPython.display import display

from claude_nb.errors import ClaudeError, InputError, either, nearest
from claude_nb.magics import options
from claude_nb.magics.options import Option, Value
from claude_nb.redaction import redact
from claude_nb.render import labels
from claude_nb.request.place import possible_paths, session_name, shell
from claude_nb.tools import approvals
from claude_nb.tools.mcp import project
from claude_nb.tools.mcp.consent import Confirm
from claude_nb.tools.mcp.listing import UNFOLDED, Listing, shown_name
from claude_nb.tools.mcp.named import check_name, servers
from claude_nb.tools.mcp.project import ServerEntry
from claude_nb.tools.mcp.server import McpServer
from claude_nb.views.answers import answers
from claude_nb.views.choice import fitting
from claude_nb.views.question import ask
from claude_nb.views.terminal import say

DOES = "MCP servers: start or connect to one, load those of a project's .mcp.json, list, end"
HINT = "Put options of add before NAME. For example: %claude_nb mcp add time uvx mcp-server-time"
TAKES = "[add NAME COMMAND|add NAME URL|list|load [FILE]|remove NAME|forget NAME|forget all]"


def _pair(value: Value, separator: str, example: str) -> tuple[tuple[str, str]]:
    name, found, rest = value.text.partition(separator)
    if not found or not name.strip():
        raise InputError(f"Give a name and a value: {example}")
    return ((name.strip(), rest.strip()),)


def _read_header(value: Value, _variables: object) -> tuple[tuple[str, str]]:
    return _pair(value, ":", '"Authorization: Bearer ${DOCS_TOKEN}"')


def _read_env(value: Value, _variables: object) -> tuple[tuple[str, str]]:
    return _pair(value, "=", "LOG_LEVEL=info")


def _read_confirm(value: Value, _variables: object) -> str:
    if value.text not in get_args(Confirm):
        raise InputError(f"{value.text!r} is not {either(get_args(Confirm))}.")
    return value.text


OPTIONS = (
    Option(
        "header",
        "",
        '"NAME: VALUE"',
        "add: send this header with each request; ${TOKEN} is the value of an environment variable",
        _read_header,
    ),
    Option("env", "", "NAME=VALUE", "add: an environment variable of the server", _read_env),
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
        _add(rest.strip())
        return None
    words, _ = options.parse_command(rest, ())
    if name in ("", "list") and len(words) < 2:
        return Listing([_named(*words).rows()], whole=True) if words else _all()
    if name == "remove" and len(words) == 1:
        server = servers.pop(_named(*words).name)
        server.close()
        say(f"{server.name} has ended: its tools can no longer be called.")
        return None
    if name == "load":
        _load(" ".join(words))
        return None
    if name == "forget" and words:
        _forget(" ".join(words))
        return None
    raise InputError(f"%claude_nb mcp takes {TAKES[1:-1].replace('|', ', ')}.", _EXAMPLE)


_EXAMPLE = "For example: %claude_nb mcp add time uvx mcp-server-time"


def _add(line: str) -> None:
    words, given = options.parse_command(line, OPTIONS, most=2)
    if len(words) == 2 and project.is_address(words[1]):
        words, given = options.parse_command(line, OPTIONS)
    if len(words) != 2:
        raise InputError("%claude_nb mcp add takes a name and a command line or URL.", _EXAMPLE)
    name, where = words
    server = McpServer(
        project.fill_line(where),
        name=name,
        headers={key: project.fill(each) for key, each in given.get("header", ())},
        env={key: project.fill(each) for key, each in given.get("env", ())},
        confirm=given.get("confirm", "always"),
    )
    if redact(line) != line:
        say(
            "This line contains a key, which the notebook saves. Use a variable instead: --header"
            ' "Authorization: Bearer ${TOKEN}"'
        )
    server = _known(server) or server
    servers[name] = server.connect()
    display(server.listing())  # not returned: of several lines only the last one's is shown


def _known(server: McpServer) -> McpServer | None:
    """The server itself, if it is known already, as when a cell is run again.

    Raises:
        InputError: Something else has its name: another server, a function, a tool of the API.
    """
    known = servers.get(server.name)
    if known is not None and known.is_like(server):
        return known
    check_name(server.name)
    here = shell()
    if here is not None and callable(here.user_ns.get(server.name)):
        raise InputError(f"{server.name} is a function of this notebook.", "Choose another name.")
    return None


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


def _load(file: str) -> None:
    """Start or reach the servers of a project's file, each after asking."""
    path = Path(file) if file else project.find(_folder())
    if path is None:
        raise InputError(
            f"There is no {project.FILE} in {_folder()}, nor above it in its Git repository.",
            "To name one: %claude_nb mcp load FILE",
        )
    entries = project.read(path)
    count = labels.counted(len(entries), "server")
    say(f"{path} names {count}. Each one starts only if you allow it.")
    loaded = []
    for entry in entries:
        try:
            server = _allowed(entry, path.expanduser().absolute().parent)
            if server is not None:
                servers[entry.name] = server.connect()
                loaded.append(server)
        except ClaudeError as error:
            say(f"{entry.name}: {error}")
        except _NobodyError:
            raise InputError(
                f"No further server of {path} was started: nobody can be asked here.",
                "Add those that you trust: %claude_nb mcp add NAME COMMAND",
            ) from None
    if loaded:
        display(Listing([server.rows() for server in loaded]))


class _NobodyError(Exception):
    """Nobody can be asked."""


def _allowed(entry: ServerEntry, folder: Path) -> McpServer | None:
    """The server of an entry, if it is running already or the user allows it.

    Args:
        entry: The entry.
        folder: The folder of its file, where a command is started.

    Raises:
        InputError: It can be none, or its name is taken.
        _NobodyError: Nobody can be asked.
    """
    if entry.problem is not None:
        raise entry.problem
    server = McpServer(
        entry.where, name=entry.name, headers=entry.headers, env=entry.env, folder=folder
    )
    if (known := _known(server)) is not None:
        return known
    verb = "Reach" if project.is_address(entry.where) else "Start"
    answer = ask(
        f"{verb} {entry.name}?",
        _facts(entry, folder),
        verb,
        on_page=fitting() == "live" and answers.reach_cells,
    )
    if answer is None:
        raise _NobodyError
    return server if answer else None


def _facts(entry: ServerEntry, folder: Path) -> list[tuple[str, str]]:
    """What is started or reached, and what it gets: of secrets the names, never the values."""
    is_address = project.is_address(entry.where)
    facts = {
        "address" if is_address else "command": entry.shown,
        "in the folder": "" if is_address else str(folder),
        "environment": entry.env_shown,
        "headers": ", ".join(entry.headers),
        "variables of this kernel": ", ".join(entry.variables),
    }
    return [(head, shown.replace("\n", "␊")) for head, shown in facts.items() if shown]


def _forget(name: str) -> None:
    """Ask again before calls that were allowed for this session, or for good.

    Args:
        name: A server, ``NAME.tool``, a command line or address as the list has it, or ``all``.
    """
    if name == "all":
        approvals.revoke_all()
        say("Every tool of every server asks again.")
        return
    of_server, dot, tool = name.partition(".")
    server = servers.get(of_server)
    own = [server.consent(each).approval for each in server.tools] if server is not None else []
    places = {(each.server, each.folder) for each in own}
    allowed = [*approvals.listed(), *filter(approvals.is_allowed_for_session, own)]
    chosen = {
        each.key: each
        for each in allowed
        if each.server == name
        or ((each.server, each.folder) in places and (not dot or each.tool == tool))
    }
    if not chosen:
        raise InputError(
            f"No tool of {name} was allowed.", "To see what was allowed: %claude_nb mcp list"
        )
    approvals.revoke(chosen.values())
    tools = dict.fromkeys(shown_name(each.tool) for each in chosen.values())
    say(f"Asks again: {', '.join(tools)}.")


def _folder() -> Path:
    """The folder of this kernel's notebook, or the working folder."""
    paths = (path for path in possible_paths(session_name()) if path.is_file())
    return next((path.resolve().parent for path in paths), Path.cwd())


def _all() -> Listing:
    """All servers, and below them what was allowed of others for good."""
    here = [
        server.consent(each).approval.key for server in servers.values() for each in server.tools
    ]
    elsewhere: dict[str, list[str]] = {}
    for approval in approvals.listed():
        if approval.key not in here:
            place = f" in {approval.folder}" if approval.folder else ""
            elsewhere.setdefault(f"{approval.server}{place}", []).append(shown_name(approval.tool))
    note = [] if servers else [f"There are no MCP servers. {_EXAMPLE}"]
    if any(len(server.tools) > UNFOLDED for server in servers.values()):
        note.append("All tools of a server: %claude_nb mcp list NAME")
    note += [f"Always allowed of {where}: {', '.join(tools)}" for where, tools in elsewhere.items()]
    note += ["To be asked again: %claude_nb mcp forget all"] if elsewhere else []
    return Listing([server.rows() for server in servers.values()], note=note)
