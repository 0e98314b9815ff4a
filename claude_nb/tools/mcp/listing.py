"""The tools of servers as they are listed: with descriptions, and whether their calls ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render import labels
from claude_nb.render.markdown.inline import QUIET, text
from claude_nb.render.markdown.markdown import ROOT_CLASSES

UNFOLDED = 20
"""So many tools of a server are listed in sight, more of them folded."""

_BRIEF = 200
"""Characters of a description in sight; the rest is folded."""


def shown_name(tool: str) -> str:
    """What a server calls a tool, as it is shown: quoted and cut if it could read as a sentence."""
    if _PLAIN.fullmatch(tool):
        return tool
    return json.dumps(labels.first_words(tool, _LONGEST), ensure_ascii=False)


_PLAIN = re.compile(r"[\w./-]{1,128}")
_LONGEST = 60
"""Characters of a name in quotes."""

_TOOL = "margin:0;padding:2px 0 2px 16px;overflow-wrap:anywhere"
_SMALL = f"font-size:90%;{QUIET}"


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool of a server, as it is listed.

    Attributes:
        name: Its name, as ``--tools`` takes it.
        description: What it says that it does; or why it cannot be used.
        allowed: Whether its calls are allowed, for how long; empty if they ask.
    """

    name: str
    description: str
    allowed: str = ""


@dataclass(frozen=True, slots=True)
class ServerRows:
    """A server, as it is listed.

    Attributes:
        name: Its name.
        where: Its command line or address.
        about: Its state, and when its calls ask.
        tools: Its tools.
    """

    name: str
    where: str
    about: str
    tools: tuple[ToolRow, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Servers and their tools: tables in a notebook, text in a terminal.

    Attributes:
        servers: What is shown of each.
        whole: Whether nothing of them is folded.
        note: Lines below them.
    """

    servers: Sequence[ServerRows]
    whole: bool = False
    note: Sequence[str] = ()

    def __repr__(self) -> str:
        lines = [line for server in self.servers for line in self._lines(server)]
        return clean(redact("\n".join([*lines, *self.note])))

    def _lines(self, server: ServerRows) -> Iterable[str]:
        yield f"{server.name} · {server.where} · {server.about}"
        shown = server.tools if self.whole else server.tools[:UNFOLDED]
        width = max((len(tool.name) for tool in shown), default=0)
        for tool in shown:
            brief = labels.first_words(tool.description, _BRIEF)
            about = " ".join(tool.description.split()) if self.whole else brief
            allowed = f"[{tool.allowed}]" if tool.allowed else ""
            yield f"  {tool.name:<{width}}  {' '.join(filter(None, (allowed, about)))}".rstrip()
        if rest := len(server.tools) - len(shown):
            yield f"  and {rest} more"
        if not server.tools:
            yield "  It has no tools."

    def _repr_html_(self) -> str:
        notes = "".join(
            f'<p style="margin:6px 0 0;{_SMALL}">{text(line)}</p>' for line in self.note
        )
        shown = "".join(map(self._html, self.servers))
        return f'<div class="{ROOT_CLASSES}">{shown}{notes}</div>'  # no $ in it begins a formula

    def _html(self, server: ServerRows) -> str:
        head = (
            f'<p style="margin:6px 0 2px;overflow-wrap:anywhere"><b>{text(server.name)}</b>'
            f" · <code>{text(server.where)}</code>"
            f' · <span style="{QUIET}">{text(server.about)}</span></p>'
        )
        if not server.tools:
            return f"{head}<p>It has no tools.</p>"
        rows = "".join(map(self._tool, server.tools))
        tools = f'<ul style="list-style:none;margin:0;padding:0">{rows}</ul>'
        if len(server.tools) <= UNFOLDED or self.whole:
            return head + tools
        summary = labels.counted(len(server.tools), "tool")
        return f"{head}<details><summary>{summary}</summary>{tools}</details>"

    def _tool(self, tool: ToolRow) -> str:
        allowed = f' <span style="{_SMALL}">· {text(tool.allowed)}</span>' if tool.allowed else ""
        about = self._description(tool.description)
        return f'<li style="{_TOOL}"><code>{text(tool.name)}</code>{allowed} {about}</li>'

    def _description(self, description: str) -> str:
        brief = labels.first_words(description, _BRIEF)
        if brief == description.strip():
            return text(brief)
        # All of it, as the model gets it.
        rest = f'<div style="white-space:pre-wrap">{escape(clean(redact(description)))}</div>'
        return rest if self.whole else f"<details><summary>{text(brief)}</summary>{rest}</details>"
