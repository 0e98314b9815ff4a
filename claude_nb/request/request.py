"""What is sent: one request, checked before anything leaves the machine."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from claude_nb.characters import wellformed, wellformed_json
from claude_nb.cost.models import DEFAULT_MODEL, ModelFacts, facts, known_models, today
from claude_nb.errors import InputError, either
from claude_nb.request import documents, extra, uploads
from claude_nb.request.attachments.limits import check
from claude_nb.request.cells import Cells, count_cells
from claude_nb.request.place import Place
from claude_nb.request.server_tools import (
    MCP_BETA,
    holds_mcp,
    mcp_parts,
    versioned,
    without_listings,
)
from claude_nb.request.system import CONVERSATION_TTL, System, control, marked, texts
from claude_nb.request.thinking import check_effort, thinking_param

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""The values of ``output_config.effort``: the SDK's ``OutputConfigParam``."""

FALLBACK_BETA = "server-side-fallback-2026-07-01"
"""The beta that ``fallbacks`` needs: documentation, "Refusals and fallback", read 2026-09-26."""
CONTEXT = "context: "
"""How the note begins on how full the context window is."""

COMPACTION_BETA = "compact-2026-09-04"
"""What the header ``anthropic-beta`` names where a conversation is compacted, and in each request
that sends the summary back: platform documentation, "Compaction on demand", read 2026-11-30."""

_TEXTS = ("prompt", "model", "content", "before", "after", "notes", "tools", "output", "instruct")
"""The fields of a request that hold texts; a text that is half a character cannot be sent."""


@dataclass(frozen=True, slots=True)
class TurnId:
    """A request's place in a conversation, as it is saved.

    Attributes:
        conversation: The conversation's name.
        id: The turn's own name.
        parent: The name of the turn before it, or None for the first.
        cell: The front end's id of the cell, or an empty string.
        asked: When, as ISO 8601 in UTC.
    """

    conversation: str
    id: str
    parent: str | None
    cell: str
    asked: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the Messages API.

    Args:
        prompt: The user's words, sent exactly as they are if ``content`` is empty.
        model: Any model id; it is passed on as it is.
        max_tokens: The most tokens to generate, thinking included.
        system: The system prompt; None or an empty text for none. With a ``System`` the request is
            cached: the system prompt and the conversation after it.
        thinking: ``"on"``, ``"off"``, a budget in tokens, or None for what the model does by
            itself. What a model is known not to take is refused here.
        effort: One of ``EFFORTS``, or None for the model's default.
        instruct: An instruction that holds from this prompt on, sent behind it with the role
            ``system``; None for none.
        cite: Whether the answer is to cite the documents in the prompt and in the turns before it.
        hide_thinking: Ask for no readable thinking to be sent: it comes sooner to the text.
        hide_tools: Do not show calls of tools and their results; it changes nothing that is sent.
        content: What is sent for the prompt: content blocks, as the API's dicts; an image or
            document that is to be uploaded has a source of its own form (``uploads``).
        cells: The cells of the notebook that can go along; ``with_cells`` puts into the content
            what is sent of them.
        before: The turns before the prompt, as the API's dicts.
        after: Turns that follow the prompt, as the API's dicts, to continue a reply.
        notes: Lines about the request, shown above the reply; they change nothing that is sent.
        error_of: Where the error was raised that is sent along, or None.
        turn: Its place in a conversation, or None.
        tools: The definitions of the tools that may be called, as the API's dicts (what the server
            runs may lack its version; the tools of an MCP server hold it, with its token, as
            ``server``); None for those of its conversation, if it has one.
        uses_tools: Whether they may be called in this reply; if not, they are only sent because
            earlier turns call them.
        output: The JSON schema that the answer has to fit, or None for any text.
        fallback: Whether another model may answer where this one declines: the API chooses it.
        container: The id of the server's container in which code of this turn has run, or None.
        stop_sequences: Texts at which the reply ends.
        tool_choice: ``auto``, ``any``, ``none``, the name of a tool, or the API's dict; None for
            the model's choice. A tool is forced in the first request of a reply only, or there
            would be no answer.
        metadata: ``{"user_id": …}``, or None.
        extra: Other fields of the body, by name; None for those of its conversation, if it has any.
        betas: Names of betas, for a header; None for those of its conversation, if it has any.
        upload: Whether large attachments are uploaded, those of restored turns too: for a day, or
            for so many seconds. False or 0: those of restored turns are sent themselves, unless a
            file of theirs is on the server already.
        context_tokens: How many tokens the turns before it took when they ended, or None.
        compacts: Whether nothing is asked, and a summary of ``before`` is wanted instead.
        in_cell: Whether a ``%%claude`` cell asks, whose options errors name: see ``option``.
        model_facts: What is known of the model, where its server was asked; None for our own data.

    Raises:
        InputError: It cannot be sent as it is; the error says what to change.
    """

    prompt: str
    model: str = DEFAULT_MODEL
    max_tokens: int = 16_000
    system: str | System | None = None
    thinking: str | int | None = None
    effort: str | None = None
    instruct: str | None = None
    cite: bool = False
    hide_thinking: bool = False
    hide_tools: bool = False
    content: tuple[dict[str, Any], ...] = ()
    before: tuple[dict[str, Any], ...] = ()
    after: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    error_of: Place | None = None
    turn: TurnId | None = None
    tools: tuple[dict[str, Any], ...] | None = field(default=None, repr=False)  # secrets in it
    uses_tools: bool = True
    output: dict[str, Any] | None = None
    fallback: bool = False
    container: str | None = None
    stop_sequences: Sequence[str] = ()
    tool_choice: str | dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    extra: dict[str, Any] | None = field(default=None, repr=False)
    betas: Sequence[str] | None = None
    upload: bool | int = False
    context_tokens: int | None = None
    compacts: bool = False
    in_cell: bool = False
    cells: Cells | None = None
    model_facts: ModelFacts | None = None

    def __post_init__(self) -> None:
        for name in _TEXTS:
            value = wellformed_json(getattr(self, name))
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)
        if isinstance(self.system, str):
            object.__setattr__(self, "system", wellformed(self.system))
        uploads.lifetime(self.upload)
        if not self.prompt.strip():
            raise InputError("There is nothing to send: the prompt is empty.")
        prompts = [*texts(self.system), *([] if self.content else [self.prompt])]
        blocks = [{"type": "text", "text": text} for text in prompts]
        if self.system and not "".join(texts(self.system)).strip():
            raise InputError(
                "The system prompt is blank.", "Write something in it, or leave it out."
            )
        check([*blocks, *self.blocks], self._facts)
        if not self.model.strip():
            raise InputError("The model id is empty.", "For example: claude-opus-5-5")
        if self.max_tokens < 1:
            name = self.option("max_tokens")
            raise InputError(f"{name} must be at least 1, not {self.max_tokens}.")
        if self.effort is not None and self.effort not in EFFORTS:
            raise InputError(f"There is no effort {self.effort!r}.", f"Use {either(EFFORTS)}.")
        self._check_cite()
        self._check_instructions()
        thinking = self._thinking()
        self._check_fallback()
        check_effort(self.effort, self._facts, thinking)
        self._check_rest(thinking)
        self._check_compaction()
        for note in self._own_notes(thinking):
            if note not in self.notes:
                object.__setattr__(self, "notes", (*self.notes, note))

    @property
    def _facts(self) -> ModelFacts | None:
        """What is known of the model: of its server where that was asked, or of our own data."""
        return self.model_facts or facts(self.model)

    @property
    def is_cached(self) -> bool:
        """Whether it is marked for the cache: it has a cached system prompt, or cells."""
        contents = (self.content, *(turn["content"] for turn in self.before))
        return isinstance(self.system, System) or any(map(count_cells, contents))

    def with_cells(
        self, before: Sequence[Mapping[str, Any]] = (), asked: Collection[Place] = ()
    ) -> Request:
        """The request with its cells in the content, as far as the turns before it lack them.

        Args:
            before: Those turns, as the API's dicts.
            asked: Where their questions were asked.
        """
        if self.cells is None:
            return self
        blocks, note = self.cells.beside(before, asked)
        content = self.content or ({"type": "text", "text": self.prompt},)
        content = (*blocks, *content) if blocks else self.content
        return replace(self, content=content, cells=None, notes=(*self.notes, note))

    def option(self, name: str) -> str:
        """The name of an option where this was asked: ``--max-tokens`` or ``max_tokens``."""
        return f"--{name.replace('_', '-')}" if self.in_cell else name

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """All content blocks of its messages; none for a message that is a plain text."""
        turns = [self.content, *(turn["content"] for turn in (*self.before, *self.after))]
        return [block for turn in turns if not isinstance(turn, str) for block in turn]

    def upload_sources(self, *, earlier: bool) -> Iterator[dict[str, Any]]:
        """The sources of what is to be uploaded: of the prompt, or of the turns before it."""
        before = [turn["content"] for turn in self.before]
        yield from uploads.sources(before if earlier else [self.content])

    def params(self, file_ids: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
        """The arguments of the SDK's ``messages.create``.

        A turn that is sent as it is stands in them itself, not in a copy.

        Args:
            file_ids: The ids of uploaded files by the digests of their content; what has none is
                sent itself.
        """
        sent = documents.citable if self.cite else list
        before, asked = sent(self.before), sent(self._asked())
        params: dict[str, Any] = {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "messages": [*before, *asked],
        }
        if isinstance(self.system, System):
            params["system"] = self.system.blocks()
        elif self.system:
            params["system"] = self.system
        if self.is_cached:
            params["messages"] = marked(before, asked)
            if self.turn is not None and not self.compacts:  # or nobody would read what is written
                params["cache_control"] = control(CONVERSATION_TTL)
        params["messages"] = [uploads.resolved_turn(turn, file_ids) for turn in params["messages"]]
        if thinking := self._thinking():
            params["thinking"] = thinking
        tools, servers = mcp_parts(self.tools or ())
        if tools:
            cited = tools if self.output is None else map(_uncited, tools)
            params["tools"] = [versioned(tool, self.model) for tool in cited]
            if (choice := self._tool_choice()) is not None:
                params["tool_choice"] = choice
        if output := self._output_config():
            params["output_config"] = output
        fields, betas = self._fields_and_betas(servers)
        fitting = partial(_fitting, tools=tools, falls_back="fallbacks" in fields)
        params["messages"] = [fitting(turn) for turn in params["messages"]]
        rest = {
            "container": self.container,
            "stop_sequences": list(self.stop_sequences),
            "metadata": self.metadata,
            "extra_body": fields,
            "extra_headers": {extra.BETA_HEADER: ",".join(betas)} if betas else None,
        }
        params |= {name: value for name, value in rest.items() if value}
        return params

    def _fields_and_betas(
        self, servers: Sequence[dict[str, Any]]
    ) -> tuple[dict[str, Any], list[str]]:
        """The fields of the body that the SDK has no argument for, and the betas that are named.

        Args:
            servers: The MCP servers of its tools.
        """
        fields, betas = self.extra or {}, list(self.betas or ())
        if servers:
            fields = {**fields, "mcp_servers": [*fields.get("mcp_servers", ()), *servers]}
        if servers or (holds_mcp(self.blocks) and not any("mcp-client" in beta for beta in betas)):
            betas.append(MCP_BETA)
        if self.fallback:
            fields = {"fallbacks": "default", **fields}
            betas.append(FALLBACK_BETA)
        if self.compacts:
            # The two cannot be combined (documentation, "Compaction on demand").
            others = {k: v for k, v in fields.items() if k != "context_management"}
            fields = others | {"compaction": {"type": "summarize"}}
        if self.compacts or holds_compaction(self.before):
            betas.append(COMPACTION_BETA)
        return fields, list(dict.fromkeys(betas))

    def _output_config(self) -> dict[str, Any]:
        output: dict[str, Any] = {"effort": self.effort} if self.effort else {}
        if self.output is not None:
            output["format"] = {"type": "json_schema", "schema": self.output}
        return output

    @property
    def also_sent(self) -> list[str]:
        """What is sent beside prompt, system prompt, tools and numbers: a line each, no secrets."""
        values = {
            "stop_sequences": list(self.stop_sequences),
            "tool_choice": self.tool_choice,
            "metadata": self.metadata,
            "extra": extra.shown(self.extra),
            "betas": list(self.betas or ()),
        }
        return [
            f"{self.option(name)}: {json.dumps(value, ensure_ascii=False)}"
            for name, value in values.items()
            if value
        ]

    def _tool_choice(self) -> dict[str, Any] | None:
        """The ``tool_choice`` parameter, or None to send none."""
        if not self.uses_tools:
            return {"type": "none"}
        choice = self.tool_choice
        if not isinstance(choice, dict) or choice["type"] not in extra.FORCING:
            return choice  # type: ignore[return-value]
        contents = [turn["content"] for turn in self.after if not isinstance(turn["content"], str)]
        if not any(block["type"] == "tool_result" for blocks in contents for block in blocks):
            return choice
        parallel = {k: v for k, v in choice.items() if k == "disable_parallel_tool_use"}
        return {"type": "auto", **parallel}

    def _asked(self) -> list[dict[str, Any]]:
        """The messages from the prompt on; the instruction stands behind the user's first ones.

        None where a summary is wanted.
        """
        if self.compacts:
            return []
        asked = [{"role": "user", "content": list(self.content) or self.prompt}, *self.after]
        if self.instruct is not None:
            roles = [message["role"] for message in asked]
            at = roles.index("assistant") if "assistant" in roles else len(asked)
            asked.insert(at, {"role": "system", "content": self.instruct})
        return asked

    def _check_cite(self) -> None:
        """Refuse citations in an answer of a given form, as the API does."""
        if self.cite and self.output is not None:
            form = "--json" if self.in_cell else "output"
            raise InputError(
                "An answer with a schema cannot cite.",
                f"Leave out {form} or {self.option('cite')}.",
            )

    def _check_instructions(self) -> None:
        """Refuse a blank instruction, and instructions where the model is known to take none."""
        if self.instruct is not None and not self.instruct.strip():
            raise InputError("The instruction is blank.", "Write something in it, or leave it out.")
        earlier = any(message["role"] == "system" for message in self.before)
        model = self._facts
        if model is None or model.system_messages is not False:
            return
        takers = [name for name in known_models() if getattr(facts(name), "system_messages", None)]
        ask = f"ask one of these: {', '.join(takers)}"
        if self.instruct is not None:
            raise InputError(
                f"{model.id} does not support instructions in the middle of a conversation.",
                f"Replace the system prompt with {self.option('system')}, or {ask}.",
            )
        if earlier:
            raise InputError(
                f"{model.id} does not support instructions in the middle of a conversation, and"
                " this one contains some.",
                f"Start a new conversation{' with --new' if self.in_cell else ''}, or {ask}.",
            )

    def _thinking(self) -> dict[str, Any] | None:
        """The ``thinking`` parameter, or None to send none."""
        hidden, limit = self.hide_thinking, self.option("max_tokens")
        return thinking_param(
            self.thinking, self._facts, self.max_tokens, hidden=hidden, limit=limit
        )

    def _check_fallback(self) -> None:
        """Refuse a fallback where the API is known to have none."""
        model = self._facts
        if self.fallback and model is not None and not model.falls_back:
            raise InputError(
                f"The API has no fallback for {model.id}.",
                f"Leave {self.option('fallback')} out, or ask another model.",
            )

    def _check_rest(self, thinking: dict[str, Any] | None) -> None:
        """Check what is sent as it is, and bring it into one form."""
        checked: dict[str, Any] = {
            "stop_sequences": extra.checked_stop_sequences(self.stop_sequences or ())
        }
        if self.metadata is not None:
            checked["metadata"] = extra.checked_metadata(self.metadata)
        if self.extra is not None:
            checked["extra"] = extra.checked_extra(self.extra, in_cell=self.in_cell)
        if self.betas is not None:
            checked["betas"] = extra.checked_betas(self.betas)
        if self.tool_choice is not None:
            checked["tool_choice"] = extra.checked_tool_choice(self.tool_choice)
            self._check_forced(checked["tool_choice"], thinking)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def _check_forced(self, choice: dict[str, Any], thinking: dict[str, Any] | None) -> None:
        """Refuse to force a tool where that is known not to be possible."""
        if choice["type"] not in extra.FORCING:
            return
        name, model = self.option("tool_choice"), self._facts
        if model is not None and model.accepts_forced_tools is False:
            advice = f"Leave {name} out, and ask for the call in the prompt."
            raise InputError(f"{model.id} cannot be forced to call a tool.", advice)
        if thinking is not None and thinking["type"] == "enabled":
            raise InputError(
                "A tool cannot be forced while the model thinks.",
                f"Turn thinking off, or leave {name} out.",
            )
        if self.tools is not None:  # or they are those of a conversation, not yet known
            extra.check_tool_named(choice, self.tools if self.uses_tools else ())

    def _check_compaction(self) -> None:
        """Refuse to have a conversation compacted by a model that is known not to do it."""
        model = self._facts
        if self.compacts and model is not None and model.compaction is False:
            raise InputError(
                f"{model.id} does not compact conversations.",
                f"Let another model do it: model={DEFAULT_MODEL!r}",
            )

    def _own_notes(self, thinking: dict[str, Any] | None) -> Iterator[str]:
        """What the reader of the reply should know of the request."""
        model = self._facts
        if thinking == {"type": "between_tools"}:
            yield f"{self.model} cannot turn thinking off: it still thinks between tools"
        enabled = thinking is not None and thinking["type"] == "enabled"
        if enabled and model is not None and "adaptive" in (model.thinking_types or ()):
            on = self.option("thinking")
            yield f"a thinking budget is deprecated on {model.id}; with {on} on it decides itself"
        if model is not None and model.retires is not None:
            gone = model.lifecycle(today()) == "retired"
            yield f"{model.id} {'was retired' if gone else 'retires'} on {model.retires}"
        if self.extra:
            yield f"extra fields: {', '.join(self.extra)}"
        if self.betas:
            yield f"betas: {', '.join(self.betas)}"
        taken, window = self.context_tokens, model.context_window if model is not None else None
        if taken is not None and window is not None and 2 * taken > window:
            share = f"{100 * taken / window:.0f} %"
            yield f"{CONTEXT}{taken:,} of {window:,} tokens ({share})"


def holds_compaction(messages: Sequence[dict[str, Any]]) -> bool:
    """Whether messages begin with the summary of a conversation, as the API has signed it."""
    content = messages[0]["content"] if messages else ""
    return not isinstance(content, str) and content[0].get("type") == "compaction"


def _fitting(
    turn: dict[str, Any], *, tools: Sequence[dict[str, Any]], falls_back: bool
) -> dict[str, Any]:
    """A turn without the blocks that only other requests can hold; itself if it has none."""
    content = turn["content"]
    if isinstance(content, str):
        return turn
    sent = [block for block in content if falls_back or block["type"] != "fallback"]
    sent = without_listings(sent, tools)
    return turn if len(sent) == len(content) else {**turn, "content": sent}


def _uncited(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool's definition without citations, which an answer of a form cannot have."""
    return {name: value for name, value in tool.items() if name != "citations"}
