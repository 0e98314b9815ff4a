"""What a page tells the kernel with each execution, if it has claude_nb's JupyterLab extension."""

from __future__ import annotations

from claude_nb.request.place import execution_metadata

PROTOCOL = 1
"""What page and kernel understand each other by: labextension/static/presence.js has the same."""

_KEY = "claude_nb"
"""Where the metadata of an execution has it."""


class Page:
    """The page that started the execution that runs now.

    Attributes:
        version: The extension's version; empty where there is none, as in VS Code and Colab.
        settings: The user's settings that are not empty, by name: the extension's schema has the
            names. None are read from a page of another protocol.
    """

    def __init__(self) -> None:
        told = execution_metadata().get(_KEY)
        told = told if isinstance(told, dict) else {}
        settings = told.get("settings") if told.get("protocol") == PROTOCOL else None
        self.version = str(told.get("version", ""))
        self.settings: dict[str, str] = {
            name: value
            for name, value in (settings.items() if isinstance(settings, dict) else ())
            if value and isinstance(value, str)
        }

    def difference(self, version: str) -> str:
        """What to do where the kernel has another version of claude_nb; else empty."""
        if self.version in ("", version):
            return ""
        return (
            f"This page has the JupyterLab extension of claude_nb {self.version}, "
            f"and the kernel has claude_nb {version}: reload the page, or install the same version "
            "where JupyterLab runs."
        )
