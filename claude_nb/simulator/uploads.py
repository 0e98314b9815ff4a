"""The Files API: files are kept in memory for the account that uploaded them, until they expire.

The rules are those of platform.claude.com/docs ("Files API", read 2026-11-30) and of the SDK's
types. Where these leave a choice, this is the one made here:

- An account is whoever sends the same key.
- A request with the id of a file is answered, counted and cached like one with the file's content.
- What expired is told from what never was: both are 404.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from claude_nb.simulator.paging import LARGEST
from claude_nb.simulator.refusals import RefusalError, invalid, not_found
from claude_nb.simulator.replies import Error

LARGEST_FILE = 500 * 10**6
"""Bytes of a file."""

_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_KINDS = {"document": ("application/pdf", "text/plain"), "image": _IMAGES}
"""The types of files that a content block takes."""

_SHORTEST, _LONGEST = 3_600, 7_776_000
"""Seconds that a file can be kept, where it is not kept until it is deleted."""


@dataclass(frozen=True, slots=True)
class File:
    """A file.

    Attributes:
        id: Its id.
        account: The account that it belongs to.
        name: Its name.
        media_type: Its type.
        content: Its bytes.
        created: When it was uploaded.
        expires: When it is deleted, or None.
    """

    id: str
    account: str
    name: str
    media_type: str
    content: bytes
    created: datetime
    expires: datetime | None

    def info(self) -> dict[str, Any]:
        """Return it as the API describes it."""
        return {
            "id": self.id,
            "type": "file",
            "filename": self.name,
            "mime_type": self.media_type,
            "size_bytes": len(self.content),
            "created_at": _written(self.created),
            "expires_at": _written(self.expires) if self.expires else None,
            "downloadable": False,
        }

    def source(self) -> dict[str, Any]:
        """Return the source of a content block that holds it."""
        if self.media_type == "text/plain":
            text = self.content.decode("utf-8", "replace")
            return {"type": "text", "media_type": self.media_type, "data": text}
        data = base64.b64encode(self.content).decode()
        return {"type": "base64", "media_type": self.media_type, "data": data}


@dataclass
class Files:
    """All files of all accounts, the oldest first."""

    _all: dict[str, File] = field(default_factory=dict)

    def create(
        self,
        parts: dict[str, list[Any]],
        fields: dict[str, list[bytes]],
        account: str,
        now: datetime,
    ) -> File:
        """Take a file in.

        Args:
            parts: The parts of the form that are files, by their names.
            fields: Its other fields.
            account: Who sent it.
            now: When.

        Raises:
            RefusalError: It cannot be created.
        """
        if len(parts.get("file", ())) != 1:
            raise RefusalError(invalid("file: Field required"))
        for name in (*parts, *fields):
            if name not in ("file", "expires_in_seconds"):
                raise RefusalError(invalid(f"{name}: Extra inputs are not permitted"))
        (part,) = parts["file"]
        if len(part.body) > LARGEST_FILE:
            raise RefusalError(Error(413, "request_too_large", "File exceeds the maximum size"))
        if not part.body:
            raise RefusalError(invalid("file: must not be empty"))
        expires = None
        if given := fields.get("expires_in_seconds"):
            seconds = int(given[-1]) if given[-1].isdigit() else 0
            if not _SHORTEST <= seconds <= _LONGEST:
                rule = f"Input should be from {_SHORTEST} to {_LONGEST}"
                raise RefusalError(invalid(f"expires_in_seconds: {rule}"))
            expires = now + timedelta(seconds=seconds)
        name = part.filename.replace("\\", "/").rpartition("/")[2] or "unnamed"
        media_type = part.content_type.partition(";")[0].strip()
        file = File(f"file_sim_{uuid4().hex}", account, name, media_type, part.body, now, expires)
        self._all[file.id] = file
        return file

    def find(self, identifier: str, account: str, now: datetime) -> File:
        """Return a file; nobody sees another account's.

        Raises:
            RefusalError: The account has none of this id, or has it no more.
        """
        found = self._all.get(identifier)
        if found is None or found.account != account:
            raise RefusalError(not_found(f"File not found: {identifier}"))
        if found.expires is not None and found.expires <= now:
            raise RefusalError(not_found(f"File has expired: {identifier}"))
        return found

    def delete(self, file: File) -> None:
        """Forget a file."""
        del self._all[file.id]

    def page(
        self, account: str, now: datetime, limit: int, page: str, ids: list[str]
    ) -> dict[str, Any]:
        """Return a page of an account's files, the newest first.

        Args:
            account: Whose.
            now: The time.
            limit: The most files on it.
            page: The ``next_page`` of the page before; empty for the first.
            ids: The files to list; none for all.

        Raises:
            RefusalError: There can be no such page.
        """
        if not 1 <= limit <= LARGEST:
            raise RefusalError(invalid(f"limit: Input should be from 1 to {LARGEST}"))
        there = [
            file
            for file in reversed(self._all.values())
            if file.account == account and (file.expires is None or file.expires > now)
        ]
        if ids:
            shown = [file.info() for file in there if file.id in ids]
            return {"data": shown, "next_page": None}
        number = page.removeprefix("page_")
        if page and not (number.isdecimal() and page.startswith("page_")):
            raise RefusalError(invalid("page: not a page of a list"))
        start = int(number or 0)
        more = start + limit < len(there)
        shown = [file.info() for file in there[start : start + limit]]
        return {"data": shown, "next_page": f"page_{start + limit}" if more else None}

    def resolved(self, request: Any, account: str, now: datetime) -> Any:
        """Return a request with the content of files in the place of their ids.

        Args:
            request: Its body, whatever it may be; it is not changed.
            account: Who sent it.
            now: When.

        Raises:
            RefusalError: The account has no such file, or it is of another kind.
        """
        messages = request.get("messages") if isinstance(request, dict) else None
        if not isinstance(messages, list):
            return request
        turns = [
            turn | {"content": [self._block(*item, account, now) for item in found]}
            if isinstance(turn, dict) and (found := list(_numbered(number, turn)))
            else turn
            for number, turn in enumerate(messages)
        ]
        return request | {"messages": turns}

    def _block(self, where: str, block: Any, account: str, now: datetime) -> Any:
        if not isinstance(block, dict):
            return block
        kind, source, content = block.get("type"), block.get("source"), block.get("content")
        if kind == "tool_result" and isinstance(content, list):
            inner = enumerate(content)
            return block | {
                "content": [self._block(f"{where}.content.{n}", b, account, now) for n, b in inner]
            }
        if not isinstance(source, dict) or source.get("type") != "file" or kind not in _KINDS:
            return block
        at = f"{where}.{kind}.source"
        for name in source:
            if name not in ("type", "file_id"):
                raise RefusalError(invalid(f"{at}.file.{name}: Extra inputs are not permitted"))
        file_id = source.get("file_id")
        if not isinstance(file_id, str) or not file_id:
            raise RefusalError(invalid(f"{at}.file.file_id: Field required"))
        file = self.find(file_id, account, now)
        if file.media_type not in _KINDS[kind]:
            message = f"{at}: {file.media_type} is not supported in {kind} blocks"
            raise RefusalError(invalid(message))
        return block | {"source": file.source()}


def _numbered(number: int, turn: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The content blocks of a message, and where they stand."""
    content = turn.get("content")
    for place, block in enumerate(content if isinstance(content, list) else ()):
        yield f"messages.{number}.content.{place}", block


def _written(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
