"""A reply as HTML: blocks in panes, the card, the usage table.

What is saved in a notebook loses its ``<style>``, its scripts and its CSS variables when the
notebook is not trusted, so there are none: the host's own styles do the work, and the few inline
properties used here are among those that JupyterLab's sanitiser keeps. ``opacity`` is what makes
text quiet in a light and in a dark theme alike.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from claude_nb.blocks import TOOL_CALLS
from claude_nb.errors import redact
from claude_nb.models import facts
from claude_nb.render import words
from claude_nb.render.markdown import clean, to_html

if TYPE_CHECKING:
    from claude_nb.blocks import Block, Message
    from claude_nb.progress import Progress
    from claude_nb.usage import Usage

_QUIET = "opacity:0.7"
_NUMBER = "text-align:right;padding:2px 0 2px 16px"
_BADGE = "border:1px solid #888888;border-radius:9px;padding:0 7px;font-size:85%;opacity:0.7"
_COLUMNS = (
    "input",
    "cache write",
    "cache read",
    "output",
    "of it thinking",
    "cost",
    "first text",
    "total",
)


def reply(progress: Progress, *, now: float | None = None) -> str:
    """A whole reply.

    Args:
        progress: The reply so far.
        now: While it streams, the time (``time.monotonic()``): shows the status line instead of
            the usage table, and panes that are being written stay open.

    Returns:
        HTML that is safe in a trusted cell: nothing that came from a server is unescaped.
    """
    live = now is not None
    parts = [block(b, message) for message in progress.messages for b in message.content]
    if now is not None:
        parts.insert(0, status(progress, now))
    if note := words.card(progress):
        parts.append(card(note, simulated=progress.simulated))
    if not live:
        parts.append(usage(progress))
    # The classes keep MathJax off everything but the formulas, so that money stays money.
    return f'<div class="claude-nb mathjax_ignore tex2jax_ignore">{"".join(parts)}</div>'


def status(progress: Progress, now: float) -> str:
    """The line above a reply that is still coming."""
    message = progress.last
    model = text(message.model) if message else ""
    elapsed = words.seconds(now - progress.messages[0].sent) if message else ""
    badge = _badge() if progress.simulated else ""
    return (
        f'<p style="margin:0 0 6px"><b>{model}</b>'
        f'<span style="{_QUIET}"> · {text(words.status(progress))} · {elapsed}</span>{badge}</p>'
    )


def block(item: Block, message: Message) -> str:
    """One content block in its readable form."""
    is_open = item.ended is None and message.ended is None
    if item.type == "text":
        return to_html(redact(item.text), live=is_open) + _sources(item)
    if item.type == "thinking":
        return _thinking(item, message, is_open=is_open)
    if item.type in TOOL_CALLS:
        return _tool_call(item, is_open=is_open)
    return _other(item)


def _thinking(item: Block, message: Message, *, is_open: bool) -> str:
    only = sum(other.type == "thinking" for other in message.content) == 1
    strong, rest = words.thought(item, message.usage.thinking_tokens if only else None)
    label = f"<b>{strong}</b>{text(rest)}"
    if not item.text:
        return f'<p style="margin:6px 0;{_QUIET}">{label}</p>'
    return pane(label, to_html(redact(item.text), live=is_open), is_open=is_open)


def _tool_call(item: Block, *, is_open: bool) -> str:
    value = item.input
    label = f"<b>{text(item.name or item.type)}</b>"
    if is_open:
        return pane(f"{label} · writing input", code(item.text, ""), is_open=True)
    if value is None:
        return pane(f"{label} · input is not valid JSON", code(item.text, ""), is_open=False)
    inside = ", ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in value.items())
    short = inside if len(inside) <= 80 else inside[:79] + "…"
    body = code(json.dumps(value, indent=2, ensure_ascii=False), "json")
    return pane(f'{label}<span style="{_QUIET}">({text(short)})</span>', body, is_open=False)


def _other(item: Block) -> str:
    """A block with no form of its own: its type, and what it holds."""
    if item.type == "redacted_thinking":
        return f'<p style="margin:6px 0;{_QUIET}"><b>Thought</b> · encrypted by the server</p>'
    content = item.to_dict()
    content.pop("type", None)
    body = code(json.dumps(content, indent=2, ensure_ascii=False, default=str), "json")
    said = to_html(redact(item.text), live=False) if item.text else ""
    return said + pane(f"<b>{text(item.type.replace('_', ' '))}</b>", body, is_open=False)


def _sources(item: Block) -> str:
    """The sources that a text block cites, numbered, each once."""
    lines: dict[str, None] = {}
    for citation in item.citations:
        title = citation.get("title") or citation.get("document_title") or citation.get("url")
        words_cited = str(citation.get("cited_text") or "").strip()
        quoted = f" “{words_cited}”" if words_cited else ""
        lines[f"{title or 'Source'}{quoted} {citation.get('url') or ''}".strip()] = None
    if not lines:
        return ""
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return pane(f"<b>Sources</b> · {len(lines)}", f"<ol>{items}</ol>", is_open=False)


def pane(label: str, body: str, *, is_open: bool) -> str:
    """A foldable part. ``label`` and ``body`` are HTML already."""
    attribute = " open" if is_open else ""
    return (
        '<details style="border-left:2px solid #88888866;margin:6px 0;padding:0 0 0 12px"'
        f'{attribute}><summary style="cursor:pointer">{label}</summary>{body}</details>'
    )


def code(source: str, language: str) -> str:
    """Source code or data in a box."""
    longest = max((len(run) for run in _backticks(source)), default=0)
    fence = "`" * max(3, longest + 1)
    return to_html(f"{fence}{language}\n{redact(source)}\n{fence}")


def _backticks(source: str) -> list[str]:
    return "".join(char if char == "`" else " " for char in source).split()


def card(note: words.Card, *, simulated: bool) -> str:
    """A note that something did not simply end well."""
    colour = "#d0453a" if note.serious else "#c08a1e"
    style = f"border-left:3px solid {colour};margin:8px 0;padding:4px 12px"
    badge = _badge() if simulated else ""
    lines = "<br>".join(map(text, note.text.split("\n")))
    return (
        f'<div style="{style}"><b>{text(note.title)}</b>{badge}<br>'
        f'<span style="{_QUIET}">{lines}</span></div>'
    )


def usage(progress: Progress) -> str:
    """The usage table: a row for each request, and their sum if there were several."""
    if not any(message.accepted for message in progress.messages):
        return ""
    rows = []
    several = len(progress.messages) > 1
    for number, message in enumerate(progress.messages, 1):
        label = words.stop_reason(message.stop_reason, progress.outcome)
        timing = (
            None if message.first_text is None else message.first_text - message.sent,
            None if message.ended is None else message.ended - message.sent,
        )
        cost = message.usage.cost(facts(message.model))
        label = f"{number} · {label}" if several else label
        rows.append(_row(label, message.usage, cost, *timing))
    if several:
        total = progress.timing
        rows.append(_row("all", progress.usage, progress.cost, total.first_text, total.total))
    heads = "".join(f'<th style="{_NUMBER};font-weight:normal">{name}</th>' for name in _COLUMNS)
    model = f"{text(progress.model)}{_badge() if progress.simulated else ''}"
    first = '<th style="text-align:left;padding:2px 0;font-weight:normal">'
    return (
        f'<table style="margin:8px 0 0;font-size:90%"><thead><tr>{first}{model}</th>{heads}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _row(
    label: str, used: Usage, cost: float | None, first: float | None, end: float | None
) -> str:
    cells = (
        words.count(used.input_tokens),
        words.count(used.cache_write_tokens),
        words.count(used.cache_read_tokens),
        words.count(used.output_tokens),
        words.count(used.thinking_tokens),
        words.money(cost),
        words.seconds(first),
        words.seconds(end),
    )
    numbers = "".join(f'<td style="{_NUMBER}">{text(cell)}</td>' for cell in cells)
    return f'<tr><td style="text-align:left;padding:2px 0">{text(label)}</td>{numbers}</tr>'


def _badge() -> str:
    return f' <span style="{_BADGE}">simulated</span>'


def text(value: str) -> str:
    """Plain text as HTML: escaped, with control characters made harmless and keys taken out."""
    return escape(clean(redact(value)))
