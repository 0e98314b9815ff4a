"""What is sent for the rows of a batch: a request each, made when it leaves."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from claude_nb.batches import rows as rows_of
from claude_nb.batches.row_store import Spool
from claude_nb.batches.service_batch import Part
from claude_nb.client.batch_service import MAX_BYTES, MAX_REQUESTS
from claude_nb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from claude_nb.request.attachments.interpolation import Filled
    from claude_nb.request.request import Request

_PIECE = 2**16
"""Bytes that are sent at a time."""

_OPENING, _CLOSING = b'{"requests":[', b"]}"


class Requests:
    """What is sent for each row, as far as it is known here: a batch may be resumed by its ids.

    Args:
        request: What all rows have in common.

    Attributes:
        request: It, with the ``max_tokens`` for what is handed in from now on.
        common: It as the arguments of ``messages.create``, without the messages.
        count: How many rows there are, as far as that is known.
        labels: What each row is called.
        index: The index of the table that came in, or None.
        problems: Why rows cannot be sent, by their numbers in order.
    """

    def __init__(self, request: Request) -> None:
        self._ask(request)
        self.count = 0
        self.labels: Sequence[Any] = range(0)
        self.index: Any = None
        self.problems: dict[int, str] = {}
        self._contents = Spool()
        self._digests: dict[int, str] = {}

    def ask_for(self, max_tokens: int) -> None:
        """Set the ``max_tokens`` of all requests that are handed in from now on."""
        self._ask(replace(self.request, max_tokens=max_tokens))

    def _ask(self, request: Request) -> None:
        self.request = request
        self.common = request.params()
        del self.common["messages"]
        self._common = _inside(self.common)

    def fill(self, prompts: Any, template: str | None) -> None:
        """Read the user's rows, and keep what is sent for each.

        Args:
            prompts: As for ``rows.read``, as is the template.
            template: The prompt, or None.

        Raises:
            InputError: They cannot be read, or none of them can be sent.
        """
        found = rows_of.read(prompts, template)
        self.count, self.labels, self.index = found.count, found.labels, found.index
        first: InputError | None = None
        for row, content in enumerate(found.contents):
            try:
                self._add(row, content)
            except InputError as error:
                first = first or error
                self.problems[row] = str(error)
        if first is not None and len(self.problems) == self.count:
            raise InputError(f"No row can be sent. {first.what}", first.advice)

    def _add(self, row: int, content: Filled | InputError) -> None:
        """Keep the content of a row as it is sent: a text, or content blocks.

        Raises:
            InputError: It cannot be sent.
        """
        if isinstance(content, InputError):
            raise content
        blocks = list(content.blocks)
        text = " ".join(block["text"] for block in blocks if block["type"] == "text")
        replace(self.request, prompt=text or "…", content=tuple(blocks))
        plain = len(blocks) == 1 and blocks[0]["type"] == "text"
        if plain and not text.strip():
            raise InputError("The prompt is empty.")
        line = _json(text if plain else blocks)
        self._contents.put(row, line)
        self._digests[row] = rows_of.digest(line)

    def __contains__(self, row: int) -> bool:
        """Whether it is known what is sent for a row."""
        return row in self._contents

    def __len__(self) -> int:
        """How many rows that is known for."""
        return len(self._contents)

    @property
    def sendable(self) -> list[int]:
        """The rows that can be sent."""
        return [row for row in range(self.count) if row in self._contents]

    def size(self, row: int) -> int:
        """The length of a row's content in bytes."""
        return self._contents.size(row)

    def is_changed(self, row: int, mark: str) -> bool:
        """Whether a row's content is known, and another than a digest is of."""
        return self._digests.get(row, mark) != mark

    def custom_id(self, row: int) -> str:
        """The custom id of a row."""
        return rows_of.custom_id(row, self.count, self._digests.get(row, ""))

    def params(self, row: int) -> dict[str, Any]:
        """The arguments of ``messages.create`` for a row."""
        content = json.loads(self._contents.get(row) or b'""')
        return {**self.common, "messages": [{"role": "user", "content": content}]}

    def plan(self, rows: Iterable[int]) -> list[Part]:
        """Split rows into parts that the service takes."""
        parts: list[Part] = []
        group: list[int] = []
        size = 0
        each = len(self._request(0, b"")) + 32  # whatever its custom id is
        for row in rows:
            more = each + self.size(row)
            if group and (len(group) == MAX_REQUESTS or size + more > MAX_BYTES):
                parts.append(Part(group))
                group, size = [], 0
            group.append(row)
            size += more
        return [*parts, Part(group)] if group else parts

    def length(self, rows: Sequence[int]) -> int:
        """The length in bytes of what is sent for rows."""
        around = len(_OPENING) + len(_CLOSING) + len(rows) - 1
        return around + sum(len(self._request(row, b"")) + self.size(row) for row in rows)

    async def body(self, rows: Sequence[int], tell: Callable[[int], None]) -> AsyncIterator[bytes]:
        """What is sent for rows.

        Args:
            rows: The rows.
            tell: Is told how many of them have been sent.

        Yields:
            The JSON, in pieces.
        """
        piece = bytearray(_OPENING)
        for place, row in enumerate(rows):
            piece += b"," if place else b""
            piece += self._request(row, self._contents.get(row) or b'""')
            if len(piece) > _PIECE:
                yield bytes(piece)
                tell(place + 1)
                piece.clear()
        yield bytes(piece + _CLOSING)
        tell(len(rows))

    def _request(self, row: int, content: bytes) -> bytes:
        return b'{"custom_id":"%b","params":{%b,"messages":[{"role":"user","content":%b}]}}' % (
            self.custom_id(row).encode(),
            self._common,
            content,
        )


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _inside(common: dict[str, Any]) -> bytes:
    """A dict as JSON without its braces: made once, as it may be long, and rows many."""
    return _json(common)[1:-1]
