r"""Half-written Markdown, healed: how the end of a text is shown until the rest of it has come.

A text that grows ends in the middle of something nearly always: behind `**`, within an address, in
the first row of a table. Shown as it is, its markers would flash. So it is shown as it will
probably be:

- emphasis, strikethrough and code that are open end with the text;
- a link or an image shows its text until its address is complete;
- what cannot be told yet is held back: a line of nothing but markers (a list's, a heading's, a
  rule's), the line that opens a fence, a table's head until the line below it, a link definition,
  half an entity, a tag or an escape, and markers at the end.

Only the end changes, and a text that is complete is not healed. What was predicted may turn out
otherwise (a lone ``*`` is one after all): the next frame shows it as it is then.
"""

import re
from collections.abc import Sequence
from typing import Final, cast

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline, backtick
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

from claude_nb.render.markdown.inline_parser import InlineState, OpenText, open_text

_MARKERS: Final = r"[-+*>|:=_~#`!<&\[\]\\ \t]*"
_HELD: Final = re.compile(
    # markers and numbers, a task's box among them
    rf"{_MARKERS}(?:\d{{1,9}}(?:[.)]{_MARKERS})?)?(?:(?<=\[)[xX](?:\]{_MARKERS})?)?"
    # the line that opens or ends a fence, within lists and quotes too
    r"|[ \t>]*(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)*(?:`{3,}[^`]*|~{3,}.*)"
    r"|[ \t>]*\[[^\]]+\]:.*"
)

_HALF: Final = re.compile(
    r"(?:&#?\w{0,8}"  # an entity
    r"|<[A-Za-z]{0,6} ?/?"  # a tag, an address
    r"|(?<!\S)\[?!\[?|(?<![A-Za-z0-9\])])\[(?:[\d^][\w\s,;–-]{0,10}\]?)?"  # an image, a link, `[1]`
    r"|(?<!~)~)\Z"
)
_ESCAPE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")

_TARGET: Final = re.compile(
    r"\]\(\s*<?(?P<address>[^\s<>]*)>?(?:\s+(?:\"[^\"]*\"?|'[^']*'?|\([^)]*\)?)?)?\Z"
)
"""A link from the end of its text on, as long as its address is not complete."""

_NUMBERS: Final = re.compile(r"\d+\s*[,;)]")
_AUTOLINK: Final = re.compile(r"<(?:https?:|mailto:)[^\s<>]*\Z", re.IGNORECASE)
_ALLOWED: Final = ("https://", "http://", "mailto:", "data:")
_TICKS: Final = re.compile("`+")
_TILDE: Final = ord("~")


def held_back(text: str) -> str:
    """The text without its last line, as long as that cannot be told."""
    begin = text.rfind("\n") + 1
    return text[:begin] if begin < len(text) and _HELD.fullmatch(text, begin) else text


def install(parser: MarkdownIt) -> None:
    """Let a parser heal the end of what it parses."""
    parser.core.ruler.before("inline", "healing", _find_open)
    parser.inline.ruler.at("backticks", _code)
    parser.inline.ruler.after("autolink", "open_link", _open_link)
    parser.inline.ruler2.after("balance_pairs", "open_pairs", _open_pairs)


def _find_open(state: StateCore) -> None:
    """Find the inline token in which the text ends, and take from its end what cannot be told."""
    tokens = state.tokens
    last = len(tokens) - 1
    while last >= 0 and (tokens[last].nesting < 0 or _is_missing_cell(tokens[last])):
        last -= 1
    if last < 1 or tokens[last].type != "inline" or tokens[last].children:
        return
    token, opening = tokens[last], tokens[last - 1]
    before, _, line = token.content.rpartition("\n")
    if opening.type == "paragraph_open":
        if not state.src.removesuffix("\n").rstrip(" \t").endswith(line):
            return  # a blank line ends it
        if line.startswith("|"):
            token.content = before
        else:
            _open(state, token)
        if not token.content:
            del tokens[last - 1 : last + 2]
    elif state.src.endswith("\n") or opening.markup in ("-", "="):
        return
    elif opening.type == "heading_open" or _last_cell(state.src) == token.content:
        _open(state, token)


def _is_missing_cell(token: Token) -> bool:
    """Whether it is a part of a cell that its row lacks so far."""
    return token.type == "td_open" or (token.type == "inline" and not token.content)


def _last_cell(text: str) -> str:
    """What a row that ends a text has behind its last bar."""
    return re.split(r"(?<!\\)\|", text[text.rfind("\n") + 1 :])[-1].strip().replace("\\|", "|")


def _open(state: StateCore, token: Token) -> None:
    line_ended = state.src.endswith("\n")
    content = _ESCAPE.sub(lambda found: found[0][:-1], token.content)
    if not line_ended:
        content = _HALF.sub("", content)
    token.content = text = OpenText(content.rstrip())
    text.line_ended = line_ended


def _code(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """A code span, which may not be closed yet."""
    if silent or state.src[state.pos] != "`" or open_text(state) is None:
        return backtick(state, silent)
    ticks = _TICKS.match(state.src, state.pos)[0]  # type: ignore[index]  # there is one
    begin = state.pos + len(ticks)
    if re.compile(rf"(?<!`){ticks}(?!`)").search(state.src, begin):
        return backtick(state, silent)
    code = state.src[begin:]
    if len(code) - len(code.rstrip("`")) < len(ticks):
        code = code.rstrip("`")  # half of what closes it
    if code.strip():
        token = state.push("code_inline", "code", 0)
        token.content = code.replace("\n", " ").removeprefix(" ")
        token.markup = ticks
    state.pos = state.posMax
    return True


def _open_link(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """The marks of a link or an image that is not complete: all of it but its text."""
    src, at = state.src, state.pos
    if silent or src[at] not in "[]!<" or open_text(state) is None:
        return False
    if src[at] == "]":
        if not cast("InlineState", state).in_link or not _is_half_target(state, at):
            return False
        state.pos = state.posMax
        return True
    if src[at] == "<":
        state.pos += bool(_AUTOLINK.match(src, at))
        return state.pos > at
    bracket = at + (src[at] == "!")
    if src[bracket : bracket + 1] != "[" or not _is_half_link(state, bracket):
        return False
    cast("InlineState", state).in_link = True
    state.pos = bracket + 1
    return True


def _is_half_link(state: StateInline, bracket: int) -> bool:
    """Whether a link may begin here that is not complete."""
    src, begin = state.src, bracket + 1
    before = src[bracket - 1 : bracket]
    if (before.isascii() and before.isalnum()) or (before and before in "])"):
        return False  # an index
    if src[begin : begin + 1].isspace() or _NUMBERS.match(src, begin):
        return False  # a box, several sources, an interval
    is_image = src.startswith("![", begin)
    if is_image or src.find("]", begin) < 0:
        return src.find("[", begin + 2 * is_image) < 0
    end = state.md.helpers.parseLinkLabel(state, bracket, disableNested=True)
    return end > 0 and _is_half_target(state, end)


def _is_half_target(state: StateInline, at: int) -> bool:
    """Whether a link's text ends here whose address is not complete, and may be allowed."""
    if at + 1 == len(state.src):
        text = open_text(state)
        return text is not None and not text.line_ended
    found = _TARGET.match(state.src, at)
    address = found["address"].lower() if found else "?"
    return any(each.startswith(address) or address.startswith(each) for each in _ALLOWED)


def _open_pairs(state: StateInline) -> None:
    """Emphasis and strikethrough that are not closed yet."""
    text = open_text(state)
    if text is None:
        return
    pairs = state.delimiters
    if not text.line_ended:
        _drop_half(state.tokens, pairs)
    closed = {pair.end: number for number, pair in enumerate(pairs) if pair.end >= 0}
    number = len(pairs) - 1
    while number >= 0:
        pair = pairs[number]
        if number in closed:  # and nothing can go on from within
            number = closed[number]
        elif pair.open and pair.end < 0 and not _is_in_word(state.tokens, pairs, number):
            token = state.push("text", "", 0)
            token.content = state.tokens[pair.token].content
            pair.end = len(pairs)
            pairs.append(
                Delimiter(pair.marker, pair.length, len(state.tokens) - 1, -1, False, True)  # noqa: FBT003
            )
        number -= 1


def _drop_half(tokens: Sequence[Token], pairs: list[Delimiter]) -> None:
    """Drop markers at the end of the text: whatever they are half of."""
    last = len(tokens)
    closed = {pair.end: pair for pair in pairs if pair.end >= 0}
    while pairs:
        last -= 1
        if tokens[last].type == "mark":  # of a citation
            continue
        if pairs[-1].token != last:
            return
        opening = closed.get(len(pairs) - 1)
        if opening:
            # One of two that close what two have opened: the other one is still to come.
            at = pairs.index(opening)
            is_half = at > 0 and _adjoin(pairs, at) and pairs[at - 1].end < 0
            if not is_half or _adjoin(pairs, len(pairs) - 1):
                return
            opening.end = -1
            opening.open = True
        pairs.pop()
        tokens[last].content = ""


def _adjoin(pairs: Sequence[Delimiter], number: int) -> bool:
    """Whether a marker belongs to one run with the one before it."""
    before, pair = pairs[number - 1], pairs[number]
    return number > 0 and before.marker == pair.marker and before.token == pair.token - 1


def _is_in_word(tokens: Sequence[Token], pairs: Sequence[Delimiter], number: int) -> bool:
    """Whether a run of asterisks stands behind a Latin letter or a digit, as in `5*3`."""
    if pairs[number].marker == _TILDE:
        return False
    while _adjoin(pairs, number):
        number -= 1
    at = pairs[number].token - 1
    while at > 0 and tokens[at].type == "mark":
        at -= 1
    before = tokens[at].content[-1:] if at >= 0 else ""
    return before.isascii() and before.isalnum()
