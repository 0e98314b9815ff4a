"""``Chat``: a conversation in a widget, which goes on while the notebook does other things.

It is asked from the page or from Python, and its replies are painted in the background. Its
``transcript`` derives the turns from the conversation; ``questions`` asks, ``page`` shows and saves
them, and ``messages`` handles what the page sends. The widget puts these together, and has the
traits.
"""

from __future__ import annotations

import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import traitlets

from claude_nb.asking.conversation import Conversation
from claude_nb.asking.function_source import checked, name_of
from claude_nb.asking.question import Question
from claude_nb.characters import clean, wellformed
from claude_nb.chat.chat_tools import ChatTools
from claude_nb.chat.messages import Messages
from claude_nb.chat.naming import named_anew, unnamed
from claude_nb.chat.outputs import NO_WIDGET
from claude_nb.chat.page import Page
from claude_nb.chat.questions import Questions
from claude_nb.chat.transcript import Transcript
from claude_nb.client import waiting
from claude_nb.conversation import restore, saved_notebook
from claude_nb.conversation.history import History
from claude_nb.cost.models import DEFAULT_MODEL, models_by_use
from claude_nb.errors import InputError, either, nearest
from claude_nb.notebook.context import cells
from claude_nb.render.scripts import source, style
from claude_nb.reply import Reply
from claude_nb.request.cells import CONTEXTS
from claude_nb.request.host import host
from claude_nb.request.place import Place, current_place
from claude_nb.request.request import EFFORTS
from claude_nb.request.system import System
from claude_nb.tools.tools import Tools
from claude_nb.views import background, page_outputs
from claude_nb.views.choice import fitting
from claude_nb.views.terminal import say
from claude_nb.views.widget import PageWidget

CHAT_OPTIONS = (
    *("max_tokens", "thinking", "cite", "hide_thinking", "tools", "hide_tools", "upload"),
    *("stop_sequences", "tool_choice", "metadata", "extra", "betas", "fallback"),
    *("max_cost", "policy", "client", "context"),
)
"""The options with which each question is asked, beside model, effort and system prompt."""


class Chat(PageWidget):
    """A chat with Claude in a widget. Answers stream in the background, and the kernel stays free.

    In the text ``{{name}}`` is replaced by that variable, as in a ``%%claude`` cell; files are
    dropped on it, pasted or chosen. What is sent from the page while it answers is queued, and sent
    after a complete answer. The conversation is saved with the notebook, and is read without a
    kernel. When its cell is run again, after a restart too, it goes on from there.

    Args:
        conversation: The conversation that it goes on with: its name, as ``%%claude -c NAME`` takes
            it, or a ``Conversation``. By default that of its cell, called ``chat``, ``chat 2``, ….
        model: The model to ask. It can be changed at any time, here and on the page.
        effort: One of ``low``, ``medium``, ``high``, ``xhigh`` and ``max``; empty for the model's
            default.
        system: The system prompt: a text, or a ``CachedSystem``.
        height: The height on the page, in pixels.
        respond: A function that answers instead of Claude; no key is needed. It is called with
            the messages, the newest question last: ``[{"role": "user", "content": "Hi"}]``, as the
            API has them. The content is a list of blocks if files or images go along;
            ``claude_nb.stream`` takes that too. The function returns the answer (several parts as
            a tuple), or yields it piece by piece: texts (Markdown); figures, tables, widgets and
            other objects; events of ``claude_nb.stream`` (``yield from``), the stream itself, or a
            ``Reply``, which bring their thinking, tools and cost along. It may be a coroutine or
            an asynchronous generator. A function that is not runs on a thread of its own.
            Stop closes a generator, cancels a coroutine, and stops what it asks Claude; of what
            runs on all the same nothing is shown. What it prints is in the cell that asks, or in
            JupyterLab's log console (level Info), not in the chat.
        starters: Suggested questions, offered in an empty chat: a click asks one.
        **options: ``tools``, ``max_tokens``, ``thinking``, ``cite``, ``hide_thinking``,
            ``hide_tools``, ``upload``, ``stop_sequences``, ``tool_choice``, ``metadata``,
            ``extra``, ``betas``, ``fallback``, ``max_cost``, ``policy`` and ``client``, as
            ``claude_nb.ask`` takes them; ``context``, ``"above"`` or ``"notebook"``, for the cells
            that go along with each question; and a ``layout``. Functions run on a thread of their
            own. With ``respond``, which decides all this itself, only a ``layout``.

    Attributes:
        conversation: The conversation that is shown: ``.messages()``, ``.to_notebook(path)``,
            ``.branch``, …
        reply: The newest reply of this chat, or None.
        draft: What is written and not sent.
        starters: The questions to begin with.
        answerer: Who answers, by name: Claude, or the function.
        busy: Whether an answer is under way.
        turns: How many questions are on the current branch.
        cost: What its replies have cost together, in USD, as far as that is known.

    Raises:
        InputError: An argument is unknown or not possible.

    Example:
        >>> chat = Chat(system="You know the timetable.")
        >>> chat  # in a cell of its own
        >>> chat.observe(lambda change: print(change.new), "turns")
        >>> Chat(respond=lambda messages: messages[-1]["content"].upper(), starters=["Hello"])
    """

    _esm = source("chat")
    _css = style("chat")
    model = traitlets.Unicode(DEFAULT_MODEL).tag(sync=True)
    effort = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(520, min=200).tag(sync=True)
    draft = traitlets.Unicode("").tag(sync=True)
    busy = traitlets.Bool()
    turns = traitlets.Int(0).tag(sync=True)
    cost = traitlets.Float(0.0).tag(sync=True)
    models = traitlets.List(traitlets.Unicode()).tag(sync=True)
    efforts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    starters = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answerer = traitlets.Unicode("Claude").tag(sync=True)

    def __init__(
        self,
        conversation: str | Conversation | None = None,
        *,
        model: str = DEFAULT_MODEL,
        effort: str | None = None,
        system: str | System | None = None,
        height: int = 520,
        respond: Callable[[list[dict[str, Any]]], Any] | None = None,
        starters: Sequence[str] = (),
        **options: Any,
    ) -> None:
        of_widget = {"layout": options.pop("layout")} if "layout" in options else {}
        _check_names(options)
        of_widget["starters"] = _checked_starters(starters)
        self.system, self._respond = system, respond
        if respond is not None:
            of_model = {"model": model != DEFAULT_MODEL, "effort": effort, "system": system}
            _check_respond(respond, [*filter(of_model.get, of_model), *options])
            model = of_widget["answerer"] = name_of(respond)
            options["respond"] = respond
        if "tools" in options:
            options["tools"] = Tools.of(options["tools"])
        which = options.pop("context", "off")
        if which not in CONTEXTS:
            raise InputError(f"context must be {either(CONTEXTS)}, not {which!r:.60}.")
        self._options = options
        asked_with = {"model": model, "effort": effort or None, "system": system, **options}
        model = Question.of(
            "hello", history=History(), **asked_with
        ).request.model  # it may have tools
        place = current_place()
        if not isinstance(conversation, Conversation):
            name = conversation or unnamed(place, Conversation.names())
            conversation = Conversation.named(name)
        self._transcript = Transcript(conversation, place.cell)
        given = lambda: self._options.get("tools", self.conversation.tools)  # noqa: E731
        tools = ChatTools(given if respond is None else lambda: None)
        self._page = Page(self._transcript, tools, self.send, of_widget.get("answerer", "Claude"))
        self._page.restored.look(system)
        self._questions = Questions(self._transcript, self._page, self._arguments, self._announce)
        if which != "off":
            asker = Place(place.cell)
            self._questions.cells = partial(cells, which, asker, told=page_outputs.is_told())
        self._questions.take_queue()
        self._messages = Messages(
            self._transcript, self._page, self._questions, self._open, self.send
        )
        super().__init__(
            model=model,
            effort=effort or "",
            height=height,
            turns=len(conversation.questions),
            cost=self._transcript.spent,
            models=models_by_use(model, DEFAULT_MODEL) if respond is None else [],
            efforts=list(EFFORTS) if respond is None else [],
            **of_widget,
        )
        self._unlisten = conversation.listen(self._changed)

    @property
    def conversation(self) -> Conversation:
        """The conversation that is shown, with all its branches."""
        return self._transcript.conversation

    @property
    def reply(self) -> Reply | None:
        """The newest reply of this chat, or None."""
        return self._questions.reply

    @classmethod
    def restore(cls, path: str | Path, conversation: str | None = None, **arguments: Any) -> Self:
        """Continue a chat of another notebook; one of this notebook continues by itself.

        A chat that had no name gets one of its own here too. When its cell runs again, it continues
        with the turns that were added here.

        Args:
            path: The notebook.
            conversation: The name of its conversation; by default that of the notebook's last chat.
            **arguments: As for ``Chat``.

        Raises:
            InputError: There is no such file, or no such conversation in it.
        """
        saved = saved_notebook.load(path)
        conversations, notes = restore.conversations(saved)
        found = {one.name: one for one in conversations}
        names = [chat.conversation for chat in reversed(saved.chats)]
        name = conversation or next((name for name in names if name in found), None)
        if name is None or name not in found:
            which = f"conversation {name!r}" if name else "chat"
            there = f"It has {', '.join(found)}." if found else "No conversation is saved in it."
            raise InputError(f"There is no {which} in {path}.", there)
        for note in notes:
            warnings.warn(clean(f"{path}: {note}"), stacklevel=2)
        chat = cls(named_anew(name, current_place(), Conversation.names()), **arguments)
        chat._transcript.take_over(saved.records, name)
        chat.conversation.add(found[name].exchanges, found[name].head)
        chat._changed()
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
                "An observer of a chat cannot wait for an answer: the answer waits for the"
                " observer.",
                "Ask on another thread: threading.Thread(target=chat.ask, args=(prompt,)).start()",
            )
        files = [(f"attachment {number}", value) for number, value in enumerate(attach, 1)]
        questions = self._questions
        # A thread of the user's own belongs to no cell, whatever the kernel takes it for.
        is_cell = threading.current_thread() is threading.main_thread()
        place = current_place() if is_cell else Place()
        turn = questions.write(prompt, files, self._transcript.follows(place))
        live = questions.put(turn, place=place)
        live.awaited = True
        reply = questions.send(live)
        try:
            waiting.wait(live.ended.wait)
        except KeyboardInterrupt:
            self.stop()
            waiting.wait(live.ended.wait)
        self._announce()
        reply.check()
        return reply

    def instruct(self, text: str) -> None:
        """Add an instruction to the system prompt, from the next question on.

        Args:
            text: The instruction; another one that was not sent yet is replaced.

        Raises:
            InputError: It is blank, or the model takes none.
            TypeError: It is not a text.
        """
        if not isinstance(text, str):
            raise TypeError(f"An instruction must be a string, not {text!r:.60}.")
        if self._respond is not None:
            raise InputError("A chat with respond takes no instruction: its function decides.")
        asked = Question.of("hello", **self._arguments(), instruct=text)
        self._questions.instruct = asked.request.instruct or ""

    def stop(self) -> None:
        """Stop the answer that is being written, if any; the text so far is kept."""
        self._questions.stop()

    def clear(self) -> None:
        """Start over; the turns so far stay in the conversation, and the page can restore them.

        Raises:
            InputError: An answer is under way.
        """
        self._transcript.clear()

    def forget(self) -> None:
        """Forget this chat's conversation: its turns, its saved form and its backups.

        Replies in the outputs of cells stay. Save the notebook to remove the turns from its file.

        Raises:
            InputError: An answer is under way, or a backup cannot be deleted.
        """
        self._page.forget()

    def close(self) -> None:
        """Close the widget, and stop what it is asking; its conversation stays."""
        if self.comm is not None:  # it was made, and is not closed already
            self.stop()
            self._unlisten()
        super().close()

    def __repr__(self) -> str:
        count = self.turns
        return f"<Chat {self.conversation.name!r} · {count} {'turn' if count == 1 else 'turns'}>"

    @traitlets.validate("model", "draft")
    def _wellformed(self, proposal: Any) -> Any:
        return wellformed(proposal["value"])

    @traitlets.validate("effort")
    def _valid_effort(self, proposal: Any) -> Any:
        Question.of("hello", effort=proposal["value"] or None)
        return proposal["value"]

    def _arguments(self) -> dict[str, Any]:
        """The arguments of ``ask`` for a question that is asked now."""
        own = {"model": self.model, "effort": self.effort or None, "system": self.system}
        tools = self._page.tools.on()
        return {**own, **self._options, **({} if tools is None else {"tools": tools})}

    def _open(self, conversation: Conversation) -> None:
        """Show another conversation; this one's cell shows its own again when it is run again.

        Raises:
            InputError: An answer is under way.
        """
        with self._transcript.lock:
            self._transcript.check_idle()
            self._unlisten()
            self._transcript.show(conversation)
            self._unlisten = conversation.listen(self._changed)
        self._questions.take_queue()
        self._page.open(self.system)
        self._announce()

    def _announce(self) -> None:
        """Set the traits that are observed, once an answer is saved.

        Observers run here, perhaps on the painter's thread: without the lock, and what they raise
        is printed and breaks nothing.
        """
        now: dict[str, Callable[[], object]] = {
            "turns": lambda: len(self.conversation.questions),
            "cost": lambda: self._transcript.spent,
            "busy": lambda: self._transcript.answering is not None,
        }
        for name, value in now.items():
            try:
                self.set_trait(name, value())  # read now: an observer may have begun to ask
            except (Exception, SystemExit):  # noqa: BLE001 - the observer's, not ours
                traceback.print_exc()

    def _changed(self) -> None:
        """The conversation has changed: here, in a cell or in another chat."""
        with self._transcript.lock:
            self._transcript.follow()
            self._page.show()
        if not self._transcript.answering:
            self._page.settle()
            self._announce()

    def receive(self, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        """Handle a message from a page, and answer it."""
        self._messages.receive(content, buffers)
        # What is sent after its message was handled reaches no page of Colab (colabtools#3373).
        if host() == "colab" and threading.current_thread() is threading.main_thread():
            self._questions.wait()

    def whole(self) -> dict[str, object]:
        """All that is on the page, in one message."""
        return self._page.whole()

    def _ipython_display_(self) -> None:
        kind = fitting()
        if kind == "terminal":
            say(f"{self!r}\n{NO_WIDGET}")
            return
        is_live, where = kind == "live", host()
        bundle = self.bundle(repr(self) if is_live else NO_WIDGET)
        # Only JupyterLab and Notebook 7 can cover an output; both name the cell.
        is_covered = is_live and not where and bool(current_place().cell)
        self._page.display(bundle, self.view_metadata, is_covered=is_covered, is_folded=bool(where))


def _check_names(options: Iterable[str]) -> None:
    known = ["conversation", "model", "effort", "system", "height", "respond", "starters"]
    known += [*CHAT_OPTIONS, "layout"]
    for name in options:
        if name not in known:
            near = nearest(name, known)
            hint = f"Did you mean {near}? " if near else ""
            raise InputError(
                f"A chat has no option {name}.", f"{hint}Its options are {', '.join(known)}."
            )


def _check_respond(respond: Any, given: Sequence[str]) -> None:
    checked(respond)
    if given:
        name = given[0]
        raise InputError(
            f"A chat with respond takes no {name}: its function makes the requests.",
            f"In the function: claude_nb.stream(…, {name}=…).",
        )


def _checked_starters(starters: Any) -> list[str]:
    if isinstance(starters, str) or not isinstance(starters, Iterable):
        raise InputError(
            f"starters must be a list of questions, not {starters!r:.60}.",
            'For example: starters=["When does the first train leave?"]',
        )
    found = list(starters)
    for starter in found:
        if not isinstance(starter, str) or not starter.strip():
            raise InputError(f"A starter must be a question, not {starter!r:.60}.")
    return [wellformed(starter) for starter in found]
