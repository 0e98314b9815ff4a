"""A batch at work: its rows handed in, waited for, and read, on the engine's thread.

The service's own counts stay at zero until a batch has ended, so what can be told before is how
many of several batches have ended, and how much of the results has come.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from claude_nb import batch_api
from claude_nb.api import count_tokens
from claude_nb.batch_api import MAX_BYTES, MAX_REQUESTS
from claude_nb.batches.results import (
    ORDER,
    Result,
    RowOutcome,
    Spent,
    is_refusal_of_request,
    read,
)
from claude_nb.batches.rows import custom_id, digest, named, parsed_id
from claude_nb.batches.spool import Spool
from claude_nb.errors import (
    ClaudeError,
    CredentialsError,
    DroppedError,
    InputError,
    OverloadedError,
    RequestError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from claude_nb.api import Connection
    from claude_nb.batch_api import Status
    from claude_nb.retry import Policy

A = TypeVar("A")
T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two looks at a batch: the longer it takes, the less often."""

_PATIENCE = 20
"""A batch is looked at this many times in the time that it has taken so far, roughly."""

_AT_ONCE = 8
"""How many counts are asked for at the same time."""

_PIECE = 2**16
"""Bytes that are sent at a time."""

_OPENING, _CLOSING = b'{"requests":[', b"]}"

MAY_BE_TAKEN = (
    "It may have been taken: %claude_nb batches lists what this key has, and"
    " claude_nb.Batch.resume(id) goes on with it."
)

_NEWEST = 20
"""How many of the account's batches are listed."""

_LOOKS = 4
"""How often the list is looked at for a batch that may have been taken: it may come late. The
pause before each look is longer by ``FIRST_PAUSE``, so that is 6 s in all."""

_FAILED = [o for o in ORDER if o not in (RowOutcome.COMPLETE, RowOutcome.PROCESSING)]
_CODE = {outcome: number for number, outcome in enumerate(ORDER)}


@dataclass
class Part:
    """One batch of the service, of which a batch of ours may need several.

    Attributes:
        rows: The numbers of its rows; empty where that is not known (resumed by its id).
        status: As the server last described it, or None before it took it.
        spent: What its replies took, by model, once they were read.
        read: Whether its results were read to the end.
        lacking: How many results did not come, or could not be read.
        gone: Whether its results are not kept any more.
        since: When it was handed in or resumed (``time.monotonic()``, seconds).
        before: The ids of the account's newest batches before it was sent, or None.
        doubtful: Whether it may have been taken without an answer.
        guess: How it was found without an answer; empty where it was not.
    """

    rows: Sequence[int] = ()
    status: Status | None = None
    spent: dict[str, Spent] = field(default_factory=dict)
    read: bool = False
    lacking: int = 0
    gone: bool = False
    since: float = field(default_factory=time.monotonic)
    before: set[str] | None = None
    doubtful: bool = False
    guess: str = ""

    @property
    def id(self) -> str:
        """The service's id of it, or an empty string before it has one."""
        return self.status.id if self.status else ""

    @property
    def total(self) -> Spent:
        """What its replies took together; the cost is not known where not all were read."""
        known = sum(self.spent.values(), Spent())
        return replace(known, cost=None, full=None) if self.lacking or self.gone else known


class Job:
    """What a batch of ours is made of, and what has become of it.

    Args:
        connection: Where it goes.
        common: What all requests have in common: the arguments of ``messages.create`` without the
            messages.
        output: What the replies are to fit, or None.
        policy: How patient to be with failures.

    Attributes:
        parts: The service's batches, in the order in which they are handed in; a row that two of
            them have is taken from the later one, if that is better.
        doing: What is done at the moment, in words; empty for nothing.
        done: How much of it is done, and of how much.
        count: How many rows there are, as far as that is known.
        labels: What each row is called.
        problems: Why a row cannot be sent, by its number.
        changed: Rows whose results are for something else than what is known of them here.
        notes: What there is to say about it, a line each.
        changes: Counts what may change a row's outcome.
    """

    def __init__(
        self, connection: Connection, common: dict[str, Any], output: Any, policy: Policy
    ) -> None:
        self.connection = connection
        self.ask_for(common)
        self.output = output
        self.policy = policy
        self.parts: list[Part] = []
        self.doing = ""
        self.done: tuple[int, int] = (0, 0)
        self.count = 0
        self.labels: Sequence[Any] = range(0)
        self.problems: dict[int, str] = {}
        self.changed: set[int] = set()
        self.notes: list[str] = []
        self.changes = 0
        self._contents = Spool()
        self._digests: dict[int, str] = {}
        self._lines = Spool()
        self._outcomes = bytearray()
        self._foreign: dict[str, int] = {}
        self._names: list[str] = []  # its keys, in order
        self._handed_in = 0  # how many rows there were, by the ids of what was resumed

    # --- what is sent -----------------------------------------------------------------------

    def ask_for(self, common: dict[str, Any]) -> None:
        """Set what all requests that are handed in from now on have in common."""
        self.common = common
        text = json.dumps(common, ensure_ascii=False, separators=(",", ":"))
        self._common = text[1:-1].encode()  # once: a system prompt may be long, and rows many

    def add(self, number: int, content: Any) -> None:
        """Keep the content of a row: a text or content blocks, as they are sent."""
        line = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        self._contents.put(number, line)
        self._digests[number] = digest(line)

    @property
    def sendable(self) -> list[int]:
        """The rows that can be sent."""
        return [row for row in range(self.count) if row in self._contents]

    def size(self, row: int) -> int:
        """The length of a row's content in bytes."""
        return self._contents.size(row)

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

    def params(self, row: int) -> dict[str, Any]:
        """The arguments of ``messages.create`` for a row."""
        content = json.loads(self._contents.get(row) or b'""')
        return {**self.common, "messages": [{"role": "user", "content": content}]}

    def _request(self, row: int, content: bytes) -> bytes:
        name = custom_id(row, self.count, self._digests.get(row, "")).encode()
        return b'{"custom_id":"%b","params":{%b,"messages":[{"role":"user","content":%b}]}}' % (
            name,
            self._common,
            content,
        )

    async def _body(self, rows: Sequence[int]) -> AsyncIterator[bytes]:
        piece = bytearray(_OPENING)
        for place, row in enumerate(rows):
            piece += b"," if place else b""
            piece += self._request(row, self._contents.get(row) or b'""')
            if len(piece) > _PIECE:
                yield bytes(piece)
                self.done = (place + 1, len(rows))
                piece.clear()
        yield bytes(piece + _CLOSING)
        self.done = (len(rows), len(rows))

    async def count_tokens(self, rows: Sequence[int]) -> list[int]:
        """Count the input of rows, each by itself.

        Raises:
            ClaudeError: The server does not count it; the error names the row.
        """
        self.doing, self.done = "counting tokens", (0, len(rows))
        counted: list[int] = [0] * len(rows)
        waiting = iter(enumerate(rows))

        async def work() -> None:
            for place, row in waiting:
                try:
                    params = self.params(row)
                    counted[place] = await self._patiently(count_tokens, params)
                except RequestError as error:
                    error.what = f"Row {self.labels[row]}: {error.what}"
                    raise
                self.done = (self.done[0] + 1, len(rows))

        tasks = [asyncio.ensure_future(work()) for _ in range(min(_AT_ONCE, len(rows)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        self.doing = ""
        return counted

    def answered(self) -> int | None:
        """A row that was answered, and of which it is known what was asked."""
        for row in self.rows(RowOutcome.COMPLETE, RowOutcome.TRUNCATED):
            if row in self._contents and row not in self.changed:
                return row
        return None

    async def same_input(self, row: int) -> bool:
        """Whether the input of a row that was answered would have the same length now.

        Raises:
            ClaudeError: The server does not count it.
        """
        (counted,) = await self.count_tokens([row])
        return counted == self.result(row).usage.total_input_tokens

    async def _patiently(self, ask: Callable[[Connection, A], Awaitable[T]], about: A) -> T:
        """Ask the server for something, again and again as the policy says."""
        doing, failures = self.doing, 0
        while True:
            try:
                answer = await ask(self.connection, about)
            except ClaudeError as error:
                failures += 1
                wait = self.policy.wait(error, failures)
                if wait is None:
                    raise
                self.doing = f"{error.label}, asking again in {wait:.0f} s"
                await asyncio.sleep(wait)
            else:
                self.doing = doing
                return answer

    async def submit(self) -> None:
        """Hand in the parts that the service does not have yet.

        Raises:
            ClaudeError: One was not taken; those before it were.
        """
        waiting = [part for part in self.parts if part.status is None]
        for part in waiting:
            place = self.parts.index(part) + 1
            of = f" {place} of {len(self.parts)}" if len(self.parts) > 1 else ""
            self.doing = f"handing in{of}"
            await self._submit(part)
            part.doubtful, part.since = False, time.monotonic()
            self._grow()
            for row in part.rows:
                self._outcomes[row] = 0  # what came for it before counts no more
            self.changed -= set(part.rows)
            self.changes += 1
        self.doing = ""

    async def _submit(self, part: Part) -> None:
        """Hand a part in, once: where no answer came, look first whether it was taken."""
        doubt = ClaudeError("This batch was handed in, and no answer came.")
        if part.doubtful and await self._found(part, doubt):
            return
        part.doubtful = False
        part.before = await self._known()
        size = len(_OPENING) + len(_CLOSING) + len(part.rows) - 1
        size += sum(len(self._request(row, b"")) + self.size(row) for row in part.rows)
        doing, failures = self.doing, 0
        while part.status is None:
            part.doubtful = True
            self.doing = doing
            try:
                part.status = await batch_api.create(self.connection, self._body(part.rows), size)
            except ClaudeError as error:
                if not _not_taken(error) and await self._found(part, error):
                    return
                part.doubtful = False
                failures += 1
                wait = self.policy.wait(error, failures)
                if wait is None:
                    raise
                self.doing = f"{error.label}, handing in again in {wait:.0f} s"
                await asyncio.sleep(wait)

    async def _known(self) -> set[str] | None:
        """The ids of the account's newest batches; None where the server does not list them.

        Raises:
            ClaudeError: It would take no batch either.
        """
        try:
            return {status.id for status in await self._patiently(batch_api.newest, _NEWEST)}
        except RequestError:
            return None
        except ClaudeError as error:
            if _not_taken(error):
                raise
            return None

    async def _found(self, part: Part, error: ClaudeError) -> bool:
        """Look whether a part was taken though no answer came.

        Raises:
            ClaudeError: ``error``, where that cannot be told.
        """
        new: list[Status] | None = None
        for look in range(_LOOKS if part.before is not None else 0):
            self.doing, self.done = "no answer came, looking whether it was taken", (0, 0)
            await asyncio.sleep(look * FIRST_PAUSE)
            try:
                new = self._new(part, await batch_api.newest(self.connection, _NEWEST))
            except ClaudeError:
                new = None
            if new:
                break
        if new == []:
            return False
        if new is None or len(new) > 1:
            error.advice = MAY_BE_TAKEN
            raise error
        part.status = new[0]
        part.guess = f"no answer came when it was handed in; found as {part.id}"
        return True

    def _new(self, part: Part, listed: Iterable[Status]) -> list[Status]:
        """Those that may be a part that was handed in."""
        known = {other.id for other in self.parts} | (part.before or set())
        return [s for s in listed if s.id not in known and s.requests == len(part.rows)]

    # --- what comes of it -------------------------------------------------------------------

    @property
    def submitted(self) -> list[Part]:
        """The parts that the service has."""
        return [part for part in self.parts if part.status is not None]

    @property
    def doubtful(self) -> bool:
        """Whether a part may have been taken without an answer."""
        return any(part.doubtful for part in self.parts)

    @property
    def ended(self) -> bool:
        """Whether all parts have ended and were read."""
        return bool(self.parts) and all(part.read for part in self.parts)

    async def refresh(self) -> None:
        """Look once at what has not ended, and read what has.

        Raises:
            ClaudeError: The server did not answer, or does not know it.
        """
        waiting = [part for part in self.submitted if part.status and not part.status.ended]
        found = await self._statuses([part.id for part in waiting])
        for part, status in zip(waiting, found, strict=True):
            part.status = status
        await self.read_ended()

    async def _statuses(self, ids: Sequence[str]) -> list[Status]:
        """Ask how far batches are; one that was deleted has ended, and its results are gone.

        Raises:
            ClaudeError: The server did not answer, or does not know any of them.
        """
        found: list[Status] = []
        lost: list[RequestError] = []
        for batch_id in ids:
            try:
                found.append(await self._patiently(batch_api.retrieve, batch_id))
            except RequestError as error:
                if error.status != 404:
                    raise
                lost.append(error)
                found.append(batch_api.deleted(batch_id))
        if lost and len(lost) == len(ids):
            raise lost[0]
        return found

    async def wait(self) -> None:
        """Look at it, the longer it takes the less often, until all has ended and was read.

        What passes (no network, an overloaded server) is waited out, however long it takes.

        Raises:
            ClaudeError: Waiting would not help.
        """
        failures = 0
        while True:
            self.doing = ""
            try:
                await self.refresh()
                failures = 0
            except ClaudeError as error:
                failures += 1
                patient = replace(self.policy, tries=failures + 1, max_wait=math.inf)
                pause = patient.wait(error, failures)
                if pause is None:
                    raise
                pause = max(pause, FIRST_PAUSE)
                self.doing = f"{error.label}, looking again in {pause:.0f} s"
                await asyncio.sleep(pause)
                continue
            if all(part.read for part in self.submitted):
                return
            waited = time.monotonic() - min(p.since for p in self.submitted if not p.read)
            pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, waited / _PATIENCE))
            await asyncio.sleep(pause * random.uniform(0.9, 1.1))  # noqa: S311

    async def cancel(self) -> None:
        """Ask for what has not ended to be stopped.

        Raises:
            ClaudeError: The server did not answer.
        """
        for part in self.submitted:
            if part.status is None or part.status.ended:
                continue
            try:
                part.status = await self._patiently(batch_api.cancel, part.id)
            except RequestError:
                part.status = await self._patiently(batch_api.retrieve, part.id)
                if not part.status.ended:  # or it was too late to cancel it
                    raise

    async def read_ended(self) -> None:
        """Read the results of the parts that have ended, each once.

        Raises:
            ClaudeError: They cannot be read, or none of them are kept any more.
        """
        ended = [p for p in self.submitted if p.status and p.status.ended and not p.read]
        gone = [part for part in ended if part.status and part.status.archived]
        if gone and len(gone) == len(self.submitted):
            raise RequestError(
                f"The results of {', '.join(part.id for part in gone)} are not kept any more.",
                f"The service keeps them for {batch_api.RESULTS_KEPT_DAYS} days.",
            )
        for part in gone:
            part.read = part.gone = True
            self.changes += 1
            self.notes.append(f"{part.id}: its results are not kept any more")
        for part in ended:
            if part.gone:
                continue
            await self._read(part)
            if part.guess and all(self._outcome(row) is None for row in part.rows):
                self._give_back(part)
            part.read = True
            self.changes += 1
            self.doing = ""

    def _give_back(self, part: Part) -> None:
        """Let go of a batch that was taken for a part, and is somebody else's.

        Raises:
            ClaudeError: Says so.
        """
        other, part.status, part.guess, part.doubtful = part.id, None, "", True
        part.before = {*(part.before or ()), other}
        raise ClaudeError(
            f"{other} is not this one: none of its results is for one of these rows.",
            "submit() looks for it again, and hands it in where it is not found.",
        )

    async def _read(self, part: Part) -> None:
        """Read all results of a part; what was read before the connection was lost is not lost."""
        seen: set[str] = set()
        part.spent.clear()  # an earlier reading was broken off
        expected = part.status.requests if part.status else 0
        failures = 0
        while True:
            before = len(seen)
            self.doing, self.done = "reading results", (before, expected)
            try:
                async for line in batch_api.results(self.connection, part.id):
                    self._take(part, line, seen)
                    self.done = (len(seen), expected)
                    if len(seen) % 50 == 0:
                        await asyncio.sleep(0)  # other streams run on this thread too
                if len(seen) >= expected or (failures and len(seen) == before):
                    break  # all came, or the server has no more
                raise DroppedError("The results ended early.")
            except ClaudeError as error:
                failures = 1 if len(seen) > before else failures + 1
                wait = self.policy.wait(error, failures)
                if wait is None:
                    raise
                self.doing = f"{error.label}, reading on in {wait:.0f} s"
                await asyncio.sleep(wait)
        part.lacking = max(0, expected - len(seen))
        if part.lacking:
            self.notes.append(f"{part.id}: {part.lacking:,} results could not be read")

    def _take(self, part: Part, line: bytes, seen: set[str]) -> None:
        """Take in a line of results, once; one that cannot be read is passed over.

        Raises:
            InputError: It shows that the rows known here are not those of this batch.
        """
        try:
            entry = json.loads(line)
            name, found = str(entry["custom_id"]), entry["result"]
            if part.guess and not self._asked_here(name):
                seen.add(name)
                return
            row = self._row(name, part)
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        if name in seen:
            return
        seen.add(name)
        self.changes += 1
        result = read(row, None, found, self.output)
        if result.message is not None:
            part.spent[result.model] = part.spent.get(result.model, Spent()) + Spent.of(result)
        before = self._outcome(row)
        if before is None or _CODE[result.outcome] <= _CODE[before]:
            self._lines.put(row, line)
            self._outcomes[row] = _CODE[result.outcome] + 1

    def _asked_here(self, name: str) -> bool:
        """Whether a custom id is for a row as it is known here, and no other."""
        parsed = parsed_id(name)
        return parsed is not None and name == custom_id(
            parsed[0], self.count, self._digests.get(parsed[0], "")
        )

    def _row(self, name: str, part: Part) -> int:
        """The row of a custom id.

        Raises:
            KeyError: The server sent it with a part that has no such row.
            InputError: The part was resumed, and is not of the rows that are known here.
        """
        parsed = parsed_id(name)
        if parsed is None:  # a batch that was not handed in by us
            if part.rows:
                raise KeyError(name)
            if self._contents or self._handed_in:
                raise InputError(
                    f"{part.id} was not handed in by batch(): its ids do not name these rows.",
                    "Resume it by itself, without prompts=; its rows are called by their ids.",
                )
            row = self._foreign.setdefault(name, len(self._foreign))
            if row == len(self._names):
                self._names.append(name)
            self.labels, self.count = self._names, len(self._names)
        else:
            row, count, mark = parsed
            self._check_count(part, count)
            if self._contents and self._digests.get(row, mark) != mark:
                self.changed.add(row)
        self._grow()
        return row

    def _check_count(self, part: Part, count: int) -> None:
        """Compare how many rows a part says that there are with what is known of that."""
        known = self.count if self._contents else self._handed_in or count
        if count == known and not self._foreign:
            if not self._contents:
                self._handed_in, self.count, self.labels = count, count, range(count)
            return
        if part.rows:
            raise KeyError(count)
        if self._contents:
            raise InputError(
                f"It was handed in with {count:,} rows, and these are {known:,}.",
                "Pass what was passed to batch(); without prompts= it can be read too.",
            )
        others = len(self._foreign) or known
        raise InputError(
            f"These batches have different numbers of rows: {others:,} and {count:,}.",
            "They do not belong together: resume each by itself.",
        )

    def _grow(self) -> None:
        """Have a place for what becomes of each row."""
        self._outcomes.extend(bytes(max(0, self.count - len(self._outcomes))))

    def _outcome(self, row: int) -> RowOutcome | None:
        """What came for a row, or None."""
        code = self._outcomes[row] if row < len(self._outcomes) else 0
        return ORDER[code - 1] if code else None

    def outcome(self, row: int) -> RowOutcome:
        """What has become of a row."""
        found = self._outcome(row)
        if found is not None:
            return found
        if row in self.problems and row not in self._contents:
            return RowOutcome.NOT_SENT
        return RowOutcome.MISSING if self._over(row) else RowOutcome.PROCESSING

    def _over(self, row: int) -> bool:
        """Whether nothing more can come for a row."""
        return all(part.read or not self._may_have(part, row) for part in self.parts)

    def _may_have(self, part: Part, row: int) -> bool:
        """Whether a row is in a part, as far as that is known."""
        place = bisect_left(part.rows, row)
        return not part.rows or part.rows[place : place + 1] == [row]

    def counts(self) -> dict[RowOutcome, int]:
        """How many rows have become what, the best first."""
        found = {outcome: self._outcomes.count(_CODE[outcome] + 1) for outcome in ORDER}
        found[RowOutcome.NOT_SENT] = sum(row not in self._contents for row in self.problems)
        rest = self.count - sum(found.values()) if self.parts else 0
        over = all(part.read for part in self.parts)
        found[RowOutcome.MISSING if over else RowOutcome.PROCESSING] = rest
        return {outcome: count for outcome, count in found.items() if count}

    def rows(self, *outcomes: RowOutcome, most: int | None = None) -> list[int]:
        """The rows of which one of these has become, the first ones of them."""
        found = (row for row in range(self.count) if self.outcome(row) in outcomes)
        return list(islice(found, most))

    def failed(self, most: int | None = None) -> list[int]:
        """The rows that are not complete, and of which nothing more will come, the first ones."""
        if any(self._outcomes) or any(part.read for part in self.parts):
            return self.rows(*_FAILED, most=most)
        return sorted(row for row in self.problems if row not in self._contents)[:most]

    def result(self, row: int) -> Result:
        """What has become of a row, read from its line."""
        label = self.labels[row]
        line = self._lines.get(row) if self._outcome(row) is not None else None
        if line is not None:
            return read(row, label, json.loads(line)["result"], self.output)
        outcome = self.outcome(row)
        said = {
            RowOutcome.PROCESSING: "no result yet",
            RowOutcome.MISSING: self._missing(row),
        }
        return Result(row, label, outcome, said.get(outcome, self.problems.get(row, "")))

    def _missing(self, row: int) -> str:
        if any(part.gone and self._may_have(part, row) for part in self.parts):
            return "its results are not kept any more"
        if row in self._contents:
            return "the server sent no result for it"
        return "no result: it was not sent, or is in another batch"

    def again(self, *, truncated: bool) -> list[int]:
        """The rows that are worth handing in again.

        Args:
            truncated: Whether those that were cut off are.

        Raises:
            InputError: None is; the error says why.
        """
        wanted = [RowOutcome.ERRORED, RowOutcome.CANCELED, RowOutcome.EXPIRED, RowOutcome.MISSING]
        wanted += [RowOutcome.TRUNCATED, RowOutcome.INVALID] if truncated else [RowOutcome.INVALID]
        rows = self.rows(*wanted)
        refused = [row for row in rows if self._refused(row)]
        left = [row for row in rows if row not in set(refused)]
        if not left:
            shown = named((self.labels[row] for row in refused), len(refused))
            raise InputError(
                "There is nothing to hand in again.",
                f"Rows {shown} were refused, and would be again; the others are complete."
                if refused
                else "",
            )
        unknown = [row for row in left if row not in self._contents]
        if unknown:
            raise InputError(
                "What was asked is not known here any more.",
                "Pass the prompts again: claude_nb.Batch.resume(id, prompts=…, template=…).",
            )
        return left

    def _refused(self, row: int) -> bool:
        line = self._lines.get(row)
        return line is not None and is_refusal_of_request(json.loads(line)["result"])

    def spent(self) -> dict[str, Spent]:
        """What all replies that were read took, by model."""
        total: dict[str, Spent] = {}
        for part in self.parts:
            for model, used in part.spent.items():
                total[model] = total.get(model, Spent()) + used
        return total

    async def resume(self, ids: Iterable[str]) -> None:
        """Go on with batches that the service has.

        Args:
            ids: Theirs, the oldest first.

        Raises:
            ClaudeError: The service does not know one, or did not answer.
        """
        found = await self._statuses(list(dict.fromkeys(ids)))
        self.parts += [Part(status=status) for status in found]
        if not self.count and len(self.parts) == 1 and self.parts[0].status:
            self.count = self.parts[0].status.requests
            self.labels = range(self.count)
        await self.read_ended()


def _not_taken(error: ClaudeError) -> bool:
    """Whether it is certain that the server did not take what was sent to it."""
    if isinstance(error, InputError | CredentialsError | OverloadedError):
        return True
    if isinstance(error, UnreachableError):
        return not error.connected
    return error.status is not None and error.status < 500
