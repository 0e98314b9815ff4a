"""A conversation as a tree of exchanges, of which one branch is sent with the next question.

Nothing in the tree changes once it is there. A question is sent with the branch from the root to
the head; its answer extends that branch, or begins another one where an earlier question is asked
again. So the beginning of what is sent stays the same, byte for byte, which the prompt cache and
signed thinking need. (Thinking is bound to the system prompt and to all that came before it:
platform documentation, "Extended thinking".)
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, Literal, NoReturn
from uuid import uuid4

from claude_nb.conversation.compaction import COMPACTED, Compaction
from claude_nb.errors import InputError
from claude_nb.render import labels
from claude_nb.request import documents, uploads
from claude_nb.request.extra import checked_betas, checked_extra
from claude_nb.request.place import Place
from claude_nb.request.request import Request, TurnId
from claude_nb.request.system import System
from claude_nb.streaming import turns
from claude_nb.streaming.progress import Progress
from claude_nb.tools.tools import Tools

NOTEBOOK = "notebook"
"""The name of the conversation that a notebook has by default."""

MAX_NAME = 60
"""Characters of a conversation's name at most: it is shown in one line."""

THINKING_LEFT_OUT = (
    "earlier thinking not resent (it only works with the prompt and tools it was written for)"
)
"""The note on a turn before which signed thinking stands that is not sent."""

INSTRUCTED = "instruction added from here on"
REPLACED = "system prompt replaced"
"""The notes on a turn with another instruction, or with another system prompt."""

Bound = tuple[tuple[str | None, ...], list[dict[str, Any]]]


@dataclass(frozen=True, eq=False)
class Exchange:
    """A question and its answer: a node of the tree. A compaction is one too, without a question.

    Its turns are made once, and all requests that bring them share them: a conversation of n turns
    whose replies are kept would otherwise hold n² of them.

    Attributes:
        id: Its name in saved notebooks.
        parent: The exchange before it, or None for the beginning.
        place: Where it was asked.
        prompt: The user's words.
        content: What was sent of them: the words, or content blocks.
        answer: The assistant's content blocks; empty if it broke off after calls of tools.
        system: The system prompt that it was asked with; None if it is not known.
        simulated: Whether the simulator answered.
        origin: The server that answered, or None if it is not known.
        asked: When, as ISO 8601; empty if it is not known.
        steps: The turns between question and answer: calls of tools and their results.
        tools: The definitions of the tools that it was asked with.
        uses_tools: Whether they could be called in its answer.
        instruct: The instruction that holds from this question on; empty for none.
        cite: Whether its answer could cite the documents in it and before it.
        extra: Other fields of the request that it was asked with, or None.
        betas: The names of betas that it was asked with, or None.
        unthought: Whether it was asked without the thinking of the turns before it, as the server
            had refused that.
        model: The model that was asked; empty if it is not known.
        context_tokens: How many tokens of its context window were taken at its end, or None.
        compaction: The summary of what came before, whose text is the answer; None for a question.
        edited: The id of the exchange with the answer that came, where the user wrote another one;
            else empty.
        answerer: The function of the notebook that answered, by name; empty for a model.
    """

    id: str
    parent: Exchange | None
    place: Place
    prompt: str
    content: str | tuple[dict[str, Any], ...]
    answer: tuple[dict[str, Any], ...]
    system: str | System | None = None
    simulated: bool = False
    origin: str | None = None
    asked: str = ""
    steps: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = field(default=(), repr=False)  # secrets in it
    uses_tools: bool = True
    instruct: str = ""
    cite: bool = False
    extra: dict[str, Any] | None = field(default=None, repr=False)
    betas: Sequence[str] | None = None
    unthought: bool = False
    model: str = ""
    context_tokens: int | None = None
    compaction: Compaction | None = None
    edited: str = ""
    answerer: str = ""

    @cached_property
    def question(self) -> tuple[dict[str, Any], ...]:
        """The user's turn, and the instruction that follows it."""
        content = self.content if isinstance(self.content, str) else list(self.content)
        instruct = [{"role": "system", "content": self.instruct}] if self.instruct else []
        return ({"role": "user", "content": content}, *instruct)

    @cached_property
    def turns(self) -> tuple[dict[str, Any], ...]:
        """What follows the question: calls of tools and their results, and the answer."""
        last = [turns.assistant(list(self.answer))] if self.answer else []
        return (*self.steps, *last)

    @property
    def text(self) -> str:
        """The text of the answer, and of what came before calls of tools."""
        said = (turn["content"] for turn in self.turns if turn["role"] == "assistant")
        return "\n\n".join(filter(None, ("".join(turns.texts(content)) for content in said)))

    @property
    def branch(self) -> list[Exchange]:
        """The exchanges up to this one, from the beginning."""
        found: list[Exchange] = []
        node: Exchange | None = self
        while node is not None:
            found.append(node)
            node = node.parent
        return found[::-1]


class History:
    """A conversation's exchanges, and the one from which it goes on.

    Three threads change it: the main thread, the one that paints answers in the background, and the
    one on which a chat receives messages. Each change is made under ``lock``; listeners are called
    without it, as they take locks of their own.

    Args:
        name: What it is called.
        system: The system prompt of a branch for which none is given.
        tools: Functions or ``Tools`` that each of its questions may call, or None.
        extra: Other fields of each request of a branch for which none are given.
        betas: Names of betas, likewise.

    Attributes:
        exchanges: Every exchange, in the order in which they were answered. It grows until all are
            forgotten.
        head: The newest exchange of the current branch, or None at the beginning.
        lock: Held while any of this changes; hold it to read several parts that have to fit.

    Raises:
        InputError: The name is empty, too long, or holds control characters; or one of the
            functions cannot be a tool.
    """

    def __init__(
        self,
        name: str = NOTEBOOK,
        *,
        system: str | System | None = None,
        tools: Any = None,
        extra: dict[str, Any] | None = None,
        betas: Sequence[str] | None = None,
    ) -> None:
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise InputError(
                f"{name[:MAX_NAME]!r} cannot be the name of a conversation.",
                f"Use 1 to {MAX_NAME} visible characters, for example: analysis",
            )
        self.name = name
        self.system = system
        self.tools = None if tools is None else Tools.of(tools)
        self.extra = None if extra is None else checked_extra(extra, in_cell=False)
        self.betas = None if betas is None else checked_betas(betas)
        self.exchanges: list[Exchange] = []
        self.head: Exchange | None = None
        self.lock = threading.RLock()
        self._asking = threading.Lock()
        self._moved = False  # whether the user moved the head since a question was asked
        self._begun: str | System | None = None  # the system prompt of a branch without an answer
        self._resumed: Exchange | None = None  # the head that ``add`` has set
        self._tools: dict[str, Tools] = {}
        self._listeners: list[Callable[[], object]] = []

    def __reduce__(self) -> NoReturn:
        raise InputError(
            "A conversation cannot be pickled or copied.",
            "Keep its messages: Conversation.from_messages(talk.to_messages()) goes on from them.",
        )

    def listen(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Call ``changed`` whenever there is another exchange or head, on the thread of the change.

        Returns:
            A function that ends it.
        """
        self._listeners.append(changed)
        return lambda: self._listeners.remove(changed)

    def _changed(self) -> None:
        for changed in list(self._listeners):  # a copy: one of them may stop listening meanwhile
            changed()

    @property
    def branch(self) -> list[Exchange]:
        """The current branch, from the beginning to the head."""
        return self.head.branch if self.head else []

    @property
    def questions(self) -> list[Exchange]:
        """The current branch without its compactions."""
        return [exchange for exchange in self.branch if exchange.compaction is None]

    @property
    def following(self) -> defaultdict[Exchange | None, list[Exchange]]:
        """What follows each exchange, in the order of ``exchanges``; after None, what begins."""
        found = defaultdict(list)
        for exchange in self.exchanges:
            found[exchange.parent].append(exchange)
        return found

    def number(self, exchange: Exchange) -> int:
        """The number of an exchange, from 1, in the order of ``exchanges``."""
        return self.exchanges.index(exchange) + 1

    def messages(self) -> list[dict[str, Any]]:
        """The current branch as the messages that the API takes, each turn as it came.

        What was compacted is there as it was, without the summary.
        """
        head = self.head
        if head is None:
            return []
        bound = _bound(head.system, head.tools)
        messages = _messages(self.questions, bound, head.origin, head.model)
        if any(e.cite for e in head.branch):
            messages = documents.citable(messages)
        return deepcopy([uploads.resolved_turn(turn, {}) for turn in messages])

    @contextmanager
    def asking(self, *, in_cell: bool = False) -> Iterator[None]:
        """Hold the conversation while a question is answered: two at once would miss each other.

        Args:
            in_cell: Whether a ``%%claude`` cell asks, whose options the error names.

        Raises:
            InputError: A turn of this conversation is being answered.
        """
        if not self._asking.acquire(blocking=False):
            other = "another one: -c NAME, or in none: --once" if in_cell else "another one."
            raise InputError(
                f"The conversation {self.name} is still being answered.",
                f"Wait until it ends, or ask in {other}",
            )
        try:
            with self.lock:
                self._moved = False
            yield
        finally:
            self._asking.release()

    def next(
        self,
        request: Request,
        place: Place,
        origin: str | None = None,
        *,
        new: bool = False,
        after: Exchange | Literal["beginning"] | None = None,
    ) -> Request:
        """Make a request the next turn of the conversation.

        A cell that is run again, and whose turn is on the current branch, begins another branch in
        that turn's place; any other turn is added to the head. Nothing changes here until ``keep``.

        Args:
            request: What is asked. Without a system prompt it gets that of the branch.
            place: Where it is asked.
            origin: The server that is to answer it. Of what another one answered only the text
                is sent: its signatures would be refused.
            new: Begin at the beginning, without earlier exchanges.
            after: The exchange that it follows, where that was chosen by hand, or ``"beginning"``.

        Returns:
            The request with the earlier turns, and with notes on what is sent.
        """
        with self.lock:
            parent = None if new or after == "beginning" else after or self.parent_of(place)
            left = [] if new or after else self._left_behind(parent, place)
        earlier = parent.branch if parent else []
        begun = parent.system if parent else None if new else self._begun
        systems = (request.system, begun, self.system)
        system = next((given for given in systems if given is not None), "")
        extra, betas, left_out = self._rest(request, parent, origin)
        tools = request.tools or ()
        uses_tools = bool(tools)
        if not tools and parent is not None:  # what was called before must stay defined
            tools, servers = self._tools_after(parent, origin)
            left_out += servers
            known = _bytes(tools) in self._tools  # not so in that of another conversation
            uses_tools = request.tools is None and parent.uses_tools and known and bool(tools)
        sent = _messages(earlier, _bound(system, tools), origin, request.model)
        if request.cells is not None:
            request = request.with_cells(sent, [exchange.place for exchange in earlier])
        notes = self._notes(earlier, request, origin)
        kept = earlier[_compacted_at(earlier, origin) + 1 :]
        came = [turn for exchange in kept for turn in exchange.turns]
        if turns.holds_thinking(came) and not turns.holds_thinking(sent):
            notes.append(THINKING_LEFT_OUT)
        if parent is not None and request.system is not None:
            notes += [REPLACED] * (_bound(request.system, ()) != _bound(begun, ()))
        notes += [INSTRUCTED] * (request.instruct is not None)
        if left_out:
            names = " and ".join(left_out)
            notes.append(f"{names} of earlier turns not sent: they belong to another server")
        if left:
            notes.append(f"no longer in this conversation: {', '.join(map(_cell, left))}")
        asked = datetime.now(UTC).isoformat(timespec="milliseconds")
        turn = TurnId(self.name, uuid4().hex, parent.id if parent else None, place.cell, asked)
        return replace(
            request,
            system=system,
            tools=tools,
            uses_tools=uses_tools,
            extra=extra,
            betas=betas,
            before=tuple(sent),
            context_tokens=None if parent is None else parent.context_tokens,
            # Without citations where they were on, nothing of the messages would be in the cache.
            cite=request.cite or (request.output is None and any(e.cite for e in earlier)),
            notes=(*notes, *request.notes),
            turn=turn,
        )

    def _notes(
        self, earlier: Sequence[Exchange], request: Request, origin: str | None
    ) -> list[str]:
        """What the reader of a reply should know of the turns before it."""
        about = [self.name] if self.name != NOTEBOOK else []
        if request.compacts:
            return about
        at = _compacted_at(earlier, origin)
        asked = [exchange for exchange in earlier if exchange.compaction is None]
        whole = sum(exchange.compaction is None for exchange in earlier[at + 1 :])
        if asked:
            about.append(f"turn {len(asked) + 1}")
        if whole:
            about.append(f"sent with the {whole} before it")
        if edited := [str(n) for n, e in enumerate(asked, 1) if e.edited]:
            about.append(f"answer {', '.join(edited)} edited")
        notes = [" · ".join(about)] if about else []
        if at >= 0:
            notes.append(describe_compaction(earlier[at]))
        return notes

    def begin(self, request: Request) -> None:
        """Begin anew with a request, whether it will have an answer or not.

        Args:
            request: What ``next`` returned for a new beginning.
        """
        with self.lock:
            before, self.head = self.head, None
            self._begun = None if request.system == (self.system or "") else request.system
        if before is not None:
            self._changed()

    def effective_tools(self, tools: Tools | None, request: Request) -> Tools | None:
        """The tools that may be called in the answer to a request.

        Args:
            tools: Those that the question names, or None.
            request: What ``next`` returned.

        Returns:
            Those, or else the ones of the branch, each call of which asks first; None if there are
            none.
        """
        if not request.uses_tools:
            return None
        with self.lock:
            if tools is not None:
                self._tools[_bytes(tools.definitions)] = tools
                return tools
            return self._tools[_bytes(request.tools or ())].unnamed()

    def rebind(self, variables: Mapping[str, Any]) -> None:
        """Rebind tools to their functions as they are now, where the model sees the same schema.

        Args:
            variables: The user's variables.
        """
        with self.lock:
            for schema, tools in self._tools.items():
                with suppress(InputError):  # no tool can be made of it now: the old one stays
                    now = tools.renewed(variables)
                    if _bytes(now.definitions) == schema:
                        self._tools[schema] = now

    def keep(self, request: Request, place: Place, origin: str | None, reply: Progress) -> None:
        """Add a turn to the tree, if it has an answer; otherwise the question is forgotten too.

        It becomes the head, unless the head was moved since the question was asked.

        Args:
            request: What ``next`` returned.
            place: Where it was asked.
            origin: The server that answered.
            reply: The reply, which has ended.
        """
        steps, answer = turns.turns(reply)
        compaction = Compaction.of(reply) if request.compacts else None
        if compaction is not None and compaction.block is not None:
            answer = [{"type": "text", "text": compaction.block["content"]}]
        if request.turn is None or not (steps or answer):
            return
        exchange = Exchange(
            id=request.turn.id,
            parent=next((e for e in self.exchanges if e.id == request.turn.parent), None),
            place=place,
            prompt=request.prompt,
            content=request.content or request.prompt,
            answer=tuple(answer),
            system=request.system,
            simulated=reply.simulated,
            origin=origin,
            asked=request.turn.asked,
            steps=tuple(steps),
            tools=request.tools or (),
            uses_tools=request.uses_tools,
            instruct=request.instruct or "",
            cite=request.cite,
            extra=request.extra,
            betas=request.betas,
            unthought=reply.unthought,
            model=request.model if reply.last is None else reply.last.request.model,
            context_tokens=None if reply.last is None else reply.last.context_tokens,
            compaction=compaction,
            answerer=request.model if reply.is_of_function else "",
        )
        with self.lock:
            self.exchanges.append(exchange)
            if not self._moved:
                self.head = exchange
        self._changed()

    def add(self, exchanges: Iterable[Exchange], head: Exchange | None) -> int:
        """Add exchanges from elsewhere, as from an earlier kernel; those that are here stay.

        The conversation goes on from ``head`` if it was empty, or if what leads there from where it
        would go on is new.

        Args:
            exchanges: The exchanges, each after the one that it follows.
            head: The one of them to go on from, or None for the beginning.

        Returns:
            How many of them were not here, by their ids.
        """
        with self.lock:
            known = {exchange.id: exchange for exchange in self.exchanges}
            before = len(known)
            for exchange in exchanges:
                if exchange.id not in known:
                    parent = known[exchange.parent.id] if exchange.parent else None
                    known[exchange.id] = replace(exchange, parent=parent)
                    self.exchanges.append(known[exchange.id])
            here = known[head.id] if head else None
            added, goes_on_from = set(self.exchanges[before:]), here
            while goes_on_from in added:
                goes_on_from = goes_on_from.parent
            if not before or (here in added and self.head and goes_on_from is self.head):
                # What is being answered becomes the head all the same: no user has moved it.
                self.head, self._begun, self._resumed = here, None, here
        self._changed()
        return len(known) - before

    def fork(self, number: int) -> Exchange:
        """Go on from the exchange of that number; what follows it stays in the tree.

        Raises:
            InputError: There is none of that number.
        """
        if not 1 <= number <= len(self.exchanges):
            count = len(self.exchanges)
            there_are = f"There are 1 to {count}." if count else "There are no messages yet."
            raise InputError(f"There is no exchange {number} in {self.name}.", there_are)
        exchange = self.exchanges[number - 1]
        self.go_to(exchange)
        return exchange

    def go_to(self, exchange: Exchange | None) -> None:
        """Go on from an exchange of the tree, or for None from its beginning."""
        self._move(exchange)
        self._changed()

    def undo(self, turns: int = 1) -> list[Exchange]:
        """Go back to before the newest exchanges of the branch.

        Args:
            turns: How many.

        Returns:
            Those exchanges, in the order in which they were asked.

        Raises:
            InputError: There are not as many.
        """
        with self.lock:
            branch = self.branch
            if not 1 <= turns <= len(branch):
                count = len(branch)
                there_are = f"It has {count} turn{'s' * (count > 1)}." if count else ""
                what = f"There are no {turns} turns" if count else "There is nothing"
                raise InputError(f"{what} to undo in {self.name}.", there_are)
            undone = branch[-turns:]
            self._move(undone[0].parent)
        self._changed()
        return undone

    def new(self) -> None:
        """Begin anew; the exchanges stay in the tree."""
        self.go_to(None)

    def forget(self) -> None:
        """Forget every exchange; ``new`` then tells the listeners.

        Raises:
            InputError: A turn of this conversation is being answered.
        """
        with self.asking(), self.lock:
            self.exchanges, self._resumed = [], None
            self._move(None)

    def _move(self, head: Exchange | None) -> None:
        with self.lock:
            self.head, self._moved, self._begun = head, True, None

    def parent_of(self, place: Place) -> Exchange | None:
        """What a question that is asked there follows.

        The head, or what precedes the first turn that an earlier run of the same cell asked. As
        long as the head is where exchanges were added, other branches count too: in a notebook
        that begins anew further down, the cells above that asked there.
        """
        if not place.cell:
            return self.head
        branches = [self.branch]
        if self.head is not None and self.head is self._resumed:
            branches += [e.branch for e in self.exchanges[::-1] if e.place.cell == place.cell][:1]
        for e in chain.from_iterable(branches):
            if e.place.cell == place.cell and e.place.execution != place.execution:
                return e.parent
        return self.head

    def _rest(
        self, request: Request, parent: Exchange | None, origin: str | None
    ) -> tuple[dict[str, Any] | None, Sequence[str] | None, list[str]]:
        """The extra fields and the betas of a request, and which of earlier turns are left out.

        They may hold secrets, which no other server is to get.
        """
        found: dict[str, Any] = {}
        left_out = []
        for name in ("extra", "betas"):
            given, earlier = getattr(request, name), getattr(parent, name, None)
            if given is None and earlier is not None and parent and parent.origin != origin:
                left_out += [name] if earlier else []
                given = type(earlier)()
            values = (given, earlier, getattr(self, name))
            found[name] = next((value for value in values if value is not None), None)
        return found["extra"], found["betas"], left_out

    def _tools_after(
        self, parent: Exchange, origin: str | None
    ) -> tuple[tuple[dict[str, Any], ...], list[str]]:
        """The tools that an earlier turn had, and the MCP servers of it that are left out.

        The API gets tokens to call these, which no other server is to get.
        """
        left_out = [d["mcp_server_name"] for d in parent.tools if "mcp_server_name" in d]
        if parent.origin == origin or not left_out:
            return parent.tools, []
        tools = tuple(d for d in parent.tools if "mcp_server_name" not in d)
        with self.lock:
            if (offered := self._tools.get(_bytes(parent.tools))) is not None:
                self._tools[_bytes(tools)] = offered.without(left_out)
        return tools, left_out

    def _left_behind(self, parent: Exchange | None, place: Place) -> list[Exchange]:
        branch = self.branch
        kept = branch.index(parent) + 1 if parent in branch else 0
        return [e for e in branch[kept:] if not place.cell or e.place.cell != place.cell]


def label(exchange: Exchange) -> str:
    """How an exchange is named to people: by its cell, or else by its first words."""
    if exchange.place.execution:
        return f"[{exchange.place.execution}]"
    return f"“{labels.first_words(exchange.prompt, 24)}”"


def _cell(exchange: Exchange) -> str:
    return f"{'cell ' if exchange.place.execution else ''}{label(exchange)}"


def numbers(branch: Sequence[Exchange]) -> str:
    """The numbers of the turns of a branch: ``turns 1–8``."""
    count = sum(exchange.compaction is None for exchange in branch)
    return "turn 1" if count == 1 else f"turns 1–{count}"


def describe_compaction(exchange: Exchange) -> str:
    """Which turns a compaction stands for, and what it took: for its note, and for its command."""
    took = exchange.compaction.took if exchange.compaction else ""
    return f"{numbers(exchange.branch)}{COMPACTED}{took}"


def _compacted_at(branch: Sequence[Exchange], origin: str | None) -> int:
    """The place of the newest compaction that is sent to a server; -1 if there is none.

    A simulated summary says nothing of the turns, so no other server gets it in their place.
    """
    places = [
        place
        for place, exchange in enumerate(branch)
        if exchange.compaction is not None and (exchange.origin == origin or not exchange.simulated)
    ]
    return places[-1] if places else -1


def _messages(
    branch: Sequence[Exchange], to: Bound, origin: str | None, model: str
) -> list[dict[str, Any]]:
    """A branch as the messages before a turn with that system prompt, those tools and that model.

    The turns up to a compaction are left out: its summary stands for them.
    """
    at = _compacted_at(branch, origin)
    messages = []
    if at >= 0 and (summary := branch[at].compaction) is not None:
        is_signed = branch[at].origin == origin
        messages.append(summary.message(branch[at].text, model, is_signed=is_signed))
    branch = [exchange for exchange in branch[at + 1 :] if exchange.compaction is None]
    # Thinking is valid as long as nothing before it has changed: back to the last change of the
    # system prompt or the tools, and never further, even if an earlier one comes back.
    bounds = [*(_bound(exchange.system, exchange.tools) for exchange in branch), to]
    pairs = enumerate(pairwise(bounds), 1)
    changed = max((number for number, (one, other) in pairs if one != other), default=0)
    # What a server refused once is never sent again: the thinking since then does not know of it.
    refused = (number for number, exchange in enumerate(branch) if exchange.unthought)
    changed = max(changed, *refused, 0)
    for position, exchange in enumerate(branch):
        messages += exchange.question
        if exchange.origin != origin:
            messages += map(turns.plain, exchange.steps)
            answer = turns.text_only(exchange.answer)
            messages += [turns.assistant(answer)] if answer else []
        elif position < changed:
            messages += map(turns.without_thinking, exchange.turns)
        else:
            messages += exchange.turns
    return messages


def _bytes(definitions: Sequence[dict[str, Any]]) -> str:
    """The definitions of tools as a text, which is the same where they are."""
    return json.dumps(definitions, sort_keys=True)


def _bound(system: str | System | None, tools: tuple[dict[str, Any], ...]) -> Bound:
    """What thinking is bound to beside the messages: the texts of the system prompt, and tools."""
    sent = [{name: v for name, v in tool.items() if name != "server"} for tool in tools]
    return system.texts if isinstance(system, System) else (system,), sent
