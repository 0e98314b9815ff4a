"""A chat as it is saved: its turns in three forms, and the records of their replies."""

from __future__ import annotations

from typing import Any

from claude_nb.characters import clean
from claude_nb.chat.transcript import At, ChatTurn, Transcript
from claude_nb.redaction import redact
from claude_nb.render import chat as render
from claude_nb.render import html, text
from claude_nb.streaming.record import MIME, of_several

_BUBBLE = "background:#8888881f;border-radius:8px;margin:22px 0 8px 15%;padding:7px 11px"
_BELOW = "margin:4px 0 12px;font-size:90%"


NO_WIDGET = (
    "This front end shows no widgets, so there is no box to write in. "
    'Ask in %%claude cells, or from Python: chat.ask("…").'
)
"""What stands in the place of a chat where nobody can write in it."""


def saved(
    transcript: Transcript,
    classes: str,
    answerer: str,
    *,
    undecided: str = "",
    is_folded: bool = False,
) -> dict[str, Any]:
    """The MIME bundle of an output that shows a chat.

    Args:
        transcript: What is shown: the turns on the current branch. The record holds those
            of the replies on every branch, and those of the other conversations that were shown.
        classes: More classes for the root element.
        answerer: Who answers, by name.
        undecided: Why it is not known what is saved of the chat, if it is not. Until something is
            said in it, no record is saved then, which would claim that there is nothing.
        is_folded: Whether the turns are folded.
    """
    with transcript.lock:
        shown, records = transcript.shown(), transcript.records()
        own = transcript.conversations[0]  # what is shown when the cell is run again
        head = own.head
    turns = [(turn, turn.answer, at) for turn, at in shown if turn.answer is not None]
    name, count = transcript.conversation.name, len(turns)
    title = name.capitalize() if name.startswith("chat") else f"Chat · {name}"
    about = {"conversation": own.name, "turns": count, "head": head and head.id}
    record = of_several(records, chat={**about, "cell": transcript.cell})
    if undecided and not records:
        return _forms([], f"{title} · {undecided}", classes, answerer, is_folded=is_folded)
    line = f"{title} · {count} turn{'' if count == 1 else 's'}"
    forms = _forms(turns, line, classes, answerer, is_folded=is_folded)
    return forms | {MIME: record}


def _forms(
    turns: list[tuple[ChatTurn, render.Answer, At]],
    head: str,
    classes: str,
    answerer: str,
    *,
    is_folded: bool,
) -> dict[str, Any]:
    """Turns as HTML, Markdown and plain text, below a line about all of them."""
    simulated = any(answer.simulated for _, answer, _ in turns)
    badge = html.badge() if simulated else ""
    title = f'<span style="{html.QUIET}">{html.text(head)}</span>'
    above = f'<p style="margin:0 0 4px">{title}{badge}</p>'
    nothing = f'<p style="{html.QUIET}">No messages yet.</p>'
    body = "".join(_html(*turn) for turn in turns) or nothing
    if is_folded:
        above, body = "", f"<details><summary>{title}{badge}</summary>{body}</details>"
    marked = [_markdown(head) + ("\n\n*simulated*" if simulated else "")]
    plain = [head]
    for turn, answer, _ in turns:
        asked = f"**You**\n\n{_markdown(turn.prompt)}"
        marked.append(f"{asked}\n\n**{_markdown(answerer)}**\n\n{answer.markdown}")
        plain.append(f"You: {clean(redact(turn.prompt), prose=True)}\n\n{answer.plain}")
    return {
        "text/html": html.root(above, body, classes=classes),
        "text/markdown": "\n\n---\n\n".join(marked),
        "text/plain": "\n\n".join(plain),
    }


def _html(turn: ChatTurn, answer: render.Answer, at: At) -> str:
    number, count = at
    which = f"{number} of {count}" if count > 1 else ""
    edited = "edited" if answer.edited else ""
    line = html.text(" · ".join(filter(None, [answer.line, edited, which])))
    below = f'<p style="{_BELOW};{html.QUIET}">{line}</p>' if line else ""
    if answer.usage:
        summary = f'<summary style="{html.QUIET}">{line}</summary>'
        below = f'<details style="{_BELOW}">{summary}{answer.usage}</details>'
    asked = render.question(turn.prompt, turn.notes, turn.thumbnails)
    bubble = f'<div dir="auto" style="{_BUBBLE}">{asked}</div>'
    return f"{bubble}{answer.html}{answer.below}{below}"


def _markdown(words: str) -> str:
    return text.harmless(text.closed(clean(redact(words), prose=True)))
