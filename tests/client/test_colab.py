"""The key in Colab's secrets, with a stand-in for Colab's package."""

from __future__ import annotations

import pytest

import claude_nb
from claude_nb.asking import asking
from claude_nb.client.connection import Connection
from claude_nb.conversation import saved_notebook
from claude_nb.errors import CredentialsError, InputError
from claude_nb.redaction import redact
from claude_nb.session.session import Session

NAME = "ANTHROPIC_API_KEY"
KEY = "kept-in-colab-0123456789"


@pytest.fixture
def session(monkeypatch, tmp_path):
    """A session that no other test has used, where the SDK finds no profile."""
    monkeypatch.delenv("ANTHROPIC_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(asking, "session", Session())
    return asking.session


def test_a_request_is_sent_with_it(colab, session, simulator, monkeypatch):
    """It is asked for once, said by its name, and redacted."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.base_url)
    colab.secrets[NAME] = f" {KEY}\n"

    claude_nb.ask("Hello", show=False)
    claude_nb.ask("Hello", show=False)

    assert session.describe_key().startswith(f"key: Colab's secret {NAME}, for http")
    assert colab.asked == [NAME]
    assert redact(f"({KEY})") == "([redacted])"


def test_the_environment_comes_first(colab, session, monkeypatch):
    """Where it names a key, Colab is not asked."""
    monkeypatch.setenv(NAME, "not-a-key")

    assert session.describe_key() == f"key: the environment variable {NAME}"
    assert colab.asked == []


def test_only_for_the_api(colab, session):
    """No other server that is connected gets it, nor does the simulator."""
    colab.secrets[NAME] = KEY

    assert Connection(base_url="http://localhost:1").key_source().startswith("a dummy")
    session.simulate(on=True)
    assert session.describe_key() == "Answered by the simulator; no key needed."
    session.simulate(on=False)
    assert colab.asked == []


def test_not_before_something_is_sent(colab, session):
    """To make ready what the first request needs asks the user nothing."""
    colab.secrets[NAME] = KEY

    list(session.warm_up())

    assert colab.asked == []


def test_there_is_none(colab, session):
    """The error says where to add one; one that is added is found."""
    with pytest.raises(CredentialsError, match=r"^No API key found\. Add a key to Colab's secrets"):
        claude_nb.ask("Hello", show=False)
    colab.secrets[NAME] = KEY

    assert session.describe_key() == f"key: Colab's secret {NAME}"


def test_it_is_refused(colab, session, monkeypatch):
    """Nobody is asked twice; the error says how to allow it, and to ask again."""
    colab.secrets[NAME] = None

    for _ in range(2):
        with pytest.raises(CredentialsError, match="has no access to the secret") as raised:
            claude_nb.ask("Hello", show=False)
    assert colab.asked == [NAME]

    colab.secrets[NAME] = KEY
    monkeypatch.setenv(NAME, "")  # so that it is gone after the test
    exec(str(raised.value).rpartition("and run: ")[2])
    assert session.describe_key() == f"key: the environment variable {NAME}"


def test_no_page_answers(colab, session):
    """As in a kernel that runs without Colab's page: the ten seconds are not waited for again."""
    colab.page = False

    for _ in range(2):
        said = session.describe_key()
    assert said.startswith(f"The secret {NAME} cannot be read: TimeoutException.")
    assert "%claude_nb key" in said
    assert colab.asked == [NAME]


def test_the_notebooks_file(colab):
    """It is not where the kernel is, and the error says how to get it there."""
    with pytest.raises(InputError, match=r"Mount Drive .* %claude_nb restore /content/"):
        saved_notebook.current_path()
