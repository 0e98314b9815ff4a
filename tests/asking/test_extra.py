"""``extra``, ``betas`` and what has a name of its own, over real HTTP to the strict simulator."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

import claude_nb
from claude_nb import Conversation
from claude_nb.asking import asking
from claude_nb.errors import InputError, RequestError
from claude_nb.magics import cell
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.recording.recording import Recording
from claude_nb.reply import Reply
from claude_nb.request.request import Request
from claude_nb.session.budget import Budget
from claude_nb.session.session import Session
from claude_nb.simulator import Error, Simulator, Stream
from tests.played import end, said, start, text, tool_use

SECRET = "mcp-secret-of-mine"
MCP = {
    "mcp_servers": [
        {
            "type": "url",
            "url": "https://mcp.example/sse",
            "name": "docs",
            "authorization_token": SECRET,
        }
    ]
}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "docs"}
BETA = "mcp-client-2025-11-20"
TIER = {"service_tier": "standard_only"}


@pytest.fixture(autouse=True)
def session(monkeypatch):
    """A session of this test's own."""
    mine = Session()
    monkeypatch.setattr(asking, "session", mine)
    return mine


def cell_of(variables, line, prompt):
    """Run a ``%%claude`` cell where these variables are."""
    return cell.run(SimpleNamespace(user_ns=variables), line, prompt, ClaudeMagics()._defaults())


def look_up(city: str) -> str:
    """Look a city up."""
    return f"{city} is large."


def ask(prompt: str = "Why?", **options: Any):
    """Ask without showing anything; a server that ``extra`` names needs its toolset."""
    if "mcp_servers" in options.get("extra", {}):
        options = {"tools": [TOOLSET], **options}
    return claude_nb.ask(prompt, show=False, **options)


def body(api):
    """The body of the newest request for a message."""
    return api.requests[-1].body


def test_fields_and_betas_reach_the_server(api):
    """Merged into the body, and in the header."""
    reply = ask(extra={**MCP, **TIER}, betas=[BETA, "files-api-2025-04-14"])

    sent = api.requests[-1]
    assert sent.body["mcp_servers"] == MCP["mcp_servers"]
    assert sent.body["service_tier"] == "standard_only"
    assert "extra_body" not in sent.body
    assert sent.headers["anthropic-beta"] == f"{BETA},files-api-2025-04-14"
    assert reply.notes == (
        "extra fields: mcp_servers, service_tier",
        f"betas: {BETA}, files-api-2025-04-14",
        "tools: docs (called by the API, without asking)",
    )


def test_the_tools_of_a_server_that_extra_names_can_be_offered(api):
    """As their definition, which holds no function."""
    reply = ask(extra=MCP, betas=[BETA], tools=[TOOLSET])

    assert body(api)["tools"] == [TOOLSET]
    assert str(reply.outcome) == "complete"


def test_streams_comparisons_and_whole_replies_have_them_too(api):
    """They take what ``ask`` takes."""
    for _ in claude_nb.stream("Why?", extra=TIER, stop_sequences=["END"]):
        pass
    compared = claude_nb.compare(
        "Why?", models=["claude-opus-5-5", "claude-haiku-5-5"], extra=TIER, view="terminal"
    )
    whole = ask(stream=False, extra=MCP, betas=[BETA])

    assert [found.body.get("service_tier") for found in api.requests[-4:-1]] == [
        "standard_only"
    ] * 3
    assert api.requests[-4].body["stop_sequences"] == ["END"]
    assert all(side.outcome == "complete" for side in [*compared, whole])


def test_the_server_refuses_what_no_beta_brings(api):
    """A field that it does not know, one whose beta is not named, and a beta that there is not."""
    for options, why in (
        ({"extra": {"colour": "red"}}, "colour: Extra inputs are not permitted"),
        ({"extra": MCP}, "mcp_servers: Extra inputs are not permitted"),
        ({"extra": {"service_tier": "best"}}, "service_tier: Input should be 'auto' or"),
        ({"betas": ["mcp-2025-11-20"]}, "Unexpected value(s) `mcp-2025-11-20` for the"),
    ):
        with pytest.raises(RequestError) as raised:
            ask(**options)
        assert raised.value.detail.startswith(why)


def test_an_option_that_there_is_not_is_pointed_to_extra(api):
    """Nothing is sent."""
    with pytest.raises(TypeError, match=r"in extra=\{'service_tier': …\}\.$"):
        ask(service_tier="auto")
    assert not api.requests


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"extra": [("a", 1)]}, "extra must be a dict of fields of the request"),
        ({"extra": "x"}, "extra must be a dict"),
        ({"betas": BETA}, "betas must be a list of names"),
        ({"stop_sequences": "END"}, "stop_sequences must be a list of strings"),
        ({"stop_sequences": None}, "stop_sequences must be a list of strings"),
        ({"metadata": "me"}, "metadata must be a dict"),
        ({"tool_choice": 1}, 'tool_choice must be "auto", "any"'),
    ],
)
def test_other_types_are_refused(options, said):
    """With what to pass."""
    with pytest.raises(TypeError) as raised:
        ask(**options)
    assert str(raised.value).startswith(said)


def test_a_stop_sequence_ends_the_reply_and_is_named(api):
    """In the usage table, and below the reply in a terminal."""
    whole = ask("sky blue").text

    reply = ask("sky blue", stop_sequences=[whole[20:30]])

    assert whole.startswith(reply.text)
    assert len(reply.text) == 20
    assert (reply.stop_reason, str(reply.outcome)) == ("stop_sequence", "complete")
    shown = reply._repr_mimebundle_()
    assert f"stop sequence “{whole[20:30]}”" in shown["text/html"]
    assert f"stop sequence “{whole[20:30]}”" in shown["text/plain"]


def test_a_reply_that_begins_with_a_stop_sequence_says_so(api):
    """It has no text, which is no fault of the model's."""
    final = end("stop_sequence")
    final[0]["delta"]["stop_sequence"] = "<\n>"
    api.enqueue(Stream([start(), *final]))

    reply = ask(stop_sequences=["<\n>"])

    assert (
        "The reply began with the stop sequence “<\\n>”." in reply._repr_mimebundle_()["text/plain"]
    )


def test_a_forced_tool_is_forced_once(api):
    """In the first request; or the model would call it again and again."""
    forced = {"type": "tool", "name": "look_up", "disable_parallel_tool_use": True}
    options = {"model": "claude-haiku-5-5", "tools": [look_up], "max_cost": 1.0}

    reply = ask("Rome?", tool_choice=forced, **options)

    asked = [found.body["tool_choice"] for found in api.requests if found.path == "/v1/messages"]
    assert asked == [forced, {"type": "auto", "disable_parallel_tool_use": True}]
    assert str(reply.outcome) == "complete"
    assert reply.tool_calls[0].name == "look_up"


def test_a_choice_among_no_tools_is_refused(api):
    """In a question of no conversation, and in one whose conversation has none."""
    haiku = {"model": "claude-haiku-5-5", "tool_choice": "any"}
    with pytest.raises(InputError, match="tool_choice needs a tool"):
        ask(**haiku)
    with pytest.raises(InputError, match="tool_choice needs a tool"):
        Conversation("none").ask("Why?", show=False, **haiku)
    Conversation("some", tools=[look_up]).ask("Rome?", show=False, **haiku)

    assert body(api)["tool_choice"] == {"type": "auto"}


def test_they_hold_in_a_conversation_until_they_are_changed(api):
    """As the system prompt does; ``{}`` and ``[]`` clear them."""
    talk = Conversation("talk", extra=TIER)

    def sent(options):
        talk.ask("Why?", show=False, **options)
        found = api.requests[-1]
        return sorted(found.body.keys() & {"service_tier", "inference_geo"}), found.headers.get(
            "anthropic-beta"
        )

    assert sent({}) == (["service_tier"], None)
    geo = {"inference_geo": "us"}
    assert sent({"extra": geo, "betas": [BETA]}) == (["inference_geo"], BETA)
    assert sent({}) == (["inference_geo"], BETA)
    assert sent({"extra": {}}) == ([], BETA)
    assert sent({"betas": []}) == ([], None)
    assert sent({}) == ([], None)


def test_another_server_gets_nothing_of_what_was_given_for_one(api, monkeypatch):
    """There may be secrets in it; the note says that it was left out."""
    talk = Conversation("talk")
    talk.ask("Why?", show=False, extra=MCP, betas=[BETA], tools=[TOOLSET])
    with Simulator(speed=float("inf")) as other:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", other.base_url)
        reply = talk.ask("And then?", show=False)
        (found,) = other.requests

    assert "mcp_servers" not in found.body
    assert "anthropic-beta" not in found.headers
    assert "tools" not in found.body
    assert "extra and betas and docs of earlier turns not sent: they belong to another server" in (
        reply.notes
    )


def test_under_a_limit_a_field_that_may_cost_is_refused(api, session):
    """By ``max_cost`` and a budget; what is free is sent, and counted as far as it is taken."""
    clearing = {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    compacting = {"context_management": {"edits": [{"type": "compact_20260112"}]}}
    beta = ["context-management-2025-06-27", "compact-2026-01-12"]
    for extra in (TIER, MCP, {"speed": "fast"}, {"fallbacks": "default"}, compacting):
        with pytest.raises(InputError, match=f"extra contains {next(iter(extra))}, which may cost"):
            ask(extra=extra, betas=[*beta, BETA, "server-side-fallback-2026-07-01"], max_cost=1.0)
    session.budget = Budget(1.0, session.ledger.spent)
    with pytest.raises(InputError, match=r"so the budget of \$1\.0000 cannot be enforced"):
        ask(extra=TIER)
    free = {**clearing, "diagnostics": {"previous_message_id": None}}

    ask(extra=free, betas=beta, stop_sequences=["END"], metadata={"user_id": "a"})

    counted, sent = api.requests[-2:]
    assert counted.path.endswith("count_tokens")
    assert counted.body.keys() == {"model", "messages", "thinking", "context_management"}
    assert counted.headers["anthropic-beta"] == ",".join(beta)
    assert sent.body["diagnostics"] == {"previous_message_id": None}


def test_a_recording_answers_only_the_same_fields_and_betas(api, session, tmp_path, monkeypatch):
    """And holds no secret: another token is no other request."""
    with_secrets = {"extra": MCP, "betas": [BETA]}
    magic = ClaudeMagics().claude_nb
    magic(f"record {tmp_path}")
    recorded = ask(**with_secrets).text
    magic("record off")
    magic(f"replay {tmp_path}")
    monkeypatch.delenv("ANTHROPIC_API_KEY")

    renewed = json.loads(json.dumps(MCP).replace(SECRET, "another-token"))

    assert ask(extra=renewed, betas=[BETA]).text == recorded
    assert SECRET not in "".join(path.read_text() for path in tmp_path.iterdir())
    for other in ({**with_secrets, "betas": []}, {**with_secrets, "extra": TIER}, {}):
        with pytest.raises(InputError, match="has no recording"):
            ask(**other)


@pytest.mark.parametrize("without", [(), ("request",)])
def test_secrets_stand_nowhere_in_what_is_kept_of_a_reply(api, tmp_path, without):
    """In its events, its timeline, its saved output and its recording."""
    reply = ask(extra=MCP, betas=[BETA])
    Recording.of(reply, without).save(tmp_path / "reply.jsonl")

    kept = [(tmp_path / "reply.jsonl").read_text(), repr(reply), repr(reply.request)]
    kept += [repr(reply.events), str(reply._repr_mimebundle_()), str(reply.timeline().__dict__)]
    assert not [text for text in kept if SECRET in text]


def test_a_server_that_quotes_a_secret_does_not_make_it_seen(api):
    """In an error, and in a reply whose deltas cut it."""
    api.enqueue(Error(400, "invalid_request_error", f"The token {SECRET} is wrong."))
    bearer = {"mcp_servers": [{"headers": {"Authorization": f"Bearer {SECRET}"}}]}
    with pytest.raises(RequestError) as raised:
        ask(extra=bearer, betas=[BETA])
    api.enqueue(Stream(said("It is ", SECRET[:5], SECRET[5:], ".")))
    reply = ask(extra=MCP, betas=[BETA])

    assert SECRET not in str(raised.value)
    assert "[redacted]" in str(raised.value)
    assert SECRET not in str(reply._repr_mimebundle_())
    assert "It is [redacted]." in reply._repr_mimebundle_()["text/plain"]


def test_what_was_never_sent_is_recorded_without_secrets():
    """As a reply that was stopped before its request was made."""
    request = Recording.of(Reply(Request("Why?", extra=MCP))).request

    assert request["extra_body"]["mcp_servers"][0]["authorization_token"] == "[redacted]"


def test_a_recording_without_the_request_holds_nothing_of_what_the_user_wrote(api, tmp_path):
    """Fingerprints stand in its place, by which it is found."""
    fields = {"stop_sequences": ["my own end"], "metadata": {"user_id": "my own id"}}
    extra = {"context_management": {"edits": [{"type": "clear", "note": "my own note"}]}}
    reply = ask(extra=extra, betas=["context-management-2025-06-27"], **fields)

    Recording.of(reply, without=["request"]).save(tmp_path / "reply.jsonl")

    assert "my own" not in (tmp_path / "reply.jsonl").read_text()


def test_a_dry_run_shows_what_would_be_sent(api, capsys):
    """Without secrets, and with what the conversation holds."""
    variables = {"servers": MCP, "docs": TOOLSET, "who": {"user_id": "a1"}}
    cell_of(variables, f"-c dry --extra servers --betas {BETA} --tools docs", "Why?")
    capsys.readouterr()

    cell_of(variables, '-c dry --dry-run --stop-sequences "END" --metadata who', "And then?")

    shown = capsys.readouterr().out
    assert '--stop-sequences: ["END"]' in shown
    assert '--metadata: {"user_id": "a1"}' in shown
    assert '"authorization_token": "[redacted]"' in shown
    assert SECRET not in shown
    assert f'--betas: ["{BETA}"]' in shown


def test_cells_clear_them_by_none(api, capsys):
    """``--extra none`` and ``--betas none``."""
    cell_of({"tier": TIER}, f"-c cleared --extra tier --betas {BETA}", "Why?")
    cell_of({}, "-c cleared --extra none --betas none", "Why?")

    assert "service_tier" not in body(api)
    assert "anthropic-beta" not in api.requests[-1].headers


def test_the_text_of_a_loop_goes_on_as_the_model_chooses(api):
    """What was broken off after a call is continued without forcing it again."""
    call = [start(), *tool_use("look_up", '{"city": "Rome"}'), *end("tool_use")]
    api.enqueue(Stream(call), Stream([start(), *text("Rome is")[:-1]], end="reset"))
    api.enqueue(Stream(said(" large.")))

    reply = ask(
        "Rome?",
        model="claude-haiku-5-5",
        tools=[look_up],
        tool_choice="any",
        policy=claude_nb.Policy(tries=2, base=0),
    )

    choices = [found.body["tool_choice"]["type"] for found in api.requests]
    assert choices == ["any", "auto", "auto"]
    assert reply.text == "Rome is large."
