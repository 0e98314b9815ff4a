"""How the calls of tools in a reply are run.

A function runs on the thread of the cell, where plots, databases and ``input`` work; asynchronous
ones run together on a loop of their own, as one that blocks would hold up every stream on the
engine's. Stop, and a time that is up, break off what runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from claude_nb.errors import ClaudeError, StoppedError
from claude_nb.render.displayed import Part
from claude_nb.streaming.block import Block
from claude_nb.streaming.events import ToolAsked, ToolRan, ToolStarted
from claude_nb.tools import results
from claude_nb.tools.functions import Tool
from claude_nb.tools.main_thread import (
    MainThreadRunner,
    RaisedError,
    TimeUpError,
    contained,
    in_time,
)
from claude_nb.tools.permission import Answer, PermissionRequest
from claude_nb.tools.side_loop import side_loop
from claude_nb.tools.tools import Tools


class Calls:
    """Runs the calls of one reply.

    Args:
        tools: The functions, and how they are called.
        is_painted: Whether a thread follows the reply, which then runs them if it is the main one.
        limit_name: What an error calls the tools' ``max_turns``.

    Attributes:
        main_thread: Runs functions and questions, on the main thread if that waits.
        confirm: Asks whether a call may run, and returns the answer, or None if nobody can be
            asked; None here says so of all.
    """

    def __init__(
        self, tools: Tools, *, is_painted: bool = True, limit_name: str = "max_turns"
    ) -> None:
        self.main_thread = MainThreadRunner(expects_thread=is_painted)
        self.confirm: Callable[[PermissionRequest], Answer | None] | None = None
        self._tools = tools
        self._limit_name = limit_name
        self._turns = 0
        self._context = contextvars.copy_context()  # so that what is printed is this cell's

    async def run(self, calls: Sequence[Block], tell: Callable[[Any], None]) -> None:
        """Run the calls of a message; each ends with a ``ToolRan``, in whatever order.

        Args:
            calls: The calls.
            tell: Takes the events.

        Raises:
            ClaudeError: Tools have been run too often for this reply.
        """
        self._turns += 1
        most = self._tools.max_turns
        if self._turns > most:
            for call in calls:
                why = f"Not run: the limit of {most} is reached."
                tell(results.failed(call.id, why, "not run"))
            raise ClaudeError(
                f"This reply has used tools {most} time{'s' * (most > 1)}, the limit.",
                f"To allow more, raise {self._limit_name}. In a conversation, the next question"
                " continues from their results.",
            )
        loop = asyncio.get_running_loop()
        on_thread = partial(self.main_thread.run, self._context)
        runs = [_Run(call, self._tools, tell, on_thread) for call in calls]
        tasks = [
            loop.create_task(run.run(self._allowed), context=self._context.copy()) for run in runs
        ]
        try:
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)  # until each has reported its end
            raise

    def _allowed(self, asked: PermissionRequest) -> Answer | None:
        return None if self.confirm is None else self.confirm(asked)


class _NotRunError(Exception):
    """A call that is not run, with a message for the model and a note for the user."""


@dataclass
class _Run:
    """The run of one call."""

    _call: Block
    _tools: Tools
    _tell: Callable[[Any], None]
    _on_thread: Callable[..., Awaitable[Any]]
    _started: float = 0.0

    async def run(self, allowed: Callable[[PermissionRequest], Answer | None]) -> None:
        """Run it, and report its result, whatever it is."""
        call = self._call.id
        try:
            tool, arguments = self._checked()
            if self._tools.asks(tool):
                await self._confirm(tool, allowed)
            content, note, shown = await self._value(tool, arguments)
            ran = ToolRan(call, content, note=note, seconds=self._seconds, display=shown)
        except _NotRunError as reason:
            ran = results.failed(call, *reason.args)
        except TimeUpError:
            limit = f"{self._tools.timeout:g} s"
            ran = results.failed(
                call, f"Stopped after {limit}.", "time is up", seconds=self._seconds
            )
        except RaisedError as raised:
            if isinstance(raised.error, StoppedError):  # of a reply that the function asked for
                self._stopped()
            ran = results.raised(call, raised.error, self._seconds)
        except asyncio.CancelledError:
            self._stopped()
        self._tell(ran)

    def _stopped(self) -> NoReturn:
        note = "stopped" if self._started else "not run: stopped"
        message = "The user stopped this."
        self._tell(results.failed(self._call.id, message, note, seconds=self._seconds))
        raise asyncio.CancelledError from None

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._started if self._started else 0.0

    def _begin(self) -> None:
        self._started = time.monotonic()
        self._tell(ToolStarted(self._call.id))

    def _checked(self) -> tuple[Tool, dict[str, Any]]:
        """The function and its arguments, if there are such."""
        name = self._call.name
        tool = self._tools.get(name)
        if tool is None:
            there = ", ".join(self._tools.names) or "none"
            raise _NotRunError(f"There is no tool {name}. There are: {there}.", "no such tool")
        arguments = self._call.input
        if arguments is None:
            broken = json.dumps({"INVALID_JSON": self._call.text}, ensure_ascii=False)
            raise _NotRunError(broken, "not run: its input is not valid JSON")
        return tool, arguments

    async def _confirm(
        self, tool: Tool, allowed: Callable[[PermissionRequest], Answer | None]
    ) -> None:
        """Ask whether it may run.

        Raises:
            _NotRunError: It may not.
        """

        def ask() -> Answer | None:
            if not self._tools.asks(tool):  # an answer to the call before was for this one too
                return "once"
            consent = tool.consent
            asked = PermissionRequest(self._call) if consent is None else consent.ask(self._call)
            answer = allowed(asked)
            if consent is not None and answer is not None:
                consent.record(answer)
            return answer

        answer = await self._on_thread(ask, partial(self._tell, ToolAsked(self._call.id)))
        if answer is None:
            why = "" if self._tools.is_named else "not named in this cell, and "
            reason = tool.consent.reason if tool.consent is not None else ""
            raise _NotRunError(
                "This was not run: nobody could be asked to allow it.",
                f"not run: {why}nobody could be asked{f' ({reason})' if reason else ''}",
            )
        if answer == "no":
            raise _NotRunError("The user did not allow this call.", "not allowed")

    async def _value(
        self, tool: Tool, arguments: dict[str, Any]
    ) -> tuple[results.Content, str, tuple[Part, ...]]:
        """Call the function, and make a result of what it returns."""

        def called() -> Any:
            value = tool.call(arguments)
            return value if inspect.isawaitable(value) else results.returned(value)

        limit = self._tools.timeout
        if tool.is_async:
            self._begin()
            made = contained(called)
        else:
            made = await self._on_thread(called, self._begin, limit)
        if inspect.isawaitable(made):
            value = await in_time(side_loop().run(_awaited(made)), limit)
            made = await asyncio.to_thread(contained, results.returned, value)
        content, note, shown = made
        return content, note, shown


async def _awaited(running: Awaitable[Any]) -> Any:
    """``contained`` for an asynchronous function, which runs already."""
    try:
        return await running
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # Stop, or its time is up
        raise RaisedError(error) from None
