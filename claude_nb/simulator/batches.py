"""Message batches: their requests, their progress and their results.

The rules are those of platform.claude.com/docs ("Batch processing", read 2026-08-22) and of the
SDK's types. Where these leave a choice, this is the one made here:

- A batch takes two seconds, and two more for each thousand requests; they are done in their order.
- A request is checked when its turn comes, not when the batch is created: a bad one is ``errored``.
- One that asks for it (*simulate an error*) is ``errored`` by the server, and one that asks to
  *simulate expired* never starts, so its batch goes on until it expires.
- An account is whoever sends the same key.
- To cancel or delete what is not there to be cancelled or deleted is refused (400).
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from claude_nb.simulator import catalogue, tokens, validation, wire
from claude_nb.simulator.cache import PromptCache
from claude_nb.simulator.refusals import RefusalError, invalid, not_found
from claude_nb.simulator.replies import Error
from claude_nb.simulator.responses import respond

LARGEST_BODY = 256 * 2**20
"""Bytes of a request that creates a batch."""

_MOST_REQUESTS = 100_000
_LIFETIME = timedelta(hours=24)
_RESULTS_KEPT = timedelta(days=29)
_TO_CANCEL = 1.0
"""Seconds that it takes, at speed 1."""

_BASE, _EACH = 2.0, 0.002
"""Seconds that a batch takes, and that each of its requests adds, at speed 1."""

_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FAULT = re.compile("simulate (expired|an error)")
_NOT_HERE = ("stream", "speed", "fallbacks")
"""Fields of a message request that a batch does not take."""

_COUNTED = ("processing", "canceled", "errored", "expired", "succeeded")


@dataclass
class Batch:
    """A batch.

    Attributes:
        id: Its id.
        account: The account that it belongs to.
        requests: Its requests.
        created: When.
        duration: How long it takes by itself.
        speed: Factor on its pace.
        resolved: Puts the files of a message request in the place of their ids, or raises.
        betas: The betas that it was sent with.
        canceled: When it was asked to stop, if it was.
    """

    id: str
    account: str
    requests: list[dict[str, Any]]
    created: datetime
    duration: timedelta
    speed: float
    resolved: Callable[[Any], Any]
    betas: Sequence[str] = ()
    canceled: datetime | None = None
    _lines: dict[int, bytes] = field(default_factory=dict)

    @property
    def expires(self) -> datetime:
        """When requests that have not started expire."""
        return self.created + _LIFETIME

    @cached_property
    def _faults(self) -> dict[int, str]:
        """The faults that requests ask for, by their place: ``an error`` or ``expired``."""
        texts = (json.dumps(r["params"].get("messages"), ensure_ascii=False) for r in self.requests)
        asked = {place: _FAULT.search(text) for place, text in enumerate(texts)}
        return {place: found[1] for place, found in asked.items() if found}

    def ends(self) -> datetime:
        """When it is over."""
        waits = "expired" in self._faults.values()
        by_itself = self.expires if waits else min(self.created + self.duration, self.expires)
        if self.canceled is None:
            return by_itself
        return min(by_itself, self.canceled + timedelta(seconds=_TO_CANCEL / self.speed))

    def kind(self, place: int) -> str:
        """The type of the result of a request, once all is over."""
        fault = self._faults.get(place)
        done = self.created + self.duration * ((place + 1) / len(self.requests))
        if self.canceled is not None and (fault == "expired" or done > self.canceled):
            return "canceled"
        if fault == "expired" or done > self.expires:
            return "expired"
        return "errored" if fault or self.problem(place) else "succeeded"

    def problem(self, place: int) -> Error | None:
        """Return the error of a request that cannot succeed."""
        if self._faults.get(place) == "an error":
            return Error(500, "api_error", "Internal server error, as it was asked for")
        params = self.requests[place]["params"]
        for name in filter(params.get, _NOT_HERE):
            return invalid(f"{name}: not supported in a batch")
        if params.get("max_tokens") == 0:
            return invalid("max_tokens: must be at least 1 in a batch")
        try:
            return validation.problem(self.resolved(params), self.betas, batched=True)
        except RefusalError as refusal:
            return refusal.error

    def info(self, now: datetime, results_at: str) -> dict[str, Any]:
        """Return it as the API describes it.

        Args:
            now: The time.
            results_at: The address of the results.
        """
        over = now >= self.ends()
        archived = now >= self.created + _RESULTS_KEPT
        counts = self._counts if over else {"processing": len(self.requests)}
        status = "ended" if over else "canceling" if self.canceled else "in_progress"
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": dict.fromkeys(_COUNTED, 0) | counts,
            "created_at": _written(self.created),
            "expires_at": _written(self.expires),
            "ended_at": _written(self.ends()) if over else None,
            "cancel_initiated_at": _written(self.canceled) if self.canceled else None,
            "archived_at": _written(self.created + _RESULTS_KEPT) if archived else None,
            "results_url": results_at if over and not archived else None,
        }

    @cached_property
    def _counts(self) -> dict[str, int]:
        return Counter(map(self.kind, range(len(self.requests))))

    def results(self, cache: PromptCache, now: float) -> Iterator[bytes]:
        """Write the results, in no order.

        Args:
            cache: Where prompts are read from and written to, when a result is first wanted.
            now: Seconds of its clock.
        """
        places = list(range(len(self.requests)))
        random.Random(self.id).shuffle(places)  # noqa: S311  (not a secret)
        for place in places:
            if place not in self._lines:
                custom_id = self.requests[place]["custom_id"]
                line = {"custom_id": custom_id, "result": self._result(place, cache, now)}
                self._lines[place] = json.dumps(line, ensure_ascii=False).encode() + b"\n"
            yield self._lines[place]

    def _result(self, place: int, cache: PromptCache, now: float) -> dict[str, Any]:
        kind = self.kind(place)
        if kind == "errored":
            error = self.problem(place)
            body = {"type": error.type, "message": error.message} if error else {}
            whole = {"type": "error", "error": body, "request_id": f"req_sim_{self.id}_{place}"}
            return {"type": kind, "error": whole}
        if kind != "succeeded":
            return {"type": kind}
        params = self.resolved(self.requests[place]["params"])
        rng = random.Random(f"{self.id} {place}")  # noqa: S311  (not a secret)
        head, answer, found = respond(params, rng, cache, now, betas=self.betas)
        cache.keep(found)
        usage = tokens.usage(params, answer, found.read, found.written)
        display = catalogue.thinking_display(params)
        message = wire.message(head, answer, usage | {"service_tier": "batch"}, display)
        return {"type": kind, "message": message}


@dataclass
class Batches:
    """All batches of all accounts, the oldest first."""

    _all: dict[str, Batch] = field(default_factory=dict)
    _taken: int = 0

    def create(
        self,
        body: Any,
        account: str,
        now: datetime,
        speed: float,
        seed: int,
        *,
        resolved: Callable[[Any], Any] = lambda request: request,
        betas: Sequence[str] = (),
    ) -> Batch:
        """Take a batch in.

        Args:
            body: What was sent.
            account: Who sent it.
            now: When.
            speed: Factor on the pace.
            seed: Where ids begin.
            resolved: Puts the files of a message request in the place of their ids.
            betas: The betas that it was sent with.

        Raises:
            RefusalError: It cannot be created.
        """
        requests = body.get("requests") if isinstance(body, dict) else None
        if not isinstance(requests, list) or not requests:
            raise RefusalError(invalid("requests: Field required"))
        if len(requests) > _MOST_REQUESTS:
            message = f"requests: List should have at most {_MOST_REQUESTS} items"
            raise RefusalError(invalid(message))
        seen: set[str] = set()
        for number, request in enumerate(requests):
            if complaint := _complaint(request, seen):
                raise RefusalError(invalid(f"requests.{number}.{complaint}"))
            seen.add(request["custom_id"])
        self._taken += 1
        mark = random.Random(f"{seed} {account} {self._taken}").randbytes(8)  # noqa: S311
        duration = timedelta(seconds=(_BASE + _EACH * len(requests)) / speed)
        identifier = f"msgbatch_sim_{mark.hex()}"
        batch = Batch(identifier, account, requests, now, duration, speed, resolved, betas)
        self._all[batch.id] = batch
        return batch

    def find(self, identifier: str, account: str) -> Batch:
        """Return a batch; nobody sees another account's.

        Raises:
            RefusalError: The account has none of this id.
        """
        found = self._all.get(identifier)
        if found is None or found.account != account:
            raise RefusalError(not_found(f"batch: {identifier}"))
        return found

    def delete(self, batch: Batch) -> None:
        """Forget a batch and its results."""
        del self._all[batch.id]

    def ids(self, account: str) -> list[str]:
        """Return the ids of an account's batches, the newest first."""
        return [batch.id for batch in reversed(self._all.values()) if batch.account == account]


def _complaint(request: Any, seen: set[str]) -> str:
    """Return the flaw in the form of a request in a batch; its parameters are checked later."""
    if not isinstance(request, dict):
        return "custom_id: Field required"
    custom_id = request.get("custom_id")
    if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
        return "custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
    if custom_id in seen:
        return f"custom_id: must be unique within the batch, found twice: {custom_id}"
    return "" if isinstance(request.get("params"), dict) else "params: Field required"


def _written(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
