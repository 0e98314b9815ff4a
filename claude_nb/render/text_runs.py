"""What of a reply belongs together: the texts that the API cut in mid-sentence are one passage.

An answer with citations comes as many text blocks, each cited one by itself: "According to the
report, ", "the sky is blue", ". And". Only together are they Markdown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_nb.errors import Redactor
from claude_nb.render.markdown import citation_marks
from claude_nb.render.markdown.characters import MOST, Cleaner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from claude_nb.streaming.block import Block, Break
    from claude_nb.streaming.progress import Progress


def goes_on(block: Block, before: Block | None) -> bool:
    """Whether a block goes on with the passage of the block right before it in its message."""
    return before is not None and before.type == block.type == "text"


def passages(progress: Progress) -> list[list[Block]]:
    """The content blocks of all messages, in order: consecutive texts together, others alone."""
    found: list[list[Block]] = []
    passage_of: dict[Block, list[Block]] = {}
    for message in progress.messages:
        before = None
        for block in message.content:
            if block not in passage_of:
                if before is not None and goes_on(block, before):
                    passage_of[block] = passage_of[before]
                else:
                    passage_of[block] = []
                    found.append(passage_of[block])
                passage_of[block].append(block)
            before = block
    return found


def raw(blocks: Iterable[Block]) -> str:
    """The text of a passage, as it came."""
    return "".join(block.text for block in blocks if not block.lost)


def breaks(blocks: Iterable[Block]) -> list[tuple[int, Break]]:
    """Where a passage was broken off: the places in its text, in characters."""
    found = []
    length = 0
    for block in blocks:
        if not block.lost:
            found += [(length + seam.at, seam) for seam in block.breaks]
            length += len(block.text)
    return found


def marked(blocks: Sequence[Block], mark: Callable[[Block], str]) -> str:
    """The text of a passage as it is shown: clean, without keys, not too long, and with marks.

    Args:
        blocks: The text blocks of the passage.
        mark: What stands behind a block that is complete, such as a number for its source.
    """
    keys, cleaner, left = Redactor(), Cleaner(prose=True), MOST
    parts = []
    for block in blocks:
        if block.lost:
            continue
        text = block.text
        parts.append(cleaner.feed(keys.feed(text[:left])))
        if block.ended is not None and (behind := mark(block)) and len(text) <= left:
            parts.append(citation_marks.mark(behind))
        left = max(0, left - len(text))
    return "".join([*parts, cleaner.finish()])
