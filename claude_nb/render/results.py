"""What a server's own tools brought back, in a readable form.

A block is read strictly: one that lacks a field or has one of another type is not guessed at, and
is shown in its generic form instead. So whatever a gateway makes of it, nothing of it is hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from claude_nb.errors import redact
from claude_nb.render.labels import count, megabytes, more_characters
from claude_nb.render.markdown.characters import MOST, clean
from claude_nb.render.markdown.code_box import code_box
from claude_nb.render.markdown.inline import (
    QUIET,
    fenced,
    host,
    link,
    markdown,
    markdown_link,
    text,
)
from claude_nb.render.markdown.markdown import rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from claude_nb.streaming.block import Block

_T = TypeVar("_T")

_LONGEST = 20_000
"""Characters of one output that are shown."""

_BEGINNING = 2_000
"""Characters of a document that are shown: it is there to be recognised, not to be read."""

_ITEMS = 100
"""Items of a list that are shown."""

_ABOUT = 200
"""Characters of a tool's description that are shown."""


_CLOSE = "margin:0 0 4px"
_MINUTE = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)[^Z]*Z")


class Code(NamedTuple):
    """Something that is shown as it is, in a box.

    Attributes:
        content: As much of it as is shown.
        language: What to colour it as, or nothing.
        name: What it is, if that does not go without saying.
        rest: How many characters more there are.
    """

    content: str
    language: str = ""
    name: str = ""
    rest: int = 0


class Document(NamedTuple):
    """The beginning of a document, to recognise it by; shown only where it can be folded.

    Attributes:
        content: As much of it as is shown.
        rest: How many characters more there are.
    """

    content: str
    rest: int = 0


class Prose(NamedTuple):
    """Markdown that a model wrote."""

    content: str


class Item(NamedTuple):
    """A line of a list: a name, perhaps with an address, and what else there is to say."""

    name: str
    url: str = ""
    note: str = ""


class Items(NamedTuple):
    """A list."""

    items: Sequence[Item]
    numbered: bool = False
    rest: int = 0


Part = Code | Document | Prose | Items


@dataclass(frozen=True, slots=True)
class Result:
    """A result, read.

    Attributes:
        what: What was done, in a few words.
        came: What came of it, in a few words, if there is more to say.
        parts: What there is to see of it.
    """

    what: str
    came: str = ""
    parts: tuple[Part, ...] = ()


class _UnreadableError(Exception):
    """A block is not what its type says."""


def read(block: Block) -> Result | None:
    """Read a complete block, or return None if it has no readable form."""
    reader = _READERS.get(block.type)
    if reader is None or block.ended is None:
        return None
    try:
        result = reader(block)
    except _UnreadableError:
        return None
    lost = "lost with the connection" if block.lost else ""
    return replace(result, came=" · ".join(filter(None, [result.came, lost])))


def to_html(result: Result) -> tuple[str, str]:
    """A result as HTML: what stands above it, and what a pane holds of it, if anything."""
    came = f'<span style="{QUIET}"> → {text(result.came)}</span>' if result.came else ""
    return f"<b>{text(result.what)}</b>{came}", "".join(map(_html, result.parts))


def _html(part: Part) -> str:
    below = _quiet(_unshown(part))
    if isinstance(part, Code):
        return _quiet(part.name) + code_box(clean(redact(part.content)), part.language) + below
    if isinstance(part, Items):
        lines = list(map(_html_item, part.items))
        if len(lines) == 1 and not part.numbered:
            return f'<p style="{_CLOSE}">{lines[0]}</p>'
        tag = "ol" if part.numbered else "ul"
        items = "".join(f"<li>{line}</li>" for line in lines)
        return f'<{tag} style="{_CLOSE}">{items}</{tag}>{below}'
    if isinstance(part, Document):
        lines = escape(clean(redact(part.content.strip()), prose=True)).split("\n")
        return f'<p style="{_CLOSE};{QUIET}">{"<br>".join(lines)}</p>{below}'
    return "".join(rendered(clean(redact(part.content[:MOST]), prose=True))) + below


def _html_item(item: Item) -> str:
    beside = _beside(item)
    note = f'<span style="{QUIET}"> · {text(beside)}</span>' if beside else ""
    return f"{link(item.url, text(item.name))}{note}"


def _beside(item: Item) -> str:
    return " · ".join(filter(None, [host(item.url) or item.url, item.note]))


def _quiet(said: str) -> str:
    return f'<p style="{_CLOSE};font-size:90%;{QUIET}">{text(said)}</p>' if said else ""


def to_markdown(result: Result) -> str:
    """A result as Markdown; documents are left out."""
    head = f"**{markdown(result.what)}**" + (f" → {markdown(result.came)}" if result.came else "")
    return "\n\n".join(filter(None, [head, *map(_markdown, result.parts)]))


def _markdown(part: Part) -> str:
    said = markdown(_unshown(part))
    if isinstance(part, Items):
        lines = []
        for number, item in enumerate(part.items, 1):
            lead = f"{number}." if part.numbered else "-"
            note = f" · {markdown(_beside(item))}" if _beside(item) else ""
            lines.append(f"{lead} {markdown_link(item.url, item.name)}{note}")
        return "\n".join(lines) + (f"\n\n{said}" if said else "")
    if isinstance(part, Document):
        return ""
    if isinstance(part, Code):
        name = f"{markdown(part.name)}\n\n" if part.name else ""
        shown = name + fenced(part.content, part.language or "text")
    else:
        shown = clean(redact(part.content[:MOST]), prose=True)
    return f"{shown}\n\n{said}" if said else shown


def _unshown(part: Part) -> str:
    """What is said below a part that is not shown whole."""
    if isinstance(part, Items):
        return f"and {count(part.rest)} more" if part.rest else ""
    rest = len(part.content) - MOST if isinstance(part, Prose) else part.rest
    return more_characters(rest)


def _web_search(block: Block) -> Result:
    content = block.content
    if failed := _failure("web search", content):
        return failed
    items = []
    for each in _typed(list, content):
        found = _typed(dict, each)
        age = _optional(str, found, "page_age")
        items.append(Item(_field(str, found, "title"), _field(str, found, "url"), age or ""))
    return Result("web search", _counted(len(items), "result"), _items(items, numbered=True))


def _web_fetch(block: Block) -> Result:
    content = _typed(dict, block.content)
    if failed := _failure("web fetch", content):
        return failed
    url = _field(str, content, "url")
    document = _field(dict, content, "content")
    source = _field(dict, document, "source")
    data = _field(str, source, "data")
    retrieved = _MINUTE.sub(r"\1 \2 UTC", _optional(str, content, "retrieved_at") or "")
    note = f"retrieved {retrieved}" if retrieved else ""
    page = _items([Item(_optional(str, document, "title") or url, url, note)])
    if source.get("type") != "text":
        size = f"{_field(str, source, 'media_type')}, {megabytes(len(data) * 3 // 4)}"
        return Result("web fetch", size, page)
    beginning = Document(data[:_BEGINNING], max(0, len(data) - _BEGINNING))
    return Result("web fetch", _counted(len(data), "character"), (*page, beginning))


def _ran_code(block: Block) -> Result:
    return _ran("ran code", block)


def _ran_command(block: Block) -> Result:
    return _ran("ran a command", block)


def _ran(what: str, block: Block) -> Result:
    content = _typed(dict, block.content)
    if failed := _failure(what, content):
        return failed
    came = [f"exit {_field(int, content, 'return_code')}"]
    output = ""
    if content.get("type") == "encrypted_code_execution_result":
        came.append("its output is encrypted")
    else:
        output = _field(str, content, "stdout")
    errors = _field(str, content, "stderr")
    files = [
        Item(_field(str, _typed(dict, each), "file_id"))
        for each in _field(list, content, "content")
    ]
    if files:
        came.append(_counted(len(files), "file"))
    return Result(
        what, " · ".join(came), (*_code(output), *_code(errors, name="stderr"), *_items(files))
    )


def _edited(block: Block) -> Result:
    content = _typed(dict, block.content)
    if failed := _failure("file", content):
        return failed
    kind = _field(str, content, "type").removeprefix("text_editor_code_execution_")
    if kind == "create_result":
        updated = _field(bool, content, "is_file_update")
        return Result("wrote a file anew" if updated else "created a file")
    if kind == "str_replace_result":
        lines = [_typed(str, line) for line in _optional(list, content, "lines") or []]
        added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
        came = f"+{count(added)} −{_counted(removed, 'line')}" if lines else ""
        # With a line end: the last line of a diff is coloured only if it has one.
        return Result("changed a file", came, _code("\n".join([*lines, ""]), language="diff"))
    if kind != "view_result":
        _unreadable()
    shown = _field(str, content, "content")
    if (form := _field(str, content, "file_type")) != "text":
        return Result("viewed a file", form)
    first, number, total = (
        _optional(int, content, name) for name in ("start_line", "num_lines", "total_lines")
    )
    came = ""
    if first is not None and number is not None:
        of = "" if total is None else f" of {count(total)}"
        came = f"lines {count(first)}–{count(first + number - 1)}{of}"
    return Result("viewed a file", came, _code(shown))


def _tool_search(block: Block) -> Result:
    content = _typed(dict, block.content)
    if failed := _failure("tool search", content):
        return failed
    found = _field(list, content, "tool_references")
    items = [Item(_field(str, _typed(dict, each), "tool_name")) for each in found]
    return Result("tool search", _counted(len(items), "tool"), _items(items))


def _upload(block: Block) -> Result:
    return Result("file in the container", _field(str, block.to_dict(), "file_id"))


def _mcp(block: Block) -> Result:
    content = block.content
    if not isinstance(content, str):
        texts = [_field(str, _typed(dict, each), "text") for each in _typed(list, content)]
        content = "\n".join(texts)
    came = "failed" if _field(bool, block.to_dict(), "is_error") else "answered"
    return Result("MCP tool", came, _code(content))


def _mcp_listing(block: Block) -> Result:
    fields = block.to_dict()
    items = []
    for each in _field(list, fields, "tools"):
        tool = _typed(dict, each)
        about = _optional(str, tool, "description") or ""
        short = about if len(about) <= _ABOUT else f"{about[: _ABOUT - 1]}…"
        items.append(Item(_field(str, tool, "name"), note=short))
    server = f"MCP server {_field(str, fields, 'mcp_server_name')}"
    return Result(server, _counted(len(items), "tool"), _items(items))


def _advice(block: Block) -> Result:
    content = _typed(dict, block.content)
    if failed := _failure("advisor", content):
        return failed
    cut = " · cut off" if _optional(str, content, "stop_reason") == "max_tokens" else ""
    if content.get("type") == "advisor_redacted_result":
        return Result("advisor", f"its advice is encrypted{cut}")
    return Result("advisor", f"advice{cut}", (Prose(_field(str, content, "text")),))


def _compaction(block: Block) -> Result:
    summary = block.text or _optional(str, block.to_dict(), "content")
    if summary is None:
        return Result("compaction", "failed: no summary")
    return Result("conversation compacted", parts=(Prose(summary),))


def _fallback(block: Block) -> Result:
    fields = block.to_dict()
    before, after = (_field(str, _field(dict, fields, side), "model") for side in ("from", "to"))
    category = _optional(str, _optional(dict, fields, "trigger") or {}, "category")
    why = f" ({category.replace('_', ' ')})" if category else ""
    return Result(f"{before} declined{why}", f"{after} goes on")


_READERS: dict[str, Callable[[Block], Result]] = {
    "web_search_tool_result": _web_search,
    "web_fetch_tool_result": _web_fetch,
    "code_execution_tool_result": _ran_code,
    "bash_code_execution_tool_result": _ran_command,
    "text_editor_code_execution_tool_result": _edited,
    "tool_search_tool_result": _tool_search,
    "container_upload": _upload,
    "mcp_tool_result": _mcp,
    "mcp_tool_listing": _mcp_listing,
    "advisor_tool_result": _advice,
    "compaction": _compaction,
    "fallback": _fallback,
}


def _failure(what: str, content: Any) -> Result | None:
    """The result of a tool that failed, or None if it did not."""
    if not (isinstance(content, dict) and str(content.get("type")).endswith("_error")):
        return None
    said = _optional(str, content, "error_message")
    return Result(what, f"failed: {_field(str, content, 'error_code')}", _code(said or ""))


def _code(content: str, *, language: str = "", name: str = "") -> tuple[Code, ...]:
    if not content.strip():
        return ()
    return (Code(content[:_LONGEST], language, name, max(0, len(content) - _LONGEST)),)


def _items(items: Sequence[Item], *, numbered: bool = False) -> tuple[Items, ...]:
    if not items:
        return ()
    return (Items(items[:_ITEMS], numbered, max(0, len(items) - _ITEMS)),)


def _counted(number: int, what: str) -> str:
    return f"{count(number)} {what}{'' if number == 1 else 's'}"


def _field(kind: type[_T], fields: dict[str, Any], name: str) -> _T:
    return _typed(kind, fields.get(name))


def _optional(kind: type[_T], fields: dict[str, Any], name: str) -> _T | None:
    value = fields.get(name)
    return None if value is None else _typed(kind, value)


def _typed(kind: type[_T], value: Any) -> _T:
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        _unreadable()
    return value


def _unreadable() -> NoReturn:
    raise _UnreadableError
