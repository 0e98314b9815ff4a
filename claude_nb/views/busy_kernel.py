"""Lets pages reach the widgets while a cell runs, also a page that is loaded only then.

A page that is loaded asks who the kernel is, then for the state of all widgets; until it is
answered it shows none, and drops what the kernel sends. ipykernel answers on the main thread, which
is busy until the cell ends. There it also handles what a page sends to a widget before it has a
subshell for that, or where it uses none. These messages are taken before ipykernel has them.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakSet, ref

from ipywidgets import Widget

from claude_nb.client import waiting
from claude_nb.request.place import shell

_REQUESTS = ("kernel_info_request", "comm_info_request")
_COMM = ("comm_open", "comm_msg")
_CONTROL = "jupyter.widget.control"
"""The target of the comm by which a page asks for the state of all widgets."""


class BusyKernel:
    """Handles messages that the kernel would handle when the cell has ended."""

    def __init__(self) -> None:
        self._comms: WeakSet[Any] = WeakSet()
        self._control_comms: set[str] = set()
        self._kernel: Any = None
        self._worker = ThreadPoolExecutor(1, "claude_nb messages")

    def reach(self, comm: Any) -> None:
        """From now on, let pages reach whoever listens to this comm.

        Messages whose ``method`` is ``custom`` arrive without the status of the kernel.
        """
        # ipykernel 7.4 handles a comm's messages on the shell that last wrote to it: the cell's
        # own, which is busy until the cell ends, so no click would arrive before. If that routing
        # exists, this restores the front end's choice.
        if hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = lambda _data, default=None: default  # noqa: SLF001
        # comm triggers IPython's events around each message as around a cell: Matplotlib would draw
        # and close the figures that a cell, a tool or a function of a chat draws on meanwhile.
        comm.handle_msg = partial(_handle, ref(comm))
        self._comms.add(comm)
        kernel: Any = getattr(shell(), "kernel", None)
        if self._kernel is not None:
            return
        if thread := getattr(kernel, "shell_channel_thread", None):  # ipykernel 7 has it
            self._kernel = kernel
            thread.io_loop.add_callback(kernel.shell_stream.on_recv, self._receive, copy=False)
        elif hasattr(kernel, "msg_queue") and hasattr(kernel, "schedule_dispatch"):  # ipykernel 6
            self._kernel = kernel
            listen = partial(kernel.shell_stream.on_recv, self._receive_6, copy=False)
            on_main_thread = threading.current_thread() is threading.main_thread()
            listen() if on_main_thread else kernel.io_loop.add_callback(listen)
            waiting.meanwhile.append(kernel.shell_stream.flush)  # receives what has come

    def _receive_6(self, frames: list[Any]) -> None:
        """Handle a message, on the main thread of ipykernel 6, or leave it to the kernel."""
        kernel, handled = self._kernel, False
        try:  # a kernel that waits for no message is busy
            handled = not kernel.msg_queue._getters and self._handle_6(frames)  # noqa: SLF001
        except Exception:
            kernel.log.warning("claude_nb leaves a message to the kernel", exc_info=True)
        if not handled:
            kernel.schedule_dispatch(kernel.dispatch_shell, frames)

    def _handle_6(self, frames: list[Any]) -> bool:
        """Handle a message, or begin to, and return whether it was one of those."""
        taken = self._taken(frames)
        if taken is None:
            return False
        if taken[1]["header"]["msg_type"] in _REQUESTS:
            with suppress(StopIteration):  # nothing in it waits
                self._answer(*taken).send(None)
            self._kernel.shell_stream.flush()
        else:
            self._worker.submit(self._handle_comm, *taken)
        return True

    async def _receive(self, frames: list[Any]) -> None:
        """Handle a message, on the thread that receives all of them, or leave it to the kernel."""
        kernel, handled = self._kernel, False
        if kernel._main_asyncio_lock.locked():  # noqa: SLF001 - a cell is running
            try:
                handled = await self._handle(frames)
            except Exception:
                kernel.log.warning("claude_nb leaves a message to the kernel", exc_info=True)
        if not handled:
            await kernel.shell_channel_thread_main(frames)

    async def _handle(self, frames: list[Any]) -> bool:
        """Handle a message, and return whether it was one of those."""
        taken = self._taken(frames)
        if taken is None:
            return False
        if taken[1]["header"]["msg_type"] in _REQUESTS:
            await self._answer(*taken)
        else:
            loop, context = asyncio.get_running_loop(), contextvars.copy_context()
            await loop.run_in_executor(self._worker, context.run, self._handle_comm, *taken)
        return True

    def _taken(self, frames: list[Any]) -> tuple[list[Any], dict[str, Any]] | None:
        """The sender's identities and the message, if it is one to handle."""
        session = self._kernel.session
        identities, rest = session.feed_identities(frames, copy=False)
        message = session.deserialize(rest, content=False, copy=False)
        kind = message["header"]["msg_type"]
        has_subshell = message["header"].get("subshell_id") is not None
        content = message["content"] = session.unpack(message["content"])
        if kind in _REQUESTS:
            takes = not has_subshell
        else:
            takes = kind in _COMM and self._takes(content, has_subshell=has_subshell)
        return (identities, message) if takes else None

    async def _answer(self, identities: list[Any], message: dict[str, Any]) -> None:
        """Say who the kernel is, or which comms it has."""
        kernel, kind = self._kernel, message["header"]["msg_type"]
        kernel._publish_status("busy", "shell", parent=message)  # noqa: SLF001
        await kernel.shell_handlers[kind](kernel.shell_stream, identities, message)
        kernel._publish_status("idle", "shell", parent=message)  # noqa: SLF001
        kernel._publish_status("busy", "shell")  # noqa: SLF001 - with the cell

    def _handle_comm(self, identities: list[Any], message: dict[str, Any]) -> None:
        """Let whoever listens to a comm have a message, on the thread for that."""
        kernel, content = self._kernel, message["content"]
        kind = message["header"]["msg_type"]
        if not hasattr(kernel, "msg_queue"):  # in ipykernel 6 a parent is that of all threads
            kernel.set_parent(identities, message)
        if content["comm_id"] in self._control_comms and kind == "comm_msg":
            # ipywidgets answers the page that was loaded last, whichever asks.
            comm = kernel.comm_manager.comms[content["comm_id"]]
            Widget._control_comm = comm  # noqa: SLF001
        kernel.shell_handlers[kind](None, identities, message)
        if _method(content) == "update":  # the page waits for it, with the next change
            kernel._publish_status("idle", "shell", parent=message)  # noqa: SLF001

    def _takes(self, content: dict[str, Any], *, has_subshell: bool) -> bool:
        """Whether to handle a message to a comm, on a thread for that.

        A subshell would do for a message to a widget of ours, but with its status messages the
        page would show that the kernel is idle, while the cell runs.
        """
        comm_id, method = content["comm_id"], _method(content)
        comm = self._kernel.comm_manager.comms.get(comm_id)
        if comm in self._comms and method == "custom":
            return True
        if has_subshell:
            return False
        if _CONTROL in (content.get("target_name"), getattr(comm, "target_name", "")):
            self._control_comms.add(comm_id)
        return comm_id in self._control_comms or comm in self._comms or method == "request_state"


def _handle(comm: Callable[[], Any], message: dict[str, Any]) -> None:
    """Handle a message to a comm, if that is still there."""
    callback = getattr(comm(), "_msg_callback", None)
    if callback is not None:
        callback(message)


def _method(content: dict[str, Any]) -> object:
    """What a message to a widget is about."""
    data = content.get("data")
    return data.get("method") if isinstance(data, dict) else None


busy_kernel = BusyKernel()
"""The kernel of this process."""
