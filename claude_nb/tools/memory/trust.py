"""Which memory folders are this user's own: made here, or allowed when the user was asked.

A memory is a prompt, so that of a cloned project is somebody else's. A folder is known by its
resolved path and by a random name that stands in a file in it, which is not committed. What is
known stands with the approvals of tools in Jupyter's configuration folder: nothing that comes with
a notebook or a folder can allow anything.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from secrets import token_hex

from claude_nb.errors import InputError
from claude_nb.render.labels import counted
from claude_nb.request.files import replace
from claude_nb.streaming.block import Block
from claude_nb.tools import approvals
from claude_nb.tools.approvals import Approval
from claude_nb.tools.permission import Answer, PermissionRequest

_MARK = ".owner"
_COUNTED = 1_000
"""Files and folders that are counted for the question."""

_UNCOMMITTED = ".owner\n.lock\n.old/\n*.tmp\n"


@dataclass(frozen=True, slots=True)
class FolderConsent:
    """Whether a call of the memory tool asks first, and what the answers do.

    Attributes:
        folder: The resolved path of the folder.
    """

    folder: Path

    def asks(self, *, always: bool) -> bool:
        """Whether a call asks first.

        Args:
            always: Whether it does for a known folder too.
        """
        return always or self._is_foreign()

    @property
    def reason(self) -> str:
        """Why it asks, in a few words; empty for a known folder."""
        return f"the folder {self.folder.name} was made elsewhere" if self._is_foreign() else ""

    def ask(self, call: Block) -> PermissionRequest:
        """The question about a call."""
        if not self._is_foreign():
            return PermissionRequest(call)
        found = islice(self.folder.rglob("*"), _COUNTED)
        files = counted(sum(file.is_file() for file in found), "file")
        source = (
            f"The memory in {self.folder} ({files}) was not created by you on this computer."
            " Its content becomes part of the prompt."
        )
        answers: tuple[tuple[Answer, str], ...] = (
            ("once", "Run once"),
            ("session", "Use it for this session"),
            ("always", "Always use it"),
            ("no", "Don’t run"),
        )
        return PermissionRequest(call, source, answers)

    def record(self, answer: Answer) -> None:
        """Note an answer that holds for more than one call.

        Raises:
            InputError: It cannot be noted for good.
        """
        if answer in ("session", "always") and self._is_foreign():
            _mark_anew(self.folder)
            approval = _approval(self.folder)
            (approvals.allow if answer == "always" else approvals.allow_for_session)(approval)

    def _is_foreign(self) -> bool:
        return self.folder.exists() and not approvals.is_allowed(_approval(self.folder))


def make(folder: Path) -> None:
    """Make a folder, which is this user's own then; one that is there stays as it is.

    Raises:
        InputError: It cannot be made.
    """
    try:
        folder.mkdir(mode=0o700)
        (folder / ".gitignore").write_text(_UNCOMMITTED, encoding="utf-8")
    except FileExistsError:
        return
    except OSError as error:
        raise InputError(
            f"The memory folder {folder} cannot be created: {error.strerror or error}.",
            'Name another one: claude_nb.Tools.memory("folder")',
        ) from None
    _mark_anew(folder)
    approvals.allow(_approval(folder))


def _approval(folder: Path) -> Approval:
    key = approvals.key_of("memory", str(folder), "memory", _mark(folder))
    return Approval("memory", str(folder), "memory", key)


def _mark(folder: Path) -> str:
    """The random name in a folder; empty where there is none."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with suppress(OSError, ValueError), os.fdopen(os.open(folder / _MARK, flags), "rb") as file:
        return file.read(100).decode("ascii")
    return ""


def _mark_anew(folder: Path) -> None:
    """Give a folder a random name, in place of one that came with it.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        replace(folder / _MARK, token_hex(16).encode())
    except OSError as error:
        raise InputError(
            f"The memory folder {folder} cannot be written: {error.strerror or error}.",
            'Copy it, and name the copy: claude_nb.Tools.memory("copy")',
        ) from None
