"""Text runs: consecutive text blocks, which are Markdown only together.

An answer with citations comes as many text blocks, each cited by itself: "According to the
report, ", "the sky is blue", ". And".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from claude_nb.characters import MAX_BLOCK_CHARACTERS, Cleaner
from claude_nb.errors import Redactor
from claude_nb.render.markdown import citation_marks
from claude_nb.streaming.block import Block, Break
from claude_nb.streaming.progress import Progress


def goes_on(block: Block, before: Block | None) -> bool:
    """Whether a block belongs to the text run of the block right before it in its message."""
    return before is not None and before.type == block.type == "text"


def text_runs(progress: Progress) -> list[list[Block]]:
    """The content blocks of all messages, in order: consecutive texts together, others alone."""
    runs: list[list[Block]] = []
    run_of: dict[Block, list[Block]] = {}
    for message in progress.messages:
        before = None
        for block in message.content:
            if block not in run_of:
                if before is not None and goes_on(block, before):
                    run_of[block] = run_of[before]
                else:
                    run_of[block] = []
                    runs.append(run_of[block])
                run_of[block].append(block)
            before = block
    return runs


def raw(blocks: Iterable[Block]) -> str:
    """The text of a run, as it came."""
    return "".join(block.text for block in blocks if not block.lost)


def breaks(blocks: Iterable[Block]) -> list[tuple[int, Break]]:
    """Where a run was broken off: each place in its text, in characters."""
    found = []
    length = 0
    for block in blocks:
        if not block.lost:
            found += [(length + each.at, each) for each in block.breaks]
            length += len(block.text)
    return found


def marked(blocks: Sequence[Block], mark: Callable[[Block], str]) -> str:
    """The text of a run as it is shown: clean, without keys, not too long, and with marks.

    Args:
        blocks: The text blocks of the run.
        mark: Returns what stands behind a complete block, such as the number of its source.
    """
    keys, cleaner, left = Redactor(), Cleaner(prose=True), MAX_BLOCK_CHARACTERS
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
