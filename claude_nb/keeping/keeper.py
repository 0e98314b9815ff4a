"""The answers that are kept: those of this kernel, of its notebook, and of a folder.

What the notebook holds is read when ``%load_ext`` runs (``conversation.snapshot``). What it does
not hold any more, because a save overwrote it, is in the backups of its cells.
"""

from __future__ import annotations

import os
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from claude_nb.conversation.history import History
from claude_nb.conversation.saved_notebook import Record
from claude_nb.conversation.snapshot import NotebookFile, snapshot
from claude_nb.errors import InputError
from claude_nb.keeping import fingerprint
from claude_nb.keeping.answer import Answer, read
from claude_nb.keeping.folder import Folder
from claude_nb.keeping.stale import ShownAnswers
from claude_nb.reply import Reply
from claude_nb.request.attachments.interpolation import PutIn
from claude_nb.request.place import Place
from claude_nb.streaming.block import as_dict, as_string
from claude_nb.streaming.compact import is_unedited
from claude_nb.streaming.progress import Outcome

MAX_CHARACTERS = 100_000_000
"""Characters of this kernel's answers that are kept in memory; the oldest are dropped first."""

ON, FOLDER = "CLAUDE_NB_KEEP", "CLAUDE_NB_KEEP_DIR"
"""The environment variables that turn it on, and that name a folder."""

_OFF = ("", "0", "off", "no", "false")

_EDITED = "the saved answer was edited"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, before it is sent.

    Attributes:
        place: Where.
        prompt: The user's words.
        data: ``id``, ``request`` and ``answered``, as they are saved with the answer.
        keep: Whether a kept answer may be shown, where the cell itself says so; else None.
        option: What the option for that is called there.
        values: What was put in.
        history: The conversation that it belongs to, or None.
    """

    place: Place
    prompt: str
    data: dict[str, Any]
    keep: bool | None
    option: str
    values: tuple[PutIn, ...] = ()
    history: History | None = None

    @property
    def id(self) -> str:
        """The digest of what is asked."""
        return str(self.data["id"])

    @property
    def request(self) -> dict[str, Any]:
        """What is asked, by parts."""
        found: dict[str, Any] = self.data["request"]
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """What there is for a question.

    Attributes:
        asked: The question; None for one of which no answer is kept.
        answer: The answer to show instead of asking, or None to ask.
        notes: What the reader should know, a line or none.
    """

    asked: Asked | None = None
    answer: Answer | None = None
    notes: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, Any] | None:
        """What is saved of the question with its answer; None for nothing."""
        if self.asked is None:
            return None
        given = {} if self.answer is None else {"answered": self.answer.answered}
        return self.asked.data | given


@dataclass(frozen=True, slots=True)
class _Given:
    """An answer of this kernel: where it was asked, what is saved of it, and its characters."""

    place: Place
    data: dict[str, Any]
    size: int

    def read(self) -> Answer:
        return Answer.of(self.data, read(self.data["events"]))


class Keeper:
    """The kept answers of this kernel.

    Attributes:
        notebook: Whether answers are kept in this notebook, where ``%claude_nb keep`` said so.
        configured: The same by ``%config ClaudeMagics.keep``.
        shown: What went into the answers that the cells show.
    """

    def __init__(self) -> None:
        self.notebook: bool | None = None
        self.configured: bool | None = None
        self.shown = ShownAnswers()
        self._folder: Folder | None = None
        self._given: OrderedDict[str, dict[str, _Given]] = (
            OrderedDict()
        )  # by what is asked, by cell
        self._by_cell: defaultdict[str, dict[str, _Given]] = defaultdict(dict)  # by cell, likewise
        self._characters = 0
        self._files: tuple[NotebookFile, ...] | None = None
        self._records: dict[str, list[Record]] = {}
        self._in_cells: dict[str, list[Record]] = {}
        self._is_backed_up = False

    @property
    def folder(self) -> Folder | None:
        """The folder of recordings: the one that was named, or that of the environment."""
        named = os.environ.get(FOLDER, "").strip()
        if self._folder is None and named:
            self._folder = Folder(named)
        return self._folder

    def use(self, folder: str | Path) -> None:
        """Keep answers in a folder too, from now on.

        Raises:
            InputError: Nothing can be written there.
        """
        chosen = Folder(folder)
        chosen.make()
        self._folder, self.notebook = chosen, True

    @property
    def is_on(self) -> bool:
        """Whether a question that says nothing of it gets a kept answer."""
        return bool(self._chosen)

    @property
    def saves(self) -> bool:
        """Whether what it takes to show an answer again is saved: unless it was turned off."""
        return self._chosen is not False

    @property
    def _chosen(self) -> bool | None:
        """What the notebook, the configuration or the environment says; None for nothing."""
        for chosen in (self.notebook, self.configured):
            if chosen is not None:
                return chosen
        if (named := os.environ.get(ON)) is not None:
            return named.strip().lower() not in _OFF
        return True if self.folder is not None else None

    def wants(self, asked: Asked) -> bool:
        """Whether a question is to get a kept answer where there is one."""
        return self.is_on if asked.keep is None else asked.keep

    def find(self, asked: Asked) -> Found:
        """The kept answer to a question, if there is one and it is to be shown.

        Args:
            asked: The question.
        """
        if asked.keep is False:
            return Found(asked)
        wanted, why = self.wants(asked), ""
        for reader in self._readers(asked) if wanted else self._in_notebook(asked):
            try:
                answer = reader()
            except InputError as error:
                why = error.what
                continue
            if answer is None:
                continue
            if not wanted:
                fits = f"a saved answer matches: {asked.option} would have shown it for $0"
                return Found(asked, notes=(fits,))
            if asked.keep is None and (answer.functions or answer.server_tools):
                return Found(asked, notes=(_needs_option(answer, asked.option),))
            self._back_up_notebook()
            return Found(asked, answer, (answer.note,))
        again = self._why_again(asked, why, wanted=wanted)
        return Found(asked, notes=(again,) if again else ())

    def remember(self, found: Found, reply: Reply) -> None:
        """Keep the answer of a reply that has ended, if it is complete.

        Args:
            found: What ``find`` returned.
            reply: The reply.
        """
        asked, data = found.asked, reply.saved_answer()
        if asked is not None and reply.outcome is Outcome.COMPLETE:
            self.shown.add(asked.place, reply.request, asked.values, asked.history)
        if asked is None or data is None:
            return
        self._add(_Given(asked.place, data, len(reply.text) + len(reply.thinking)))
        if self.folder is not None and self.is_on and not reply.kept:
            try:
                self.folder.save(asked.prompt, reply)
            except InputError as error:  # the reply itself is there, and paid for
                text = f"The answer was not kept: {error}"
                warnings.warn_explicit(text, UserWarning, "claude_nb", 0)

    def _add(self, given: _Given) -> None:
        id_, cell = given.data["id"], given.place.cell
        cells = self._given.setdefault(id_, {})
        self._characters += given.size - (cells[cell].size if cell in cells else 0)
        cells[cell] = self._by_cell[cell][id_] = given
        self._given.move_to_end(id_)
        while self._characters > MAX_CHARACTERS and len(self._given) > 1:
            oldest, dropped = self._given.popitem(last=False)
            for one, each in dropped.items():
                self._characters -= each.size
                del self._by_cell[one][oldest]

    def _readers(self, asked: Asked) -> Iterator[Callable[[], Answer | None]]:
        """What reads each answer to the same question, those of its own cell first."""
        cell = asked.place.cell
        given = dict(self._given.get(asked.id, {}))
        own = given.pop(cell, None)
        yield from (one.read for one in (own,) if one is not None)
        yield from self._in_notebook(asked)
        yield from (one.read for one in reversed(given.values()))
        if self.folder is not None:
            yield partial(self.folder.find, asked.prompt, asked.id)
        yield from (partial(_of_record, record) for record in self._backups(asked))

    def _in_notebook(self, asked: Asked) -> Iterator[Callable[[], Answer]]:
        """What reads each answer to the same question that the saved notebook has in its cell."""
        self._read_notebook()
        cell = asked.place.cell
        for record in self._records.get(asked.id, ()):
            if cell in ("", _cell(record)):
                yield partial(_of_record, record)

    def _read_notebook(self) -> None:
        """Find out which answers the notebook has, once."""
        files = snapshot.files
        if files is self._files:
            return
        self._files, self._records, self._in_cells = files, defaultdict(list), defaultdict(list)
        for record in (one for file in files if file.saved for one in file.saved.records):
            self._in_cells[_cell(record)].append(record)
            if id_ := as_string(as_dict(record.data.get("answer")).get("id")):
                self._records[id_].append(record)

    def _backups(self, asked: Asked) -> Iterator[Record]:
        """The records of the same question that are backed up for its cell, the newest first."""
        cell = asked.place.cell
        for path in snapshot.paths if cell else ():
            for backup in snapshot.store.of_cell(path, cell):
                if as_dict(backup.record.data.get("answer")).get("id") == asked.id:
                    yield backup.record

    def _back_up_notebook(self) -> None:
        """Back up the notebook's answers: a save may overwrite them before their cells have run."""
        if self._is_backed_up or not snapshot.backup:
            return
        self._is_backed_up = True
        if len(snapshot.files) == 1 and (saved := snapshot.files[0].saved) is not None:
            answers = ((_cell(one), one) for one in saved.records if "answer" in one.data)
            snapshot.store.keep_missing(str(snapshot.files[0].path), answers, chat=False)

    def _why_again(self, asked: Asked, why: str, *, wanted: bool) -> str:
        """Why a cell that was answered before is asked again; empty if it was not."""
        if why:
            return f"asked again: {why}" if wanted else ""
        before = min(
            (fingerprint.changes(request, asked.request) for request in self._before(asked)),
            key=len,
            default=[],
        )
        if not wanted:
            before = [name for name in before if name in asked.request["values"]]
        elif not before and (why := self._not_kept(asked)):
            return f"asked again: {why}"
        return f"asked again: {_listed(before)} changed" if before else ""

    def _before(self, asked: Asked) -> Iterable[dict[str, Any]]:
        """What was asked in the same cell before, or where cells have no ids, in the same words."""
        place, words = asked.place, asked.request["words"]
        runs = [one for one in self._by_cell[place.cell].values() if one.place != place]
        given = [(one.place.execution, one.data["request"]) for one in runs]
        if place.cell and given:
            newest = max(execution for execution, _ in given)
            return [request for execution, request in given if execution == newest]
        self._read_notebook()
        records = self._in_cells.get(place.cell, ()) if place.cell else ()
        requests = [as_dict(as_dict(one.data.get("answer")).get("request")) for one in records]
        if not place.cell:
            more = self.folder.requests(asked.prompt) if self.folder is not None else ()
            found = [*(request for _, request in given), *more]
            requests = [request for request in found if request.get("words") == words]
        return filter(None, requests)

    def _not_kept(self, asked: Asked) -> str:
        """Why the answer that the notebook has in this cell cannot be shown again."""
        records = self._in_cells.get(asked.place.cell, ()) if asked.place.cell else ()
        for outcome in (as_string(one.data.get("outcome")) for one in records):
            if outcome not in ("", "complete"):
                return f"the saved answer is not complete ({outcome})"
        turns = (one.data.get("turn") or one.data.get("once") for one in records)
        if any(as_dict(turn).get("prompt") == asked.prompt for turn in turns):
            return "the saved answer is from an earlier version, or was not meant to be kept"
        return ""


def _of_record(record: Record) -> Answer:
    """The answer in a record.

    Raises:
        InputError: It cannot be shown; the error says why.
    """
    saved = as_dict(record.data.get("answer"))
    if not is_unedited(record.data):
        raise InputError(_EDITED)
    try:
        return Answer.of(saved, read(as_string(saved.get("events"))))
    except InputError:
        raise InputError(_EDITED) from None


def _cell(record: Record) -> str:
    """The id of the cell in which a reply was asked."""
    return record.cell or as_string(as_dict(record.data.get("turn")).get("cell"))


def _needs_option(answer: Answer, option: str) -> str:
    """The note where only the cell itself may say that an answer with tools is shown again."""
    names = ", ".join((*answer.functions, *answer.server_tools))
    return f"asked again: the saved answer called {names}; {option} here shows it without calling"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


keeper = Keeper()
"""The process's."""
