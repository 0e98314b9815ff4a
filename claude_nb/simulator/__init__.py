"""A local server that speaks the Messages API, for trying, teaching and testing without a key.

``Simulator`` starts it in a process of its own. Unless it is told otherwise it answers from fixed
scripts, chosen by words in the prompt; ``Stream``, ``Raw``, ``Error`` and ``Scripted``
tell it otherwise.
"""

from claude_nb.simulator.process import Simulator
from claude_nb.simulator.replies import Error, Raw, Received, Scripted, Stream

__all__ = ["Error", "Raw", "Received", "Scripted", "Simulator", "Stream"]
