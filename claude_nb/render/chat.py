"""A question and an answer of a chat, in all forms in which they are shown and saved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from claude_nb.characters import MAX_BLOCK_CHARACTERS, clean
from claude_nb.redaction import redact
from claude_nb.render import display_blocks, displayed, html, labels, text
from claude_nb.render.displayed import Part
from claude_nb.render.markdown.inline import fenced
from claude_nb.render.markdown.markdown import to_blocks
from claude_nb.render.usage import price
from claude_nb.streaming.progress import Progress

LONGEST_PROMPT = 20_000
"""Characters of a question that are shown; all of it is sent."""

_PLACE = re.compile(r"\{\{.*?\}\}")
_CHIP = (
    "display:inline-block;border:1px solid #88888866;border-radius:4px;padding:0 5px;"
    "font-size:85%;opacity:0.7"
)


_PICTURES = "display:flex;flex-wrap:wrap;gap:6px;margin:2px 0 6px"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in all the forms in which it is needed.

    Attributes:
        html: The answer as HTML in the live form.
        markdown: The answer as Markdown.
        plain: The answer as plain text.
        source: Its text as the model wrote it, for the clipboard.
        below: HTML that stands below it: what did not go well.
        usage: The usage table as HTML, or an empty text where nothing is known.
        line: The tokens in a few words.
        cost: In USD, or None where that is not known.
        simulated: Whether the simulator wrote it.
        edited: Whether the user has changed it since.
    """

    html: str
    markdown: str
    plain: str
    source: str
    below: str = ""
    usage: str = ""
    line: str = ""
    cost: float | None = None
    simulated: bool = False
    edited: bool = False


def answer(progress: Progress, drawn: html.Drawn = html.NOTHING) -> Answer:
    """Make all forms of a reply that has ended.

    Args:
        progress: The reply.
        drawn: What the page shows of it.
    """
    return Answer(
        html=html.notes(progress.notes) + html.content(progress, drawn),
        below=html.card(progress),
        usage=html.usage(progress),
        line=_tokens(progress),
        markdown=text.markdown(progress),
        plain=text.plain(progress),
        source=redact(progress.text),
        cost=progress.cost,
        simulated=progress.simulated,
    )


def unrendered(progress: Progress) -> Answer:
    """The text of a reply of which the rendering has failed, in all forms."""
    plain = clean(redact(progress.text), prose=True)
    return Answer(
        html=f'<pre style="white-space:pre-wrap">{escape(plain)}</pre>',
        markdown=fenced(plain, ""),
        plain=plain,
        source=redact(progress.text),
        cost=progress.cost,
        simulated=progress.simulated,
    )


def answer_of_text(
    source: str, *, simulated: bool, edited: bool = False, shown: Iterable[Part] = ()
) -> Answer:
    """Make all forms of an answer of which only the text is known.

    Args:
        source: The text.
        simulated: Whether the simulator wrote it.
        edited: Whether the user changed it.
        shown: What tools showed to the reader, which stands above it.
    """
    mark = "\n\n*edited*" if edited else ""
    source = redact(source)
    plain = clean(source, prose=True)
    return Answer(
        html=displayed.to_html(shown) + "".join(to_blocks(source[:MAX_BLOCK_CHARACTERS])),
        markdown=text.harmless(_below(displayed.to_markdown(shown), text.closed(plain))) + mark,
        plain=_below(displayed.to_plain(shown), plain) + mark,
        source=source,
        simulated=simulated,
        edited=edited,
    )


def _below(above: str, source: str) -> str:
    return f"{above}\n\n{source}" if above else source


def answer_of_content(content: Iterable[Mapping[str, Any]], **known: Any) -> Answer:
    """Make all forms of an answer of which texts and displays of a function are known.

    Args:
        content: Its blocks, of the types ``text`` and ``display``.
        **known: As for ``answer_of_text``.
    """
    content = list(content)
    found = answer_of_text("".join(block["text"] for block in content), **known)
    above = displayed.to_html(known.get("shown", ()))
    return replace(found, html=above + display_blocks.of_content(content))


def question(prompt: str, notes: Iterable[str], thumbnails: Iterable[str] = ()) -> str:
    """A question as HTML, without its frame: its text, and what was inserted or attached.

    Args:
        prompt: The user's words.
        notes: What was inserted or attached, a few words each.
        thumbnails: The pictures among that, as HTML: see ``previews.thumbnails``.
    """
    plain = clean(redact(prompt[:LONGEST_PROMPT]), prose=True).strip()
    shown = _PLACE.sub(lambda place: f"<code>{place[0]}</code>", escape(plain))
    if (rest := len(prompt) - LONGEST_PROMPT) > 0:
        shown += f"… <i>and {labels.count(rest)} more characters</i>"
    chips = "".join(f' <span style="{_CHIP}">{html.text(note)}</span>' for note in notes)
    pictures = "".join(thumbnails)
    above = f'<div style="{_PICTURES}">{pictures}</div>' if pictures else ""
    return f'{above}<span style="white-space:pre-wrap">{shown}</span>{chips}'


def _tokens(progress: Progress) -> str:
    """Tokens and money in one short line: ``$0.0180 · 318 out · 1,940 in · 18,204 cached``."""
    if not any(message.accepted for message in progress.messages):
        return ""
    used = progress.usage
    tokens = {
        "out": used.output_tokens,
        "in": used.input_tokens,
        "to cache": used.cache_write_tokens,
        "cached": used.cache_read_tokens,
    }
    parts = [f"{labels.count(number)} {name}" for name, number in tokens.items() if number]
    searches = [labels.searches(used.web_searches)] if used.web_searches else []
    return " · ".join([price(progress), *parts, *searches])
