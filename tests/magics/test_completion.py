"""What Tab offers on a ``%claude`` line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from IPython.core import completer
from IPython.core.completer import Completion, IPCompleter, provisionalcompleter
from IPython.utils.strdispatch import StrDispatch

import claude_nb
from claude_nb import CachedSystem, Conversation
from claude_nb.cost.models import models_by_use
from claude_nb.magics.commands import COMMANDS
from claude_nb.magics.completion import install, matcher, uninstall
from claude_nb.session.session import Session


class Table:
    """A value whose type says what it is."""


@pytest.fixture
def completions(monkeypatch):
    """Completes the end of a cell's text with IPython's own completer, in a new session."""
    if not hasattr(completer, "context_matcher"):
        pytest.skip("IPython before 8.6 is told of lines only: see the next test")
    session = Session()
    for module in ("asking.asking", "session.session"):
        monkeypatch.setattr(f"claude_nb.{module}.session", session)
    manual = CachedSystem("Be short.")
    variables = {"tone": "Be short.", "table": [1, 2], "manual": manual, "look_up": matcher}
    variables |= {"Train": type("Train", (), {}), "schema": {"type": "object"}}
    variables |= {"_": "last", "__doc__": "text", "_i1": "cell", "quit": Table(), "df": Table()}
    completing = IPCompleter(namespace=variables, use_jedi=False)
    completing.custom_matchers.append(matcher(variables, {"quit"}, lambda: "claude-haiku-5-5"))

    def complete(text: str, rest: str = "") -> list[Completion]:
        with provisionalcompleter():
            return list(completing.completions(text + rest, len(text)))

    return complete


@pytest.fixture
def offered(completions):
    """The texts alone, in their order."""
    return lambda text: [completion.text for completion in completions(text)]


def test_a_shell_offers_them_until_they_are_taken_out():
    """By the way that its IPython has for that: a matcher, or a hook before 8.6."""
    completing = IPCompleter(namespace={}, use_jedi=False)
    completing.custom_completers = StrDispatch()
    shell = SimpleNamespace(Completer=completing, user_ns={"tone": "Be short."}, user_ns_hidden={})

    def complete(text: str) -> list[str]:
        with provisionalcompleter():
            return [each.text for each in completing.completions(text, len(text))]

    install(shell)
    found = [
        complete(text) for text in ("%%claude --th", "x = %claude --system t", "%claude_nb us")
    ]
    uninstall(shell)

    assert found == [["--thinking"], ["tone"], ["usage"]]
    assert "--thinking" not in complete("%%claude --th")


@pytest.mark.parametrize("start", ["%%claude ", "%claude ", "x = %claude ", "%%claude -m a "])
def test_options(offered, start):
    """They are offered as soon as there is a blank; a dash offers those that begin so."""
    assert offered(f"{start}--th") == ["--thinking"]
    assert offered(start)[:2] == ["--model", "--max-tokens"]
    assert "--max-tokens" in offered(f"{start}--")


@pytest.mark.parametrize("flag", ["-m ", "--model ", "--model="])
def test_model_ids(offered, flag):
    """The default first, then those that were asked here, then the newest; no retired ones."""
    found = offered(f"%%claude {flag}")

    assert found[0] == "claude-haiku-5-5"
    assert sorted(found) == sorted(models_by_use())
    assert found.index("claude-opus-5-5") < found.index("claude-opus-4-6")
    assert offered(f"%%claude {flag}claude-opus-5-") == ["claude-opus-5-5"]


def test_models_that_were_asked_come_before_others(offered, api):
    """The latest first."""
    for model in ("claude-opus-5", "claude-sonnet-5"):
        claude_nb.ask("hello", model=model, show=False)

    assert offered("%%claude -m ")[1:3] == ["claude-sonnet-5", "claude-opus-5"]


def test_values(offered):
    """Options that take one of a few words offer them; --system what can be a system prompt."""
    assert offered("%%claude --thinking o") == ["on", "off"]
    assert offered("%%claude --effort=x") == ["xhigh"]
    assert offered("%%claude --effort x") == ["xhigh"]
    assert offered("%%claude --system ta") == ["ta"]  # and no table
    assert offered("%%claude --system to") == ["tone"]
    assert offered("%%claude --system ma") == ["manual"]
    assert offered("%%claude --system ") == ["tone", "manual"]


def test_names_of_tools_and_forms(offered):
    """Functions, and what the server runs; types and schemas."""
    assert {"look_up", "none", "web_search", "web_fetch"} < set(offered("%%claude --tools "))
    assert offered("%%claude --tools web_fetch,web") == ["web_search"]
    assert offered("%%claude --tools=web_fetch,look") == ["look_up"]
    assert offered("%%claude --json ") == ["Train", "schema"]


def test_names_of_values_and_conversations(offered):
    """--attach takes any variable, -c a conversation that there is."""
    for name in ("trains", "trams, with spaces"):  # that one needs quotes, so it is not offered
        Conversation.named(name)

    assert offered("%%claude -a ta") == ["table"]
    assert offered("%%claude -c tra") == ["trains"]


def test_commands(offered):
    """After %claude_nb come its commands, and no names of Python."""
    assert offered("%claude_nb ") == list(COMMANDS)
    assert offered("%claude_nb us") == ["usage"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("usage ", ["by"]),
        ("usage by ", ["model", "conversation", "cell", "day"]),
        ("usage by c", ["conversation", "cell"]),
        ("simulate ", ["on", "off", "next"]),
        ("simulate next dr", ["drop"]),
        ("simulate next drop re", ["reset", "refusal"]),
        ("simulate on --s", ["--speed", "--seed"]),
        ("jobs stop ", ["all"]),
        ("budget ", ["off"]),
        ("record talks --without ", ["attachments", "request", "thinking"]),
        ("record talks --without=request,th", ["thinking"]),
        ("connect http://h --key-env MY_", ["MY_KEY"]),
    ],
)
def test_what_commands_take(offered, monkeypatch, line, words):
    """As their own table names it, word by word, and what their options take."""
    monkeypatch.setenv("MY_KEY", "secret")

    assert offered(f"%claude_nb {line}") == words


@pytest.mark.parametrize(
    "line",
    [
        *("%claude_nb undo ", "%claude_nb fork ", "%claude_nb status --", "%claude_nb help co"),
        *("%claude_nb nope ", "%claude_nb connect http://h --model ", "%%claude -o ", "%claude i"),
        *("%%claude --max-tokens ", "%%claude --tool-timeout ", "%%claude --tools lo,im"),
    ],
)
def test_where_nothing_fits_nothing_else_is_offered(offered, line):
    """No names of Python, and no other magics: what was typed stays as it is."""
    assert "".join(offered(line)) in line
    assert len(offered(line)) == 1


def test_files_and_folders_for_commands(offered, monkeypatch, tmp_path):
    """Those that fit: what can be exported to, and folders of recordings."""
    (tmp_path / "talks").mkdir()
    for name in ("talk.md", "talk.txt", ".talk.md", "two words.md"):
        (tmp_path / name).touch()
    (tmp_path / "talks" / "old.ipynb").touch()
    monkeypatch.chdir(tmp_path)

    assert offered("%claude_nb export ta") == ["talk.md", "talks/"]
    assert offered("%claude_nb restore talks/") == ["talks/old.ipynb"]
    assert "talk.md" not in offered("%claude_nb record ")
    assert "talks/" in offered("%claude_nb record ")


@pytest.mark.parametrize("start", ["%%claude\n", "%%claude -m a\nWhy?\nAnd ", "%claude why "])
def test_variables_in_a_prompt(completions, start):
    """Nothing but the user's variables, each with what it is."""
    found = [(one.text, one.type) for one in completions(start + "{{d")]

    assert found == [("df}}", "Table")]
    assert ("tone}}", "str 9") in [(one.text, one.type) for one in completions(start + "{{ ")]
    names = [one.text for one in completions(start + "{{")]
    assert "quit}}" not in names
    assert names == [name for name in names if not name.startswith("_")]


@pytest.mark.parametrize("rest", ["}}", " }} and {{tone}}", ".index}}\nAnd", "able}}"])
def test_braces_that_are_closed_are_not_closed_again(completions, rest):
    """What follows the caret in its line says so."""
    assert [one.text for one in completions("%%claude\nIn {{df", rest)] == ["df"]
    assert [one.text for one in completions("%%claude\nIn {{df", "\n}}")] == ["df}}"]
    assert [one.text for one in completions("%%claude\nIn {{df", " {{tone}}")] == ["df}}"]


def test_elsewhere_python_is_completed_as_ever(offered):
    """Outside of prompts."""
    assert "del" in offered("{{de")
    assert "tone" in offered("ton")


@pytest.mark.parametrize("prompt", ["de", "Why? de", "{{de", "long\n" * 20 + "de"])
def test_in_a_prompt_nothing_of_python_is_offered(completions, prompt):
    """Variables are, also without braces; nothing else is looked for, and prose is not parsed."""
    found = completions(f"%%claude\n{prompt}")
    assert [(one.text, one.type) for one in found] == [("de", "nothing fits")]
    assert [one.text for one in completions("%%claude\nIs to")] == ["tone"]
