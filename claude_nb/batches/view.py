"""A batch as it is shown and as it is saved."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from claude_nb.batches.results import Result, RowOutcome, Spent
from claude_nb.batches.resume import options_record
from claude_nb.batches.state import BatchState, ServiceBatch
from claude_nb.cost.models import as_of
from claude_nb.errors import StoppedError
from claude_nb.redaction import redact
from claude_nb.render.batch import Picture
from claude_nb.request.system import System
from claude_nb.streaming.progress import Outcome
from claude_nb.streaming.record import VERSION, usage_to_dict

_LISTED = 20
"""Rows that are listed at most with the reason why they are not complete."""

_UNLISTED = (RowOutcome.COMPLETE, RowOutcome.PROCESSING)


def look(state: BatchState) -> tuple[Picture, dict[str, Any]]:
    """What is shown of a batch at the moment, and its record."""
    return picture(state), record(state)


def picture(state: BatchState) -> Picture:
    """What is shown of a batch at the moment."""
    counts = state.counts() if state.submitted or state.requests.problems else {}
    failed = _listed(state) if counts and not state.doing else []
    unlisted = sum(n for name, n in counts.items() if name not in _UNLISTED) - len(failed)
    spent = state.spent() if state.ended else {}
    elapsed = state.waited
    if elapsed is None and state.began is not None:
        elapsed = time.monotonic() - state.began
    unread = ", not read yet" if state.state == "ended" and not state.ended else ""
    return Picture(
        model=", ".join(spent) or state.model,
        simulated=state.simulated,
        total=state.requests.count,
        state=state.doing or f"{state.state}{unread}",
        mood=_mood(state),
        elapsed=elapsed,
        done=state.done if state.doing else (0, 0),
        counts=counts,
        spent=tuple((model, s.usage, s.cost, s.full) for model, s in spent.items()),
        failed=tuple((f"{r.label} · {r.outcome}", r.error) for r in failed),
        more=max(0, unlisted) if failed else 0,
        lines=tuple(_lines(state)),
        plan=state.plan,
    )


def _listed(state: BatchState) -> list[Result]:
    """The failures that are listed: found again only when something may have changed."""
    if state.listed is None:
        state.listed = state.failed(_LISTED)
    return state.listed


def _mood(state: BatchState) -> Outcome:
    if state.error is not None and not isinstance(state.error, StoppedError):
        return Outcome.FAILED
    if not state.ended:
        return Outcome.STREAMING if state.submitted else Outcome.STOPPED
    complete = state.counts().get(RowOutcome.COMPLETE, 0)
    return Outcome.COMPLETE if complete == state.requests.count else Outcome.TRUNCATED


def _lines(state: BatchState) -> Iterable[str]:
    yield from state.notes
    if isinstance(system := state.requests.request.system, System):
        kept = system.ttl.replace("h", " hour")
        yield f"the system prompt is cached for {kept}, because a batch takes a while"
    if changed := state.changed:
        shown = state.requests.named(sorted(changed))
        yield f"changed since it was submitted, so the results are for the old version: {shown}"
    if state.error is not None:
        yield str(state.error)
    elif state.doubt and not state.doing:
        yield state.doubt
    if state.state == "partly submitted" and not state.doing:
        yield "submit() submits the rest"
    if state.ids and not state.ended:
        known = ", ".join(f'"{batch_id}"' for batch_id in state.ids)
        on = "wait() reads it" if state.state == "ended" else "continues without this kernel"
        yield f"{on}: claude_nb.Batch.resume({known}) resumes it"
    elif state.ids:
        yield ", ".join(state.ids)


def record(state: BatchState) -> dict[str, Any]:
    """What resuming a batch needs, and what it cost; never a key."""
    options = options_record(state.requests) if state.resumed is None else state.saved
    read = [batch for batch in state.batches if batch.read and not batch.gone]
    saved: dict[str, Any] = {
        "version": VERSION,
        "model": redact(state.model) or None,
        "simulated": state.simulated,
        "outcome": state.state,
        "batch": {
            "ids": state.ids,
            "rows": state.requests.count,
            "counts": state.counts(),
            **({} if options is None else {"options": options}),
            "spent": {batch.id: _figures(batch.total) | _asked(batch) for batch in read},
        },
    }
    if state.ended:
        saved |= {**_figures(state.total), "price_list_date": as_of()}
    return saved


def _figures(spent: Spent) -> dict[str, Any]:
    """What was spent, as it is saved."""
    return {"requests": spent.replies, "usage": usage_to_dict(spent.usage), "cost_usd": spent.cost}


def _asked(batch: ServiceBatch) -> dict[str, str]:
    """When a batch was submitted, where the server says so."""
    created = batch.status.created if batch.status else None
    return {"asked": created.isoformat()} if created else {}
