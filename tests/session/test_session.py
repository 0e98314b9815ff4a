"""Who answers and with which key: what ``status`` says of it, and what commands go back to."""

from __future__ import annotations

import json

import pytest

import claude_nb
from claude_nb.asking import asking
from claude_nb.errors import ClaudeError, InputError
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.session.session import Session

PROFILE = {"authentication": {"type": "user_oauth"}}
IDENTITY = {
    "ANTHROPIC_IDENTITY_TOKEN": "jwt",
    "ANTHROPIC_FEDERATION_RULE_ID": "rule",
    "ANTHROPIC_ORGANIZATION_ID": "org",
}
NO_KEY = "No API key found. Type %claude_nb key to enter one"
SIMULATED = "Answered by the simulator; no key needed."


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs commands in a session of this test's own, and returns what they print."""
    sessions = []

    def execute(*lines: str):
        if not sessions:
            sessions.append(Session())
            monkeypatch.setattr(asking, "session", sessions[0])
        for line in lines:
            capsys.readouterr()
            ClaudeMagics().claude_nb(line)
        return capsys.readouterr().out

    yield execute
    for session in sessions:
        session.simulate(on=False)


@pytest.fixture
def profile(monkeypatch, tmp_path):
    """The path of the SDK's profile, which is not there yet."""
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    path = tmp_path / "configs" / "default.json"
    path.parent.mkdir()
    return path


def typed(monkeypatch, key):
    """A user who types this where a key is asked for."""
    monkeypatch.setattr("claude_nb.magics.connections.getpass", lambda _: key)


def test_without_a_key_status_says_what_to_type(run, monkeypatch, tmp_path):
    """The first sentence that a newcomer reads is true, and helps."""
    monkeypatch.delenv("ANTHROPIC_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))

    shown = run("status")

    assert NO_KEY in shown
    assert "%claude_nb simulate on" in shown


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_the_variable_that_holds_the_key_is_named(run, monkeypatch, name):
    """Its name, not its value; and another server than the API."""
    monkeypatch.setenv(name, "not-a-key")

    assert run("status").endswith(f"key: the environment variable {name}\n")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://user:secret@gateway.example/x")
    assert run("status").endswith(f"variable {name}, for http://gateway.example/x\n")


def test_the_sdk_s_own_profile_is_named_by_its_file(run, profile):
    """The file that the SDK really found."""
    assert f"Config file not found at {profile}" in run("status")
    profile.write_text(json.dumps(PROFILE))  # as `ant auth login` does
    profile.chmod(0o600)
    assert f"key: the profile {profile}\n" in run("status")


def test_an_identity_and_a_header_are_named_too(run, monkeypatch, tmp_path):
    """They are credentials like others."""
    monkeypatch.delenv("ANTHROPIC_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "Authorization: Basic secret")
    assert "variable ANTHROPIC_CUSTOM_HEADERS\n" in run("status")
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    assert "variable ANTHROPIC_FEDERATION_RULE_ID\n" in run("status")


def test_a_key_that_was_entered_is_used_and_never_shown(run, monkeypatch):
    """Its source is named."""
    key = "sk-" + "ant-key"
    typed(monkeypatch, key)
    assert run("key") == "key: entered with %claude_nb key, in memory only\n"

    assert asking.session.connection().api_key == key
    assert key not in run("status") + repr(asking.session.connection())


def test_settings_with_which_nothing_can_be_sent_are_told_by_status(run, monkeypatch):
    """As the cell would tell them."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "nonsense")

    assert "ANTHROPIC_BASE_URL is not the address of a server." in run("status")


def test_connect_off_goes_back_to_the_simulator(run, monkeypatch, simulator):
    """The same one, with its pace and its seed, after several servers too."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE", "1")
    monkeypatch.setenv("CLAUDE_NB_SIMULATE_SPEED", "inf")
    run("simulate on --speed inf --seed 7")
    before = asking.session.connection()

    assert "a dummy" in run(f"connect {simulator.base_url} --model claude-haiku-5-5")
    assert not asking.session.simulated
    run(f"connect {simulator.base_url} --model claude-opus-5-5")

    assert SIMULATED in run("connect off")
    assert asking.session.connection() == before
    assert claude_nb.ask("hello", show=False).simulated


@pytest.mark.parametrize("value", ["", "0", "off", "False", "NO"])
def test_the_environment_may_turn_the_simulator_off_in_words(monkeypatch, value):
    """Somebody who writes ``off`` does not mean ``on``."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE", value)
    assert not Session().simulated


def test_connect_off_goes_back_to_the_key_that_was_entered(run, monkeypatch):
    """It is not typed twice."""
    typed(monkeypatch, "sk-" + "ant-key")
    run("key", "connect localhost:1 --model m")

    assert "entered with %claude_nb key" in run("connect off")
    assert "entered with %claude_nb key" in run("connect off")  # again: nothing to leave


def test_the_simulator_can_be_turned_on_and_off_while_a_server_is_connected(run, monkeypatch):
    """It does not ask that server's model; off goes back to the server, and that to the start."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE", "1")
    run("connect localhost:1 --model qwen3")
    assert "model qwen3" in run("status")

    assert SIMULATED in run("simulate on --speed inf")
    assert "qwen3" not in run("status")
    assert "for http://localhost:1" in run("simulate off")
    assert "model qwen3" in run("status")
    assert SIMULATED in run("connect off")


def test_a_simulator_that_was_turned_on_meanwhile_goes_on_answering(run):
    """Leaving the server behind it sends nothing to the API."""
    run("connect localhost:1 --model qwen3", "simulate on --speed inf")

    assert SIMULATED in run("connect off")


def test_a_key_ends_simulator_and_server(run, monkeypatch):
    """It is for the API."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE", "1")
    typed(monkeypatch, "sk-" + "ant-key")

    assert "entered with %claude_nb key" in run("connect localhost:1 --model m", "key")
    assert "entered with %claude_nb key" in run("connect off")


@pytest.mark.parametrize("speed", ["fast", "nan", "-1"])
def test_a_pace_that_is_none_is_named(run, monkeypatch, speed):
    """It comes from the environment, which nobody sees."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE", "1")
    monkeypatch.setenv("CLAUDE_NB_SIMULATE_SPEED", speed)
    run("status")

    with pytest.raises(InputError, match=f"CLAUDE_NB_SIMULATE_SPEED must be .* not '{speed}'"):
        claude_nb.ask("hello", show=False)


def test_a_server_that_is_gone_says_how_to_leave_it(run):
    """By its address."""
    run("connect localhost:1 --model m")

    with pytest.raises(ClaudeError, match="http://localhost:1 cannot be reached") as raised:
        claude_nb.ask("hello", show=False)
    assert "%claude_nb connect off" in raised.value.advice
