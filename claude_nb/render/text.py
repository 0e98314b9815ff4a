"""A reply as Markdown, and as plain text made from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from claude_nb.characters import MAX_BLOCK_CHARACTERS, brief, clean, in_code
from claude_nb.redaction import redact
from claude_nb.render import displayed, labels, results, tool_results
from claude_nb.render.citations import Sources
from claude_nb.render.displayed import LONG_TEXT
from claude_nb.render.markdown import host_math
from claude_nb.render.markdown.inline import fenced, plain_text
from claude_nb.render.markdown.markdown import (
    BREAK,
    INLINE_LIMIT,
    open_fence,
    top_level,
    with_dollars,
    with_marks,
)
from claude_nb.render.text_runs import marked, raw, text_runs
from claude_nb.render.usage import of_reply
from claude_nb.streaming.block import TOOL_CALLS, Block
from claude_nb.streaming.events import ToolRan
from claude_nb.streaming.progress import Progress

_AMPERSAND = re.compile("&(?!#91;)")
_SUSPICIOUS = re.compile(r"<[A-Za-z/!?]|!\[|&[#A-Za-z]|\](?!\((?:https?://|mailto:)|[^\[\]:(]|\Z)")
"""Without one of these there is no raw HTML, no image, no entity, and no link but to the web: HTML
begins with ``<`` and a letter or one of three signs, a link has ``](``, or ``][`` or ``]:``."""

_FILLED = re.compile(rf"\]\([^()\s]*(?:{host_math.PLACE}|[\s(])|(?:```|~~~)[^\n]*{host_math.PLACE}")
"""Without one of these no formula is part of an address, a title or the name of a fence."""

_RESULT = 1_000
"""Characters of a tool's result in plain text."""

_OVERLONG = "overlong"
"""The type of the tokens of text that is too long to be parsed."""


def plain(progress: Progress) -> str:
    """The reply as plain text: as in Markdown, without our own markup."""
    parts = ["\n".join(f"[{note}]" for note in _notes(progress))]
    parts += [part.strip() for part in _content(progress, str, _plain_block, plain_text)]
    parts += [_card(progress), usage(progress)]
    return "\n\n".join(part for part in parts if part)


def _plain_block(block: Block) -> str:
    if block.type == "display":
        return displayed.to_plain(displayed.checked(block.to_dict().get("parts")))
    if block.type not in TOOL_CALLS:
        return plain_text(_block(block))
    lines = [f"[{brief(block.name)}] {block.text[:MAX_BLOCK_CHARACTERS]}".rstrip()]
    lines += [labels.call_outcome(block).strip(" ·"), tool_results.display_plain(block.run)]
    for result in tool_results.texts(block.run):
        if isinstance(block.run, ToolRan) and result.strip() != block.run.note:
            rest = len(result) - _RESULT
            lines += [result[:_RESULT].rstrip(), f"[{rest:,} more characters]" if rest > 0 else ""]
    return clean(redact("\n".join(filter(None, lines))))


def _notes(progress: Progress) -> list[str]:
    return [clean(redact(note)) for note in progress.notes]


def _content(
    progress: Progress,
    escape: Callable[[str], str],
    of_block: Callable[[Block], str],
    finish: Callable[[str], str],
) -> Iterator[str]:
    """The text runs, blocks and sources, one after another.

    Args:
        progress: The reply.
        escape: What to do with the numbers of sources in the text, such as ``[1]``.
        of_block: The form of a block that is no text.
        finish: What to do with the Markdown of the sources.
    """
    sources = Sources()
    for blocks in text_runs(progress):
        first, is_text = blocks[0], blocks[0].type == "text"
        part, length = "", len(first.text)
        if is_text:
            run = marked(blocks, lambda block: escape(sources.mark_text(block)))
            part, length = _visible_code(with_marks(run)), len(raw(blocks))
        elif progress.shows(first):
            part = of_block(first)
        yield part
        if part and length > MAX_BLOCK_CHARACTERS:
            yield f"[{labels.more_characters(length - MAX_BLOCK_CHARACTERS)}]"
    if sources:
        yield finish(sources.to_markdown())


def _visible_code(source: str) -> str:
    """Clean Markdown, in which blocks with code are cleaned as code."""
    return source if in_code(source) == source else _change_blocks(source, _hides_in_code, in_code)


def _hides_in_code(tokens: Iterable[Token]) -> bool:
    return any(t.tag == "code" and in_code(t.content) != t.content for t in tokens)


def _card(progress: Progress) -> str:
    note = labels.card(progress)
    return clean(redact(f"[{note.title}] {note.text}")) if note else ""


def usage(progress: Progress) -> str:
    """Who has answered, and the usage table with the notes on the cache."""
    shown = of_reply(progress)
    return "\n".join(filter(None, [_answered_by(progress), repr(shown) if shown else ""]))


def _answered_by(progress: Progress) -> str:
    simulated = ["simulated"] if progress.simulated else []
    if not any(message.accepted for message in progress.messages):
        return "".join(simulated)
    replayed = ["replayed"] if progress.replayed else []
    return clean(redact(" · ".join([brief(labels.title(progress)), *simulated, *replayed])))


def markdown(progress: Progress) -> str:
    """The reply as Markdown: as the model wrote it, with raw HTML and unsafe links escaped.

    A front end that prefers Markdown to HTML may render it without sanitising (JupyterLab does so
    in a trusted cell), so blocks that could run or fetch something are escaped. All of it is
    checked at once: a link in one part may be defined in another.
    """
    parts = ["  \n".join(f"*{_escape(note)}*" for note in _notes(progress))]
    parts += [closed(part) for part in _content(progress, _escape, _block, str)]
    shown = of_reply(progress)
    parts += [_escape(_card(progress)), f"*{_escape(_answered_by(progress))}*"]
    parts += [shown.to_markdown()] if shown else []
    return harmless("\n\n".join(part for part in parts if part.strip("*")))


def _block(block: Block) -> str:
    if block.type in TOOL_CALLS:
        outcome = _escape(clean(redact(labels.call_outcome(block))))
        head = f"**{_escape(clean(redact(brief(block.name))))}**{outcome}"
        parts = [head, fenced(block.text[:MAX_BLOCK_CHARACTERS], "json")]
        parts += filter(None, [tool_results.display_markdown(block.run)])
        for answer in tool_results.texts(block.run):
            rest = len(answer) - LONG_TEXT
            parts += [fenced(answer[:LONG_TEXT], "")]
            parts += [f"*{rest:,} more characters*"] if rest > 0 else []
        return "\n\n".join(parts)
    if block.type == "display":
        return displayed.to_markdown(displayed.checked(block.to_dict().get("parts")))
    result = results.read(block)
    return results.to_markdown(result) if result else ""


def closed(source: str) -> str:
    """Markdown in which a fence that was cut off is closed, so that it does not go on."""
    if "```" not in source and "~~~" not in source:
        return source
    fence = open_fence(_block_parser().parse(source))
    return f"{source}\n{fence}" if fence else source


def harmless(source: str) -> str:
    """Markdown with the blocks escaped that hold raw HTML, images, unsafe links or hidden text.

    A suspicious block that is too long to be checked is escaped too. Formulas stand between
    dollars, as every front end takes them.
    """
    source = with_dollars(source)
    if _SUSPICIOUS.search(source):
        source = _change_blocks(source, _is_dangerous, _escape)
    parsed = host_math.taken_out(source)
    return source if parsed is source or _is_harmless(parsed) else host_math.without_math(source)


def _is_harmless(parsed: str) -> bool:
    """Whether it is harmless when JupyterLab puts the formulas back into it."""
    if not (_FILLED.search(parsed) or _SUSPICIOUS.search(parsed)):
        return True
    every = _with_children(_html_parser().parse(parsed))
    filled = [part for each in every for part in (each.info, *map(str, each.attrs.values()))]
    return not _is_dangerous(every) and not any(host_math.PLACE in part for part in filled)


def _change_blocks(
    source: str, is_wrong: Callable[[Iterable[Token]], bool], change: Callable[[str], str]
) -> str:
    """Markdown in which the lines of the blocks with wrong tokens are changed."""
    lines = source.split("\n")
    for block in top_level(_html_parser().parse(source)):
        if block[0].map and is_wrong(_with_children(block)):
            first, end = block[0].map
            lines[first:end] = map(change, lines[first:end])
    return "\n".join(lines)


def _with_children(tokens: Iterable[Token]) -> list[Token]:
    return [each for token in tokens for each in (token, *(token.children or []))]


def _is_dangerous(tokens: Iterable[Token]) -> bool:
    for token in tokens:
        if token.type == "html_inline" and BREAK.fullmatch(token.content):
            continue
        if token.type in ("html_block", "html_inline", "image", _OVERLONG):
            return True
        if token.type == "text" and clean(token.content, prose=True) != token.content:
            return True  # by an entity
        href = str(token.attrs.get("href", ""))
        if token.type == "link_open" and not href.startswith(("http:", "https:", "mailto:", "#")):
            return True
    return False


def _escape(line: str) -> str:
    # As an entity: a backslash could follow another one. `&#91;` may be from a citation mark.
    return _AMPERSAND.sub("&amp;", line).replace("<", "&lt;").replace("[", "&#91;")


@cache
def _block_parser() -> MarkdownIt:
    """A parser for blocks only."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").disable("inline")


@cache
def _html_parser() -> MarkdownIt:
    """A parser that finds everything that a careless renderer would let through."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005 - checked later
    parser.core.ruler.before("inline", "limit", _limit)
    return parser


def _limit(state: StateCore) -> None:
    """Do not parse overlong text: that can take more than linear time."""
    for token in state.tokens:
        if token.type == "inline" and len(token.content) > INLINE_LIMIT:
            token.type = _OVERLONG
