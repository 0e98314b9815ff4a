"""Commands of ``%claude_nb`` about conversations: their turns, files to save and restore them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from claude_nb.asking.conversation import Conversation
from claude_nb.conversation import export, outline, restore, saved_chat, saved_notebook
from claude_nb.conversation.history import (
    NOTEBOOK,
    Exchange,
    History,
    describe_compaction,
)
from claude_nb.conversation.restore import SavedConversation
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import InputError, nearest
from claude_nb.magics import edits, options
from claude_nb.magics.options import Option
from claude_nb.render import labels
from claude_nb.views.terminal import say

MAX_NOTES = 20
"""How many notes on a notebook are shown."""

CONVERSATION = Option(
    "conversation",
    "c",
    "NAME",
    "the conversation NAME instead of the notebook's",
    options.read_text,
)
OVERWRITE = Option(
    "overwrite",
    "",
    "",
    "replace the file even if it has been edited or is not an export",
    options.read_switch,
)


def history(*, conversation: str = "") -> None:
    """Show the turns as a tree."""
    say(outline.tree(_named(conversation)))


def new(*, conversation: str = "") -> None:
    """Begin the conversation anew."""
    history = _named(conversation)
    history.new()
    say(f"{history.name}: the next question starts fresh.")


def undo(turns: str = "1", *, conversation: str = "") -> None:
    """Take the last turns back."""
    if not turns.isdecimal():
        raise options.MisusedError
    history = _named(conversation)
    first, *others = history.undo(int(turns))
    more = f" and the {labels.counted(len(others), 'turn')} after it" if others else ""
    say(f"{history.name}: removed {_quoted(first)}{more}. {_goes_on(history)}")


def compact(*, conversation: str = "") -> None:
    """Have the conversation summarised."""
    history = _named(conversation)
    history.compact()
    head = history.head
    if head is not None:
        named = f" -c {_typed(conversation)}" if conversation else ""
        took = describe_compaction(head)
        say(f"{history.name}: {took}. To undo that: %claude_nb undo{named}")


def fork(number: str, *, conversation: str = "") -> None:
    """Go on from an earlier exchange."""
    if not number.isdecimal():
        raise options.MisusedError
    history = _named(conversation)
    history.fork(int(number))
    say(f"{history.name}: {_goes_on(history)}")


def edit(turn: str = "", *, conversation: str = "", body: str | None = None) -> object:
    """Put an answer into the cell, to be changed; or send a text in its place from now on."""
    if turn and not turn.isdecimal():
        raise options.MisusedError
    history = _named(conversation)
    return edits.edit(history, int(turn or len(history.questions)), body)


def restore_saved(*words: str) -> None:
    """Bring back the conversations of a saved notebook, by default of this one."""
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
        return "Everything is here already."
    done = f"{added} turn{'s' if added > 1 else ''} restored."
    if conversation.head is not None and conversation.head.id == saved.head.id:
        return done
    head = next(e for e in conversation.exchanges if e.id == saved.head.id)
    named = "" if saved.name == NOTEBOOK else f" -c {_typed(saved.name)}"
    number = f"{conversation.number(head)}{named}"
    here = f"{_goes_on(conversation).removesuffix('.')}, which was asked here"
    return f"{done} {here}; %claude_nb fork {number} goes on from what was restored."


def export_to(to: str, *, conversation: str = "", overwrite: bool = False) -> None:
    """Write the conversation to a file."""
    path = Path(to)
    write = export.FORMS.get(path.suffix.lower())
    if write is None:
        ending = path.suffix or f"a file without an ending ({to})"
        forms = ", ".join(export.FORMS)
        raise InputError(f"Cannot export to {ending}.", f"Use one of {forms}.")
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
        return "The next question starts fresh."
    return f"The next question follows {_quoted(history.head)}."


def _quoted(exchange: Exchange) -> str:
    return f"“{labels.first_words(exchange.prompt, 40)}”"
