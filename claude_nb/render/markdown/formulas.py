r"""Formulas in Markdown: what is one, and how each form shows it.

A formula stands between dollars, in `\(…\)` or `\[…\]`, or is an environment such as `align`. In
the live form it is MathML; what is not typeset is its source, as code. In the saved form it is a
span that MathJax 2 and 3 typeset, as a notebook that is not trusted loses MathML; where the page
has no MathJax for HTML, it stays MathML, with its source beside it. In Markdown it stands between
dollars. One that is still being written is shown as code, without its delimiter.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from claude_nb.characters import in_code
from claude_nb.render.markdown.inline_parser import open_text
from claude_nb.render.markdown.mathml import LONGEST, is_within_limits, mathml
from claude_nb.render.markdown.nested_fence import GROWING

LINES: Final = 100
"""Lines of one display formula; a longer one is text, so that the search for its end is bounded."""

_NAMES: Final = r"(?:equation|align|alignat|flalign|gather|multline|eqnarray)\*?"
_BEGIN: Final = rf"\\begin\{{{_NAMES}\}}"
FIRST_LINE: Final = re.compile(rf"^ {{0,3}}(?:\$\$|\\\[|{_BEGIN})", re.MULTILINE)
"""The beginning of a line with which a display formula may begin."""

_OPENING: Final = re.compile(rf"\$\$?|\\[(\[]|{_BEGIN}")

# A dollar opens a formula unless it follows a Latin letter or a digit or precedes a space, and
# closes one unless it follows a space or precedes a digit: `$5 and $6` and `US$5-$6` are not.
# At each character one alternative can match, so a search that fails takes no second way. (Not
# possessive quantifiers: before Python 3.11.5, groups with those do not match what they should.)
_DOLLAR: Final = r"(?<![A-Za-z0-9_\u00c0-\u024f])\$(?![\s$])"
_TEXT_AFTER: Final = r"(?:text\w*|mbox)\{[^{}]*\}"
_TEXT: Final = rf"\\{_TEXT_AFTER}"  # may have dollars in it
_INLINE: Final = re.compile(
    r"\$\$(?P<double>(?:[^$\\]|\\.|\$(?!\$))+)\$\$"
    rf"|{_DOLLAR}(?P<single>(?:[^$\\`]|{_TEXT}|\\(?!{_TEXT_AFTER}).)+)(?<!\s)\$(?!\d)"
    r"|\\\((?P<round>(?:[^\\]|\\[^()])+)\\\)"
    r"|\\\[(?P<square>(?:[^\\]|\\[^\[\]])+)\\\]"
    rf"|\\begin\{{(?P<name>{_NAMES})\}}(?P<lines>.{{0,{LONGEST}}}?)\\end\{{(?P=name)\}}",
    re.DOTALL,
)
_HALF: Final = re.compile(
    r"\$\$(?P<double>(?:[^$\\]|\\.|\$(?!\$))*)[$\\]?\Z"
    rf"|{_DOLLAR}(?P<single>(?:[^$\\`]|{_TEXT}|\\(?!{_TEXT_AFTER}).)*)\\?\Z"
    r"|\\\((?P<round>(?:[^\\]|\\[^()])*)\\?\Z"
    r"|\\\[(?P<square>(?:[^\\]|\\[^\[\]])*)\\?\Z"
    rf"|{_BEGIN}(?P<lines>(?!.*\\end\{{).{{0,{LONGEST}}})\Z",
    re.DOTALL,
)
_SPLIT: Final = re.compile(r"\\begin\{([a-z]+\*?)\}(.*)\\end\{\1\}", re.DOTALL)
_LETTER: Final = re.compile(r"[A-Za-z\u00c0-\u024f]")
_MATHS: Final = re.compile(r"\\[A-Za-z]|\^|(?<![A-Za-z])[A-Za-z]_|\A[A-Za-z]'?\Z")
"""What stands in a formula but in no amount of money and no variable of a shell."""

_WORDS: Final = re.compile(r"(?<![\\A-Za-z{])[A-Za-z]{3,}(?![A-Za-z}])|\A[A-Z]{2}")
_AMOUNT: Final = re.compile(r"\d[^\\^]*\s\W*[A-Za-z]{2}")

_MATHJAX: Final = '<span class="mathjax_process tex2jax_process">'
_LIVE: Final = re.compile(
    r'(?P<opening><math alttext="(?P<tex>[^"]*)"(?: display="(?P<display>block)")?>)'
    r"(?P<shown>.*?)</math>"
    r"|<var><code>(?P<source>.*?)</code></var>",
    re.DOTALL,
)
"""A formula in the live form. Nothing else is in these elements: HTML from the model is escaped."""

_INNER: Final = {"align": "aligned", "alignat": "alignedat", "gather": "gathered", "equation": ""}
"""What LaTeX has between dollars in the place of an environment."""


def install(parser: MarkdownIt, *, growing: bool) -> None:
    """Let a parser find formulas, and in a text that grows the one that is being written."""
    alt = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("fence", "math", _block, {"alt": alt})
    parser.inline.ruler.before("escape", "math", _inline)
    if growing:
        parser.inline.ruler.after("math", "open_math", _open)


def to_html(formula: Token) -> str:
    """A formula's token in the live form."""
    source = in_code(formula.markup)
    if formula.meta.get("open"):
        tex, _ = _parts(source)
        return f"<code>{escapeHtml(tex.rstrip('$').strip())}</code>"
    return _to_html(source)


@functools.lru_cache(300)
def _to_html(source: str) -> str:
    """Cached: an open block is rendered at every frame, and then for the saved output."""
    tex, display = _parts(source)
    shown = mathml(tex, display=display)
    if shown:
        attribute = ' display="block"' if display else ""
        return f'<math alttext="{escapeHtml(tex)}"{attribute}>{shown}</math>'
    code = f"<code>{escapeHtml(source)}</code>"
    return f"<var>{code}</var>" if is_within_limits(tex) else code


def saved(html: str) -> str:
    """The saved form of HTML in the live form: with formulas for MathJax."""
    return _LIVE.sub(_for_mathjax, html)


def with_source(html: str) -> str:
    """HTML in the live form for a page without MathJax: each formula has its TeX beside it."""
    return _LIVE.sub(_annotated, html)


def _annotated(found: re.Match[str]) -> str:
    if found["tex"] is None:
        return found[0]
    opening, shown = found["opening"], found["shown"]
    source = f'<annotation encoding="application/x-tex">{found["tex"]}</annotation>'
    return f"{opening}<semantics><mrow>{shown}</mrow>{source}</semantics></math>"


def _for_mathjax(found: re.Match[str]) -> str:
    tex, display = found["tex"], bool(found["display"])
    if tex is None:
        tex, display = _parts(found["source"])
    left, right = (r"\[", r"\]") if display else (r"\(", r"\)")
    return f"{_MATHJAX}{left}{tex}{right}</span>"


def in_dollars(source: str) -> str:
    """A formula with its delimiters as in Markdown: between dollars."""
    if source.startswith("$"):
        return source
    if source.startswith(r"\("):
        return f"${source[2:-2].strip()}$"
    if source.startswith(r"\["):
        return f"$${source[2:-2]}$$"
    name, inside = _SPLIT.fullmatch(source).groups()  # type: ignore[union-attr]  # it is one
    inner = _INNER.get(name.rstrip("*"))
    if inner is None:
        return source
    return f"$$\\begin{{{inner}}}{inside}\\end{{{inner}}}$$" if inner else f"$${inside}$$"


def may_change(text: str) -> bool:
    """Whether `in_dollars` may make a difference in a text."""
    return r"\(" in text or r"\[" in text or r"\begin{" in text


def _parts(source: str) -> tuple[str, bool]:
    """A formula without its delimiters, and whether it is a display; its end may be missing."""
    opening = _OPENING.match(source)[0]  # type: ignore[index]  # it begins with one
    if opening.startswith(r"\begin"):
        return source, True
    closing = _closing(opening)
    return source[len(opening) :].removesuffix(closing).strip(), opening in ("$$", r"\[")


def _closing(opening: str) -> str:
    if opening.startswith("$"):
        return opening
    return opening.replace("begin", "end").translate({ord("("): ")", ord("["): "]"})


def _inline(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    if state.src[state.pos] not in "$\\":
        return False
    found = _INLINE.match(state.src, state.pos, state.posMax)
    if not found or not found[found.lastgroup or 0].strip():
        return False
    if (tex := found["single"]) and not _is_formula(tex, state.src[found.end() : state.posMax]):
        return False
    if not silent:
        _push(state, found[0])
    state.pos = found.end()
    return True


def _push(state: StateInline, source: str, *, is_open: bool = False) -> None:
    token = state.push("math_inline", "", 0)
    token.markup, token.meta = source, {"at": state.pos, "open": is_open}


def _is_formula(tex: str, after: str) -> bool:
    """Whether what stands between single dollars is a formula."""
    if _AMOUNT.match(tex):
        return False
    return not _LETTER.match(after) or (after[0].islower() and bool(_MATHS.search(tex)))


def _open(state: StateInline, silent: bool) -> bool:  # noqa: FBT001
    """A formula that is being written."""
    if silent or state.src[state.pos] not in "$\\" or not open_text(state):
        return False
    found = _HALF.match(state.src, state.pos)
    if not found:
        return False
    if (tex := found["single"]) and not _may_be_formula(tex):
        return False
    if found[found.lastgroup or 0].strip():
        _push(state, found[0], is_open=True)
    state.pos = state.posMax
    return True


def _may_be_formula(tex: str) -> bool:
    """Whether what stands behind a single dollar is probably a formula that is not complete."""
    if _AMOUNT.match(tex):
        return False
    return bool(_MATHS.search(tex)) or not (tex[0].isdigit() or _WORDS.search(tex))


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    r"""A formula from a line that begins with `$$`, `\[` or `\begin` to the line that ends it.

    Without this rule, a line `+ b` inside a formula would be a list.
    """
    first = state.bMarks[start] + state.tShift[start]
    opening = _OPENING.match(state.src, first)
    if not opening or opening[0] in ("$", r"\(") or state.is_code_block(start):
        return False
    closing = _closing(opening[0])
    is_open = False
    for line in range(start, min(end, start + LINES)):
        begin = opening.end() if line == start else state.bMarks[line] + state.tShift[line]
        text = state.src[begin : state.eMarks[line]].rstrip()
        if line > start and (not text or state.sCount[line] < state.blkIndent):
            return False
        if closing in text:
            break
    else:
        is_open = state.env.get(GROWING, False) and not state.src[state.eMarks[line] :].strip()
        if not is_open:
            return False
    if not is_open and (not text.endswith(closing) or text.count(closing) > 1):
        return False
    source = state.getLines(start, line + 1, state.blkIndent, False).strip()  # noqa: FBT003
    inside = source[len(opening[0]) :].removesuffix("" if is_open else closing).strip("\\$ \n")
    if not inside and not is_open:
        return False
    if silent:
        return not is_open  # this line may as well end a formula of the paragraph's
    state.line = line + 1
    if inside:
        token = state.push("math_block", "", 0)
        token.markup, token.meta = source, {"open": is_open}
        token.map = [start, state.line]
        token.block = True
    return True
