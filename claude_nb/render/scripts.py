"""The scripts and style sheets of widgets and pages, put together from ``views/static``.

Each is one text, made of ``core`` and the widget's own files: neither the module of a widget nor
the script of a page that is opened as a file has an address from which it could import another.
"""

from __future__ import annotations

from pathlib import Path

from claude_nb.render.page_style import file_text, sheet

_STATIC = Path(__file__).parents[1] / "views" / "static"
_CHAT = ("controls", "kept", "bar", "queue", "composer", "turn", "view")
_PARTS = {
    "chat": ("icons", *(f"chat_{part}" for part in _CHAT), "chat"),
    "inspector": ("icons", "inspector"),
}


def source(name: str) -> str:
    """The JavaScript of a widget, with the core that all share before it."""
    return "\n".join(_text(f"{part}.js") for part in ("core", *_PARTS.get(name, (name,))))


def style(name: str) -> str:
    """The style sheet of a widget, with those that all share before it."""
    return _sheets("core", name, "chat_composer") if name == "chat" else _sheets("core", name)


def page() -> tuple[str, str]:
    """The script of a page that plays replies, and its style sheet.

    Each widget has a scope of its own, in which it finds the core.
    """
    parts = [_text("core.js")]
    for name in ("live", "inspector"):
        own = "\n".join(_text(f"{part}.js") for part in _PARTS.get(name, (name,)))
        returned = own.replace("export default ", "return ", 1)
        parts.append(f"const {name} = (() => {{\n{returned}\n}})();")
    return "\n".join([*parts, _text("page.js")]), _sheets("core", "live", "inspector", "page")


def _sheets(*names: str) -> str:
    own = (_text(f"{name}.css") for name in names)
    return "\n".join([sheet("formulas"), sheet("code"), *own])


def _text(file: str) -> str:
    """A file of ours. Given a path, anywidget keeps every widget alive to report changes to it."""
    return file_text(_STATIC / file)
