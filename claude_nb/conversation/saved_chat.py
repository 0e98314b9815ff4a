"""Chats that were saved: what the notebook and its backups hold of them, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from claude_nb.conversation import restore
from claude_nb.conversation.backup import Backup
from claude_nb.conversation.history import Exchange
from claude_nb.conversation.saved_notebook import Record, SavedNotebook, current_path, load
from claude_nb.conversation.snapshot import NotebookFile, Snapshot
from claude_nb.errors import InputError
from claude_nb.render.labels import counted
from claude_nb.streaming.block import as_dict, as_string

_OF_BACKUP = {0: "of a backup"}
"""What the cell of a record is called that is in no notebook."""


@dataclass(frozen=True, slots=True)
class SavedChat:
    """A chat as it was saved.

    Attributes:
        exchanges: Its exchanges, each after the one that it follows.
        head: The one that it goes on from, or None for the beginning.
        records: The records of its replies.
        notes: What was skipped, a line each.
        backed_up: How many of its exchanges are in the backups alone.
        file: The notebook's file, or None where only backups are known.
    """

    exchanges: tuple[Exchange, ...]
    head: Exchange | None
    records: tuple[Record, ...]
    notes: tuple[str, ...]
    backed_up: int
    file: NotebookFile | None

    @property
    def source(self) -> str:
        """How many turns there are, and where they were found, in words."""
        turns = counted(len(self.exchanges), "turn")
        if self.file is None or self.backed_up == len(self.exchanges):
            return f"{turns} from the backup on this computer"
        saved = datetime.fromtimestamp(self.file.modified).astimezone()
        place = f"{self.file.path.name}, saved on {saved:%Y-%m-%d at %H:%M}"
        more = f", {self.backed_up} of them from the backup" if self.backed_up else ""
        return f"{turns} from {place}{more}"

    @property
    def label(self) -> str:
        """The notebook, the turns and when they were saved, to choose by."""
        if self.file is None:
            return self.source
        saved = datetime.fromtimestamp(self.file.modified).astimezone()
        turns = counted(len(self.exchanges), "turn")
        return f"{self.file.path.name} · {turns} · {saved:%Y-%m-%d %H:%M}"


def find(snapshot: Snapshot, name: str, cell: str, *, shared: bool = True) -> list[SavedChat]:
    """What was saved of a chat.

    Args:
        snapshot: The notebook.
        name: The name of its conversation.
        cell: The id of the cell in which it is made, or an empty string.
        shared: Whether the notebook shares the conversation by its name. Of another one, only what
            the chats of this cell hold is taken: several may have one name.

    Returns:
        Nothing, one chat, or one for each copy of the notebook if they differ: nobody knows which
        copy this kernel's notebook is.
    """
    found: dict[frozenset[str], SavedChat] = {}
    files = [file for file in snapshot.files if cell in file.ids] or snapshot.files or (None,)
    for file in files:
        chat = _chat(snapshot, file, name, cell, shared=shared)
        if chat is not None:
            found.setdefault(frozenset(exchange.id for exchange in chat.exchanges), chat)
    return list(found.values())


def names(snapshot: Snapshot, cell: str) -> tuple[list[str], set[str]]:
    """The names of the chats that a cell has made, in order, and of all in the notebook."""
    made, known = [], set()
    for file in snapshot.files:
        for chat in file.saved.chats if file.saved else ():
            known.add(chat.conversation)
            made += [chat.conversation] * (chat.cell == cell)
        for _, record in file.saved.in_chats() if file.saved else ():
            known.add(_turn(record)["conversation"])
    for backup in _backups(snapshot, None):
        if backup.chat:
            known.add(backup.conversation)
            made += [backup.conversation] * (backup.cell == cell)
    return list(dict.fromkeys(made)) if cell else [], known - {""}


def forget(snapshot: Snapshot, name: str) -> None:
    """Delete the backups of a chat, and forget what the notebook held of it when it was read.

    Args:
        snapshot: The notebook.
        name: The name of the chat's conversation. Turns that cells hold are left alone.

    Raises:
        InputError: A backup cannot be deleted.
    """
    backups = _backups(snapshot, None)
    snapshot.store.delete(one for one in backups if one.chat and one.conversation == name)
    snapshot.forget_chat(name)


def whole(snapshot: Snapshot) -> tuple[Path, SavedNotebook]:
    """The notebook of this kernel: its file as it is now, as it was, and its backups.

    Returns:
        The file, and the records of all three, each turn once, those that the file has now last.

    Raises:
        InputError: It is not known or cannot be read, and nothing is backed up.
    """
    snapshot.take()
    known = snapshot.files[0] if len(snapshot.files) == 1 else None
    path = known.path if known else current_path()
    backups = [backup.record for backup in _backups(snapshot, known)]
    try:
        now = load(path)
    except InputError as error:
        if not backups:
            raise
        now = SavedNotebook((), (error.what,), ())
    before = known.saved.records if known is not None and known.saved is not None else ()
    records = {_turn(r)["id"] or r.digest: r for r in (*backups, *before)}
    for record in now.records:
        records.pop(_turn(record)["id"] or record.digest, None)
    labels = {**now.labels, **_OF_BACKUP}
    return path, replace(now, records=(*records.values(), *now.records), labels=labels)


def _chat(
    snapshot: Snapshot, file: NotebookFile | None, name: str, cell: str, *, shared: bool
) -> SavedChat | None:
    saved = file.saved if file is not None and file.saved is not None else SavedNotebook((), (), ())
    chats = [c for c in saved.chats if c.conversation == name and (shared or cell in ("", c.cell))]
    in_chats = frozenset[str]().union(*(chat.turns for chat in chats))
    in_file = [
        record
        for record in saved.records
        if _turn(record)["conversation"] == name and (shared or _turn(record)["id"] in in_chats)
    ]
    ids = {_turn(record)["id"] for record in in_file}
    cells = (file.ids if file is not None and shared else frozenset()) | {cell, ""}
    backups = [backup for backup in _backups(snapshot, file) if backup.conversation == name]
    more = {_turn(backup.record)["id"]: backup.record for backup in backups}
    # A new notebook may have the path of one that was deleted: then their cells differ.
    parents = {_turn(one)["id"]: _turn(one)["parent"] for one in (*in_file, *more.values())}
    belong = [one for one in backups if one.cell in cells and (shared or one.chat)]
    own = {_turn(one.record)["id"] for one in belong} | ids
    roots = {_root(id_, parents) for id_ in own}
    more = {id_: one for id_, one in more.items() if _root(id_, parents) in roots}
    records = (*in_file, *(record for id_, record in more.items() if id_ not in ids))
    found, notes = restore.conversations(
        SavedNotebook(records, (), (), labels={**saved.labels, **_OF_BACKUP})
    )
    if not found:
        return None
    head: Exchange | None = found[0].head
    told = chats[-1].head if chats else None
    if told is not None and (head is None or head.id in ids):  # nothing newer is backed up
        by_id = {exchange.id: exchange for exchange in found[0].exchanges}
        head = by_id.get(told) if told in by_id or not told else head
    backed_up = sum(exchange.id not in ids for exchange in found[0].exchanges)
    return SavedChat(found[0].exchanges, head, records, tuple(notes), backed_up, file)


def _root(id_: str, parents: Mapping[str, str]) -> str:
    """The first turn before this one of which the id is known."""
    seen = set()
    while parents.get(id_) and id_ not in seen:
        seen.add(id_)
        id_ = parents[id_]
    return id_


def _backups(snapshot: Snapshot, file: NotebookFile | None) -> list[Backup]:
    """The backups of the notebook, under each path that it has had."""
    paths = snapshot.paths
    if not paths:
        return []
    own = dict.fromkeys([str(file.path)] if file else [], None) | dict.fromkeys(paths)
    ids = file.ids if file is not None else frozenset[str]().union(*(f.ids for f in snapshot.files))
    found = [backup for path in own for backup in snapshot.store.of(path)]
    if ids:
        found += snapshot.store.moved(ids)
    return list({backup.path: backup for backup in found}.values())


def _turn(record: Record) -> dict[str, str]:
    """The names of the turn of a record, of its parent and of its conversation, empty if not so."""
    turn = as_dict(record.data.get("turn"))
    return {name: as_string(turn.get(name)) for name in ("conversation", "id", "parent")}
