"""Markdown from the model, as HTML that is safe in a trusted notebook cell.

The model's text is hostile input, and the front end does not sanitise the output of a cell that
has just run. So all HTML from this module is safe:

- raw HTML is shown as text, but for `<br>` in a table's cell;
- links lead only to ``http``, ``https`` and ``mailto``, in a new tab; other links are shown as
  text, relative ones too (on a Jupyter server they lead to the user's own files and settings);
- nothing is loaded: an image becomes a link to it, or its alternative text if it is inside a link
  or a data URL;
- hidden characters are made visible, also those behind an entity (`characters`);
- no construct takes more than about linear time; beyond `NESTING`, `INLINE_LIMIT`,
  `HIGHLIGHT_LIMIT` and the limits of `formulas` and `mathml` the rendering is plainer.

The syntax is CommonMark with tables, strikethrough, task lists, bare addresses and math, and with
emphasis beside CJK punctuation (`inline_parser`) and fences in fences (`nested_fence`) as models
write them. The caller puts the
result into a root element with the classes `ROOT_CLASSES`. The notebook's theme colours code by its
Pygments classes (`code_box`). A formula is a span that MathJax 2 and 3 typeset; the root's classes
keep MathJax off everything else, so that money stays money.

In the *live* form, for a page of ours, a formula is MathML; `saved` turns it into the saved form,
and `with_source` into that for a page without MathJax.
In a text that is still *growing*, an open code fence is not
coloured.
"""

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml, unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, blockquote, list_block
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from claude_nb.characters import clean, in_code
from claude_nb.render.markdown import citation_marks, formulas, healing, nested_fence
from claude_nb.render.markdown.code_box import code_box
from claude_nb.render.markdown.formulas import saved as saved  # noqa: PLC0414 - shared from here
from claude_nb.render.markdown.formulas import with_source as with_source  # noqa: PLC0414 - too
from claude_nb.render.markdown.inline_parser import InlineParser, address

ROOT_CLASSES: Final = "mathjax_ignore tex2jax_ignore"
"""Classes that the root element must have: the first for MathJax 3, the second for MathJax 2."""

NESTING: Final = 20
"""Levels of nested elements (a quote is one, a list two); deeper markers are shown as text."""

INLINE_LIMIT: Final = 20_000
"""Characters of one paragraph, heading or cell; a longer one is shown as plain text."""

BREAK: Final = re.compile(r"<br ?/?>", re.IGNORECASE)
"""A line break in the cell of a table, the only HTML that is obeyed."""

_BlockRule = Callable[[StateBlock, int, int, bool], bool]

# Only with two slashes and a host: browsers read `http:x` and `http:/x` as relative.
_WEB: Final = re.compile(r"https?://[^/\\?#]", re.IGNORECASE)
_FOLLOWED: Final = re.compile(r"https?://[^/\\?#]|mailto:", re.IGNORECASE)
_DATA: Final = re.compile(r"data:", re.IGNORECASE)

_RIGHT_TO_LEFT: Final = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)


def parse(text: str, env: EnvType, *, growing: bool = False) -> list[Token]:
    """Parse cleaned Markdown.

    Args:
        text: prose that is `clean`; it may have citation marks.
        env: known link definitions; those in `text` are added.
        growing: whether the text may still grow; then its end is healed.

    Returns:
        The block tokens, their inline tokens as children.
    """
    marks = citation_marks.has_marks(text)
    if marks:
        text, found = citation_marks.take(text)
        env.update(found)
    parser = _parser(marks=marks, growing=growing)
    if not growing:
        return parser.parse(text, env)
    env[nested_fence.GROWING] = True
    shown = healing.held_back(text)
    tokens = parser.parse(shown, env)
    if shown is text or not _in_fence(tokens):
        return tokens
    # In code markers are text, but for half of what may end it. (`Incremental` sees to that for a
    # fence at the top level.)
    code = parser.parse(text, env)
    fence = _in_fence(code)
    if not fence or not fence.level:
        return code
    half = fence.content.rpartition("\n")[2]
    return tokens if half and not half.strip(f" \t{fence.markup[0]}") else code


def _in_fence(tokens: Sequence[Token]) -> Token | None:
    """The fence that the text ends in, if it is not closed; in lists and quotes too."""
    last = next((token for token in reversed(tokens) if token.nesting >= 0), None)
    return last if last and last.type == "fence" and not _is_closed(last) else None


def render(tokens: Sequence[Token], *, growing: bool = True) -> str:
    """Turn parsed tokens into HTML, in the live form.

    Args:
        tokens: block tokens.
        growing: whether an open fence in them may still be closed.
    """
    parser = _parser()
    html: str = parser.renderer.render(tokens, parser.options, {"growing": growing})
    return html


def to_html(text: str, *, live: bool = False) -> str:
    """Render Markdown.

    Args:
        text: Markdown from the model; nothing in it is trusted.
        live: whether in the live form, for a text that is still growing and is healed.

    Returns:
        HTML without a root element, safe to put into a trusted cell.
    """
    html = "".join(to_blocks(text, live=live))
    return html if live else saved(html)


def to_blocks(text: str, *, live: bool = False) -> list[str]:
    """Render Markdown in the live form, each top-level block by itself."""
    return rendered(clean(text, prose=True), live=live)


def rendered(text: str, *, live: bool = False) -> list[str]:
    """Render `clean` Markdown, which may have marks, like `to_blocks`."""
    blocks = list(top_level(parse(text, {}, growing=live)))
    return [render(block, growing=live or block is not blocks[-1]) for block in blocks]


def top_level(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The tokens of each top-level block."""
    begin = 0
    for end, token in enumerate(tokens, 1):
        if token.level == 0 and token.nesting <= 0:
            yield tokens[begin:end]
            begin = end


def open_fence(tokens: Sequence[Token]) -> str:
    """The marker of the fence that the text ends in without closing it; or nothing."""
    last = tokens[-1] if tokens else None
    return last.markup if last and last.type == "fence" and not _is_closed(last) else ""


def with_marks(text: str) -> str:
    """Markdown with its marks written as they are, where they can stand."""
    if not citation_marks.has_marks(text):
        return text
    source, _ = citation_marks.take(text)
    parts = []
    begin = 0
    for place, mark in citation_marks.places(parse(text, {})):
        parts += [source[begin:place], mark]
        begin = place
    return "".join([*parts, source[begin:]])


def with_dollars(text: str) -> str:
    """Markdown in which each formula stands between dollars, for whoever knows no other form."""
    if not formulas.may_change(text):
        return text
    parts = []
    end = 0
    for begin, after in citation_marks.formulas(parse(text, {}), text):
        parts += [text[end:begin], formulas.in_dollars(text[begin:after])]
        end = after
    return "".join([*parts, text[end:]])


def web_address(url: str) -> str:
    """The address, normalised, if it is one of the web; or else nothing."""
    try:
        href = _parser().normalizeLink(url)
    except ValueError:
        return ""
    return href if _WEB.match(href) else ""


class _Parser(MarkdownIt):
    """markdown-it with the links that are allowed here."""

    def __init__(self) -> None:
        super().__init__(renderer_cls=_Renderer)
        self.inline = InlineParser()
        options = {"html": False, "xhtmlOut": False, "maxNesting": NESTING + 8, "tasklists": True}
        self.configure("commonmark", options)

    def validateLink(self, url: str) -> bool:  # noqa: N802 - markdown-it's name
        # Data is let through so that its text can be dropped: see `_links`.
        return bool(_FOLLOWED.match(url) or _DATA.match(url))

    def normalizeLinkText(self, url: str) -> str:  # noqa: N802 - markdown-it's name
        # Shown as written: decoding would bring back control characters and look-alikes.
        return url


class _Renderer(RendererHTML):
    """markdown-it's renderer with other forms of code and math: a method for each type of token."""

    def fence(self, tokens: Sequence[Token], idx: int, _: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        plain = env["growing"] and not _is_closed(token)
        return code_box(token.content, language_of(token), coloured=not plain)

    def list_item_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        if "checked" not in tokens[idx].meta:
            return super().list_item_open(tokens, idx, options, env)
        tokens[idx].attrs["style"] = "list-style:none"  # the box stands for the bullet
        box = super().list_item_open(tokens, idx, options, env)
        name = "done" if tokens[idx].meta["checked"] else "to do"
        return box.replace(' type="checkbox"', f' type="checkbox" aria-label="{name}"')

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        if not tokens[idx + 1].content.strip():  # the corner of a table: it is no one's header
            tokens[idx].tag = tokens[idx + 2].tag = "td"
        return self.renderToken(tokens, idx, options, env)

    def code_block(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        return code_box(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        return f"<code>{escapeHtml(in_code(tokens[idx].content))}</code>"

    def mark(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        return tokens[idx].content

    def math_inline(self, tokens: Sequence[Token], idx: int, _: OptionsDict, __: EnvType) -> str:
        return formulas.to_html(tokens[idx])

    def math_block(self, tokens: Sequence[Token], idx: int, _: OptionsDict, env: EnvType) -> str:
        return f"<p>{self.math_inline(tokens, idx, _, env)}</p>\n"


@functools.cache
def _parser(*, marks: bool = False, growing: bool = False) -> _Parser:
    """The parser; others for text with marks and for text that grows: those make it slower."""
    parser = _Parser()
    parser.enable(["table", "strikethrough"])
    parser.disable(["html_block", "html_inline"])
    formulas.install(parser, growing=growing)
    block, inline, core = parser.block.ruler, parser.inline.ruler, parser.core.ruler
    interrupted = ["paragraph", "reference", "blockquote", "list"]
    block.at("fence", nested_fence.fence, {"alt": interrupted})
    block.at("blockquote", _bounded(blockquote), {"alt": interrupted})
    block.at("list", _bounded(list_block), {"alt": interrupted[:3]})
    inline.push("address", address)
    core.before("inline", "limit", _limit)
    core.push("entities", _entities)
    core.push("breaks", _breaks)
    core.push("links", _links)
    core.push("direction", _direction)
    if growing:
        healing.install(parser)
    if marks:
        citation_marks.install(parser)
    return parser


def _bounded(rule: _BlockRule) -> _BlockRule:
    """The rule with a limit on nesting, beyond which markdown-it would drop text."""

    def bounded(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
        return state.level < NESTING and rule(state, start, end, silent)

    return bounded


def _limit(state: StateCore) -> None:
    """Show overlong inline text as it is: to parse it can take more than linear time."""
    for token in state.tokens:
        if token.type == "inline" and len(token.content) > INLINE_LIMIT:
            text = Token("text", "", 0, content=token.content)
            token.children, token.content = [text], ""


def _entities(state: StateCore) -> None:
    """Make hidden characters behind an entity visible, such as ``&#x202e;``."""
    for token in state.tokens:
        if token.children and "&" in token.content:
            _reveal(token.children)


def _reveal(tokens: Sequence[Token]) -> None:
    for token in tokens:
        # markdown-it-py 4.2 leaves the entities in an image's text as tokens of their own.
        if token.type in ("text", "text_special"):
            token.content = clean(token.content, prose=True)
        elif "title" in token.attrs:
            token.attrs["title"] = clean(str(token.attrs["title"]))
        _reveal(token.children or [])


def _breaks(state: StateCore) -> None:
    """Make `<br>` in a table's cell a line break: there is no other way to write one there."""
    for opening, token in pairwise(state.tokens):
        if opening.tag in ("td", "th") and token.children and "<" in token.content:
            token.children = [part for child in token.children for part in _broken(child)]


def _broken(token: Token) -> Iterator[Token]:
    pieces = BREAK.split(token.content) if token.type == "text" else []
    if len(pieces) < 2:
        yield token
        return
    for number, piece in enumerate(pieces):
        if number:
            yield Token("hardbreak", "br", 0)
        yield Token("text", "", 0, content=piece.strip() if number else piece.rstrip())


def _links(state: StateCore) -> None:
    """Open links in a new tab; turn images into links, or into text inside a link."""
    for token in state.tokens:
        if token.children and any(t.type in {"link_open", "image"} for t in token.children):
            token.children = _relink(token.children)


def _relink(tokens: list[Token]) -> list[Token]:
    linked: list[Token] = []
    inside = dropped = False
    for token in tokens:
        if token.type == "link_open":
            inside, dropped = True, not _follow(token, str(token.attrs["href"]))
        elif token.type == "link_close":
            inside = False
        elif token.type == "image":
            linked += _image(token, inside=inside)
            continue
        if not (dropped and token.type in {"link_open", "link_close"}):
            linked.append(token)
    return linked


def _follow(token: Token, url: str) -> bool:
    """Set the attributes of a link; false if the link is not allowed."""
    token.attrs |= {"href": url, "target": "_blank", "rel": "noopener noreferrer"}
    return bool(_FOLLOWED.match(url))


def _image(token: Token, *, inside: bool) -> list[Token]:
    url = str(token.attrs["src"])
    alt = _alt_text(token.children or [])
    text = Token("text", "", 0, content=alt)
    if inside or not _WEB.match(url):
        return [text]
    text.content = alt or url
    link = Token("link_open", "a", 1)
    _follow(link, url)
    return [link, text, Token("link_close", "a", -1)]


def _alt_text(tokens: Sequence[Token]) -> str:
    """The text of inline tokens without markup; of formulas the source."""
    parts = []
    for token in tokens:
        if token.type == "image":
            parts.append(_alt_text(token.children or []))
        elif token.type in {"softbreak", "hardbreak"}:
            parts.append("\n")
        else:
            parts.append(token.markup if token.type.startswith("math") else token.content)
    return "".join(parts)


def _direction(state: StateCore) -> None:
    """Set the direction of blocks where it differs from that of the block around them.

    Its first strong character decides, as with ``dir="auto"``; but that ignores nested blocks with
    a direction of their own.
    """
    if not _RIGHT_TO_LEFT.search(state.src):
        return
    opened: list[Token] = []
    for token in state.tokens:
        if token.tag in {"thead", "tbody", "tr"}:
            continue
        if token.nesting == 1:
            opened.append(token)
        elif token.nesting == -1:
            opened.pop()
        elif token.type == "inline" and (direction := _first_strong(token.content)):
            around = "ltr"
            for block in opened:
                if "direction" not in block.meta:
                    block.meta["direction"] = direction
                    if direction != around:
                        block.attrs["dir"] = direction
                around = block.meta["direction"]


def _first_strong(text: str) -> str:
    kinds = map(unicodedata.bidirectional, text)
    directions = {"L": "ltr", "R": "rtl", "AL": "rtl"}
    return next((directions[kind] for kind in kinds if kind in directions), "")


def language_of(fence: Token) -> str:
    """The language of a fence: the first word of its info string, or nothing."""
    return "".join(unescapeAll(fence.info).split(maxsplit=1)[:1])


def _is_closed(fence: Token) -> bool:
    """Whether a fence has its closing line: then it spans two lines more than its content."""
    first, end = fence.map or (0, 0)
    unended = bool(fence.content) and not fence.content.endswith("\n")
    return end - first == fence.content.count("\n") + unended + 2
