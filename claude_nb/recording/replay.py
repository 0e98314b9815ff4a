"""Recordings in the place of the API: a ``Source`` that plays them, and what saves them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from claude_nb.client.retry import Policy
from claude_nb.client.source import Source
from claude_nb.errors import InputError
from claude_nb.recording.matching import canonical, checked_parts, differences, distance
from claude_nb.recording.recording import SUFFIX, Recording, unfinished
from claude_nb.redaction import redact
from claude_nb.reply import Reply
from claude_nb.request import files
from claude_nb.request.extra import without_secrets
from claude_nb.request.request import Request
from claude_nb.streaming import events
from claude_nb.streaming.compact import digest
from claude_nb.streaming.events import StreamEvent

_LONGEST = 90.0
"""Seconds of a replayed silence at most: what is longer is a clock that jumped."""

_SHOWN = 5
"""Differences that are shown of a request that has no recording."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request of a recording, and its events.

    Attributes:
        recording: The recording.
        sent: The request.
        events: The events after it, up to the one that ended it.
    """

    recording: Recording
    sent: StreamEvent
    events: list[StreamEvent]

    async def play(self, speed: float) -> AsyncGenerator[Any, None]:
        """Yield its events at their own pace times ``speed``, and end as it ended."""
        loop = asyncio.get_running_loop()
        due, before = loop.time(), self.sent.time
        complete = False
        for event in self.events:
            due += min(max(event.time - before, 0.0), _LONGEST) / speed
            before = event.time
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if isinstance(event.data, events.Stopped):
                raise asyncio.CancelledError
            if isinstance(event.data, (events.Waiting, events.Failed)):
                raise event.data.error
            if not isinstance(event.data, (dict, events.ResponseStarted)):
                break  # what follows a message is for the engine to do again
            yield event.data
            complete = complete or event.type == "message_stop"
        if not complete:
            raise unfinished()


def recorded_requests(recording: Recording) -> list[RecordedRequest]:
    """The requests that a recorded reply took."""
    found: list[RecordedRequest] = []
    for event in recording.events:
        if isinstance(event.data, events.RequestSent):
            found.append(RecordedRequest(recording, event, []))
        elif found:
            found[-1].events.append(event)
    return found


class RecordingStore:
    """Recordings, found by their requests.

    A request is found by all of its arguments. One that was recorded several times gets one answer
    after another, and the first again after the last.

    Args:
        recordings: The recordings.
        speed: Factor on the pace at which they are played; ``math.inf`` for no pauses at all.
        name: What they are called in an error, such as their folder.
    """

    def __init__(
        self,
        recordings: Iterable[Recording],
        *,
        speed: float = 1.0,
        name: str = "these recordings",
    ) -> None:
        self.speed = speed
        self.name = name
        self.requests = [r for recording in recordings for r in recorded_requests(recording)]
        self._found: dict[tuple[str, ...], dict[str, deque[RecordedRequest]]] = {}
        for request in self.requests:
            without = request.recording.left_out
            found = self._found.setdefault(without, defaultdict(deque))
            found[digest(canonical(request.sent.data.params, without))].append(request)

    @classmethod
    def of(cls, folder: str | Path, *, speed: float = 1.0) -> tuple[RecordingStore, list[str]]:
        """The recordings of a folder.

        Args:
            folder: Where they are.
            speed: Factor on the pace.

        Returns:
            The store, and a note on each file that cannot be read or was cut off.

        Raises:
            InputError: There is no recording in it.
        """
        folder = files.expanded(folder)
        if not folder.is_dir():
            begin = f"Relative paths begin at {Path.cwd()}."
            raise InputError(f"There is no folder {folder}.", begin)
        recordings, notes = [], []
        for path in sorted(folder.glob(f"*{SUFFIX}"), key=_order):
            try:
                recording = Recording.load(path)
            except InputError as error:
                notes.append(error.what)
                continue
            recordings.append(recording)
            if recording.cut:
                notes.append(f"{path} is cut off, so its reply will be incomplete.")
        if not recordings:
            raise InputError(f"There is no recording in {folder}.", " ".join(notes))
        return cls(recordings, speed=speed, name=str(folder)), notes

    def find(self, params: dict[str, Any]) -> RecordedRequest:
        """What was recorded for a request, each time the next.

        Args:
            params: The arguments of ``messages.create``.

        Raises:
            InputError: Nothing was; the error says how the nearest one differs.
        """
        for without, found in self._found.items():
            asked = digest(canonical(params, without))
            if asked in found:
                found[asked].rotate(-1)
                return found[asked][-1]
        raise InputError(
            f"This request has no recording in {self.name}.",
            "To ask the API: %claude_nb replay off. To record its answers too: %claude_nb record",
            detail=self._nearest(params),
        )

    def _nearest(self, params: dict[str, Any]) -> str:
        """How the recorded request that is most like another one differs from it."""
        if not self.requests:
            return "It contains no request."
        without = {r.recording.left_out for r in self.requests}
        asked = {parts: canonical(params, parts) for parts in without}
        pairs = [(r, r.sent.data.params, asked[r.recording.left_out]) for r in self.requests]
        nearest, recorded, wanted = min(pairs, key=lambda pair: distance(*pair[1:]))
        best, path = differences(recorded, wanted), nearest.recording.path
        more = [f"And {len(best) - _SHOWN} more differences."] if len(best) > _SHOWN else []
        return "\n".join([f"The nearest is {path.name if path else 'one'}:", *best[:_SHOWN], *more])

    def policy(self, policy: Policy | None) -> Policy:
        """The policy, with waits as fast as the recordings are played."""
        return replace(policy or Policy(), speed=self.speed)


class ReplaySource(Source):
    """A ``Source`` of recorded events; nothing is sent.

    Args:
        store: The recordings.
        source: The source that they replace: it has the ``params`` that it would send.
    """

    def __init__(self, store: RecordingStore, source: Source) -> None:
        self.sent = []
        self._store = store
        self._source = source

    def params(self, request: Request) -> dict[str, Any]:
        """The arguments that would be sent."""
        return self._source.params(request)

    async def events(self, request: Request) -> AsyncGenerator[Any, None]:
        """What was recorded for ``request``.

        Raises:
            InputError: Nothing was.
        """
        params = without_secrets(self.params(request))
        try:
            recorded = self._store.find(params)
        except InputError:
            yield events.RequestSent(request.model, replayed=True, params=params)
            raise
        yield replace(recorded.sent.data, replayed=True, params=params)
        async for data in recorded.play(self._store.speed):
            yield data


class Recorder:
    """Saves replies into a folder, a file each, named after what was asked.

    A notebook that runs again writes the same files again, so that a difference is seen.

    Args:
        folder: Where; it is made if it is not there.
        without: What is left out, as for ``Recording.of``.

    Raises:
        InputError: Nothing can be written into the folder, or there is no such part.
    """

    def __init__(self, folder: str | Path, without: Collection[str] = ()) -> None:
        self.folder = files.expanded(folder)
        self.without = checked_parts(without)
        self.count = 0
        self._names: Counter[str] = Counter()
        files.make_folder(self.folder, f"For example: %claude_nb record ~/{self.folder.name}")

    def keep(self, reply: Reply) -> None:
        """Save a reply; one that was replayed, or for which nothing was sent, is not.

        Raises:
            InputError: It cannot be written.
        """
        if reply.replayed or reply.kept or not reply.messages:
            return
        recording = Recording.of(reply, self.without)
        prompt = "" if "request" in self.without else reply.request.prompt
        id_ = reply.asked["id"] if reply.asked else digest(recording.request)
        name = file_name(prompt, id_)
        self._names[name] += 1
        path = self.folder / file_name(prompt, id_, self._names[name])
        recording.save(path, overwrite=True)
        self.count += 1


def file_name(prompt: str, id_: str, number: int = 1) -> str:
    """The name of a recording's file.

    Args:
        prompt: The user's words, some of which are in it; empty for none.
        id_: The digest of what was asked.
        number: Which of several recordings of that it is, from 1.
    """
    return f"{slug(prompt)}{id_[:8]}{f'-{number}' if number > 1 else ''}{SUFFIX}"


def _order(path: Path) -> tuple[str, int]:
    """Files in the order in which they were recorded: ``a``, ``a-2``, …, ``a-10``."""
    match = re.fullmatch(r"(.*?)(?:-(\d{1,6}))?", path.stem)
    return (match[1], int(match[2] or 1)) if match else (path.stem, 1)


def slug(prompt: str) -> str:
    """The first words of a prompt, as files are named."""
    words = re.findall(r"[a-z0-9]+", redact(prompt).lower())[:5]
    return "".join(f"{word[:20]}-" for word in words)
