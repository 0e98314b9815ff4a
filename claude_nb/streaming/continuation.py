"""Where a text was broken off, and how what another request adds to it is joined on."""

from __future__ import annotations

from claude_nb.streaming.block import Block, Break

OVERLAP = 20
"""Characters that a continuation must repeat to count as a repetition; white space always does."""

_WINDOW = 4000
"""Characters before a break that a continuation is compared with."""


class Continuation:
    """How the text of a request that goes on from a broken one is joined to what came before.

    Args:
        before: The text that came before.
        block: The text block that was broken off, or None if the text was between blocks.
        broken: Where and why it was broken off.

    Attributes:
        text: The block that the new text goes to, once it has begun.
    """

    def __init__(self, before: str, block: Block | None, broken: Break) -> None:
        self.text: Block | None = None
        self._before = before[-_WINDOW:]
        self._block = block
        self._break = broken
        self._held = ""
        self._joined = False

    def begin(self, block: Block) -> Block:
        """The block that takes the new text: the broken one, or else ``block``."""
        self.text = self._block or block
        self.text.breaks.append(self._break)
        return self.text

    def new_part(self, block: Block, text: str) -> str:
        """The part of a delta that is new: models repeat a little of what they continue.

        Text is held back while it could still be a repetition.
        """
        if block is not self.text or self._joined:
            return text
        self._held += text
        return "" if self._held in self._before else self.held_back(block)

    def held_back(self, block: Block) -> str:
        """The text that was held back, without the repetition."""
        if block is not self.text or self._joined:
            return ""
        self._joined = True
        return self._held[overlap(self._before, self._held) :]


def overlap(before: str, after: str) -> int:
    """How many characters at the beginning of ``after`` repeat the end of ``before``."""
    for length in range(min(len(before), len(after)), 0, -1):
        repeated = length >= OVERLAP or after[:length].isspace()
        if repeated and before.endswith(after[:length]):
            return length
    return 0


def common_prefix(old: str, new: str) -> int:
    """How many characters two texts have in common from their beginning."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
