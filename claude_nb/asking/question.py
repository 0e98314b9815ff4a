"""``Question``: what is asked and how, put together once by a cell, a Python call or a chat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from claude_nb.client.output import Output
from claude_nb.client.retry import Policy
from claude_nb.conversation.history import Exchange, History
from claude_nb.errors import InputError
from claude_nb.request.attachments.interpolation import compose
from claude_nb.request.place import Place, current_place
from claude_nb.request.request import Request
from claude_nb.tools.tools import Tools

VIEWS = ("auto", "live", "updating", "terminal")
"""How a reply can be shown: see ``asking.ask``."""

OPTIONS = (
    *("model", "max_tokens", "system", "thinking", "effort", "hide_thinking", "hide_tools"),
    *("content", "notes"),
)
"""The fields of ``Request`` that whoever asks may set."""

INTERNAL = ("place", "after", "limit_name")
"""The fields of a question that only this package sets, by ``replace``."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how it is sent and shown; ``asking.ask`` explains most of it.

    Attributes:
        request: What is sent, without the earlier turns of its conversation.
        tools: The functions that may be called; None for those of the conversation.
        output: The form of the answer, or None for any text.
        history: The conversation that it belongs to, or None.
        new: Whether the conversation begins anew with it.
        after: The exchange that it follows, where that was chosen.
        place: Where it is asked.
        client: The user's own client, or None for the session's connection.
        policy: How patient to be with failures.
        max_cost: The most that the reply may cost, in USD, or None.
        limit_name: What notes and errors call ``max_cost``.
        show: Whether the reply is shown.
        view: How, one of ``VIEWS``.
        stream: Whether the reply comes as it is written.
        events: Whether the timeline of its events is shown below it.
    """

    request: Request
    tools: Tools | None = None
    output: Output | None = None
    history: History | None = None
    new: bool = False
    after: Exchange | None = None
    place: Place = field(default_factory=current_place)
    client: Any = None
    policy: Policy | None = None
    max_cost: float | None = None
    limit_name: str = "--max-cost"
    show: bool = True
    view: str = "auto"
    stream: bool = True
    events: bool = False

    @classmethod
    def of(
        cls,
        prompt: str,
        *,
        variables: Mapping[str, Any] | None = None,
        raw: bool = False,
        attach: Iterable[Any] = (),
        named: Iterable[tuple[str, Any]] = (),
        included: Iterable[str] = (),
        tools: Any = None,
        output: Any = None,
        **arguments: Any,
    ) -> Question:
        """Put a question together.

        Args:
            prompt: The user's words.
            variables: The user's variables: the values of ``{{name}}`` in the prompt, and the
                functions that the conversation's tools are now. None for a prompt that is sent as
                it is.
            raw: Whether ``{{name}}`` is sent as it is all the same.
            attach: Values that are sent along.
            named: The same, with their names.
            included: Texts that are sent before the prompt.
            tools: Functions or ``Tools``, or None.
            output: A type, a JSON schema or None.
            **arguments: Other fields of a question, but ``INTERNAL``, and ``OPTIONS``.

        Raises:
            InputError: It cannot be asked so.
            TypeError: There is no such argument.
        """
        for name in arguments.keys() - _FIELDS - set(OPTIONS):
            raise _unknown(name)
        ours = {name: value for name, value in arguments.items() if name in _FIELDS}
        options = {name: value for name, value in arguments.items() if name in OPTIONS}
        values = [*named, *((f"attachment {number}", v) for number, v in enumerate(attach, 1))]
        filled = compose(
            prompt, variables=None if raw else variables, attached=values, included=included
        )
        notes = (*options.pop("notes", ()), *filled.notes)
        offered = None if tools is None else Tools.of(tools)
        form = None if output is None else Output.of(output)
        request = Request(
            prompt,
            tools=None if offered is None else offered.definitions,
            output=None if form is None else form.schema,
            notes=notes,
            **{"content": filled.blocks, **options},
        )
        question = cls(request, offered, form, **ours)
        if question.view not in VIEWS:
            raise InputError(
                f"There is no view {question.view!r}.", f"It is one of {', '.join(VIEWS)}."
            )
        if question.history is not None and variables is not None:
            question.history.rebind(variables)
        return question


_FIELDS = {found.name for found in fields(Question)} - {"request", "tools", "output", *INTERNAL}


def _unknown(name: str) -> TypeError:
    known = [*OPTIONS[:-2], "attach", "client", "max_cost", "output", "policy", "stream", "tools"]
    near = get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    return TypeError(f"There is no option {name!r}. {hint}")
