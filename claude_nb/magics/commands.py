"""The commands of ``%claude_nb``: one function each, and the table that names them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from getpass import getpass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from IPython.core.error import StdinNotImplementedError
from IPython.display import display

from claude_nb import __version__
from claude_nb.asking import asking, jobs
from claude_nb.asking.conversation import Conversation
from claude_nb.batches.batch import recent
from claude_nb.client.connection import list_models
from claude_nb.client.engine import call
from claude_nb.conversation import export, outline, restore, saved_notebook
from claude_nb.conversation.history import NOTEBOOK, first_words
from claude_nb.errors import ClaudeError, InputError, StoppedError, redact
from claude_nb.magics import reports
from claude_nb.recording.matching import PARTS
from claude_nb.recording.replay import Recorder, RecordingStore
from claude_nb.render import labels
from claude_nb.render.markdown.characters import clean
from claude_nb.request import files
from claude_nb.session.budget import Budget
from claude_nb.simulator.faults import fault
from claude_nb.views.terminal import TerminalView

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_nb.client.connection import Connection
    from claude_nb.conversation.history import Exchange, History
    from claude_nb.conversation.restore import SavedConversation

MAX_NOTES = 20
"""How many notes on a notebook are shown."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    Attributes:
        takes: What is written after its name; empty if it takes nothing.
        does: What it does, in a line.
        run: Does it, with what was typed after its name; what it returns is shown.
    """

    takes: str
    does: str
    run: Callable[[str], object]


def execute(line: str, model: str) -> object:
    """Run a command.

    Args:
        line: What was typed after ``%claude_nb``.
        model: The model that ``%%claude`` asks by default.

    Raises:
        InputError: There is no such command, or it does not take what was typed after it.
    """
    name, _, rest = line.strip().partition(" ")
    name, rest = name or "help", rest.strip()
    command = COMMANDS.get(name)
    if command is None:
        near = get_close_matches(name, COMMANDS, 1, 0.4)
        hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(COMMANDS)}."
        raise InputError(f"There is no command {name}.", hint)
    if rest and not command.takes:
        raise InputError(f"%claude_nb {name} takes no arguments.")
    if name == "status":
        asked = asking.session.model or model
        print(f"claude_nb {__version__} · model {asked}", end=" · ")  # noqa: T201
    return command.run(rest)


def _help(_rest: str) -> None:
    names = {f"{name} {command.takes}".strip(): command.does for name, command in COMMANDS.items()}
    width = max(map(len, names))
    for name, does in names.items():
        print(f"%claude_nb {name:<{width}}  {does}")  # noqa: T201
    print("%%claude?  the manual of the cell")  # noqa: T201


def _status(_rest: str = "") -> None:
    print(f"key: {asking.session.key_source}")  # noqa: T201


def _models(_rest: str) -> object:
    return reports.models()


def _batches(_rest: str) -> object:
    return recent()


def _key(_rest: str) -> None:
    try:
        key = getpass("API key (not shown, kept in memory only): ").strip()
    except StdinNotImplementedError:
        raise InputError(
            "There is nobody to ask for a key here.", "Set ANTHROPIC_API_KEY instead."
        ) from None
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError("That is not a key; the one in use has not changed.")
    asking.session.use_key(key)
    _status()


def _connect(rest: str) -> None:
    """Ask another server, or the API again."""
    if not rest:
        raise InputError(
            "%claude_nb connect takes the address of a server, or off.",
            "For example: %claude_nb connect http://localhost:8080 --model qwen3",
        )
    url, *words_given = rest.split()
    if url == "off" and not words_given:
        asking.session.disconnect()
        _status()
        return
    given = dict(zip_longest(words_given[::2], words_given[1::2], fillvalue=""))
    unknown = [name for name, value in given.items() if name not in _CONNECTING or not value]
    if unknown:
        raise InputError(
            f"%claude_nb connect cannot take {unknown[0]!r} so.",
            "It takes --key-env with the name of a variable, and --model with an id.",
        )
    model = given.get("--model", "")
    asking.session.connect(_address(url), key_env=given.get("--key-env", ""), model=model)
    _status()
    if not model:
        print(_offered())  # noqa: T201


_CONNECTING = ("--key-env", "--model")


def _address(url: str) -> str:
    """The address as the SDK takes it: it puts ``/v1/messages`` behind it itself."""
    url = url.strip("\"'")
    url = url if "://" in url else f"http://{url}"
    found = urlsplit(url)
    if found.scheme not in ("http", "https") or not found.hostname:
        raise InputError(
            f"{url} is not the address of a server.",
            "For example: %claude_nb connect http://localhost:8080",
        )
    if found.username or found.password:
        raise InputError(
            "The address holds a password.", "Put it into a variable, and name that: --key-env."
        )
    return re.sub(r"(/v1)?(/messages)?/*$", "", url)


def _offered() -> str:
    """What a server has to ask; the only model that it has is taken."""
    try:
        names = [clean(redact(str(model.get("id")))) for model in call(list_models(_there()))]
    except ClaudeError as error:
        return (
            f"It lists no models ({error.what.removesuffix('.').lower()}). If it needs one of its"
            " own: %claude_nb connect URL --model ID, or -m ID."
        )
    if len(names) == 1:
        asking.session.model = names[0]
        return f"Cells ask {names[0]}, the only model that it has."
    shown = ", ".join(names[:MAX_NOTES]) + (", …" if len(names) > MAX_NOTES else "")
    return f"It has {shown or 'no models'}. Cells ask one of them with --model ID, or -m ID."


def _there() -> Connection:
    return asking.session.connection()


def _simulate(rest: str) -> None:
    state, *more = rest.split() or ["on"]
    if state == "next":
        faults = [fault(name) for name in more or [""]]
        asking.session.simulate_next(*(found.reply for found in faults))
        print("\n".join(f"Next: {found.does}." for found in faults))  # noqa: T201
        return
    if state not in ("on", "off") or (more and state == "off"):
        raise InputError("%claude_nb simulate takes on, off or next with the name of a fault.")
    asking.session.simulate(state == "on", **_options(" ".join(more), {"speed": 1.0, "seed": 0}))
    _status()


def _options(typed: str, pace: dict[str, Any]) -> dict[str, Any]:
    """The options of a pace, as they were typed.

    Args:
        typed: What was typed.
        pace: Their names, and what they are otherwise.
    """
    pace = dict(pace)
    labels = typed.split()
    for option, value in zip_longest(labels[::2], labels[1::2], fillvalue=""):
        name = option.removeprefix("--")
        if name not in pace or name == option:
            takes = {"speed": "--speed, a factor", "seed": "--seed, a whole number"}
            hint = f"It takes {' and '.join(takes[name] for name in pace)}."
            raise InputError(f"{option!r} is not an option here.", hint)
        try:
            pace[name] = type(pace[name])(value)
        except ValueError:
            raise InputError(f"{option} takes a number, not {value!r}.") from None
    if not pace["speed"] > 0:
        raise InputError("--speed is a factor above 0: 0.2 is a fifth of the pace.")
    return pace


def _record(rest: str) -> None:
    """Begin to record, or end it, or say whether it is on."""
    session = asking.session
    if rest == "off":
        session.recorder = None
    elif rest:
        path, more = _path_of(rest, "%claude_nb record takes a folder, or off.")
        option, _, names = more.partition(" ")
        if more and option != "--without":
            raise InputError(f"{option!r} is not an option of %claude_nb record.", _WITHOUT)
        without = [name.strip() for name in names.split(",") if name.strip()]
        if more and not without:
            raise InputError("--without needs a value.", _WITHOUT)
        session.recorder = Recorder(path, without)
    recorder = session.recorder
    if recorder is None:
        print("Replies are not recorded.")  # noqa: T201
        return
    left_out = f", without {' and '.join(recorder.without)}" if recorder.without else ""
    print(f"Each reply is recorded in {recorder.folder}{left_out}.")  # noqa: T201


_WITHOUT = f"It takes --without and any of {', '.join(PARTS)}, with commas between them."


def _replay(rest: str) -> None:
    """Begin to replay, or end it, or say whether it is on."""
    session = asking.session
    if rest == "off":
        session.library = None
    elif rest:
        path, more = _path_of(rest, "%claude_nb replay takes a folder, or off.")
        session.library, notes = RecordingStore.of(
            path, speed=_options(more, {"speed": 1.0})["speed"]
        )
        for note in notes:
            print(f"Note: {clean(note)}")  # noqa: T201
    if session.library is None:
        print("Nothing is replayed: questions are sent.")  # noqa: T201
        return
    count = len(session.library.requests)
    name = session.library.name
    said = f"{count:,} recorded request{'s' if count != 1 else ''}"
    print(f"Replaying {said} from {name}; nothing is sent.")  # noqa: T201


def _path_of(rest: str, otherwise: str) -> tuple[Path, str]:
    """The path that something typed begins with, in quotes or not, and what follows it."""
    match = _PATH.match(rest)
    if match is None:
        raise InputError(otherwise, "A path with spaces is written in quotes.")
    return Path(match["quoted"] or match["bare"]), rest[match.end() :].strip()


def _show(_rest: str) -> None:
    reply = asking.last()
    if reply is None:
        raise InputError("There is no reply to show yet.")
    display(reply)


def _budget(rest: str) -> None:
    """Set, show or lift the budget."""
    if rest == "off":
        asking.session.budget = None
    elif rest:
        try:
            limit = float(rest.removeprefix("$"))
        except ValueError:
            raise InputError(
                f"%claude_nb budget takes a sum in USD or off, not {rest!r}.",
                "For example: %claude_nb budget 2.00",
            ) from None
        asking.session.budget = Budget(limit, asking.session.ledger.spent)
    budget = asking.session.budget
    if budget is None:
        print("There is no budget: replies may cost what they cost.")  # noqa: T201
        return
    left = labels.money(max(0.0, budget.limit - budget.spent))
    print(f"budget: {labels.money(budget.limit)} · {left} left")  # noqa: T201


def _jobs(rest: str) -> object:
    """List, stop or wait for what is written in the background."""
    command, _, which = rest.partition(" ")
    if not rest:
        return jobs.jobs.table()
    if command == "stop" and (which == "all" or which.isdecimal()):
        chosen = jobs.jobs.chosen(which)
        for job in chosen:
            job.reply.stop()
        print(f"Stopped: {', '.join(str(job.number) for job in chosen) or 'none was running'}.")  # noqa: T201
        return None
    if rest != "wait":
        raise InputError("%claude_nb jobs takes stop N, stop all, wait, or nothing, for the list.")
    try:
        ended = jobs.jobs.wait()
    except KeyboardInterrupt:
        count = len(jobs.jobs.running)
        raise StoppedError(
            "No longer waited for.", f"{count} go on; %claude_nb jobs stop all ends them."
        ) from None
    if asking.fitting() == "terminal":
        for job in ended:
            TerminalView(f"{job.number} · {first_words(job.prompt, 60)}").settle(job.reply)
    print(jobs.said(ended) if ended else "No reply is being written in the background.")  # noqa: T201
    return None


def _history(name: str) -> None:
    print(outline.tree(_named(name)))  # noqa: T201


def _new(name: str) -> None:
    conversation = _named(name)
    conversation.new()
    print(f"{conversation.name}: the next question begins anew.")  # noqa: T201


def _undo(name: str) -> None:
    conversation = _named(name)
    undone = conversation.undo()
    print(f"{conversation.name}: {_asked(undone)} is taken back. {_goes_on(conversation)}")  # noqa: T201


def _fork(rest: str) -> None:
    number, _, name = rest.partition(" ")
    if not number.isdecimal():
        raise InputError(
            "%claude_nb fork takes the number of an exchange.",
            "%claude_nb history shows the numbers.",
        )
    conversation = _named(name.strip())
    conversation.fork(int(number))
    print(f"{conversation.name}: {_goes_on(conversation)}")  # noqa: T201


def _restore(rest: str) -> None:
    path = Path(rest.strip("\"'")) if rest else saved_notebook.current_path()
    found, notes = restore.conversations(saved_notebook.load(path))
    saved = datetime.fromtimestamp(path.expanduser().stat().st_mtime).astimezone()
    print(f"{clean(str(path))}, as it was saved on {saved:%Y-%m-%d at %H:%M:%S}:")  # noqa: T201
    if not found:
        print("No conversation is saved in it.")  # noqa: T201
    for one in found:
        conversation = Conversation.named(one.name)
        added = conversation.add(one.exchanges, one.head)
        print(outline.tree(conversation))  # noqa: T201
        print(_added(conversation, one, added))  # noqa: T201
    for note in notes[:MAX_NOTES]:
        print(f"Note: {clean(note)}.")  # noqa: T201
    if len(notes) > MAX_NOTES:
        print(f"Note: {len(notes) - MAX_NOTES} more like these.")  # noqa: T201


def _added(conversation: Conversation, saved: SavedConversation, added: int) -> str:
    """What was done to a conversation with one that was saved."""
    if not added:
        return "All of it is here already."
    done = f"{added} turn{'s' if added > 1 else ''} restored."
    if conversation.head is not None and conversation.head.id == saved.head.id:
        return done
    head = next(e for e in conversation.exchanges if e.id == saved.head.id)
    number = f"{conversation.number(head)} {saved.name}".removesuffix(f" {NOTEBOOK}")
    here = f"{_goes_on(conversation).removesuffix('.')}, which was asked here"
    return f"{done} {here}; %claude_nb fork {number} goes on from what was restored."


def _export(rest: str) -> None:
    match = _PATH.match(rest)
    path = Path(match["quoted"] or match["bare"]) if match else Path()
    write = _WRITERS.get(path.suffix.lower())
    if match is None or write is None:
        raise InputError(
            f"%claude_nb export takes a path that ends in {', '.join(_WRITERS)}.",
            'For example: %claude_nb export talk.ipynb, or "my talk.md".',
        )
    conversation = _named(rest[match.end() :].strip())
    files.write(path, [write(conversation)])
    count = len(conversation.branch)
    print(f"{conversation.name}: {count} turn{'s are' if count > 1 else ' is'} in {path}.")  # noqa: T201


_PATH = re.compile(r"""(?P<quote>["'])(?P<quoted>.+?)(?P=quote)(?!\S)|(?P<bare>[^\s"']\S*)""")


def _json(conversation: Conversation) -> str:
    return redact(json.dumps(conversation.to_messages(), ensure_ascii=False, indent=1)) + "\n"


_WRITERS: dict[str, Callable[[Conversation], str]] = {
    ".ipynb": lambda conversation: export.to_notebook(conversation, "cells"),
    ".md": Conversation.to_markdown,
    ".json": _json,
}


def _named(name: str) -> Conversation:
    """The conversation of that name, or the notebook's own."""
    name = name.strip("\"'") or NOTEBOOK
    known = Conversation.names()
    if name not in known and name != NOTEBOOK:
        near = get_close_matches(name, known, 1, 0.4)
        hint = f"Did you mean {near[0]}?" if near else f"There is {' and '.join(known)}."
        raise InputError(f"There is no conversation {name!r}.", hint)
    return Conversation.named(name)


def _goes_on(history: History) -> str:
    if history.head is None:
        return "The next question begins anew."
    return f"The next question follows {_asked(history.head)}."


def _asked(exchange: Exchange) -> str:
    return f"“{first_words(exchange.prompt, 40)}”"


COMMANDS = {
    "status": Command("", "the model, and where the key comes from", _status),
    "usage": Command(
        "[by model|conversation|cell]",
        "the tokens and the cost of this kernel's requests",
        reports.usage,
    ),
    "models": Command("", "the models, what they take and what they cost", _models),
    "batches": Command("", "the newest batches of this key, to be gone on with", _batches),
    "key": Command("", "enter an API key, unseen; it is kept in memory only", _key),
    "connect": Command(
        "URL|off",
        "ask another server that speaks the Messages API; it gets no key unless --key-env NAME"
        " names one; --model ID is what cells ask there",
        _connect,
    ),
    "simulate": Command(
        "on|off|next FAULT",
        "answer from fixed scripts on this machine, without a key, or fail as a server can;"
        " on takes --speed 0.2 and --seed 7",
        _simulate,
    ),
    "budget": Command("[USD|off]", "what replies may cost together, from now on", _budget),
    "record": Command(
        "[FOLDER|off]",
        "save each reply into a folder, to be replayed; --without attachments,request,thinking",
        _record,
    ),
    "replay": Command(
        "[FOLDER|off]",
        "answer from what was recorded, without a key, a network or a cost; --speed 2",
        _replay,
    ),
    "show": Command("", "show the last reply again", _show),
    "jobs": Command(
        "[stop N|stop all|wait]",
        "what is written in the background: the list, or stop it, or wait for its end",
        _jobs,
    ),
    "history": Command(
        "[NAME]", "what was said in the notebook's conversation, or in NAME", _history
    ),
    "new": Command(
        "[NAME]", "begin the conversation anew; what was said can be gone back to", _new
    ),
    "undo": Command("[NAME]", "take the last turn back", _undo),
    "fork": Command("N [NAME]", "go on from exchange N of the history", _fork),
    "restore": Command(
        "[PATH]", "bring back what was said, from the saved notebook or the one at PATH", _restore
    ),
    "export": Command(
        "PATH [NAME]", "write the conversation to a new .ipynb, .md or .json file", _export
    ),
    "help": Command("", "this list", _help),
}
