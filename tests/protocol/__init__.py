"""What Python and ``live.js`` say to each other, as examples that the tests of both sides read.

Each example is a JSON file: ``events`` in groups, one group a frame; the ``frames`` that Python
makes of them; and the ``html`` of the panes at the end. ``python -m tests.protocol`` writes the
frames and the HTML anew, for a person to read the difference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from claude_nb.errors import DroppedError, OverloadedError
from claude_nb.render import html
from claude_nb.render.frames import Frames
from claude_nb.reply import Reply
from claude_nb.request.request import Request
from claude_nb.streaming.events import (
    Failed,
    RequestSent,
    ResponseStarted,
    Resumed,
    Stopped,
    StreamEvent,
    ToolAsked,
    ToolRan,
    ToolStarted,
    Waiting,
)

FOLDER = Path(__file__).parent
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.json"))


def example(name: str) -> dict[str, Any]:
    """Read an example."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


LOST = DroppedError("The connection was lost.")
BUSY = OverloadedError("Claude is overloaded.")
OURS = {
    "request_sent": RequestSent("claude-opus-5-5", simulated=True),
    "response_started": ResponseStarted("req_2"),
    "waiting, lost": Waiting(LOST, 3.0, 0.0, 2, 5),
    "waiting, overloaded": Waiting(BUSY, 3.0, 0.0, 3, 5),
    "resumed": Resumed(LOST),
    "stopped": Stopped(),
    "failed": Failed(LOST),
    "request_sent, tools": RequestSent("claude-opus-5-5", simulated=True, runs_tools=True),
    "tool_asked": ToolAsked("toolu_1"),
    "tool_started": ToolStarted("toolu_1"),
    "tool_ran": ToolRan("toolu_1", ({"type": "text", "text": '{"n": 1}'},), note="n", seconds=0.2),
    "tool_ran, failed": ToolRan(
        "toolu_1",
        ({"type": "text", "text": "KeyError: '<b>'"},),
        is_error=True,
        note="failed: KeyError",
        details="Traceback\n  <cell>",
        seconds=1.0,
    ),
}
"""The events of ours that examples name; their waits are over, so that no clock shows in them."""


def play(groups: list[list[dict[str, Any]]]) -> tuple[list[Any], str, Frames, Reply]:
    """Let a reply grow, a frame after each group of events.

    Returns:
        The frames; the HTML of what came, at the end; who made the frames; the reply.
    """
    reply, frames, made, time = Reply(Request("hello")), Frames(), [], 0.0
    first = [RequestSent("claude-opus-5-5", simulated=True), ResponseStarted("req_1")]
    for group in ([], *groups):
        data = [OURS.get(event["type"], event) for event in group] or first
        events = []
        for item in data:
            events.append(StreamEvent(len(reply.events) + len(events), time, 1, item))
            time += 0.5
        reply.advance(events)
        if frame := frames.next(reply, time):
            made.append(frame)
    return made, html.content(reply), frames, reply
