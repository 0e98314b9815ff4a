"""What the page says to a chat, each message as a function: see ``views.protocol``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_nb.conversation import export
from claude_nb.errors import ClaudeError, InputError
from claude_nb.render.markdown.characters import clean
from claude_nb.request.attachments.attachment import attach as attached
from claude_nb.request.attachments.variables import variables
from claude_nb.request.place import shell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claude_nb.chat.asking import Asking
    from claude_nb.chat.outputs import Outputs
    from claude_nb.chat.page import Page
    from claude_nb.chat.transcript import Transcript

    Content = dict[str, Any]
    Buffers = Sequence[Any]

_BEGUN = re.compile(r"\{\{\s*(\w*)$")


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a chat to which a page can speak, and what Python asks with in it."""

    transcript: Transcript
    outputs: Outputs
    page: Page
    asking: Asking
    arguments: Callable[[], dict[str, Any]]


def answer(chat: Parts, content: Any, buffers: Buffers) -> Content | None:
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


def _arguments(chat: Parts, content: Content) -> dict[str, Any]:
    """What a question of the page is asked with: the model and effort that it names.

    Those of the widget's state may be older: ipywidgets holds a change back until the one before it
    is acknowledged, but sends messages at once.
    """
    model, effort = str(content.get("model", "")), str(content.get("effort", ""))
    return {**chat.arguments(), "model": model, "effort": effort or None}


def send(chat: Parts, content: Content, _: Buffers) -> None:
    """Ask what was written, with the files that were attached."""
    files = chat.page.files()
    prompt = str(content.get("text", ""))
    after, arguments = chat.transcript.after, _arguments(chat, content)
    turn = chat.asking.put(chat.asking.written(prompt, files, after, arguments))
    chat.page.detach_all()
    chat.asking.start(turn)


def stop(chat: Parts, content: Content, _: Buffers) -> None:
    """Stop the answer that the page shows, and not one that has begun since."""
    with chat.transcript.lock:
        turn = chat.transcript.current
        if turn is not None and turn.key == content.get("turn"):
            chat.asking.stop()


def asked(chat: Parts, content: Content, _: Buffers) -> None:
    """The page shows the question about a call, or answers it."""
    turn = chat.transcript.current
    if turn is not None and turn.question is not None:
        turn.question.receive(content)


def retry(chat: Parts, content: Content, _: Buffers) -> None:
    """Ask the same again."""
    turn = chat.transcript.turn(content.get("turn"))
    chat.asking.start(chat.asking.put(turn.again(_arguments(chat, content))))


def edit(chat: Parts, content: Content, _: Buffers) -> None:
    """Ask in other words, in the same place."""
    turn = chat.transcript.turn(content.get("turn"))
    prompt, arguments = str(content.get("text", "")), _arguments(chat, content)
    written = chat.asking.written(prompt, turn.files, turn.after, arguments)
    chat.asking.start(chat.asking.put(written))


def pick(chat: Parts, content: Content, _: Buffers) -> None:
    """Go to the version before or after."""
    chat.transcript.pick(content.get("turn"), 1 if content.get("by") == 1 else -1)


def clear(chat: Parts, _: Content, __: Buffers) -> None:
    """Begin anew."""
    chat.transcript.clear()


def bring_back(chat: Parts, _: Content, __: Buffers) -> None:
    """Go back to what was said before it began anew."""
    chat.transcript.bring_back()


def save(chat: Parts, content: Content, _: Buffers) -> Content:
    """Save the conversation as a file, or hand it out for the clipboard."""
    conversation = chat.transcript.conversation
    if content.get("form") == "copy":
        return {"text": conversation.to_markdown()}
    suffix = ".ipynb" if content.get("form") == "notebook" else ".md"
    stem = re.sub(r"[^\w -]+", "-", conversation.name).strip() or "chat"
    path = Path(f"{stem}{suffix}")
    number = 1
    while path.exists():
        number += 1
        path = Path(f"{stem} {number}{suffix}")
    if suffix == ".ipynb":
        conversation.to_notebook(path)
    else:
        export.write(path, conversation.to_markdown())
    return {"said": f"Saved as {path}, in {path.resolve().parent}."}


def attach(chat: Parts, content: Content, buffers: Buffers) -> None:
    """A file is to go along with the next question."""
    name = clean(str(content.get("name") or "file"))[:100]
    data = bytes(buffers[0]) if buffers else b""
    if not data:
        raise InputError(f"{name} is empty.")
    chat.page.attach(name, data, attached(data, name).note or name)


def detach(chat: Parts, content: Content, _: Buffers) -> None:
    """And this one is not."""
    chat.page.detach(str(content.get("file")))


def complete(_: Parts, content: Content, __: Buffers) -> Content:
    """The variables whose name goes on from what stands before the cursor."""
    here, begun = shell(), _BEGUN.search(str(content.get("text", "")))
    if begun is None or here is None:
        return {"matches": []}
    found = variables(here.user_ns, begun[1], here.user_ns_hidden)
    return {"matches": [{"name": name, "about": about} for name, about in found]}


def resync(chat: Parts, _: Content, __: Buffers) -> None:
    """A page has missed something."""
    chat.page.send_whole()


def covered(chat: Parts, _: Content, __: Buffers) -> None:
    """The page can show the chat over its saved form."""
    chat.outputs.cover()
    chat.page.settle()


def saved(chat: Parts, _: Content, __: Buffers) -> Content:
    """A page that was loaded anew puts the saved form in."""
    data, metadata = chat.outputs.saved()
    return {"data": data, "metadata": metadata}


HANDLERS: dict[str, Callable[[Parts, Content, Buffers], Content | None]] = {
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
