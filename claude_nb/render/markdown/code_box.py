"""Code in a box, coloured by Pygments where that is safe and fast enough."""

import functools
import re
from typing import Any, Final

from markdown_it.common.utils import escapeHtml

from claude_nb.characters import in_code
from claude_nb.render.colours import GREEN, RED

CODE_END: Final = "</code></pre>\n"

_BOX: Final = "background:#8888881a;border-radius:3px;margin:0 0 1em;padding:8px 12px"

_OF_LINES: Final = {"gd": f"background:{RED}33", "gi": f"background:{GREEN}33"}
"""The lines of a difference that came and went, which no theme of JupyterLab colours."""

HIGHLIGHT_LIMIT: Final = 20_000
"""Characters of a code block; a longer one is not coloured (60 kB took 0.17 s)."""

_SLOW_LIMIT: Final = 3_000
# Many lexers are quadratic or worse over hostile code: runs of blank lines, long lines of one
# token. Within these limits the lexers listed here (each by its first alias) took at most 0.6 s
# for 20 kB of some forty such inputs, the slow ones at most 1.4 s for 3 kB.
_LEXERS: Final = frozenset(
    {
        "bash", "c", "clojure", "cmake", "console", "cpp", "css", "dart", "diff", "docker",
        "elixir", "fortran", "go", "graphql", "groovy", "haskell", "html", "http", "ini",
        "ipython", "javascript", "json", "jsx", "julia", "kotlin", "lua", "make", "markdown",
        "matlab", "nginx", "nixos", "ocaml", "perl", "php", "powershell", "protobuf", "pycon",
        "python", "ruby", "rust", "scala", "scss", "solidity", "splus", "sql", "swift", "tex",
        "toml", "tsx", "typescript", "vim", "xml", "yaml",
    }
)  # fmt: skip
_SLOW_LEXERS: Final = frozenset({"csharp", "java", "terraform"})
_SLOW_CODE: Final = re.compile(r"[^\n]{400}|(?:[ \t]*\n){20}")


def code_box(code: str, language: str = "", *, coloured: bool = True) -> str:
    """`clean` code in a box; ``coloured`` if its language is known."""
    code = in_code(code)
    html = _highlight(code, language) if language and coloured else escapeHtml(code)
    return f"{code_open(language)}{html}{CODE_END}"


def code_open(language: str) -> str:
    """The beginning of a box of code; `CODE_END` ends it.

    Its grey is translucent, so that the box stands out on light and on dark pages. JupyterLab keeps
    both styles in a notebook that is not trusted.
    """
    attribute = f' class="language-{escapeHtml(language)}"' if language else ""
    # JupyterLab gives code the page's background, which would show as stripes in the box. It also
    # wraps lines; where they begin matters in Python, but not in JSON, whose strings can be long.
    box, style = _BOX, "background:none"
    if language != "json":
        box, style = f"{box};overflow-x:auto", f"{style};white-space:pre"
    return f'<pre class="highlight" style="{box}"><code{attribute} style="{style}">'


@functools.lru_cache(256)
def _highlight(code: str, language: str) -> str:
    """Escaped code, in spans with Pygments' classes if it can be coloured.

    Cached: the live view and the saved output render the same code.
    """
    import pygments
    from pygments.token import Token

    if len(code) > HIGHLIGHT_LIMIT or _SLOW_CODE.search(code):
        return escapeHtml(code)
    lexer = _lexer(language)
    name = lexer.aliases[0] if lexer else ""
    if name not in _LEXERS and (name not in _SLOW_LEXERS or len(code) > _SLOW_LIMIT):
        return escapeHtml(code)
    plain = (Token.Name, Token.Text.Whitespace)  # no theme gives these a look of their own
    tokens = ((Token.Text if k in plain else k, part) for k, part in lexer.get_tokens(code))
    html: str = pygments.format(tokens, _formatter())
    for kind, colour in _OF_LINES.items():
        html = html.replace(f'<span class="{kind}">', f'<span class="{kind}" style="{colour}">')
    return html.replace("&quot;", '"').replace("&#39;", "'")  # in elements quotes may stay


@functools.lru_cache(64)
def _lexer(language: str) -> Any:
    """Pygments' lexer of that name, or None. Cached: to find one takes 1 ms."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@functools.cache
def _formatter() -> Any:
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(nowrap=True)
