"""What the page says to a chat, each message as a function: see ``views.protocol``."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from claude_nb.conversation import export
from claude_nb.errors import ClaudeError, InputError
from claude_nb.render.markdown.characters import clean
from claude_nb.request.attachments.attachment import attach as attached
from claude_nb.request.attachments.variables import variables
from claude_nb.request.place import shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from claude_nb.chat.questions import Questions

    Content = dict[str, Any]
    Buffers = Sequence[Any]

_BEGUN = re.compile(r"\{\{\s*(\w*)$")


def answer(chat: Questions, content: Any, buffers: Buffers) -> Content | None:
    """Do what a message of the page asks for: on any of the kernel's threads, at any time.

    Returns:
        What the page is told, or None where it waits for nothing or may not say that.
    """
    op = content.get("op") if isinstance(content, dict) else None
    handle = HANDLERS.get(op) if isinstance(op, str) else None
    if handle is None:
        return None
    try:
        said = handle(chat, content, buffers) or {}
    except ClaudeError as error:
        said = {"error": str(error)}
    n = content.get("n")
    return None if n is None else {"ack": n, **said}


def _picked(content: Content) -> dict[str, str | None]:
    """The model and effort that a question of the page names.

    Those of the widget's state may be older: ipywidgets holds a change back until the one before it
    is acknowledged, but sends messages at once.
    """
    model, effort = (str(content.get(name, "")) for name in ("model", "effort"))
    return {"model": model, "effort": effort or None}


def send(chat: Questions, content: Content, _: Buffers) -> None:
    """Ask what was written, with the files that were attached."""
    files = [(name, data) for name, data, _ in chat.page.files.values()]
    live = chat.put(chat.write(str(content.get("text", "")), files), **_picked(content))
    chat.page.files.clear()
    chat.page.show_files()
    chat.start(live)


def retry(chat: Questions, content: Content, _: Buffers) -> None:
    """Ask the same again."""
    turn = chat.transcript.turn(content.get("turn")).again()
    chat.start(chat.put(turn, **_picked(content)))


def edit(chat: Questions, content: Content, _: Buffers) -> None:
    """Ask in other words, in the same place."""
    old = chat.transcript.turn(content.get("turn"))
    turn = chat.write(str(content.get("text", "")), old.files, old)
    chat.start(chat.put(turn, **_picked(content)))


def stop(chat: Questions, content: Content, _: Buffers) -> None:
    """Stop the answer that the page shows, and not one that has begun since."""
    live = chat.transcript.answering
    if live is not None and live.turn.key == content.get("turn"):
        live.stop()


def asked(chat: Questions, content: Content, _: Buffers) -> None:
    """The page shows the question about a call, or answers it."""
    if (live := chat.transcript.answering) is not None:
        live.question.receive(content)


def pick(chat: Questions, content: Content, _: Buffers) -> None:
    """Go to the version before or after."""
    chat.transcript.pick(content.get("turn"), 1 if content.get("by") == 1 else -1)


def clear(chat: Questions, _: Content, __: Buffers) -> None:
    """Begin anew."""
    chat.transcript.clear()


def bring_back(chat: Questions, _: Content, __: Buffers) -> None:
    """Go back to what was said before it began anew."""
    chat.transcript.bring_back()


def save(chat: Questions, content: Content, _: Buffers) -> Content:
    """Save the conversation as a file, or hand it out for the clipboard."""
    conversation = chat.transcript.conversation
    if content.get("form") == "copy":
        return {"text": conversation.to_markdown()}
    suffix = ".ipynb" if content.get("form") == "notebook" else ".md"
    stem = re.sub(r"[^\w -]+", "-", conversation.name).strip() or "chat"
    paths = (Path(f"{name}{suffix}") for name in numbered(stem))
    path = next(path for path in paths if not path.exists())
    if suffix == ".ipynb":
        conversation.to_notebook(path)
    else:
        export.write(path, conversation.to_markdown())
    return {"said": f"Saved as {path}, in {path.resolve().parent}."}


def attach(chat: Questions, content: Content, buffers: Buffers) -> None:
    """A file is to go along with the next question."""
    name = clean(str(content.get("name") or "file"))[:100]
    data = bytes(buffers[0]) if buffers else b""
    if not data:
        raise InputError(f"{name} is empty.")
    chat.page.files[uuid4().hex] = name, data, attached(data, name).note or name
    chat.page.show_files()


def detach(chat: Questions, content: Content, _: Buffers) -> None:
    """And this one is not."""
    chat.page.files.pop(str(content.get("file")), None)
    chat.page.show_files()


def complete(_: Questions, content: Content, __: Buffers) -> Content:
    """The variables whose name goes on from what stands before the cursor."""
    here, begun = shell(), _BEGUN.search(str(content.get("text", "")))
    if begun is None or here is None:
        return {"matches": []}
    found = variables(here.user_ns, begun[1], here.user_ns_hidden)
    return {"matches": [{"name": name, "about": about} for name, about in found]}


def resync(chat: Questions, _: Content, __: Buffers) -> None:
    """A page has missed something."""
    chat.page.send_whole()


def covered(chat: Questions, _: Content, __: Buffers) -> None:
    """The page can show the chat over its saved form."""
    chat.page.cover()


def saved(chat: Questions, _: Content, __: Buffers) -> Content:
    """A page that was loaded anew puts the saved form in."""
    data, metadata = chat.page.saved()
    return {"data": data, "metadata": metadata}


def numbered(name: str) -> Iterator[str]:
    """The name itself, then with 2, 3, … behind it: for where it is taken."""
    yield name
    yield from (f"{name} {number}" for number in count(2))


HANDLERS: dict[str, Callable[[Questions, Content, Buffers], Content | None]] = {
    "send": send,
    "stop": stop,
    "asked": asked,
    "confirm": asked,
    "retry": retry,
    "edit": edit,
    "pick": pick,
    "clear": clear,
    "bring_back": bring_back,
    "export": save,
    "attach": attach,
    "detach": detach,
    "complete": complete,
    "resync": resync,
    "covered": covered,
    "saved": saved,
}
"""The messages of the page by their ``op``."""
