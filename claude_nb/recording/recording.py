"""Recordings: a reply as a file of timed events.

A file has one JSON object a line, its keys sorted. The first line names the format and holds the
request and, of a complete answer, digests of what was asked (``keeping.fingerprint``). Each line
after it is an event: ``at``, the seconds since the first one, and ``wire``, an event of the API, or
``event``, one of ours. It holds no API key.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from claude_nb import __version__
from claude_nb.characters import wellformed_json
from claude_nb.cost.models import DEFAULT_MODEL
from claude_nb.errors import ClaudeError, InputError, MalformedError
from claude_nb.recording.lines import CHECKS, Lines, to_line
from claude_nb.recording.matching import canonical, checked_parts
from claude_nb.render import page
from claude_nb.reply import Reply
from claude_nb.request import files
from claude_nb.request.extra import without_secrets
from claude_nb.request.request import Request
from claude_nb.streaming.block import as_dict
from claude_nb.streaming.events import EventLog, Failed, RequestSent, StreamEvent
from claude_nb.streaming.progress import Outcome

VERSION = 1
"""Of the format. A reader refuses what is newer than itself."""

SUFFIX = ".jsonl"

_KIND = "claude_nb recording"
_HELD = 10_000
"""Characters of a recorded prompt that a reply holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A reply that you can save to a file, load, show and replay.

    Attributes:
        request: The first request: the arguments of ``messages.create``.
        events: What happened, in order; ``time`` counts from the first.
        left_out: Which of ``PARTS`` are not in it.
        path: The file that it was read from, or None.
        cut: Whether it ends before the reply does, because the file was cut off.
        asked: What was asked, by digests, and when, if the reply is a complete answer, so that it
            may be shown where the same is asked again (``keeping``); else None.
        edited: Whether the file was changed by hand: it is no such answer then.

    Example:
        >>> reply = claude_nb.ask("Why is the sky blue?")
        >>> claude_nb.Recording.of(reply).save("sky.jsonl")
        >>> claude_nb.Recording.load("sky.jsonl").reply.timeline()
    """

    request: dict[str, Any]
    events: tuple[StreamEvent, ...]
    left_out: tuple[str, ...] = ()
    path: Path | None = None
    cut: bool = False
    asked: dict[str, Any] | None = None
    edited: bool = False

    @classmethod
    def of(cls, reply: Reply, without: Collection[str] = ()) -> Recording:
        """Make a recording of a reply so far.

        Args:
            reply: The reply. What looks like an API key is taken out of it.
            without: What to leave out: any of ``"attachments"``, ``"request"`` and ``"thinking"``.
                A replay finds the recording all the same, by a fingerprint of what is left out.

        Raises:
            InputError: There is no such part.
        """
        left_out = checked_parts(without)
        sent = next((e.data.params for e in reply.events if isinstance(e.data, RequestSent)), {})
        request = canonical(sent or without_secrets(reply.request.params()), left_out)
        is_answer = not left_out and reply.saved_answer() is not None
        asked = reply.asked if is_answer else None
        return cls(request, _without(reply.events, left_out), left_out, asked=asked)

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read a recording back.

        If the file was cut off, ``cut`` is true and the rest is missing.

        Args:
            path: The file.

        Raises:
            InputError: It is not there, is not a recording, is of a newer version, or holds a line
                that cannot be read; the error says which.
        """
        path = Path(path)
        lines = _read(path)
        head = _head(path, lines[0])
        read = Lines(tuple(map(str, head["left_out"])), head["request"])
        found = EventLog()
        attempt, cut = 0, False
        for number, line in enumerate(lines[1:], 2):
            where = f"{path}, line {number}"
            try:
                item = json.loads(line)
            except (ValueError, RecursionError):
                if number < len(lines):
                    raise InputError(f"{where} is not JSON: it was edited or damaged.") from None
                cut = True  # the last line alone
                break
            at = item.get("at") if isinstance(item, dict) else None
            if at is None or not CHECKS["float"](at):
                raise InputError(f"{where} has no time, so it is not an event of a recording.")
            data = read.read(item, where)
            attempt += isinstance(data, RequestSent)
            found.record(float(at), attempt, data)
        count = head.get("events")
        cut = cut or (isinstance(count, int) and len(found) < count)
        asked = as_dict(head.get("asked"))
        edited = bool(asked) and asked.pop("digest", None) != _digest(lines[1:])
        kept = None if edited or cut else asked or None
        return cls(head["request"], tuple(found), read.parts, path, cut, kept, edited)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write it to a file: one event a line, the same text for the same recording.

        Args:
            path: Where; the usual ending is ``.jsonl``.
            overwrite: Whether a file that is there may be replaced.

        Raises:
            InputError: It is there, or cannot be written.
        """
        files.write(path, (f"{line}\n" for line in self._lines()), overwrite=overwrite)

    def to_html(
        self,
        path: str | Path,
        *,
        without: Collection[str] = (),
        title: str = "",
        overwrite: bool = False,
    ) -> None:
        """Write a page that plays the reply and steps through its events, without a kernel.

        One HTML file, for a web site, a course page (in an ``<iframe>``) or a bug report: it needs
        no network.

        Args:
            path: Where; the usual ending is ``.html``.
            without: What to leave out, as for ``Recording.of``.
            title: The heading; by default the beginning of the prompt.
            overwrite: Whether a file that is there may be replaced.

        Raises:
            InputError: It is there, or cannot be written, or there is no such part.

        Example:
            >>> claude_nb.Recording.load("sky.jsonl").to_html("sky.html")
        """
        page.save(path, [self.part(without)], title, overwrite=overwrite)

    def part(self, without: Collection[str] = (), prompt: str = "") -> page.Part:
        """The reply on a page that may have several.

        Args:
            without: What to leave out, as for ``Recording.of``.
            prompt: What was asked, if the recording does not say.
        """
        left_out = checked_parts({*self.left_out, *checked_parts(without)})
        shown = self
        if left_out != self.left_out:
            request = canonical(self.request, left_out)
            shown = replace(self, request=request, events=_without(self.events, left_out))
        reply = shown.reply
        notes = [f"Left out of this page: {', '.join(left_out)}."] if left_out else []
        if self.cut:
            notes.append("The recording was cut off: it ends before the reply does.")
        asked = "Prompt left out" if "request" in left_out else prompt
        return reply.timeline().part(asked, notes)

    def _lines(self) -> Iterator[str]:
        head = {
            "claude_nb": __version__,
            "events": len(self.events),
            "format": VERSION,
            "kind": _KIND,
            "left_out": list(self.left_out),
            "request": self.request,
        }
        written = Lines(self.left_out, self.request).write_all(self.events)
        lines = [
            to_line({"at": event.time, **line})
            for event, line in zip(self.events, written, strict=True)
        ]
        if self.asked is not None:
            head["asked"] = self.asked | {"digest": _digest(lines)}
        yield to_line(head)
        yield from lines

    @property
    def reply(self) -> Reply:
        """The reply as it was: it shows itself, and has a ``timeline()``. Marked as replayed."""
        reply = Reply(_holder(self.request))
        reply.advance(self.events)
        if reply.outcome is Outcome.STREAMING and self.events:
            last = self.events[-1]
            end = StreamEvent(last.seq + 1, last.time, last.attempt, Failed(unfinished()))
            reply.advance([end])
        return reply

    def to_sse(self) -> str:
        """The wire events as server-sent events, as text: any decoder reads the same events again.

        Other events (when a request was sent, why it broke off) become comments.
        """
        lines: list[str] = []
        for event in self.events:
            data = event.data
            if isinstance(data, RequestSent):
                lines.append(f": request {event.attempt}, at {event.time:.3f} s\n\n")
            elif isinstance(data, dict):
                lines.append(f"event: {event.type}\ndata: {to_line(data)}\n\n")
            else:
                what = f": {event.type}{_why(data)}".replace("\n", " ")
                lines.append(f"{what}, at {event.time:.3f} s\n\n")
        return "".join(lines)

    def __repr__(self) -> str:
        count = len(self.events)
        name = f" {str(self.path)!r}" if self.path else ""
        cut = " · cut off" if self.cut else ""
        return f"<Recording{name} · {count:,} {'event' if count == 1 else 'events'}{cut}>"


def _without(events: Sequence[StreamEvent], parts: tuple[str, ...]) -> tuple[StreamEvent, ...]:
    """Events as they are recorded: without parts and credentials, with times from the first on."""
    lines = Lines(parts)
    began = events[0].time if events else 0.0
    return tuple(
        StreamEvent(e.seq, round(e.time - began, 6), e.attempt, lines.read(line, ""))
        for e, line in zip(events, lines.write_all(events), strict=True)
    )


def unfinished() -> ClaudeError:
    """The error of a recording that ends before its reply does."""
    return MalformedError("The recording ends here, before the reply does.", "It was cut off.")


def read_head(path: Path) -> dict[str, Any]:
    """The first line of a recording, without reading its events.

    Raises:
        InputError: It is not there, or is not a recording.
    """
    try:
        with path.open(encoding="utf-8") as opened:
            return _head(path, opened.readline())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None


def _digest(lines: Iterable[str]) -> str:
    whole = sha256()
    for line in lines:
        whole.update(f"{line}\n".encode())
    return whole.hexdigest()


def _read(path: Path) -> list[str]:
    """The lines of a file, without an empty last one."""
    try:
        text = files.read_bytes(path).decode()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a recording: it is not text.") from None
    # Not by ``splitlines``: there are ends of lines that JSON takes for any other character.
    return text.removesuffix("\n").split("\n")


def _head(path: Path, line: str) -> dict[str, Any]:
    try:
        head = wellformed_json(json.loads(line))
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict) or head.get("kind") != _KIND:
        raise InputError(f"{path} is not a recording of claude_nb.")
    version = head.get("format")
    if type(version) is not int or version < 1:
        raise InputError(f"{path} does not name the version of its format.")
    if version > VERSION:
        raise InputError(
            f"{path} was written by a newer claude_nb ({head.get('claude_nb')}).",
            "This version cannot read it: update claude_nb.",
        )
    if not isinstance(head.get("request"), dict) or not isinstance(head.get("left_out"), list):
        raise InputError(f"{path} does not contain the request: its first line was edited.")
    return head


def _holder(params: dict[str, Any]) -> Request:
    """A request with the prompt and model of a recorded one, which is all that a reply needs."""
    messages = params.get("messages")
    asked = messages[-1] if isinstance(messages, list) and messages else {}
    content = asked.get("content") if isinstance(asked, dict) else ""
    texts = content if isinstance(content, list) else [{"text": content}]
    prompt = "\n\n".join(str(b["text"]) for b in texts if isinstance(b, dict) and b.get("text"))
    model = str(params.get("model") or "").strip() or DEFAULT_MODEL
    return Request(prompt.strip()[:_HELD] or "(not recorded)", model=model)


def _why(data: Any) -> str:
    error = getattr(data, "error", None)
    return f": {error.what}" if isinstance(error, ClaudeError) else ""
