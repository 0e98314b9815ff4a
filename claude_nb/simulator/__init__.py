"""A local server that speaks the Messages API, for trying, teaching and testing without a key.

``Simulator`` starts it in a process of its own. It answers from fixed scripts, chosen by
words in the prompt, or with the ``Stream``, ``Raw``, ``Error`` or ``Scripted`` that was enqueued.
"""

from claude_nb.simulator.process import Simulator
from claude_nb.simulator.replies import Error, Raw, Received, Scripted, Stream

__all__ = ["Error", "Raw", "Received", "Scripted", "Simulator", "Stream"]
