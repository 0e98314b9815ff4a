"""A batch's rows: what the user passed, and the request that is sent for each.

All of it is read once, when the batch is made: a table that changes afterwards changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from claude_nb.batches.row_store import RowStore
from claude_nb.client.batch_service import MAX_BYTES, MAX_REQUESTS
from claude_nb.client.connection import remember_ambient
from claude_nb.errors import InputError
from claude_nb.request import documents, extra, uploads
from claude_nb.request.attachments.interpolation import Filled, fill, names
from claude_nb.request.request import Request

LASTING = 25 * 3600
"""Seconds that an uploaded file must have left when a batch is submitted, which may take a day."""

_PIECE = 2**16
"""Bytes that are sent at a time."""

_MOST = 20
"""How many columns an error lists."""

_OPENING, _CLOSING = b'{"requests":[', b"]}"

_CUSTOM_ID = re.compile(r"(\d{1,9})-(\d{1,9})-([0-9a-f]{12})")


def read(
    prompts: Any, template: str | None, *, upload: bool | int = False, cite: bool = False
) -> tuple[Sequence[Any], Any, Iterator[Callable[[], Filled]]]:
    """Read what the user passed.

    Args:
        prompts: Texts or other values, a pandas or polars column or table, or a list of dicts.
        template: The prompt, with ``{{name}}`` for the columns of a table, the keys of a dict or
            the name of a column; the values of a list have whatever single name it uses. None: the
            values are the prompts.
        upload: Whether large values are uploaded.
        cite: Whether text files are sent as documents, which can be cited.

    Returns:
        What each row is called: the table's index, or its number from 0. The pandas index, to be
        given back, or None. For each row a function that makes what is sent for it, in order; it
        raises an ``InputError`` if the row cannot be sent.

    Raises:
        InputError: It cannot be read so.
    """
    if isinstance(prompts, (str, bytes)):
        raise InputError(
            "batch() takes a list of prompts, not one string.",
            'For example: batch(["first", "second"]), or claude_nb.ask(text).',
        )
    values, columns, index = _values(prompts)
    if not values:
        raise InputError("There are no prompts.")
    if template is not None:
        used = _used(template, columns)
        values = values if columns else [{used[0]: value} for value in values]
    elif len(columns) > 1:
        raise InputError(
            "Pass a template that puts columns into a prompt.",
            f'For example: template="Summarise this: {{{{{columns[0]}}}}}".',
        )
    elif columns:
        values = [row[columns[0]] for row in values]
    labels = index if index is not None else range(len(values))
    made = partial(_content, template=template, upload=upload, cite=cite)
    return labels, index, (partial(made, value) for value in values)


def _used(template: str, columns: Sequence[str]) -> list[str]:
    """The names that a template uses: of the columns, or a single one if there are none.

    Raises:
        InputError: It uses none, others, or several where the rows are single values.
    """
    usable = [name for name in columns if name.isidentifier()]
    advice = f"For example: {{{{{usable[0] if usable else 'text'}}}}}."
    if len(usable) < len(columns):
        odd = ", ".join(repr(name) for name in columns if name not in usable)
        advice = f"Rename columns that a template cannot name: {odd}."
    try:
        used = names(template)
    except InputError as error:
        if len(usable) < len(columns):
            raise InputError(error.what, advice) from None
        raise
    if not used:
        raise InputError("The template has no {{name}}, so all prompts would be the same.", advice)
    if not columns and len(used) > 1:
        shown = " and ".join(f"{{{{{name}}}}}" for name in used)
        raise InputError(
            f"The template uses {shown}, but each row is a single value.",
            f"Use one name for it, or pass a table or a list of dicts with {' and '.join(used)}.",
        )
    for name in used if columns else ():
        if name not in columns:
            there = ", ".join(columns[:_MOST]) + (", …" if len(columns) > _MOST else "")
            raise InputError(
                f"The rows have no column {name}; they have {there}.",
                rf"To send the braces themselves: \{{{{{name}}}}}",
            )
    return used


def parsed_id(value: str) -> tuple[int, int, str] | None:
    """The number of a row, how many rows there are, and the digest of its content.

    None for what is no ``custom_id``.
    """
    match = _CUSTOM_ID.fullmatch(value)
    if match is None or int(match[1]) >= int(match[2]):
        return None
    return int(match[1]), int(match[2]), match[3]


def digest(content: bytes) -> str:
    """Twelve hexadecimal digits that tell a row's content from others (of its SHA-256)."""
    return sha256(content).hexdigest()[:12]


def _values(prompts: Any) -> tuple[list[Any], list[str], Any]:
    """The rows as values or dicts, the names of their columns, and the index of a pandas object."""
    kind = type(prompts).__module__.partition(".")[0]
    if kind in ("pandas", "polars"):
        index = prompts.index.copy() if hasattr(prompts, "index") else None
        if hasattr(prompts, "columns"):
            rows = prompts.to_dicts() if kind == "polars" else prompts.to_dict("records")
            return _records(rows), list(map(str, prompts.columns)), index
        if hasattr(prompts, "to_list"):
            return *_named(prompts.to_list(), prompts.name), index
    if isinstance(prompts, Mapping) or not isinstance(prompts, Iterable):
        raise InputError(
            f"batch() takes a list of prompts or a table; this is of type"
            f" {type(prompts).__name__}.",
            "For a dict, pass list(prompts.values()), or pandas.DataFrame(prompts) if its values"
            " are columns."
            if isinstance(prompts, Mapping)
            else "",
        )
    values = list(prompts)
    if values and all(isinstance(value, Mapping) for value in values):
        names = list(dict.fromkeys(str(key) for row in values for key in row))
        return _records(values), names, None
    return values, [], None


def _records(rows: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows]


def _named(values: list[Any], name: Any) -> tuple[list[Any], list[str]]:
    """A column by its name, so that a template can use it; one without a name is as it is."""
    if not isinstance(name, str) or not name.isidentifier():
        return values, []
    return [{name: value} for value in values], [name]


def _content(value: Any, *, template: str | None, upload: bool | int, cite: bool) -> Filled:
    if template is None:
        if _missing(value):
            raise InputError("The prompt is missing.")
        if isinstance(value, str):
            return Filled(({"type": "text", "text": value},), ())
        template, value = "{{prompt}}", {"prompt": value}
    for name in names(template):
        if _missing(value.get(name)):
            raise InputError(f"{name} is missing.")
    return fill(template, value, upload=upload, cite=cite)


def _missing(value: Any) -> bool:
    """None, NaN, or what pandas has for them."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value  # noqa: PLR0124 - as only NaN does


class Requests:
    """The request of each row, as far as it is known: a batch may be resumed by its ids alone.

    Args:
        request: What all rows have in common.

    Attributes:
        request: The same, with the ``max_tokens`` of what is submitted from now on.
        common: The arguments of ``messages.create`` that it stands for, without the messages.
        headers: The headers with which a batch is sent, which are no part of its rows.
        count: How many rows there are, as far as that is known.
        labels: What each row is called.
        index: The index of the table that was passed, or None.
        problems: Why rows cannot be sent, by their numbers, in order.
        file_ids: The ids of uploaded files by the digests of their content.
    """

    def __init__(self, request: Request) -> None:
        self.count = 0
        self.labels: Sequence[Any] = range(0)
        self.index: Any = None
        self.problems: dict[int, str] = {}
        self.file_ids: dict[str, str] = {}
        self._contents = RowStore()
        self._sources: dict[str, dict[str, Any]] = {}  # of uploads, by their digests
        self._digests: dict[int, str] = {}
        self._set_request(request)

    def set_max_tokens(self, max_tokens: int) -> None:
        """Set the ``max_tokens`` of all that is submitted from now on."""
        self._set_request(replace(self.request, max_tokens=max_tokens))

    def _set_request(self, request: Request) -> None:
        self.request = request
        self.common = request.params()
        del self.common["messages"]
        self.headers: dict[str, str] = self.common.get("extra_headers", {})
        empty = {"custom_id": "", "params": extra.body(self._params(""))}
        self._overhead = len(_json(empty)) - len(b'""') + len(b",")

    def fill(self, prompts: Any, template: str | None, *, upload: bool | int = False) -> None:
        """Read the user's rows, and store what is sent for each.

        Args:
            prompts: As for ``read``, as is the template.
            template: The prompt, or None.
            upload: Whether large files are uploaded.

        Raises:
            InputError: They cannot be read, or none of them can be sent.
        """
        remember_ambient()
        if upload is True:
            upload = 2 * uploads.DAY
        elif 0 < upload < LASTING:
            raise InputError(
                f"A batch may take a day, but the files would expire after {upload:,} seconds.",
                f"upload takes True (two days), or at least {LASTING:,} seconds.",
            )
        cite = self.request.cite
        self.labels, self.index, contents = read(prompts, template, upload=upload, cite=cite)
        self.count = len(self.labels)
        for row, content in enumerate(contents):
            try:
                self._add(row, content())
            except InputError as error:
                self.problems[row] = str(error)
        if len(self.problems) == self.count:
            raise InputError(f"No row can be sent. Row {self.named([0])}: {self.problems[0]}")

    def _add(self, row: int, content: Filled) -> None:
        """Store the content of a row as it is sent: a text, or content blocks.

        Raises:
            InputError: It cannot be sent.
        """
        checked = replace(self.request, prompt="…", content=content.blocks)
        blocks = list(checked.content)
        text = " ".join(block["text"] for block in blocks if block["type"] == "text")
        plain = len(blocks) == 1 and blocks[0]["type"] == "text"
        if plain and not text.strip():
            raise InputError("The prompt is empty.")
        sent = replace(self.request, prompt=text or "…", content=tuple(blocks))  # checks it
        if sent.cite:
            blocks = documents.citable([{"role": "user", "content": blocks}])[0]["content"]
        stored: Any = text if plain else [self._without_data(block) for block in blocks]
        self._contents.put(row, _json(stored))
        self._digests[row] = digest(_json(text if plain else uploads.resolved(blocks, {})))

    def _without_data(self, block: dict[str, Any]) -> dict[str, Any]:
        """A content block as it is stored: an upload without its data, which rows may share."""
        if not uploads.is_upload(block):
            return block
        source = self._sources.setdefault(block["source"]["sha256"], block["source"])
        return block | {"source": {"type": "upload", "sha256": source["sha256"]}}

    def upload_sources(self, rows: Iterable[int]) -> list[dict[str, Any]]:
        """The sources of what is to be uploaded for rows, each once."""
        if not self._sources:
            return []
        contents = (self._content(row) for row in rows)
        found = {source["sha256"]: source for source in uploads.sources(contents)}
        return list(found.values())

    def _content(self, row: int) -> Any:
        """What is sent for a row: a text or content blocks, of which some may be uploads."""
        content = json.loads(self._contents.get(row))
        if not self._sources or isinstance(content, str):
            return content
        return [
            block | {"source": self._sources[block["source"]["sha256"]]}
            if uploads.is_upload(block)
            else block
            for block in content
        ]

    def __contains__(self, row: int) -> bool:
        """Whether the request of a row is known."""
        return row in self._digests

    def __bool__(self) -> bool:
        """Whether the request of any row is known."""
        return bool(self._digests)

    @property
    def sendable(self) -> list[int]:
        """The rows that can be sent."""
        return list(self._digests)

    def named(self, rows: Sequence[int]) -> str:
        """Rows by their labels, as in ``3, 7, 12 and 4 more``."""
        more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
        return ", ".join(str(self.labels[row])[:40] for row in rows[:5]) + more

    def is_changed(self, row: int, mark: str) -> bool:
        """Whether the content of a row is known, and not the one of this digest."""
        return self._digests.get(row, mark) != mark

    def custom_id(self, row: int) -> str:
        """The id that finds a row again: its number, how many there are, and what was asked."""
        return f"{row}-{self.count}-{self._digests.get(row, '')}"

    def params(self, row: int, file_ids: Mapping[str, str]) -> dict[str, Any]:
        """The arguments of ``messages.create`` for a row.

        Args:
            row: The row.
            file_ids: As for ``Request.params``.
        """
        return self._params(uploads.resolved(self._content(row), file_ids))

    def _params(self, content: Any) -> dict[str, Any]:
        return {**self.common, "messages": [{"role": "user", "content": content}]}

    def size(self, row: int) -> int:
        """The bytes that a row takes in the body that is sent."""
        size = self._contents.size(row)
        if self._sources:
            size = len(_json(uploads.resolved(self._content(row), self.file_ids)))
        return self._overhead + len(self.custom_id(row)) + size

    def length(self, rows: Sequence[int]) -> int:
        """The length in bytes of the body that is sent for rows."""
        return len(_OPENING) + sum(map(self.size, rows)) - len(b",") + len(_CLOSING)

    def split(self, rows: Iterable[int]) -> list[list[int]]:
        """Split rows into groups that the service takes as one batch each."""
        groups: list[list[int]] = []
        size = 0
        for row in rows:
            size += self.size(row)
            if not groups or len(groups[-1]) == MAX_REQUESTS or size > MAX_BYTES:
                groups.append([])
                size = self.length([row])
            groups[-1].append(row)
        return groups

    async def body(
        self, rows: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncIterator[bytes]:
        """The body that is sent for rows, in pieces.

        Args:
            rows: The rows.
            progress: Is called with the number of rows that have been sent, and of all rows.
        """
        piece = bytearray(_OPENING)
        for sent, row in enumerate(rows, start=1):
            params = extra.body(self.params(row, self.file_ids))
            piece += _json({"custom_id": self.custom_id(row), "params": params})
            piece += b"," if sent < len(rows) else _CLOSING
            if len(piece) > _PIECE or sent == len(rows):
                yield bytes(piece)
                piece.clear()
                progress(sent, len(rows))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
