"""Large attachments that go as files of the Files API: how they stand in a question's content.

An image or document that is to be uploaded has a source of the type ``upload``, which is ours: the
content with its digest, and what a saved notebook needs to find it again. It never leaves the
machine: ``resolved`` puts the id of a file in its place, or the content itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from claude_nb.errors import InputError

MIN_BYTES = 100_000
"""What is smaller is sent with each question: it is hardly worth a request of its own."""

MAX_BYTES = 500_000_000
"""The largest file that the API takes (platform.claude.com/docs, page "Files API")."""

DAY = 86_400
MIN_SECONDS, MAX_SECONDS = 3_600, 90 * DAY
"""How long a file may be kept: the SDK's ``files.upload``, ``expires_in_seconds``."""

Content = TypeVar("Content", str, list[dict[str, Any]], tuple[dict[str, Any], ...])


def lifetime(upload: bool | int) -> int:  # noqa: FBT001
    """For how many seconds files are kept on the server; 0: nothing is uploaded.

    Args:
        upload: Whether to upload, for a day then; or the number of seconds.

    Raises:
        InputError: The API keeps no file so long, or so short a time.
    """
    if isinstance(upload, bool) or upload == 0:
        return DAY * bool(upload)
    if not MIN_SECONDS <= upload <= MAX_SECONDS:
        raise InputError(
            f"A file cannot stay uploaded for {upload:,} seconds.",
            f"upload takes True (a day), or {MIN_SECONDS:,} to {MAX_SECONDS:,} seconds.",
        )
    return upload


def to_upload(
    block: dict[str, Any], name: str, path: str, seconds: int, *, is_file: bool
) -> dict[str, Any]:
    """A content block with its data as an upload, if it is of a kind and size that are uploaded.

    Args:
        block: The content block, as the API's dict.
        name: The file's name on the server.
        path: Where the content was read from, or an empty string.
        seconds: For how long the server is to keep it; 0: nothing is uploaded, but sent by the id
            of a file that is there already.
        is_file: Whether a text is all of a file, which makes it a document.
    """
    source = block.get("source", {})
    if source.get("type") == "base64":
        data, kind, media_type = source["data"], block["type"], source["media_type"]
        raw = base64.b64decode(data)
    elif block["type"] == "text" and is_file:
        data, kind, media_type = block["text"], "document", "text/plain"
        raw = data.encode()
        block = {"title": name}
    else:
        return block
    if len(raw) < MIN_BYTES:
        return block
    upload = {
        "type": "upload",
        "media_type": media_type,
        "data": data,
        "sha256": hashlib.sha256(raw).hexdigest(),
        "size": len(raw),
        "name": name,
        "seconds": seconds,
    }
    return block | {"type": kind, "source": upload | ({"path": path} if path else {})}


def raw(source: dict[str, Any]) -> bytes:
    """The bytes that are uploaded."""
    data: str = source["data"]
    return data.encode() if source["media_type"] == "text/plain" else base64.b64decode(data)


def is_upload(block: dict[str, Any]) -> bool:
    """Whether a content block is to be uploaded."""
    source = block.get("source")
    return isinstance(source, dict) and source.get("type") == "upload"


def sources(messages: Iterable[str | Iterable[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The uploads in the content of messages."""
    for content in messages:
        if not isinstance(content, str):
            yield from (block["source"] for block in content if is_upload(block))


def resolved(content: Content, ids: Mapping[str, str]) -> Content:
    """The content of a message as the API takes it.

    Args:
        content: A text or content blocks; they are not changed.
        ids: The ids of files by the digests of their content; all other content is sent itself.
    """
    if isinstance(content, str) or not any(map(is_upload, content)):
        return content
    blocks = (_resolved(block, ids) if is_upload(block) else block for block in content)
    return type(content)(blocks)


def resolved_turn(turn: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """A turn with its content as ``resolved`` has it; the turn itself if nothing is uploaded."""
    content = resolved(turn["content"], ids)
    return turn if content is turn["content"] else turn | {"content": content}


def _resolved(block: dict[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    source = block["source"]
    if file_id := ids.get(source["sha256"]):
        return block | {"source": {"type": "file", "file_id": file_id}}
    kind = "text" if source["media_type"] == "text/plain" else "base64"
    plain = {"type": kind, "media_type": source["media_type"], "data": source["data"]}
    return block | {"source": plain}


def saved(block: dict[str, Any]) -> dict[str, Any]:
    """A content block as a notebook keeps it: what was read from a file without its content."""
    if not is_upload(block) or "path" not in block["source"]:
        return block
    kept = {name: block["source"][name] for name in ("type", "media_type", "sha256", "path")}
    return block | {"source": kept}


def described(seconds: int) -> str:
    """What the reader is told of an upload."""
    number, unit = (seconds / 3600, "hour") if seconds % DAY else (seconds / DAY, "day")
    kept = f"{number:.3g} {unit}{'' if number == 1 else 's'}"
    return f"uploaded for {kept}, visible to the whole workspace"
