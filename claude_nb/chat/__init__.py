"""``Chat``: a conversation in a widget, which goes on while the notebook does other things.

It is asked from the page or from Python, and its replies are painted in the background. What is on
the page is not what is saved: once a page has shown that it can, the cell's output is replaced by
the conversation as it is saved, made anew after each answer, and the page puts the chat over it. So
the file is right at any moment, whoever saves it, and with whatever becomes of the kernel.
"""

from __future__ import annotations

import re
import threading
import time
import traceback
import warnings
from collections import deque
from dataclasses import fields
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import traitlets
from IPython.display import display, update_display

from claude_nb import notebook
from claude_nb.attachments import attach as attached
from claude_nb.attachments.interpolation import compose
from claude_nb.attachments.variables import variables
from claude_nb.chat.turns import Turn, for_page, newest_below
from claude_nb.conversation import Conversation
from claude_nb.errors import ClaudeError, InputError
from claude_nb.history import THINKING_LEFT_OUT, Place
from claude_nb.models import DEFAULT_MODEL, known_models
from claude_nb.notebook import export, restore
from claude_nb.prompt import EFFORTS, Request
from claude_nb.render import chat as render
from claude_nb.render import words
from claude_nb.render.characters import clean
from claude_nb.reply import shell
from claude_nb.run import begin, fitting
from claude_nb.tools import Tools
from claude_nb.views import background, protocol
from claude_nb.views.frames import Frames
from claude_nb.views.question import Question
from claude_nb.views.widget import PageWidget, source, style

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from claude_nb.blocks import Block
    from claude_nb.caching import System
    from claude_nb.engine import Stream
    from claude_nb.history import Exchange
    from claude_nb.reply import Reply
    from claude_nb.views.protocol import Op

OPTIONS = (
    *("max_tokens", "thinking", "hide_thinking", "tools", "hide_tools"),
    *("max_cost", "policy", "client"),
)
"""What a chat hands on to each question, beside its model, effort and system prompt."""

MAX_PLACES = 8
"""Outputs of one chat that are kept up to date; of one that is displayed more often, the last."""

PAGE_SAYS = frozenset(
    {
        *("send", "stop", "retry", "edit", "pick", "clear", "bring_back"),
        *("attach", "detach", "complete", "export", "resync", "covered", "saved"),
        *("asked", "confirm"),
    }
)
"""The messages of the page: see ``views.protocol``."""

_BEGUN = re.compile(r"\{\{\s*(\w*)$")
_OF_REQUEST = {field.name for field in fields(Request)} - {"tools"}


class Chat(PageWidget):
    """A chat with Claude in a widget. It streams in the background: the kernel stays free.

    In the text ``{{name}}`` is replaced by that variable, as in a ``%%claude`` cell; files are
    dropped on it, pasted or chosen. What was said is saved with the notebook, and is read without
    a kernel; ``Chat.restore()`` goes on from there.

    Args:
        conversation: The conversation that it goes on with: its name, as ``%%claude -c NAME`` takes
            it, or a ``Conversation``. By default a new one, called ``chat``.
        model: The model to ask. It can be changed at any time, here and on the page.
        effort: One of ``low``, ``medium``, ``high``, ``xhigh`` and ``max``; empty for the model's
            default.
        system: The system prompt: a text, or a ``CachedSystem``.
        height: The height on the page, in pixels.
        **options: ``tools``, ``max_tokens``, ``thinking``, ``hide_thinking``, ``hide_tools``,
            ``max_cost``, ``policy`` and ``client``, as ``claude_nb.ask`` takes them; and a
            ``layout``. Functions run on a thread of their own.

    Attributes:
        conversation: What was said: ``.messages()``, ``.to_notebook(path)``, ``.branch``, …
        reply: The newest reply of this chat, or None.
        draft: What is written and not sent.
        busy: Whether an answer is under way.
        turns: How many questions are on the current branch.
        cost: What its replies have cost together, in USD, as far as that is known.

    Raises:
        InputError: An argument is unknown or not possible.

    Example:
        >>> chat = Chat(system="You know the timetable.")
        >>> chat  # in a cell of its own
        >>> chat.observe(lambda change: print(change.new), "turns")
    """

    _esm = source("chat")
    _css = style("chat")
    model = traitlets.Unicode(DEFAULT_MODEL).tag(sync=True)
    effort = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(520, min=200).tag(sync=True)
    draft = traitlets.Unicode("").tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)
    turns = traitlets.Int(0).tag(sync=True)
    cost = traitlets.Float(0.0).tag(sync=True)
    models = traitlets.List(traitlets.Unicode()).tag(sync=True)
    efforts = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(
        self,
        conversation: str | Conversation | None = None,
        *,
        model: str = DEFAULT_MODEL,
        effort: str | None = None,
        system: str | System | None = None,
        height: int = 520,
        **options: Any,
    ) -> None:
        of_widget = {"layout": options.pop("layout")} if "layout" in options else {}
        _check_names(options)
        self.system = system
        self.reply: Reply | None = None
        if "tools" in options:
            options["tools"] = Tools.of(options["tools"])
        self._options = options
        self._request("hello", model=model, effort=effort or None)
        if conversation is None or isinstance(conversation, str):
            conversation = Conversation.named(conversation or _new_name())
        self.conversation = conversation
        self._lock = threading.RLock()
        self._mark = f"claude-nb-chat-{uuid4().hex}"
        self._number = 0
        self._posted: list[tuple[Any, ...]] = []
        self._known: dict[str, Turn] = {}
        self._records: dict[str, dict[str, Any]] = {}
        self._current: Turn | None = None
        self._failed: Turn | None = None
        self._failed_at: Exchange | None = None  # the head of the conversation at that moment
        self._files: dict[str, tuple[str, bytes, str]] = {}
        self._places: deque[str] = deque(maxlen=MAX_PLACES)
        self._covered = False
        self._coverable = False
        self._version = 0
        self._spent = 0.0
        self._unknown_cost = False
        super().__init__(
            model=model,
            effort=effort or "",
            height=height,
            models=list(dict.fromkeys([model, *known_models()])),
            efforts=list(EFFORTS),
            **of_widget,
        )
        self.turns = len(conversation.branch)
        self.on_msg(self._receive)
        self._deaf = conversation.listen(self._changed)

    @classmethod
    def restore(
        cls, conversation: str | None = None, *, path: str | Path | None = None, **arguments: Any
    ) -> Self:
        """Bring back a chat from the saved notebook, as after a restart of the kernel.

        Args:
            conversation: The name of its conversation; by default that of the notebook's last chat.
            path: The notebook; by default the one that this kernel belongs to, as it was saved.
            **arguments: As for ``Chat``.

        Raises:
            InputError: There is no such file, or no such conversation in it.
        """
        file = Path(path) if path is not None else notebook.current_path()
        saved = notebook.load(file)
        conversations, notes = restore.conversations(saved)
        found = {one.name: one for one in conversations}
        name = conversation or next((n for n in reversed(saved.chats) if n in found), None)
        if name is None or name not in found:
            which = f"conversation {name!r}" if name else "chat"
            there = f"It has {', '.join(found)}." if found else "No conversation is saved in it."
            raise InputError(f"There is no {which} in {clean(str(file))}.", there)
        for note in notes:
            warnings.warn(clean(f"{file}: {note}"), stacklevel=2)
        shared = Conversation.named(name)
        shared.add(found[name].exchanges, found[name].head)
        chat = cls(shared, **arguments)
        chat._take_over(saved.records)
        return chat

    def ask(self, prompt: str, *, attach: Iterable[Any] = ()) -> Reply:
        """Ask in this chat, and wait for the answer, which streams where the chat is shown.

        Args:
            prompt: The user's words; ``{{name}}`` is replaced as on the page.
            attach: Values that are sent along.

        Returns:
            The complete reply; one that was truncated or refused says so in ``outcome``.

        Raises:
            InputError: It cannot be sent as it is, or another answer is under way; or an observer
                of a chat asks, which would wait for itself.
            ClaudeError: It failed, was dropped or was stopped; ``.reply`` holds what came.
        """
        if background.is_painting():
            raise InputError(
                "An observer of a chat cannot wait for an answer, which would wait for it.",
                "Ask on another thread: threading.Thread(target=chat.ask, args=(prompt,)).start()",
            )
        files = [(f"attachment {number}", value) for number, value in enumerate(attach, 1)]
        turn = self._put(self._written(prompt, files, self._after()))
        self._begin(turn)
        try:
            turn.ended.wait()
        except KeyboardInterrupt:
            self.stop()
            turn.ended.wait()
        reply = turn.reply
        if reply is None:
            raise ClaudeError("The chat was closed.")
        reply.check()
        return reply

    def stop(self) -> None:
        """Stop the answer that is under way, if there is one; what came is kept."""
        with self._lock:
            turn = self._current
            if turn is not None:
                turn.stopped = True
                if turn.stream is not None:
                    turn.stream.stop()

    def clear(self) -> None:
        """Begin anew; what was said stays in the conversation, and on the page can be brought back.

        Raises:
            InputError: An answer is under way.
        """
        with self._lock:
            self._check_idle()
            self._failed = None
        self.conversation.new()

    def close(self) -> None:
        """Close the widget, and stop what it is asking; its conversation stays."""
        if self.comm is not None:  # it was made, and is not closed already
            self.stop()
            self._deaf()
        super().close()

    def __repr__(self) -> str:
        count = self.turns
        return f"<Chat {self.conversation.name!r} · {count} {'turn' if count == 1 else 'turns'}>"

    @traitlets.validate("effort")
    def _valid_effort(self, proposal: Any) -> str:
        effort: str = proposal["value"]
        if effort:
            Request("hello", effort=effort)
        return effort

    # What is asked.

    def _written(
        self, prompt: str, files: Sequence[tuple[str, Any]], after: Exchange | None
    ) -> Turn:
        """A question as it was written: variables put in, everything checked."""
        here = shell()
        variables = here.user_ns if here else {}
        filled = compose(prompt, variables=variables, attached=files)
        turn = Turn(prompt, after, filled.blocks, filled.notes, files)
        self._request(prompt, content=filled.blocks, model=self.model)
        return turn

    def _again(self, turn: Turn) -> Turn:
        """The same question, with the data that it was asked with."""
        return Turn(turn.prompt, turn.after, turn.content, turn.notes, turn.files)

    def _request(self, prompt: str, **more: Any) -> None:
        """Check what can be checked before there is a connection."""
        options = {name: value for name, value in self._options.items() if name in _OF_REQUEST}
        Request(prompt, system=self.system, **options, **more)

    def _check_idle(self) -> None:
        if self._current is not None:
            raise InputError("Claude is still answering.", "Wait for the end, or press Stop.")

    def _put(self, turn: Turn) -> Turn:
        with self._lock:
            self._check_idle()
            self._current = turn
            self._failed = None
            self._show()
        self._tell()
        return turn

    def _begin(self, turn: Turn) -> None:
        """Send a question; what cannot be sent is taken back.

        Raises:
            InputError: It was not sent.
        """
        try:
            begin(
                turn.prompt,
                lambda stream, reply: self._view(turn, stream, reply),
                lambda reply, bug: self._end(turn, reply, bug),
                history=self.conversation,
                new=turn.after is None,
                after=turn.after,
                place=Place(),
                content=turn.content,
                model=self.model,
                effort=self.effort or None,
                system=self.system,
                **self._options,
            )
        except BaseException:
            with self._lock:
                self._current = None
                self._show()
            self._tell()
            turn.ended.set()
            raise

    def _begin_for_page(self, turn: Turn) -> None:
        try:
            self._begin(turn)
        except ClaudeError as error:
            self._post(protocol.refused(turn.prompt, str(error)))
        except Exception as bug:  # noqa: BLE001 - the page is the only one to tell
            self._post(protocol.refused(turn.prompt, f"{type(bug).__name__}: {bug}"))

    def _view(self, turn: Turn, stream: Stream, reply: Reply) -> _View:
        reply.notes = tuple(note for note in reply.notes if note == THINKING_LEFT_OUT)
        with self._lock:
            turn.stream, turn.reply = stream, reply
            if reply.request.turn is not None:
                turn.id = reply.request.turn.id
                self._known[turn.id] = turn
            if turn.stopped:
                stream.stop()
        return _View(partial(self._frame, turn), self._question(turn, reply))

    def _question(self, turn: Turn, reply: Reply) -> Question:
        """What asks the reader whether a call of this answer may run."""

        def show(call: Block | None) -> None:
            with self._lock:
                if turn is self._current:  # or it has ended, and its frames with it
                    turn.frames.asking = call
                    self._frame(turn, reply, time.monotonic())

        turn.question = Question(show)
        return turn.question

    def _frame(self, turn: Turn, reply: Reply, now: float) -> float:
        with self._lock, turn.pace.measured():
            message = turn.frames.next(reply, now)
            if message is not None:
                self._post(protocol.frame(turn.key, message))
        return turn.pace.pause(turn.frames)

    def _end(self, turn: Turn, reply: Reply, bug: Exception | None) -> None:
        """The answer has ended, and the books are kept."""
        turn.answer = render.answer(reply)
        turn.record = render.record(reply, reply.request)
        with self._lock:
            self.reply = reply
            self._current = None
            if all(exchange.id != turn.id for exchange in self.conversation.exchanges):
                self._known.pop(turn.id, None)
                self._failed, self._failed_at = turn, self.conversation.head
            turn.frames = Frames()
            self._charge(reply.cost)
            self._show()
        self._settle()
        if bug is not None:
            self._post(protocol.refused("", f"A part of it could not be shown: {bug}"))
        self._tell()
        turn.ended.set()

    def _charge(self, usd: float | None) -> None:
        self._unknown_cost = self._unknown_cost or usd is None
        self._spent += usd or 0.0

    def _tell(self) -> None:
        """Set the traits that are observed, once the books are kept.

        Observers run here, perhaps on the painter's thread: not under the lock, and what they raise
        is reported and breaks nothing.
        """
        now: dict[str, Callable[[], object]] = {
            "turns": lambda: len(self.conversation.branch),
            "cost": lambda: self._spent,
            "busy": lambda: self._current is not None,
        }
        for name, value in now.items():
            try:
                self.set_trait(name, value())  # read now: an observer may have begun to ask
            except (Exception, SystemExit):  # noqa: BLE001 - the observer's, not ours
                traceback.print_exc()

    # What is shown.

    def _after(self) -> Exchange | None:
        """What the next question follows: the last that is shown."""
        return self._failed.after if self._failed else self.conversation.head

    def _shown(self) -> list[tuple[Turn, tuple[int, int]]]:
        """What is on the page: the current branch, up to what is being answered or has failed."""
        conversation = self.conversation
        siblings: dict[str, list[Exchange]] = {}
        for exchange in conversation.exchanges:
            siblings.setdefault(exchange.parent.id if exchange.parent else "", []).append(exchange)
        extra = self._current or self._failed
        branch = conversation.branch
        if extra is not None and any(exchange.id == extra.id for exchange in branch):
            extra = None
        if extra is not None:
            branch = extra.after.branch if extra.after else []
        shown = []
        for exchange in branch:
            turn = self._known.get(exchange.id)
            if turn is None:
                turn = Turn.of(exchange, self._records.get(exchange.id))
                self._known[exchange.id] = turn
            same = siblings[exchange.parent.id if exchange.parent else ""]
            shown.append((turn, (same.index(exchange) + 1, len(same))))
        if extra is not None:
            count = len(siblings.get(extra.after.id if extra.after else "", [])) + 1
            shown.append((extra, (count, count)))
        return shown

    def _show(self) -> None:
        """Send the page what has changed in the list of turns, and the facts above it."""
        with self._lock:
            shown = self._shown()
            marks = [(turn.key, at, turn.answer is None) for turn, at in shown]
            keep = 0
            while keep < min(len(marks), len(self._posted)) and marks[keep] == self._posted[keep]:
                keep += 1
            self._posted = marks
            turns = [for_page(turn, at) for turn, at in shown[keep:]]
            self._post(protocol.turns(keep, turns), self._about())

    def _about(self) -> Op:
        conversation = self.conversation
        cost = words.money(self._spent) if self._spent else ""
        return protocol.about(
            self._mark,
            conversation.name,
            cost + ("+" if cost and self._unknown_cost else ""),
            cleared=conversation.head is None and bool(conversation.exchanges),
            files=[{"file": key, "note": note} for key, (_, _, note) in self._files.items()],
        )

    def _changed(self) -> None:
        """The conversation has changed: here, in a cell or in another chat."""
        with self._lock:
            if self.conversation.head is not self._failed_at:
                self._failed = None  # it went on from elsewhere
            self._show()
            answering = self._current is not None
        if not answering:
            self._settle()
            self._tell()

    def _post(self, *ops: Op) -> None:
        with self._lock:
            self._number += 1
            self.send({"chat": self._number, "ops": list(ops)})

    def whole(self) -> dict[str, object]:
        """All that is on the page, in one message."""
        with self._lock:
            shown = self._shown()
            self._posted = [(turn.key, at, turn.answer is None) for turn, at in shown]
            ops = [
                protocol.turns(0, [for_page(turn, at) for turn, at in shown]),
                self._about(),
                protocol.settled(self._version),
            ]
            turn = self._current
            if turn is not None and turn.reply is not None:
                snapshot = turn.frames.snapshot(turn.reply, time.monotonic())
                ops.append(protocol.frame(turn.key, snapshot))
            return {"chat": self._number, "reset": True, "ops": ops}

    # What is saved.

    def _ipython_display_(self) -> None:
        kind = fitting()
        if kind == "terminal":
            print(self)  # noqa: T201
            return
        display_id = uuid4().hex
        with self._lock:
            self._places.append(display_id)
            self._covered = self._covered or kind == "updating"
            self._coverable = self._coverable or kind == "live"
        data, metadata = self._saved()
        if kind == "live":
            view = (self._repr_mimebundle_() or ({}, {}))[0]
            data = {**view, "text/plain": repr(self)}
        display(data, metadata=metadata, raw=True, display_id=display_id)

    def _settle(self) -> None:
        """Replace what is saved by what has been said so far."""
        with self._lock:
            self._version += 1
            if not self._covered:
                return
            data, metadata = self._saved()
            for display_id in self._places:
                update_display(data, metadata=metadata, raw=True, display_id=display_id)
            self._post(protocol.settled(self._version))

    def _saved(self) -> tuple[dict[str, str], dict[str, Any]]:
        """The chat as it is saved: three forms, and the record of every reply on every branch."""
        with self._lock:
            name = self.conversation.name
            turns = [
                render.Turn(turn.prompt, turn.notes, turn.answer, at)
                for turn, at in self._shown()
                if turn.answer is not None
            ]
            records = []
            for exchange in self.conversation.exchanges:
                turn = self._known.get(exchange.id)
                own = turn.record if turn else self._records.get(exchange.id)
                records.append(own or export.record(exchange, name, exchange.place.cell))
            if self._failed is not None and self._failed.record is not None:
                records.append(self._failed.record)
            count = len(turns)
            title = name.capitalize() if name.startswith("chat") else f"Chat · {name}"
            head = f"{title} · {count} turn{'' if count == 1 else 's'}"
            classes = f"{self._mark} claude-nb-v{self._version}" if self._coverable else ""
            simulated = any(record.get("simulated") is True for record in records)
            bundle = render.mimebundle(turns, head, classes)
            return bundle, render.metadata(name, turns, records, simulated=simulated)

    def _take_over(self, records: Iterable[notebook.Record]) -> None:
        """Keep what was saved of replies, for the next time that they are saved."""
        with self._lock:
            for record in records:
                turn = record.data.get("turn")
                spent = notebook.spent(record)
                if not isinstance(turn, dict) or not isinstance(turn.get("id"), str):
                    continue
                if turn.get("conversation") != self.conversation.name:
                    continue
                if turn["id"] in self._records:  # another output of the same chat
                    continue
                self._records[turn["id"]] = record.data
                if spent is not None:
                    self._charge(spent.cost)
            self._known.clear()
            self._show()
        self._tell()

    # What the page says.

    def _receive(self, _widget: Any, content: Any, buffers: Sequence[Any]) -> None:
        """A message of the page: on any of the kernel's threads, at any time."""
        op = content.get("op") if isinstance(content, dict) else None
        handle = getattr(self, f"_on_{op}", None) if op in PAGE_SAYS else None
        if handle is None:
            return
        try:
            answer = handle(content, buffers) or {}
        except ClaudeError as error:
            answer = {"error": str(error)}
        if (n := content.get("n")) is not None:
            self.send({"ack": n, **answer})

    def _on_send(self, content: dict[str, Any], _: Sequence[Any]) -> None:
        with self._lock:
            files = [(name, data) for name, data, _ in self._files.values()]
        turn = self._put(self._written(str(content.get("text", "")), files, self._after()))
        with self._lock:
            self._files.clear()
            self._post(self._about())
        self._start(turn)

    def _start(self, turn: Turn) -> None:
        # Not on the thread of the page's messages: to count what a budget allows takes a while.
        threading.Thread(target=self._begin_for_page, args=(turn,), daemon=True).start()

    def _on_stop(self, _: dict[str, Any], __: Sequence[Any]) -> None:
        self.stop()

    def _on_asked(self, content: dict[str, Any], _: Sequence[Any]) -> None:
        turn = self._current
        if turn is not None and turn.question is not None:
            turn.question.receive(content)

    _on_confirm = _on_asked

    def _on_retry(self, content: dict[str, Any], _: Sequence[Any]) -> None:
        self._start(self._put(self._again(self._turn(content))))

    def _on_edit(self, content: dict[str, Any], _: Sequence[Any]) -> None:
        turn = self._turn(content)
        self._start(self._put(self._written(str(content.get("text", "")), turn.files, turn.after)))

    def _on_pick(self, content: dict[str, Any], _: Sequence[Any]) -> None:
        """Go to the branch on which the question was put, or answered, in another way."""
        with self._lock:
            self._check_idle()
            turn = self._turn(content)
            exchanges = self.conversation.exchanges
            ids = [e.id for e in exchanges if e.parent is turn.after]
            at = ids.index(turn.id) if turn.id in ids else len(ids)
            wanted = at + (1 if content.get("by") == 1 else -1)
            if not 0 <= wanted < len(ids):
                return
            found = next(e for e in exchanges if e.id == ids[wanted])
            self._failed = None
        self.conversation.go_to(newest_below(found, exchanges))

    def _on_clear(self, _: dict[str, Any], __: Sequence[Any]) -> None:
        self.clear()

    def _on_bring_back(self, _: dict[str, Any], __: Sequence[Any]) -> None:
        with self._lock:
            self._check_idle()
        if self.conversation.exchanges:
            self.conversation.go_to(self.conversation.exchanges[-1])

    def _on_export(self, content: dict[str, Any], _: Sequence[Any]) -> dict[str, Any]:
        if content.get("form") == "copy":
            return {"text": self.conversation.to_markdown()}
        suffix = ".ipynb" if content.get("form") == "notebook" else ".md"
        stem = re.sub(r"[^\w -]+", "-", self.conversation.name).strip() or "chat"
        path = Path(f"{stem}{suffix}")
        number = 1
        while path.exists():
            number += 1
            path = Path(f"{stem} {number}{suffix}")
        if suffix == ".ipynb":
            self.conversation.to_notebook(path)
        else:
            export.write(path, self.conversation.to_markdown())
        return {"said": f"Saved as {path}, in {path.resolve().parent}."}

    def _on_attach(self, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        name = clean(str(content.get("name") or "file"))[:100]
        data = bytes(buffers[0]) if buffers else b""
        if not data:
            raise InputError(f"{name} is empty.")
        note = attached(data, name).note or name
        with self._lock:
            self._files[uuid4().hex] = (name, data, note)
            self._post(self._about())

    def _on_detach(self, content: dict[str, Any], _: Sequence[Any]) -> None:
        with self._lock:
            self._files.pop(str(content.get("file")), None)
            self._post(self._about())

    def _on_complete(self, content: dict[str, Any], _: Sequence[Any]) -> dict[str, Any]:
        here, begun = shell(), _BEGUN.search(str(content.get("text", "")))
        if begun is None or here is None:
            return {"matches": []}
        found = variables(here.user_ns, begun[1], here.user_ns_hidden)
        return {"matches": [{"name": name, "about": about} for name, about in found]}

    def _on_resync(self, _: dict[str, Any], __: Sequence[Any]) -> None:
        with self._lock:
            self.send(self.whole())

    def _on_covered(self, _: dict[str, Any], __: Sequence[Any]) -> None:
        with self._lock:
            self._covered = True
        self._settle()

    def _on_saved(self, _: dict[str, Any], __: Sequence[Any]) -> dict[str, Any]:
        data, metadata = self._saved()
        return {"data": data, "metadata": metadata}

    def _turn(self, content: dict[str, Any]) -> Turn:
        """The turn on the page that a message is about."""
        with self._lock:
            for turn, _ in self._shown():
                if turn.key == content.get("turn"):
                    return turn
        raise InputError("That message is not there any more.")


class _View:
    """Shows one reply of a chat: its frames, among the chat's other messages."""

    def __init__(self, frame: Callable[[Reply, float], float], question: Question) -> None:
        self.frame = frame
        self._question = question

    def confirm(self, call: Block) -> bool | None:
        return self._question.put(call)

    def settle(self, reply: Reply) -> None:
        self._question.withdraw()
        self.frame(reply, reply.ended or time.monotonic())


def _new_name() -> str:
    names, number = Conversation.names(), 1
    while (name := "chat" if number == 1 else f"chat {number}") in names:
        number += 1
    return name


def _check_names(options: Iterable[str]) -> None:
    known = ["conversation", "model", "effort", "system", "height", *OPTIONS, "layout"]
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise InputError(f"A chat takes no {name}.", f"{hint}It takes {', '.join(known)}.")
