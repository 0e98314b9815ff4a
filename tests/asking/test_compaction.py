"""Compaction: the turns of a conversation are summarised, and the summary stands for them."""

from __future__ import annotations

import pytest

from claude_nb import CachedSystem, Chat, ClaudeError, Conversation, Recording
from claude_nb.asking import asking
from claude_nb.client.connection import Connection
from claude_nb.conversation import export, outline, restore, saved_notebook
from claude_nb.conversation.history import THINKING_LEFT_OUT
from claude_nb.errors import InputError, RequestError
from claude_nb.magics import commands
from claude_nb.recording.replay import RecordingStore
from claude_nb.session.session import Session
from claude_nb.simulator import Stream
from claude_nb.streaming.record import MIME
from tests.played import block, end, said, start

SIGNED = {"type": "compaction", "content": "They talked about trains.", "signature": "signed"}
NOTHING = {"input_tokens": 0, "output_tokens": 0}
TOOK = [{"type": "compaction", "input_tokens": 12_000, "output_tokens": 900}]
SUMMARY = [start(usage=NOTHING), *block(0, **SIGNED), *end("compaction", 0, iterations=TOOK)]
"""A summary as the API streams it: the block comes whole, and its usage in ``iterations``."""


def look_up(city: str) -> str:
    """The trains of a city."""
    return f"The trains of {city}"


@pytest.fixture
def session(monkeypatch):
    """A session of this test's own."""
    session = Session()
    monkeypatch.setattr(asking, "session", session)
    return session


@pytest.fixture
def talk(api, session):
    """A conversation of two turns."""
    api.enqueue(Stream(said("At six.")), Stream(said("At seven.")))
    talk = Conversation("trains", system="You know the timetable.")
    talk.ask("When does the first one leave?", show=False)
    talk.ask("And the next?", show=False)
    return talk


def compacted(api, talk):
    """Have it compacted; the reply with the summary."""
    api.enqueue(Stream(SUMMARY))
    return talk.compact(show=False)


def by_claude(exchange):
    """Let an answer be Claude's own, though the simulator has played it."""
    object.__setattr__(exchange, "simulated", False)


def sent(api):
    """The messages of the newest request."""
    return api.requests[-1].body["messages"]


def test_the_whole_conversation_is_summarised(api, talk):
    """With its own system prompt, by the model of its last turn, and without a question."""
    reply = compacted(api, talk)

    request = api.requests[-1]
    assert request.body["compaction"] == {"type": "summarize"}
    assert request.headers["anthropic-beta"] == "compact-2026-09-04"
    assert request.body["system"] == "You know the timetable."
    assert [message["role"] for message in sent(api)] == ["user", "assistant"] * 2
    assert (reply.outcome, reply.stop_reason) == ("complete", "compaction")
    shown = reply._repr_mimebundle_()["text/plain"]
    assert "They talked about trains." in shown
    assert "contains no text" not in shown


def test_the_summary_is_sent_in_the_place_of_the_turns(api, talk):
    """As it came, first, with the header; what is asked from then on follows it in full."""
    compacted(api, talk)
    api.enqueue(Stream(said("At eight.")), Stream(said("At nine.")))

    three = talk.ask("And after that?", show=False)
    four = talk.ask("And then?", show=False)

    roles = ["assistant", "user", "assistant", "user"]
    assert [message["role"] for message in sent(api)] == roles
    assert sent(api)[0]["content"] == [SIGNED]
    assert sent(api)[1]["content"] == "And after that?"
    assert api.requests[-1].headers["anthropic-beta"] == "compact-2026-09-04"
    assert "compaction" not in api.requests[-1].body
    compaction = "turns 1–2 compacted: 12,000 → 900 tokens"
    assert three.notes == ("trains · turn 3", compaction)
    assert four.notes == ("trains · turn 4 · sent with the 1 before it", compaction)


def test_it_costs_what_its_iteration_says(api, talk, session):
    """The counts at the top of its usage are zero."""
    reply = compacted(api, talk)

    entry = session.ledger.entries[-1]
    assert (entry.usage.input_tokens, entry.usage.output_tokens) == (12_000, 900)
    assert reply.cost == entry.cost == pytest.approx(12_000 * 4e-6 + 900 * 20e-6)
    assert entry.conversation == "trains"


def test_a_region_multiplies_the_price_of_a_summary_too(api, talk):
    """What usage names beside counts holds for all of the request."""
    counts = NOTHING | {"inference_geo": "us"}
    api.enqueue(Stream([start(usage=counts), *SUMMARY[1:]]))

    reply = talk.compact(show=False)

    assert reply.cost == pytest.approx(1.1 * (12_000 * 4e-6 + 900 * 20e-6))


def test_undo_and_fork_go_back_to_the_turns(api, talk):
    """Nothing leaves the tree: the summary is a node of it, which can be left and returned to."""
    compacted(api, talk)

    assert [exchange.prompt for exchange in talk.undo()] == ["turns 1–2 compacted"]
    talk.ask("Again?", show=False)
    assert len(sent(api)) == 5
    talk.fork(3)
    talk.ask("With the summary?", show=False)
    assert sent(api)[0]["content"] == [SIGNED]


def test_what_was_compacted_stays_readable(api, talk, tmp_path):
    """In the history and in each form of export; as messages it is what was asked and answered."""
    compacted(api, talk)
    talk.ask("And now?", show=False)

    assert "3  turns 1–2 compacted → They talked about trains." in outline.tree(talk)
    assert "At six." in talk.to_markdown()
    assert "*turns 1–2 compacted: 12,000 → 900 tokens*" in talk.to_markdown()
    assert [message["role"] for message in talk.to_messages()] == ["user", "assistant"] * 3
    assert repr(talk) == "<Conversation 'trains' · 3 turns>"
    assert '"%claude_nb compact -c \\"trains\\""' in export.to_notebook(talk, "cells")


def test_a_restored_conversation_is_still_compacted(api, talk, tmp_path):
    """The summary goes along as text: no signature is saved."""
    compacted(api, talk)
    by_claude(talk.exchanges[2])
    talk.to_notebook(tmp_path / "talk.ipynb")
    assert "signed" not in (tmp_path / "talk.ipynb").read_text()

    found, notes = restore.conversations(saved_notebook.load(tmp_path / "talk.ipynb"))
    again = Conversation("trains")
    again.add(found[0].exchanges, found[0].head)
    reply = again.ask("And now?", show=False)

    assert notes == []
    assert [message["role"] for message in sent(api)] == ["user", "user"]
    assert "They talked about trains." in sent(api)[0]["content"][0]["text"]
    assert reply.notes[1] == "turns 1–2 compacted: 12,000 → 900 tokens"


def test_the_output_of_a_cell_restores_it_too(api, talk):
    """The record of the reply has the text of the summary and what it took."""
    record = compacted(api, talk)._repr_mimebundle_()[MIME]

    assert record["turn"]["text"] == "They talked about trains."
    assert record["turn"]["compaction"] == {"before": 12_000, "after": 900}


def test_another_server_gets_no_signature(api, talk, session):
    """It gets the summary as text; and of a simulated one, which says nothing, the turns."""
    compacted(api, talk)
    session._api = Connection(base_url=api.base_url, simulated=True)
    talk.ask("And now?", show=False)
    assert sent(api)[0]["content"] == "When does the first one leave?"

    talk.undo()
    by_claude(talk.exchanges[2])
    talk.ask("And then?", show=False)
    assert "anthropic-beta" not in api.requests[-1].headers
    assert "They talked about trains." in sent(api)[0]["content"][0]["text"]


def test_a_model_that_takes_no_summary_gets_its_text(api, talk):
    """As a user's message; it cannot write one either, which is said before anything is sent."""
    compacted(api, talk)
    talk.ask("And now?", model="claude-haiku-4-5", show=False)

    assert sent(api)[0]["role"] == "user"
    assert "They talked about trains." in sent(api)[0]["content"][0]["text"]
    with pytest.raises(InputError, match="claude-haiku-4-5 does not compact conversations"):
        talk.compact(show=False)


def test_compacted_again(api, talk):
    """The new summary stands for the old one and what followed; one block is sent."""
    compacted(api, talk)
    talk.ask("And now?", show=False)
    compacted(api, talk)
    assert sent(api)[0]["content"] == [SIGNED]

    reply = talk.ask("And then?", show=False)

    assert [message["role"] for message in sent(api)] == ["assistant", "user"]
    assert reply.notes[1].startswith("turns 1–3 compacted")


def test_tools_stay_defined_and_thinking_is_not_missed(api, session):
    """The simulator checks both: calls in the history need their tools, and thinking its prefix."""
    talk = Conversation("trains")
    talk.ask("Use the tool, please.", tools=[look_up], show=False)
    talk.ask("Think about it.", show=False)
    talk.compact(show=False)
    assert api.requests[-1].body["tools"][0]["name"] == "look_up"

    for prompt in ("Think about it.", "Think about it again."):
        reply = talk.ask(prompt, show=False)
        assert THINKING_LEFT_OUT not in reply.notes

    content = sent(api)[2]["content"]
    assert [item["type"] for item in content] == ["thinking", "text"]


def test_nothing_to_summarise(api, talk):
    """Before the first turn, and right after a summary."""
    with pytest.raises(InputError, match="no messages yet"):
        Conversation("empty").compact()
    compacted(api, talk)
    with pytest.raises(InputError, match="everything is compacted already"):
        talk.compact()


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("max_tokens", "Allow more tokens"),
        ("model_context_window_exceeded", "The context window is too full"),
        ("end_turn", ""),
        ("refusal", ""),
    ],
)
def test_no_summary_leaves_the_conversation_as_it_is(api, talk, session, reason, advice):
    """What it cost is recorded all the same."""
    api.enqueue(Stream([start(usage=NOTHING), *end(reason, 0, iterations=TOOK)]))

    with pytest.raises(ClaudeError, match="Claude wrote no summary") as raised:
        talk.compact(show=False)

    assert raised.value.advice.startswith(advice)
    assert raised.value.reply is not None
    assert len(talk.exchanges) == 2
    assert session.ledger.entries[-1].usage.input_tokens == 12_000


def test_what_it_may_cost_is_kept(api, talk):
    """Its input is counted before it is sent, and its output lowered, as for every request."""
    reply = talk.compact(max_cost=0.01, show=False)

    counted = api.requests[-2]
    assert counted.path == "/v1/messages/count_tokens"
    assert api.requests[-1].body["max_tokens"] < 16_000
    assert any("max tokens lowered" in note for note in reply.notes)
    with pytest.raises(InputError, match="could exceed max_cost"):
        Conversation.from_messages(talk.to_messages()).compact(max_cost=1e-6, show=False)


def test_a_cached_conversation_is_read_for_its_summary(api, session):
    """So it costs little; and what follows is compared with nothing that it no longer holds."""
    manual = CachedSystem(("manual", "A rule of the house.\n" * 200))
    talk = Conversation("talk", system=manual)
    talk.ask("Hello, one", show=False)
    talk.ask("Hello, two", show=False)

    reply = talk.compact(show=False)
    after = talk.ask("Hello, three", show=False)

    assert reply.usage.cache_read_tokens > 1_000
    assert "cache_control" not in next(
        r.body for r in api.requests if "compaction" in (r.body or {})
    )
    assert after.usage.cache_read_tokens > 1_000
    assert after.cache_miss is None


def test_a_recorded_compaction_is_replayed(api, talk, session):
    """The summary and what follows it are found again."""
    summary = compacted(api, talk)
    after = talk.ask("And now?", show=False)
    made = [Recording.of(reply) for reply in (summary, after)]
    talk.undo(2)
    session.library = RecordingStore(made)
    for exchange in talk.branch:  # as if they had been replayed too
        object.__setattr__(exchange, "origin", "recordings")
    count = len(api.requests)

    talk.compact(show=False)
    again = talk.ask("And now?", show=False)

    assert (again.text, again.replayed) == (after.text, True)
    assert len(api.requests) == count


def test_the_command_says_what_it_took(api, talk, session, monkeypatch, capsys):
    """And how to take it back; the summary is shown above."""
    monkeypatch.setattr(Conversation, "_named", {"trains": talk})
    api.enqueue(Stream(SUMMARY))

    commands.execute("compact -c trains", "claude-opus-5-5")

    shown = capsys.readouterr().out
    assert "They talked about trains." in shown
    assert (
        "trains: turns 1–2 compacted: 12,000 → 900 tokens. To undo that: %claude_nb undo -c trains"
    ) in shown
    commands.execute("undo -c trains", "claude-opus-5-5")
    assert "removed “turns 1–2 compacted”. The next question follows “And the next?”" in (
        capsys.readouterr().out
    )


def test_a_chat_shows_its_turns_and_notes_what_is_sent(api, talk):
    """A summary is no message of anybody's; the next answer says that it was sent."""
    compacted(api, talk)
    chat = Chat(talk)
    full = {"input_tokens": 600_000, "output_tokens": 1}
    api.enqueue(Stream([start(usage=full), *said("At eight.")[1:]]), Stream(said("At nine.")))

    chat.ask("And after that?")
    reply = chat.ask("And then?")

    assert chat.turns == 4
    shown = [turn.prompt for turn, _ in chat._transcript.shown()]
    assert shown[0] == "When does the first one leave?"
    assert len(shown) == 4
    assert reply.notes == (
        "turns 1–2 compacted: 12,000 → 900 tokens",
        "context: 600,015 of 1,000,000 tokens (60 %)",
    )
    records = chat._transcript.records()
    assert [bool(record["turn"].get("compaction")) for record in records] == [
        *(False, False, True),
        *(False, False),
    ]
    chat.close()


def test_options_that_a_summary_cannot_have(talk):
    """They would shape a reply, and there is none."""
    with pytest.raises(TypeError, match="There is no option 'output'"):
        talk.compact(output=int)


@pytest.mark.parametrize(
    ("tokens", "model", "note"),
    [
        (520_000, "claude-opus-5-5", "context: 520,015 of 1,000,000 tokens (52 %)"),
        (130_000, "claude-haiku-4-5", "context: 130,015 of 200,000 tokens (65 %)"),
        (499_985, "claude-opus-5-5", None),
        (520_000, "not-a-model", None),
    ],
)
def test_the_context_window_has_a_meter(api, session, tokens, model, note):
    """From half of the model's window on, by what the last turn took; not where that is unknown."""
    used = {"input_tokens": 20, "cache_read_input_tokens": tokens - 20, "output_tokens": 1}
    api.enqueue(Stream([start(usage=used), *said("Yes.")[1:]]))
    talk = Conversation("talk")
    talk.ask("One", show=False)
    api.enqueue(Stream(said("Yes.")))

    reply = talk.ask("Two", model=model, show=False)

    meters = [found for found in reply.notes if found.startswith("context")]
    assert meters == ([] if note is None else [note])
    after = talk.ask("Three", show=False)
    assert not any(found.startswith("context") for found in after.notes)


def test_a_full_window_says_what_to_do(api, session):
    """Whether the reply met its end, or the prompt alone does not fit."""
    api.enqueue(Stream([*said("Yes")[:-2], *end("model_context_window_exceeded")]))
    talk = Conversation("talk")

    cut = talk.ask("One", show=False)
    with pytest.raises(RequestError) as refused:
        talk.ask("word " * 170_000, model="claude-haiku-4-5", show=False)

    assert "%claude_nb compact" in cut._repr_mimebundle_()["text/plain"]
    assert refused.value.what.startswith("The prompt is longer than the model's context window")
    assert "%claude_nb compact" in refused.value.advice
