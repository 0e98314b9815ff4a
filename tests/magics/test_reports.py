"""``%claude_nb usage`` and ``%claude_nb models``, as they are shown."""

from __future__ import annotations

import json
import re
from itertools import takewhile

import pytest

from claude_nb.cost.models import facts, models_by_use
from claude_nb.cost.usage import Usage
from claude_nb.errors import InputError
from claude_nb.magics import commands, reports
from claude_nb.session.ledger import Entry
from claude_nb.session.session import Session
from claude_nb.simulator import Simulator

HEADS = ["cost", "requests", "output", "thinking", "input", "cache write", "cache read"]


@pytest.fixture
def session(monkeypatch):
    """A session of this test's own."""
    session = Session()
    monkeypatch.setattr(reports, "session", session)
    return session


def entry(**fields: object):
    """An entry of the ledger, and what is special about it."""
    usual = {
        "when": "2026-11-23T07:00:00.000+00:00",
        "conversation": "notebook",
        "cell": "c1",
        "execution": 3,
        "model": "claude-opus-5-5",
        "simulated": False,
        "request_id": "req_1",
        "usage": Usage(25, 400, 100, 2000, 15, 5),
        "cost": 0.0042,
        "stop_reason": "end_turn",
        "complete": True,
    }
    return Entry(**(usual | fields))


BROKEN = {"usage": Usage(25, 0, 0, 0, None, None), "cost": None, "complete": False}


def run(line):
    """The table that a command shows: its head, its rows and its note."""
    table = commands.execute(line, "claude-opus-5-5").parts[0]
    return [*map(list, (table.heads, *table.rows)), [table.note]]


def test_without_requests_it_says_so(session):
    """An empty table, and no chart."""
    assert run("usage") == [["model", "cost", "output"], ["No requests yet."]]


def test_by_model_with_a_sum(session):
    """Each model once, in the order of their first requests, and all together."""
    session.ledger.entries += [
        entry(),
        entry(model="claude-haiku-5-5", usage=Usage(1, 2, 3, 4, 5, 0), cost=0.0001),
        entry(),
    ]

    assert run("usage")[:5] == [
        ["model", *HEADS],
        ["claude-opus-5-5", "$0.0084", "2", "30", "10", "50", "1,000", "4,000"],
        ["claude-haiku-5-5", "$0.0001", "1", "5", "0", "1", "5", "4"],
        ["all", "$0.0085", "3", "35", "10", "51", "1,005", "4,004"],
        ["Prices as of 2026-11-30."],
    ]
    assert run("usage by model") == run("usage")


def test_by_day(session):
    """Local days in their order, whichever reply ended first, and which days they are."""
    session.ledger.entries += [entry(when="2026-11-24T12:00:00.000+00:00"), entry(), entry()]

    _, *rows, (note,) = run("usage by day")

    assert [row[:3] for row in rows] == [
        ["2026-11-23", "$0.0084", "2"],
        ["2026-11-24", "$0.0042", "1"],
        ["all", "$0.0126", "3"],
    ]
    assert "Days are in local time (UTC" in note


def test_simulated_requests_stand_apart(session):
    """They cost nothing, and no sum holds both."""
    session.ledger.entries += [entry(simulated=True), entry(simulated=False)]

    lines = run("usage")

    assert [line[0] for line in lines[1:3]] == ["claude-opus-5-5", "claude-opus-5-5 (simulated)"]
    assert lines[3] == [
        "Prices as of 2026-11-30. Simulated: what real requests of that length would have cost."
    ]


def test_what_is_not_known_stays_visible_in_a_sum(session):
    """The known part with a plus, which the note explains."""
    session.ledger.entries += [entry(), entry(**BROKEN)]

    assert run("usage")[1:3] == [
        ["claude-opus-5-5", "$0.0042+", "2", "15+", "5+", "50", "500", "2,000"],
        ["Prices as of 2026-11-30. +: at least this much; the rest is unknown."],
    ]


def test_what_is_not_known_at_all_is_unknown(session):
    """There is no number to put a plus to."""
    session.ledger.entries.append(entry(**BROKEN))

    assert run("usage")[1] == ["claude-opus-5-5", "unknown", "1", "unknown", "25"]


def test_by_conversation(session):
    """What belongs to none has a row of its own."""
    session.ledger.entries += [entry(), entry(conversation="trains"), entry(conversation="")]

    assert [line[:3:2] for line in run("usage by conversation")[:5]] == [
        ["conversation", "requests"],
        ["notebook", "1"],
        ["trains", "1"],
        ["no conversation", "1"],
        ["all", "3"],
    ]


def test_by_cell(session):
    """A cell that ran again is one cell, under its newest number."""
    session.ledger.entries += [
        entry(),
        entry(cell="c2", execution=4),
        entry(execution=5),
        entry(cell="", execution=0),
    ]

    assert [line[:3:2] for line in run("usage by cell")[:5]] == [
        ["cell", "requests"],
        ["[5]", "2"],
        ["[4]", "1"],
        ["outside a notebook", "1"],
        ["all", "4"],
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [("usage by modle", "Did you mean by model?"), ("usage weekly", "Use by model, conv")],
)
def test_a_mistake_is_named(session, line, words):
    """And what to write instead."""
    with pytest.raises(InputError, match="cannot be grouped") as raised:
        run(line)

    assert words in raised.value.advice


def test_the_chart_stands_below_the_table(session):
    """In a notebook and in a terminal."""
    session.ledger.entries.append(entry())
    report = reports.usage("")

    assert "Tokens over time" in repr(report)
    assert report._repr_html_().index("</table>") < report._repr_html_().index("Tokens over time")


def test_what_a_server_said_is_text(session):
    """A model's name may be anything, a key or a tag too."""
    session.ledger.entries.append(entry(model="<b>sk-ant-xyz\x1b[31m"))
    report = reports.usage("")

    assert "&lt;b&gt;sk-ant-…" in report._repr_html_()
    assert ("xyz" in repr(report), "\x1b" in repr(report)) == (False, False)


def rows(table):
    """A table's rows by their first cell, as dicts by its heads; without lines of their own."""
    named = [row for row in table.rows if not row[0].startswith("·")]
    return {row[0]: dict(zip(table.heads, row, strict=True)) for row in named}


def below(table, model):
    """The lines of its own that a model has, without what is empty in them."""
    names = [row[0] for row in table.rows]
    after = table.rows[names.index(model) + 1 :]
    return [tuple(filter(None, r)) for r in takewhile(lambda row: row[0].startswith("·"), after)]


def test_models_without_a_key_are_our_own_list(session):
    """It says so; the default comes first, deprecated models last, retired ones not at all."""
    table = reports.models(default_model="claude-sonnet-5")

    shown = list(rows(table))
    assert shown == models_by_use("claude-sonnet-5")
    assert (shown[:2], shown[-1]) == (["claude-sonnet-5", "claude-fable-5-2"], "claude-opus-4-5")
    assert below(table, "claude-sonnet-5") == [("· the default",)]
    assert not {"claude-sonnet-4-5", "claude-mythos-preview"}.intersection(shown)
    why = r"The API could not be asked \(.+\): these are the models that claude_nb knows\.\n"
    assert re.match(why, table.note)


def test_models_are_not_asked_of_the_simulator(monkeypatch):
    """What it can do is not what the models can do."""
    monkeypatch.setenv("CLAUDE_NB_SIMULATE", "1")
    session = Session()
    monkeypatch.setattr(reports, "session", session)

    assert reports.models().note.startswith("The simulator answers")


def test_models_as_the_api_lists_them(api, session):
    """With what it says of them, and our prices; what is not known is left empty."""
    table = reports.models()
    found = rows(table)

    assert found["claude-sonnet-5-5"] == {
        "model": "claude-sonnet-5-5",
        "input": "2",
        "output": "10",
        "write": "2.50/4",
        "read": "0.10",
        "limits": "1M/128k",
        "thinks": "on",
        "effort": "to max",
    }
    assert [found[f"claude-{m}"]["effort"] for m in ("opus-4-6", "opus-4-5", "haiku-4-5")] == [
        *("no xhigh", "to high", "none"),
    ]
    assert below(table, "claude-opus-4-5") == [("· retires 2027-01-22",)]
    assert "unknown" not in repr(table)


def test_no_cell_is_taken_for_a_formula(session):
    """JupyterLab typesets what stands between two dollar signs."""
    assert "$" not in repr(reports.models())


def test_the_source_of_the_prices_is_one_line(session):
    """That of most of them first; what comes from others is named."""
    assert reports.models().note.split("\n")[-1] == (
        "Prices as of 2026-11-30, platform.claude.com; claude-fable-5-2, claude-mythos-5-2:"
        " release notes, cache prices from third parties."
    )


def test_a_price_that_depends_on_the_prompt_has_two_rows(session):
    """The second one below the first."""
    table = reports.models()

    assert rows(table)["claude-haiku-5-5"]["input"] == "0.10"
    assert below(table, "claude-haiku-5-5") == [
        ("· above 100k", "0.50", "2.50", "0.625/1", "0.05"),
    ]


def listing(monkeypatch, *models: dict):
    """The API lists these models."""

    async def listed(_):
        return list(models)

    monkeypatch.setattr(reports, "list_models", listed)


def test_what_the_api_lists_is_what_is_shown(session, monkeypatch):
    """Its new models too, without prices; deprecated and retired ones last, with their date."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    only_adaptive = {"types": {"adaptive": {"supported": True}, "disabled": {"supported": False}}}
    listing(
        monkeypatch,
        {
            "id": "claude-sonnet-4-5-20250929",
            "lifecycle": "deprecated",
            "retires_at": "2027-03-04T00:00:00Z",
        },
        {"id": "claude-3", "lifecycle": "retired", "retires_at": None},
        {
            "id": "claude-opus-9",
            "lifecycle": "active",
            "max_input_tokens": 4_096,
            "max_tokens": 3,
            "capabilities": {"thinking": only_adaptive, "effort": {"supported": False}},
        },
        {"id": "claude-opus-5-5", "lifecycle": "active"},
    )

    table = reports.models()

    dated = "claude-sonnet-4-5-20250929"
    assert list(rows(table)) == ["claude-opus-5-5", "claude-opus-9", dated, "claude-3"]
    assert rows(table)["claude-opus-9"] == {
        **dict.fromkeys(table.heads, ""),
        "model": "claude-opus-9",
        "limits": "4,096/3",
        "thinks": "always",
        "effort": "none",
    }
    assert rows(table)[dated]["input"] == "3"
    assert below(table, dated) == [("· retires 2027-03-04",)]
    assert below(table, "claude-3") == [("· retired",)]
    missing = table.note.split("\n")[0]
    assert missing.startswith("Not offered with this key: claude-fable-5-2, claude-mythos-5-2, ")


def test_columns_of_which_nothing_is_known_are_left_out(session, monkeypatch):
    """As for a server with models of its own, whose list is not compared with ours."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://localhost:8080")
    listing(monkeypatch, {"id": "qwen3"})

    table = reports.models()

    assert (table.heads, table.rows) == (("model",), [("qwen3",)])
    assert "Prices" not in table.note


@pytest.mark.parametrize("odd", [None, [], "yes", 4, {"effort": 3, "thinking": {"types": []}}])
def test_a_gateway_s_nonsense_is_not_shown(session, monkeypatch, odd):
    """What is not as documented is not read, and breaks nothing."""
    listing(monkeypatch, {"id": "m", "capabilities": odd, "max_tokens": odd, "lifecycle": odd}, {})

    assert reports.models().rows == [("m", "4")] if odd == 4 else [("m",)]


def test_an_empty_list_is_no_list(session, monkeypatch):
    """Then ours is shown."""
    listing(monkeypatch)

    assert reports.models().note.startswith("The API lists no models")


def test_a_user_s_own_prices_are_marked(session, tmp_path, monkeypatch):
    """With their file."""
    path = tmp_path / "prices.json"
    tier = {"up_to_input_tokens": None, "input": 3.6, "output": 18}
    path.write_text(json.dumps({"models": {"claude-opus-5-5": {"prices": [tier]}}}))
    monkeypatch.setenv("CLAUDE_NB_PRICES", str(path))

    table = reports.models()
    session.ledger.entries.append(entry())

    row = rows(table)["claude-opus-5-5"]
    assert (row["input"], row["write"], row["read"]) == ("3.60", "", "")
    assert f"claude-opus-5-5: {path}" in table.note
    assert f"and from {path}." in reports.usage("").parts[0].note


@pytest.mark.parametrize("line", ["usage", "models"])
def test_a_price_file_that_cannot_be_used_is_said(session, tmp_path, monkeypatch, line):
    """Where prices are shown, none is shown that the user thinks is another one."""
    session.ledger.entries.append(entry())
    path = tmp_path / "prices.json"
    path.write_text("{")
    monkeypatch.setenv("CLAUDE_NB_PRICES", str(path))

    with pytest.raises(InputError, match="price file"):
        run(line)


def test_a_server_that_lists_nothing_in_time_is_given_up(session, monkeypatch):
    """What we know ourselves is shown without it."""
    monkeypatch.setattr("claude_nb.client.connection._LIST_TIMEOUT", 0.0)
    with Simulator() as simulator:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")

        note = reports.models().note

    assert note.startswith("The API could not be asked (The server did not list its models in time")


def test_facts_have_a_source_for_each_priced_model():
    """The note below the prices names it."""
    priced = [model for model in models_by_use() if facts(model).prices]

    assert [model for model in priced if not facts(model).source] == []
