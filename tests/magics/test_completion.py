"""What Tab offers on a ``%claude`` line."""

from __future__ import annotations

import pytest
from IPython.core.completer import IPCompleter, provisionalcompleter

from claude_nb import CachedSystem, Conversation
from claude_nb.cost.models import known_models
from claude_nb.magics.commands import COMMANDS
from claude_nb.magics.completion import matcher


@pytest.fixture
def offered():
    """Completes the end of a cell's text with IPython's own completer."""
    manual = CachedSystem("Be short.")
    variables = {"tone": "Be short.", "table": [1, 2], "manual": manual, "look_up": matcher}
    variables |= {"Train": type("Train", (), {}), "schema": {"type": "object"}}
    completer = IPCompleter(namespace=variables, use_jedi=False)
    completer.custom_matchers.append(matcher(variables))

    def complete(text: str) -> list[str]:
        with provisionalcompleter():
            return sorted({c.text for c in completer.completions(text, len(text))})

    return complete


@pytest.mark.parametrize("start", ["%%claude ", "%claude ", "x = %claude ", "%%claude -m a "])
def test_options(offered, start):
    """A dash offers the options that begin so, whatever stands before it."""
    assert offered(f"{start}--th") == ["--thinking"]
    assert "--max-tokens" in offered(f"{start}--")


@pytest.mark.parametrize("flag", ["-m", "--model"])
def test_model_ids(offered, flag):
    """After --model come the known models."""
    assert offered(f"%%claude {flag} ") == sorted(known_models())
    assert offered(f"%%claude {flag} claude-opus-5-") == ["claude-opus-5-5"]


def test_values(offered):
    """Options that take one of a few words offer them; --system what can be a system prompt."""
    assert offered("%%claude --thinking o") == ["off", "on"]
    assert offered("%%claude --effort x") == ["xhigh"]
    assert offered("%%claude --system ta") == []
    assert offered("%%claude --system to") == ["tone"]
    assert offered("%%claude --system ma") == ["manual"]


def test_names_of_tools_and_forms(offered):
    """Functions, and what the server runs; types and schemas."""
    tools = ["code_execution", "look_up", "none", "web_fetch", "web_search"]
    assert offered("%%claude --tools ") == tools
    assert offered("%%claude --json ") == ["Train", "schema"]


def test_names_of_values_and_conversations(offered):
    """--attach takes any variable, -c a conversation that there is."""
    for name in ("trains", "trams, with spaces"):  # that one needs quotes, so it is not offered
        Conversation.named(name)

    assert offered("%%claude -a ta") == ["table"]
    assert offered("%%claude -c tra") == ["trains"]


def test_commands(offered):
    """After %claude_nb come its commands, and no names of Python."""
    assert offered("%claude_nb ") == sorted(COMMANDS)
    assert offered("%claude_nb us") == ["usage"]


def test_elsewhere_python_is_completed_as_ever(offered):
    """A prompt and other code are left alone."""
    assert offered("%%claude\n--th") == []
    assert offered("%%claude\nwhy --th") == []
    assert "tone" in offered("ton")
