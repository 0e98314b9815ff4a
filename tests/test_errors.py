"""The error tree: each says what happened, what to do, and never a key."""

from __future__ import annotations

import re

import pytest

from claude_nb import errors
from claude_nb.errors import ClaudeError, InputError, RateLimitError

KEY = "sk-" + "ant-api03-AbC_123-xyz"


def test_the_drawing_is_the_tree():
    """The module's docstring names every class, each once, and nothing else."""
    drawn = re.findall(r"^[├└]── (\w+)", errors.__doc__, re.MULTILINE)
    values = vars(errors).items()
    classes = [name for name, v in values if isinstance(v, type) and issubclass(v, Exception)]

    assert ["ClaudeError", *drawn] == classes
    assert all(issubclass(getattr(errors, name), ClaudeError) for name in drawn)


def test_it_says_everything_in_one_string():
    """``str`` holds what happened, the server's words, what to do and the id for support."""
    error = RateLimitError(
        "Rate limited.", "Try again.", detail="Too many.", request_id="req_1", retry_after=2.0
    )

    assert str(error) == "Rate limited. Too many. Try again. Request id: req_1."
    assert (error.request_id, error.retry_after, error.reply) == ("req_1", 2.0, None)


@pytest.mark.parametrize(("words", "ended"), [("no", "no."), ("No!", "No!"), ("'x'", "'x'.")])
def test_the_words_of_a_stranger_end_where_the_next_sentence_begins(words, ended):
    """Of a server or an exception: they may have no full stop."""
    error = ClaudeError("It broke.", "Do this.", detail=words)
    assert str(error) == f"It broke. {ended} Do this."
    assert str(InputError(f"Bad: {words}", "Do this.")) == f"Bad: {ended} Do this."
    assert str(InputError(f"Bad: {words}")) == f"Bad: {words}"


def test_traceback_is_what_to_do_where_nothing_else_is_shown():
    """A request that was not sent has no card on the screen, so the traceback says it all."""
    error = InputError("That cannot be.", "Do this.")

    assert error._render_traceback_() == ["InputError: That cannot be.", "  Do this."]


def test_traceback_points_to_the_card_above_it():
    """Nothing stands twice; a reply that is shown elsewhere, or not at all, has no card here."""
    error = ClaudeError("It broke.", "Do this.", detail="Words.")
    error.reply = object()

    assert error._render_traceback_() == ["ClaudeError: It broke.", "  Words.", "  Do this."]
    error.in_brief = "see above"
    assert error._render_traceback_() == ["ClaudeError: see above"]
    assert str(error) == "It broke. Words. Do this."  # which nbclient and papermill report


@pytest.mark.parametrize("show", [str, repr, lambda e: "".join(e._render_traceback_()), vars])
def test_no_form_of_an_error_holds_a_key(show):
    """Whatever put the key there: the server's words, a header, the user's own line."""
    error = ClaudeError(f"What {KEY}.", f"Advice {KEY}.", detail=f"bad key: {KEY}")

    assert KEY not in str(show(error))
    assert KEY[:14] not in str(show(error))
