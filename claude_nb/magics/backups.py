"""``%claude_nb backups``: the turns that are backed up, listed and deleted."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from claude_nb.characters import clean
from claude_nb.conversation.backup import MAX_AGE, MAX_BYTES, Backup
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import InputError
from claude_nb.render.labels import counted
from claude_nb.render.table import Table


def summary() -> str:
    """Whether turns are backed up, and where; empty where the kernel does not know its notebook."""
    if not snapshot.backup:
        return "backups: off"
    if not snapshot.paths:
        return ""
    return f"backups: {clean(str(snapshot.store.folder))} (%claude_nb backups lists them)"


def table() -> Table:
    """What is backed up: a row for each conversation of a notebook."""
    rows: list[tuple[str, ...]] = []
    for (notebook, name), turns in _groups().items():
        when = datetime.fromtimestamp(turns[-1].time).astimezone()
        chat = " (chat)" if any(turn.chat for turn in turns) else ""
        rows.append(
            (
                clean(notebook),
                f"{clean(name)}{chat}",
                str(len(turns)),
                f"{when:%Y-%m-%d %H:%M}",
                f"{sum(turn.size for turn in turns) / 1000:,.0f} kB",
            )
        )
    kept = f"for {MAX_AGE / 86400:.0f} days, {MAX_BYTES / 1e6:.0f} MB at most"
    note = f"Kept in {clean(str(snapshot.store.folder))} {kept}."
    if not rows:
        note = f"No turns are backed up. {note}"
    if not snapshot.backup:
        note += " No more are added: ClaudeMagics.backup is False."
    return Table(("notebook", "conversation", "turns", "last", "size"), rows, note, (0, 1))


def delete(name: str) -> str:
    """Delete backups.

    Args:
        name: The path or the file's name of a notebook, the name of a conversation of this
            notebook, or ``all``.

    Returns:
        What was deleted, in words.

    Raises:
        InputError: There is none of that name, or one cannot be deleted.
    """
    groups = _groups()
    own = snapshot.paths
    chosen = [
        turn
        for (notebook, conversation), turns in groups.items()
        if name in ("all", notebook, Path(notebook).name)
        or (conversation == name and notebook in own)
        for turn in turns
    ]
    if not chosen and name != "all":
        there = ", ".join(dict.fromkeys(clean(Path(notebook).name) for notebook, _ in groups))
        raise InputError(
            f"There are no backups of {clean(name)}.",
            f"Name a notebook ({there or 'there is none'}), or a conversation of this one.",
        )
    snapshot.store.delete(chosen)
    return f"Deleted: the backups of {counted(len(chosen), 'turn')}."


def _groups() -> dict[tuple[str, str], list[Backup]]:
    """The backups by notebook and conversation, each oldest first and each turn once."""
    groups: dict[tuple[str, str], list[Backup]] = {}
    for backup in snapshot.store.all():
        groups.setdefault((backup.notebook, backup.conversation), []).append(backup)
    return groups
