"""The results of server tools, in a readable form.

A block is read strictly: if a field is missing or has another type, the block is shown in its
generic form instead. So nothing is hidden, whatever a gateway makes of a block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple, TypeVar

from claude_nb.characters import MAX_BLOCK_CHARACTERS, clean
from claude_nb.redaction import redact
from claude_nb.render.labels import count, counted, megabytes, more_characters
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
from claude_nb.streaming.block import Block

_T = TypeVar("_T")

_LONGEST = 20_000
"""Characters of an output that are shown."""

_BEGINNING = 2_000
"""Characters of a document that are shown: enough to recognise it."""

_ITEMS = 100
"""Items of a list that are shown."""

_ABOUT = 200
"""Characters of a tool's description that are shown."""


_CLOSE = "margin:0 0 4px"
_MINUTE = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)[^Z]*Z")


class Code(NamedTuple):
    """Code or output, in a box.

    Attributes:
        content: The part that is shown.
        language: The language to colour it as; may be empty.
        name: A caption; may be empty.
        rest: How many characters are not shown.
    """

    content: str
    language: str = ""
    name: str = ""
    rest: int = 0


class Document(NamedTuple):
    """The beginning of a document; shown only in HTML, where it can be folded.

    Attributes:
        content: The part that is shown.
        rest: How many characters are not shown.
    """

    content: str
    rest: int = 0


class Prose(NamedTuple):
    """Markdown that a model wrote."""

    content: str


class Item(NamedTuple):
    """A line of a list: a name, perhaps with an address and a note."""

    name: str
    url: str = ""
    note: str = ""


class Items(NamedTuple):
    """A list."""

    items: Sequence[Item]
    numbered: bool = False
    rest: int = 0


ResultPart = Code | Document | Prose | Items


class Result(NamedTuple):
    """A result, read.

    Attributes:
        title: What was done, in a few words.
        summary: The outcome in a few words, if there is more to say.
        parts: Its contents.
    """

    title: str
    summary: str = ""
    parts: tuple[ResultPart, ...] = ()


class _UnreadableError(Exception):
    """A block does not have the fields of its type."""


def read(block: Block) -> Result | None:
    """Read a complete block, or return None if it has no readable form."""
    if block.type not in _READERS or block.ended is None:
        return None
    title, reader = _READERS[block.type]
    fields = block.to_dict()
    try:
        result = _failure(title, fields.get("content")) or reader(title, fields)
    except _UnreadableError:
        return None
    lost = "lost with the connection" if block.lost else ""
    return result._replace(summary=" · ".join(filter(None, [result.summary, lost])))


def to_html(result: Result) -> tuple[str, str]:
    """A result as HTML: the label of its pane, and the pane's contents, if any."""
    summary = f'<span style="{QUIET}"> → {text(result.summary)}</span>' if result.summary else ""
    return f"<b>{text(result.title)}</b>{summary}", "".join(map(_html, result.parts))


def _html(part: ResultPart) -> str:
    below = _quiet(_rest_line(part))
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
    return "".join(rendered(clean(redact(part.content[:MAX_BLOCK_CHARACTERS]), prose=True))) + below


def _html_item(item: Item) -> str:
    beside = _beside(item)
    note = f'<span style="{QUIET}"> · {text(beside)}</span>' if beside else ""
    return f"{link(item.url, text(item.name))}{note}"


def _beside(item: Item) -> str:
    return " · ".join(filter(None, [host(item.url) or item.url, item.note]))


def _quiet(line: str) -> str:
    return f'<p style="{_CLOSE};font-size:90%;{QUIET}">{text(line)}</p>' if line else ""


def to_markdown(result: Result) -> str:
    """A result as Markdown; documents are left out."""
    summary = f" → {markdown(result.summary)}" if result.summary else ""
    head = f"**{markdown(result.title)}**{summary}"
    return "\n\n".join(filter(None, [head, *map(_markdown, result.parts)]))


def _markdown(part: ResultPart) -> str:
    if isinstance(part, Document):
        return ""
    if isinstance(part, Items):
        lines = []
        for number, item in enumerate(part.items, 1):
            note = f" · {markdown(_beside(item))}" if _beside(item) else ""
            lead = f"{number}." if part.numbered else "-"
            lines.append(f"{lead} {markdown_link(item.url, item.name)}{note}")
        shown = "\n".join(lines)
    elif isinstance(part, Code):
        shown = fenced(part.content, part.language or "text")
    else:
        shown = clean(redact(part.content[:MAX_BLOCK_CHARACTERS]), prose=True)
    name = part.name if isinstance(part, Code) else ""
    return "\n\n".join(filter(None, [markdown(name), shown, markdown(_rest_line(part))]))


def _rest_line(part: ResultPart) -> str:
    """The line below a part that is not shown whole."""
    if isinstance(part, Items):
        return f"and {count(part.rest)} more" if part.rest else ""
    rest = len(part.content) - MAX_BLOCK_CHARACTERS if isinstance(part, Prose) else part.rest
    return more_characters(rest)


def _web_search(title: str, fields: dict[str, Any]) -> Result:
    items = []
    for found in _each(dict, fields, "content"):
        age = _optional(str, found, "page_age")
        items.append(Item(_field(str, found, "title"), _field(str, found, "url"), age or ""))
    return Result(title, counted(len(items), "result"), _items(items, numbered=True))


def _web_fetch(title: str, fields: dict[str, Any]) -> Result:
    content = _field(dict, fields, "content")
    url = _field(str, content, "url")
    document = _field(dict, content, "content")
    source = _field(dict, document, "source")
    data = _field(str, source, "data")
    retrieved = _MINUTE.sub(r"\1 \2 UTC", _optional(str, content, "retrieved_at") or "")
    note = f"retrieved {retrieved}" if retrieved else ""
    page = _items([Item(_optional(str, document, "title") or url, url, note)])
    if source.get("type") != "text":
        size = f"{_field(str, source, 'media_type')}, {megabytes(len(data) * 3 // 4)}"
        return Result(title, size, page)
    beginning = Document(data[:_BEGINNING], max(0, len(data) - _BEGINNING))
    return Result(title, counted(len(data), "character"), (*page, beginning))


def _run(title: str, fields: dict[str, Any]) -> Result:
    content = _field(dict, fields, "content")
    summary = [f"exit {_field(int, content, 'return_code')}"]
    output = ""
    if content.get("type") == "encrypted_code_execution_result":
        summary.append("its output is encrypted")
    else:
        output = _field(str, content, "stdout")
    errors = _field(str, content, "stderr")
    files = [Item(_field(str, each, "file_id")) for each in _each(dict, content, "content")]
    if files:
        summary.append(counted(len(files), "file"))
    parts: list[ResultPart] = [*_code(output), *_code(errors, name="stderr"), *_items(files)]
    return Result(title, " · ".join(summary), tuple(parts))


def _edit(_: str, fields: dict[str, Any]) -> Result:
    content = _field(dict, fields, "content")
    kind = _field(str, content, "type").removeprefix("text_editor_code_execution_")
    if kind == "create_result":
        updated = _field(bool, content, "is_file_update")
        return Result("wrote a file anew" if updated else "created a file")
    if kind == "str_replace_result":
        lines = [_typed(str, line) for line in _optional(list, content, "lines") or []]
        added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
        change = f"+{count(added)} −{counted(removed, 'line')}" if lines else ""
        # With a line end: the last line of a diff is coloured only if it has one.
        return Result("changed a file", change, _code("\n".join([*lines, ""]), language="diff"))
    if kind != "view_result":
        raise _UnreadableError
    shown = _field(str, content, "content")
    if (form := _field(str, content, "file_type")) != "text":
        return Result("viewed a file", form)
    first, number, total = (
        _optional(int, content, name) for name in ("start_line", "num_lines", "total_lines")
    )
    which = ""
    if first is not None and number is not None:
        of = "" if total is None else f" of {count(total)}"
        which = f"lines {count(first)}–{count(first + number - 1)}{of}"
    return Result("viewed a file", which, _code(shown))


def _tool_search(title: str, fields: dict[str, Any]) -> Result:
    found = _each(dict, _field(dict, fields, "content"), "tool_references")
    items = [Item(_field(str, each, "tool_name")) for each in found]
    return Result(title, counted(len(items), "tool"), _items(items))


def _upload(title: str, fields: dict[str, Any]) -> Result:
    return Result(title, _field(str, fields, "file_id"))


def _mcp(title: str, fields: dict[str, Any]) -> Result:
    content = fields.get("content")
    if not isinstance(content, str):
        content = "\n".join(_field(str, each, "text") for each in _each(dict, fields, "content"))
    outcome = "failed" if _field(bool, fields, "is_error") else "answered"
    return Result(title, outcome, _code(content))


def _mcp_listing(title: str, fields: dict[str, Any]) -> Result:
    items = []
    for tool in _each(dict, fields, "tools"):
        about = _optional(str, tool, "description") or ""
        short = about if len(about) <= _ABOUT else f"{about[: _ABOUT - 1]}…"
        items.append(Item(_field(str, tool, "name"), note=short))
    server = f"{title} {_field(str, fields, 'mcp_server_name')}"
    return Result(server, counted(len(items), "tool"), _items(items))


def _advice(title: str, fields: dict[str, Any]) -> Result:
    content = _field(dict, fields, "content")
    cut = " · cut off" if _optional(str, content, "stop_reason") == "max_tokens" else ""
    if content.get("type") == "advisor_redacted_result":
        return Result(title, f"its advice is encrypted{cut}")
    return Result(title, f"advice{cut}", (Prose(_field(str, content, "text")),))


def _compaction(title: str, fields: dict[str, Any]) -> Result:
    summary = _optional(str, fields, "content")
    if summary is None:
        return Result(title, "failed: no summary")
    return Result("conversation compacted", parts=(Prose(summary),))


def _fallback(_: str, fields: dict[str, Any]) -> Result:
    before, after = (_field(str, _field(dict, fields, side), "model") for side in ("from", "to"))
    category = _optional(str, _optional(dict, fields, "trigger") or {}, "category")
    why = f" ({category.replace('_', ' ')})" if category else ""
    return Result(f"{before} declined{why}", f"{after} goes on")


def _traceback(title: str, fields: dict[str, Any]) -> Result:
    return Result(title, parts=_code(_field(str, fields, "text"), language="python-traceback"))


_READERS: dict[str, tuple[str, Callable[[str, dict[str, Any]], Result]]] = {
    "web_search_tool_result": ("web search", _web_search),
    "web_fetch_tool_result": ("web fetch", _web_fetch),
    "code_execution_tool_result": ("ran code", _run),
    "bash_code_execution_tool_result": ("ran a command", _run),
    "text_editor_code_execution_tool_result": ("file", _edit),
    "tool_search_tool_result": ("tool search", _tool_search),
    "container_upload": ("file in the container", _upload),
    "mcp_tool_result": ("MCP tool", _mcp),
    "mcp_tool_listing": ("MCP server", _mcp_listing),
    "advisor_tool_result": ("advisor", _advice),
    "compaction": ("compaction", _compaction),
    "traceback": ("Traceback", _traceback),
    "fallback": ("fallback", _fallback),
}
"""For each type of block a title, and the function that reads the block's fields."""


def _failure(title: str, content: Any) -> Result | None:
    """The result of a tool that failed, or None if it did not."""
    if not (isinstance(content, dict) and str(content.get("type")).endswith("_error")):
        return None
    message = _optional(str, content, "error_message")
    return Result(title, f"failed: {_field(str, content, 'error_code')}", _code(message or ""))


def _code(content: str, *, language: str = "", name: str = "") -> tuple[Code, ...]:
    if not content.strip():
        return ()
    return (Code(content[:_LONGEST], language, name, max(0, len(content) - _LONGEST)),)


def _items(items: Sequence[Item], *, numbered: bool = False) -> tuple[Items, ...]:
    if not items:
        return ()
    return (Items(items[:_ITEMS], numbered, max(0, len(items) - _ITEMS)),)


def _field(kind: type[_T], fields: dict[str, Any], name: str) -> _T:
    return _typed(kind, fields.get(name))


def _each(kind: type[_T], fields: dict[str, Any], name: str) -> list[_T]:
    return [_typed(kind, each) for each in _field(list, fields, name)]


def _optional(kind: type[_T], fields: dict[str, Any], name: str) -> _T | None:
    value = fields.get(name)
    return None if value is None else _typed(kind, value)


def _typed(kind: type[_T], value: Any) -> _T:
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise _UnreadableError
    return value
