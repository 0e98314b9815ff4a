"""A page without a browser: what it is sent is written down, and what it says is delivered."""

from __future__ import annotations

import copy
import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ipywidgets.widgets import widget

if TYPE_CHECKING:
    import pytest

    from claude_nb.chat.chat import Chat

try:
    import comm
    from comm.base_comm import BaseComm as Comm

    PLACE = (comm, "create_comm")
except ImportError:  # ipywidgets 7
    from ipykernel.comm import Comm as KernelComm

    class Comm(KernelComm):
        """One that needs no kernel to be open."""

        _manager = SimpleNamespace(register_comm=id, unregister_comm=id)
        kernel = SimpleNamespace(comm_manager=_manager, shell=None)

    PLACE = (widget, "Comm")


class Page:
    """What a page would have received, and what it says.

    Attributes:
        received: The custom messages, in order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.received: list[dict[str, Any]] = []
        self._said = 0
        received = self.received
        self._changed = changed = threading.Condition()

        class Recording(Comm):
            def publish_msg(self, msg_type: str, data: Any = None, **_: Any) -> None:
                json.dumps(data, ensure_ascii=False, default=str).encode()  # as Jupyter sends it
                if msg_type == "comm_msg" and data.get("method") == "custom":
                    with changed:
                        received.append(copy.deepcopy(data["content"]))
                        changed.notify_all()

            _publish_msg = publish_msg  # its name in ipykernel 6.17

        monkeypatch.setattr(*PLACE, Recording)

    def say(self, chat: Chat, op: str, *, buffers: tuple[bytes, ...] = (), **more: Any) -> Any:
        """Say something to a chat, and return its answer; a question names what is picked."""
        return self.answer(self.begin_to_say(chat, op, buffers=buffers, **more))

    def begin_to_say(
        self, chat: Chat, op: str, *, buffers: tuple[bytes, ...] = (), **more: Any
    ) -> int:
        """Say something to a chat, and return the number of its answer."""
        self._said += 1
        if op in ("send", "retry", "edit"):
            more = {"model": chat.model, "effort": chat.effort, **more}
        elif op == "stop":
            more = {"turn": self.turns()[-1]["key"], **more}
        content = {"op": op, "n": self._said, **more}
        message = {
            "content": {"data": {"method": "custom", "content": content}},
            "buffers": [memoryview(buffer) for buffer in buffers],
        }
        chat.comm.handle_msg(message)
        return content["n"]

    def answer(self, number: int) -> Any:
        """The answer of this number, once it has come."""
        with self._changed:
            answers = self._changed.wait_for(
                lambda: [m for m in self.received if m.get("ack") == number], 60
            )
        return {k: v for k, v in answers[0].items() if k != "ack"}

    def ops(self, *names: str) -> list[dict[str, Any]]:
        """The operations of the messages so far, those of these names or all."""
        found = [op for message in self.received for op in message.get("ops", [])]
        return [op for op in found if not names or op["op"] in names]

    def questions(self) -> list[dict[str, Any]]:
        """What was said of questions about calls, in order."""
        ops = [op for frame in self.ops("frame") for op in frame["ops"]]
        return [op for op in ops if op["op"] == "confirm"]

    def asks(self, call: str) -> None:
        """Wait for the question about a call."""
        with self._changed:
            asked = self._changed.wait_for(
                lambda: [op for op in self.questions()[-1:] if op.get("call") == call], 60
            )
        assert asked, f"nobody has asked about {call}"

    def wait_for(self, op: str) -> None:
        """Wait until it was sent an operation of this name."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.ops(op), 60), f"nothing was {op}"

    def wait_for_words(self, words: str) -> None:
        """Wait until a frame has these words."""
        with self._changed:
            assert self._changed.wait_for(lambda: words in json.dumps(self.ops("frame")), 60), words

    def turns(self) -> list[dict[str, Any]]:
        """The turns as the page has them now."""
        shown: list[dict[str, Any]] = []
        for op in self.ops("turns"):
            shown[op["keep"] :] = op["turns"]
        return shown
