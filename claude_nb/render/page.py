"""A page that plays replies and steps through their events: one HTML file, without a kernel.

It holds each reply as it ended and its plain timeline, which is all that is seen without scripts
and on paper; and, compressed, the steps and the frames of each, which ``page.js`` gives to the
scripts of the notebook. Its policy forbids to load anything, and to run any script but its own.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from claude_nb import __version__
from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render import scripts
from claude_nb.render.frames import Frames
from claude_nb.render.html import text
from claude_nb.render.markdown.inline import one_line
from claude_nb.render.markdown.markdown import ROOT_CLASSES
from claude_nb.render.protocol import Op
from claude_nb.render.stepping import ABOUT
from claude_nb.request import files
from claude_nb.streaming.events import DELTA_FIELDS, StreamEvent
from claude_nb.streaming.progress import Progress

MOST = 10_000
"""Events of a reply that a page steps through: some 60 bytes each."""

_HEADING = 100
"""Characters of a prompt that stand in a heading."""

_PROMPT = 10_000
"""Characters of a prompt that a page shows."""

_NO_SCRIPTS = "With scripts, this page plays the reply and steps through its events."


class Part(NamedTuple):
    """A reply on a page.

    Attributes:
        prompt: What was asked.
        notes: What a reader must know of it, a line each.
        reply: The reply as it ended, as HTML in the live form.
        timeline: The plain timeline, as HTML.
        facts: What ``inspector.js`` is told.
        frames: The operations of each event, as ``frames`` makes them.
    """

    prompt: str
    notes: tuple[str, ...]
    reply: str
    timeline: str
    facts: dict[str, Any]
    frames: list[list[Op]]


def save(
    path: str | Path,
    parts: Sequence[Part],
    title: str = "",
    *,
    overwrite: bool = False,
    how: str = "overwrite=True",
) -> None:
    """Write a page.

    Args:
        path: Where.
        parts: The replies on it.
        title: Its heading; by default the beginning of the only prompt.
        overwrite: Whether a file that is there may be replaced.
        how: What is typed to replace it, for the error.

    Raises:
        InputError: It is there, or cannot be written.
    """
    files.write(path, [to_html(parts, title)], overwrite=overwrite, how=how)


def to_html(parts: Sequence[Part], title: str = "") -> str:
    """A page, the same text for the same replies.

    Args:
        parts: The replies on it.
        title: Its heading; by default the beginning of the only prompt.
    """
    heading = title or (parts[0].prompt if len(parts) == 1 else "Replies")
    script, style = scripts.page()
    allowed = base64.b64encode(sha256(script.encode()).digest()).decode()
    # A style may stand anywhere in what is drawn; it can load nothing.
    policy = (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    shown = "\n".join(_article(part, _first_line(heading)) for part in parts)
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="claude_nb {__version__}">
<title>{text(_first_line(heading))}</title>
<style>
{style}
</style>
</head>
<body class="claude-nb-page">
<main>
<h1>{text(_first_line(heading))}</h1>
<noscript><p class="claude-nb-note">{_NO_SCRIPTS}</p></noscript>
{shown}
</main>
<script type="text/plain" id="claude-nb-data">{_data(parts)}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def frames(events: Iterable[StreamEvent]) -> list[list[Op]]:
    """What each event changes in the live view of its reply."""
    progress, drawn = Progress(), Frames()
    return [list(_frame(progress, drawn, event)) for event in events]


def _frame(progress: Progress, drawn: Frames, event: StreamEvent) -> Iterator[Op]:
    progress.apply(event)
    frame: Any = drawn.next(progress, event.time) or {"ops": ()}
    for op in frame["ops"]:
        # The wait is over by now, but on the page it begins here.
        yield op | {"wait": progress.waiting.seconds} if progress.waiting and "wait" in op else op


def _data(parts: Iterable[Part]) -> str:
    replies = [
        # As a text, in which form a kernel sends it.
        {"data": json.dumps(part.facts, default=str), "frames": part.frames}
        for part in parts
    ]
    data = json.dumps({"about": ABOUT, "fields": DELTA_FIELDS, "replies": replies})
    return base64.b64encode(gzip.compress(data.encode(), mtime=0)).decode()


def _article(part: Part, heading: str) -> str:
    first = _first_line(part.prompt)
    head = f"<h2>{text(first)}</h2>" if first != heading else ""
    prompt = ""
    if (whole := redact(part.prompt.strip())) != first:
        more = f" … {len(whole) - _PROMPT:,} more characters" if len(whole) > _PROMPT else ""
        look = 'class="claude-nb-prompt" role="group" aria-label="The prompt" tabindex="0"'
        prompt = f"<div {look}>{escape(clean(whole[:_PROMPT]))}{more}</div>"
    lines = "<br>".join(map(text, part.notes))
    notes = f'<p class="claude-nb-note">{lines}</p>' if lines else ""
    return f"""\
<article class="claude-nb-played">
{head}{prompt}{notes}
<div class="claude-nb-stage">
<div class="claude-nb claude-nb-final {ROOT_CLASSES}">{part.reply}</div>
</div>
<div class="claude-nb-plain">{part.timeline}</div>
</article>"""


def _first_line(prompt: str) -> str:
    """The first line of a prompt, for a heading."""
    line = one_line(prompt.strip().partition("\n")[0])
    return line if len(line) <= _HEADING else f"{line[: _HEADING - 1]}…"
