"""What JupyterLab takes for formulas hides nothing from who decides what is harmless."""

from __future__ import annotations

import pytest

from claude_nb.render.markdown.host_math import taken_out, without_math
from claude_nb.render.text import harmless

HOSTILE = [
    'x $`$\n<img src=x onerror="run()">\n$`$ y',  # the dollars take a backtick of the code away
    '[a](https://example.org/$"onmouseover="run()"x="$)',  # the quotes come back into the address
    '[a](https://example.org "$\\"onmouseover=run() x=$")',
    "[a$]$](javascript:run())",  # a link of two halves
    "# h $\n    $ <img src=x onerror=run()>",  # code that is not on a line of its own any more
    'x \\\\(`\\\\)\n<img src=x onerror="run()">\n\\\\(`\\\\) y',
    'x \\begin{a}`\\end{a}\n<img src=x onerror="run()">\n\\begin{a}`\\end{a} y',
    '$"x"$ and [a](https://example.org/$"x"$)',
]
HARMLESS = [
    "costs $5 and $6",
    "$x^2$ and $f'(x)$\n\n$$\na\n+ b\n$$\n\nok $a<b$",
    "echo `$HOME` and $PATH",
    '```bash\necho "$HOME" > "$OUT"\n```\n\nSo $x$.',
    '- ```bash\n  echo "$HOME"\n  echo "$OUT"\n  ```\n',
    "price \\$5 and `x` \\$6",
    "[a](https://example.org/?q=$x) and $y$",
]


@pytest.mark.parametrize("source", HOSTILE)
def test_what_a_formula_could_hide_is_no_formula(source):
    """Then the text is parsed as it is written, in which it does nothing."""
    shown = harmless(source)

    assert shown != source
    assert taken_out(shown) == shown
    assert harmless(shown) == shown


@pytest.mark.parametrize("source", HARMLESS)
def test_formulas_and_money_stay_as_they_are(source):
    """What is taken out and put back changes nothing else."""
    assert harmless(source) == source


def test_a_blank_line_ends_the_search_for_a_partner():
    """And code of the usual forms has no delimiters."""
    source = '$a\n\n"b"$ `c $"d"` $ and $"e"$'
    assert taken_out(source) == '$a\n\n"b"@@0@@ and @@0@@'


def test_all_else_reads_as_before():
    """An escaped character is the character."""
    assert without_math("$x$ \\\\(y\\\\) \\begin{a}") == ("\\$x\\$ \\\\&#40;y\\\\) &#92;begin{a}")
