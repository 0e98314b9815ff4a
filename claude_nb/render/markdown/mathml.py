r"""Formulas as MathML, which browsers draw without a script.

math-core turns TeX into MathML and refuses the commands that it does not know, such as `\href`. It
is written in Rust and recurses, and to run out of stack would kill the kernel: so a formula is kept
within limits, and set on a thread with a stack of its own. For a parenthesis that is left open it
tries twice whatever follows, so only a few of those are allowed. What it returns is checked too:
only elements and attributes of formulas leave this module.
"""

from __future__ import annotations

import functools
import os
import re
import threading
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from math_core import LatexToMathML

LONGEST: Final = 4_000
"""Characters of TeX that are typeset."""

DEEPEST: Final = 100
"""Groups, delimiters, scripts and commands waiting for an argument that may be open at once."""

UNCLOSED: Final = 5
"""Delimiters such as parentheses that may be left open: each doubles the time."""

_STACK: Final = 8 << 20
_LONGEST_MATHML: Final = 100_000

_ARGUMENTS: Final = {
    **dict.fromkeys([r"\frac", r"\dfrac", r"\tfrac", r"\cfrac"], 2),
    **dict.fromkeys([r"\binom", r"\dbinom", r"\tbinom"], 2),
    **dict.fromkeys([r"\overset", r"\underset", r"\stackrel", r"\textcolor"], 2),
    r"\sideset": 3,
    r"\prescript": 3,
    r"\mathchoice": 4,
    r"\genfrac": 6,
}
"""Arguments that a command takes; others count as if they took one."""

_DELIMITER: Final = r"\s*(?:\\[A-Za-z]+|\\?.)"
_TOKEN: Final = re.compile(
    rf"\\(?:left|right|middle|[bB]igg?[lmr]?)(?![A-Za-z]){_DELIMITER}"
    r"|\\(?:begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+|\\.|\S",
    re.DOTALL,
)
_GROUP: Final = re.compile(r"\{|\\(?:left|begin)(?![A-Za-z])")
_GROUP_END: Final = re.compile(r"\}|\\(?:right|end)(?![A-Za-z])")
_OPEN: Final = re.compile(
    r"\\\{|\\(?:[bB]igg?l|mathopen|mathstrut|ulcorner"
    r"|l(?:[aA]ng(?:le)?|Angle|[bB]race|brack|ceil|floor|group|l?angle|lbracket|lcorner|moustache"
    r"|lparenthesis|paren|[vV]ert))(?![A-Za-z])"
)
_MAY_OPEN: Final = re.compile(r"[(\[]|\\[lumbB{]")
_CLOSE: Final = re.compile(
    r"\\\}|\\(?:[bB]igg?r|r(?:ang(?:le)?|brace|brack|ceil|floor|[vV]ert))(?![A-Za-z])"
)
_SYMBOL: Final = re.compile(
    r"\\(?:(?:var)?(?:epsilon|theta|pi|rho|sigma|phi)|alpha|beta|[gG]amma|[dD]elta|zeta|eta|iota"
    r"|kappa|[lL]ambda|mu|nu|[xX]i|tau|[uU]psilon|chi|[pP]si|[oO]mega|Theta|Pi|Sigma|Phi|infty|ell"
    r"|hbar|nabla|partial|cdot|times|[lc]?dots|to|in|leq?|geq?|pm|quad|bigg?|Bigg?|middle"
    r"|[bB]igg?m)(?![A-Za-z])"
)
"""Commands that take no argument."""

_COMMAND: Final = re.compile(r"\\[A-Za-z]|[\^_]")

_REACHES_FAR: Final = re.compile(
    r"\\(?:[egx]?def|(?:future)?let|global|(?:re)?new(?:command|environment)|providecommand"
    r"|DeclareMathOperator|require|href|style|class|cssId|data|bbox|mmlToken)(?![A-Za-z])"
)
"""A command that defines others, which would hold for all formulas of a page that MathJax sets; or
by which MathJax, where it is not told to be safe, makes links and styles of the model's own."""

_SAFE: Final = re.compile(
    r'<math(?: display="block")?>'
    r"((?:[^<>&]++|&(?:#x?)?\w+;"
    r"|</?(?:mrow|m[ino]|mtext|mspace|mfrac|msqrt|mroot|msu[bp]|msubsup|munder|mover|munderover"
    r"|mmultiscripts|mprescripts|mtable|mt[rd]|menclose|mpadded|mphantom|[bisu]|em|code|span)"
    r"(?: (?:accent|accentunder|class|display|displaystyle|form|height|largeop|linethickness|lspace"
    r"|mathvariant|maxsize|minsize|movablelimits|notation|rspace|scriptlevel|stretchy|style"
    r'|symmetric|width)="[\w #%.,:;-]*")* ?/?>)*)</math>'
)
_FAR: Final = re.compile(r'="[^"<>]*?(?<![#\w.])(?:-[1-9]|\d{3,})[\d.]*[a-z]')
"""A length by which a formula would reach far beyond its place."""

_MACROS: Final = {
    "ensuremath": "{#1}",
    "hfill": r"\qquad",
    "mbox": r"\text{#1}",
    "pmb": r"\boldsymbol{#1}",
    "strut": "",
    "substack": r"\begin{subarray}{c}#1\end{subarray}",
}
_ENVIRONMENTS: Final = {
    **dict.fromkeys(["align", "alignat", "flalign", "eqnarray"], "align*"),
    **dict.fromkeys(["alignedat", "split"], "aligned"),
    **dict.fromkeys(["equation", "displaymath"], "equation*"),
    "gather": "gather*",
    "multline": "multline*",
    "smallmatrix": "matrix",
}
"""What math-core has in the place of an environment: none is numbered, as in JupyterLab."""

_ENVIRONMENT: Final = re.compile(r"\\(begin|end)\s*\{([a-z]+)\*?\}(\s*\{\d+\})?")
_LINES: Final = re.compile(r"\\begin\{(?:align|equation|gather|multline)\*\}")
_LABEL: Final = re.compile(r"\\label\s*\{[^{}]*\}")
_TAG: Final = re.compile(r"\\tag(?![A-Za-z])")
_TEXT: Final = re.compile(r"\\(?:text|textrm|mbox)\{([^{}]*\$[^{}]*)\}")


def is_within_limits(tex: str) -> bool:
    """Whether a formula is one to typeset, by us or by the notebook."""
    return len(tex) <= LONGEST and not _REACHES_FAR.search(tex) and _is_shallow(tex)


def mathml(tex: str, *, display: bool) -> str:
    r"""The content of a `<math>` element for a formula; empty if it is not typeset.

    Args:
        tex: The formula without its delimiters.
        display: Whether it stands in a line of its own.
    """
    tex = _adapted(tex, display=display)
    if not is_within_limits(tex):
        return ""
    found: list[str] = []

    def convert() -> None:
        with suppress(BaseException):  # it refuses the formula, or Rust panics
            found.append(_converter().convert_with_local_state(tex, displaystyle=display))

    _on_own_stack(convert)
    safe = _SAFE.fullmatch(found[0]) if found and len(found[0]) <= _LONGEST_MATHML else None
    return safe[1] if safe and not _FAR.search(safe[1]) else ""


_starting = threading.Lock()


def _on_own_stack(work: Callable[[], None]) -> None:
    """Call a function on our thread, whose stack is large on every system, and wait for it."""
    with _starting:
        jobs = _thread(os.getpid())
    done = threading.Lock()
    done.acquire()
    jobs.put((work, done))
    done.acquire()


@functools.cache
def _thread(pid: int) -> SimpleQueue[tuple[Callable[[], None], threading.Lock]]:  # noqa: ARG001
    """What our thread has to do: a process that was forked has none, so it gets another."""
    jobs: SimpleQueue[tuple[Callable[[], None], threading.Lock]] = SimpleQueue()

    def run() -> None:
        while True:
            work, done = jobs.get()
            work()
            done.release()

    before = threading.stack_size(_STACK)  # it holds for all threads that are started meanwhile
    try:
        threading.Thread(target=run, name="claude_nb formulas", daemon=True).start()
    finally:
        threading.stack_size(before)
    return jobs


@functools.cache
def _converter() -> LatexToMathML:
    from math_core import LatexToMathML

    return LatexToMathML(macros=_MACROS, allow_unreliable_rendering=True, fancy_error=False)


def _adapted(tex: str, *, display: bool) -> str:
    r"""A formula as math-core takes it: without labels, with its names of environments."""
    tex = _LABEL.sub("", tex)
    tex = _TEXT.sub(_split_text, _ENVIRONMENT.sub(_environment, tex))
    if display and _TAG.search(tex) and not _LINES.search(tex):
        return rf"\begin{{equation*}}{tex}\end{{equation*}}"
    return tex


def _environment(found: re.Match[str]) -> str:
    place, name, columns = found.groups("")
    if name not in _ENVIRONMENTS:
        return found[0]
    columns = "" if name in ("alignat", "alignedat") else columns
    return f"\\{place}{{{_ENVIRONMENTS[name]}}}{columns}"


def _split_text(found: re.Match[str]) -> str:
    r"""Text with formulas in it, such as `\text{if $x > 0$}`, as texts and formulas."""
    parts = re.split(r"(?<!\\)\$", found[1])
    return "".join(
        f"{{{part}}}" if number % 2 else rf"\text{{{part}}}" for number, part in enumerate(parts)
    )


def _is_shallow(tex: str) -> bool:
    """Whether no more is open at once than `DEEPEST`, and left open than `UNCLOSED`."""
    if len(tex) <= DEEPEST and tex.isascii() and len(_MAY_OPEN.findall(tex)) <= UNCLOSED:
        return True
    # For each open group: whether braces end it, and how many arguments each command waits for.
    groups: list[tuple[bool, list[int]]] = [(True, [])]
    unclosed = 0
    kind = ""
    for token in _TOKEN.findall(tex):
        waiting = groups[-1][1]
        kind = _kind(token, kind)
        if kind in ("group", "open"):
            groups.append((kind == "group", []))
        elif kind == "group end":
            while len(groups) > 1 and not groups.pop()[0]:
                unclosed += 1
            _complete(groups[-1][1])
        elif kind == "close":
            del groups[-1 if not groups[-1][0] else len(groups) :]
        elif kind == "command":
            waiting.append(_ARGUMENTS.get(token, 1))
        elif kind == "row":
            waiting.clear()
        else:
            _complete(waiting)
        depth = len(groups) - 1 + sum(len(each) for _, each in groups)
        if depth > DEEPEST or unclosed > UNCLOSED:
            return False
    return unclosed + sum(not is_group for is_group, _ in groups) <= UNCLOSED


def _kind(token: str, before: str) -> str:
    """What a token does to what is open.

    Args:
        token: A command, a delimiter with the command before it, or a character.
        before: The kind of the token before it.
    """
    category = unicodedata.category(token) if len(token) == 1 else ""
    if _GROUP.match(token):
        return "group"
    if _GROUP_END.match(token):
        return "group end"
    if category == "Ps" or _OPEN.match(token):
        return "open"
    if category == "Pe" or _CLOSE.match(token):
        return "atom" if before == "command" else "close"  # it may be the command's argument
    if token in (r"\\", "&"):
        return "row"
    return "command" if _COMMAND.match(token) and not _SYMBOL.match(token) else "atom"


def _complete(waiting: list[int]) -> None:
    """Give the last command that waits for it an argument, and so on up."""
    while waiting:
        waiting[-1] -= 1
        if waiting[-1]:
            return
        waiting.pop()
