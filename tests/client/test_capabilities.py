"""What a model takes is asked of its server, once, where our own data does not know it."""

from __future__ import annotations

import json

import pytest

import claude_nb
from claude_nb.client import capabilities
from claude_nb.client.capabilities import checked
from claude_nb.client.connection import Connection
from claude_nb.errors import InputError
from claude_nb.request.request import Request


@pytest.fixture(autouse=True)
def nothing_looked_up(monkeypatch):
    """No test finds what another one has asked."""
    monkeypatch.setattr(capabilities, "_looked_up", {})


def ask(**options: object):
    """Ask without showing anything."""
    return claude_nb.ask("Hi", show=False, **options)


def asked(api):
    """The models that the server was asked about."""
    paths = [found.path for found in api.requests if found.method == "GET"]
    return [path.rpartition("/")[2] for path in paths]


def test_a_model_is_asked_about_once(api):
    """And what it takes is sent."""
    for effort in ("low", "max"):
        ask(model="claude-fable-5-2", effort=effort)

    assert asked(api) == ["claude-fable-5-2"]
    assert api.requests[-1].body["output_config"] == {"effort": "max"}


@pytest.mark.parametrize(
    "options",
    [
        {"model": "claude-fable-5-2"},
        {"model": "claude-fable-5-2", "thinking": "on"},
        {"effort": "low", "thinking": "on"},
    ],
)
def test_what_is_known_is_not_asked(api, options):
    """Nor is anything where neither thinking nor effort is asked for."""
    ask(**options)

    assert asked(api) == []


def test_the_simulator_of_the_session_is_not_asked():
    """It knows what our own data does."""
    connection = Connection(base_url="http://127.0.0.1:1", simulated=True)
    request = Request("Hi", model="claude-fable-5-2", effort="max")

    assert checked(request, connection) is request


def answers(gateway, found):
    """The gateway answers so to a question about a model."""
    gateway.bodies["/new-model"] = json.dumps(found).encode()


ABLE, UNABLE = {"supported": True}, {"supported": False}


def model(**found: object):
    """A model of these capabilities."""
    return {"type": "model", "id": "new-model", "display_name": "New", "capabilities": found}


EFFORT = {**ABLE, "low": ABLE, "high": ABLE, "max": UNABLE, "xhigh": None}
BUDGETS = {**ABLE, "types": {"enabled": ABLE, "adaptive": UNABLE, "disabled": UNABLE}}
NO_THINKING = {**UNABLE, "types": {"enabled": UNABLE, "adaptive": UNABLE, "disabled": ABLE}}


@pytest.mark.parametrize(
    ("found", "options", "what"),
    [
        (model(effort=EFFORT), {"effort": "max"}, "new-model does not support the effort max. Use"),
        (model(effort=UNABLE), {"effort": "low"}, "new-model does not support effort."),
        (model(thinking=BUDGETS), {"thinking": "off"}, "new-model cannot turn thinking off."),
        (model(thinking=NO_THINKING), {"thinking": "on"}, "new-model cannot think."),
        (model(thinking=NO_THINKING), {"thinking": 2000}, "new-model cannot be given a thinking"),
    ],
)
def test_what_the_server_says_that_a_model_does_not_take_is_refused(gateway, found, options, what):
    """Before it is sent, with what the model takes."""
    answers(gateway, found)

    with pytest.raises(InputError) as caught:
        ask(model="new-model", **options)
    with pytest.raises(InputError):
        claude_nb.batch(["a"], model="new-model", show=False, **options)

    assert str(caught.value).startswith(what)
    assert gateway.paths == ["/v1/models/new-model"]


def test_thinking_is_sent_in_the_form_that_the_model_takes(gateway):
    """Here with a number of tokens."""
    answers(gateway, model(thinking=BUDGETS))

    request = checked(Request("Hi", model="new-model", thinking="on"), Connection())

    assert request.params()["thinking"]["type"] == "enabled"
    assert request.notes == ()


@pytest.mark.parametrize(
    "found", [[], {}, "no", model(), model(effort=3, thinking=[]), model(effort=ABLE)]
)
def test_what_a_server_does_not_say_refuses_nothing(gateway, found):
    """The request is sent as it is, and the server is not asked again."""
    answers(gateway, found)
    request = Request("Hi", model="new-model", thinking="on", effort="max")

    for _ in range(2):
        assert checked(request, Connection()).params() == request.params()

    assert gateway.paths == ["/v1/models/new-model"]


def test_a_server_that_does_not_answer_in_time_is_not_waited_for(gateway, monkeypatch):
    """The limit is short, and the question is not asked again."""
    monkeypatch.setattr(capabilities, "LOOK_UP_TIMEOUT", 0.0)
    answers(gateway, model(effort=UNABLE))
    request = Request("Hi", model="new-model", effort="max")

    for _ in range(2):
        assert checked(request, Connection()).params() == request.params()

    assert len(gateway.paths) <= 1


def test_without_a_key_nothing_is_asked():
    """That there is none is said when the request is sent."""
    request = Request("Hi", model="new-model", effort="max")

    assert checked(request, Connection()) is request
    assert capabilities._looked_up == {}
