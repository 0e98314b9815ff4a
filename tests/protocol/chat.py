"""What Python and ``chat.js`` say to each other, as an example that the tests of both sides read.

``chat/conversation.json`` holds what the page says (``says``), the kernel's ``messages``, and what
the page shows at the end (``shown``). Names are numbered, times are nought; how many frames there
are is a matter of time, so the tests compare all but those.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_nb import Chat
from claude_nb.simulator import Stream
from tests.played import said

if TYPE_CHECKING:
    from claude_nb import Simulator
    from tests.page import Page

FILE = Path(__file__).parent / "chat" / "conversation.json"

_NAME = re.compile(r"\b[0-9a-f]{32}\b")
_TIME = re.compile(r'(\d+\.\d s)|(?<="elapsed": )[\d.]+')

PICKED = {"model": "claude-opus-5-5", "effort": ""}

SAYS: list[dict[str, Any]] = [
    {"op": "send", "text": "First", **PICKED},
    {"op": "send", "text": "{{nope}}", **PICKED},
    {"op": "send", "text": "Second", **PICKED},
    {"op": "edit", "turn": 0, "text": "Changed", **PICKED},
    {"op": "pick", "turn": 0, "by": -1},
    {"op": "clear"},
    {"op": "bring_back"},
    {"op": "resync"},
]
"""What the page says; a turn is named by its place."""

SHOWN = [["Changed", "Other.", "2/2"]]


def example() -> dict[str, Any]:
    """Read the example."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def talk(page: Page, api: Simulator) -> dict[str, Any]:
    """Let a page say all of it, and return the example."""
    api.enqueue(*(Stream(said(answer)) for answer in ("One.", "Two.", "Other.")))
    chat = Chat()
    for message in SAYS:
        about = dict(message)
        if "turn" in about:
            about["turn"] = page.turns()[about["turn"]]["key"]
        ended = threading.Event()
        chat.observe(lambda change, ended=ended: change.new or ended.set(), "busy")
        page.say(chat, **about)
        assert not chat.busy or ended.wait(60)
    chat.close()
    names: dict[str, str] = {}
    text = json.dumps(page.received)
    text = _NAME.sub(lambda m: names.setdefault(m[0], f"name-{len(names) + 1}"), text)
    messages = json.loads(_TIME.sub(lambda m: "0.0 s" if m[1] else "0.0", text))
    return {"says": SAYS, "messages": messages, "shown": SHOWN}


def compared(messages: list[dict[str, Any]]) -> tuple[list[int], list[Any]]:
    """The numbers of the answers, and the operations but the frames, each in order.

    The thread that answers the page and the thread that paints do not wait for each other.
    """
    acks = [message["ack"] for message in messages if "ack" in message]
    ops = [op for message in messages for op in message.get("ops", []) if op["op"] != "frame"]
    return acks, ops
