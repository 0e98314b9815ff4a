"""Short texts and links as HTML, Markdown and plain text: escaped, without API keys."""

from __future__ import annotations

import re
from html import escape, unescape
from urllib.parse import urlsplit

from claude_nb.characters import brief, clean
from claude_nb.errors import redact
from claude_nb.render.markdown.markdown import web_address

QUIET = "opacity:0.7"

_SYNTAX = re.compile(r"[&<>\[\]*_`~\\|$]|\A(?:[#+=-]|\d+(?=[.)]))")
"""Characters that have a meaning in Markdown, some only at the beginning of a line."""

_HEAD = re.compile(r"\A\*\*([^\n]+?)\*\*([^\n]*)\n*")
_FENCE = re.compile(r"`{3,}(?=[^`]*\Z)")
_MARKUP = re.compile(r"\[([^\[\]]*)\]\(<([^<>\s]*)>\)(?: · \S+)?|&(?:#\d+|amp|lt);")
"""A link, with the server's name behind it, which its address repeats; or an escaped character."""


def text(value: str) -> str:
    """Plain text as HTML: escaped, with hidden characters visible and without API keys."""
    return escape(clean(redact(brief(value))))


def one_line(value: str) -> str:
    """Plain text in one line, with hidden characters visible and without API keys."""
    return clean(redact(" ".join(brief(value).split())))


def address(url: str) -> str:
    """The address for a link, if it leads to the web and has no API key in it; or nothing."""
    return "" if brief(url) != url or redact(url) != url else web_address(url)


def host(url: str) -> str:
    """The name of the server that a link leads to; empty if the address is not for a link."""
    try:
        return urlsplit(address(url)).hostname or ""
    except ValueError:
        return ""


def link(url: str, label: str, *, title: str = "") -> str:
    """A link around ``label``, which is HTML; only the label if the address is not for a link."""
    href = address(url)
    hint = f' title="{escape(one_line(title))}"' if title else ""
    if not href:
        return f"<span{hint}>{label}</span>" if hint else label
    return f'<a href="{escape(href)}"{hint} target="_blank" rel="noopener noreferrer">{label}</a>'


def markdown(value: str) -> str:
    """Plain text as Markdown in one line, escaped."""
    return _SYNTAX.sub(lambda found: "".join(f"&#{ord(c)};" for c in found[0]), one_line(value))


def markdown_link(url: str, label: str) -> str:
    """A link around plain text as Markdown; only the text if the address is not for a link."""
    href = address(url).replace("&", "&amp;").replace("$", "%24")
    return f"[{markdown(label)}](<{href}>)" if href else markdown(label)


def fenced(code: str, language: str) -> str:
    """Code in a fence that is longer than any in the code."""
    code = clean(redact(code)).removesuffix("\n")
    marks = "`" * (1 + max(map(len, re.findall("`{2,}", code)), default=2))
    return f"{marks}{language}\n{code}\n{marks}"


def plain_text(source: str) -> str:
    """Our own Markdown as plain text: the head in brackets, links as addresses, code unfenced.

    Args:
        source: Lines with `markdown` and `markdown_link` in them, code in fences of backticks; if
            it begins with bold type, its first line is a head.
    """
    lines, fence = [], ""
    for line in _HEAD.sub(r"[\1\2]\n", source).split("\n"):
        opening = _FENCE.match(line)
        if fence and line.startswith(fence) and not line.strip("` "):
            fence = ""
        elif fence:
            lines.append(line)
        elif opening:
            fence = opening[0]
        else:
            lines.append(_MARKUP.sub(_without_markup, line.rstrip()))
    return clean(redact("\n".join(lines).rstrip("\n")), prose=True)


def _without_markup(found: re.Match[str]) -> str:
    label, url = found.groups()
    return unescape(found[0] if url is None else f"{label} · {url}")
