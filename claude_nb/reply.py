"""``Reply``: a growing reduction of events, which shows itself in a notebook."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Self

from claude_nb.client import waiting
from claude_nb.client.engine import Stream
from claude_nb.client.output import Output
from claude_nb.errors import InputError, StoppedError
from claude_nb.redaction import redact
from claude_nb.render import code, saved_output
from claude_nb.render.code import CodeBlock
from claude_nb.render.in_marimo import InMarimo
from claude_nb.render.text_runs import raw, text_runs
from claude_nb.render.timeline import Timeline
from claude_nb.request.attachments.attachment import register_attachment
from claude_nb.request.place import execution, is_result
from claude_nb.request.request import Request
from claude_nb.streaming.compact import compact
from claude_nb.streaming.events import EventLog, StreamEvent
from claude_nb.streaming.progress import Outcome, Progress


class Reply(InMarimo, Progress):
    """An answer, complete or not: its blocks, outcome and usage.

    Attributes:
        request: The request.
        events: Everything that happened, in order, as a sequence of ``StreamEvent``.
        parsed: The object that ``output`` asks for; None if there is none, and ``parse_error`` says
            why.
        asked: What was asked, by digests, and when, where its answer may be kept; else None.
        shown_in: The execution in whose output it was shown while it streamed, the n of ``In[n]``;
            0 for none.
    """

    def __init__(self, request: Request, output: Output | None = None) -> None:
        super().__init__()
        self.request = request
        self.is_json = output is not None
        self.parsed: Any = None
        self._output = output
        self.option = request.option
        self.hides_tools = request.hide_tools
        self.notes = request.notes
        self.events = EventLog()
        self.shown_in = 0
        self.asked: dict[str, Any] | None = None
        self._saved: dict[str, Any] | None = None
        self._detach()

    def _detach(self) -> None:
        """Be a reply that nothing in this process adds to."""
        self.pending = str
        self._stop: Callable[[], object] = str
        self._requests: Callable[[], list[dict[str, Any]]] = list
        self._over = threading.Event()
        self._over.set()
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        """The reply without this process, for ``pickle``, ``copy`` and ``%store``.

        Raises:
            InputError: It is still being written.
        """
        if self.outcome is Outcome.STREAMING:
            raise InputError(
                "This reply is still being written: it cannot be pickled or copied yet.",
                "Wait until it ends: reply.wait()",
            )
        of_process = ("pending", "_stop", "_requests", "_over", "_process", "_output")
        return {name: value for name, value in vars(self).items() if name not in of_process}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._output = None  # what it describes is in ``parsed``
        self._detach()

    def attach(self, stream: Stream, over: threading.Event) -> None:
        """Be the reply of a stream; ``over`` is set once it has ended and its cost is recorded."""
        self._stop, self._over, self._process = stream.stop, over, os.getpid()
        self._requests = lambda: stream.requests
        self.asked_at = datetime.now(UTC).isoformat(timespec="seconds")

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until a background reply has ended.

        An interrupt ends the waiting, not the reply.

        Args:
            timeout: Seconds to wait at most, or None for as long as it takes.

        Returns:
            The reply itself; one that was truncated or refused says so in ``outcome``.

        Raises:
            ClaudeError: It failed, was dropped or was stopped; what came of it is here.
            TimeoutError: The time is up, and the reply goes on.
        """
        if not self._over.is_set() and self._process != os.getpid():
            raise InputError(
                "The parent process writes this reply.", "Wait for it in that process."
            )
        if not waiting.wait(self._over.wait, timeout):
            raise TimeoutError(f"The reply has not ended after {timeout:g} s; it continues.")
        self.check()
        return self

    def stop(self) -> None:
        """Stop the reply, if it is still being written; the text so far is kept."""
        self._stop()

    def check(self) -> None:
        """Raise the error of a reply that has ended, if it has one.

        Raises:
            ClaudeError: It failed, was dropped or was stopped; ``.reply`` is this reply.
        """
        error = StoppedError("Stopped.") if self.outcome is Outcome.STOPPED else self.error
        if error is not None:
            error.reply = self
            error.in_brief = ""  # it may be another cell that asks now
            raise error

    @property
    def is_shown_here(self) -> bool:
        """Whether the cell that runs now shows it already."""
        return self.shown_in != 0 and self.shown_in == execution()

    def advance(self, events: Iterable[StreamEvent] = ()) -> None:
        """Process the events that were appended; only the painter of a reply calls this.

        Args:
            events: More events, appended first.
        """
        self.events.extend(events)
        self.take(self.events.entries(self.taken))
        if self._output is not None and self.ended is not None and not self.parse_error:
            self._read(self._output)

    def _read(self, output: Output) -> None:
        """Make the object that ``output`` describes of the text."""
        if self.outcome is not Outcome.COMPLETE:
            self.parse_error = f"There is no {output.name}: the answer is incomplete."
            return
        try:
            self.parsed = output.parse(self.answer)
        except InputError as error:
            self.parse_error = error.what

    @property
    def model(self) -> str:
        """The model that answers, or will be asked."""
        return super().model or self.request.model

    def saved_answer(self) -> dict[str, Any] | None:
        """What is saved so that the same request need not be sent again.

        Only of an answer that is complete and has the form that was asked for.
        """
        is_answer = self.text.strip() or (self.last is not None and self.last.compaction)
        whole = self.outcome is Outcome.COMPLETE and not self.parse_error
        if self.asked is None or not (whole and is_answer):
            return None
        if self._saved is None:
            self._saved = self.asked | {"events": compact(self.events.entries(0))}
        return self._saved

    @property
    def message(self) -> Any:
        """The SDK's ``Message`` of the last request, or None if none began."""
        return self.last.to_sdk() if self.last else None

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all its requests, in the order in which they were sent, as plain dicts.

        There are several after a retry, after a continuation and with tool calls. Credentials are
        redacted, headers (such as the names of betas) are missing, and an uploaded file appears by
        its id. They are never saved: a reply that was pickled, copied, recorded or replayed has
        none.

        Example:
            >>> reply = claude_nb.ask("Hello")
            >>> reply.requests[-1]["messages"]
            [{'role': 'user', 'content': 'Hello'}]
        """
        return self._requests()

    def timeline(self) -> Timeline:
        """Its events as a timeline: when each came, in which block, and what it changed.

        With the extension loaded, you can step through it in a notebook.
        """
        return Timeline(self.events, self.request.prompt)

    @property
    def code_blocks(self) -> list[CodeBlock]:
        """The fenced code of its text, in order, each with a ``language`` and its ``code``.

        An unclosed fence at the end of the reply counts too.
        """
        texts = [raw(blocks) for blocks in text_runs(self) if blocks[0].type == "text"]
        return [block for text in texts for block in code.code_blocks(text)]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if self.is_shown_here and is_result():
            return {"text/plain": repr(self)}  # all of it stands above already
        # No record while it is being written: the same requests would be counted again.
        is_over = self.outcome is not Outcome.STREAMING
        return saved_output.mimebundle(self, self.request) if is_over else saved_output.forms(self)

    def __repr__(self) -> str:
        text = redact(self.text)
        shown = text if len(text) <= 60 else text[:59] + "…"
        return f"<Reply {self.outcome} · {redact(self.model)} · {shown!r}>"


def _attached(reply: Reply, name: str) -> str:
    if reply.outcome is Outcome.STREAMING:
        raise InputError(
            f"{name} is still being written.",
            "Wait until it ends: .wait(), or %claude_nb jobs wait",
        )
    return reply.text


register_attachment(Reply, _attached)
