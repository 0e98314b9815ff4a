"""``%claude_nb budget``: this kernel's and the user's, set, shown and lifted."""

from __future__ import annotations

import pytest

from claude_nb.magics import commands
from claude_nb.session.session import session
from claude_nb.session.shared_budget import shared_budget


def run(capsys, line: str) -> list[str]:
    """The lines that ``%claude_nb budget`` prints."""
    commands.execute(f"budget {line}", "claude-opus-5-5")
    return capsys.readouterr().out.splitlines()


@pytest.fixture(autouse=True)
def own_budget(monkeypatch):
    """No budget of another test."""
    monkeypatch.setattr(session, "budget", None)


def test_the_two_kinds_stand_beside_each_other(capsys):
    """Each is set, shown and lifted by itself."""
    assert run(capsys, "") == ["No budget set."]
    assert run(capsys, "2") == ["budget: $2.0000 · $2.0000 left"]

    kernel, month, note = run(capsys, "20 --per month")
    assert kernel == "budget of this kernel: $2.0000 · $2.0000 left"
    assert month.startswith("budget per month: $20.0000 · $20.0000 left until ")
    assert note.startswith("Shared by all your kernels; simulated replies do not count. Days are")

    assert run(capsys, "off") == [month, note]
    lift = "To remove a shared one: %claude_nb budget off --per month"
    assert run(capsys, "off") == [f"This kernel has no budget of its own. {lift}", month, note]
    assert run(capsys, "off --per week") == [month, note]
    assert run(capsys, "off --per month") == ["No budget set."]


def test_what_is_reserved_is_named_with_its_process(capsys):
    """A reply that is under way, or what a kernel has left behind; a batch by its ids."""
    shared_budget.set(20, "month")
    for name in ("aabbcc", "msgbatch_1"):
        with shared_budget.opened(name) as (account,):
            account.reserve(0.5)

    first, reply, batch, _ = run(capsys, "")

    assert "$19.0000 left" in first
    assert reply.startswith("$0.5000 of it is reserved for a reply, by process ")
    assert reply.endswith("If its kernel has ended, that counts as spent until the period ends.")
    assert batch.startswith("$0.5000 of it is reserved for batch msgbatch_1, by process ")
