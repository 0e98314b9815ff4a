"""The error tree: each says what happened, what to do, and never a key."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_nb import errors
from claude_nb.errors import ClaudeError, InputError, RateLimitError, Redactor, redact

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


def test_redact_leaves_the_rest_alone():
    """Only the key goes."""
    assert redact(f"a {KEY}, b") == "a sk-ant-…, b"


BEGINNING = "sk-" + "ant-"
CUT = st.sampled_from(
    [BEGINNING, BEGINNING[:3], BEGINNING[3:], KEY, *BEGINNING, "a", "_-9", " ", ".", "é", "…", "\n"]
)


@given(st.lists(st.lists(CUT, max_size=4).map("".join), max_size=8))
def test_a_key_in_pieces_is_redacted_as_a_whole_one_is(pieces):
    """For any cutting, and after each piece: no text waits, and nothing of a key comes out."""
    redactor, given_back = Redactor(), ""
    for count, piece in enumerate(pieces, 1):
        given_back += redactor.feed(piece)

        assert given_back == redact("".join(pieces[:count]))
        assert not re.search(rf"{BEGINNING}[\w-]", given_back, re.ASCII)


def test_a_key_that_comes_letter_by_letter_is_redacted():
    """As a slow stream brings it."""
    redactor = Redactor()

    assert "".join(map(redactor.feed, f"a {KEY}, {KEY} b")) == "a sk-ant-…, sk-ant-… b"
