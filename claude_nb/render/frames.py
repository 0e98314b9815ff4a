"""Turns a growing reply into frames: the changes since the last one, as ``protocol`` has them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render import html, labels, protocol
from claude_nb.render.citations import Sources
from claude_nb.render.panes import ConfirmedPane, Pane, pane_for
from claude_nb.render.protocol import Op
from claude_nb.render.text_runs import goes_on
from claude_nb.streaming.block import Block
from claude_nb.streaming.progress import Outcome, Progress


class Confirming(Protocol):
    """A call that the reader is asked to allow: a ``tools.permission.PermissionRequest``."""

    @property
    def call(self) -> Block:
        """The call."""

    @property
    def source(self) -> str:
        """The server of its tool, or an empty string."""

    @property
    def answers(self) -> Sequence[tuple[str, str]]:
        """The answers, each with its label."""


class Frames:
    """The frames of a reply, and what a page shows that has received all of them.

    Args:
        name: The title of the reply; by default its model.
        has_usage: Whether a usage table will stand below it, for which a place is kept.

    Attributes:
        number: The number of frames so far.
        opened: The blocks whose panes the reader has opened by hand.
        confirming: The call that the reader is asked to allow, or None; a reply that has ended
            asks nothing.
        resync: Whether the page has lost a frame, so that the next one holds everything.
        done: The operation that ended the last frame, or None before it.
    """

    def __init__(self, name: str = "", *, has_usage: bool = False) -> None:
        self._name = name
        self._has_usage = has_usage
        self._usage: list[Op] = []
        self._counted: list[object] = []  # what the height of the usage table depends on
        self.number = 0
        self.opened: set[Block] = set()
        self.confirming: Confirming | None = None
        self.resync = False
        self.done: Op | None = None
        self._confirming: Confirming | None = None  # as the page shows it
        self._hidden: ConfirmedPane | None = None  # of that call, if calls are hidden
        self._panes: list[Pane] = []
        self._pane_of: dict[Block, Pane] = {}
        self._seen: list[int] = []  # how many blocks of each message have been looked at
        self._sources = Sources()
        self._notes: list[Op] = []
        self._noted: tuple[str, ...] = ()
        self._below: list[Op] = []
        self._doing: tuple[str, object] = ("", "")

    @property
    def open_units(self) -> int:
        """Characters of HTML that a page may have to lay out again at each frame."""
        return sum(pane.open_units for pane in self._panes)

    @property
    def rendered(self) -> dict[Block, html.Rendered]:
        """The complete blocks as rendered, by the (first) block that each shows."""
        return {pane.block: done for pane in self._panes if (done := pane.rendered) is not None}

    def next(self, progress: Progress, now: float) -> dict[str, object] | None:
        """The next frame, or None if nothing has changed.

        Args:
            progress: The reply.
            now: ``time.monotonic()``, for the clock of the status line.
        """
        ops: list[Op] = []
        if progress.notes != self._noted and (self._notes or not self._panes):
            self._noted = progress.notes
            patch = protocol.patch(0, 0, 0, html.notes(progress.notes))
            ops += [patch] if self._notes else [protocol.pane(0, ""), patch]
            self._notes = [protocol.pane(0, ""), patch]
        self._add_panes(progress)
        in_order = True  # sources are numbered in reading order, whatever arrived first
        for pane in self._panes:
            if not pane.finished:
                pane.may_cite = in_order
                ops += pane.grow(pane.message)
                in_order = in_order and (pane.finished or not pane.cites)
        confirming = self.confirming if progress.outcome is Outcome.STREAMING else None
        if confirming is not self._confirming:
            ops += self._confirm(confirming, progress)
        if progress.outcome is not Outcome.STREAMING and self.done is None and self._sources:
            number = len(self._panes) + bool(self._notes)
            sources = html.source_list(self._sources)
            self._below = [protocol.pane(number, ""), protocol.patch(number, 0, 0, sources)]
            ops += self._below
        ops += self._keep_usage(progress)
        doing = (progress.model, progress.waiting or labels.status(progress))
        if doing != self._doing:
            self._doing = doing
            ops.append(self._status(progress, now))
        if progress.outcome is not Outcome.STREAMING and self.done is None:
            subject = f"{self._name}: reply" if self._name else "Reply"
            self.done = protocol.done(f"{subject} {labels.status(progress)}.")
            ops.append(self.done)
        self.number += bool(ops)
        if self.resync:
            self.resync = False
            return self.snapshot(progress, now)
        return {"frame": self.number, "ops": ops} if ops else None

    def _keep_usage(self, progress: Progress) -> list[Op]:
        """The usage table, where it has become higher."""
        counted: list[object] = [(m.accepted, m.fell_back) for m in progress.messages]
        if not self._has_usage or counted == self._counted:
            return []
        self._counted = counted
        self._usage = [protocol.usage(html.usage(progress))]
        return self._usage

    def _confirm(self, asked: Confirming | None, progress: Progress) -> list[Op]:
        """Show the buttons for a call, or remove them; a hidden call is shown meanwhile."""
        ops = self._hidden.hide() if self._hidden else []
        self._hidden = None
        if asked is not None and progress.hides_tools:
            ops += self._show_hidden(asked.call, progress)
        # The tool's thread may ask before the call has a pane.
        if asked is None or any(pane.block.id == asked.call.id for pane in self._panes):
            self._confirming = asked
            ops.append(self._buttons())
        return ops

    def _show_hidden(self, call: Block, progress: Progress) -> list[Op]:
        """Make a pane for a hidden call, once all of it has arrived."""
        for message in progress.messages[-1:]:
            for block in message.content:
                if block.id == call.id and block.ended is not None:
                    number = len(self._panes) + bool(self._notes)
                    self._hidden = ConfirmedPane(number, block, message)
                    self._panes.append(self._hidden)
                    return self._hidden.whole()
        return []

    def _buttons(self) -> Op:
        asked = self._confirming
        if asked is None:
            return protocol.confirm()
        call = asked.call
        pane = next(pane.number for pane in self._panes if pane.block.id == call.id)
        said = clean(redact(f"Claude asks to run {labels.call(call)}."))
        source = clean(redact(asked.source))
        return protocol.confirm(pane, call.id, said, source=source, answers=asked.answers)

    def _add_panes(self, progress: Progress) -> None:
        """Make a pane for each new block, unless it is text that continues the one before it."""
        for which, message in enumerate(progress.messages):
            if which == len(self._seen):
                self._seen.append(0)
            first, content = self._seen[which], message.content
            self._seen[which] = len(content)
            for place, block in enumerate(content[first:], first):
                before = content[place - 1] if place else None
                pane = self._pane_of.get(block)
                if pane is None and html.may_be_json(progress, block):
                    self._seen[which] = place  # wait: its first character decides how it is shown
                    break
                if pane is None and before is not None and goes_on(block, before):
                    pane = self._pane_of[before]
                    pane.add(block)
                elif pane is None and progress.shows(block):
                    number = len(self._panes) + bool(self._notes)
                    is_json = html.is_json(progress, block)
                    pane = pane_for(number, block, message, self._sources, is_json=is_json)
                    self._panes.append(pane)
                if pane is not None:
                    pane.message = message
                    self._pane_of[block] = pane

    def _status(self, progress: Progress, now: float) -> Op:
        started = progress.messages[0].sent if progress.messages else now
        end = now if progress.ended is None else progress.ended
        wait = progress.waiting
        return protocol.status(
            html.text(labels.title(progress, self._name)),
            labels.status(progress) if wait is None else labels.waiting(progress, "{}"),
            end - started,
            simulated=progress.simulated,
            wait=None if wait is None else max(0.0, wait.until - time.time()),
        )

    def snapshot(self, progress: Progress, now: float) -> dict[str, object]:
        """Everything so far in one frame, for a page that lost one or was opened later."""
        ops = [*self._notes, *(op for pane in self._panes for op in pane.whole()), *self._below]
        ops += [*self._usage, self._status(progress, now)]
        ops += [self._buttons()] if self._confirming else []
        if self.done is not None:
            ops.append(self.done)
        return {"frame": self.number, "reset": True, "ops": ops}

    def fold(self, number: int, *, is_open: bool) -> None:
        """Remember that the reader opened or folded a pane."""
        for pane in self._panes:
            if pane.number == number:
                (self.opened.add if is_open else self.opened.discard)(pane.block)
