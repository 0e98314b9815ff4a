r"""Formulas: typeset as MathML on a live page, between dollars in Markdown; none can do harm."""

import re
import subprocess
import sys

import pytest

from claude_nb.render.chat import answer_of_text
from claude_nb.render.html import root
from claude_nb.render.markdown import formulas
from claude_nb.render.markdown import mathml as product
from claude_nb.render.markdown.incremental import Incremental
from claude_nb.render.markdown.markdown import to_html, with_dollars
from claude_nb.render.markdown.mathml import DEEPEST, LONGEST, UNCLOSED, mathml

KILLING = [
    *["'{' * n", r"r'\frac' * n", r"r'\left(' * n", "'x^{' * n", r"r'\hat' * n"],
    *[r"r'\sqrt[' * n", r"r'\begin{matrix}' * n", "'∑' * n", "'x!' * n"],
    *["'(' * n", r"r'\{' * n", "'(⟨x)' * n", r"r'(\hat)' * n", r"r'\displaystyle ' * n"],
]
"""What makes math-core run out of stack, or take forever."""


def test_no_formula_kills_the_process_or_takes_forever():
    """However it is nested, of whatever length, and on a thread with a small stack."""
    script = f"""if True:
    import threading
    from claude_nb.render.markdown.markdown import to_html
    def run():
        for make in {KILLING!r}:
            for n in (30, 95, 800, 100_000):
                tex = eval(make)
                assert to_html("$" + tex[:3_990] + "}}" * tex.count("{{") + "$", live=True)
                assert to_html("$" + tex + "$")
        print("alive")
    threading.stack_size(512 << 10)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    """
    child = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert (child.returncode, child.stdout) == (0, "alive\n"), child.stderr


@pytest.mark.parametrize(
    "tex",
    [
        r"\unknown",
        r"\frac{1",
        r"\eqref{a}",  # a link
        r"\raisebox{100em}{x}",
        r"\hspace{-20em}x",
        r"\hspace{1000em}x",
        r"\color{red;background:url(x)}x",
        r"\ce{H2O}",
    ],
)
def test_what_is_not_typeset_is_its_source_as_code(tex):
    """Refused commands, what reaches out of its place: nothing is dropped."""
    assert mathml(tex, display=False) == ""
    shown = to_html(f"${tex}$", live=True)
    assert shown.startswith("<p><var><code>$")


def test_half_a_character_is_not_typeset():
    """Rust has no such text."""
    assert mathml("\ud83d", display=False) == ""


@pytest.mark.parametrize(
    "tex",
    [
        "x" * (LONGEST + 1),
        "{" * (DEEPEST + 1) + "x" + "}" * (DEEPEST + 1),
        "(x" * (UNCLOSED + 1),
        r"\def\frac{x}",
        r"\newcommand{\a}{\a\a}\a",
        r"\href{javascript:alert(1)}{x}",
        r"\style{position: fixed}{x}",
        r"\mmlToken{mi}[href='javascript:alert(1)']{x}",
    ],
)
def test_what_could_harm_a_page_is_code_in_every_form(tex):
    """The notebook's MathJax does not get it either."""
    for shown in (to_html(f"${tex}$"), to_html(f"${tex}$", live=True)):
        assert shown.startswith("<p><code>$")
        assert "mathjax_process" not in shown


@pytest.mark.parametrize(
    "tex",
    [
        "{" * DEEPEST + "x" + "}" * DEEPEST,
        r"P(\theta)" * 50,
        "[0, 1)" * 50,
        r"\frac12 + " * 100,
        r"\alpha\beta" * 100,
        r"\sqrt[3]{x}" * 50,
        r"\left( \frac{a}{b} \right]" * 50,
        r"\bigl( x \bigr)" * 50,
    ],
)
def test_long_formulas_are_typeset(tex):
    """The limits count what is open at once, not how much there is."""
    assert mathml(tex, display=True)


@pytest.mark.parametrize(
    ("tex", "part"),
    [
        (r"\begin{align}a&=b\\c&=d\label{x}\end{align}", "<mtable"),
        (r"x = 1 \tag{3}", "<mtext>(3)</mtext>"),
        (r"\begin{split}a&=b\end{split}", "<mtable"),
        (r"\begin{alignat}{2}a&=b\end{alignat}", "<mtable"),
        (r"\sum_{\substack{a\\b}}", "<mtable"),
        (r"\begin{cases}1 & \text{if $n$ is even}\\0 & \text{else}\end{cases}", "is\xa0even"),
        (r"\operatorname*{argmax}_x", "argmax"),
        (r"\boxed{x}", '<menclose notation="box">'),
        (r"\text{<img src=x onerror=alert(1)>}", "&lt;img\xa0src=x\xa0onerror=alert(1)&gt;"),
        ("x < y", "<mo>&lt;</mo>"),
        (r"\text{\&amp;}", "&amp;amp;"),
    ],
)
def test_what_models_write_is_typeset(tex, part):
    """Environments, tags and text that math-core takes only in other forms; HTML is text."""
    shown = mathml(tex, display=True)
    assert part in shown
    assert "(1)" not in shown.replace("alert(1)", "")  # equations have no numbers, as in JupyterLab


def test_only_elements_of_formulas_come_from_the_typesetter(monkeypatch):
    """Whatever a later version of it returns."""

    class Converter:
        def convert_with_local_state(self, tex, *, displaystyle):
            return tex

    monkeypatch.setattr(product, "_converter", Converter)
    assert mathml("<math><mi>x</mi></math>", display=False) == "<mi>x</mi>"
    for inside in (
        "<script>x</script>",
        "<img/>",
        '<mi onclick="x">x</mi>',
        '<mi href="x">x</mi>',
        '<mi id="x">x</mi>',
        '<mi style="background:url(x)">x</mi>',
        "<a>x</a>",
        "<mi>a<b",
        "</math><math>",
    ):
        assert mathml(f"<math>{inside}</math>", display=False) == ""


def test_a_formula_is_set_once(monkeypatch):
    """Not at every frame of the block that it stands in, nor again for the saved output."""
    found = []
    monkeypatch.setattr(formulas, "mathml", lambda tex, *, display: found.append(tex) or "<mi>")
    incremental = Incremental()
    for _ in range(20):
        incremental.feed("so $a_1 = b_{17}$ and more ")
        incremental.frame()
    incremental.finish()
    assert to_html("$a_1 = b_{17}$")
    assert found == ["a_1 = b_{17}"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"so $$\frac{a", r"so <code>\frac{a</code>"),
        ("so $x_1 +", "so <code>x_1 +</code>"),
        (r"so \(x", "so <code>x</code>"),
        ("函数$f(x", "函数<code>f(x</code>"),
        ("so $", "so"),
        ("so $$", "so"),
        ("$$x$", "<code>x</code>"),
        ("so $5 and", "so $5 and"),
        ("so $HOME/bin", "so $HOME/bin"),
        ("so $x is a variable of", "so $x is a variable of"),
        ("$$\n\\frac{a}{b}\n- c", "<code>\\frac{a}{b}\n- c</code>"),
        ("\\[\nx", "<code>x</code>"),
        ("- a\n\n  $$\n  x", "<code>x</code>"),
        ("\\begin{align}\na &= b \\\\", "<code>\\begin{align}\na &amp;= b \\\\</code>"),
    ],
)
def test_a_half_written_formula_is_quiet_code(text, shown):
    """Without its delimiter, and no sooner than it looks like one: money stays money."""
    live = to_html(text, live=True)
    assert shown in live
    assert re.sub("<code>.*?</code>", "", live, flags=re.DOTALL).count("$") == shown.count("$")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"a \(x\) `\(y\)` \\(z\\)", r"a $x$ `\(y\)` \\(z\\)"),
        ("> a \\[\n> x\n> \\] b", "> a $$\n> x\n> $$ b"),
        ("```\n\\(x\\)\n```\n\\(y\\)", "```\n\\(x\\)\n```\n$y$"),
        ("|a|\n|-|\n|\\(x \\| y\\) \\(z\\)|", "|a|\n|-|\n|$x \\| y$ $z$|"),
        ("\\begin{align*}\na\n\\end{align*}", "$$\\begin{aligned}\na\n\\end{aligned}$$"),
        (r"\begin{equation}x\end{equation}", "$$x$$"),
        (r"[a \( x \)](https://e.x) **\(y\)**", "[a $x$](https://e.x) **$y$**"),
        ("  \\[x\\]  \ny", "  $$x$$  \ny"),
        ("$x$ $$y$$", "$x$ $$y$$"),
    ],
)
def test_in_markdown_formulas_stand_between_dollars(text, written):
    """Code, escapes and all else stay as they are: GitHub and LaTeX know no other delimiters."""
    assert with_dollars(text) == written


def test_a_chat_has_the_live_form_for_its_page_and_the_saved_one_for_its_output():
    """Also where it is restored; its Markdown, as every text that is exported, has dollars."""
    answer = answer_of_text(r"so \(x^2\)", simulated=False)
    assert "<math alttext=" in answer.html
    assert "mathjax_process" not in answer.html
    output = root(answer.html)
    assert r"\(x^2\)</span>" in output
    assert "<math" not in output
    assert answer.markdown == "so $x^2$"
