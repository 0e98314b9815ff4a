"""The saved output of a reply: three forms for people, and a record for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from claude_nb.characters import clean
from claude_nb.cost.models import as_of
from claude_nb.redaction import redact
from claude_nb.render import caching, html, text
from claude_nb.render.citations import Sources
from claude_nb.render.displayed import Part, within
from claude_nb.request.request import Request, TurnId
from claude_nb.streaming import turns
from claude_nb.streaming.compact import sealed
from claude_nb.streaming.events import ToolRan
from claude_nb.streaming.progress import Outcome, Progress
from claude_nb.streaming.record import MIME, ReplyRecord, TurnRecord, displayed_content


def forms(progress: Progress, drawn: html.Drawn = html.NOTHING) -> dict[str, Any]:
    """The reply as HTML, Markdown and plain text, for a notebook's output.

    Args:
        progress: The reply.
        drawn: What the page shows of it.
    """
    return {
        "text/html": html.reply(progress, drawn),
        "text/markdown": text.markdown(progress),
        "text/plain": text.plain(progress),
    }


def mimebundle(
    progress: Progress, request: Request | None = None, drawn: html.Drawn = html.NOTHING
) -> dict[str, Any]:
    """The forms of a reply that has ended, and its record.

    Args:
        progress: The reply.
        request: What was asked.
        drawn: What the page shows of it.
    """
    return forms(progress, drawn) | {MIME: record(progress, request)}


def marked(data: dict[str, Any], line: str) -> dict[str, Any]:
    """The forms of a reply below a line about it; its record stays as it is.

    Args:
        data: What ``mimebundle`` returned.
        line: The line.
    """
    above = {
        "text/html": html.root(html.notes([line])),
        "text/markdown": f"*{line}*\n\n",
        "text/plain": f"[{line}]\n\n",
    }
    return data | {form: head + data[form] for form, head in above.items()}


@contextmanager
def shown(show: Callable[[dict[str, Any]], object], progress: Progress) -> Iterator[None]:
    """Where rendering a reply fails, show its text at least, and raise what failed.

    Args:
        show: Shows a MIME bundle.
        progress: The reply.
    """
    try:
        yield
    except Exception:
        show({"text/plain": clean(redact(progress.text), prose=True)})
        raise


def shown_by_tools(progress: Progress) -> tuple[Part, ...]:
    """What the functions that were called in a reply show to the reader, as far as it is saved."""
    calls = [block.run for block in progress.blocks if progress.shows(block)]
    return within(part for run in calls if isinstance(run, ToolRan) for part in run.display)


def record(progress: Progress, request: Request | None = None) -> dict[str, Any]:
    """The record of a reply: a ``ReplyRecord`` as JSON.

    Args:
        progress: The reply.
        request: What was asked; a turn of a conversation is saved with what restoring it needs.
    """
    cache, turn, once = None, None, None
    if lines := caching.lines(progress):
        miss = progress.cache_miss and progress.cache_miss.reason
        cache = {"saved_usd": progress.savings.saved, "miss": miss, "said": lines}
    if request is not None:
        place = asdict(request.turn or TurnId("", "", None, "", ""))
        text = "" if progress.outcome is Outcome.REFUSED else progress.text
        compaction = None
        if progress.last is not None and (block := progress.last.compaction) is not None:
            used = progress.last.usage
            compaction = {"before": used.total_input_tokens, "after": used.output_tokens}
            text = block["content"]
        steps, answer = turns.turns(progress)
        turn = TurnRecord(
            **place,
            prompt=request.prompt,
            content=request.content,
            text=text,
            compaction=compaction,
            instruct=request.instruct or "",
            cite=request.cite,
            answerer=request.model if progress.is_of_function else "",
            answer=displayed_content([*steps, turns.assistant(answer)]),
        ).to_dict()
        if request.turn is None:
            once, turn = {name: value for name, value in turn.items() if value}, None
    return ReplyRecord(
        model=progress.model,
        simulated=progress.simulated,
        outcome=str(progress.outcome),
        stop_reason=progress.stop_reason,
        request_ids=progress.request_ids,
        usage=progress.usage,
        cost_usd=progress.cost,
        price_list_date=as_of(),
        timing=progress.timing,
        asked="" if turn else progress.asked_at,
        replayed=progress.replayed,
        kept=progress.kept,
        cache=cache,
        sources=Sources.of(progress).record(),
        displayed=shown_by_tools(progress),
        error_of=request.error_of if request else None,
        turn=turn,
        once=once,
        answer=sealed(progress.saved_answer(), turn or once),
    ).to_dict()
