"""``%claude_nb edit``: an answer in other words, which is sent in the place of what came."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from claude_nb.conversation import editing, export
from claude_nb.conversation.history import NOTEBOOK, Exchange, History, label
from claude_nb.conversation.snapshot import snapshot
from claude_nb.errors import InputError
from claude_nb.redaction import redact
from claude_nb.render import chat as render
from claude_nb.render import html, labels
from claude_nb.request.place import current_place, shell
from claude_nb.streaming.record import MIME
from claude_nb.views.terminal import say


@dataclass(frozen=True, slots=True)
class EditedAnswer:
    """An answer that was edited, as the cell shows and saves it.

    Attributes:
        note: A line above it.
        answer: It, in all forms.
        record: What restoring the turn needs.
    """

    note: str
    answer: render.Answer
    record: dict[str, Any]

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        badge = html.badge("edited") + (html.badge() if self.answer.simulated else "")
        above = f'<p style="margin:0 0 4px;{html.QUIET}">{html.text(self.note)}{badge}</p>'
        simulated = "\n\n*simulated*" if self.answer.simulated else ""
        return {
            "text/html": html.root(above, self.answer.html),
            "text/markdown": f"*{self.note}*\n\n{self.answer.markdown}{simulated}",
            "text/plain": f"{self.note}\n\n{self.answer.plain}{simulated}",
            MIME: self.record,
        }

    def __repr__(self) -> str:
        return str(self._repr_mimebundle_()["text/plain"])


def edit(history: History, number: int, text: str | None) -> EditedAnswer | None:
    """Put an answer into the cell that runs, to be changed; or send a text in its place.

    The record of what came stays in the cell where it was asked.

    Args:
        history: The conversation.
        number: The number of the turn on the current branch, from 1.
        text: What is sent from now on; None to put the answer into the cell.

    Returns:
        The edited answer, to be shown; None where there is nothing new.

    Raises:
        InputError: There is no such turn, or its answer has no text.
    """
    turns = history.questions
    if not 1 <= number <= len(turns):
        if not turns:
            raise InputError(f"{history.name}: there is no answer to edit yet.")
        there_are = f"There are turns 1 to {len(turns)}." if turns[1:] else "There is turn 1."
        raise InputError(f"There is no turn {number} in {history.name}.", there_are)
    exchange = turns[number - 1]
    if text is None:
        _put(history, number, exchange.text)
        return None
    if text.strip() == exchange.text.strip():
        say(f"{history.name}: that is the answer of turn {number} already.")
        return None
    made = editing.edited(exchange, text)
    left = [label(one) for one in turns[number:]]
    editing.go_on(history, made)
    place = current_place()
    record = export.record(made, history.name, made.place.cell)
    snapshot.back_up(place.cell, record, chat=False)
    if "claude_nb.views.synced_output" in sys.modules:
        from claude_nb.views import synced_output

        where = f" in [{place.execution}]" if place.execution else ""
        synced_output.mark(made.edited, f"edited{where}: the edited text is sent instead")
    return EditedAnswer(_note(history, number, exchange, left), _shown(made), record)


def _put(history: History, number: int, answer: str) -> None:
    """Put an answer into the cell that runs, as the text of a cell that edits it."""
    here = shell()
    named = "" if history.name == NOTEBOOK else f' -c "{history.name}"'
    if here is not None:
        here.set_next_input(redact(f"%%claude_nb edit {number}{named}\n{answer}"), replace=True)
    say(f"The answer of turn {number} is in this cell: change it, and run the cell again.")


def _shown(exchange: Exchange) -> render.Answer:
    return render.answer_of_text(exchange.text, simulated=exchange.simulated, edited=True)


def _note(history: History, number: int, exchange: Exchange, left: list[str]) -> str:
    name = "" if history.name == NOTEBOOK else f"{history.name} · "
    where = f" of {label(exchange)}" if exchange.place.execution else ""
    note = f"{name}turn {number} · sent from now on in place of the answer{where}"
    if left:
        after = labels.counted(len(left), "turn")
        note += f" · no longer sent: {after} after it, {', '.join(left)}"
    return note
