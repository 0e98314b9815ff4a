"""Inline Markdown as models write it: emphasis beside CJK punctuation, and bare web addresses."""

import re
import unicodedata
from typing import Final, cast

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType

# Up to a space, a character that no address has, or what follows an address in Chinese and
# Japanese: punctuation (U+3000 to U+303F, full-width forms) and Hiragana.
_ADDRESS: Final = re.compile(
    r"https?://[a-z0-9][a-z0-9.-]*(?::\d+)?"
    r"(?:[/?#][^\s<>\"`*|\\^{}\u3000-\u309f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]*)?",
    re.IGNORECASE,
)
_SCHEME: Final = re.compile(r"(?<![^\W_])(?<!\\)https?\Z", re.IGNORECASE)
"""Not behind a backslash, which makes its first letter a token of its own."""

_BEHIND: Final = re.compile(r"(?:[?!.,:;_~'\"]|&\w+;)+\Z")
"""Punctuation that ends the sentence, not the address, as in GitHub's Markdown."""


class OpenText(str):
    """Inline text in which all that has come so far ends (see `healing`).

    Attributes:
        line_ended: Whether its last line is complete.
    """

    __slots__ = ("line_ended",)
    line_ended: bool


class InlineState(StateInline):
    """Inline text being parsed.

    Attributes:
        open_text: The text, if it may still grow.
        in_link: Whether a link has begun in it that is not complete.
    """

    def __init__(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> None:
        super().__init__(str(src), md, env, tokens)
        self.open_text = src if isinstance(src, OpenText) else None
        self.in_link = False

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: FBT001, N802, N803
        """What a run of markers can do, such as `**`: beside CJK punctuation the same as in words.

        Else `**「雨」**でした` would not be bold: between punctuation and a letter a run can only
        open. The rule is that of the markdown-cjk-friendly specification.
        """
        scanned = super().scanDelims(start, canSplitWord)
        end = start + scanned.length
        before = self.src[start - 1] if start else " "
        after = self.src[end] if end < self.posMax else " "
        if before.isascii() and after.isascii():
            return scanned
        cjk = _is_cjk(before), _is_cjk(after)
        if not any(cjk):
            return scanned
        space = isWhiteSpace(ord(before)), isWhiteSpace(ord(after))
        mark = _is_punctuation(before), _is_punctuation(after)
        other = [each and not wide for each, wide in zip(mark, cjk, strict=True)]
        left = not space[1] and (not other[1] or space[0] or other[0] or cjk[0])
        right = not space[0] and (not other[0] or space[1] or other[1] or cjk[1])
        return Scanned(
            left and (canSplitWord or not right or mark[0]),
            right and (canSplitWord or not left or mark[1]),
            scanned.length,
        )


def open_text(state: StateInline) -> OpenText | None:
    """The text being parsed, if it may still grow and is parsed up to its end."""
    text = cast("InlineState", state).open_text
    return text if state.posMax == len(state.src) else None


def _is_punctuation(character: str) -> bool:
    return isMdAsciiPunct(ord(character)) or isPunctChar(character)


def _is_cjk(character: str) -> bool:
    """Whether it is a wide letter, sign or punctuation mark of East Asia; emoji are none."""
    wide = unicodedata.east_asian_width(character) in "WFH"
    return wide and unicodedata.category(character) != "So"


class InlineParser(ParserInline):
    """markdown-it's inline parser with `InlineState`."""

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        """Parse inline text, as markdown-it does."""
        state = InlineState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def address(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """Link an address of the web that stands in the text as it is."""
    if state.src[state.pos] != ":" or state.linkLevel:
        return False
    scheme = _SCHEME.search(state.src[max(0, state.pos - 6) : state.pos])
    begin = state.pos - len(scheme[0]) if scheme else 0
    found = _ADDRESS.match(state.src, begin, state.posMax) if scheme else None
    if not found or (
        found.end() == len(state.src) and cast("InlineState", state).open_text is not None
    ):
        return False
    url = _BEHIND.sub("", found[0])
    while url.endswith(")") and url.count(")") > url.count("("):
        url = _BEHIND.sub("", url[:-1])
    href = state.md.normalizeLink(url)
    if len(url) <= state.pos - begin + len("://") or not state.md.validateLink(href):
        return False
    if not silent:
        marks = _take_back(state, state.pos - begin)
        state.push("link_open", "a", 1).attrs = {"href": href}
        state.push("text", "", 0).content = url
        state.push("link_close", "a", -1)
        state.tokens += marks
    state.pos = begin + len(url)
    return True


def _take_back(state: StateInline, count: int) -> list[Token]:
    """Take the last characters back, and the marks in them (see `citation_marks`)."""
    marks: list[Token] = []
    text = state.pending
    while len(text) < count:
        token = state.tokens.pop()
        if token.type == "text":
            text = token.content + text
        else:
            marks.insert(0, token)
    state.pending = text[:-count]
    return marks
