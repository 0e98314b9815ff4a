"""A question with buttons below a cell that waits for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from uuid import uuid4

from claude_nb.characters import clean
from claude_nb.redaction import redact
from claude_nb.render.markdown.inline import QUIET
from claude_nb.render.markdown.markdown import ROOT_CLASSES
from claude_nb.render.scripts import source, style
from claude_nb.tools.permission import Answer
from claude_nb.views.confirmation import Confirmation, ask_by_input
from claude_nb.views.synced_output import SyncedOutput
from claude_nb.views.terminal import say
from claude_nb.views.widget import PageWidget


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the facts that it is about.

    Attributes:
        id: What the page's messages name it by.
        text: The question.
        facts: Names and values, which are shown as they are.
        answers: The answers, each with its label.
    """

    id: str
    text: str
    facts: tuple[tuple[str, str], ...]
    answers: tuple[tuple[Answer, str], ...]


def ask(text: str, facts: Sequence[tuple[str, str]], verb: str, *, on_page: bool) -> bool | None:
    """Ask whether something may be done, and wait for the answer; an interrupt ends the wait.

    Args:
        text: The question.
        facts: What it is about: names and values.
        verb: What is to be done, the label of its button.
        on_page: Whether a page may show buttons; otherwise the answer is typed.

    Returns:
        The answer; None if nobody can be asked.
    """
    if on_page:
        answers: tuple[tuple[Answer, str], ...] = (("once", verb), ("no", f"Don’t {verb.lower()}"))
        output = QuestionOutput(Question(uuid4().hex, text, tuple(facts), answers))
        answer = output.ask()
        if answer is not None:
            return answer == "once"
    else:
        say(_plain(facts))
    return ask_by_input(text)


class QuestionOutput(PageWidget):
    """The output with the question; what was answered takes its place."""

    _esm = source("question")
    _css = style("question")

    def __init__(self, question: Question) -> None:
        self._question = question
        self._confirmation: Confirmation[Question] = Confirmation(self._show)
        super().__init__()
        self._output = SyncedOutput(self.view_metadata)

    def ask(self) -> Answer | None:
        """Ask, and wait for the answer.

        Returns:
            The answer; None if no page reports that it can give one.
        """
        answer: Answer | None = None
        verdict = "not answered"
        try:
            answer = self._confirmation.ask(self._question)
            verdict = {"once": "yes", "no": "no"}.get(str(answer), "")
        finally:
            self._output.settle(self._bundle(verdict))
            self.close()
            self.layout.close()
        return answer

    def whole(self) -> dict[str, object]:
        """The question, for a page."""
        question = self._question
        return {
            "call": question.id,
            "html": _html(question.facts),
            "said": clean(redact(question.text)),
            "answers": [list(answer) for answer in question.answers],
        }

    def receive(self, content: dict[str, Any], _buffers: Sequence[Any]) -> None:
        """Take the answer."""
        self._confirmation.receive(content)

    def _show(self, question: Question | None) -> None:
        if question is not None:
            self._output.show(self.bundle(f"{_plain(question.facts)}\n{question.text}"))

    def _bundle(self, verdict: str) -> dict[str, str]:
        """What stays: the facts, the question and the answer."""
        line = clean(redact(" ".join(filter(None, (self._question.text, verdict)))))
        facts = self._question.facts
        return {
            "text/html": f'<div class="{ROOT_CLASSES}">{_html(facts)}'
            f'<p style="margin:2px 0 8px">{escape(line)}</p></div>',
            "text/plain": clean(redact(f"{_plain(facts)}\n{line}")),
        }


def _plain(facts: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"  {name}: {value}" for name, value in facts)


def _html(facts: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f'<div style="overflow-wrap:anywhere"><span style="{QUIET}">{escape(name)}</span>'
        f" <code>{escape(clean(redact(value)))}</code></div>"
        for name, value in facts
    )
