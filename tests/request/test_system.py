"""A system prompt that is cached: its bytes, and where a request is marked for the cache."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_nb.errors import InputError
from claude_nb.request.request import Request, TurnId
from claude_nb.request.system import System, SystemPart, alike, difference, marked, texts

EPHEMERAL = {"type": "ephemeral"}
TURN = TurnId("notebook", "1", None, "", "")


def system(*said: str, ttl: str = "5m", names: str = "abcdef") -> System:
    """A system prompt of these texts, its parts called a, b, …"""
    return System(tuple(map(SystemPart, names, said)), ttl)


def marks(params):
    """The places that are marked: each with its text, and its ``ttl`` where that is given."""
    blocks = [block for turn in params["messages"] for block in turn["content"]]
    found = [*params.get("system", []), *(block for block in blocks if isinstance(block, dict))]
    return [(b["text"], b["cache_control"]) for b in found if "cache_control" in b]


def turns(*content: object):
    """Turns of the user and of the assistant, one after the other."""
    roles = ["user", "assistant"] * len(content)
    return tuple({"role": r, "content": c} for r, c in zip(roles, content, strict=False))


def blocks(*said: str):
    """Text blocks."""
    return [{"type": "text", "text": text} for text in said]


def test_the_end_of_the_system_prompt_is_marked():
    """A text block for each part, and one mark; the API marks the end of the messages itself."""
    params = Request("Hello", system=system("One.", "Two."), turn=TURN).params()

    assert params["system"] == [
        {"type": "text", "text": "One."},
        {"type": "text", "text": "Two.", "cache_control": EPHEMERAL},
    ]
    assert params["cache_control"] == EPHEMERAL
    assert params["messages"] == [{"role": "user", "content": "Hello"}]


def test_a_question_that_stands_alone_is_not_marked():
    """Nobody would read what it writes, and writing costs more."""
    params = Request("Hello", system=system("One.")).params()

    assert "cache_control" not in params
    assert params["system"][-1]["cache_control"] == EPHEMERAL


def test_an_hour_holds_for_the_system_prompt_alone():
    """What is said changes with each turn, and is kept for five minutes."""
    request = Request(
        "Hello",
        system=system("One.", ttl="1h"),
        before=turns("Hi", blocks("Yes")),
        turn=TURN,
    )

    assert marks(request.params()) == [
        ("One.", {"type": "ephemeral", "ttl": "1h"}),
        ("Hi", EPHEMERAL),
    ]
    assert request.params()["cache_control"] == EPHEMERAL


def test_the_newest_earlier_question_is_marked_at_its_end():
    """There the last request wrote; with the mark it is found however long the answer is."""
    answer = blocks(*map(str, range(50)))
    before = turns("First", answer, blocks("Second", "with a file"), answer)

    params = Request("Third", system=system("S"), before=before).params()

    assert marks(params) == [("S", EPHEMERAL), ("with a file", EPHEMERAL)]
    assert params["messages"][2]["content"][0] == {"type": "text", "text": "Second"}


def test_earlier_turns_are_not_changed():
    """They belong to the conversation, which sends them again."""
    content = blocks("Hi")
    before = turns(content, blocks("Yes"))

    Request("Hello", system=system("S"), before=before).params()

    assert content == blocks("Hi")


@pytest.mark.parametrize(
    "last", [{"type": "thinking", "thinking": "…", "signature": "s"}, {"type": "text", "text": ""}]
)
def test_what_cannot_be_marked_is_passed_over(last):
    """The API refuses marks on thinking and on empty texts."""
    found = marked(turns([*blocks("Hi"), last], blocks("Yes")), turns("Hello"))

    assert [block.get("cache_control") for block in found[0]["content"]] == [EPHEMERAL, None]


def test_marks_that_blocks_bring_along_are_taken_out():
    """With them there could be more than four, which the API refuses."""
    own = [block | {"cache_control": EPHEMERAL} for block in blocks("a", "b", "c", "d")]

    request = Request("Hello", system=system("S"), before=turns(own, own), content=tuple(own))

    assert marks(request.params()) == [("S", EPHEMERAL), ("d", EPHEMERAL)]


def test_a_text_is_not_cached():
    """Writing to the cache costs more than not to: it has to be asked for."""
    params = Request("Hello", system="Be short.", before=turns("Hi", blocks("Yes"))).params()

    assert params["system"] == "Be short."
    assert "cache_control" not in str(params)


def test_equal_if_they_send_the_same():
    """By their bytes and how long they are kept, whatever the parts are called."""
    one = system("One.", "Two.")

    assert one == system("One.", "Two.", names="xyz")
    assert hash(one) == hash(system("One.", "Two.", names="xyz"))
    assert one != system("One.", "Two!")
    assert one != system("One.", "Two.", ttl="1h")
    assert one != system("One.Two.")
    assert one != "One.Two."


def test_texts_of_every_kind_of_system_prompt():
    """Without marks, so that a text and a cached one with the same words are the same prompt."""
    assert texts("One.") == texts(system("One.")) == ("One.",)
    assert texts("") == texts(None) == ()


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=4))
def test_the_digest_is_that_of_the_bytes(said):
    """The same for the same parts, another one if a character is added anywhere."""
    one = system(*said)

    assert one.digest == system(*said, names="uvwxyz").digest
    for n in range(len(said)):
        assert system(*said[:n], f"{said[n]}.", *said[n + 1 :]).digest != one.digest


def test_a_lifetime_that_does_not_exist():
    """The error names those that do."""
    with pytest.raises(InputError) as raised:
        system("One.", ttl="10m")

    assert str(raised.value).startswith('There is no ttl \'10m\'. Use "5m", or "1h"')


def test_an_empty_system_prompt():
    """It says which part is empty."""
    with pytest.raises(InputError, match=r"^The system prompt is empty\."):
        System(())
    with pytest.raises(InputError, match=r"^A part of the system prompt is empty: b\."):
        system("One.", " \n")


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (["a\nb\nc"], ["a\nB\nc"], ("a", 2, "b", "B")),
        (["x", "a\nb"], ["x", "a\nb\nc"], ("b", 3, "", "c")),
        (["x", "a\nb"], ["x", "a"], ("b", 2, "b", "")),
        (["x", "y"], ["x"], ("b", 1, "y", "")),
        (["x"], ["x", "y"], ("b", 1, "", "y")),
        (["a\nb\nc"], ["a\nnew\nb\nc"], ("a", 2, "", "new")),
        (["a\nold\nb\nc"], ["a\nb\nc"], ("a", 2, "old", "")),
        (["a"], ["b"], ("a", 1, "a", "b")),
        (["a\nx"], ["b\nx"], ("a", 1, "a", "b")),
    ],
)
def test_the_first_difference(before, after, found):
    """Part, line, how it was and how it is."""
    where = difference(system(*before), system(*after))

    assert where is not None
    assert (where.part, where.line, where.before, where.after) == found


def test_no_difference():
    """The same bytes."""
    assert difference(system("x"), system("x", ttl="1h")) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("long " * 100 + "12:01", "long " * 100 + "12:02", True),
        ("12:01" + " long" * 100, "12:02" + " long" * 100, True),
        ("You know the law.", "Translate into French", False),
        ("aaaa", "aaaa" * 10, False),
        ("x" * 60 + "a" * 40, "x" * 60 + "b" * 40, True),
        ("x" * 40 + "a" * 60, "x" * 40 + "b" * 60, False),
    ],
)
def test_what_is_meant_to_be_the_same(one, other, same):
    """Most of it is, though not all: it holds the time at which it was made, for example."""
    assert alike(system(one), system(other)) == same


def test_parts_of_other_names_are_something_else():
    """However much they have in common."""
    assert not alike(system("x", names="a"), system("x", names="b"))
