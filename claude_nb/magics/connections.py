"""Commands of ``%claude_nb`` about what answers: keys, servers, the simulator, recordings."""

from __future__ import annotations

from getpass import getpass
from urllib.parse import urlsplit

from IPython.core.error import StdinNotImplementedError

from claude_nb.asking import asking
from claude_nb.characters import clean
from claude_nb.client.connection import Connection, list_models
from claude_nb.client.engine import call
from claude_nb.client.network import check_address, without_api_path
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import ClaudeError, InputError
from claude_nb.keeping.keeper import keeper
from claude_nb.magics import options
from claude_nb.magics.options import Option
from claude_nb.recording.matching import PARTS
from claude_nb.recording.replay import Recorder, RecordingStore
from claude_nb.simulator.faults import FAULTS, NOTHING, fault
from claude_nb.views.terminal import say

MAX_MODELS = 20
"""How many models of a server are named."""

KEY_ENV = Option(
    "key-env",
    "",
    "NAME",
    "the environment variable with its key; without it, no key is sent",
    options.read_text,
)
MODEL = Option("model", "", "ID", "the model to ask there", options.read_text)
WITHOUT = Option(
    "without", "", ",".join(PARTS), "leave these out of the files", options.read_names, several=True
)


def print_key() -> None:
    """Say which key is used, and whether the simulator answers."""
    say(asking.session.describe_key())
    try:
        about = asking.session.describe_simulator()
    except InputError as error:
        about = str(error)
    if about:
        say(about)


def key(*words: str) -> None:
    """Ask for a key, unseen."""
    if words:  # and what was typed is not repeated: it may be a key
        raise InputError(
            "%claude_nb key asks for the key, so that the notebook does not save it.",
            "Clear this cell, and run: %claude_nb key",
        )
    try:
        key = getpass("API key (not shown, kept in memory only): ").strip()
    except StdinNotImplementedError:
        raise InputError(
            "No key can be entered here: this front end takes no input.",
            "Set ANTHROPIC_API_KEY instead.",
        ) from None
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise InputError("That is not a key; the one in use has not changed.")
    if Connection().is_api and not key.startswith("sk-ant-"):
        raise InputError(
            "That does not look like an Anthropic key (sk-ant-…); the one in use has not changed.",
            "Copy it from platform.claude.com, and run again: %claude_nb key",
        )
    asking.session.enter_key(key)
    print_key()


def connect(url: str, *, key_env: str = "", model: str = "") -> None:
    """Ask another server, or the API again."""
    if url == "off":
        asking.session.disconnect()
    else:
        connection = Connection(base_url=_address(url), key_env=key_env)
        asking.session.connect(connection, model=model)
    print_key()
    if url != "off" and not model:
        say(_choose_model())


def _address(url: str) -> str:
    """The address as the SDK takes it: it puts ``/v1/messages`` behind it itself."""
    url = url if "://" in url else f"http://{url}"
    check_address(url, clean(url), "For example: %claude_nb connect http://localhost:8080")
    found = urlsplit(url)
    if found.username or found.password:
        raise InputError(
            "The address holds a password.",
            "Put it into an environment variable, and name that: --key-env NAME",
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
    shown = ", ".join(names[:MAX_MODELS]) + (", …" if len(names) > MAX_MODELS else "")
    return f"It has {shown or 'no models'}. Cells ask one of them with --model ID, or -m ID."


def simulate(
    state: str = "", *faults: str, speed: float | None = None, seed: int | None = None
) -> None:
    """Turn the simulator on or off, or say whether it is on."""
    session = asking.session
    if state == "next":
        _simulate_next(*faults)
        return
    if state not in ("", "on", "off") or faults:
        raise options.MisusedError
    if state:
        session.simulate(state == "on", speed=speed, seed=seed)
    if not session.simulated:
        say("The simulator is off.")
    print_key()


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


def record(folder: str = "", *, without: tuple[str, ...] = ()) -> None:
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


def replay(folder: str = "", *, speed: float = 1.0) -> None:
    """Begin to replay, or end it, or say whether it is on."""
    session = asking.session
    if folder == "off":
        session.library = None
    elif folder:
        session.library, notes = RecordingStore.of(folder, speed=speed)
        for note in notes:
            say(f"Note: {note}")
    if session.library is None:
        say("Replay is off: questions are sent.")
        return
    count = len(session.library.requests)
    recorded = f"{count:,} recorded request{'s' if count != 1 else ''}"
    say(f"Replaying {recorded} from {session.library.name}; nothing is sent.")


def keep(*words: str) -> None:
    """Show kept answers, or no more, or keep them in a folder too."""
    chosen = " ".join(words)
    if chosen in ("on", "off"):
        keeper.notebook = chosen == "on"
    elif chosen:
        keeper.use(chosen)
    if not keeper.is_on:
        say("Answers are not kept: each cell asks again.")
        return
    folder = f", and in {keeper.folder.path}" if keeper.folder is not None else ""
    say(
        f"Answers are kept in this notebook{folder}: a cell with a saved answer sends nothing;"
        " --fresh asks again."
    )
    if snapshot.error:
        say(f"Its saved answers cannot be read: {snapshot.error}")
        if not folder:
            say("A folder keeps answers as well: %claude_nb keep ~/answers")
