"""What a reader sees when something fails: waits that count down, seams, and no surprises."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from claude_nb.simulator import Error, Raw, Scripted
from tests.browser.test_live import SETTLED, left, shown_live
from tests.played import end, escaped, start, text

OVERLOADED = Error(529, "overloaded_error", "Overloaded")
LIMITED = {"retry-after": "30"}
SEAM = "connection lost after"


def test_a_drop_is_continued_behind_a_seam(open_cells, simulator):
    """The text goes on where it was broken off; the seam is there live, settled, and reopened."""
    simulator.enqueue(Scripted(60, end="drop"))
    notebook = open_cells("%%claude\ntell me a story")
    with shown_live(notebook) as wait_for_live:
        notebook.run(1)
        wait_for_live(SEAM)
        wait_for_live("Winter came.")
    settled = notebook.output(1).locator(SETTLED)
    expect(settled).to_contain_text(SEAM)
    expect(settled).to_contain_text("complete")
    notebook.wait_idle()
    text = settled.text_content()
    assert text.count("The lighthouse that counted") == 1
    assert text.count("so that there would be something to count.") == 1
    assert "1 · connection lost" in text
    notebook.reopen_without_kernel(trusted=False)
    expect(notebook.output(1)).to_contain_text(SEAM)


def test_a_wait_counts_down_and_can_be_stopped(open_cells, simulator):
    """A rate limit says until when and counts the seconds down; Stop ends the wait at once."""
    simulator.enqueue(Error(429, "rate_limit_error", "Too many tokens.", LIMITED))
    notebook = open_cells("%%claude\nhello")
    notebook.run(1)
    status = notebook.output(1).locator(".claude-nb-status")
    expect(status).to_contain_text(
        re.compile(r"rate limited, trying again at \d\d:\d\d:\d\d, \d+ s left")
    )
    seen = int(re.search(r"(\d+) s left", status.text_content())[1])
    fewer = "|".join(map(str, range(seen - 1)))
    expect(status).to_contain_text(re.compile(rf"\b({fewer}) s left"))
    status.get_by_role("button", name="Stop").click()
    expect(notebook.output(1).locator(SETTLED)).to_contain_text("stopped")
    notebook.wait_idle()
    assert [r.path for r in simulator.requests].count("/v1/messages") == 1
    assert left(simulator.requests) is None


@pytest.mark.parametrize("then", ["hello", "tell me a story"])
def test_overload_is_waited_out(open_cells, simulator, then):
    """An overloaded server is asked again, and the reply is as if nothing had been."""
    simulator.enqueue(OVERLOADED)
    notebook = open_cells(f"%%claude\n{then}")
    notebook.run(1)
    expect(notebook.output(1).locator(SETTLED)).to_contain_text("complete")
    notebook.wait_idle()
    expect(notebook.output(1)).to_contain_text("1 · overloaded")
    assert "Error" not in notebook.text(1)


def test_an_error_stands_in_its_card_and_once(open_cells, simulator):
    """The red line below points to the card; what cannot be sent has no card, and all of it."""
    simulator.enqueue(Error(404, "not_found_error", "No such model."))
    notebook = open_cells("%%claude\nhello", "%%claude\n{{nope}}")
    notebook.run(1)
    expect(notebook.output(1)).to_contain_text("RequestError: see above")
    assert notebook.text(1).count("The server refused the request") == 1
    notebook.run(2)
    expect(notebook.output(2)).to_contain_text("InputError: There is no variable nope.")
    assert notebook.text(2).count("There is no variable nope.") == 1


def test_what_a_gateway_makes_of_a_reply(open_cells, simulator):
    """Half a character is U+FFFD; a page in place of a reply is told once, in its words."""
    half = escaped(start(), *text("Half \ud83d here, ", "whole \ud83d", "\ude00 there."), *end())
    page = b"<html><style>a{}</style><h1>Sign in</h1><p>to \x1b[2JExample&nbsp;Corp</p></html>"
    simulator.enqueue(Raw([half]), Raw([page], headers={"Content-Type": "text/html"}))
    notebook = open_cells("%%claude\nhello", "%%claude\nagain")

    notebook.run(1)
    settled = notebook.output(1).locator(SETTLED)
    expect(settled).to_contain_text("Half \ufffd here, whole 😀 there.")
    expect(settled).to_contain_text("complete")
    notebook.run(2)
    failed = notebook.output(2).locator(SETTLED)
    expect(failed).to_contain_text("/v1/messages sent a web page instead of a reply.")
    expect(failed).to_contain_text("It says: Sign in to ␛[2JExample Corp")
    notebook.wait_idle()
    assert [r.path for r in simulator.requests].count("/v1/messages") == 2
