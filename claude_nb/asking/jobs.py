"""Replies that are written in the background, while the notebook goes on: the jobs.

Each is shown in the output of its own cell. nbclient drops messages that arrive between cells, so
where it may run the notebook, all outputs are sent again at the end of each cell. In a terminal, or
where outputs may not be updated, nothing is shown until ``%claude_nb jobs wait``.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from claude_nb.asking import asking
from claude_nb.asking.question import Question
from claude_nb.client import fork, waiting
from claude_nb.client.engine import Stream
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.render.table import Table
from claude_nb.reply import Reply
from claude_nb.request.host import host
from claude_nb.request.place import Place, current_place, shell
from claude_nb.streaming.progress import Outcome
from claude_nb.tools.tools import Tools
from claude_nb.views import background, choice
from claude_nb.views.painter import View
from claude_nb.views.terminal import say
from claude_nb.views.updating import UpdatingView

_STOP_TIMEOUT = 2.0
"""Seconds to wait for jobs that are stopped, because the process ends or the cell runs again."""


@dataclass(eq=False)
class Job:
    """A reply that is written in the background.

    Attributes:
        number: Its number, from 1.
        prompt: What was asked.
        place: Where.
        reply: The reply.
        ended: Set when it has ended, its cost is recorded, and its output is as it stays.
        view: What shows it; None to show nothing until somebody waits for it.
    """

    number: int
    prompt: str
    place: Place
    reply: Reply
    view: View | None
    ended: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """The jobs of a process; ``jobs`` are its own."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._unseen: list[Job] = []
        self._repeated: list[Job] = []
        self._count = 0
        self._lock = threading.Lock()

    @property
    def running(self) -> list[Job]:
        """Those that have not ended, oldest first."""
        with self._lock:
            return list(self._jobs)

    def begin(
        self,
        question: Question,
        show: Callable[[Stream, Reply], View | None],
        ended: Callable[[Reply, Exception | None], object] = background.report,
    ) -> Reply:
        """``asking.begin`` for a job.

        Args:
            question: What is asked.
            show: Makes the view; it returns None to show nothing until somebody waits for it.
            ended: Called when it has ended.
        """
        begun: list[Job] = []

        def shown(stream: Stream, reply: Reply) -> View | None:
            reply.shown_in = question.place.execution
            begun.append(self._add(question, reply, show(stream, reply)))
            return begun[0].view

        def finished(reply: Reply, bug: Exception | None) -> None:
            try:
                ended(reply, bug)
            finally:
                self._end(begun[0])

        return asking.begin(question, shown, finished)

    def _add(self, question: Question, reply: Reply, view: View | None) -> Job:
        with self._lock:
            if not self._count:
                atexit.register(self.close)
            self._count += 1
            job = Job(self._count, question.request.prompt, question.place, reply, view)
            self._jobs.append(job)
            if isinstance(view, UpdatingView):
                self._repeated.append(job)
        if here := shell():
            here.events.register("post_run_cell", self._repeat_outputs)
            here.events.register("pre_run_cell", self._stop_earlier)
        return job

    def _end(self, job: Job) -> None:
        with self._lock:
            self._jobs.remove(job)
            if job.view is None:
                self._unseen.append(job)
        job.ended.set()

    def _stop_earlier(self, info: Any) -> None:
        """A cell that is run again has lost the output of what it had begun: stop that.

        Args:
            info: IPython's ``ExecutionInfo``. What code runs as a cell, such as the rest of a
                ``%%capture`` cell, is not kept in its history.
        """
        cell = current_place().cell if info.store_history else ""
        earlier = [job for job in self.running if cell and job.place.cell == cell]
        for job in earlier:
            job.reply.stop()
        for job in earlier:
            job.ended.wait(_STOP_TIMEOUT)

    def chosen(self, which: str) -> list[Job]:
        """The running jobs that are meant by ``all`` or a number.

        Raises:
            InputError: There is none of that number.
        """
        running = self.running
        found = [job for job in running if which in ("all", str(job.number))]
        if not found and which != "all":
            numbers = ", ".join(str(job.number) for job in running)
            there = f"Running: {numbers}." if running else "None is running."
            raise InputError(f"There is no running job {which}.", there)
        return found

    def wait(self) -> list[Job]:
        """Wait until those that run now have ended; an interrupt ends the waiting, not them.

        Returns:
            Those that ended meanwhile, and those that were not shown yet.
        """
        waited = self.running
        for job in waited:
            while not waiting.wait(job.ended.wait, 1):
                pass  # a signal that comes just before a wait begins is handled when the wait ends
        with self._lock:
            unseen, self._unseen = self._unseen, []
        return unseen + [job for job in waited if job not in unseen]

    def table(self) -> Table:
        """The jobs that run, and those that have ended unseen, as a table."""
        with self._lock:
            listed = self._unseen + self._jobs
        rows = [_row(job) for job in listed]
        note = "" if rows else "No reply is being written in the background."
        heads = ("job", "cell", "model", "doing", "for", "asked")
        return Table(heads, rows, note, (1, 2, 3, 5))

    def close(self) -> None:
        """Stop all: the process ends."""
        running = self.running
        for job in running:
            job.reply.stop()
        end = time.monotonic() + _STOP_TIMEOUT
        for job in running:
            job.ended.wait(max(0.0, end - time.monotonic()))

    def _repeat_outputs(self, *_: object) -> None:
        """Send outputs again, for front ends that drop messages between cells."""
        with self._lock:
            repeated = list(self._repeated)
        if not repeated:
            return
        over = [job for job in repeated if job.ended.is_set()]
        background.catch_up()
        for view in {job.view for job in repeated if isinstance(job.view, UpdatingView)}:
            view.output.repeat()
        with self._lock:
            self._repeated = [job for job in self._repeated if job not in over]


jobs = Jobs()
"""The jobs of this process."""

fork.in_child(lambda: vars(jobs).update(vars(Jobs())))


def start(question: Question) -> Reply:
    """Ask in the background: the reply grows in an output of the cell that runs, which goes on.

    Returns:
        The reply, which has ``wait`` and ``stop``.

    Raises:
        InputError: The request cannot be sent as it is; nothing was sent.
    """
    kind = choice.fitting(question.view)
    check_tools(kind, question.tools)

    def show(_stream: Stream, reply: Reply) -> View | None:
        if kind in ("sparing", "terminal"):
            return None
        view = choice.make_view(kind, reply, waits=False)
        if kind == "updating":
            view.frame(reply, time.monotonic())  # on this thread: the output is the cell's own
        return view

    return jobs.begin(question, show)


def can_go_on() -> bool:
    """Whether a reply can be shown when its cell has ended; if not, the reader is told.

    Colab shows nothing of what a cell's thread sends when the cell has ended.
    """
    if host() == "colab":
        say("In Colab the cell waits for its replies: Colab does not show later output.")
        return False
    return True


def check_tools(kind: str, tools: Tools | None) -> None:
    """Refuse tools that ask before each call where no page can ask.

    Raises:
        InputError: They are such.
    """
    if tools is not None and tools.ask_first and kind != "live":
        raise InputError(
            "In the background or side by side, only a notebook page can ask before each call.",
            "Take tools that do not ask (MCP servers with confirm='never'), or wait for one reply.",
        )


def summary(ended: Sequence[Job]) -> str:
    """How jobs have ended, in a line."""
    counts = Counter(str(job.reply.outcome) for job in ended)
    how = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    many = "1 reply has ended" if len(ended) == 1 else f"{len(ended)} replies have ended"
    return f"{many}: {how}."


def _row(job: Job) -> tuple[str, ...]:
    reply = job.reply
    first = reply.messages[0].sent if reply.messages else None
    now = time.monotonic() if reply.outcome is Outcome.STREAMING else reply.ended
    elapsed = None if first is None or now is None else now - first
    return (
        str(job.number),
        f"[{job.place.execution}]" if job.place.execution else "–",
        reply.model,
        labels.status(reply),
        labels.seconds(elapsed),
        labels.first_words(job.prompt, 40),
    )
