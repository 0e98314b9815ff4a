"""Calls of the memory tool: its commands one after another, on one file of notes."""

from typing import Any

_FILE = "/memories/notes.md"
_OTHER = "/memories/old/notes.md"
_COMMANDS: tuple[dict[str, Any], ...] = (
    {"command": "view", "path": "/memories"},
    {"command": "create", "path": _FILE, "file_text": "# Notes\n\n- Answers are simulated.\n"},
    {
        "command": "str_replace",
        "path": _FILE,
        "old_str": "Answers are simulated.",
        "new_str": "All answers are simulated.",
    },
    {
        "command": "insert",
        "path": _FILE,
        "insert_line": 3,
        "insert_text": "- Nothing was learnt.\n",
    },
    {"command": "rename", "old_path": _FILE, "new_path": _OTHER},
    {"command": "delete", "path": _OTHER},
)


def is_memory(tool: dict[str, Any]) -> bool:
    """Whether a definition is that of the memory tool."""
    return str(tool.get("type")).startswith("memory_")


def command(number: int) -> dict[str, Any]:
    """Return the input of a call.

    Args:
        number: How many calls of the tool there were before in the turn: the first one looks,
            the second one writes a file, and so on.
    """
    return dict(_COMMANDS[number % len(_COMMANDS)])
