"""Claude's streaming, native to Jupyter notebooks.

``%load_ext claude_nb`` brings the ``%%claude`` cell; everything in ``__all__`` is the same engine
for Python users. Names are imported when they are first used: loading the extension stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from claude_nb.attachments import Attachment, register_attachment
    from claude_nb.batching import Batch, batch
    from claude_nb.cached_system import CachedSystem
    from claude_nb.chat import Chat
    from claude_nb.comparison import Comparison, compare
    from claude_nb.conversation import Conversation
    from claude_nb.errors import ClaudeError
    from claude_nb.recording import Recording
    from claude_nb.reply import Reply
    from claude_nb.run import ask, ask_async, last, stream
    from claude_nb.simulator import Simulator
    from claude_nb.spending import Ledger
    from claude_nb.tools import Tools
    from claude_nb.usage import Usage

    ledger: Ledger

__version__ = "0.1.0"

__all__ = [
    "Attachment",
    "Batch",
    "CachedSystem",
    "Chat",
    "ClaudeError",
    "Comparison",
    "Conversation",
    "Recording",
    "Reply",
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
    "Attachment": "attachments",
    "Batch": "batching",
    "CachedSystem": "cached_system",
    "Chat": "chat",
    "Comparison": "comparison",
    "Conversation": "conversation",
    "ask_async": "run",
    "batch": "batching",
    "compare": "comparison",
    "register_attachment": "attachments",
    "ClaudeError": "errors",
    "Recording": "recording",
    "Reply": "reply",
    "Simulator": "simulator",
    "Tools": "tools",
    "Usage": "usage",
    "ask": "run",
    "last": "run",
    "stream": "run",
}


def __getattr__(name: str) -> Any:
    if name == "ledger":
        from claude_nb.session import session

        return session.ledger
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Bring ``%%claude``, ``%claude`` and ``%claude_nb`` into an IPython session."""
    from claude_nb.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics out again."""
    from claude_nb.magics import unload

    unload(shell)
