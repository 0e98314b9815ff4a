"""Claude's streaming, native to Jupyter notebooks.

``%load_ext claude_nb`` brings the ``%%claude`` cell; everything in ``__all__`` is the same engine
for Python users. Names are imported when they are first used: loading the extension stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from claude_nb.asking.asking import ask, ask_async, last, stream
    from claude_nb.asking.cached_system import CachedSystem
    from claude_nb.asking.comparison import Comparison, compare
    from claude_nb.asking.conversation import Conversation
    from claude_nb.batches.batch import Batch, batch
    from claude_nb.chat.chat import Chat
    from claude_nb.client.retry import Policy
    from claude_nb.cost.usage import Usage
    from claude_nb.errors import ClaudeError
    from claude_nb.recording.recording import Recording
    from claude_nb.reply import Reply
    from claude_nb.request.attachments.attachment import Attachment, register_attachment
    from claude_nb.session.ledger import Ledger
    from claude_nb.simulator import Simulator
    from claude_nb.tools.results import Result
    from claude_nb.tools.tools import Tools

    ledger: Ledger

__version__ = "0.2.0"

__all__ = [
    "Attachment",
    "Batch",
    "CachedSystem",
    "Chat",
    "ClaudeError",
    "Comparison",
    "Conversation",
    "Policy",
    "Recording",
    "Reply",
    "Result",
    "Simulator",
    "Tools",
    "Usage",
    "ask",
    "ask_async",
    "batch",
    "compare",
    "last",
    "ledger",
    "register_attachment",
    "stream",
]

_HOME = {
    "Attachment": "request.attachments.attachment",
    "Batch": "batches.batch",
    "CachedSystem": "asking.cached_system",
    "Chat": "chat.chat",
    "Comparison": "asking.comparison",
    "Conversation": "asking.conversation",
    "ask_async": "asking.asking",
    "batch": "batches.batch",
    "compare": "asking.comparison",
    "register_attachment": "request.attachments.attachment",
    "ClaudeError": "errors",
    "Recording": "recording.recording",
    "Policy": "client.retry",
    "Reply": "reply",
    "Result": "tools.results",
    "Simulator": "simulator",
    "Tools": "tools.tools",
    "Usage": "cost.usage",
    "ask": "asking.asking",
    "last": "asking.asking",
    "stream": "asking.asking",
}


def __getattr__(name: str) -> Any:
    if name == "ledger":
        from claude_nb.session.session import session

        return session.ledger
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Bring ``%%claude``, ``%claude`` and ``%claude_nb`` into an IPython session."""
    from claude_nb.magics.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics out again."""
    from claude_nb.magics.magics import unload

    unload(shell)
