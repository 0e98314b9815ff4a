"""``Question``: what is asked and how, put together once by a cell, a Python call or a chat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Literal

from claude_nb.client.connection import remember_ambient
from claude_nb.client.output import Output
from claude_nb.client.retry import Policy
from claude_nb.conversation.history import Exchange, History
from claude_nb.errors import InputError, either, nearest
from claude_nb.request.attachments.interpolation import PutIn, compose
from claude_nb.request.extra import REFUSED
from claude_nb.request.place import Place, current_place
from claude_nb.request.request import Request
from claude_nb.request.system import System
from claude_nb.streaming.block import as_dict, as_string
from claude_nb.tools.tools import Tools

VIEWS = ("auto", "live", "updating", "terminal")
"""How a reply can be shown: see ``asking.ask``."""

REQUEST_OPTIONS = (
    *("model", "max_tokens", "system", "thinking", "effort", "instruct", "cite"),
    *("hide_thinking", "hide_tools"),
    *("stop_sequences", "tool_choice", "metadata", "extra", "betas"),
    "fallback",
)
"""The fields of ``Request`` that whoever asks may set."""

_COMPOSED = ("content", "notes", "error_of", "compacts", "cells")
"""The fields of ``Request`` that cells, chats and conversations put together themselves."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and how it is sent and shown; ``asking.ask`` explains most of it.

    Attributes:
        request: What is sent, without the earlier turns of its conversation.
        tools: The functions that may be called; None for those of the conversation, each call of
            which asks first.
        output: The form of the answer, or None for any text.
        history: The conversation that it belongs to, or None.
        new: Whether the conversation begins anew with it.
        after: The exchange that it follows, where that was chosen, or ``"beginning"``.
        place: Where it is asked.
        chat_cell: The id of the cell with the chat in which it is asked; None outside a chat.
        client: The user's own client, or None for the session's connection.
        policy: How to retry after failures.
        max_cost: The most that the reply may cost, in USD, or None.
        limit_name: What notes and errors call ``max_cost``.
        show: Whether the reply is shown.
        view: How, one of ``VIEWS``.
        stream: Whether the reply comes as it is written.
        events: Whether the timeline of its events is shown below it.
        keep: Whether a kept answer may be shown instead of asking; None where only the notebook
            and the configuration say it.
        values: What was put in.
        respond: The function that answers instead of a model, or None.
    """

    request: Request
    tools: Tools | None = None
    output: Output | None = None
    history: History | None = None
    new: bool = False
    after: Exchange | Literal["beginning"] | None = None
    place: Place = field(default_factory=current_place)
    chat_cell: str | None = None
    client: Any = None
    policy: Policy | None = None
    max_cost: float | None = None
    limit_name: str = "max_cost"
    show: bool = True
    view: str = "auto"
    stream: bool = True
    events: bool = False
    keep: bool | None = None
    values: tuple[PutIn, ...] = ()
    respond: Callable[[list[dict[str, Any]]], Any] | None = None

    @classmethod
    def of(
        cls,
        prompt: str | list[dict[str, Any]],
        *,
        variables: Mapping[str, Any] | None = None,
        raw: bool = False,
        attach: Iterable[Any] = (),
        named: Iterable[tuple[str, Any]] = (),
        included: Iterable[dict[str, Any]] = (),
        in_cell: bool = False,
        tools: Any = None,
        output: Any = None,
        upload: bool | int = False,
        **arguments: Any,
    ) -> Question:
        """Put a question together.

        Args:
            prompt: The user's words; or content blocks as the API has them, of which the last is
                the text.
            variables: The user's variables: the values of ``{{name}}`` in the prompt, and the
                functions that the conversation's tools are now. None for a prompt that is sent as
                it is.
            raw: Whether ``{{name}}`` is sent as it is all the same.
            attach: Values that are sent along.
            named: The same, with their names.
            included: Content blocks that are sent before the prompt.
            in_cell: Whether a ``%%claude`` cell asks, whose options errors name.
            tools: Functions or ``Tools``; by default those that the conversation was given.
            output: A type, a JSON schema or None.
            upload: Whether large attachments are uploaded, for a day or for so many seconds.
            **arguments: Other fields of a question, ``REQUEST_OPTIONS``, ``content``, ``notes``,
                ``error_of`` and ``cells``.

        Raises:
            InputError: It cannot be asked so.
            TypeError: There is no such argument, or it is of another type.
        """
        text, before = _content(prompt)
        check_types(prompt=text, attach=attach, upload=upload, **arguments)
        for_request = (*REQUEST_OPTIONS, *_COMPOSED)
        options = {name: arguments.pop(name) for name in for_request if name in arguments}
        values = [*named, *((f"attachment {number}", v) for number, v in enumerate(attach, 1))]
        if values or "{{" in text:
            remember_ambient()
        filled = compose(
            text,
            variables=None if raw else variables,
            attached=values,
            included=[*included, *before],
            in_cell=in_cell,
            upload=upload,
            cite=bool(options.get("cite")),
        )
        notes = (*options.pop("notes", ()), *filled.notes)
        history = arguments.get("history")
        if tools is None and history is not None:
            tools = history.tools
        offered = None if tools is None else Tools.of(tools).current()
        form = None if output is None else Output.of(output)
        own = () if history is None else None  # None: those that its conversation has
        request = Request(
            text,
            tools=own if offered is None else offered.definitions,
            output=None if form is None else form.schema,
            notes=notes,
            in_cell=in_cell,
            upload=upload,
            **{"content": filled.blocks, **options},
        )
        question = cls(request, offered, form, values=filled.values, **arguments)
        if question.view not in VIEWS:
            raise InputError(f"There is no view {question.view!r}.", f"Use {either(VIEWS)}.")
        if question.history is not None and variables is not None:
            question.history.rebind(variables)
        return question


def _content(prompt: Any) -> tuple[Any, list[dict[str, Any]]]:
    """The text of a prompt, and the content blocks before it; what is neither, as it is."""
    blocks = [as_dict(block) for block in prompt] if isinstance(prompt, list) else []
    kinds = [as_string(block.get("type")) for block in blocks]
    texts = [block.get("text") for block in blocks if block.get("type") == "text"]
    if all(kinds) and kinds[-1:] == ["text"] and all(isinstance(text, str) for text in texts):
        return texts[-1], blocks[:-1]
    return prompt, []


def check_names(
    options: Iterable[str], *functions: Callable[..., object], left_out: Iterable[str] = ()
) -> None:
    """Refuse options that there are not.

    Args:
        options: The names of what was passed.
        *functions: Their keyword parameters and ``REQUEST_OPTIONS`` are what there is.
        left_out: Those of them that may not be passed here.

    Raises:
        TypeError: There is no such option; the error names the nearest.
    """
    parameters = [p for function in functions for p in signature(function).parameters.values()]
    own = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    known = [name for name in dict.fromkeys((*REQUEST_OPTIONS, *own)) if name not in left_out]
    for name in options:
        if name not in known:
            near = nearest(name, known)
            hint = f"Did you mean {near}?" if near else f"There are {', '.join(known)}."
            if not near and name not in REFUSED:
                hint += f" Pass other fields of the API in extra={{{name!r}: …}}."
            raise TypeError(f"There is no option {name!r}. {hint}")


_NONE = type(None)
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "prompt": ((str,), "a string, or a list of content blocks that ends with text"),
    "name": ((str,), "a string"),
    "template": ((str, _NONE), "a string or None"),
    "attach": ((Sequence, AbstractSet, ValuesView, Iterator), "a list of values"),
    "model": ((str,), 'the id of a model, such as "claude-opus-5-5"'),
    "max_tokens": ((int,), "a whole number of tokens"),
    "system": ((str, System, _NONE), "a string, a CachedSystem or None"),
    "thinking": ((str, int, _NONE), '"on", "off", a whole number of tokens or None'),
    "effort": ((str, _NONE), "a string or None"),
    "instruct": ((str, _NONE), "a string or None"),
    "stop_sequences": ((list, tuple), 'a list of strings, such as ["END"]'),
    "tool_choice": ((str, dict, _NONE), '"auto", "any", "none", the name of a tool, or a dict'),
    "metadata": ((dict, _NONE), 'a dict, such as {"user_id": "a1b2c3"}'),
    "extra": ((dict, _NONE), 'a dict of fields of the request, such as {"service_tier": "auto"}'),
    "betas": ((list, tuple, _NONE), 'a list of names, such as ["mcp-client-2025-11-20"]'),
    "history": ((History, _NONE), "a Conversation or None"),
    "policy": ((Policy, _NONE), "a claude_nb.Policy or None"),
    "max_cost": ((int, float, _NONE), "an amount in USD or None"),
    "upload": ((bool, int), "True, False or a whole number of seconds"),
    "keep": ((bool, _NONE), "True, False or None"),
}
"""What the arguments of a question must be: their types, and the same in words."""


def check_types(**arguments: Any) -> None:
    """Refuse arguments of another type than they must be.

    Raises:
        TypeError: One is; the error says what to pass.
    """
    for name in arguments.keys() & _TYPES:
        value, (types, words) = arguments[name], _TYPES[name]
        # Python takes True for a number, and a text for a list of letters.
        kinds = (kind for kind in (bool, bytes, str) if kind not in types)
        other = isinstance(value, tuple(kinds))
        if other or not isinstance(value, types):
            raise TypeError(f"{name} must be {words}, not {value!r:.60}.")
