"""What a page tells the kernel with each execution, if it has claude_nb's JupyterLab extension."""

from __future__ import annotations

from dataclasses import dataclass

from claude_nb.request.place import Place, execution_metadata

PROTOCOL = 1
"""What page and kernel understand each other by: labextension/static/presence.js has the same."""

_KEY = "claude_nb"
"""Where the metadata of an execution has it."""


@dataclass(frozen=True, slots=True)
class CellError:
    """An error that a cell shows, as the notebook has it.

    Attributes:
        place: The cell; the number of its execution is 0 where the notebook has none.
        name: The exception's class.
        source: The cell's text.
        traceback: With ANSI escapes.
    """

    place: Place
    name: str
    source: str
    traceback: str


class Page:
    """The page that started the execution that runs now.

    Attributes:
        version: The extension's version; empty where there is none, as in VS Code and Colab.
        settings: The user's settings that are not empty, by name: the extension's schema has the
            names.
        error: The error that the cell asks about, where the reader chose one on the page.
        capabilities: What the page can do beyond that, by name: ``outputs`` tells what cells show,
            ``settle`` which settled outputs the page has.

    From a page of another protocol nothing but the version is read.
    """

    def __init__(self) -> None:
        told = execution_metadata().get(_KEY)
        told = told if isinstance(told, dict) else {}
        self.version = str(told.get("version", ""))
        told = told if told.get("protocol") == PROTOCOL else {}
        settings = told.get("settings")
        self.settings: dict[str, str] = {
            name: value
            for name, value in (settings.items() if isinstance(settings, dict) else ())
            if value and isinstance(value, str)
        }
        self.error = _error(told.get("error"))
        capabilities = told.get("capabilities")
        self.capabilities: frozenset[str] = frozenset(
            map(str, capabilities) if isinstance(capabilities, list) else ()
        )

    def difference(self, version: str) -> str:
        """What to do where the kernel has another version of claude_nb; else empty."""
        if self.version in ("", version):
            return ""
        return (
            f"The page has the JupyterLab extension of claude_nb {self.version}, but the kernel"
            f" has claude_nb {version}: reload the page, or install the same version for"
            " JupyterLab."
        )


def _error(told: object) -> CellError | None:
    if not isinstance(told, dict):
        return None
    texts = [told.get(name) for name in ("cell", "name", "source", "traceback")]
    execution = told.get("execution")
    if not all(isinstance(text, str) for text in texts):
        return None
    cell, name, source, traceback = map(str, texts)
    place = Place(cell, execution if isinstance(execution, int) else 0)
    return CellError(place, name, source, traceback)
