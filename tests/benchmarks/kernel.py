"""A real kernel, and what a cell costs in it, seen from where a front end sits."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER = re.compile(rb"word(\d{6,7})")
_PATIENCE = 600_000
"""Milliseconds without a message after which a cell counts as hung."""

_SET_UP = """
import anthropic, time
from IPython.display import Markdown, display
%load_ext claude_nb
import claude_nb
client, kept = anthropic.Anthropic(max_retries=0), []
def asked(prompt):
    messages = [{{"role": "user", "content": prompt}}]
    return dict(model={model!r}, max_tokens=16_000, messages=messages)
"""

VARIANTS = {
    "nothing": "pass",
    "events": """
with client.messages.create(**asked({prompt!r}), stream=True) as stream:
    for event in stream:
        pass
""",
    "text_stream": """
with client.messages.stream(**asked({prompt!r})) as stream:
    for text in stream.text_stream:
        pass
""",
    "print": """
with client.messages.stream(**asked({prompt!r})) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
""",
    "Markdown": """
shown, handle = "", display(Markdown(""), display_id=True)
with client.messages.stream(**asked({prompt!r})) as stream:
    for text in stream.text_stream:
        shown += text
        handle.update(Markdown(shown))
""",
    "live": "%%claude --once\n{prompt}",
    "updating": "%%claude --once\n{prompt}",
}
"""The ways to run a streamed reply in a cell. The last two differ in the front end."""

KEPT = {
    "kept": """
import gc
get_ipython().run_cell_magic("claude", "--once", {prompt!r})
kept.append(claude_nb.last())
gc.collect()
""",
}
"""A reply that stays."""

EIGHT = {
    "eight in turn": """
for _ in range(8):
    get_ipython().run_cell_magic("claude", "--once", {prompt!r})
""",
    "eight at once": """
for _ in range(8):
    get_ipython().run_cell_magic("claude", "--background", {prompt!r})
%claude_nb jobs wait
""",
}
"""The same reply eight times, one after another and all together."""


@dataclass(frozen=True)
class Run:
    """What one cell cost.

    Attributes:
        cpu: Seconds of processor time in the kernel, all its threads.
        messages: Messages on IOPub, status messages not counted.
        size: Their bytes on the wire.
        wall: Seconds from the request to the idle status.
        payload: Characters of the reply.
        delays: For each delta of a ``numbered`` reply, the seconds from the server's write to the
            first message that holds it.
    """

    cpu: float
    messages: int
    size: int
    wall: float
    payload: int
    delays: list[float]


class Kernel:
    """A kernel that asks the benchmark's server, with the SDK imported and one request done.

    Args:
        replies: The server (``server.Replies``).
        front_end: Whether cells are run as JupyterLab runs them: with a cell's id, and with answers
            to the widget's messages.
    """

    def __init__(self, replies: Any, *, front_end: bool) -> None:
        self._replies = replies
        self._front_end = front_end

    def __enter__(self) -> Self:
        from tests.benchmarks.server import MODEL

        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANTHROPIC_", "CLAUDE_NB_"))
        } | {"ANTHROPIC_BASE_URL": self._replies.url, "ANTHROPIC_API_KEY": "not-a-key"}
        self._manager, self._client = start_new_kernel(env=environment)
        self._execute(_SET_UP.format(model=MODEL))
        for variant in ("text_stream", "print", "live"):
            self.run(variant, "mixed 50 4 0")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def run(self, variant: str, prompt: str) -> Run:
        """Run a variant as a cell.

        Args:
            variant: One of ``VARIANTS``, ``KEPT`` or ``EIGHT``.
            prompt: What the server shall send (``server``).
        """
        cpu = self._cpu()
        start = time.monotonic()
        arrived = self._execute((VARIANTS | KEPT | EIGHT)[variant].format(prompt=prompt))
        wall = time.monotonic() - start
        cpu = self._cpu() - cpu
        kind, count, size, _ = prompt.split()
        delays = []
        if kind == "numbered" and variant not in ("nothing", "events", "text_stream"):
            delays = list(_delays(self._replies.sent(), arrived))
        sizes = [sum(map(len, parts)) for _, parts in arrived]
        return Run(cpu, len(sizes), sum(sizes), wall, int(count) * int(size), delays)

    def resident(self) -> int:
        """Bytes of memory that the kernel holds."""
        return 4096 * int(self._evaluate("open('/proc/self/statm').read().split()[1]").strip("'"))

    def _cpu(self) -> float:
        """The processor time that the kernel has used."""
        return float(self._evaluate("__import__('time').process_time()"))

    def _evaluate(self, expression: str) -> str:
        """The ``repr`` of an expression in the kernel."""
        code = {"value": expression}
        asked = self._client.execute("", silent=True, user_expressions=code)
        while True:
            reply = self._client.get_shell_msg(timeout=60)
            if reply["parent_header"]["msg_id"] == asked:
                break
        while not self._is_idle(self._receive(), asked):
            pass
        value: str = reply["content"]["user_expressions"]["value"]["data"]["text/plain"]
        return value

    def _execute(self, code: str) -> list[tuple[float, list[bytes]]]:
        """Run a cell; its messages as they came, each with its time."""
        session = self._client.session
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
        message = session.msg("execute_request", content | {"user_expressions": {}})
        message["metadata"] = {"cellId": "cell"} if self._front_end else {}
        session.send(self._client.shell_channel.socket, message)
        asked = message["header"]["msg_id"]
        arrived: list[tuple[float, list[bytes]]] = []
        comm = None
        while True:
            parts = self._receive()
            now = time.monotonic()
            kind = json.loads(parts[0])["msg_type"]
            if kind == "error":
                raise RuntimeError("\n".join(json.loads(parts[3])["traceback"]))
            if kind != "status":
                arrived.append((now, parts))
            elif self._is_idle(parts, asked):
                break
            if kind == "comm_open":
                opened = json.loads(parts[3])
                if "_view_module" in opened["data"]["state"] and comm is None:
                    comm = self._widget_of(opened)
                    self._say(opened["comm_id"], {"op": "hears"})
            if kind == "update_display_data" and comm:
                self._say(comm, {"op": "gone"})
        return arrived

    def _widget_of(self, opened: dict[str, Any]) -> str | None:
        module = opened["data"]["state"].get("_view_module")
        return opened["comm_id"] if module == "anywidget" else None

    def _say(self, comm: str, words: dict[str, object]) -> None:
        """A message of the page to its widget."""
        data = {"method": "custom", "content": words}
        session = self._client.session
        session.send(self._client.shell_channel.socket, "comm_msg", {"comm_id": comm, "data": data})

    def _receive(self) -> list[bytes]:
        """The next message on IOPub: header, parent, metadata, content, buffers."""
        socket = self._client.iopub_channel.socket
        if not socket.poll(_PATIENCE):
            raise TimeoutError("The kernel is silent.")
        parts = socket.recv_multipart()
        return parts[parts.index(b"<IDS|MSG>") + 2 :]

    def _is_idle(self, parts: list[bytes], asked: str) -> bool:
        header, parent, content = json.loads(parts[0]), json.loads(parts[1]), parts[3]
        return (
            header["msg_type"] == "status"
            and parent.get("msg_id") == asked
            and json.loads(content)["execution_state"] == "idle"
        )


def _delays(sent: list[float], arrived: list[tuple[float, list[bytes]]]) -> Iterator[float]:
    """How long each delta took; they come in order, so the last in a message says it for all."""
    number = 0
    for now, parts in arrived:
        content = parts[3]
        last = content.rfind(b"word")
        while last >= 0 and not (found := _NUMBER.match(content, last)):
            last = content.rfind(b"word", 0, last)
        while last >= 0 and number <= int(found[1]):
            yield now - sent[number]
            number += 1
    if number != len(sent):
        raise RuntimeError(f"{len(sent) - number} deltas never came.")
