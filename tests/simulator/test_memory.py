"""The memory tool at the simulator: its definition is checked, and its calls are real commands."""

from __future__ import annotations

import pytest
from anthropic.types.beta import BetaMemoryTool20250818CreateCommand as Create

from claude_nb.simulator import memory
from claude_nb.simulator.calls import steps
from claude_nb.simulator.validation import problem

TOOL = {"type": "memory_20250818", "name": "memory"}
REQUEST = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "memory, then memory"}],
}


def test_the_definition_is_taken():
    """With what the SDK's type of it has."""
    assert problem(REQUEST | {"tools": [TOOL | {"cache_control": {"type": "ephemeral"}}]}) is None


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        (TOOL | {"name": "notes"}, "Input should be 'memory'"),
        (TOOL | {"type": "memory_20240101"}, "does not match any of the expected tags"),
        (TOOL | {"eager_input_streaming": True}, "Extra inputs are not permitted"),
        (TOOL | {"folder": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_another_is_refused(tool, says):
    """As the API refuses what is in none of its schemas."""
    assert says in str(problem(REQUEST | {"tools": [tool]}))


def test_calls_are_its_commands_one_after_another():
    """The first one looks, the second one writes; after the last it begins again."""
    request = REQUEST | {"tools": [TOOL]}
    looks, writes = steps(request, "memory, then memory", otherwise=False)

    assert looks[0].input == {"command": "view", "path": "/memories"}
    assert Create.model_validate(writes[0].input).path == "/memories/notes.md"
    assert [memory.command(n)["command"] for n in range(7)] == [
        *("view", "create", "str_replace", "insert", "rename", "delete", "view")
    ]
