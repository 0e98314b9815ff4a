"""A reply as HTML: its blocks in panes, the card, the usage table.

What is saved in a notebook loses its ``<style>``, its scripts and its CSS variables when the
notebook is not trusted, so there are none: the host's own styles do the work, and the few inline
properties used here are among those that JupyterLab's sanitiser keeps. ``opacity`` dims text in
light and in dark themes alike. Only where the host typesets no formulas in HTML and has no colours
for code, they bring a style along.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from claude_nb.characters import MAX_BLOCK_CHARACTERS
from claude_nb.redaction import redact
from claude_nb.render import colours, display_blocks, labels, partial_json, results, tool_results
from claude_nb.render.citations import Sources
from claude_nb.render.markdown.inline import QUIET as QUIET  # noqa: PLC0414 - shared from here
from claude_nb.render.markdown.inline import text as text  # noqa: PLC0414 - and this
from claude_nb.render.markdown.markdown import (
    ROOT_CLASSES,
    rendered,
    saved,
    to_blocks,
    with_source,
)
from claude_nb.render.page_style import style_of
from claude_nb.render.text_runs import breaks, marked, raw, text_runs
from claude_nb.render.usage import of_reply
from claude_nb.request.host import typesets
from claude_nb.streaming.block import TOOL_CALLS, Block, Break
from claude_nb.streaming.events import ToolRan
from claude_nb.streaming.message import Message
from claude_nb.streaming.progress import Outcome, Progress

Rendered = list[str]
"""What was rendered of a complete block, or of texts that are one, while it came: its Markdown
blocks in the live form, or its JSON."""


class Drawn(NamedTuple):
    """What a page shows already of a reply.

    Attributes:
        opened: The blocks with a pane that the reader has opened.
        done: The rendered form of each complete block, or of each text run by its first block.
    """

    opened: Container[Block] = frozenset()
    done: Mapping[Block, Rendered] = MappingProxyType({})


NOTHING = Drawn()
"""Nothing is shown yet."""

STATUS = "margin:0 0 4px;line-height:24px"
_DOT = "display:inline-block;width:7px;height:7px;margin-right:7px;border-radius:50%"
_COLOURS = {
    Outcome.STREAMING: colours.CLAY,
    Outcome.COMPLETE: colours.GREEN,
    Outcome.TRUNCATED: colours.YELLOW,
    Outcome.REFUSED: colours.YELLOW,
    Outcome.STOPPED: colours.YELLOW,
    Outcome.DROPPED: colours.RED,
    Outcome.FAILED: colours.RED,
}

_PANE = "border-left:2px solid #88888866;margin:8px 0 12px;padding:0 0 0 12px"
_CARD = "border:1px solid #88888844;border-radius:3px;margin:8px 0 12px;padding:6px 12px"
_BADGE = "border:1px solid #888888;border-radius:9px;padding:0 7px;font-size:85%;opacity:0.7"


def reply(progress: Progress, drawn: Drawn = NOTHING, *, now: float | None = None) -> str:
    """A whole reply.

    Args:
        progress: The reply so far.
        drawn: What the page shows of it.
        now: While it streams, the time (``time.monotonic()``).

    Returns:
        HTML that is safe in a trusted cell: all text from a server is escaped.
    """
    below = "" if progress.ended is None else usage(progress)
    return root(body(progress, drawn, now=now), below)


def root(*parts: str, classes: str = "") -> str:
    """The root element of an output, with its parts in the saved form."""
    # The classes keep MathJax off everything but the formulas, so that money stays money.
    # The padding keeps it clear of the collapser, which Notebook 7 puts at a narrow page's edge.
    names = " ".join(filter(None, ["claude-nb", classes, ROOT_CLASSES]))
    style = "padding-left:5px;overflow-wrap:break-word"  # a long address widens nothing
    inside = "".join(parts)
    shown = saved(inside) if typesets() else with_source(inside) + style_of(inside)
    return f'<div class="{names}" style="{style}">{shown}</div>'


def body(
    progress: Progress, drawn: Drawn = NOTHING, *, now: float | None = None, name: str = ""
) -> str:
    """A reply without its usage: status line, content and card.

    Args:
        progress: The reply so far.
        drawn: As for ``reply``.
        now: As for ``reply``.
        name: The reply's name; by default its model.
    """
    sent = progress.messages[0].sent if progress.messages else None
    end = progress.ended if progress.ended is not None else now
    elapsed = "" if sent is None or end is None else f" · {labels.seconds(end - sent)}"
    status = f"{labels.status(progress)}{elapsed}"
    head = status_line(
        progress.outcome, labels.title(progress, name), status, simulated=progress.simulated
    )
    return f"{head}{notes(progress.notes)}{content(progress, drawn)}{card(progress)}"


def content(progress: Progress, drawn: Drawn = NOTHING) -> str:
    """The blocks of a reply in their order, and the sources that they cite."""
    owners = {b: message for message in reversed(progress.messages) for b in message.content}
    sources = Sources()
    parts: list[str] = []
    for blocks in text_runs(progress):
        first = blocks[0]
        if is_json(progress, first):
            parts += [json_text(item, drawn.done.get(item)) for item in blocks]
        elif first.type == "text":
            parts.append(text_run(blocks, sources, drawn.done.get(first)))
        elif progress.shows(first):
            is_open, done = first in drawn.opened, drawn.done.get(first)
            parts.append(block(first, owners[first], is_open=is_open, done=done))
    return "".join([*parts, source_list(sources)])


def status_line(outcome: Outcome, name: str, status: str, *, simulated: bool) -> str:
    """The line above a reply or a batch: a dot in the outcome's colour, its name, its status."""
    return (
        f'<p style="{STATUS}"><span style="{_DOT};background:{_COLOURS[outcome]}"></span>'
        f"<b>{text(name)}</b>{badge() if simulated else ''}"
        f'<span style="{QUIET}"> · {text(status)}</span></p>'
    )


def notes(lines: Iterable[str]) -> str:
    """Notes on the request, a line each; empty if there are none."""
    shown = "<br>".join(map(text, lines))
    return f'<p style="margin:0 0 10px;font-size:90%;{QUIET}">{shown}</p>' if shown else ""


def block(
    item: Block, message: Message, *, is_open: bool = False, done: Rendered | None = None
) -> str:
    """A block other than text; its pane is open while the block is being written."""
    growing = item.ended is None
    is_open = is_open or growing
    if item.type == "thinking":
        label = thinking_label(item, message)
        if not item.text:
            return line(label)
        shown = prose(item, live=growing) if done is None else "".join(done)
        return pane(label, shown + rest_line(item.text), is_open=is_open)
    if item.type in TOOL_CALLS:
        inside = tool_input(item, done) + tool_result(item)
        return pane(tool_label(item), inside, is_open=is_open or displays(item))
    return "" if growing else _other(item, is_open=is_open)


def is_json(progress: Progress, item: Block) -> bool:
    """Whether a text is shown as JSON, because the request asked for JSON."""
    return progress.is_json and item.type == "text" and item.text.lstrip()[:1] in ("{", "[")


def may_be_json(progress: Progress, item: Block) -> bool:
    """Whether a text has no character yet that tells whether it is JSON."""
    is_open = progress.is_json and item.type == "text" and item.ended is None
    return is_open and not item.text.strip()


def json_text(item: Block, done: Rendered | None = None) -> str:
    """A text that is JSON, indented and coloured."""
    shown = (
        partial_json.to_html(item.text[:MAX_BLOCK_CHARACTERS]) if done is None else "".join(done)
    )
    return shown + rest_line(item.text)


def text_run(blocks: Sequence[Block], sources: Sources, done: Rendered | None = None) -> str:
    """A text run with its citation marks; what it cites is added to the sources."""
    if done is None:
        live = any(item.ended is None for item in blocks)
        shown = rendered(marked(blocks, sources.mark), live=live)
    else:
        for item in blocks:
            sources.mark(item)
        shown = list(done)
    for at, found in reversed(breaks(blocks)):
        shown.insert(break_place(blocks, at), break_line(found))
    return "".join(shown) + rest_line(raw(blocks))


def break_place(blocks: Iterable[Block], at: int) -> int:
    """The number of Markdown blocks of a text run as far as it was broken off."""
    return len(to_blocks(redact(raw(blocks)[: min(at, MAX_BLOCK_CHARACTERS)])))


def rest_line(whole: str) -> str:
    """The line below a text of which not all is shown."""
    more = labels.more_characters(len(whole) - MAX_BLOCK_CHARACTERS)
    return line(f'<span style="{QUIET}">{more}</span>') if more else ""


def break_line(found: Break) -> str:
    """The line where a text was broken off."""
    border = f"border-top:1px dashed {colours.YELLOW}"
    style = f"{border};margin:2px 0 10px;padding:2px 0 0;font-size:85%;{QUIET}"
    return f'<div style="{style}">{text(labels.break_line(found))}</div>\n'


def thinking_label(item: Block, message: Message) -> str:
    """The label of a thinking block's pane."""
    only = sum(other.type == "thinking" for other in message.content) == 1
    strong, rest = labels.thought(item, message.usage.thinking_tokens if only else None)
    return f'<b>{strong}</b><span style="{QUIET}">{text(rest)}</span>'


def tool_label(item: Block) -> str:
    """The label of a tool call's pane: its name, arguments and outcome."""
    name = f"<b>{text(item.name or item.type)}</b>"
    if item.ended is None:
        return f"{name} · writing input"
    if item.lost:
        return f"{name} · lost with the connection"
    if len(item.text) > MAX_BLOCK_CHARACTERS:
        return name
    outcome = text(labels.call_outcome(item))
    if item.input is None:
        return f"{name}{outcome}" if outcome else f"{name} · its input is not complete JSON"
    arguments = text(labels.call(item).removeprefix(item.name or item.type))
    return f'{name}<span style="{QUIET}">{arguments}{outcome}</span>'


def tool_input(item: Block, done: Rendered | None = None) -> str:
    """A tool call's input so far, indented and coloured."""
    if item.text or done is not None:
        return json_text(item, done)
    return partial_json.to_html(partial_json.write(item.input)[:MAX_BLOCK_CHARACTERS])


def displays(item: Block) -> bool:
    """Whether the function of a tool call shows something to the reader."""
    return isinstance(item.run, ToolRan) and bool(item.run.display)


def tool_result(item: Block) -> str:
    """The result of a tool call; empty while there is none."""
    return tool_results.to_pane(item.run) if isinstance(item.run, ToolRan) else ""


def line(label: str) -> str:
    """A line in the place of a pane that would be empty."""
    return f'<p style="margin:6px 0">{label}</p>'


def _other(item: Block, *, is_open: bool) -> str:
    """The result of a server tool; a block of another type as the JSON that came."""
    if item.type == "display":
        return display_blocks.to_html(item.to_dict())
    if item.type == "redacted_thinking":
        return line(f'<b>Thought</b><span style="{QUIET}"> · encrypted by the server</span>')
    if result := results.read(item):
        label, inside = results.to_html(result)
        return pane(label, inside, is_open=is_open) if inside else empty_pane(label)
    fields = item.to_dict()
    fields.pop("type", None)
    body = partial_json.to_html(partial_json.write(fields)[:MAX_BLOCK_CHARACTERS])
    return prose(item, live=False) + pane(
        f"<b>{text(item.type.replace('_', ' '))}</b>", body, is_open=is_open
    )


def prose(item: Block, *, live: bool) -> str:
    """The text of a block as Markdown."""
    return "".join(to_blocks(redact(item.text[:MAX_BLOCK_CHARACTERS]), live=live))


def source_list(sources: Sources) -> str:
    """The sources of a reply in a folded pane; empty if it cites none."""
    return pane(*sources.to_html(), is_open=False) if sources else ""


def pane(label: str, body: str, *, is_open: bool) -> str:
    """A foldable part. ``label`` and ``body`` are HTML already."""
    attribute = " open" if is_open else ""
    return (
        f'<details style="{_PANE}"{attribute}><summary style="cursor:pointer;margin:0 0 4px">'
        f"{label}</summary>{body}</details>"
    )


def empty_pane(label: str) -> str:
    """A pane that has nothing to unfold."""
    return f'<div style="{_PANE}">{label}</div>'


def card(progress: Progress) -> str:
    """The card of a reply that did not complete; empty for others."""
    note = labels.card(progress)
    if note is None:
        return ""
    colour = colours.RED if note.serious else colours.YELLOW
    style = f"{_CARD};border-left:3px solid {colour}"
    lines = "<br>".join(map(text, note.text.split("\n")))
    return (
        f'<div style="{style}"><b>{text(note.title)}</b><br>'
        f'<span style="{QUIET}">{lines}</span></div>'
    )


def usage(progress: Progress) -> str:
    """The usage table of a reply, and notes on cost and cache; empty where nothing is known."""
    shown = of_reply(progress)
    return shown.to_html() if shown else ""


def badge(name: str = "simulated") -> str:
    """A label in the head of an output, such as that of what the simulator wrote."""
    return f' <span style="{_BADGE}">{name}</span>'
