"""The steps of a timeline as ``inspector.js`` gets them, and what each kind of event means."""

from __future__ import annotations

import json
from typing import Any

from claude_nb.streaming.events import DELTA_FIELDS
from claude_nb.streaming.steps import Step

MOST = 50_000
"""Events that a page is sent."""

MOST_JSON = 20_000
"""Characters of an event's JSON, or of one change, that a page is sent."""

ABOUT = {
    "request_sent": "The request is sent.",
    "response_started": "The server accepted the request (status 200); no event yet.",
    "message_start": "The message begins, empty. Its input is counted; its output is not yet.",
    "content_block_start": "A content block begins.",
    "text_delta": "A piece of text.",
    "thinking_delta": "A piece of thinking.",
    "input_json_delta": "A piece of the JSON of a tool's input.",
    "signature_delta": "The signature of the thinking, which is sent back with it.",
    "citations_delta": "A source that the text cites.",
    "content_block_stop": "The block is complete.",
    "message_delta": "The stop reason and the usage; only now are the counts final.",
    "message_stop": "The message is complete. A stream without this event broke off.",
    "waiting": "The request failed and will be sent again after a pause.",
    "unthought": "The server refused earlier thinking; the request is sent again without it.",
    "resumed": "The next request continues the text so far.",
    "stopped": "The reply was stopped.",
    "failed": "The reply failed for good.",
    "tool_asked": "You are asked whether the function may run.",
    "tool_started": "The notebook's function begins to run.",
    "tool_ran": "The function has returned.",
}
"""What an event means, by its kind."""


def encode(step: Step) -> list[Any]:
    """A step as the page is sent it: ``[time, gap, lane, kind, text, event, changes]``.

    Most of a stream are deltas that add a text to their block. Of them, ``event`` is 0 and
    ``changes`` the number of the block: the page knows the rest.
    """
    usual = {"type": step.kind, DELTA_FIELDS.get(step.kind, ""): step.text}
    event, changes = step.event, step.changes
    plain = (
        isinstance(event, dict)
        and event.get("delta") == usual
        and set(event) == {"type", "index", "delta"}
        and isinstance(event.get("index"), int)
    )
    head = [round(step.time, 6), round(step.gap, 6), step.lane, step.kind]
    if plain and len(changes) == 1:
        (change,) = changes
        if change[0] == "grow" and change[2:] == [DELTA_FIELDS[step.kind], step.text]:
            return [*head, step.text, 0, change[1]]
    return [*head, step.text, _bounded(event), changes]


def _bounded(event: Any) -> Any:
    text = json.dumps(event, default=str)
    if len(text) <= MOST_JSON:
        return event
    return f"{text[:MOST_JSON]} … {len(text) - MOST_JSON:,} more characters"
