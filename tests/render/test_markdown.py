"""What the full render promises: safe whatever the text, plain HTML, math told from money."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_nb.characters import clean
from claude_nb.render.markdown.code_box import HIGHLIGHT_LIMIT, code_open
from claude_nb.render.markdown.markdown import INLINE_LIMIT, to_html
from tests.render.samples import texts
from tests.work import calls

TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "input", "li", "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead",
    "tr", "ul", "var",
}  # fmt: skip
ATTRIBUTES = {
    "align", "checked", "class", "dir", "disabled", "href", "rel", "start", "style", "target",
    "title", "type",
}  # fmt: skip
STYLES = {
    *("text-align:left", "text-align:center", "text-align:right", "list-style:none"),
    *re.findall('style="([^"]*)"', code_open("") + code_open("json")),
}
FORMULA = '<span class="mathjax_process tex2jax_process">'


class Seen(HTMLParser):
    """Every tag and attribute of some HTML."""

    def __init__(self, html) -> None:
        super().__init__()
        self.tags, self.attributes, self.open = set(), [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in {"br", "hr", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def link(url, text):
    """A paragraph that is one link."""
    return f'<p><a href="{url}" target="_blank" rel="noopener noreferrer">{text}</a></p>\n'


def assert_safe(html):
    seen = Seen(html)
    assert seen.open == []
    assert seen.tags <= TAGS
    for name, value in seen.attributes:
        assert name in ATTRIBUTES
        if name == "href":
            assert re.match(r"(https?://[^/\\?#]|mailto:)", value, re.IGNORECASE)
        if name == "style":
            assert value in STYLES
    assert not re.search(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]", html)
    html.encode()


HOSTILE = [
    "<script>", "<img src=x onerror=a()>", '"', "'", ">", "<", "&", "[a](", "javascript:a()", ")",
    "![", "](", "data:text/html,x", "```", '" onload="', "\n", "//e.x", "http:", "https://e.x/",
    "\\", "[r]:", "|", "-", "$", "\x00", "\ud800", "&#x6a;", "&lt;", "<a@b.c>", "`", "- [ ] ",
    "<http://e.x/%00>",
]  # fmt: skip
hostile = st.lists(st.sampled_from(HOSTILE)).map("".join)


@given(hostile | texts | st.text(), st.booleans())
def test_no_text_makes_html_that_is_not_ours(text, live):
    """Only known tags and attributes come out, balanced, with safe links and no controls."""
    assert_safe(to_html(text, live=live))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("<!-- a\n\nb -->", "<p>&lt;!-- a</p>\n<p>b --&gt;</p>\n"),
        ("[a](javascript:b)", "<p>[a](javascript:b)</p>\n"),
        ("[a](../lab?reset)", "<p>[a](../lab?reset)</p>\n"),
        ("[a](//e.x)", "<p>[a](//e.x)</p>\n"),
        ("[a](http:lab)", "<p>[a](http:lab)</p>\n"),
        ("[a](#b)", "<p>[a](#b)</p>\n"),
        ("[a](data:text/html,b)", "<p>a</p>\n"),
        ("[a](HTTPS://e.x/?b=1&c)", link("HTTPS://e.x/?b=1&amp;c", "a")),
        ("<http://e.x/%1b>", link("http://e.x/%1b", "http://e.x/%1b")),
        ("![*a* b](http://e.x/i.png)", link("http://e.x/i.png", "a b")),
        ("![a&#x202e;](http://e.x/i.png)", link("http://e.x/i.png", "a‹U+202E›")),
        ("![](http://e.x/i.png)", link("http://e.x/i.png", "http://e.x/i.png")),
        ("![a](data:image/png;base64,AAAA)", "<p>a</p>\n"),
        ("[![a](http://e.x/i.png)](http://e.x)", link("http://e.x", "a")),
        ("a\x1b[0m\x00\ud800\x85", "<p>a␛[0m␀\ufffd\ufffd</p>\n"),
        ("\ud83d\ude00", "<p>😀</p>\n"),
    ],
)  # fmt: skip
def test_hostile_text_is_shown_not_obeyed(text, html):
    """Raw HTML, unsafe links, remote images and control characters are text."""
    assert to_html(text) == html


@pytest.mark.parametrize(
    "text",
    ["$5 and $6", "US$5-$6", "$HOME/bin:$PATH", "$5/month to $50/year", "\\$5$", "`$x$`",
     "$ x $", "5 CA$=4 US$.", "5$ or 6$", "$$", "$", "cost: $1,000-$2,000.", "$5 and `$x`",
     "a$b$c", "($5)-($6)", "$5 and US$", "$10 (or 8$)", "$HOME_DIR/bin:$PATH", "价格是$5，运费$10"],
)  # fmt: skip
def test_money_stays_money(text):
    """Dollars that stand for money, shell variables or code are not math."""
    assert FORMULA not in to_html(text)


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("$x^2$ is 5", r"\(x^2\)"),
        ("so $a<b$.", r"\(a&lt;b\)"),
        ("pay $5 for $x_1$", r"\(x_1\)"),
        ("函数$f(x)$在", r"\(f(x)\)"),
        ("在$[0,1]$上", r"\([0,1]\)"),
        ("the $i$th of $a_n$s", r"\(i\)"),
        ("the $i$th of $a_n$s", r"\(a_n\)"),
        ("$x\n= y$", "\\(x\n= y\\)"),
        (
            "\\begin{align}\na &= b\n- c\n\\end{align}",
            "\\[\\begin{align}\na &amp;= b\n- c\n\\end{align}\\]",
        ),
        ("$\\$5 + x$", r"\(\$5 + x\)"),
        (r"\(a_b + c_d\)", r"\(a_b + c_d\)"),
        ("see $$x$$ here", r"\[x\]"),
        ("$$\nx\n+ y\n- z\n$$", "\\[x\n+ y\n- z\\]"),
        ("text\n\\[\nx\n\\]\ntext", r"\[x\]"),
        ("- a\n  $$\n  x\n  $$", r"\[x\]"),
    ],
)
def test_math_is_marked_for_mathjax_when_settled_and_is_mathml_while_live(text, formula):
    """A formula is a span that MathJax processes; in the live form the browser draws it."""
    assert f"{FORMULA}{formula}</span>" in to_html(text)
    live = to_html(text, live=True)
    assert FORMULA not in live
    assert "<math alttext=" in live


def test_code_has_the_classes_that_notebooks_colour():
    """Known languages get Pygments classes inside `pre.highlight`, others none."""
    box = code_open("python")
    assert '<pre class="highlight"' in box
    assert '<code class="language-python"' in box
    assert to_html("```python\ndef\n```") == (f'{box}<span class="k">def</span>\n</code></pre>\n')
    coloured = '<span class="o">=</span> <span class="s2">"&lt;"</span>'
    assert to_html('```python\nx = "<"\n```') == f"{box}x {coloured}\n</code></pre>\n"
    assert to_html("    a < b") == f"{code_open('')}a &lt; b\n</code></pre>\n"
    assert to_html("```nonesuch\ndef\n```") == f"{code_open('nonesuch')}def\n</code></pre>\n"


def test_the_name_of_a_language_cannot_leave_its_attribute():
    """It comes from the text, so it is escaped."""
    assert 'class="language-a&quot;&gt;&lt;b&gt;"' in to_html('```a"><b>\n```')


def test_a_long_code_block_is_not_coloured():
    """Beyond the limit the code is only escaped."""
    assert "<span" not in to_html(f"```python\n{'a = 1 ' * HIGHLIGHT_LIMIT}\n```")


@pytest.mark.parametrize(
    ("code", "coloured"),
    [
        ("a.b." * 4_000, set()),
        ("1." * 9_000, set()),
        ("\n" * 19_000, set()),
        ('"\\' * 9_000, set()),
        ("a b\n" * 4_900, {"javascript", "typescript"}),  # in C they are plain names
        ("((a\n" * 4_900, {"javascript", "typescript", "c"}),
    ],
)
def test_lexers_that_code_would_hang_are_not_asked(code, coloured):
    """Code and language come from the text."""
    languages = ["javascript", "typescript", "java", "csharp", "c", "agda"]
    html = {language: to_html(f"```{language}\n{code}\n```") for language in languages}
    assert {language for language in languages if "<span" in html[language]} == coloured


@pytest.mark.parametrize("language", ["python", "js", "c++", "java", "c#", "bash", "sql", "yaml"])
def test_usual_languages_are_coloured(language):
    """By any name that Pygments knows."""
    assert "<span class=" in to_html(f"```{language}\nif (x == 1) return 'a'\n```")


def test_an_open_fence_is_coloured_only_in_the_settled_form():
    """While live, an open fence stays plain so that text can be appended to it."""
    assert "<span" not in to_html("```python\ndef\n", live=True)
    assert "<span" in to_html("```python\ndef\n")
    assert "<span" in to_html("```python\ndef\n```", live=True)


def test_tables_keep_their_alignment():
    """Alignment is the one inline style; untrusted notebooks keep it."""
    assert '<td style="text-align:right">1</td>' in to_html("|a|\n|-:|\n|1|")


def test_an_empty_corner_of_a_table_is_no_header():
    """A screen reader would read a header without a word before each cell of its column."""
    html = to_html("| | b |\n|-|-|\n| 1 | 2 |")
    assert "<tr>\n<td></td>\n<th>b</th>\n</tr>" in html


def test_task_list_boxes_cannot_be_pressed():
    """A box says whether the task is done, also by its name, and is disabled."""
    html = to_html("- [x] a\n- [ ] b")
    assert html.count("disabled") == 2
    assert html.count("checked") == 1
    assert re.findall('aria-label="(.*?)"', html) == ["done", "to do"]


def test_a_box_of_a_task_stands_for_the_bullet():
    """An item with a box has no second bullet; other items keep theirs."""
    html = to_html("- [x] a\n- b")
    assert '<li class="task-list-item" style="list-style:none"><input' in html
    assert "<li>b</li>" in html


def test_code_is_not_wrapped():
    """A long line scrolls in its box, as where a line begins matters in Python; JSON is wrapped."""
    for text in ("```python\nx\n```", "```\nx", "    x"):
        assert "overflow-x:auto" in to_html(text)
        assert "white-space:pre" in to_html(text)
    assert "white-space" not in to_html("```json\n1\n```")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**「雨」**でした", "<strong>「雨」</strong>でした"),
        ("これは**「雨」**でした", "これは<strong>「雨」</strong>でした"),
        ("**手順：**次に", "<strong>手順：</strong>次に"),
        ("用*（注）*吧", "用<em>（注）</em>吧"),
        ("说**“好”**的", "说<strong>“好”</strong>的"),
        ('**"정렬된"**이라는', "<strong>&quot;정렬된&quot;</strong>이라는"),
        ("是**`x`**的", "是<strong><code>x</code></strong>的"),
        ("~~「雨」~~です", "<s>「雨」</s>です"),
        ("**a.**b", "**a.**b"),
        ("*(a)*b", "*(a)*b"),
    ],
)
def test_emphasis_works_beside_cjk_punctuation(text, html):
    """Where no spaces are written a run of asterisks has letters and punctuation beside it."""
    assert to_html(text) == f"<p>{html}</p>\n"


@pytest.mark.parametrize(
    ("text", "address", "rest"),
    [
        ("https://e.x", "https://e.x", ""),
        ("https://e.x/a_b_c?d=1#e.", "https://e.x/a_b_c?d=1#e", "."),
        ("https://e.x/a_(b))", "https://e.x/a_(b)", ")"),
        ("http://localhost:8888/lab!", "http://localhost:8888/lab", "!"),
        ("https://e.x/aを見る", "https://e.x/a", "を見る"),
        ("https://e.x/a。", "https://e.x/a", "。"),
        ("https://e.x获取", "https://e.x", "获取"),
    ],
)
def test_a_bare_address_is_a_link(text, address, rest):
    """Without the punctuation behind it, and without the letters of Japanese and Chinese."""
    linked = link(address, address).removeprefix("<p>").removesuffix("</p>\n")
    assert to_html(f"see {text}") == f"<p>see {linked}{rest}</p>\n"


def test_only_bare_addresses_of_the_web_are_links():
    """Code, links, other schemes and half an address stay as they are."""
    for text in (
        "`https://e.x`",
        "ftp://e.x",
        "xhttps://e.x",
        "\\https://e.x",
        "https://",
        "https:/e.x",
        "e.x",
    ):
        assert "<a " not in to_html(text)
    assert to_html("[https://e.x](https://e.x/b)") == link("https://e.x/b", "https://e.x")
    bold = link("https://e.x", "https://e.x").replace("<p>", "<p><strong>")
    assert to_html("**https://e.x**") == bold.replace("</p>", "</strong></p>")


def test_a_break_in_a_cell_is_one():
    """There is no other way to write it; elsewhere it is text, as all HTML."""
    html = to_html("|a|\n|-|\n|b<br>c<BR/>`<br>`<b>|")
    assert "<td>b<br>\nc<br>\n<code>&lt;br&gt;</code>&lt;b&gt;</td>" in html
    assert to_html("a<br>b") == "<p>a&lt;br&gt;b</p>\n"


NESTED = "```markdown\n# a\n```python\nb\n```\nc\n```\n\nd\n"


def test_a_fence_of_markdown_may_hold_other_fences():
    """It ends with the bare fence that is its own, in a list too."""
    box = code_open("markdown")
    assert to_html(NESTED).endswith("</code></pre>\n<p>d</p>\n")
    assert to_html(NESTED).count(box) == to_html(NESTED).count("<pre") == 1
    assert to_html(f"- {NESTED}".replace("\n", "\n  ")).count("<pre") == 1
    assert to_html(NESTED.replace("markdown", "text")).count("<pre") == 2


def test_a_fence_of_markdown_ends_with_the_first_if_there_is_no_other():
    """The text behind it is not swallowed by a fence in it that is not closed."""
    html = to_html("```md\n```python\n```\n\n**b**")
    assert html.endswith("</code></pre>\n<p><strong>b</strong></p>\n")


def test_a_block_that_runs_right_to_left_says_so():
    """Direction is given where it differs from the surrounding one, and nowhere else."""
    assert to_html("אב a\n\nb") == '<p dir="rtl">אב a</p>\n<p>b</p>\n'
    assert to_html("- א\n- a") == '<ul dir="rtl">\n<li>א</li>\n<li dir="ltr">a</li>\n</ul>\n'
    assert "dir=" not in to_html("only *English* - 1")


def test_nothing_is_lost_below_the_nesting_limit():
    """Deeper quotes and lists than are rendered are shown with their markers."""
    assert "deep" in to_html("> " * 500 + "deep")
    assert "deep" in to_html("- " * 500 + "deep")


def test_an_overlong_paragraph_is_plain_text():
    """Beyond the limit inline markup is shown as written."""
    assert "<em>" not in to_html("*a* " * INLINE_LIMIT)


@pytest.mark.parametrize(
    "unit",
    ["[", "![", "[a](", "[a][", "*a _b ", "`a``", "> ", "- ", "$$a\n", "\\[\n", "[\n", "<", "&",
     "|", "[x]: <"],
)  # fmt: skip
def test_work_grows_with_the_text_alone(unit):
    """Of thousands of repetitions: nothing is exponential, nothing recurses without bound."""
    assert calls(lambda: to_html(unit * 2_000)) <= 2.1 * calls(lambda: to_html(unit * 1_000))


def test_clean_leaves_ordinary_text_alone():
    """Tabs, newlines and every script stay; line ends become newlines."""
    assert clean("a\tb\r\nc\rdé😀\n") == "a\tb\nc\ndé😀\n"
