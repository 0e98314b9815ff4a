"""The timeline of a stream, as it stays in a notebook: lanes, gaps, figures, and its events.

JupyterLab takes SVG out of a notebook that is not trusted, and GitHub takes pictures that are part
of a page. Gradients stay, so a lane is one: a stop for each mark, in a place that is a share of the
width. Where styles are lost too, the table of figures and events below says the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from claude_nb.render import labels
from claude_nb.render.html import BADGE, QUIET, pane, text
from claude_nb.render.markdown.markdown import ROOT_CLASSES
from claude_nb.streaming.block import TOOL_CALLS
from claude_nb.streaming.steps import Lane, Step, Steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from claude_nb.streaming.events import StreamEvent
    from claude_nb.streaming.progress import Progress

COLUMNS = 240
"""Places on the axis: events that fall into the same one share a mark."""

MOST_LANES = 12
"""Beyond that, blocks share the last lane."""

MOST_ROWS = 40
"""Rows of the table of events, and as many again at its end."""

_BARS = 60
_COLOURS = {"thinking": "#9467bd", "text": "#d07a55", "tool": "#3f94c4", "result": "#4c9a70"}
_OTHER = "#8a8f98"
_WAIT = "#c08a1e"
_ERROR = "#d0453a"
_RUN = "#4c9a70"
"""Colours that stand out on a white and on a black page."""

_MARKED = {"waiting": _WAIT, "resumed": _WAIT, "stopped": _WAIT, "failed": _ERROR}

_LEVELS = " ▁▂▃▄▅▆▇█"
_WIDTH = 60
_TITLE = "The stream"

ABOUT = {
    "request_sent": "The request is on its way.",
    "response_started": "The server took it: status 200, and no event yet.",
    "message_start": "The message begins, empty. Its input is counted; its output is not.",
    "content_block_start": "A content block begins.",
    "text_delta": "A piece of text.",
    "thinking_delta": "A piece of thinking.",
    "input_json_delta": "A piece of the JSON of a tool's input.",
    "signature_delta": "The signature of the thinking: it is sent back with it.",
    "citations_delta": "A source that the text cites.",
    "content_block_stop": "The block is complete.",
    "message_delta": "Why it stopped, and what it used: the counts are final only now.",
    "message_stop": "The message is complete. A stream without it broke off.",
    "waiting": "The request failed and will be sent again after a pause.",
    "resumed": "The next request goes on from the text that came.",
    "stopped": "Somebody stopped it.",
    "failed": "It cannot go on.",
    "tool_asked": "Somebody is asked whether the function may run.",
    "tool_started": "The notebook's function begins to run.",
    "tool_ran": "The function has returned.",
}
"""What an event means, by its kind."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast it came, over time.

    Attributes:
        bars: What came in each part of the axis, for each second of it.
        mean: The same from the first event of the server to the last piece.
        unit: ``tokens/s``, or ``characters/s`` where the tokens are not known.
    """

    bars: tuple[float, ...]
    mean: float
    unit: str


class Timeline:
    """The events of a reply, in the order and at the times at which they came.

    It shows itself in a notebook, where it can be stepped through once the extension is loaded
    (``%load_ext claude_nb``), and in a terminal.

    Args:
        events: What happened.

    Attributes:
        steps: Each event, and what it changed.
        lanes: What events belong to: the request as a whole, and each content block.
        duration: Seconds from the first event to the last.
    """

    def __init__(self, events: Iterable[StreamEvent]) -> None:
        self.events = tuple(events)
        reader = Steps()
        self.steps: list[Step] = reader.take(self.events)
        self.lanes: list[Lane] = reader.lanes
        self.progress = reader.progress
        self.duration = self.steps[-1].time if self.steps else 0.0

    # --- figures -----------------------------------------------------------------------------

    @property
    def rate(self) -> Rate | None:
        """How fast text, thinking and tool input came; None if none did.

        Tokens are counted by the server, and only at the end. So that count is spread over the
        characters that came.
        """
        pieces = [(step.time, len(step.text)) for step in self.steps if step.text]
        characters = sum(size for _, size in pieces)
        if not characters or not self.duration:
            return None
        each = self.duration / _BARS
        bars = [0.0] * _BARS
        for at, size in pieces:
            bars[min(_BARS - 1, int(at / each))] += size / each
        began = self.first()
        span = pieces[-1][0] - (pieces[0][0] if began is None else began)
        tokens = readable_tokens(self.progress)
        share = tokens / characters if tokens else 1.0
        return Rate(
            tuple(bar * share for bar in bars),
            characters * share / max(span, each),
            "tokens/s" if tokens else "characters/s",
        )

    def first(self, kind: str = "") -> float | None:
        """Seconds until the first event of the server, or of a kind."""
        for step in self.steps:
            if (kind and step.kind == kind and step.text) or (
                not kind and step.lane == 0 and step.kind == "message_start"
            ):
                return step.time
        return None

    def figures(self) -> list[str]:
        """The line of figures above: how long until what, how much, how fast."""
        said = [_events(self.steps)]
        for label, at in (("first event", self.first()), ("first text", self.first("text_delta"))):
            if at is not None:
                said.append(f"{label} {labels.seconds(at)}")
        if len(self.steps) > 1:
            said.append(f"total {labels.seconds(self.duration)}")
        if rate := self.rate:
            said.append(f"{rate.mean:,.0f} {rate.unit}")
        return said

    def notes(self) -> list[str]:
        """What there is to know to read it."""
        said = []
        if (rate := self.rate) and rate.unit == "tokens/s":
            said.append("Tokens are counted at the end; here they are spread over the characters.")
        elif rate:
            said.append("The count of tokens did not come, so characters are shown.")
        for number, start, end, shade in self._spans():
            if shade == _RUN:
                name = self.lanes[number].name or "A function"
                said.append(f"{name} ran for {labels.seconds(end - start)}.")
        if any(step.gap < 0 for step in self.steps):
            said.append("The clock went back in between; nothing is drawn before what came before.")
        longest = max((step.gap for step in self.steps), default=0.0)
        drawn = max((b.time - a.time for a, b in pairwise(self.steps)), default=0.0)
        if longest > drawn + 1.0:
            long, short = labels.seconds(longest), labels.seconds(drawn)
            said.append(f"A silence of {long} is drawn as {short}: the clock jumped.")
        return said

    # --- the picture -------------------------------------------------------------------------

    def _column(self, time: float) -> int:
        if not self.duration:
            return 0
        return min(COLUMNS - 1, int(time / self.duration * COLUMNS))

    def _rows(self) -> list[tuple[str, str, list[Step]]]:
        """The label, the colour and the steps of each lane that is drawn."""
        several = self.lanes[-1].attempt > 1
        rows: list[tuple[str, str, list[Step]]] = []
        for lane in self.lanes:
            steps = [step for step in self.steps if step.lane == lane.number]
            if len(rows) < MOST_LANES or lane.number == 0:
                own = _COLOURS.get(colour_name(lane.kind), _OTHER)
                rows.append((label(lane, several=several), own, steps))
            else:
                more = len(self.lanes) - MOST_LANES + 1
                rows[-1] = (f"{more} more blocks", _OTHER, rows[-1][2] + steps)
        return [row for row in rows if row[2]]

    def _spans(self) -> list[tuple[int, float, float, str]]:
        """Waits and runs of tools: the lane, from when to when, the colour."""
        found: list[tuple[int, float, float, str]] = []
        ran: dict[int, float] = {}
        waits: float | None = None
        for step in self.steps:
            if step.kind == "waiting":
                waits = step.time
            elif waits is not None and step.kind in ("request_sent", "stopped", "failed"):
                found.append((0, waits, step.time, _WAIT))
                waits = None
            elif step.kind == "tool_started":
                ran[step.lane] = step.time
            elif step.kind == "tool_ran" and step.lane in ran:
                found.append((step.lane, ran.pop(step.lane), step.time, _RUN))
        return found

    def _marks(self, steps: Sequence[Step], own: str) -> dict[int, tuple[str, int]]:
        """By column: the colour of the mark, and how many events it stands for."""
        marks: dict[int, tuple[str, int]] = {}
        for step in steps:
            at = self._column(step.time)
            before = marks.get(at, (own, 0))
            marks[at] = _MARKED.get(step.kind, before[0]), before[1] + 1
        return marks

    def _cells(self, steps: Sequence[Step], own: str) -> list[str]:
        """The colour of each column of a lane; empty where there is nothing."""
        cells = [""] * COLUMNS
        numbers = {step.lane for step in steps}
        if numbers != {0}:
            first, last = self._column(steps[0].time), self._column(steps[-1].time)
            cells[first : last + 1] = [f"{own}33"] * (last + 1 - first)
        for number, start, end, shade in self._spans():
            if number in numbers:
                a, b = self._column(start), self._column(end)
                cells[a : b + 1] = [f"{shade}88"] * (b + 1 - a)
        marks = self._marks(steps, own)
        most = max((count for _, count in marks.values()), default=1)
        for at, (shade, count) in marks.items():
            # Where many events share a mark, it is the darker the more they are.
            share = count / most if most > 2 else 1.0
            cells[at] = f"{shade}{'' if share > 0.66 else 'cc' if share > 0.33 else '99'}"
        return cells

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self, mark: str = "") -> str:
        """The timeline as HTML that needs neither a script nor a style sheet.

        Args:
            mark: A class by which a page finds it.
        """
        classes = " ".join(filter(None, ("claude-nb claude-nb-timeline", mark, ROOT_CLASSES)))
        return f'<div class="{classes}" style="padding:8px 0 0 5px">{self._inside()}</div>'

    def _inside(self) -> str:
        if not self.steps:
            return f'<p style="{QUIET}">{_TITLE} · no events</p>'
        said = " · ".join(self.figures())
        badges = "".join(
            f' <span style="{BADGE}">{name}</span>'
            for name in ("simulated", "replayed")
            if getattr(self.progress, name)
        )
        head = f'<p style="margin:0 0 6px"><b>{_TITLE}</b><span style="{QUIET}"> · {text(said)}'
        below = "<br>".join(map(text, self.notes()))
        note = f'<p style="margin:4px 0 8px;font-size:85%;{QUIET}">{below}</p>' if below else ""
        return f"{head}</span>{badges}</p>{self._picture()}{note}{self._table()}"

    def _picture(self) -> str:
        rows = self._rows()
        lines = [(name, self._line(name, own, steps), _events(steps)) for name, own, steps in rows]
        first = self.first("text_delta")
        if first is not None and self.duration:
            lines.insert(0, ("", _flag(first, first / self.duration), ""))
        if rate := self.rate:
            lines.append((rate.unit, _bars(rate), f"max {max(rate.bars):,.0f}"))
        lines.append(("", self._axis(), ""))
        # As wide as the longest name. Not a table: a page has its own ways with those.
        width = f"{max(len(name) for name, _, _ in lines) * 0.58 + 1:.3g}em"
        shown = "".join(_row(width, *line) for line in lines)
        # On a narrow page it scrolls in its own box.
        return f'<div style="overflow-x:auto"><div style="min-width:320px">{shown}</div></div>'

    def _line(self, name: str, own: str, steps: list[Step]) -> str:
        characters = sum(len(step.text) for step in steps)
        said = f"{_events(steps)}, {labels.count(characters)} characters, "
        said += f"{labels.seconds(steps[0].time)} to {labels.seconds(steps[-1].time)}"
        runs = gradient(self._cells(steps, own))
        lane = f"height:14px;border-bottom:1px solid #88888855;background:{runs}"
        return f'<div title="{text(f"{name}: {said}")}" style="{lane}"></div>'

    def _axis(self) -> str:
        if not self.duration:
            return "0 s"
        step = tick(self.duration)
        count = int(self.duration / step) + 1
        share = 100 * step / self.duration
        spans = []
        for number in range(count):
            rest = 100 - share * number
            width = min(share, rest)
            if width < 12 and number:  # too narrow for its words
                continue
            spans.append(
                f'<span style="display:inline-block;width:{width:.4g}%;overflow:hidden;'
                f'vertical-align:top">{number * step:g} s</span>'
            )
        style = f"white-space:nowrap;font-size:85%;line-height:16px;{QUIET}"
        return f'<div style="{style}">{"".join(spans)}</div>'

    def _table(self) -> str:
        """The events as a table, runs of the same kind in one row; folded."""
        rows = list(self.runs())
        left_out = len(rows) - 2 * MOST_ROWS
        shown = [*rows[:MOST_ROWS], ("", "…", "", f"{left_out:,} more rows"), *rows[-MOST_ROWS:]]
        cell = "text-align:left;padding:1px 14px 1px 0;vertical-align:top"
        body = "".join(
            "<tr>" + "".join(f'<td style="{cell}">{text(part)}</td>' for part in row) + "</tr>"
            for row in (shown if left_out > 0 else rows)
        )
        heads = "".join(
            f'<th style="{cell};font-weight:normal;{QUIET}">{name}</th>'
            for name in ("seconds", "event", "lane", "what it brings")
        )
        table = (
            '<div style="overflow-x:auto"><table style="margin:0;font-size:90%"><thead>'
            f"<tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        )
        return pane(
            f'<b>Events</b><span style="{QUIET}"> · {len(self.steps):,}</span>',
            table,
            is_open=False,
        )

    def runs(self) -> Iterator[tuple[str, str, str, str]]:
        """The events in rows: when, what, where, and what it brings; pieces of a kind in one."""
        several = self.lanes[-1].attempt > 1
        for (kind, number), group in groupby(self.steps, key=lambda s: (s.kind, s.lane)):
            steps = list(group)
            lane = label(self.lanes[number], several=several) if number else ""
            if len(steps) == 1 and not steps[0].text:
                yield f"{steps[0].time:.3f}", kind, lane, brings(steps[0])
                continue
            said = "".join(step.text for step in steps)
            when = f"{steps[0].time:.3f}"
            when += f" to {steps[-1].time:.3f}" if len(steps) > 1 else ""
            what = kind if len(steps) == 1 else f"{len(steps):,} × {kind}"
            yield when, what, lane, f"“{said[:60]}{'…' if len(said) > 60 else ''}”" if said else ""

    # --- in a terminal -----------------------------------------------------------------------

    def __repr__(self) -> str:
        if not self.steps:
            return f"{_TITLE} · no events"
        marks = [name for name in ("simulated", "replayed") if getattr(self.progress, name)]
        rows = self._rows()
        width = max(len(name) for name, _, _ in rows)
        lines = [" · ".join([_TITLE, *self.figures(), *marks])]
        for name, _, steps in rows:
            counts = [0] * _WIDTH
            for step in steps:
                at = int(step.time / self.duration * _WIDTH) if self.duration else 0
                counts[min(_WIDTH - 1, at)] += 1
            most = max(counts)
            drawn = "".join(_LEVELS[math.ceil(8 * count / most)] for count in counts)
            lines.append(f"{name:<{width}}  {drawn.rstrip()}")
        end = labels.seconds(self.duration)
        lines.append(f"{'':<{width}}  0 s{end:>{_WIDTH - 3}}")
        return "\n".join(lines)


def _row(width: str, name: str, picture: str, figures: str) -> str:
    left = f"width:{width};flex-shrink:0;white-space:nowrap;overflow:hidden"
    right = f"width:6.8em;flex-shrink:0;padding-left:12px;font-size:85%;white-space:nowrap;{QUIET}"
    return (
        '<div style="display:flex;align-items:center;line-height:20px;margin:1px 0">'
        f'<div style="{left}">{text(name)}</div><div style="flex:1 1 0;min-width:0">{picture}</div>'
        f'<div style="{right}">{figures}</div></div>'
    )


def _events(steps: Sequence[Step]) -> str:
    return f"{labels.count(len(steps))} {'event' if len(steps) == 1 else 'events'}"


def _flag(first: float, share: float) -> str:
    """Where the first text came: a pole, and what it says on the side where there is room."""
    place = (
        f"margin-left:{100 * share:.4g}%;border-left:1px dashed #888888;text-align:left"
        if share < 0.7
        else f"margin-right:{100 - 100 * share:.4g}%;border-right:1px dashed #888888;"
        "text-align:right"
    )
    style = f"{place};padding:0 4px;font-size:85%;line-height:16px;white-space:nowrap"
    return f'<div style="{style};{QUIET}">first text {labels.seconds(first)}</div>'


def _bars(rate: Rate) -> str:
    highest = max(rate.bars)
    boxes = "".join(
        f'<span style="width:{100 / _BARS:.4g}%;height:{max(4, round(100 * bar / highest))}%;'
        f'background:{_OTHER}"></span>'
        if bar
        else f'<span style="width:{100 / _BARS:.4g}%"></span>'
        for bar in rate.bars
    )
    style = "display:flex;align-items:flex-end;height:26px;border-bottom:1px solid #88888855"
    return f'<div style="{style}">{boxes}</div>'


def gradient(cells: Sequence[str]) -> str:
    """A row of colours as a gradient: a stop for each run of the same one."""
    each = 100 / len(cells)
    stops, at = [], 0
    for shade, run in groupby(cells):
        end = at + len(list(run))
        stops.append(f"{shade or '#0000'} {at * each:.4g}% {end * each:.4g}%")
        at = end
    return f"linear-gradient(90deg,{','.join(stops)})"


def readable_tokens(progress: Progress) -> int | None:
    """The output tokens of what could be read of a reply, or None if they are not known."""
    used = progress.usage
    if used.output_tokens is None or progress.thinking:
        return used.output_tokens
    return used.output_tokens - (used.thinking_tokens or 0)


def label(lane: Lane, *, several: bool) -> str:
    """What a lane is called: its block's type, the tool's name, and the request if there are more.

    Args:
        lane: The lane.
        several: Whether the reply took more than one request.
    """
    parts = [lane.kind, lane.name] if lane.name else [lane.kind]
    name = " ".join(part if len(part) <= 24 else f"{part[:23]}…" for part in parts)
    return f"{name} · {lane.attempt}" if several and lane.number else name


def colour_name(kind: str) -> str:
    """What the colour of a lane of that kind is called: ``text``, ``tool``, …, or ``other``."""
    if kind in TOOL_CALLS:
        return "tool"
    if kind.endswith("_tool_result"):
        return "result"
    return kind if kind in _COLOURS else "other"


def brings(step: Step) -> str:
    """What an event brings that is no piece of text, in a few words."""
    said: Any = step.event if isinstance(step.event, dict) else {}
    if step.kind == "message_delta":
        delta = said.get("delta")
        usage = said.get("usage")
        reason = delta.get("stop_reason") if isinstance(delta, dict) else None
        output = usage.get("output_tokens") if isinstance(usage, dict) else None
        return f"stop_reason {reason}, output_tokens {output}"
    if step.kind == "content_block_start":
        begun = said.get("content_block")
        return str(begun.get("type")) if isinstance(begun, dict) else ""
    if step.kind in ("waiting", "resumed", "failed"):
        error = said.get("error")
        return str(error.get("what")) if isinstance(error, dict) else ""
    if step.kind == "request_sent":
        return str(said.get("model"))
    return ""


def tick(duration: float) -> float:
    """Seconds between the figures of the axis: at most five of them."""
    least = duration / 5
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
