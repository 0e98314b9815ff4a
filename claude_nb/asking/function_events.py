"""The events of a reply that a function gives: its own words, and the replies that it passes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from claude_nb.errors import StoppedError
from claude_nb.streaming.events import Failed, RequestSent, Stopped, StreamEvent


class Answer:
    """Makes the events of a reply of what a function yields: its own words, and other replies.

    Attributes:
        part: How many parts there are so far: each reply is one, and the words between are.
    """

    def __init__(self) -> None:
        self.part = 0
        self._is_own = False
        self._is_open = False  # a message that has no end yet
        self._index = -1
        self._in_text = False

    def take(self, item: Any) -> Iterator[Any]:
        """The events for a text, an event of a reply, or a block.

        Raises:
            ClaudeError: The reply has failed.
            CancelledError: It was stopped.
        """
        if isinstance(item, StreamEvent):
            yield from self._pass_on(item)
        elif isinstance(item, dict):
            yield from self._begin()
            yield from self._block(item)
        elif item:
            yield from self._begin()
            if not self._in_text:
                self._index, self._in_text = self._index + 1, True
                block = {"type": "text", "text": ""}
                yield _event("content_block_start", index=self._index, content_block=block)
            delta = {"type": "text_delta", "text": item}
            yield _event("content_block_delta", index=self._index, delta=delta)

    def traceback(self, text: str) -> Iterator[Any]:
        """The events that show a traceback, in a message that does not end."""
        if text:
            yield from self._begin()
            yield from self._block({"type": "traceback", "text": text})

    def end(self) -> Iterator[Any]:
        """The events that end what is open."""
        if not self._is_open:
            return
        if self._is_own:
            yield from self._end_text()
            yield _event("message_delta", delta={"stop_reason": "end_turn"})
        yield _event("message_stop")
        self._is_open = False

    def _begin(self) -> Iterator[Any]:
        if self._is_open and self._is_own:
            return
        yield from self.end()
        self.part += 1
        self._is_own = self._is_open = True
        self._index, self._in_text = -1, False
        yield RequestSent("", part=self.part)
        yield _event("message_start", message={"type": "message", "role": "assistant"})

    def _block(self, block: dict[str, Any]) -> Iterator[Any]:
        yield from self._end_text()
        self._index += 1
        yield _event("content_block_start", index=self._index, content_block=block)
        yield _event("content_block_stop", index=self._index)

    def _end_text(self) -> Iterator[Any]:
        if self._in_text:
            self._in_text = False
            yield _event("content_block_stop", index=self._index)

    def _pass_on(self, event: StreamEvent) -> Iterator[Any]:
        data = event.data
        if isinstance(data, Failed):
            raise data.error
        if isinstance(data, Stopped):
            raise StoppedError("The reply that the function passed on was stopped.")
        if isinstance(data, RequestSent):
            if event.seq == 0 or self._is_own:
                yield from self.end()
                self.part += 1
            self._is_own, self._is_open = False, True
            yield event._replace(data=replace(data, part=self.part))
            return
        if isinstance(data, dict):
            if not self._is_open:  # of a reply of which the beginning was not passed on
                yield from self._begin()
            self._is_open = event.type != "message_stop"
        yield event


def _event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **fields}
