"""A conversation as a chat shows it, and as it stays in the notebook when nobody is there.

The page shows each turn by itself; what is saved is all of them in one output, in three forms and
a record for each. Everything of a turn is made once, when its answer has ended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from claude_nb.errors import redact
from claude_nb.render import html, labels, saved_output, text
from claude_nb.render.markdown.characters import MOST, clean
from claude_nb.render.markdown.markdown import ROOT_CLASSES, to_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from claude_nb.request.request import Request
    from claude_nb.streaming.block import Block
    from claude_nb.streaming.progress import Progress

LONGEST_PROMPT = 20_000
"""Characters of a question that are shown; all of it is sent."""

_PLACE = re.compile(r"\{\{.*?\}\}")
_BUBBLE = "background:#8888881f;border-radius:8px;margin:22px 0 8px 15%;padding:7px 11px"
_CHIP = (
    "display:inline-block;border:1px solid #88888866;border-radius:4px;padding:0 5px;"
    "font-size:85%;opacity:0.7"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in all the forms in which it is needed.

    Attributes:
        html: The answer as HTML.
        below: HTML that stands below it: what did not go well.
        usage: The usage table as HTML, or an empty text where nothing is known.
        line: The tokens in a few words.
        markdown: The answer as Markdown.
        plain: The answer as plain text.
        source: Its words as the model wrote them, for the clipboard.
        cost: In USD, or None where that is not known.
        simulated: Whether the simulator wrote it.
    """

    html: str
    below: str
    usage: str
    line: str
    markdown: str
    plain: str
    source: str
    cost: float | None = None
    simulated: bool = False


def answer(progress: Progress, done: Mapping[Block, html.Rendered] = html.NOTHING) -> Answer:
    """Make all forms of a reply that has ended.

    Args:
        progress: The reply.
        done: What has been rendered already, by the (first) block that it shows.
    """
    note = labels.card(progress)
    notes = html.notes(progress.notes) if progress.notes else ""
    return Answer(
        html=notes + html.said(progress, done=done),
        below=html.card(note) if note else "",
        usage=html.usage(progress),
        line=_tokens(progress),
        markdown=text.markdown(progress, done),
        plain=text.plain(progress),
        source=redact(progress.text),
        cost=progress.cost,
        simulated=progress.simulated,
    )


def answer_of_text(said: str, *, simulated: bool) -> Answer:
    """Make all forms of an answer of which only the words are known."""
    said = redact(said)
    plain = clean(said, prose=True)
    return Answer(
        html=to_html(said[:MOST]),
        below="",
        usage="",
        line="",
        markdown=text.harmless(text.closed(plain)),
        plain=plain,
        source=said,
        simulated=simulated,
    )


def question(prompt: str, notes: Iterable[str]) -> str:
    """A question as HTML, without its frame: its words, and what was put in or sent along."""
    shown = clean(redact(prompt[:LONGEST_PROMPT]), prose=True).strip()
    parts, end = [], 0
    for found in _PLACE.finditer(shown):
        parts += [escape(shown[end : found.start()]), f"<code>{escape(found[0])}</code>"]
        end = found.end()
    parts.append(escape(shown[end:]))
    if (rest := len(prompt) - LONGEST_PROMPT) > 0:
        parts.append(f"… <i>and {labels.count(rest)} more characters</i>")
    chips = "".join(f' <span style="{_CHIP}">{html.text(note)}</span>' for note in notes)
    return f'<span style="white-space:pre-wrap">{"".join(parts)}</span>{chips}'


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its answer, as it stays.

    Attributes:
        prompt: The user's words.
        notes: What was put in or sent along, a few words each.
        answer: The answer.
        at: Which of how many answers and versions of the question it is, from 1.
    """

    prompt: str
    notes: tuple[str, ...]
    answer: Answer
    at: tuple[int, int]


def mimebundle(turns: Sequence[Turn], head: str, classes: str) -> dict[str, str]:
    """A conversation for a notebook's output: HTML, Markdown and plain text.

    Args:
        turns: What was said, on the current branch.
        head: A line about all of it.
        classes: More classes for the root element.
    """
    simulated = any(turn.answer.simulated for turn in turns)
    badge = f' <span style="{html.BADGE}">simulated</span>' if simulated else ""
    above = f'<p style="margin:0 0 4px;{html.QUIET}">{html.text(head)}{badge}</p>'
    body = (
        "".join(_html(turn) for turn in turns) or f'<p style="{html.QUIET}">Nothing was said.</p>'
    )
    mark = "\n\n*simulated*" if simulated else ""
    marked = [f"**You**\n\n{_shown(t.prompt)}\n\n**Claude**\n\n{t.answer.markdown}" for t in turns]
    plain = [f"You: {clean(redact(t.prompt), prose=True)}\n\n{t.answer.plain}" for t in turns]
    return {
        "text/html": (
            f'<div class="claude-nb {classes} {ROOT_CLASSES}" style="padding-left:5px">'
            f"{above}{body}</div>"
        ),
        "text/markdown": "\n\n---\n\n".join([f"{_shown(head)}{mark}", *marked]),
        "text/plain": "\n\n".join([head, *plain]),
    }


def metadata(
    name: str, turns: Sequence[Turn], records: Sequence[dict[str, Any]], *, simulated: bool
) -> dict[str, Any]:
    """The output's metadata: the record of each reply, on every branch.

    Args:
        name: The conversation's.
        turns: What is shown of it.
        records: The records of the replies, as ``settled.metadata`` makes them.
        simulated: Whether any of them is simulated.
    """
    chat = {"conversation": name, "turns": len(turns)}
    record = {
        "version": saved_output.RECORD_VERSION,
        "simulated": simulated,
        "chat": chat,
        "replies": list(records),
    }
    return {"claude_nb": record}


def record(progress: Progress, request: Request) -> dict[str, Any]:
    """The record of one reply."""
    made: dict[str, Any] = saved_output.metadata(progress, request)["claude_nb"]
    return made


def _html(turn: Turn) -> str:
    number, count = turn.at
    which = f" · {number} of {count}" if count > 1 else ""
    line = turn.answer.line + which if turn.answer.line else which.removeprefix(" · ")
    below = ""
    if turn.answer.usage:
        below = (
            f'<details style="margin:4px 0 12px;font-size:90%"><summary style="{html.QUIET}">'
            f"{html.text(line)}</summary>{turn.answer.usage}</details>"
        )
    elif line:
        below = f'<p style="margin:4px 0 12px;font-size:90%;{html.QUIET}">{html.text(line)}</p>'
    asked = f'<div dir="auto" style="{_BUBBLE}">{question(turn.prompt, turn.notes)}</div>'
    return f"{asked}{turn.answer.html}{turn.answer.below}{below}"


def _tokens(progress: Progress) -> str:
    """Tokens and money in one short line: ``1,940 in · 18,204 cached · 318 out · $0.0180``."""
    if not any(message.accepted for message in progress.messages):
        return ""
    used = progress.usage
    fresh = used.input_tokens
    parts = [f"{labels.count(fresh)} in"]
    if used.cache_write_tokens:
        parts.append(f"{labels.count(used.cache_write_tokens)} to cache")
    if used.cache_read_tokens:
        parts.append(f"{labels.count(used.cache_read_tokens)} cached")
    parts.append(f"{labels.count(used.output_tokens)} out")
    parts.append(labels.money(progress.cost) if progress.cost is not None else "cost unknown")
    return " · ".join(parts)


def _shown(prompt: str) -> str:
    return text.harmless(text.closed(clean(redact(prompt), prose=True)))
