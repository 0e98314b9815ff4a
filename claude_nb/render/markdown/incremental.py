"""Markdown that is still being written, as patches of the HTML that is already shown.

A text has top-level blocks, numbered from 0. After any number of deltas, `Incremental` returns what
has changed in them as patches. A patch as JSON is ``{"block", "keep", "html", "rest"}``, all
lengths in UTF-16 code units (as in JavaScript), and it means::

    html[block] = old.slice(0, keep) + patch.html + old.slice(old.length - rest)

with ``old`` the HTML of that block before the patch, "" for a new one. Patches are applied in
order:

- A new block's number is the number of blocks so far; nothing is ever inserted between blocks.
- ``rest`` is 0 except while a code fence grows. Then ``keep + rest`` is the whole old block,
  ``rest`` is its closing tags, and ``html`` is escaped text without a tag: the front end appends
  it to the block's ``code`` element (in elements of its own if that is cheaper) and leaves
  everything before it alone, a selection among it.
- ``keep`` 0 with an empty ``html`` removes a block. It is always the last one then.
- Otherwise ``keep`` may end anywhere, inside a tag too: the block's nodes are made anew.
- A block that is closed is patched again only if a link that it refers to is defined later.

The concatenation of all blocks is, at every frame, ``to_html(text, live=True)`` of the text so
far, which heals its end (see `healing`), except that the unfinished last line of an open fence is
held back while it may still close the fence, and so is what `Cleaner` holds back. After
`Incremental.finish`, `saved` turns it into ``to_html(text)``.

The cost is linear in the text: only what may still change is parsed again. That is the last
block, and of a list or table only its last item or row.

A mark can be put between deltas (see `citation_marks`); "the text" is then the text with its marks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from markdown_it.common.utils import escapeHtml

from claude_nb.characters import Cleaner, in_code
from claude_nb.render.markdown import citation_marks, nested_fence
from claude_nb.render.markdown.blocks import (
    MarkdownBlock,
    OpenPart,
    formula_line,
    line_of,
    missing_cells,
    offset_of,
    paragraphs,
    split,
)
from claude_nb.render.markdown.code_box import CODE_END
from claude_nb.render.markdown.markdown import parse, render
from claude_nb.streaming.continuation import common_prefix

_FENCE: Final = re.compile(r"(`{3,}|~{3,})([^\n]*)\n")
_MARKER: Final = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])")
_MISSING_CELLS: Final = 0x10000
"""markdown-it ends a table that lacks more cells than this."""


class Patch(NamedTuple):
    """One change of one block (see the module's docstring)."""

    block: int
    keep: int
    html: str
    rest: int = 0


class _Definitions(dict[str, Any]):
    """Link definitions that record which labels were looked up."""

    def __init__(self, known: dict[str, Any]) -> None:
        super().__init__(known)
        self.asked: set[str] = set()

    def get(self, label: str, default: Any = None) -> Any:
        self.asked.add(label)
        return super().get(label, default)


@dataclass(slots=True)
class _Fence:
    """An open fence whose text is appended without being parsed."""

    may_end: re.Pattern[str]
    lines: re.Pattern[str]  # those that end it, and those that begin another in it (a group)
    nests: bool
    depth: int = 0  # how many are open in it
    in_line: bool = False  # the last line has begun to be shown, so it is not the end

    @classmethod
    def opened(cls, markup: str, info: str) -> "_Fence":
        """A fence that such a line opens."""
        nests = nested_fence.holds_fences(info)
        line = nested_fence.line_pattern(markup)
        marker = re.escape(markup[0])
        may_end = rf" {{0,3}}(?:{line}|{marker}*[ \t]*)" if nests else rf" {{0,3}}{marker}*[ \t]*"
        lines = re.compile(rf"^ {{0,3}}{line}\n", re.MULTILINE)
        return cls(re.compile(rf"{may_end}|[ \t]*"), lines, nests)

    def ends_in(self, text: str, begin: int) -> bool:
        """Whether it ends in the complete lines of a text from a place on."""
        for line in self.lines.finditer(text, begin):
            if line[1]:
                self.depth += self.nests
            elif self.depth:
                self.depth -= 1
            else:
                return True
        return False


class Incremental:
    """Renders a growing text, block by block, in the live form."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._new: list[str] = []
        self._marked: list[str] = []  # what came since the last frame, as far as the newest mark
        self._cleaner = Cleaner(prose=True)
        self._tail = ""  # what is parsed at the next frame
        self._before: list[str] = []  # the open block's text before that, ...
        self._html: list[str] = []  # its HTML, which is then not in `_blocks`, ...
        self._units = 0  # and how many UTF-16 code units that has
        self._first = 0  # the first block that is open
        self._defined: dict[str, Any] = {}  # link definitions that are final
        self._tentative: dict[str, Any] = {}  # those in the tail
        self._waiting: dict[int, tuple[str, set[str]]] = {}  # closed blocks, undefined labels
        self._fence: _Fence | None = None
        self._part: OpenPart | None = None

    @property
    def blocks(self) -> list[str]:
        """The HTML of each block as of the last frame."""
        blocks = list(self._blocks)
        if self._html:
            blocks[self._first] = "".join(self._html) + blocks[self._first]
        return blocks

    @property
    def open_units(self) -> int:
        """UTF-16 code units of HTML that a front end may have to lay out anew at every frame."""
        if self._fence:
            return 0
        return self._units + sum(_units(html) for html in self._blocks[self._first :])

    def feed(self, delta: str) -> None:
        """Add a piece of text for the next `frame`."""
        self._new.append(delta)

    def mark(self, html: str) -> None:
        """Put a mark behind the text so far."""
        self._marked += [self._cleaner.feed("".join(self._new)), citation_marks.mark(html)]
        self._new.clear()

    def frame(self) -> list[Patch]:
        """The changes since the last frame."""
        text = "".join([*self._marked, self._cleaner.feed("".join(self._new))])
        self._new.clear()
        self._marked.clear()
        if not text:
            return []
        if self._fence:
            patches = self._append(self._fence, self._tail, text)
            if patches is not None:
                return patches
        else:
            self._tail += text
        return self._parse()

    def finish(self) -> list[Patch]:
        """The last changes, after which the blocks are those of the whole text."""
        patches = self.frame()
        self._tail += self._cleaner.finish()
        if self._tail or self._fence:
            self._reopen()
            patches += self._parse(finished=True)
        return patches

    def _reopen(self) -> None:
        """Parse all of the open block again."""
        lead = len(self._part.lead) if self._part else 0
        self._tail = "".join(self._before) + self._tail[lead:]
        self._join()

    def _join(self) -> None:
        """Join the open block's HTML, and forget the text that was not to be parsed again."""
        self._blocks = self.blocks
        self._before.clear()
        self._html.clear()
        self._units = 0
        self._fence = self._part = None

    def _take(self, text: str, html: str) -> None:
        """Keep `text` of the open block, rendered as `html`, from being parsed again."""
        self._before.append(text)
        self._html.append(html)
        self._units += _units(html)

    def _append(self, fence: _Fence, held: str, new: str) -> list[Patch] | None:
        """Append text to an open fence, without marks; None if the fence ends in it."""
        text = held + citation_marks.unmarked(new)
        newline = text.rfind("\n") + 1
        first = text.find("\n") + 1 if fence.in_line else 0
        if newline and fence.ends_in(text, first):
            self._tail = held + new
            self._reopen()
            return None
        begun = fence.in_line and not newline
        self._tail = ""
        if not begun and fence.may_end.fullmatch(text, newline):
            text, self._tail = text[:newline], text[newline:]
        if not text:
            return []
        fence.in_line = not text.endswith("\n")
        html = escapeHtml(in_code(text))
        patch = Patch(self._first, self._units, html, len(CODE_END))
        self._take(text, html)
        return [patch]

    def _parse(self, *, finished: bool = False) -> list[Patch]:
        definitions = _Definitions(self._defined)
        blocks = split(parse(self._tail, {"references": definitions}, growing=not finished))
        tentative = {
            label: (found["href"], found["title"])
            for label, found in definitions.items()
            if label not in self._defined
        }
        changed = {label for label, _ in tentative.items() ^ self._tentative.items()}
        part = self._part
        if part:
            part.asked |= definitions.asked
            if changed & part.asked or not part.continues(blocks):
                self._reopen()
                return self._parse()
        self._tentative = tentative
        patches = list(self._heal(changed, definitions))
        fence = None if finished else self._open_fence(blocks)
        rendered = [
            render(block.tokens, growing=not finished or block is not blocks[-1])
            for block in blocks
        ]
        if part:
            rendered[0] = part.inside(rendered[0])
        for number, html in enumerate(rendered, self._first):
            patches += self._change(number, html)
        while len(self._blocks) > self._first + len(blocks):
            self._blocks.pop()
            patches.append(Patch(len(self._blocks), 0, ""))
        if not finished:
            self._close(blocks, definitions)
            if fence:
                self._fence, held = fence
                shown = citation_marks.unmarked(self._tail).removesuffix(held)
                self._take(shown, self._blocks[-1].removesuffix(CODE_END))
                self._blocks[-1], self._tail = CODE_END, held
        return patches

    def _change(self, number: int, html: str) -> Iterator[Patch]:
        if number == len(self._blocks):
            self._blocks.append("")
        old = self._blocks[number]
        if old != html:
            self._blocks[number] = html
            keep = common_prefix(old, html)
            before = self._units if number == self._first else 0
            yield Patch(number, before + _units(old[:keep]), html[keep:])

    def _heal(self, changed: set[str], definitions: dict[str, Any]) -> Iterator[Patch]:
        """Render closed blocks again that refer to a link whose definition changed."""
        for number, (source, labels) in self._waiting.items():
            if labels & changed:
                tokens = parse(source, {"references": dict(definitions)})
                yield from self._change(number, render(tokens))

    def _open_fence(self, blocks: list[MarkdownBlock]) -> tuple[_Fence, str] | None:
        """The open fence that the tail ends in, if any, and its line to hold back."""
        if not blocks or blocks[-1].opening.type != "fence":
            return None
        tail = citation_marks.unmarked(self._tail)
        if formula_line(tail) <= blocks[-1].start:
            return None
        begin = offset_of(tail, blocks[-1].start)
        opening = _FENCE.match(tail, begin)
        if not opening:
            return None
        fence = _Fence.opened(opening[1], opening[2])
        if fence.ends_in(tail, opening.end()):
            return None
        newline = tail.rfind("\n") + 1
        held = tail[newline:] if fence.may_end.fullmatch(tail, newline) else ""
        token = blocks[-1].opening
        token.content = tail[opening.end() : len(tail) - len(held)]
        token.map = None  # so that it is not taken for closed
        fence.in_line = bool(token.content) and not token.content.endswith("\n")
        return fence, held

    def _close(self, blocks: list[MarkdownBlock], definitions: _Definitions) -> None:
        """Close the blocks that are final, and settle the final items or rows of the last one."""
        complete = self._tail.count("\n")
        bound = formula_line(citation_marks.unmarked(self._tail))
        count = max(len(blocks) - 1, 0)
        while count > 0 and (blocks[count].settles > complete or blocks[count - 1].end > bound):
            count -= 1
        cut = 0
        if count > 0:
            cut = blocks[count - 1].end
            self._define(definitions, cut)
            asked = definitions.asked | (self._part.asked if self._part else set())
            if asked - self._defined.keys():
                self._await(blocks[:count], definitions)
            self._tail = self._tail[offset_of(self._tail, cut) :]
            self._join()
            self._first += count
        if blocks and count == len(blocks) - 1:
            self._settle(blocks[-1], cut, bound, complete, definitions)

    def _define(self, definitions: _Definitions, line: int) -> None:
        """Make the definitions final that end before `line` of the tail."""
        for label, found in definitions.items():
            if label not in self._defined and found["map"][1] <= line:
                self._defined[label] = found
                self._tentative.pop(label, None)
        for number, (source, labels) in list(self._waiting.items()):
            if labels <= self._defined.keys():
                del self._waiting[number]
            else:
                self._waiting[number] = source, labels - self._defined.keys()

    def _await(self, blocks: list[MarkdownBlock], definitions: _Definitions) -> None:
        """Remember the blocks being closed that refer to a label without a final definition."""
        for number, block in enumerate(blocks, self._first):
            end = citation_marks.end_of_marks(self._tail, offset_of(self._tail, block.end))
            source = self._tail[offset_of(self._tail, block.start) : end]
            if self._part and number == self._first:
                source = "".join(self._before) + source[len(self._part.lead) :]
            found = _Definitions(definitions)
            parse(source, {"references": found})
            if labels := found.asked - self._defined.keys():
                self._waiting[number] = source, labels

    def _settle(
        self, block: MarkdownBlock, cut: int, bound: int, complete: int, definitions: _Definitions
    ) -> None:
        """Remove the final items or rows of the open list or table from the tail."""
        # An item's first line must be complete to end the one before; a row ends with its line.
        children = block.children(min(bound, complete if block.is_table else complete - 1))
        if len(children) < 2:
            return
        line = line_of(block.tokens[children[-1]])
        offset = offset_of(self._tail, line - cut)
        html = render(block.tokens[: children[-1]])
        part = self._part
        lead, loose, missing = "", False, part.missing if part else 0
        text = self._tail[len(part.lead) if part else 0 : offset]
        if block.is_table:
            begin = offset_of(self._tail, block.start - cut)
            lead = self._tail[begin : offset_of(self._tail, block.start - cut + 2)]
            columns = sum(token.type == "th_open" for token in block.tokens)
            missing += missing_cells(citation_marks.unmarked(text), columns)
            if missing > _MISSING_CELLS:
                self._reopen()
                return
        else:
            marker = _MARKER.match(self._tail, offset)
            if marker is None:
                return
            probe = split(parse(f"{self._tail[:offset]}{marker[0]} x", {"references": {}}))
            loose = not probe[-1].tokens[-5].hidden or bool(part and part.loose)
            if any(t.hidden == loose for t in paragraphs(block.tokens[: children[-1]])):
                return  # loose for now, because of what is not settled
        if part:
            html = part.inside(html)
            part.loose, part.missing = loose, missing
        else:
            self._part = OpenPart(block.opening, lead, loose, missing, definitions.asked.copy())
        self._define(definitions, line)
        self._take(text, html)
        self._blocks[self._first] = self._blocks[self._first].removeprefix(html)
        self._tail = lead + self._tail[offset:]


def _units(text: str) -> int:
    """The length of `text` in JavaScript."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
