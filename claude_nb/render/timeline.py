"""The timeline of a stream: figures, lanes and gaps, and its events as a table.

A notebook saves this drawing, and the inspector (``inspector.js``) puts a playhead on its axis.

JupyterLab removes SVG from a notebook that is not trusted, and GitHub removes inline pictures.
Gradients stay, so a lane is one: a stop for each mark, at a share of the width. Where styles are
lost too, the figures and the table of events say the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from claude_nb.characters import clean
from claude_nb.render import colours, html, labels, page
from claude_nb.render.html import QUIET, badge, pane, text
from claude_nb.render.markdown.markdown import ROOT_CLASSES
from claude_nb.render.stepping import encode
from claude_nb.render.table import Table
from claude_nb.streaming.block import TOOL_CALLS
from claude_nb.streaming.events import EventLog, StreamEvent
from claude_nb.streaming.progress import Progress
from claude_nb.streaming.steps import Lane, Step, Steps

COLUMNS = 240
"""Columns of the axis: events in the same column share a mark."""

MOST_LANES = 12
"""Lanes that are drawn: further blocks share the last one."""

MOST_ROWS = 40
"""Rows at the start of the table of events, and as many again at its end."""

_BARS = 60
"""Bars of the rate, and characters of the axis in a terminal."""

_COLOURS = {"thinking": colours.PURPLE, "text": colours.CLAY, "result": colours.GREEN}
_TOOL = "#3f94c4"
_OTHER, _WAIT, _RUN = colours.GREY, colours.YELLOW, colours.GREEN
_AGAIN = ("waiting", "unthought", "resumed")
_MARKED = dict.fromkeys((*_AGAIN, "stopped"), _WAIT) | {"failed": colours.RED}

_BROUGHT = {
    "request_sent": ("model",),
    "content_block_start": ("content_block", "type"),
    **dict.fromkeys((*_AGAIN, "failed"), ("error", "what")),
}
"""Where an event of a kind holds what is shown of it in the table."""

_LINE = "border-bottom:1px solid #88888855"
_LEVELS = " ▁▂▃▄▅▆▇█"
_TITLE = "The stream"


class Rate(NamedTuple):
    """How fast the output came, over time.

    Attributes:
        bars: The rate in each part of the axis, per second.
        mean: The rate from the first event of the server to the last piece.
        unit: ``tokens/s``, or ``characters/s`` where the tokens are not known.
    """

    bars: tuple[float, ...]
    mean: float
    unit: str


class Row(NamedTuple):
    """A lane as it is drawn; the last one may stand for many."""

    number: int  # of the first of many
    name: str
    colour: str
    steps: list[Step]


class Timeline:
    """The events of a reply, in the order and at the times at which they came.

    It shows itself in a notebook, where it can be stepped through once the extension is loaded
    (``%load_ext claude_nb``), and in a terminal.

    Args:
        events: The events so far; ``take`` adds more.
        prompt: What was asked, for a page.

    Attributes:
        events: The events.
        steps: Each event, and what it changed.
        lanes: What events belong to: the request as a whole, and each content block.
        progress: The reply that the events make.
    """

    def __init__(self, events: Iterable[StreamEvent] = (), prompt: str = "") -> None:
        self._reader = Steps()
        self._prompt = prompt
        self.events = EventLog()
        self.lanes: list[Lane] = self._reader.lanes
        self.progress = self._reader.progress
        self.steps: list[Step] = []
        self.take(events)

    def take(self, events: Iterable[StreamEvent]) -> list[Step]:
        """Add the next events, and return their steps."""
        events = list(events)
        self.events.extend(events)
        steps = self._reader.take(events)
        self.steps += steps
        return steps

    # --- figures -----------------------------------------------------------------------------

    @property
    def duration(self) -> float:
        """Seconds from the first event to the last."""
        return self.steps[-1].time if self.steps else 0.0

    @property
    def rate(self) -> Rate | None:
        """How fast text, thinking and tool input came; None if none did.

        The server counts tokens, and only at the end. So its count is spread over the characters.
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
        tokens = _readable_tokens(self.progress)
        share = tokens / characters if tokens else 1.0
        return Rate(
            tuple(bar * share for bar in bars),
            characters * share / max(span, each),
            "tokens/s" if tokens else "characters/s",
        )

    def first(self, kind: str = "message_start") -> float | None:
        """Seconds until the first event of a kind; a delta without a text does not count."""
        found = (s.time for s in self.steps if s.kind == kind and (s.text or not s.lane))
        return next(found, None)

    def figures(self) -> list[str]:
        """The figures of the heading: how long until what, how much, how fast."""
        parts = [labels.counted(len(self.steps), "event")]
        for name, at in (("first event", self.first()), ("first text", self.first("text_delta"))):
            if at is not None:
                parts.append(f"{name} {labels.seconds(at)}")
        if len(self.steps) > 1:
            parts.append(f"total {labels.seconds(self.duration)}")
        if rate := self.rate:
            parts.append(f"{rate.mean:,.0f} {rate.unit}")
        return parts

    def notes(self) -> list[str]:
        """What a reader must know to read the picture."""
        parts = []
        if (rate := self.rate) and rate.unit == "tokens/s":
            parts.append("Tokens are counted at the end; here they are spread over the characters.")
        elif rate:
            parts.append("Tokens are counted only at the end, so characters are shown.")
        for number, start, end, colour in self._spans():
            if colour == _RUN:
                name = self.lanes[number].name or "A function"
                parts.append(f"{name} ran for {labels.seconds(end - start)}.")
        if any(step.gap < 0 for step in self.steps):
            parts.append("The clock went back; later events are drawn as if it had not.")
        longest = max((step.gap for step in self.steps), default=0.0)
        drawn = max((b.time - a.time for a, b in pairwise(self.steps)), default=0.0)
        if longest > drawn + 1.0:
            long, short = labels.seconds(longest), labels.seconds(drawn)
            parts.append(f"A silence of {long} is drawn as {short}: the clock jumped.")
        return parts

    def label(self, number: int) -> str:
        """The name of a lane: its block's type, the tool's name, and which request it came with."""
        lane = self.lanes[number]
        parts = [lane.kind, lane.name] if lane.name else [lane.kind]
        name = clean(" ".join(p if len(p) <= 24 else f"{p[:23]}…" for p in parts))
        several = self.lanes[-1].attempt > 1
        return f"{name} · {lane.attempt}" if several and number else name

    # --- for a page that steps through it --------------------------------------------------------

    def to_html(self, path: str | Path, *, title: str = "", overwrite: bool = False) -> None:
        """Write a page that plays the reply and steps through its events, without a kernel.

        One HTML file, for a web site, a course page (in an ``<iframe>``) or a bug report: it needs
        no network. It holds what was sent and what came, without what looks like a key;
        ``Recording.of(reply, without=["request"]).to_html(path)`` leaves out more.

        Args:
            path: Where; the usual ending is ``.html``.
            title: The heading; by default the beginning of the prompt.
            overwrite: Whether a file that is there may be replaced.

        Raises:
            InputError: It is there, or cannot be written.

        Example:
            >>> reply = claude_nb.ask("Why is the sky blue?")
            >>> reply.timeline().to_html("sky.html")
        """
        page.save(path, [self.part()], title, overwrite=overwrite)

    def part(self, prompt: str = "", notes: Sequence[str] = ()) -> page.Part:
        """The timeline and its reply, for a page that may have several.

        Args:
            prompt: What is shown in the place of the prompt; by default the prompt.
            notes: What a reader must know of it.
        """
        steps = [encode(step) for step in self.steps[: page.MOST]]
        if len(self.steps) > page.MOST:
            first = f"The first {page.MOST:,} of {len(self.steps):,} events"
            notes = [*notes, f"{first} can be played and stepped through here."]
        return page.Part(
            prompt or self._prompt,
            tuple(notes),
            f"{html.body(self.progress)}{html.usage(self.progress)}",
            self.output(is_open=True),
            self.facts(steps, done=True),
            page.frames(self.events[: page.MOST]),
        )

    def facts(self, steps: list[list[Any]], *, done: bool) -> dict[str, Any]:
        """What ``inspector.js`` is told.

        Args:
            steps: The steps that it does not have yet, encoded.
            done: Whether no more events will come.
        """
        return {
            "steps": steps,
            "lanes": [[self.label(lane.number), lane.block] for lane in self.lanes],
            "picture": self.picture(),
            "duration": self.duration,
            "count": len(self.steps),
            "done": done,
        }

    # --- the picture -------------------------------------------------------------------------

    def _repr_html_(self) -> str:
        return self.output()

    def output(self, mark: str = "", *, is_open: bool = False) -> str:
        """The timeline as HTML that needs neither a script nor a style sheet.

        Args:
            mark: A class by which a page finds it.
            is_open: Whether the table of the events is unfolded.
        """
        classes = f"claude-nb claude-nb-timeline {ROOT_CLASSES} {mark}".rstrip()
        table = self._table(is_open=is_open) if self.steps else ""
        return f'<div class="{classes}" style="padding:8px 0 0 5px">{self.picture()}{table}</div>'

    def picture(self) -> str:
        """The timeline without its table: figures, lanes over one axis of time, notes."""
        if not self.steps:
            return f'<p style="{QUIET}">{_TITLE} · no events</p>'
        figures = text(" · ".join(self.figures()))
        badges = "".join(map(badge, self._badges()))
        head = f'<b>{_TITLE}</b><span style="{QUIET}"> · {figures}</span>{badges}'
        notes = "<br>".join(map(text, self.notes()))
        below = f'<p style="margin:4px 0 8px;font-size:85%;{QUIET}">{notes}</p>' if notes else ""
        return f'<p style="margin:0 0 6px">{head}</p>{self._lanes()}{below}'

    def _badges(self) -> list[str]:
        return [name for name in ("simulated", "replayed") if getattr(self.progress, name)]

    def _lanes(self) -> str:
        lines = [
            (row.name, self._lane(row), labels.counted(len(row.steps), "event"))
            for row in self._rows()
        ]
        first = self.first("text_delta")
        if first is not None and self.duration:
            lines.insert(0, ("", _flag(first, first / self.duration), ""))
        if rate := self.rate:
            lines.append((rate.unit, _bars(rate), f"max {max(rate.bars):,.0f}"))
        lines.append(("", self._axis(), ""))
        # As wide as the longest text. Not a table: a page has its own ways with those.
        left, right = (max(len(line[n]) for line in lines) * 0.55 + 0.5 for n in (0, 2))
        shown = "".join(_line(*line, left, right) for line in lines)
        # On a narrow page it scrolls in its own box: a mark thinner than a pixel may vanish.
        style = f"min-width:{left + right + 18:.4g}em"
        lanes = f'<div class="claude-nb-lanes" style="{style}">{shown}</div>'
        return f'<div style="overflow-x:auto">{lanes}</div>'

    def _rows(self) -> list[Row]:
        """The lanes that are drawn."""
        rows = [
            Row(lane.number, self.label(lane.number), _colour(lane.kind), [])
            for lane in self.lanes[:MOST_LANES]
        ]
        if (more := len(self.lanes) - MOST_LANES) > 0:
            rows[-1] = Row(MOST_LANES - 1, f"{more + 1} more blocks", _OTHER, [])
        for step in self.steps:
            rows[min(step.lane, MOST_LANES - 1)].steps.append(step)
        return [row for row in rows if row.steps]

    def _spans(self) -> list[tuple[int, float, float, str]]:
        """Waits and runs of tools: the lane, from when to when, the colour."""
        found: list[tuple[int, float, float, str]] = []
        began: dict[int, float] = {}
        wait: float | None = None
        for step in self.steps:
            if step.kind == "waiting":
                wait = step.time
            elif wait is not None and step.kind in ("request_sent", "stopped", "failed"):
                found.append((0, wait, step.time, _WAIT))
                wait = None
            elif step.kind == "tool_started":
                began[step.lane] = step.time
            elif step.kind == "tool_ran" and step.lane in began:
                found.append((step.lane, began.pop(step.lane), step.time, _RUN))
        return found

    def _lane(self, row: Row) -> str:
        characters = sum(len(step.text) for step in row.steps)
        begin, end = row.steps[0].time, row.steps[-1].time
        came = (
            f"{labels.counted(len(row.steps), 'event')}, {labels.counted(characters, 'character')}"
        )
        title = f"{row.name}: {came}, {labels.seconds(begin)} to {labels.seconds(end)}"
        attributes = f'class="claude-nb-lane" data-lane="{row.number}" title="{text(title)}"'
        style = f"height:14px;{_LINE};background:{gradient(self._cells(row))}"
        return f'<div {attributes} style="{style}"></div>'

    def _cells(self, row: Row) -> list[str]:
        """The colour of each column of a lane; empty where there is nothing."""
        cells = [""] * COLUMNS

        def fill(start: float, end: float, colour: str) -> None:
            a, b = self._column(start), self._column(end) + 1
            cells[a:b] = [colour] * (b - a)

        if row.number:
            fill(row.steps[0].time, row.steps[-1].time, f"{row.colour}33")
        for lane, start, end, colour in self._spans():
            if min(lane, MOST_LANES - 1) == row.number:
                fill(start, end, f"{colour}88")
        marks: dict[int, tuple[str, int]] = {}
        for step in row.steps:
            at = self._column(step.time)
            colour, count = marks.get(at, (row.colour, 0))
            marks[at] = _MARKED.get(step.kind, colour), count + 1
        for at in marks:
            # One empty column in a run of marks is no gap: it depends on where the columns begin.
            if at - 1 in marks and at + 1 not in marks and at + 2 in marks and at < COLUMNS - 2:
                cells[at + 1] = f"{row.colour}99"
        most = max(count for _, count in marks.values())
        for at, (colour, count) in marks.items():
            # Where many events share a mark, it is the darker the more they are.
            share = count / most if most > 2 else 1.0
            cells[at] = f"{colour}{'' if share > 0.66 else 'cc' if share > 0.33 else '99'}"
        return cells

    def _column(self, time: float, columns: int = COLUMNS) -> int:
        return min(columns - 1, int(time / self.duration * columns)) if self.duration else 0

    def _axis(self) -> str:
        step = tick(self.duration) if self.duration else 1.0
        share = 100 * step / self.duration if self.duration else 100.0
        ticks = []
        for number in range(int(100 / share) + 1):
            width = min(share, 100 - share * number)
            if width < 12 and number:  # too narrow for its label
                continue
            ticks.append(
                f'<span style="display:inline-block;width:{width:.4g}%;overflow:hidden;'
                f'vertical-align:top;box-shadow:-1px 0 #88888888">{number * step:g} s</span>'
            )
        style = f"white-space:nowrap;text-indent:3px;font-size:85%;line-height:16px;{QUIET}"
        return f'<div class="claude-nb-axis" style="{style}">{"".join(ticks)}</div>'

    # --- the table ---------------------------------------------------------------------------

    def _table(self, *, is_open: bool) -> str:
        """The events as a table, runs of the same kind in one row."""
        rows = list(self.runs())
        left_out = len(rows) - 2 * MOST_ROWS
        if left_out > 0:
            rows[MOST_ROWS:-MOST_ROWS] = [("", "…", "", f"{left_out:,} more rows")]
        table = Table(("seconds", "event", "lane", "content"), rows, left=(0, 1, 2, 3))
        label = f'<b>Events</b><span style="{QUIET}"> · {len(self.steps):,}</span>'
        return pane(label, table.to_html(), is_open=is_open)

    def runs(self) -> Iterator[tuple[str, ...]]:
        """The events in rows: when, what, where, what they bring; pieces of a kind in one row."""
        for (kind, number), group in groupby(self.steps, key=lambda s: (s.kind, s.lane)):
            first, *others = group
            when, what = f"{first.time:.3f}", kind
            if others:
                when += f" to {others[-1].time:.3f}"
                what = f"{len(others) + 1:,} × {kind}"
            pieces = "".join(step.text for step in (first, *others))
            shown = f"“{pieces[:60]}{'…' if len(pieces) > 60 else ''}”" if pieces else ""
            brings = shown if others else shown or _brings(first)
            yield when, what, self.label(number) if number else "", brings

    # --- in a terminal -----------------------------------------------------------------------

    def __repr__(self) -> str:
        if not self.steps:
            return f"{_TITLE} · no events"
        rows = self._rows()
        width = max(len(row.name) for row in rows)
        lines = [" · ".join([_TITLE, *self.figures(), *self._badges()])]
        for row in rows:
            counts = Counter(self._column(step.time, _BARS) for step in row.steps)
            most = max(counts.values())
            drawn = "".join(_LEVELS[math.ceil(8 * counts[at] / most)] for at in range(_BARS))
            lines.append(f"{row.name:<{width}}  {drawn.rstrip()}")
        end = labels.seconds(self.duration)
        lines.append(f"{'':<{width}}  0 s{end:>{_BARS - 3}}")
        return "\n".join(lines)


def _line(name: str, drawn: str, figures: str, left: float, right: float) -> str:
    fixed = "flex-shrink:0;white-space:nowrap;overflow:hidden"
    return (
        '<div style="display:flex;align-items:center;line-height:22px">'
        f'<div style="width:{left:.3g}em;{fixed}">{text(name)}</div>'
        f'<div style="flex:1 1 0;min-width:0">{drawn}</div>'
        f'<div style="width:{right:.3g}em;padding-left:12px;font-size:85%;{fixed};{QUIET}">'
        f"{figures}</div></div>"
    )


def _flag(first: float, share: float) -> str:
    """Where the first text came, with a label on the side where there is room."""
    side, at = ("left", share) if share < 0.7 else ("right", 1 - share)
    style = (
        f"margin-{side}:{100 * at:.4g}%;border-{side}:1px dashed #888888;text-align:{side};"
        "padding:0 4px;font-size:85%;line-height:16px;white-space:nowrap"
    )
    return f'<div style="{style};{QUIET}">first text {labels.seconds(first)}</div>'


def _bars(rate: Rate) -> str:
    highest = max(rate.bars)
    boxes = "".join(
        f'<span style="width:{100 / _BARS:.4g}%;height:{math.ceil(100 * bar / highest)}%;'
        f'background:{_OTHER}"></span>'
        for bar in rate.bars
    )
    style = f"display:flex;align-items:flex-end;height:26px;{_LINE}"
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


def _readable_tokens(progress: Progress) -> int | None:
    """The output tokens of what could be read of a reply, or None if they are not known."""
    used = progress.usage
    if used.output_tokens is None or progress.thinking:
        return used.output_tokens
    return used.output_tokens - (used.thinking_tokens or 0)


def _colour(kind: str) -> str:
    """The colour of the blocks of a type."""
    if kind in TOOL_CALLS:
        return _TOOL
    return _COLOURS.get("result" if kind.endswith("_tool_result") else kind, _OTHER)


def _brings(step: Step) -> str:
    """What an event brings other than a piece of text, in a few words."""
    if step.kind == "message_delta":
        reason = _find(step.event, "delta", "stop_reason")
        return f"stop_reason {reason}, output_tokens {_find(step.event, 'usage', 'output_tokens')}"
    return str(_find(step.event, *_BROUGHT.get(step.kind, ("",))) or "")


def _find(value: Any, *path: str) -> Any:
    """What JSON has at a path, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def tick(duration: float) -> float:
    """Seconds between the figures of the axis: at most five of them."""
    least = duration / 5
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
