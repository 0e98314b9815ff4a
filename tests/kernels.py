"""A real kernel: started once for all tests, and cleared before each."""

from __future__ import annotations

import os
from contextlib import contextmanager

import ipykernel
from jupyter_client.manager import start_new_kernel

FORGET = """
import gc, os, sys
import anthropic
import claude_nb
from claude_nb.asking.conversation import Conversation
from claude_nb.asking.jobs import jobs
from claude_nb.conversation.snapshot import snapshot
from claude_nb.keeping.keeper import keeper
from claude_nb.session.session import session
from claude_nb.tools.mcp.named import servers
from claude_nb.views.answers import answers
from claude_nb.views.synced_output import output_sync
jobs.close(); jobs.wait()
session.simulate(on=False)
environment = vars(sys).setdefault("environment_at_first", dict(os.environ))
os.environ.clear(); os.environ.update(environment)
session.__init__()
snapshot.__init__()
answers.__init__()
output_sync().close()
keeper.__init__()
Conversation._named.clear()
for server in servers.values(): server.close()
servers.clear()
claude_nb.unload_ipython_extension(get_ipython())
get_ipython().extension_manager.loaded.discard("claude_nb")
get_ipython().config.pop("ClaudeMagics", None)  # of %config
if not gc.get_freeze_count():
    gc.collect()
    gc.freeze()  # reset() collects garbage: what was imported is none
get_ipython().reset()
"""
"""Makes IPython as good as new; the next cell is its first."""

CLEAR = f"""{FORGET}
import claude_nb
claude_nb.load_ipython_extension(get_ipython())
del claude_nb
"""
"""The same, with the extension loaded."""

ONE_TRY = "%config ClaudeMagics.tries = 1"


class Kernel:
    """A kernel, and what its last cell gave."""

    def __init__(self, manager, client) -> None:
        self.manager = manager
        self.client = client

    def clear(self):
        """Forget what other tests have done."""
        self.asked, self.shown = self.client.execute(CLEAR + ONE_TRY, silent=True), {}
        self.messages = []
        reply = self.finish()
        assert reply["status"] == "ok", reply

    def start(self, code, cell="", *, asks=False, page=None):
        """Send a cell, with its id if it has one, without waiting for it.

        ``asks`` says that there is somebody to give input, as there is not under nbclient; ``page``
        is what a page with the JupyterLab extension tells.
        """
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": asks}
        content["stop_on_error"] = False  # ipykernel 6 aborts what comes soon after an error, too
        metadata = ({"cellId": cell} if cell else {}) | ({"claude_nb": page} if page else {})
        request = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(request)
        self.asked, self.shown, self.printed = request["header"]["msg_id"], {}, ""
        self.messages = []

    def finish(self, timeout=60):
        """Wait for the cell; the outputs by display id or number, updates applied."""
        status = None
        while status is None:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != self.asked:
                continue
            kind, content = message["msg_type"], message["content"]
            self.messages.append((kind, content))
            if kind in ("display_data", "update_display_data", "execute_result"):
                place = content.get("transient", {}).get("display_id", len(self.shown))
                self.shown[place] = content
            elif kind == "stream":
                self.printed += content["text"]
            elif kind == "status" and content["execution_state"] == "idle":
                status = content
        while True:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"]["msg_id"] == self.asked:
                return reply["content"]

    def run(self, code, cell="", *, asks=False, page=None):
        """Run a cell to its end."""
        self.start(code, cell, asks=asks, page=page)
        return self.finish()

    def new_subshell(self):
        """A thread that reads the page's messages while a cell runs, as JupyterLab asks for it.

        None with ipykernel 6, which has no such thread.
        """
        if ipykernel.version_info < (7,):
            return None
        self.client.control_channel.send(self.client.session.msg("create_subshell_request", {}))
        return self.client.get_control_msg(timeout=60)["content"]["subshell_id"]

    def say(self, comm, **content: object):
        """Let a widget say something, and return the id of the message."""
        data = {"comm_id": comm, "data": {"method": "custom", "content": content}}
        message = self.client.session.msg("comm_msg", data)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def last_shown(self):
        """The newest output of the last cell."""
        return list(self.shown.values())[-1]


@contextmanager
def running_kernel(base_url):
    """A kernel whose environment names this server as the API."""
    env = os.environ | {"ANTHROPIC_BASE_URL": base_url, "ANTHROPIC_API_KEY": "not-a-key"}
    manager, client = start_new_kernel(env=env)
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
