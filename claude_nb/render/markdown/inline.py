"""Words and links for HTML and for Markdown: escaped, without keys, what hides made visible."""

from __future__ import annotations

import re
from html import escape
from urllib.parse import urlsplit

from claude_nb.errors import redact
from claude_nb.render.markdown.characters import brief, clean
from claude_nb.render.markdown.markdown import web_address

QUIET = "opacity:0.7"

_SYNTAX = re.compile(r"[&<>\[\]*_`~\\|$]|\A(?:[#+=-]|\d+(?=[.)]))")
"""What Markdown could take for more than a character; some of it only where a line begins."""


def text(value: str) -> str:
    """Plain text as HTML: escaped, with control characters made harmless and keys taken out."""
    return escape(clean(redact(brief(value))))


def words(value: str) -> str:
    """Plain text in one line, with control characters made harmless and keys taken out."""
    return clean(redact(" ".join(brief(value).split())))


def address(url: str) -> str:
    """The address as a link may have it, if it leads to the web and holds no key; or nothing."""
    return "" if brief(url) != url or redact(url) != url else web_address(url)


def host(url: str) -> str:
    """The name of the server that a link leads to; nothing where there is no link."""
    try:
        return urlsplit(address(url)).hostname or ""
    except ValueError:
        return ""


def link(url: str, label: str, *, title: str = "") -> str:
    """A link around ``label``, which is HTML; the label alone where the address is not followed."""
    href = address(url)
    hint = f' title="{escape(words(title))}"' if title else ""
    if not href:
        return f"<span{hint}>{label}</span>" if hint else label
    return f'<a href="{escape(href)}"{hint} target="_blank" rel="noopener noreferrer">{label}</a>'


def markdown(value: str) -> str:
    """Plain text as Markdown, in one line: each character stands for itself."""
    return _SYNTAX.sub(lambda found: "".join(f"&#{ord(c)};" for c in found[0]), words(value))


def markdown_link(url: str, label: str) -> str:
    """A link around plain text as Markdown; the text alone where the address is not followed."""
    href = address(url).replace("&", "&amp;").replace("$", "%24")
    return f"[{markdown(label)}](<{href}>)" if href else markdown(label)
