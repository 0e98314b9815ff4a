"""What marimo shows of values that have a MIME bundle."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Protocol

_CLASSES = "markdown prose dark:prose-invert max-w-none"


def page(bundle: Mapping[str, Any]) -> str:
    """The HTML of a MIME bundle, in the type and with the margins that marimo gives to Markdown."""
    html = bundle.get("text/html") or f"<pre>{escape(bundle['text/plain'])}</pre>"
    return f'<div class="{_CLASSES}">{html}</div>'


class _HasForms(Protocol):
    def _repr_mimebundle_(self) -> dict[str, Any]: ...


class InMarimo:
    """A value with a MIME bundle, of whose forms marimo would let the reader choose one."""

    def _mime_(self: _HasForms) -> tuple[str, str]:
        """The MIME type and the data that marimo shows."""
        return "text/html", page(self._repr_mimebundle_())
