"""`Memory`: the API's memory tool on a folder of this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from claude_nb.errors import InputError
from claude_nb.request.files import expanded
from claude_nb.request.place import possible_paths, session_name
from claude_nb.tools.memory.folder import Folder
from claude_nb.tools.memory.trust import FolderConsent

DEFAULT = "claude_memory"
"""The name of the folder beside the notebook."""


class Memory:
    """The API's memory tool on a folder of this computer.

    Args:
        folder: The folder; by default ``claude_memory`` beside the notebook. It is made when
            something is first written.

    Raises:
        InputError: The folder is a link, or there is no such home directory.

    Attributes:
        folder: The folder.
        definition: The definition of the tool, as the API's dict. The API itself adds to the
            system prompt how the model is to use it.
        consent: Whether a call asks first.
    """

    definition = {"type": "memory_20250818", "name": "memory"}  # noqa: RUF012 - never changed

    def __init__(self, folder: str | Path | None = None) -> None:
        path = _beside_notebook() / DEFAULT if folder is None else expanded(folder)
        if path.is_symlink():  # it may have come with a project, and lead to anything of the user's
            raise InputError(
                f"The memory folder {path} is a link; links are not followed.",
                f"Use its target: claude_nb.Tools.memory({str(path.resolve())!r})",
            )
        self.folder = path.resolve()
        self.consent = FolderConsent(self.folder)

    def call(self, arguments: dict[str, Any]) -> Any:
        """Run a call: see ``Commands.run``."""
        from claude_nb.tools.memory.commands import Commands  # the SDK's class takes time

        return Commands(Folder(self.folder)).run(arguments)

    def __repr__(self) -> str:
        return f"Tools.memory({str(self.folder)!r})"


def _beside_notebook() -> Path:
    paths = possible_paths(session_name())
    return next((path.parent for path in paths if path.is_file()), Path.cwd())
