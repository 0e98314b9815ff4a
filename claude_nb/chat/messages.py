"""The messages of the page to a chat, each handled by a method: see ``views.protocol``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from claude_nb.characters import clean
from claude_nb.chat.naming import numbered
from claude_nb.chat.page import Page
from claude_nb.chat.questions import Questions
from claude_nb.chat.transcript import Transcript
from claude_nb.conversation import export
from claude_nb.errors import ClaudeError, InputError
from claude_nb.request.attachments.attachment import attach as attached
from claude_nb.request.attachments.variables import BEGUN, variables
from claude_nb.request.place import shell

Content = dict[str, Any]


@dataclass(frozen=True)
class Messages:
    """Handles the messages of the page: ``on_send`` those with the ``op`` ``send``, and so on.

    Attributes:
        transcript: The turns.
        page: Where they are shown.
        questions: Asks them.
    """

    transcript: Transcript
    page: Page
    questions: Questions

    def answer(self, content: Content, buffers: Sequence[Any]) -> Content | None:
        """Handle a message, on any of the kernel's threads, at any time.

        Args:
            content: The message.
            buffers: The data that came with it.

        Returns:
            The answer, or None where the page expects none or there is no such message.
        """
        handle = getattr(self, f"on_{content.get('op')}", None)
        if handle is None:
            return None
        try:
            result = handle({**content, "buffers": buffers}) or {}
        except ClaudeError as error:
            result = {"error": str(error)}
        return {"ack": content["n"], **result} if "n" in content else None

    def on_send(self, content: Content) -> None:
        """Ask a question, with the files that were attached."""
        files = [(name, data) for name, data, _ in list(self.page.files.values())]
        turn = self.questions.write(str(content.get("text", "")), files, self.transcript.after)
        live = self.questions.put(turn, _picked(content))
        self.page.files.clear()
        self.page.show_files()
        self.questions.start(live)

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

    def on_stop(self, content: Content) -> None:
        """Stop the answer that the page shows, and not one that has begun since."""
        live = self.transcript.answering
        if live is not None and live.turn.key == content.get("turn"):
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
        name = clean(str(content.get("name") or "file"))[:100]
        data = bytes(content["buffers"][0]) if content["buffers"] else b""
        made = attached(data, name)
        if made.is_blank:
            raise InputError(f"{name} is empty.")
        self.page.files[uuid4().hex] = name, data, made.note or name
        self.page.show_files()

    def on_detach(self, content: Content) -> None:
        """Do not send this file."""
        self.page.files.pop(str(content.get("file")), None)
        self.page.show_files()

    def on_complete(self, content: Content) -> Content:
        """Complete the name of a variable before the cursor."""
        here, begun = shell(), BEGUN.search(str(content.get("text", "")))
        if begun is None or here is None:
            return {"matches": []}
        found = variables(here.user_ns, begun[1], here.user_ns_hidden)
        return {"matches": [{"name": name, "about": about} for name, about in found]}

    def on_resync(self, _content: Content) -> None:
        """Send all of it to a page that has missed a message."""
        self.page.send_whole()

    def on_covered(self, _content: Content) -> None:
        """The page can show the chat over its saved form, which may be put there."""
        self.page.cover()


def _picked(content: Content) -> dict[str, str | None]:
    """The model and effort that a question of the page names.

    Those of the widget's state may be older: ipywidgets holds a change back until the one before it
    is acknowledged, but sends messages at once.
    """
    model, effort = (str(content.get(name, "")) for name in ("model", "effort"))
    return {"model": model, "effort": effort or None}
