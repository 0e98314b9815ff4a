"""A kernel that has run two hundred ``%%claude`` cells is as it was after the first few."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client import BlockingKernelClient

CELLS = 200

# What is counted, by the kernel itself. Memory in MB: what the process holds, not its peak.
COUNT = """
import asyncio, gc, json, threading
import ipywidgets, psutil
from claude_nb.client.engine import engine
gc.collect()
process = psutil.Process()
print(json.dumps({
    "widgets": len(ipywidgets.widgets.widget._instances),
    "comms": len(get_ipython().kernel.comm_manager.comms),
    "threads": threading.active_count(),
    "tasks": len(asyncio.all_tasks(engine().loop)),
    "files": process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
    "resident": process.memory_info().rss / 1e6,
}))
"""


class FrontEnd:
    """What a front end does with a cell: it names it, shows its widget, and lets it go."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client
        self.settled = 0

    def run(self, code: str) -> str:
        """Run a cell and return what it printed."""
        client = self._client
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
        request = client.session.msg("execute_request", content, metadata={"cellId": "cell"})
        client.shell_channel.send(request)
        printed, widget = "", ""
        while True:
            message = client.get_iopub_msg(timeout=60)
            kind, content = message["msg_type"], message["content"]
            ours = message["parent_header"].get("msg_id") == request["header"]["msg_id"]
            if kind == "comm_open" and "columns" in content["data"]["state"]:
                widget = content["comm_id"]
                self._send(widget, {"op": "hears"})
            elif kind == "update_display_data":
                assert "text/html" in content["data"]
                self.settled += 1
                self._send(widget, {"op": "gone"})
            elif kind == "stream" and content["name"] == "stdout":
                printed += content["text"]
            elif kind == "error":
                pytest.fail("\n".join(content["traceback"]))
            elif ours and kind == "status" and content["execution_state"] == "idle":
                client.get_shell_msg(timeout=60)
                return printed

    def _send(self, comm: str, content: dict[str, Any]) -> None:
        data = {"method": "custom", "content": content}
        message = self._client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        self._client.shell_channel.send(message)


@pytest.fixture
def front_end(api) -> Iterator[FrontEnd]:
    """A kernel whose requests go to the simulator, and the front end in front of it."""
    manager, client = start_new_kernel(env=dict(os.environ))
    yield FrontEnd(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


@pytest.mark.kernel
def test_two_hundred_cells_leave_nothing_behind(front_end):
    """No widget, comm, thread, task or open file more than after fifty, and hardly any memory."""
    front_end.run("%load_ext claude_nb")
    for _ in range(50):
        front_end.run("%%claude --once\nhello")
    before = json.loads(front_end.run(COUNT))
    for _ in range(CELLS - 50):
        front_end.run("%%claude --once\nhello")
    after = json.loads(front_end.run(COUNT))
    assert front_end.settled == CELLS
    assert after.pop("resident") - before.pop("resident") < 8
    assert after.pop("files") - before.pop("files") <= 2  # a warm socket comes and goes
    assert before == after
    # The widget that keeps outputs up to date, and its layout.
    assert (before["widgets"], before["comms"], before["tasks"]) == (2, 2, 0)
