"""A function of the user's in the place of a model: a ``Source`` of what it returns or yields."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Generator,
    Iterator,
)
from contextlib import aclosing, closing, suppress
from contextvars import copy_context
from typing import Any

from claude_nb.asking.function_events import Answer
from claude_nb.characters import clean
from claude_nb.client.engine import Stream, begun
from claude_nb.client.source import Source
from claude_nb.errors import ClaudeError, InputError
from claude_nb.redaction import redact
from claude_nb.render import display_blocks
from claude_nb.reply import Reply
from claude_nb.request.attachments.attachment import is_picture
from claude_nb.request.request import Request
from claude_nb.streaming.block import TEXTS
from claude_nb.streaming.events import Responded, StreamEvent
from claude_nb.tools import results
from claude_nb.tools.main_thread import RaisedError
from claude_nb.tools.side_loop import answer_loop

Respond = Callable[[list[dict[str, Any]]], Any]
"""Takes the messages of a chat, and returns or yields the answer: see ``chat.chat.Chat``."""

ORIGIN = "a function"
"""What stands for the server that answered, in a conversation."""

_WAITING = 64
"""What a function may yield before it waits for its reader."""

_EXAMPLE = 'def answer(messages): return f"You said: {messages[-1]["content"]}"'


def checked(respond: Any) -> Respond:
    """The function, if it can answer.

    Raises:
        InputError: It is no function, or does not take the messages alone.
    """
    if not callable(respond):
        raise InputError(f"respond is a function, not {respond!r:.60}.", f"For example: {_EXAMPLE}")
    try:
        inspect.signature(respond).bind([])
    except TypeError:
        raise InputError(
            f"respond is called with one argument, the messages; {name_of(respond)} cannot take"
            " it.",
            f"For example: {_EXAMPLE}",
        ) from None
    except ValueError:  # a built-in function does not tell what it takes
        pass
    made: Respond = respond
    return made


def name_of(respond: Respond) -> str:
    """What the function is called, for those who read its answers."""
    function = getattr(respond, "func", respond)  # of a partial
    name = getattr(function, "__name__", "") or type(function).__name__
    return clean(redact(str(name)))[:60].strip() or "respond"


def messages(request: Request) -> list[dict[str, Any]]:
    """The messages of a chat as its function gets them, the newest question last.

    They are the API's dicts, made anew: the content is a text, or a list of content blocks where
    files or images go along. Thinking and calls of tools are left out.
    """
    made: list[dict[str, Any]] = []
    for turn in request.params()["messages"]:
        if turn["role"] == "system":
            continue
        content = turn["content"]
        if not isinstance(content, str):
            blocks = [_plain(block) for block in content if block["type"] in _SENT]
            is_text = all(block["type"] == "text" for block in blocks)
            content = "".join(block["text"] for block in blocks).strip() if is_text else blocks
        before = made[-1] if made else {}
        both = (before.get("content"), content)
        if content and before.get("role") == turn["role"] and all(isinstance(c, str) for c in both):
            before["content"] += f"\n\n{content}"  # around calls of tools
        elif content:
            made.append({"role": turn["role"], "content": content})
    return made


_SENT = (*TEXTS, "image", "document", "search_result")


def _plain(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] in TEXTS:
        return {"type": "text", "text": block["text"]}
    return {name: value for name, value in block.items() if name != "cache_control"}


class FunctionSource(Source):
    """A ``Source`` of what a function answers; nothing is sent.

    The function runs on a thread of its own, what it awaits on the loop of answers, both in the
    context in which this is made.

    Args:
        respond: The function.
    """

    def __init__(self, respond: Respond) -> None:
        self.sent = []
        self._respond = respond
        self._streams: list[Stream] = []
        self._context = copy_context()
        self._context.run(begun.set, self._streams)

    def params(self, request: Request) -> dict[str, Any]:  # noqa: ARG002 - nothing is sent
        """Nothing."""
        return {}

    async def events(self, request: Request) -> AsyncGenerator[Any, None]:
        """Call the function, and yield what it answers as the events of a reply.

        Raises:
            ClaudeError: It raised something, or answered nothing; or a reply that it passed on has
                failed.
        """
        items, answer = _Items(), Answer()
        run = asyncio.create_task(self._run(messages(request), items), context=self._context)
        try:
            async with aclosing(items.all()) as given:
                async for item in given:
                    for event in answer.take(item):
                        yield event
            for event in answer.end():
                yield event
            if not answer.part:
                what = f"{name_of(self._respond)} returned nothing."
                raise ClaudeError(what, "Return or yield text.")
            yield Responded()
        except RaisedError as raised:
            if isinstance(raised.error, ClaudeError):  # of a reply that it asked for
                raise raised.error from None
            ran = results.raised("", raised.error, 0.0)
            for event in answer.traceback(ran.details):
                yield event
            what = f"{name_of(self._respond)} raised {ran.content[0]['text']}"
            advice = "Correct it, then run its cell and the chat's cell again."
            raise ClaudeError(what, advice) from None
        except (asyncio.CancelledError, GeneratorExit):
            for stream in self._streams:
                stream.stop()
            raise
        finally:
            items.close()
            run.cancel()

    async def _run(self, asked: list[dict[str, Any]], items: _Items) -> None:
        """Run the function to its end, and put what it answers among the items."""

        def call() -> Any:
            answer = self._respond(asked)
            return answer if _is_async(answer) else items.put_each(_each(answer))

        answer = await _on_thread(call)
        if _is_async(answer):
            loop = await answer_loop()
            answer = await loop.run(_awaited(answer, items))
        await items.finish(answer)


async def _on_thread(function: Callable[[], Any]) -> Any:
    """Call a function on a thread of its own, in this context.

    It is left behind when the wait is cancelled, or the process ends.

    Returns:
        What it returned, or a ``RaisedError``; None if the reply has ended.
    """
    loop, made = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def run() -> None:
        value: Any = None
        try:
            value = function()
        except _LeftError:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the function's
            value = RaisedError(error)
        loop.call_soon_threadsafe(_set, made, value)

    context = copy_context()
    name = "claude_nb respond"
    threading.Thread(target=context.run, args=(run,), name=name, daemon=True).start()
    return await made


def _set(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _is_async(value: Any) -> bool:
    kinds = (Awaitable, AsyncIterable)  # of its type: an object may have any attribute
    return isinstance(value, kinds) and not isinstance(value, Stream)


def _each(answer: Any) -> Generator[Any, None, None]:
    """What a function has returned, one by one; a generator is closed in the end."""
    if isinstance(answer, Iterator):
        try:
            yield from answer
        finally:
            if close := getattr(answer, "close", None):
                close()
    elif isinstance(answer, tuple):
        yield from answer
    else:
        yield answer


async def _awaited(answer: Any, items: _Items) -> Any:
    """Await what a function has returned, on this loop; return what it raised, or None."""
    try:
        while isinstance(answer, Awaitable):
            answer = await answer
        if not _is_async(answer):
            return await _on_thread(lambda: items.put_each(_each(answer)))
        try:
            async for item in answer:
                await _give(item, items)
        finally:
            if close := getattr(answer, "aclose", None):
                await close()
    except _LeftError:
        return None
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return RaisedError(error)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the function's
        return RaisedError(error)
    return None


async def _give(item: Any, items: _Items) -> None:
    each = lambda: items.put_each(_each((item,)))  # noqa: E731
    if isinstance(item, Stream):
        async for event in item:
            await items.put_async(event)
    elif isinstance(item, (str, StreamEvent)):
        for piece in _pieces(item):
            await items.put_async(piece)
    else:
        put = _awaited(item, items) if _is_async(item) else _on_thread(each)
        if (raised := await put) is not None:
            raise raised.error


def _pieces(item: Any) -> Generator[Any, None, None]:
    """What a function has yielded as texts, events of replies, and blocks that display it."""
    if isinstance(item, str):
        yield str.__str__(item)  # of a subclass, without its own code
    elif isinstance(item, StreamEvent):
        yield item
    elif isinstance(item, Stream):
        yield from item
    elif isinstance(item, Reply):
        with suppress(ClaudeError):  # it is among its events
            item.wait()
        yield from item.events
    elif isinstance(item, Iterator):  # a generator that another one yields
        with closing(_each(item)) as each:
            for one in each:
                yield from _pieces(one)
    elif item is not None:
        _check_runs(item)
        block = display_blocks.to_block(item)
        if is_picture(item):
            _close(item)
        yield block


def _check_runs(item: Any) -> None:
    """Refuse what only an asynchronous function can await.

    Raises:
        InputError: It is a coroutine or the like.
    """
    if not _is_async(item):
        return
    if inspect.iscoroutine(item):
        item.close()  # or Python warns that it never ran
    what = f"The function yielded a {type(item).__name__}, which only an async function can await."
    raise InputError(what, "Define it with async def, and await before the yield: yield await …")


def _close(picture: Any) -> None:
    """Close a figure that is displayed here: the inline backend would do so in the next cell."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    figure = getattr(picture, "figure", None) or picture
    if pyplot is None or not isinstance(figure, pyplot.Figure):
        return
    if "inline" in pyplot.get_backend().lower():
        pyplot.close(figure)


class _LeftError(BaseException):
    """The reply has ended: no more is taken of what a function yields, which ends there."""


class _Items:
    """What a function yields, on its way from any thread to the engine's.

    Attributes:
        loop: The engine's.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Any] = asyncio.Queue(_WAITING)
        self._closed = False

    def put(self, item: Any) -> None:
        """Put an item from another thread, once there is room.

        Raises:
            _LeftError: The reply has ended.
        """
        asyncio.run_coroutine_threadsafe(self._put(item), self.loop).result()

    def put_each(self, values: Generator[Any, None, None]) -> None:
        """Put what a function yields, one by one, from a thread that is no loop's; close it.

        Raises:
            _LeftError: The reply has ended.
        """
        with closing(values):
            for value in values:
                with closing(_pieces(value)) as pieces:
                    for piece in pieces:
                        self.put(piece)

    async def put_async(self, item: Any) -> None:
        """``put`` from another loop."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._put(item), self.loop))

    async def finish(self, raised: RaisedError | None) -> None:
        """The function has ended, or raised something."""
        await self._queue.put(raised)

    async def _put(self, item: Any) -> None:
        if not self._closed:
            await self._queue.put(item)
        if self._closed:
            raise _LeftError

    async def all(self) -> AsyncGenerator[Any, None]:
        """The items until the function has ended.

        Raises:
            RaisedError: It raised something.
        """
        while (item := await self._queue.get()) is not None:
            if isinstance(item, RaisedError):
                raise item
            yield item

    def close(self) -> None:
        """Take no more, and let go of who waits for room."""
        self._closed = True
        while not self._queue.empty():
            self._queue.get_nowait()
