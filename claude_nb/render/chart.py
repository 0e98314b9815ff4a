"""A bar chart of tokens by kind over time, without a picture or a script.

JupyterLab removes SVG from a notebook that is not trusted, but keeps boxes with a size and a
background: so the bars are boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from claude_nb.cost.usage import Usage
from claude_nb.render import colours, labels
from claude_nb.render.markdown.inline import QUIET, text
from claude_nb.render.usage import TOKENS

KINDS = {
    "cache read": colours.BLUE,
    "cache write": colours.ORANGE,
    "input": colours.GREY,
    "output": colours.PURPLE,
}
"""The kinds of tokens, from the foot of a bar to its top, in colours that can be told apart without
red or green."""

MAX_BARS = 60
"""With more requests than this, a bar stands for several."""

_HEIGHT = 72
"""The highest bar in pixels."""

_TITLE = "Tokens over time"

_LEVELS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Bar:
    """The tokens of a request, or of several in a row.

    Attributes:
        when: When the first of them was sent, in local time.
        counts: Their tokens, in the order of ``KINDS``; unknown ones count as 0.
    """

    when: datetime
    counts: tuple[int, ...]


class Chart:
    """A bar chart with a form for notebooks and one for terminals.

    Args:
        used: When each request was sent (ISO 8601) and what it used, the earliest first.
    """

    def __init__(self, used: Sequence[tuple[str, Usage]]) -> None:
        self._each = math.ceil(len(used) / MAX_BARS)
        starts = range(0, len(used), self._each or 1)
        self.bars = [_bar(used[start : start + self._each]) for start in starts]
        self._highest = max((sum(bar.counts) for bar in self.bars), default=0)

    def _repr_html_(self) -> str:
        if not self._highest:
            return ""
        legend = " ".join(
            f'<span style="display:inline-block;width:9px;height:9px;background:{colour}"></span>'
            f' <span style="margin-right:10px">{kind}</span>'
            for kind, colour in KINDS.items()
        )
        bars = "".join(map(self._html, self.bars))
        frame = "overflow-x:auto;white-space:nowrap;line-height:0;padding-top:4px"
        return (
            f'<p style="margin:12px 0 4px"><b style="margin-right:14px">{_TITLE}</b>{legend}</p>'
            f'<div style="{frame}">{bars}</div>'
            f'<p style="margin:4px 0 0;font-size:90%;{QUIET}">{text(self._caption())}</p>'
        )

    def _html(self, bar: Bar) -> str:
        used = {kind: count for kind, count in zip(KINDS, bar.counts, strict=True) if count}
        boxes = [
            f'<div style="height:{max(1, round(_HEIGHT * count / self._highest))}px;'
            f'background:{KINDS[kind]}"></div>'
            for kind, count in used.items()
        ]
        counts = ", ".join(f"{kind} {labels.count(count)}" for kind, count in used.items())
        style = (
            "display:inline-block;vertical-align:bottom;width:9px;margin-right:2px;"
            "border-bottom:1px solid #888888"
        )
        title = text(f"{bar.when:%H:%M:%S}: {counts or labels.UNKNOWN}")
        return f'<div style="{style}" title="{title}">{"".join(reversed(boxes))}</div>'

    def __repr__(self) -> str:
        if not self._highest:
            return ""
        width = max(map(len, KINDS))
        lines = [
            f"{kind:<{width}}  " + "".join(self._level(bar.counts[number]) for bar in self.bars)
            for number, kind in reversed([*enumerate(KINDS)])
        ]
        return "\n".join([_TITLE, *(line.rstrip() for line in lines), self._caption()])

    def _level(self, count: int) -> str:
        top = len(_LEVELS) - 1
        return _LEVELS[max(1, round(top * count / self._highest)) if count else 0]

    def _caption(self) -> str:
        """What a bar stands for, the tokens of the highest, the time of the first and the last."""
        first, last = self.bars[0].when, self.bars[-1].when
        form = "%H:%M:%S" if first.date() == last.date() else "%Y-%m-%d %H:%M"
        times = f"{first:{form}}" + (f" to {last:{form}}" if len(self.bars) > 1 else "")
        each = "request" if self._each == 1 else f"{self._each} requests"
        return (
            f"A bar for each {each}, {times}; the highest is {labels.count(self._highest)} tokens."
        )


def _bar(used: Sequence[tuple[str, Usage]]) -> Bar:
    counts = tuple(sum(TOKENS[kind](each) or 0 for _, each in used) for kind in KINDS)
    return Bar(datetime.fromisoformat(used[0][0]).astimezone(), counts)
