"""What the widgets share: their source, the snapshot for a page opened later, and message routing.

A widget's JavaScript is one text, made of ``core.js`` and the widget's own files: a widget's module
has no address from which it could import another.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from claude_nb.render.page_style import file_text, sheet
from claude_nb.views.busy_kernel import busy_kernel

_HERE = Path(__file__).parent / "static"
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
    parts = ("core", name, "chat_composer") if name == "chat" else ("core", name)
    own = (_text(f"{part}.css") for part in parts)
    return "\n".join([sheet("formulas"), sheet("code"), *own])


def _text(file: str) -> str:
    """A file of ours. Given a path, anywidget keeps every widget alive to report changes to it."""
    return file_text(_HERE / file)


class PageWidget(anywidget.AnyWidget):
    """A widget that makes its state ``snapshot`` when a page asks for it.

    A subclass overrides ``whole`` and ``receive``.
    """

    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        self.on_msg(self._receive)
        busy_kernel.reach(self.comm)

    def whole(self) -> dict[str, object]:
        """Everything shown so far, for a page opened later."""
        return {}

    def receive(self, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        """Handle a message from a page: on any of the kernel's threads, at any time."""

    def _receive(self, _widget: Any, content: Any, buffers: Sequence[Any]) -> None:
        if isinstance(content, dict):
            self.receive(content, buffers)

    def bundle(self, text: str) -> dict[str, Any]:
        """The MIME bundle that shows the widget, or this text where there are no widgets."""
        view, _ = self._repr_mimebundle_() or ({}, {})
        return {**view, "text/plain": text}

    @property
    def view_metadata(self) -> dict[str, Any]:
        """The metadata of an output that shows the widget: where Colab loads its manager from."""
        _, metadata = self._repr_mimebundle_() or ({}, {})
        return metadata

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:  # noqa: FBT001, FBT002
        """The synced state, with everything shown so far in ``snapshot``."""
        state = super().get_state(key, drop_defaults)
        if "snapshot" in state:
            state["snapshot"] = self.whole()
        return state
