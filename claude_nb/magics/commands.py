"""The commands of ``%claude_nb``: one function each, and the table that names them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from getpass import getpass
from pathlib import Path
from urllib.parse import urlsplit

from IPython.core.error import StdinNotImplementedError
from IPython.display import display

from claude_nb import __version__
from claude_nb.asking import asking, jobs
from claude_nb.asking.conversation import Conversation
from claude_nb.batches.batch import recent
from claude_nb.characters import clean
from claude_nb.client.connection import Connection, list_models
from claude_nb.client.engine import call
from claude_nb.client.network import check_address, without_api_path
from claude_nb.conversation import export, outline, restore, saved_chat, saved_notebook
from claude_nb.conversation.history import (
    NOTEBOOK,
    Exchange,
    History,
    describe_compaction,
)
from claude_nb.conversation.restore import SavedConversation
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import ClaudeError, InputError, StoppedError, nearest
from claude_nb.keeping.keeper import keeper
from claude_nb.magics import backups, budgets, edits, files, options, reports, stale
from claude_nb.magics.manual import Manual, typed_option
from claude_nb.magics.options import Option
from claude_nb.recording.matching import PARTS
from claude_nb.recording.replay import Recorder, RecordingStore
from claude_nb.render import labels
from claude_nb.request.page import Page
from claude_nb.simulator.faults import FAULTS, NOTHING, fault
from claude_nb.views.terminal import TerminalView, say

MAX_NOTES = 20
"""How many notes on a notebook are shown."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    Attributes:
        takes: What is written after its name; empty if it takes nothing.
        does: What it does, in a line.
        run: Does it, with the words that were typed as arguments and the options by name; a
            parameter ``default_model`` gets the model that ``%%claude`` asks by default, and
            ``body`` the text of a ``%%claude_nb`` cell. What it returns is shown.
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
    if not set(_HELP).isdisjoint(rest.split()):
        return Manual(_rows(name), after=command.hint)
    words, given = options.parse_command(rest, command.options)
    signature = inspect.signature(command.run)
    given_here = {"default_model": default_model, "body": body}
    ours = {key: value for key, value in given_here.items() if key in signature.parameters}
    if body is not None and "body" not in ours:
        raise InputError(f"%%claude_nb {name} takes no text.", f"Type %claude_nb {line.strip()}")
    try:
        arguments = signature.bind(*words, **given, **ours)
    except TypeError:
        raise _misused(name) from None
    arguments.apply_defaults()
    for option in given if arguments.args[:1] in command.bare else ():
        what = f"--{option.replace('_', '-')} changes nothing in %claude_nb {line.strip()}."
        raise InputError(what, _misused(name).what)
    return command.run(*arguments.args, **arguments.kwargs)


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
    _print_key()
    page = Page()
    if page.version:
        say(page.difference(__version__) or f"JupyterLab extension {page.version}")
    for about in filter(None, (backups.summary(), stale.summary())):
        say(about)


def _backups(command: str = "", *name: str) -> object:
    """List what is backed up, or delete it."""
    if not command:
        return backups.table()
    if command != "delete" or not name:
        raise _misused("backups")
    say(backups.delete(" ".join(name)))
    return None


def _print_key() -> None:
    say(asking.session.describe_key())
    try:
        about = asking.session.describe_simulator()
    except InputError as error:
        about = str(error)
    if about:
        say(about)


def _key(*words: str) -> None:
    if words:  # and what was typed is not repeated: it may be a key
        raise InputError(
            "%claude_nb key asks for the key by itself, so that it is not saved with the notebook.",
            "Clear this cell, and run: %claude_nb key",
        )
    try:
        key = getpass("API key (not shown, kept in memory only): ").strip()
    except StdinNotImplementedError:
        raise InputError(
            "There is nobody to ask for a key here.", "Set ANTHROPIC_API_KEY instead."
        ) from None
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError("That is not a key; the one in use has not changed.")
    if Connection().is_api and not key.startswith("sk-ant-"):
        raise InputError(
            "That does not look like an Anthropic key (sk-ant-…); the one in use has not changed.",
            "Copy it from platform.claude.com, and run again: %claude_nb key",
        )
    asking.session.enter_key(key)
    _print_key()


def _connect(url: str, *, key_env: str = "", model: str = "") -> None:
    """Ask another server, or the API again."""
    if url == "off":
        asking.session.disconnect()
    else:
        connection = Connection(base_url=_address(url), key_env=key_env)
        asking.session.connect(connection, model=model)
    _print_key()
    if url != "off" and not model:
        say(_choose_model())


def _address(url: str) -> str:
    """The address as the SDK takes it: it puts ``/v1/messages`` behind it itself."""
    url = url if "://" in url else f"http://{url}"
    check_address(url, clean(url), "For example: %claude_nb connect http://localhost:8080")
    found = urlsplit(url)
    if found.username or found.password:
        raise InputError(
            "The address holds a password.", "Put it into a variable, and name that: --key-env."
        )
    return without_api_path(url)


def _choose_model() -> str:
    """The models of a server, in words; the only model that it has is taken."""
    try:
        listed = call(list_models(asking.session.connection()))
    except ClaudeError as error:
        return f"No list of models: {error.what} To name one: %claude_nb connect URL --model ID"
    names = [str(model.get("id")) for model in listed]
    if len(names) == 1:
        asking.session.choose_model(names[0])
        return f"Cells ask {names[0]}, the only model that it has."
    shown = ", ".join(names[:MAX_NOTES]) + (", …" if len(names) > MAX_NOTES else "")
    return f"It has {shown or 'no models'}. Cells ask one of them with --model ID, or -m ID."


def _simulate(
    state: str = "", *faults: str, speed: float | None = None, seed: int | None = None
) -> None:
    """Turn the simulator on or off, or say whether it is on."""
    session = asking.session
    if state == "next":
        _simulate_next(*faults)
        return
    if state not in ("", "on", "off") or faults:
        raise _misused("simulate")
    if state:
        session.simulate(state == "on", speed=speed, seed=seed)
    if not session.simulated:
        say("The simulator is off.")
    _print_key()


def _simulate_next(*names: str) -> None:
    """Queue faults, list them, or empty the queue."""
    simulator = asking.session.simulator()
    asking.session.warn_of_unused()  # those that a client of the SDK met
    if names == (NOTHING,):
        simulator.drain()
    found = [fault(name) for name in names if names != (NOTHING,)]
    simulator.enqueue(*(one.reply for one in found))
    for one in found:
        say(f"Next: {one.describe(simulator.speed)}.")
    if not found:
        queued = asking.session.queued_faults()
        say(f"Next: {', '.join(queued) or NOTHING}.")
        say(f"Faults: {', '.join(FAULTS)}.")


_SPEED = Option("speed", "", "FACTOR", "how fast replies come: 0.2 is a fifth", options.read_factor)
_SEED = Option(
    "seed", "", "N", "the same seed and prompt give the same pieces", options.read_number
)
_WITHOUT = Option(
    "without", "", ",".join(PARTS), "leave these out of the files", options.read_names, several=True
)
_KEY_ENV = Option(
    "key-env",
    "",
    "NAME",
    "the variable with the key that it gets; without it, it gets none",
    options.read_text,
)
_CONVERSATION = Option(
    "conversation", "c", "NAME", "of this conversation, not of the notebook's", options.read_text
)
_OVERWRITE = Option(
    "overwrite", "", "", "replace a file that is no unchanged export", options.read_switch
)
_MODEL = Option("model", "", "ID", "the model that cells ask there", options.read_text)


def _record(folder: str = "", *, without: tuple[str, ...] = ()) -> None:
    """Begin to record, or end it, or say whether it is on."""
    session = asking.session
    if folder == "off":
        session.recorder = None
    elif folder:
        session.recorder = Recorder(folder, without)
    if session.recorder is None:
        say("Replies are not recorded.")
        return
    left_out = " and ".join(session.recorder.without)
    where = f"{session.recorder.folder}{left_out and f', without {left_out}'}"
    say(f"Each reply is recorded in {where}.")


def _replay(folder: str = "", *, speed: float = 1.0) -> None:
    """Begin to replay, or end it, or say whether it is on."""
    session = asking.session
    if folder == "off":
        session.library = None
    elif folder:
        session.library, notes = RecordingStore.of(folder, speed=speed)
        for note in notes:
            say(f"Note: {note}")
    if session.library is None:
        say("Nothing is replayed: questions are sent.")
        return
    count = len(session.library.requests)
    recorded = f"{count:,} recorded request{'s' if count != 1 else ''}"
    say(f"Replaying {recorded} from {session.library.name}; nothing is sent.")


def _keep(*words: str) -> None:
    """Show kept answers, or no more, or keep them in a folder too."""
    chosen = " ".join(words)
    if chosen in ("on", "off"):
        keeper.notebook = chosen == "on"
    elif chosen:
        keeper.use(chosen)
    if not keeper.is_on:
        say("Answers are not kept: each cell asks anew.")
        return
    folder = f", and in {keeper.folder.path}" if keeper.folder is not None else ""
    say(
        f"Answers are kept in this notebook{folder}: what was answered before is not sent again;"
        " --fresh on a cell asks anew."
    )
    if snapshot.error:
        say(f"Those that it holds cannot be read: {snapshot.error}")
        if not folder:
            say("A folder keeps answers as well: %claude_nb keep ~/answers")


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
        raise _misused("jobs")
    try:
        ended = jobs.jobs.wait()
    except KeyboardInterrupt:
        left = labels.counted(len(jobs.jobs.running), "job")
        raise StoppedError(
            "No longer waited for.", f"Still running: {left}. To stop: %claude_nb jobs stop all"
        ) from None
    kind = asking.fitting()
    for job in [job for job in ended if job.view is None]:
        if kind == "terminal":
            TerminalView(f"{job.number} · {labels.first_words(job.prompt, 60)}").settle(job.reply)
        else:
            asking.make_view(kind, job.reply).settle(job.reply)
    say(jobs.summary(ended) if ended else "No reply is being written in the background.")
    return None


def _history(*, conversation: str = "") -> None:
    say(outline.tree(_named(conversation)))


def _new(*, conversation: str = "") -> None:
    history = _named(conversation)
    history.new()
    say(f"{history.name}: the next question begins anew.")


def _undo(turns: str = "1", *, conversation: str = "") -> None:
    if not turns.isdecimal():
        raise _misused("undo")
    history = _named(conversation)
    first, *others = history.undo(int(turns))
    more = f" and the {labels.counted(len(others), 'turn')} after it" if others else ""
    say(f"{history.name}: removed {_quoted(first)}{more}. {_goes_on(history)}")


def _compact(*, conversation: str = "") -> None:
    history = _named(conversation)
    history.compact()
    head = history.head
    if head is not None:
        named = f" -c {_typed(conversation)}" if conversation else ""
        took = describe_compaction(head)
        say(f"{history.name}: {took}. To take it back: %claude_nb undo{named}")


def _fork(number: str, *, conversation: str = "") -> None:
    if not number.isdecimal():
        raise _misused("fork")
    history = _named(conversation)
    history.fork(int(number))
    say(f"{history.name}: {_goes_on(history)}")


def _edit(turn: str = "", *, conversation: str = "", body: str | None = None) -> object:
    """Put an answer into the cell, to be changed; or send a text in its place from now on."""
    if turn and not turn.isdecimal():
        raise _misused("edit")
    history = _named(conversation)
    return edits.edit(history, int(turn or len(history.questions)), body)


def _restore(*words: str) -> None:
    if words:
        path = Path(" ".join(words))
        notebook = saved_notebook.load(path)
    else:
        path, notebook = saved_chat.whole(snapshot)
    found, notes = restore.conversations(notebook)
    saved = datetime.fromtimestamp(path.expanduser().stat().st_mtime).astimezone()
    say(f"{path}, as it was saved on {saved:%Y-%m-%d at %H:%M:%S}:")
    if not found:
        advice = f"{saved_notebook.SAVE_FIRST}, and run this again."
        say(f"No conversation is saved in it. {advice}")
    for one in found:
        conversation = Conversation.named(one.name)
        added = conversation.add(one.exchanges, one.head)
        say(outline.tree(conversation))
        say(_added(conversation, one, added))
    for note in notes[:MAX_NOTES]:
        say(f"Note: {note}.")
    if len(notes) > MAX_NOTES:
        say(f"Note: {len(notes) - MAX_NOTES} more like these.")


def _added(conversation: Conversation, saved: SavedConversation, added: int) -> str:
    """What was done to a conversation with one that was saved."""
    if not added:
        return "All of it is here already."
    done = f"{added} turn{'s' if added > 1 else ''} restored."
    if conversation.head is not None and conversation.head.id == saved.head.id:
        return done
    head = next(e for e in conversation.exchanges if e.id == saved.head.id)
    named = "" if saved.name == NOTEBOOK else f" -c {_typed(saved.name)}"
    number = f"{conversation.number(head)}{named}"
    here = f"{_goes_on(conversation).removesuffix('.')}, which was asked here"
    return f"{done} {here}; %claude_nb fork {number} goes on from what was restored."


def _export(to: str, *, conversation: str = "", overwrite: bool = False) -> None:
    path = Path(to)
    write = export.FORMS.get(path.suffix.lower())
    if write is None:
        ending = path.suffix or f"a file without an ending ({to})"
        forms = ", ".join(export.FORMS)
        raise InputError(f"There is no export to {ending}.", f"It is one of {forms}.")
    history = _named(conversation)
    named = f" -c {_typed(conversation)}" if conversation else ""
    how = f"%claude_nb export {_typed(to)}{named} --overwrite"
    export.save(path, write(history), overwrite=overwrite, how=how)
    count = len(history.questions)
    say(f"{history.name}: {count} turn{'s are' if count > 1 else ' is'} in {path}.")


def _typed(word: str) -> str:
    """A word as it is typed: in quotes if there is a space in it."""
    return f'"{word}"' if " " in word else word


def _named(name: str) -> Conversation:
    """The conversation of that name, or the notebook's own."""
    name = name or NOTEBOOK
    known = Conversation.names()
    if name not in known and name != NOTEBOOK:
        near = nearest(name, known)
        hint = f"Did you mean {near}?" if near else f"There is {' and '.join(known)}."
        raise InputError(f"There is no conversation {name!r}.", hint)
    return Conversation.named(name)


def _goes_on(history: History) -> str:
    if history.head is None:
        return "The next question begins anew."
    return f"The next question follows {_quoted(history.head)}."


def _quoted(exchange: Exchange) -> str:
    return f"“{labels.first_words(exchange.prompt, 40)}”"


def _files(command: str = "", which: str = "") -> object:
    """List or delete what was uploaded."""
    if not command:
        return files.table()
    if command != "delete" or not which:
        raise _misused("files")
    files.delete(which)
    return None


_HOW_TO_NAME = "A conversation other than the notebook's is named with -c: -c talk"

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
        "what --upload has put on servers: list it, or delete it there",
        _files,
        hint="Without any of these, it lists the files with their ids.",
    ),
    "batches": Command("", "your most recent batches, to resume", recent),
    "key": Command("", "enter an API key, unseen; it is kept in memory only", _key),
    "connect": Command(
        "URL|off",
        "ask another server that speaks the Messages API",
        _connect,
        (_KEY_ENV, _MODEL),
        "For example: %claude_nb connect http://localhost:8080 --model qwen3",
    ),
    "simulate": Command(
        "[on|off|next FAULT|next nothing]",
        "answer from fixed scripts on this machine, without a key, or fail as a server can",
        _simulate,
        (_SPEED, _SEED),
        "on again keeps speed and seed, and forgets the faults that were queued; next lists them.",
    ),
    "budget": Command(
        "[USD|off]",
        "what replies may cost together: in this kernel from now on, or with --per in all kernels",
        budgets.command,
        (budgets.PER,),
        "USD is a sum above 0. For example: %claude_nb budget 20 --per month",
        bare=(("",),),
    ),
    "record": Command(
        "[FOLDER|off]", "save each reply into a folder, to be replayed", _record, (_WITHOUT,)
    ),
    "replay": Command(
        "[FOLDER|off]",
        "answer from what was recorded, without a key, a network or a cost",
        _replay,
        (_SPEED,),
    ),
    "keep": Command(
        "[on|off|FOLDER]",
        "show what was answered before again, and send nothing; FOLDER keeps recordings too",
        _keep,
        hint="In a cell, --keep and --fresh are stronger.",
    ),
    "stale": Command("", "the answers that are out of date, and why", stale.table),
    "show": Command("", "show the last reply again", _show),
    "jobs": Command(
        "[stop N|stop all|wait]",
        "replies that are written in the background: list, stop or wait for them",
        _jobs,
        hint="Without any of these, it lists the jobs with their numbers.",
    ),
    "history": Command(
        "", "the turns of the conversation", _history, (_CONVERSATION,), _HOW_TO_NAME
    ),
    "new": Command(
        "",
        "begin the conversation anew; fork goes back to the old one",
        _new,
        (_CONVERSATION,),
        _HOW_TO_NAME,
    ),
    "undo": Command(
        "[N]",
        "take the last N turns back, or the last one",
        _undo,
        (_CONVERSATION,),
        f"N is a number of turns. {_HOW_TO_NAME}",
    ),
    "compact": Command(
        "",
        "have the conversation summarised; the summary is then sent in place of its turns",
        _compact,
        (_CONVERSATION,),
        _HOW_TO_NAME,
    ),
    "edit": Command(
        "[N]",
        "change the answer of turn N, or the last one, as it is sent from now on",
        _edit,
        (_CONVERSATION,),
        f"N is the number of a turn, as the notes on replies have it. {_HOW_TO_NAME}",
        bare=(),
    ),
    "fork": Command(
        "N",
        "go on from exchange N of the history",
        _fork,
        (_CONVERSATION,),
        "N is the number of an exchange: %claude_nb history shows the numbers.",
    ),
    "restore": Command("[PATH]", "bring back the conversations of a saved notebook", _restore),
    "export": Command(
        "PATH",
        f"write the conversation to a file: {', '.join(export.FORMS)}",
        _export,
        (_CONVERSATION, _OVERWRITE),
        'For example: %claude_nb export talk.ipynb, or "my talk.md" -c talk',
    ),
    "backups": Command(
        "[delete NAME|all]",
        "turns that are kept on this computer beside the notebook: list or delete them",
        _backups,
        hint="NAME is that of a notebook, or of a conversation in this one.",
    ),
    "help": Command("", "this list", _help),
}
