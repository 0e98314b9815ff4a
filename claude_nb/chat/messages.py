"""The messages of the page to a chat, each handled by a method: see ``render.protocol``."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claude_nb.asking.conversation import Conversation
from claude_nb.chat import chats
from claude_nb.chat.continued import continued
from claude_nb.chat.files import File
from claude_nb.chat.naming import numbered
from claude_nb.chat.page import Page
from claude_nb.chat.questions import Questions
from claude_nb.chat.transcript import Transcript
from claude_nb.conversation import export
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import ClaudeError, InputError
from claude_nb.render import previews
from claude_nb.request.attachments.attachment import attach as attached
from claude_nb.request.attachments.interpolation import values
from claude_nb.request.attachments.variables import BEGUN, about, variables
from claude_nb.request.place import shell

Content = dict[str, Any]

MAX_PREVIEWS = 20
"""Variables in one question of which a preview is shown."""


@dataclass
class Messages:
    """Handles the messages of the page: ``on_send`` those with the ``op`` ``send``, and so on.

    Attributes:
        transcript: The turns.
        page: Where they are shown.
        questions: Asks them.
        open: Shows another conversation.
        send: Sends the page a message.
    """

    transcript: Transcript
    page: Page
    questions: Questions
    open: Callable[[Conversation], object]
    send: Callable[[Content], object]
    _previewing: threading.Lock = field(default_factory=threading.Lock)
    _newest_preview: object = None

    def receive(self, content: Content, buffers: Sequence[Any]) -> None:
        """Handle a message, on any of the kernel's threads, at any time, and send its answer.

        Args:
            content: The message.
            buffers: The data that came with it.
        """
        handle = getattr(self, f"on_{content.get('op')}", None)
        if handle is None:
            return
        arguments = handle, {**content, "buffers": buffers}
        if handle == self.on_preview:  # it runs the variables' own code, perhaps for long
            self._newest_preview = content.get("n")
            threading.Thread(target=self._answer, args=arguments, daemon=True).start()
        else:
            self._answer(*arguments)

    def _answer(self, handle: Callable[[Content], Content | None], content: Content) -> None:
        try:
            result = handle(content) or {}
        except ClaudeError as error:
            result = {"error": str(error)}
        except Exception as error:
            if "n" not in content:
                raise
            result = {"error": f"{type(error).__name__}: {error}"}  # the page waits for an answer
        if "n" in content:
            self.send({"ack": content["n"], **result})

    def on_send(self, content: Content) -> None:
        """Ask a question, with the files that were attached; it waits while another is answered."""
        files = tuple(self.page.files.values())
        named = [(file.name, file.data) for file in files]
        turn = self.questions.write(str(content.get("text", "")), named, self.transcript.after)
        self.questions.ask(turn, _picked(content), files)
        for file in files:
            self.page.files.pop(file.key, None)
        self.page.show_facts()

    def on_send_queued(self, content: Content) -> None:
        """Send a message that waits for the user, or let it wait for the end of the answer."""
        with self.transcript.lock:
            self.questions.queue.release(content.get("message"))
            self.page.show_facts()
        self.questions.send_next()

    def on_take_back(self, content: Content) -> Content:
        """Hand out a message that waits, to be changed; its files are attached again."""
        with self.transcript.lock:
            message = self.questions.queue.take(content.get("message"))
            self.page.files.update({file.key: file for file in message.files})
            self.page.show_facts()
        return {"text": message.turn.prompt}

    def on_discard(self, content: Content) -> None:
        """Do not send a message that waits."""
        with self.transcript.lock:
            self.questions.queue.take(content.get("message"))
            self.page.show_facts()

    def on_retry(self, content: Content) -> None:
        """Ask the same again."""
        turn = self.transcript.turn(content.get("turn")).again()
        self.questions.start(self.questions.put(turn, _picked(content)))

    def on_edit(self, content: Content) -> None:
        """Ask in other words, as another version of the turn."""
        old = self.transcript.turn(content.get("turn"))
        text = str(content.get("text", ""))
        turn = self.questions.write(text, old.files, old.after, old.instruct)
        self.questions.start(self.questions.put(turn, _picked(content)))

    def on_edit_answer(self, content: Content) -> None:
        """Go on from the answer in other words."""
        made = self.transcript.edit_answer(content.get("turn"), str(content.get("text", "")))
        record = export.record(made, self.transcript.conversation.name, made.place.cell)
        snapshot.back_up(self.transcript.cell, record, chat=True)

    def on_stop(self, content: Content) -> None:
        """Stop the answer that the page shows, and not one that was asked for since.

        One that has begun by itself since is stopped too: it was not yet to be seen.
        """
        live = self.transcript.answering
        if live is not None and (live.turn.key == content.get("turn") or live.by_itself):
            live.stop()

    def on_asked(self, content: Content) -> None:
        """The page shows the question about a call, or answers it."""
        if (live := self.transcript.answering) is not None:
            live.confirmation.receive(content)

    on_confirm = on_asked

    def on_pick(self, content: Content) -> None:
        """Go to the version before or after."""
        self.transcript.pick(content.get("turn"), 1 if content.get("by") == 1 else -1)

    def on_clear(self, _content: Content) -> None:
        """Begin anew."""
        self.transcript.clear()

    def on_bring_back(self, _content: Content) -> None:
        """Go back to the turns from before it was cleared."""
        self.transcript.bring_back()

    def on_choose(self, content: Content) -> None:
        """Go on with one of several saved chats."""
        self.page.restored.choose(content.get("choice"))

    def on_start_empty(self, _content: Content) -> None:
        """Begin anew rather than from what is saved."""
        self.page.restored.start_empty()

    def on_forget(self, _content: Content) -> None:
        """Forget the conversation that is shown, here and in what is saved."""
        self.page.forget()

    def on_export(self, content: Content) -> Content:
        """Save the conversation as a file, or hand it out for the clipboard."""
        conversation = self.transcript.conversation
        if content.get("form") == "copy":
            return {"text": conversation.to_markdown()}
        suffix = ".ipynb" if content.get("form") == "notebook" else ".md"
        stem = re.sub(r"[^\w -]+", "-", conversation.name).strip() or "chat"
        paths = (Path(f"{name}{suffix}") for name in numbered(stem))
        path = next(path for path in paths if not path.exists())
        export.save(path, export.FORMS[suffix](conversation))
        return {"said": f"Saved as {path}, in {path.resolve().parent}."}

    def on_attach(self, content: Content) -> None:
        """Send a file along with the next question."""
        data = bytes(content["buffers"][0]) if content["buffers"] else b""
        file = File.of(str(content.get("name") or "file"), data)
        self.page.files[file.key] = file
        self.page.show_facts()

    def on_detach(self, content: Content) -> None:
        """Do not send this file."""
        self.page.files.pop(str(content.get("file")), None)
        self.page.show_facts()

    def on_complete(self, content: Content) -> Content:
        """Complete the name of a variable before the cursor."""
        here, begun = shell(), BEGUN.search(str(content.get("text", "")))
        if begun is None or here is None:
            return {"matches": []}
        found = variables(here.user_ns, begun[1], here.user_ns_hidden)
        return {"matches": [{"name": name, "about": about} for name, about in found]}

    def on_preview(self, content: Content) -> Content:
        """Show what the variables that are named so far will put in."""
        here, places = shell(), content.get("places")
        if here is None or not isinstance(places, list):
            return {"previews": []}
        with self._previewing:
            if content.get("n") != self._newest_preview:
                return {"previews": []}  # more was written meanwhile
            return {"previews": [_preview(str(p), here.user_ns) for p in places[:MAX_PREVIEWS]]}

    def on_switch(self, content: Content) -> None:
        """Switch a tool on or off."""
        self.page.tools.switch(str(content.get("tool")), on=content.get("on") is True)
        self.page.show_facts()

    def on_chats(self, _content: Content) -> Content:
        """List the notebook's chats."""
        return {"chats": chats.listed(self.transcript)}

    def on_open(self, content: Content) -> None:
        """Show another chat of the notebook."""
        self.open(chats.opened(self.transcript, str(content.get("name"))))

    def on_continue(self, content: Content) -> Content:
        """Show a conversation that goes on from a cell's reply; answered with the reply's model."""
        records = content.get("records")
        found = continued(
            self.transcript, records if isinstance(records, list) else [], content.get("execution")
        )
        self.open(found)
        return {"model": found.head.model if found.head else ""}

    def on_new_chat(self, _content: Content) -> None:
        """Show a new chat."""
        self.open(chats.new(self.transcript))

    def on_resync(self, _content: Content) -> None:
        """Send all of it to a page that has missed a message."""
        self.page.send_whole()

    def on_hello(self, _content: Content) -> None:
        """The page asks whether there is a kernel, and what answers any message is all it needs."""

    def on_covered(self, _content: Content) -> None:
        """The page can show the chat over its saved form, which may be put there."""
        self.page.cover()


def _preview(place: str, variables: Mapping[str, Any]) -> Content:
    """What a ``{{name}}`` puts in, as ``render.protocol`` describes it."""
    name = place.strip("{} ")
    try:
        name, value = next(values(place, variables), (name, ""))
        made = attached(value, name, upload=True)  # what is too large otherwise has one, too
    except InputError as error:
        return {"name": name, "about": "", "note": "", "preview": "", "error": str(error)}
    found = {"name": name, "about": about(value), "note": made.note, "error": ""}
    return {**found, "preview": previews.preview(made.blocks)}


def _picked(content: Content) -> dict[str, str | None]:
    """The model and effort that a question of the page names.

    Those of the widget's state may be older: ipywidgets holds a change back until the one before it
    is acknowledged, but sends messages at once.
    """
    model, effort = (str(content.get(name, "")) for name in ("model", "effort"))
    return {"model": model, "effort": effort or None}
