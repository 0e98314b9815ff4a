"""``compare``: one prompt asked several times at once, and the answers side by side."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Self, overload

from claude_nb.asking import asking
from claude_nb.asking.jobs import can_go_on, check_tools, jobs
from claude_nb.asking.question import Question, check_names, check_types
from claude_nb.client import waiting
from claude_nb.client.engine import Stream
from claude_nb.cost.models import DEFAULT_MODEL
from claude_nb.errors import InputError, StoppedError
from claude_nb.render import comparison as render
from claude_nb.render import labels
from claude_nb.render.in_marimo import InMarimo
from claude_nb.render.table import import_pandas
from claude_nb.reply import Reply
from claude_nb.request.place import execution, is_result
from claude_nb.request.system import System, texts
from claude_nb.session.reservation import Reservation, budgets
from claude_nb.streaming.progress import Outcome
from claude_nb.tools.tools import Tools
from claude_nb.views import background as painting
from claude_nb.views import choice
from claude_nb.views.columns import KINDS, Columns
from claude_nb.views.painter import View, interrupts

COMPARED = ("model", "effort", "system")
"""Options that may have several values: the replies then stand side by side."""

MOST = 8
"""Replies side by side at most: more cannot be read beside each other."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the ways in which the prompt is asked.

    Attributes:
        name: What it is called: its model, and what else it differs in.
        options: Its ``model``, ``effort`` and ``system``.
    """

    name: str
    options: dict[str, Any]

    def apply(self, question: Question) -> Question:
        """The question, asked in this way."""
        return replace(question, request=replace(question.request, **self.options))


def variants(
    models: Sequence[str], efforts: Sequence[str | None], systems: Sequence[str | System | None]
) -> list[Variant]:
    """Every model at every effort with every system prompt, in that order.

    Raises:
        InputError: They are too many, or none; or something is no list.
    """
    for name, values in zip(COMPARED, (models, efforts, systems), strict=True):
        if isinstance(values, str) or not isinstance(values, Sequence):
            one = f'"{labels.first_words(values, 24)}"' if isinstance(values, str) else "…"
            raise InputError(f"{name}s must be a list: {name}s=[{one}].")
        if not values:
            raise InputError(f"{name}s is empty, so there is nothing to compare.")
        for value in values:
            check_types(**{name: value})
    count = len(models) * len(efforts) * len(systems)
    if count > MOST:
        raise InputError(
            f"That would be {count} replies side by side; the most is {MOST}.",
            "Compare fewer models, efforts or system prompts at a time.",
        )
    found = []
    for model, effort, system in product(models, efforts, systems):
        parts = [model]
        if len(efforts) > 1:
            parts.append(effort or "default effort")
        if len(systems) > 1:
            words = labels.first_words(" ".join(texts(system)), 24)
            parts.append(f"“{words}”" if words else "no system prompt")
        options = dict(zip(COMPARED, (model, effort, system), strict=True))
        found.append(Variant(" · ".join(parts), options))
    return found


class Comparison(InMarimo, Sequence[Reply]):
    """The replies to one prompt, side by side in this order.

    Attributes:
        names: Their names: the model, and whatever else differs.
        ended: Set when all have ended and their final form is shown.
        stopped: Whether they were stopped together, before all had ended.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._replies: list[Reply] = []
        self.ended = threading.Event()
        self.stopped = False

    def __getstate__(self) -> dict[str, Any]:
        """The comparison for ``pickle``, ``copy`` and ``%store``.

        Raises:
            InputError: Not all of its replies have ended.
        """
        if not self.ended.is_set():
            raise InputError(
                "These replies are still being written: they cannot be pickled or copied yet.",
                "Wait for them to end: comparison.wait()",
            )
        return vars(self) | {"ended": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, ended=threading.Event())
        self.ended.set()

    @overload
    def __getitem__(self, index: int) -> Reply: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Reply]: ...

    def __getitem__(self, index: int | slice) -> Reply | Sequence[Reply]:
        return self._replies[index]

    def __len__(self) -> int:
        return len(self._replies)

    def add(self, reply: Reply) -> None:
        """Add the next reply, which has just begun; after a stop, it is stopped as well."""
        self._replies.append(reply)
        if self.stopped:
            reply.stop()

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until all have ended.

        Args:
            timeout: Seconds to wait at most, or None for as long as it takes.

        Raises:
            ClaudeError: They were stopped together, or none of them came to its end.
            TimeoutError: The time is up, and they go on.
        """
        if not waiting.wait(self.ended.wait, timeout):
            raise TimeoutError(f"Some replies have not ended after {timeout:g} s; they continue.")
        if self.stopped:
            error = StoppedError("Stopped.")
            error.reply = self
            raise error
        if all(reply.outcome in _BROKEN for reply in self):
            self[0].check()
        return self

    def stop(self) -> None:
        """Stop all unfinished replies and start no others; the text so far is kept."""
        self.stopped = self.stopped or not self.ended.is_set()
        for reply in self:
            reply.stop()

    def to_pandas(self) -> Any:
        """The comparison as a ``pandas.DataFrame``: a row for each reply, with its text.

        Raises:
            InputError: pandas is not installed.
        """
        rows = [_row(*side) for side in zip(self.names, self, strict=False)]
        return import_pandas().DataFrame(rows)

    @property
    def _is_shown_here(self) -> bool:
        return bool(self) and self[0].is_shown_here

    def sides(self) -> list[render.Side]:
        """The replies with their names, for rendering."""
        return [render.Side(*side) for side in zip(self.names, self, strict=False)]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if self._is_shown_here and is_result():
            return {"text/plain": repr(self)}  # all of it stands above already
        return render.mimebundle(self.sides())

    def __repr__(self) -> str:
        return f"<Comparison · {' | '.join(self.names)}>"


_BROKEN = frozenset({Outcome.STOPPED, Outcome.DROPPED, Outcome.FAILED})


def _row(name: str, reply: Reply) -> dict[str, Any]:
    request, usage, timing = reply.request, reply.usage, reply.timing
    return {
        "name": name,
        "model": request.model,
        "effort": request.effort,
        "system": "\n\n".join(texts(request.system)) or None,
        "outcome": str(reply.outcome),
        "input_tokens": usage.total_input_tokens,
        "output_tokens": usage.output_tokens,
        "thinking_tokens": usage.thinking_tokens,
        "cost_usd": reply.cost,
        "first_text": timing.first_text,
        "total": timing.total,
        "tokens_per_second": timing.tokens_per_second,
        "text": reply.text,
    }


def compare(
    prompt: str,
    *,
    models: Sequence[str] = (DEFAULT_MODEL,),
    efforts: Sequence[str | None] = (None,),
    systems: Sequence[str | System | None] = (None,),
    attach: Iterable[Any] = (),
    upload: bool | int = False,
    tools: Tools | Iterable[Any] | None = None,
    max_cost: float | None = None,
    view: str = "auto",
    background: bool = False,
    **options: Any,
) -> Comparison:
    """Ask one question several times at once; the replies stream side by side.

    The replies join no conversation. If one fails or is stopped, the others continue. An interrupt
    stops all.

    Args:
        prompt: The user's words.
        models: The models to ask, each with every effort and every system prompt.
        efforts: Levels of effort, None for the model's default.
        systems: System prompts: texts or ``CachedSystem``, None for none.
        attach: As for ``ask``.
        upload: As for ``ask``; what is sent to several models is uploaded once.
        tools: As for ``ask``; functions run on a thread of their own, and for each reply by itself.
        max_cost: The most that all of them may cost together, in USD: each gets an equal part, of
            it or of what is left of the budget, whichever is less.
        view: As for ``ask``.
        background: Whether to return at once; ``Comparison.wait()`` waits for the end.
        **options: As for ``ask``: ``max_tokens``, ``thinking``, ``hide_thinking``, ``hide_tools``,
            ``stop_sequences``, ``tool_choice``, ``metadata``, ``extra``, ``betas``, ``output``,
            ``client``, ``policy`` and ``stream``.

    Returns:
        The replies, in the order of their columns.

    Raises:
        InputError: One of them cannot be sent as it is; what was sent before it is stopped.
        ClaudeError: They were stopped together, or none of them came to its end.
        TypeError: There is no such option, or a value is of another type; nothing was sent.
    """
    apart = (*COMPARED, "history", "new", "show", "events")
    check_names(options, compare, asking.ask, left_out=apart)
    asked = variants(models, efforts, systems)
    question = Question.of(
        prompt,
        attach=attach,
        upload=upload,
        tools=tools,
        max_cost=max_cost,
        view=view,
        **options,
        **asked[0].options,
    )
    return ask_each(question, asked, background=background)


def ask_each(question: Question, asked: Sequence[Variant], *, background: bool) -> Comparison:
    """``compare`` for a question that was put together already.

    Args:
        question: What is asked; ``max_cost`` is for all replies together.
        asked: How it is asked.
        background: Whether to return at once.
    """
    background = background and can_go_on()
    kind = choice.fitting(question.view)
    check_tools(kind, question.tools)
    part = _part(question, len(asked))
    # All of them, and so their checks, before the first is sent.
    questions = [variant.apply(part) for variant in asked]
    comparison = Comparison([variant.name for variant in asked])
    shown = KINDS[kind](comparison.names, comparison.sides, comparison.stop, not background)
    if background:
        _begin(comparison, shown, questions, jobs.begin)
        return comparison
    with interrupts(comparison.stop):
        _begin(comparison, shown, questions, asking.begin)
        waiting.wait(comparison.ended.wait)
    with asking.card_above():
        return comparison.wait()


def _part(question: Question, count: int) -> Question:
    """A question with the part of the limit, or of a budget, that each of several replies gets.

    The first to be sent could take all of a budget, and leave nothing to the others.
    """
    limit, name = question.max_cost, question.limit_name
    simulated = asking.session.connection(question.client).simulated
    tightest = Reservation(budgets(asking.session, simulated=simulated)).tightest
    if tightest is not None and 0 < tightest.left < (math.inf if limit is None else limit):
        limit, name = tightest.left, tightest.name
    if limit is None:
        return question
    return replace(question, max_cost=limit / count, limit_name=f"its share of {name}")


def _begin(
    comparison: Comparison,
    shown: Columns,
    questions: Sequence[Question],
    begin: Callable[..., Reply],
) -> None:
    """Send all questions; the last reply that ends makes the output what it stays."""
    left = iter(range(len(questions))[::-1])  # next() is atomic

    def ended(reply: Reply | None = None, bug: Exception | None = None) -> None:
        if reply is not None:
            painting.report(reply, bug)
        if next(left) == 0:
            try:
                shown.end()
            finally:
                comparison.ended.set()

    def show(stream: Stream, reply: Reply) -> View | None:
        reply.shown_in = execution()
        comparison.add(reply)
        return shown.column(stream, reply)

    for number, question in enumerate(questions):
        try:
            if number == 0 or not comparison.stopped:  # the first one makes the output
                begin(question, show, ended)
                continue
        except BaseException:  # an interrupt too: the others must not go on, and be paid for
            comparison.stop()
            if number:
                for _ in questions[number:]:
                    ended()
            raise
        ended()
