"""What our widgets have in common: their text, what a page that comes later gets, and the way back.

The page's side is made of several files, ``core.js`` and the widget's own behind it, in one text: a
widget's module has no address from which it could import another.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent / "static"
_COMMENT = re.compile(r"^\s*(?:/\*(?:[^*]|\*(?!/))*\*/|//.*)$\n?|^ +", re.MULTILINE)
_PARTS = {"chat": ("chat_controls", "chat_turn", "chat_view", "chat")}


def source(name: str) -> str:
    """The module of a widget, with the core that all share in front of it."""
    return "\n".join(_text(f"{part}.js") for part in ("core", *_PARTS.get(name, (name,))))


def style(name: str) -> str:
    """The style sheet of a widget, with the one that all share in front of it."""
    return "\n".join(_text(file) for file in ("core.css", f"{name}.css"))


def _text(file: str) -> str:
    """A file without its comments and its indentation: it is sent again with each widget.

    As text: of a path, anywidget would keep every widget alive to tell it of changes to the file.
    """
    return _COMMENT.sub("", (_HERE / file).read_text(encoding="utf-8"))


class PageWidget(anywidget.AnyWidget):
    """A widget whose state ``snapshot`` is made when somebody asks for it."""

    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        # ipykernel 7.4 answers a comm on the shell that last wrote to it: the cell's own, which is
        # busy until the cell ends, so that no click would arrive before. Where that routing
        # exists, the front end's choice is put back.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = _as_asked  # noqa: SLF001

    def whole(self) -> dict[str, object]:
        """All that is shown so far, for a page that comes later; nothing, unless a widget says."""
        return {}

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:  # noqa: FBT001, FBT002
        """The synced state, with all that is shown so far in ``snapshot``."""
        state = super().get_state(key, drop_defaults)
        if "snapshot" in state:
            state["snapshot"] = self.whole()
        return state


def _as_asked(data: Any, default: Any = None) -> Any:  # noqa: ARG001 - the signature is ipykernel's
    return default
