"""Where a reply breaks off that is to fail: in the middle of its text, within a sentence."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from claude_nb.simulator.replies import Ended
from claude_nb.simulator.rewording import in_prose
from claude_nb.simulator.wire import Answer, Event, Written

_LATEST = 400
"""Characters of a long text after which it breaks off: nobody has to wait for its middle."""


def events_before(events: Sequence[Event]) -> int | None:
    """Return how many events of a stream come before it breaks off.

    At least one delta of its text is lost; where there is no text, one of any content. ``None``:
    the stream has no content that could be lost.
    """
    found = [n for n, event in enumerate(events) if event["type"] == "content_block_delta"]
    texts = [n for n in found if events[n]["delta"]["type"] == "text_delta"]
    if not texts:
        return found[len(found) // 2] if found else None
    pieces = [events[n]["delta"]["text"] for n in texts]
    places = list(accumulate(map(len, pieces), initial=0))[:-1]
    place = _middle("".join(pieces), places[1:] or places)
    return texts[places.index(place)]


def ended(answer: Answer, end: Ended, request: dict[str, Any]) -> Answer | None:
    """Return an answer that the model ended too early; ``None`` if it has no text."""
    text = "".join(w.text for w in answer.content if w.block["type"] == "text")
    content = [w for w in answer.content if w.block["type"] in {"text", "thinking"}]
    if end.half_call:
        names = (tool["name"] for tool in request.get("tools") or [])
        call = {"type": "tool_use", "id": "toolu_sim_broken", "input": {}}
        content.append(Written(call | {"name": next(names, "look_up")}, end.half_call, eager=True))
    elif text:
        content = _until(content, _middle(text, range(1, len(text))))
    else:
        return None
    return replace(answer, content=content, stop_reason=end.stop_reason, stop_details=None)


def _until(content: list[Written], length: int) -> list[Written]:
    """Return blocks up to this many characters of their text."""
    kept: list[Written] = []
    for written in content:
        if length <= 0:
            break
        if written.block["type"] == "text":
            kept.append(replace(written, text=written.text[:length]))
            length -= len(written.text)
        else:
            kept.append(written)
    return kept


def _middle(text: str, places: Sequence[int]) -> int:
    """Return the place that is nearest to the middle of a text, within a sentence if one is."""
    target = min(len(text) // 2, _LATEST)
    nearest = sorted(places, key=lambda place: abs(place - target))
    return next((place for place in nearest if _in_sentence(text, place)), nearest[0])


def _in_sentence(text: str, place: int) -> bool:
    """Whether there are words of one sentence on both sides."""
    line = text[:place].rpartition("\n")[2]
    begun = re.search(r"(?:^|[.!?:] )(?:[^.!?|]+ ){2}(?:\S*[a-z,])?$", line)
    return bool(in_prose(text, place) and begun and re.match(r" ?[a-z]{2}", text[place:]))
