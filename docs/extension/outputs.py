"""Outputs of cells, as notebooks save them, on a page of the site."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import TYPE_CHECKING, Any

from claude_nb.render.markdown.mathml import mathml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_COLOURS = re.compile(r"\x1b\[[\d;]*m")

_FORMULA = re.compile(r'<span class="mathjax_process[^"]*">\\([(\[])(.*?)\\[)\]]</span>', re.DOTALL)

_FOR_ALL = {
    '<div style="overflow-x:auto">': '<div style="overflow-x:auto" tabindex="0">',
    "<th></th>": "<td></td>",
}
"""What keyboards and screen readers need on a page: in a notebook the host sees to the first, and
the second is the corner of a table of pandas."""


def to_markdown(outputs: Iterable[Mapping[str, Any]]) -> str:
    """Outputs as a block of HTML in Markdown; empty where there are none."""
    shown = "\n".join(filter(None, map(_html, outputs)))
    if not shown:
        return ""
    fence = "~" * 12
    return f'{fence}{{raw}} html\n<div class="cell-output">\n{shown}\n</div>\n{fence}'


def _html(output: Mapping[str, Any]) -> str:
    kind = output["output_type"]
    if kind == "stream":
        return _plain(output["text"])
    if kind == "error":
        return _plain("\n".join(output["traceback"]))
    data = output["data"]
    if "text/html" in data:
        html = _FORMULA.sub(_typeset, _joined(data["text/html"]))
        for saved, read in _FOR_ALL.items():
            html = html.replace(saved, read)
        return html
    for image in ("image/png", "image/jpeg"):
        if image in data:
            return f'<img alt="A figure" src="data:{image};base64,{_joined(data[image]).strip()}">'
    return _plain(data.get("text/plain", ""))


def _typeset(formula: re.Match[str]) -> str:
    """A formula as MathML: what JupyterLab typesets in a saved output stays TeX elsewhere."""
    block = formula[1] == "["
    content = mathml(unescape(formula[2]), display=block)
    return f'<math display="{"block" if block else "inline"}">{content}</math>'


def _joined(text: Any) -> str:
    return text if isinstance(text, str) else "".join(text)


def _plain(text: Any) -> str:
    text = _COLOURS.sub("", _joined(text)).rstrip("\n")
    return f'<pre tabindex="0">{escape(text)}</pre>' if text else ""
