"""The commands of ``%claude_nb``: one function each, and the table that names them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from IPython.core import release
from IPython.display import display

from claude_nb import __version__
from claude_nb.asking import asking, jobs
from claude_nb.batches.batch import recent
from claude_nb.conversation import export
from claude_nb.errors import InputError, StoppedError, nearest
from claude_nb.magics import (
    backups,
    budgets,
    connections,
    conversations,
    files,
    mcp,
    options,
    reports,
    stale,
)
from claude_nb.magics.manual import Manual, typed_option
from claude_nb.magics.options import Option
from claude_nb.notebook import executions
from claude_nb.render import labels
from claude_nb.request import place
from claude_nb.request.page import Page
from claude_nb.views import choice
from claude_nb.views.terminal import TerminalView, say


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    Attributes:
        takes: What is written after its name; empty if it takes nothing.
        does: What it does, in a line.
        run: Does it, with the words that were typed as arguments and the options by name; a
            parameter ``default_model`` gets the model that ``%%claude`` asks by default,
            ``body`` the text of a ``%%claude_nb`` cell, and ``line`` what was typed, which is then
            left as it is. What it returns is shown.
        options: The options that it has.
        hint: What helps whoever wrote something else after its name.
        bare: The words with which no option changes anything.
    """

    takes: str
    does: str
    run: Callable[..., object]
    options: tuple[Option, ...] = ()
    hint: str = ""
    bare: tuple[tuple[str], ...] = (("",), ("off",), ("next",))

    @property
    def usage(self) -> str:
        """What is written after its name, with its options."""
        flags = [f"[{option.usage}]" for option in self.options]
        return " ".join(filter(None, (self.takes, *flags)))


def execute(line: str, default_model: str, body: str | None = None) -> object:
    """Run a command.

    Args:
        line: What was typed after ``%claude_nb``.
        default_model: The model that ``%%claude`` asks by default.
        body: The text below ``%%claude_nb``; None for ``%claude_nb``.

    Raises:
        InputError: There is no such command, or it does not take what was typed after it.
    """
    name, _, rest = line.strip().partition(" ")
    name = "help" if name in ("", *_HELP) else name
    command = COMMANDS.get(name)
    if command is None:
        near = nearest(name, COMMANDS)
        hint = f"Did you mean {near}?" if near else f"There are {', '.join(COMMANDS)}."
        raise InputError(f"There is no command {name}.", hint)
    signature = inspect.signature(command.run)
    reads_itself = "line" in signature.parameters
    if not set(_HELP).isdisjoint(rest.split()[: 1 if reads_itself else None]):
        return Manual(_rows(name), after=command.hint)
    parsed = ([], {}) if reads_itself else options.parse_command(rest, command.options)
    words, given = parsed
    given_here = {"default_model": default_model, "body": body, "line": rest}
    ours = {key: value for key, value in given_here.items() if key in signature.parameters}
    if body is not None and "body" not in ours:
        raise InputError(
            f"%%claude_nb {name} takes no text in the cell.", f"Type %claude_nb {line.strip()}"
        )
    try:
        arguments = signature.bind(*words, **given, **ours)
    except TypeError:
        raise _misused(name) from None
    arguments.apply_defaults()
    for option in given if arguments.args[:1] in command.bare else ():
        what = f"--{option.replace('_', '-')} has no effect in %claude_nb {line.strip()}."
        raise InputError(what, _misused(name).what)
    try:
        return command.run(*arguments.args, **arguments.kwargs)
    except options.MisusedError:
        raise _misused(name) from None


def _misused(name: str) -> InputError:
    """The error for what a command does not take."""
    command = COMMANDS[name]
    return InputError(f"%claude_nb {name} takes {command.usage or 'no arguments'}.", command.hint)


_HELP = ("--help", "-h")


def _help() -> Manual:
    rows = [row for name in COMMANDS for row in _rows(name)]
    return Manual([*rows, ("%%claude --help", "the manual of the cell")])


def _rows(name: str) -> list[tuple[str, str]]:
    """A command and its options, as they are typed, each with what it does."""
    command = COMMANDS[name]
    rows = [(f"%claude_nb {name} {command.takes}".rstrip(), command.does)]
    return rows + [(f"  {typed_option(option)}", option.help) for option in command.options]


def _status(*, default_model: str) -> None:
    asked = asking.session.model or default_model
    say(f"claude_nb {__version__} · model {asked}", end=" · ")
    connections.print_key()
    page = Page()
    if page.version:
        say(page.difference(__version__) or f"JupyterLab extension {page.version}")
    here = place.shell()
    if here is not None and "printed" in executions.not_kept(here):
        version = release.version
        say(
            f"IPython {version}: cells are sent without what they printed, which 9.1 and later keep"
        )
    for about in filter(None, (backups.summary(), stale.summary())):
        say(about)


def _backups(command: str = "", *name: str) -> object:
    """List what is backed up, or delete it."""
    if not command:
        return backups.table()
    if command != "delete" or not name:
        raise options.MisusedError
    say(backups.delete(" ".join(name)))
    return None


def _show() -> None:
    reply = asking.last()
    if reply is None:
        raise InputError("There is no reply to show yet.")
    display(reply)


def _jobs(command: str = "", which: str = "") -> object:
    """List, stop or wait for what is written in the background."""
    if not command:
        return jobs.jobs.table()
    if command == "stop" and (which == "all" or which.isdecimal()):
        chosen = jobs.jobs.chosen(which)
        for job in chosen:
            job.reply.stop()
        say(f"Stopped: {', '.join(str(job.number) for job in chosen) or 'none was running'}.")
        return None
    if command != "wait" or which:
        raise options.MisusedError
    try:
        ended = jobs.jobs.wait()
    except KeyboardInterrupt:
        left = labels.counted(len(jobs.jobs.running), "job")
        raise StoppedError(
            "Stopped waiting.", f"Still running: {left}. To stop: %claude_nb jobs stop all"
        ) from None
    kind = choice.fitting()
    for job in [job for job in ended if job.view is None]:
        if kind == "terminal":
            TerminalView(f"{job.number} · {labels.first_words(job.prompt, 60)}").settle(job.reply)
        else:
            choice.make_view(kind, job.reply).settle(job.reply)
    say(jobs.summary(ended) if ended else "No reply is being written in the background.")
    return None


def _files(command: str = "", which: str = "") -> object:
    """List or delete what was uploaded."""
    if not command:
        return files.table()
    if command != "delete" or not which:
        raise options.MisusedError
    files.delete(which)
    return None


_HOW_TO_NAME = "To name a conversation other than the notebook's: -c talk"

COMMANDS = {
    "status": Command(
        "", "the model, where the key comes from, and what the simulator does next", _status
    ),
    "usage": Command(
        "[by model|by conversation|by cell|by day]",
        "the tokens and the cost of this kernel's requests",
        reports.usage,
    ),
    "models": Command("", "the models, what they take and what they cost", reports.models),
    "files": Command(
        "[delete ID|delete all]",
        "list the files that --upload has put on servers, or delete them there",
        _files,
        hint="Without arguments, it lists the files with their ids.",
    ),
    "mcp": Command(mcp.TAKES, mcp.DOES, mcp.command, mcp.OPTIONS, mcp.HINT),
    "batches": Command("", "your most recent batches, to resume", recent),
    "key": Command(
        "", "enter an API key without showing it; it is kept in memory only", connections.key
    ),
    "connect": Command(
        "URL|off",
        "ask another server that speaks the Messages API",
        connections.connect,
        (connections.KEY_ENV, connections.MODEL),
        "For example: %claude_nb connect http://localhost:8080 --model qwen3",
    ),
    "simulate": Command(
        "[on|off|next FAULT|next nothing]",
        "answer from fixed scripts on this computer, without a key, or simulate faults",
        connections.simulate,
        (options.SPEED, options.SEED),
        "on again keeps speed and seed, and clears the queued faults; next lists them.",
    ),
    "budget": Command(
        "[USD|off]",
        "limit the total cost of replies: in this kernel from now on, or with --per in all kernels",
        budgets.command,
        (budgets.PER,),
        "USD is an amount above 0. For example: %claude_nb budget 20 --per month",
        bare=(("",),),
    ),
    "record": Command(
        "[FOLDER|off]",
        "save each reply to a folder, for replay",
        connections.record,
        (connections.WITHOUT,),
    ),
    "replay": Command(
        "[FOLDER|off]",
        "answer from recordings, without a key, network or cost",
        connections.replay,
        (options.SPEED,),
    ),
    "keep": Command(
        "[on|off|FOLDER]",
        "show saved answers instead of asking again; FOLDER saves recordings too",
        connections.keep,
        hint="In a cell, --keep and --fresh override this.",
    ),
    "stale": Command("", "list the answers that are out of date, and why", stale.table),
    "show": Command("", "show the last reply again", _show),
    "jobs": Command(
        "[stop N|stop all|wait]",
        "list, stop or wait for the replies that run in the background",
        _jobs,
        hint="Without arguments, it lists the jobs with their numbers.",
    ),
    "history": Command(
        "",
        "list the turns of the conversation",
        conversations.history,
        (conversations.CONVERSATION,),
        _HOW_TO_NAME,
    ),
    "new": Command(
        "",
        "start a new conversation; fork goes back to the old one",
        conversations.new,
        (conversations.CONVERSATION,),
        _HOW_TO_NAME,
    ),
    "undo": Command(
        "[N]",
        "undo the last N turns, or the last one",
        conversations.undo,
        (conversations.CONVERSATION,),
        f"N is a number of turns. {_HOW_TO_NAME}",
    ),
    "compact": Command(
        "",
        "summarise the conversation; from then on the summary is sent in place of its turns",
        conversations.compact,
        (conversations.CONVERSATION,),
        _HOW_TO_NAME,
    ),
    "edit": Command(
        "[N]",
        "edit the answer of turn N, or the last one; the edited text is sent from now on",
        conversations.edit,
        (conversations.CONVERSATION,),
        f"N is the turn number in the note above a reply. {_HOW_TO_NAME}",
        bare=(),
    ),
    "fork": Command(
        "N",
        "continue from exchange N of the history",
        conversations.fork,
        (conversations.CONVERSATION,),
        "N is the number of an exchange: %claude_nb history shows the numbers.",
    ),
    "restore": Command(
        "[PATH]", "bring back the conversations of a saved notebook", conversations.restore_saved
    ),
    "export": Command(
        "PATH",
        f"write the conversation to a file: {', '.join(export.FORMS)}",
        conversations.export_to,
        (conversations.CONVERSATION, conversations.OVERWRITE),
        'For example: %claude_nb export talk.ipynb, or "my talk.md" -c talk',
    ),
    "backups": Command(
        "[delete NAME|all]",
        "list or delete the turns that are backed up on this computer",
        _backups,
        hint="NAME is a notebook, or a conversation of this one.",
    ),
    "help": Command("", "this list", _help),
}
