"""``compare``: what is asked, shown, recorded and returned."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from types import SimpleNamespace

import pytest

import claude_nb
from claude_nb.asking import asking
from claude_nb.asking.comparison import compare, variants
from claude_nb.asking.jobs import jobs
from claude_nb.client.file_service import count_tokens
from claude_nb.errors import InputError, StoppedError, UnreachableError
from claude_nb.magics import cell
from claude_nb.magics.magics import ClaudeMagics
from claude_nb.session import limits
from claude_nb.session.budget import Budget
from claude_nb.simulator import Error, Stream
from claude_nb.streaming.record import MIME
from tests.played import said, start, text

OPEN = Stream([start(), *text("The first words")[:-1]], end="hang")
BOTH = ("claude-opus-5-5", "claude-haiku-5-5")


@pytest.fixture
def shell():
    """What a cell is run in."""
    return SimpleNamespace(user_ns={"short": "Be short.", "long": "Take your time."})


def ask(shell, line, prompt="Hello"):
    """Run a ``%%claude`` cell."""
    return cell.run(shell, line, prompt, ClaudeMagics()._defaults() | {"policy": None})


def sent(api, number):
    """What was asked from the request of that number on, as the server saw it."""
    found = [r.body for r in api.requests[number:] if r.path == "/v1/messages"]
    return [(body["model"], (body.get("output_config") or {}).get("effort")) for body in found]


def test_the_same_is_asked_of_each_model(api, capsys):
    """At once; the replies come back in the order of the models."""
    number = len(api.requests)

    replies = compare("hello", models=BOTH)

    assert sorted(sent(api, number)) == [("claude-haiku-5-5", None), ("claude-opus-5-5", None)]
    assert [reply.model for reply in replies] == list(BOTH)
    assert len(replies) == 2
    assert replies[0].text.startswith("Hello!")
    assert repr(replies) == "<Comparison · claude-opus-5-5 | claude-haiku-5-5>"
    assert replies.wait() is replies


def test_one_model_is_asked_at_several_efforts_with_several_prompts(api):
    """Every one with every other, each under its own name."""
    number = len(api.requests)

    replies = compare("hello", efforts=["low", None], systems=["Be short.", None])

    efforts = [effort for _, effort in sent(api, number)]
    assert sorted(map(str, efforts)) == ["None", "None", "low", "low"]
    assert replies.names == (
        "claude-opus-5-5 · low · “Be short.”",
        "claude-opus-5-5 · low · no system prompt",
        "claude-opus-5-5 · default effort · “Be short.”",
        "claude-opus-5-5 · default effort · no system prompt",
    )


def test_too_many_are_refused():
    """More than eight cannot be read beside each other."""
    with pytest.raises(InputError, match="That would be 9 replies side by side; the most is 8"):
        variants(list("abc"), [None, "low", "high"], [None])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"models": []}, "models is empty, so there is nothing to compare"),
        ({"efforts": []}, "efforts is empty"),
        ({"systems": ()}, "systems is empty"),
        ({"models": "haiku"}, 'models must be a list: models=["haiku"]'),
        ({"efforts": "low"}, 'efforts must be a list: efforts=["low"]'),
        ({"systems": "Be brief."}, 'systems must be a list: systems=["Be brief."]'),
        ({"systems": claude_nb.CachedSystem("Be brief.")}, "systems must be a list: systems=[…]"),
    ],
)
def test_what_is_no_list_of_variants_is_refused(api, options, said):
    """Nothing is sent, and least of all a request for each letter of a name."""
    number = len(api.requests)

    with pytest.raises(InputError, match=re.escape(said)):
        compare("hello", **options)

    assert len(api.requests) == number


def test_nothing_is_sent_if_one_of_them_cannot_be(api):
    """A model that does not take what is asked of it stops all before they begin."""
    number = len(api.requests)

    with pytest.raises(InputError, match="cannot turn thinking off"):
        compare("hello", models=["claude-haiku-4-5", "claude-fable-5"], thinking="off")

    assert len(api.requests) == number


def test_an_error_leaves_the_others_alone(api):
    """It is shown in its column, and raised by nobody while another one has ended well."""
    api.enqueue(Error(404, "not_found_error", "No such model."), Stream(said("Hello")))

    replies = compare("Hello", models=BOTH)

    assert sorted(str(reply.outcome) for reply in replies) == ["complete", "failed"]
    page = replies._repr_mimebundle_()["text/html"]
    assert "refused the request (404)" in page
    assert "Hello" in page


def test_it_is_raised_if_none_ends_well(api):
    """There is nothing to compare."""
    api.enqueue(*[Error(404, "not_found_error", "No such model.")] * 2)

    with pytest.raises(claude_nb.ClaudeError, match="refused the request") as raised:
        compare("Hello", models=BOTH)

    assert str(raised.value.reply.outcome) == "failed"


def test_one_is_stopped_and_all_are(api):
    """One by its own ``stop``; that of the comparison ends what is left, and is raised."""
    number = len(api.requests)
    api.enqueue(OPEN, OPEN)
    replies = compare("Hello", models=BOTH, background=True)
    assert api.wait_for(lambda requests: len(requests) >= number + 2, 20)

    replies[0].stop()
    with pytest.raises(StoppedError):
        replies[0].wait(20)
    assert str(replies[1].outcome) == "streaming"
    with pytest.raises(TimeoutError, match="Some replies have not ended"):
        replies.wait(0.01)
    replies.stop()
    with pytest.raises(StoppedError) as raised:
        replies.wait(20)

    assert raised.value.reply is replies
    assert jobs.wait()


def test_stop_while_they_begin_stops_the_rest_too(api, monkeypatch):
    """What was being counted is stopped as it begins; what comes after it does not begin."""
    number = len(api.requests)
    counted = []
    main = threading.main_thread().ident

    async def interrupted(connection, request):
        counted.append(request.model)
        if len(counted) == 2:
            await asyncio.to_thread(api.wait_for, lambda _: sent(api, number), 20)
            signal.pthread_kill(main, signal.SIGINT)
        return await count_tokens(connection, request)

    monkeypatch.setattr(limits, "count_tokens", interrupted)
    api.enqueue(OPEN, Stream(said("Hello")), Stream(said("Hello")))

    with pytest.raises(StoppedError) as raised:
        compare("Hello", models=[*BOTH, "claude-sonnet-5-5"], max_cost=1)

    replies = raised.value.reply
    assert [str(reply.outcome) for reply in replies] == ["stopped", "stopped"]
    assert counted == list(BOTH)
    assert "claude-sonnet-5-5" not in str(sent(api, number))
    assert len(replies.to_pandas()) == 2
    assert replies._repr_mimebundle_()[MIME]["comparison"] == list(BOTH)
    replies.stop()
    with pytest.raises(StoppedError):
        replies.wait()


def test_the_record_holds_every_reply(api):
    """So that what they cost is summed like everything else."""
    replies = compare("hello", models=BOTH)

    bundle = replies._repr_mimebundle_()

    record = bundle.pop(MIME)
    assert sorted(bundle) == ["text/html", "text/markdown", "text/plain"]
    assert (record["version"], record["simulated"]) == (1, True)
    assert record["comparison"] == list(BOTH)
    assert [one["model"] for one in record["replies"]] == list(BOTH)
    assert [one["usage"]["output_tokens"] for one in record["replies"]] == [76, 76]
    costs = [entry.cost for entry in asking.session.ledger.entries[-2:]]
    assert sorted(costs) == sorted(one["cost_usd"] for one in record["replies"])


def test_it_is_printed_in_a_terminal(api, capsys):
    """One below the other, and the table."""
    compare("hello", models=BOTH)

    printed = capsys.readouterr().out
    assert sorted(re.findall(r"── (.*)\n", printed)) == sorted(BOTH)
    assert printed.count("Hello!") == 2
    assert re.search(r"\nreply +cost +total +output +thinking +input +first text +tok", printed)


def test_it_becomes_a_table_of_pandas(api):
    """A row for each."""
    frame = compare("hello", efforts=["low", "high"]).to_pandas()

    assert list(frame["effort"]) == ["low", "high"]
    assert list(frame["output_tokens"]) == [76, 76]
    assert frame["cost_usd"].sum() > 0


def test_the_limit_is_for_all_together(api):
    """Each may cost its part."""
    compare("hello", models=["claude-opus-5-5"] * 2, max_cost=0.02)

    asked = [r.body["max_tokens"] for r in api.requests if r.path == "/v1/messages"][-2:]
    assert max(asked) < 0.01 / 20 * 1_000_000


@pytest.mark.parametrize(
    ("limit", "parts"),
    [(None, "the budget of $0.0500"), (1, "the budget of $0.0500"), (0.02, "max_cost")],
)
def test_they_share_what_is_left_of_a_budget(api, monkeypatch, limit, parts):
    """Each may cost an equal part of it, so that none takes what the next one needs."""
    monkeypatch.setattr(asking.session, "budget", Budget(0.05, asking.session.ledger.spent))

    replies = compare("hello", models=["claude-opus-5-5"] * 3, max_cost=limit, max_tokens=12_000)

    asked = [r.body["max_tokens"] for r in api.requests if r.path == "/v1/messages"][-3:]
    most = min(limit or 1, 0.05) / 3 / 20 * 1_000_000
    assert most - 10 < min(asked)
    assert max(asked) < most
    for reply in replies:
        (note,) = reply.request.notes
        assert note.startswith("max tokens lowered from 12,000 to ")
        assert note.endswith(f" are left of its share of {parts}")
    assert asking.session.budget.spent <= 0.05


def test_with_nothing_left_of_a_budget_nothing_is_sent(api, monkeypatch):
    """The error says so."""
    spent = [1.0]
    monkeypatch.setattr(asking.session, "budget", Budget(0.05, lambda: sum(spent)))
    spent.append(0.05)
    number = len(api.requests)

    with pytest.raises(InputError, match=r"the budget of \$0.0500: \$0.0000 are left"):
        compare("hello", models=BOTH)

    assert not sent(api, number)


def test_a_cell_that_names_two_models_shows_them_side_by_side(api, shell):
    """And keeps the comparison."""
    assert ask(shell, "-m claude-opus-5-5 -m claude-haiku-5-5 -o both", "hello") is None

    assert [reply.model for reply in shell.user_ns["both"]] == list(BOTH)


def test_a_cell_compares_efforts_and_system_prompts(api, shell):
    """Named once, an option is for all."""
    ask(shell, "--effort low -s short -s long -o x", "hello")

    assert [reply.request.system for reply in shell.user_ns["x"]] == [
        "Be short.",
        "Take your time.",
    ]
    assert {reply.request.effort for reply in shell.user_ns["x"]} == {"low"}
    assert shell.user_ns["x"].names[0] == "claude-opus-5-5 · “Be short.”"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("-c talk", "side by side join no conversation: leave out"),
        ("--new", "side by side join no conversation: leave out"),
        ("--insert", "--insert cannot be used with side by side"),
    ],
)
def test_what_does_not_go_with_it_is_refused(api, shell, options, said):
    """Before anything is sent."""
    number = len(api.requests)

    with pytest.raises(InputError, match=re.escape(said)):
        ask(shell, f"-m a -m b {options}")

    assert len(api.requests) == number


def test_it_waits_in_the_background_too(api, shell):
    """``-o`` holds the comparison at once."""
    ask(shell, "--background --effort low --effort high -o both", "hello")

    assert [str(reply.outcome) for reply in shell.user_ns["both"].wait(20)] == ["complete"] * 2
    jobs.wait()


def test_a_dry_run_counts_each(api, shell, monkeypatch):
    """A row for each, and nothing is sent."""
    shown = []
    monkeypatch.setattr(cell, "display", shown.append)

    ask(shell, "-m claude-opus-5-5 -m claude-haiku-5-5 --dry-run", "hello")

    assert [row[0] for row in shown[0].rows] == list(BOTH)
    assert {r.path for r in api.requests[-2:]} == {"/v1/messages/count_tokens"}


def test_a_dry_run_says_that_it_cannot_see_what_is_found(api, shell, monkeypatch):
    """The API counts what is sent, before its own tools add anything."""
    shown = []
    monkeypatch.setattr(cell, "display", shown.append)

    ask(shell, "--tools web_search,code_execution --dry-run", "hello")

    assert "Not counted: what web_search and code_execution would add." in shown[0].note


def test_an_address_that_nobody_answers_fails_all(shell, monkeypatch):
    """As a single reply does."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")

    with pytest.raises(UnreachableError):
        compare("Hello", models=BOTH)
