"""HTML of somebody's object, made anew of elements that can neither run nor fetch anything."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from typing import NamedTuple

from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render.markdown.inline import address

_TABLES = ("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td")
_BLOCKS = (
    *("p", "div", "pre", "blockquote", "ul", "ol", "li", "dl", "dt", "dd", "hr", "br", "wbr"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "details", "summary", "figure", "figcaption"),
)
_INLINE = (
    *("span", "a", "b", "strong", "i", "em", "u", "s", "del", "ins", "mark", "small", "sub", "sup"),
    *("code", "kbd", "samp", "var", "abbr", "q", "cite", "time", "img", "ruby", "rt", "rp", "bdi"),
)
_KEPT = frozenset([*_TABLES, *_BLOCKS, *_INLINE])
_EMPTY = frozenset(["br", "hr", "wbr", "img", "col"])

_LOST = frozenset(
    [
        *("script", "iframe", "object", "embed", "applet", "svg", "math", "canvas", "audio"),
        *("video", "input", "select", "button", "textarea", "frameset"),
    ]
)
"""Elements without which the object is not what it was."""

_UNSEEN = _LOST - {"input", "embed"} | {
    *("style", "head", "title", "template", "noscript", "noembed", "noframes", "xmp", "plaintext"),
}
"""Elements that are left out with all that is in them."""

_NAMES = frozenset(["colspan", "rowspan", "span", "scope", "title", "dir", "align", "start", "alt"])
"""Attributes that stay as they are."""

_STYLES = frozenset(
    [
        *("color", "background-color", "font-weight", "font-style", "text-align", "font-size"),
        *("text-decoration", "vertical-align", "white-space", "border", "border-collapse"),
        *("border-top", "border-bottom", "border-left", "border-right", "padding", "width"),
        *("max-width", "min-width", "height", "font-family", "opacity"),
    ]
)
_STYLE = re.compile(r"[\w\s#%.,'\"+-]*(?:rgba?\([\d\s.,%/]*\)|hsla?\([\d\s.,%/deg]*\))?[\w\s%.-]*")
"""A value of a style: words, numbers and colours, but no address and no other function."""

_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=]+")


class SafeHtml(NamedTuple):
    """HTML that can be shown anywhere.

    Attributes:
        html: The HTML.
        is_whole: Whether nothing is missing without which it is not what it was.
        has_content: Whether there is something to see in it.
    """

    html: str
    is_whole: bool
    has_content: bool


def safe_html(html: str, most: int) -> SafeHtml:
    """HTML written anew: its text escaped, and only elements that are known to be harmless.

    Args:
        html: Any text.
        most: Characters that are kept; the elements that are open there are closed.
    """
    reader = _Reader(most)
    reader.feed(html)
    reader.close()
    return SafeHtml(reader.written(), reader.is_whole, reader.has_content)


class _Reader(HTMLParser):
    def __init__(self, most: int) -> None:
        super().__init__()
        self.is_whole = True
        self.has_content = False
        self._most = most
        self._parts: list[str] = []
        self._open: list[str] = []
        self._unseen: list[str] = []

    def written(self) -> str:
        """What has been kept, with every element closed."""
        return "".join([*self._parts, *(f"</{tag}>" for tag in reversed(self._open))])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_whole = self.is_whole and tag not in _LOST
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag in _KEPT and not self._unseen:
            kept = [_attribute(tag, name, value or "") for name, value in attrs]
            if tag == "img" and not any(part.startswith(" src=") for part in kept):
                self.is_whole = False
                self.handle_data(dict(attrs).get("alt") or "")
                return
            self.has_content = self.has_content or tag == "img"
            if self._add(f"<{tag}{''.join(kept)}>") and tag not in _EMPTY:
                self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            while self._unseen.pop() != tag:
                pass
        elif tag in self._open and not self._unseen:
            while (closed := self._open.pop()) != tag:
                self._parts.append(f"</{closed}>")
            self._parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.has_content = self.has_content or bool(data.strip())
            self._add(escape(clean(redact(data), prose=True)))

    def _add(self, part: str) -> bool:
        self._most -= len(part)
        if self._most < 0:
            self.is_whole = False
            return False
        self._parts.append(part)
        return True


def _attribute(tag: str, name: str, value: str) -> str:
    """An attribute as it is written; empty if it is left out."""
    if name == "href" and tag == "a":
        url = address(value)
        return f' href="{escape(url)}" target="_blank" rel="noopener noreferrer"' if url else ""
    if name == "src" and tag == "img":
        return f' src="{value}"' if _PICTURE.fullmatch(value) else ""
    if name == "style":
        pairs = (pair.partition(":") for pair in value.split(";"))
        kept = [
            f"{prop}:{shown}"
            for prop, shown in ((n.strip().lower(), v.strip()) for n, _, v in pairs)
            if prop in _STYLES and _STYLE.fullmatch(shown)
        ]
        return f' style="{escape(";".join(kept))}"' if kept else ""
    if name == "class" and value.split()[:1] == ["dataframe"]:
        return ' class="dataframe"'  # a table of pandas, as front ends draw it
    if name in _NAMES:
        return f' {name}="{escape(clean(redact(value)))}"'
    return ""
