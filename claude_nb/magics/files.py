"""`%claude_nb files`: what was uploaded, by this kernel or an earlier one, listed and deleted."""

from __future__ import annotations

from datetime import datetime

from claude_nb.asking import asking
from claude_nb.characters import clean
from claude_nb.client import file_registry, file_service
from claude_nb.client.engine import call
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.render.table import Table

_HEADS = ("file", "id", "size", "uploaded", "expires", "server")


def table() -> Table:
    """What was uploaded and has not expired, the newest first."""
    rows: list[tuple[str, ...]] = [
        (
            clean(file.name),
            clean(file.id),
            f"{file.size / 1e6:,.1f} MB",
            _time(file.uploaded),
            _time(file.expires),
            clean(file.server),
        )
        for file in file_registry.listed()
    ]
    if not rows:
        return Table(
            _HEADS, rows, "No files are uploaded. --upload, or upload=True, uploads files."
        )
    note = "Everybody in the key's workspace can read them. %claude_nb files delete ID deletes one."
    return Table(_HEADS, rows, note, left=(0, 1, 5))


def delete(which: str) -> None:
    """Delete a file on its server, or all that the key in use has uploaded to its server.

    Args:
        which: Its id, or ``all``.

    Raises:
        InputError: There is no such file, or another server or key has it.
        ClaudeError: The server did not answer, or refused.
    """
    files = file_registry.listed()
    connection = asking.session.connection()
    if which == "all":
        account = call(file_service.account(connection))
        chosen = [file for file in files if file.account == account]
    else:
        chosen = [file for file in files if file.id == which]
        if not chosen:
            raise InputError(
                f"There is no uploaded file {which}.", "%claude_nb files lists them with their ids."
            )
    for file in chosen:
        there = call(file_service.delete(connection, file))
        print(f"{clean(file.name)}: {'deleted' if there else 'no longer existed'}.")  # noqa: T201
    if which == "all" and len(chosen) < len(files):
        left = labels.counted(len(files) - len(chosen), "file")
        print(f"Not deleted: {left} on other servers, or uploaded with another key.")  # noqa: T201
    elif not chosen:
        print("No files are uploaded.")  # noqa: T201


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
