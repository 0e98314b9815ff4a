"""An output is given to one page at a time, and its mark goes when it is settled."""

from __future__ import annotations

import pytest

from claude_nb.streaming.record import MIME
from claude_nb.views import synced_output
from claude_nb.views.synced_output import MARK, SyncedOutput


@pytest.fixture
def sync(monkeypatch):
    """The widget that tells pages of outputs; what it sends is in ``sync.sent``."""
    monkeypatch.setattr(synced_output, "_sync", None)
    sync = synced_output.output_sync()
    sync.sent = []
    monkeypatch.setattr(sync, "send", sync.sent.append)
    yield sync
    sync.close()


def ask(sync, output, given):
    """What the kernel answers to a page that asks for an output."""
    sync.receive({"op": "output", "id": output.id, "given": given, "n": 7}, [])
    answer = sync.sent.pop()
    assert answer.pop("ack") == 7
    return answer


def test_of_two_pages_that_ask_one_is_given_it(sync):
    """The other is refused until it has looked again; then it is given it as well."""
    output = SyncedOutput()
    output.show({"text/plain": "live"})
    output.settle({"text/plain": "settled"})
    first, second = (ask(sync, output, 0) for _ in range(2))
    assert first["output"]["data"] == {"text/plain": "settled"}
    assert second == {"given": 1}
    assert ask(sync, output, 1)["output"] == first["output"]
    assert ask(sync, output, 1) == {"given": 2}, "a third, which had looked at the same time"


def test_only_an_output_that_may_change_has_a_mark(sync):
    """A settled output is saved without one."""
    output = SyncedOutput()
    output.show({"text/plain": "live"})
    shown = ask(sync, output, 0)["output"]
    assert shown["data"] == {"text/plain": "live", MARK: output.mark_of_version()}
    output.settle({"text/plain": "settled"})
    assert ask(sync, output, 1)["output"]["data"] == {"text/plain": "settled"}


def test_pages_are_told_of_each_version(sync):
    """Each as it comes; a page that is loaded later is told of all outputs."""
    output = SyncedOutput()
    output.show({"text/plain": "1"})
    output.show({"text/plain": "2"})
    first, facts = sync.sent
    about = {"cell": "", "session": "", "settled": False}
    assert facts == {"id": output.id, "version": 2, "given": 0, **about}
    assert first == {**facts, "version": 1}
    assert sync.get_state()["snapshot"] == {"outputs": [facts]}
    sync.sent.clear()
    sync.receive({"op": "outputs", "n": 7}, [])
    assert sync.sent == [{"ack": 7, "outputs": [facts]}]


def test_a_settled_output_can_be_asked_for_though_nothing_else_keeps_it(sync):
    """Of many the last ones: a page may come late."""
    first = SyncedOutput()
    first.show({"text/plain": "live"})
    first.settle({"text/plain": "settled"})
    gone, kept = first.id, []
    del first
    for _ in range(100):
        output = SyncedOutput()
        output.show({})
        output.settle({"text/plain": "settled"})
        kept.append(output.id)
        del output
    known = [facts["id"] for facts in sync.whole()["outputs"]]
    assert known == kept
    assert gone not in known


SHOW = """\
from claude_nb.views.synced_output import SyncedOutput, output_sync
output = SyncedOutput()
output.show({"text/plain": "live"})
output.settle({"text/plain": "settled"})
"""
PAGE = {"protocol": 1, "capabilities": ["settle"]}


@pytest.mark.kernel
def test_a_settled_output_is_placed_until_a_page_has_it_or_its_cell_runs_again(kernel):
    """Where the page that displayed it says when it has it, as the extension does."""

    def cell():
        kernel.run("output.cell", "other")
        return kernel.last_shown()["data"]["text/plain"]

    kernel.run(SHOW, "a", page=PAGE)
    assert cell() == "'a'"
    kernel.run("1", "a", page=PAGE)
    assert cell() == "''"
    kernel.run(SHOW, "a", page=PAGE)
    assert cell() == "'a'"
    kernel.run("output_sync().receive({'op': 'has', 'id': output.id}, [])")
    assert cell() == "''"
    kernel.run(SHOW, "a")
    assert cell() == "''"


def test_the_reply_of_a_turn_gets_a_line_above_it(sync):
    """Once, however often it is edited; its record stays as it was, and so do other replies."""
    outputs = [SyncedOutput(), SyncedOutput()]
    for number, output in enumerate(outputs):
        output.show({"text/plain": "live"})
        data = {"text/html": "<p>Yes.</p>", "text/markdown": "Yes.", "text/plain": "Yes."}
        output.settle(data | {MIME: {"turn": {"id": f"turn {number}", "text": "Yes."}}})
    before = ask(sync, outputs[0], 0)["output"]

    for _ in range(2):
        synced_output.mark("turn 0", "edited in [4]")
    synced_output.mark("another", "edited in [5]")

    after = ask(sync, outputs[0], 1)["output"]
    assert after["data"][MIME] == before["data"][MIME]
    assert after["data"]["text/plain"] == "[edited in [4]]\n\nYes."
    assert after["data"]["text/markdown"] == "*edited in [4]*\n\nYes."
    assert after["data"]["text/html"].endswith("edited in [4]</p></div><p>Yes.</p>")
    assert ask(sync, outputs[1], 0)["output"]["data"]["text/plain"] == "Yes."
