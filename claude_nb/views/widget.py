"""What the widgets share: the snapshot for a page opened later, and message routing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from claude_nb.views.answers import answers
from claude_nb.views.busy_kernel import busy_kernel


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
        answers.note()
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
