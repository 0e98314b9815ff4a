"""The sources that a reply cites, numbered, and the marks in its text that name them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render.markdown.inline import QUIET, host, link, markdown, markdown_link, text
from claude_nb.render.partial_json import write
from claude_nb.render.text_runs import text_runs
from claude_nb.streaming.block import Block
from claude_nb.streaming.progress import Progress

_LONGEST_QUOTE = 300
_MOST_QUOTES = 10

_PLACES = (
    ("page", ("start_page_number", "end_page_number"), 1),
    ("character", ("start_char_index", "end_char_index"), 0),
    ("block", ("start_block_index", "end_block_index"), 0),
)
"""What places are counted in, the fields that name them, and the number of the first one."""


@dataclass(slots=True)
class Source:
    """Something that a reply cites.

    Attributes:
        number: Its number in the reply, from 1.
        title: Its title, or else its address or its place among the documents.
        url: Its address as it came, of any scheme; empty for a document.
        quotes: The places and passages that are cited, in their order, each once.
    """

    number: int
    title: str
    url: str
    quotes: dict[str, None] = field(default_factory=dict)


class Sources:
    """The sources of a reply, numbered in the order in which they are cited."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}

    @classmethod
    def of(cls, progress: Progress) -> Sources:
        """The sources that a reply has cited so far."""
        found = cls()
        for blocks in text_runs(progress):
            for block in blocks:
                if block.type == "text" and block.ended is not None and not block.lost:
                    found.cite(block)
        return found

    def __iter__(self) -> Iterator[Source]:
        return iter(self._sources.values())

    def __len__(self) -> int:
        return len(self._sources)

    def cite(self, block: Block) -> list[Source]:
        """Add what a complete text block cites; to add a block again changes nothing.

        Returns:
            The block's sources, each once; none if it holds only white space.
        """
        cited: dict[int, Source] = {}
        for citation in filter(None, block.citations) if block.text.strip() else ():
            source = self._source(citation)
            cited[source.number] = source
            if quote := _quote(citation):
                source.quotes[quote] = None
        return list(cited.values())

    def _source(self, citation: dict[str, Any]) -> Source:
        url = _string(citation.get("url")) or _string(citation.get("source"))
        title = _string(citation.get("title")) or _string(citation.get("document_title"))
        place = citation.get("document_index")
        key = url or write([place, title, citation.get("search_result_index")])
        if key not in self._sources:
            document = f"Document {place + 1}" if isinstance(place, int) else "Source"
            self._sources[key] = Source(len(self) + 1, title or url or document, url)
        return self._sources[key]

    def mark(self, block: Block) -> str:
        """The mark behind a complete text block as HTML: the number of each source, linked."""
        cited = self.cite(block)
        shown = "".join(link(each.url, f"[{each.number}]", title=each.title) for each in cited)
        # The line height keeps lines with a mark as far apart as others are.
        return f'<sup style="line-height:0">{shown}</sup>' if shown else ""

    def mark_text(self, block: Block) -> str:
        """The mark behind a complete text block as plain text: ``[1][3]``."""
        return "".join(f"[{source.number}]" for source in self.cite(block))

    def to_html(self) -> tuple[str, str]:
        """The list of sources as HTML: the label of its pane, and the list."""
        items = "".join(f"<li>{_item(source)}</li>" for source in self)
        label = f'<b>Sources</b><span style="{QUIET}"> · {len(self)}</span>'
        return label, f'<ol style="margin:0 0 4px">{items}</ol>'

    def to_markdown(self) -> str:
        """The list of sources as Markdown."""
        items = []
        for source in self:
            where = f" · {markdown(_where(source))}" if _where(source) else ""
            first = f"{source.number}. {markdown_link(source.url, source.title)}{where}"
            indent = " " * (len(str(source.number)) + 2)
            items.append(f"  \n{indent}".join([first, *map(markdown, _quotes(source))]))
        return "\n".join(["**Sources**\n", *items])

    def record(self) -> list[dict[str, str]]:
        """The list of sources for a machine to read."""
        return [
            {"title": clean(redact(source.title)), "url": clean(redact(source.url))}
            for source in self
        ]


def _item(source: Source) -> str:
    named = link(source.url, text(source.title))
    where = _where(source)
    lines = [f'{named}<span style="{QUIET}"> · {text(where)}</span>' if where else named]
    lines += [f'<span style="{QUIET}">{text(quote)}</span>' for quote in _quotes(source)]
    return "<br>".join(lines)


def _where(source: Source) -> str:
    """The server of a source, or its address if that is no link; else nothing."""
    return host(source.url) or (source.url if source.url != source.title else "")


def _quotes(source: Source) -> Sequence[str]:
    quotes = list(source.quotes)
    rest = len(quotes) - _MOST_QUOTES
    return quotes if rest <= 0 else [*quotes[:_MOST_QUOTES], f"and {rest} more passages"]


def _quote(citation: dict[str, Any]) -> str:
    """The text that is cited, behind its place in the document if that is known."""
    quote = " ".join(_string(citation.get("cited_text"))[: 4 * _LONGEST_QUOTE].split())
    short = quote if len(quote) <= _LONGEST_QUOTE else f"{quote[: _LONGEST_QUOTE - 1]}…"
    return " ".join(filter(None, [_place(citation), short and f"“{short}”"]))


def _place(citation: dict[str, Any]) -> str:
    """Where in its document something is cited: ``page 3``, ``characters 120–180``."""
    for noun, names, counted_from in _PLACES:
        first, end = map(citation.get, names)
        if isinstance(first, int) and isinstance(end, int):
            if noun == "character":
                return f"characters {first}–{end}"
            first, last = first + 1 - counted_from, end - counted_from  # the end is behind the last
            return f"{noun} {first}" if last <= first else f"{noun}s {first}–{last}"
    return ""


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
