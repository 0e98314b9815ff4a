"""Which cells go along with a prompt, where they stand, and what is marked for the cache."""

from __future__ import annotations

import pytest

from claude_nb.request.cells import BUDGET, Cell, Cells, SentCell, count_cells, head, size_of
from claude_nb.request.place import Place
from claude_nb.request.request import Request

IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
}


def cell(number, source="x = 1", *, id_="", images=(), asks=False):
    """A cell with this source and id."""
    place = Place(id_, number)
    text = f"{head('cell', place)}\n<input>\n{source}\n</input>\n</cell>\n"
    size = size_of(len(source), len(images))
    return Cell(place, size, lambda: SentCell(place, text, tuple(images)), asks)


def turn(cells, before=(), asked=(), prompt="Why?"):
    """The turn of a prompt with cells, after other turns, and its note."""
    request = Request(prompt, cells=Cells("above", tuple(cells))).with_cells(before, asked)
    return {"role": "user", "content": list(request.content) or prompt}, request.notes[-1]


def sources(message):
    """The sources of the cells in a turn."""
    found = [] if isinstance(message["content"], str) else message["content"]
    texts = [block.get("text", "") for block in found]
    return [text.split("\n")[2] for text in texts if text.startswith("<cell")]


def test_each_cell_is_a_block_before_the_prompt():
    """With its images behind it; the whole between tags."""
    message, note = turn([cell(1, images=[IMAGE]), cell(2, "y")])

    kinds = [block.get("text", "image").partition("\n")[0] for block in message["content"]]
    assert kinds == [
        *("<notebook>", '<cell number="1">', "image", '<cell number="2">', "</notebook>", "Why?")
    ]
    assert count_cells(message["content"]) == 5
    assert note == "cells above: 2, with 1 image"


def test_a_later_turn_has_only_what_is_new_or_changed():
    """By the id: run again with the same output, a cell is the same, whatever its number.

    The same is an output in which an object is elsewhere in memory.
    """
    first, _ = turn([cell(1, "a <A at 0x1f>", id_="a"), cell(2, "b", id_="b")])
    later = [cell(7, "a <A at 0x2f>", id_="a"), cell(8, "b2", id_="b"), cell(9, "c", id_="c")]

    second, note = turn(later, [first])
    third, unchanged = turn(later, [first, second])

    assert sources(second) == ["b2", "c"]
    assert note == "cells above: 2 new or changed, 1 sent before"
    assert sources(third) == []
    assert third["content"] == "Why?"
    assert unchanged == "cells above: none new or changed, 3 sent before"


def test_what_is_changed_back_is_sent_again():
    """The newest version that was sent is the other one."""
    first, _ = turn([cell(1, "a", id_="a")])
    second, _ = turn([cell(2, "b", id_="a")], [first])

    assert sources(turn([cell(3, "a", id_="a")], [first, second])[0]) == ["a"]


def test_another_image_is_a_change():
    """Although the text is the same."""
    other = IMAGE | {"source": IMAGE["source"] | {"data": "iVBORw0KGgoA"}}
    first, _ = turn([cell(1, id_="a", images=[IMAGE])])

    assert turn([cell(2, id_="a", images=[IMAGE])], [first])[0]["content"] == "Why?"
    assert other in turn([cell(2, id_="a", images=[other])], [first])[0]["content"]


@pytest.mark.parametrize("places", [[Place("q", 0)], [Place("q", 5)]])
def test_a_cell_whose_turn_is_in_the_history_is_left_out(places):
    """By its id; the number counts only where there is no id."""
    asking = cell(4, "%%claude", id_="q", asks=True)

    assert sources(turn([cell(1, "a"), asking], asked=places)[0]) == ["a"]
    assert sources(turn([asking], asked=[Place("p", 4)])[0]) == ["%%claude"]
    assert sources(turn([cell(4, "%%claude", asks=True)], asked=[Place("", 4)])[0]) == []
    assert sources(turn([cell(4, "now = 1", id_="q")], asked=places)[0]) == ["now = 1"]


def test_over_the_budget_the_oldest_half_goes_at_once():
    """So that the beginning stays the same for the questions after that."""
    cells = [cell(number, f"{number}" + "x" * 5_000) for number in range(1, 30)]
    begins = []
    for count in range(1, 30):
        message, note = turn(cells[:count])
        begins.append(int(sources(message)[0].partition("x")[0]))
        assert sum(map(len, sources(message))) <= BUDGET

    assert sorted(set(begins)) == [1, 8, 15, 22]
    assert note == "cells above: 8, the oldest 21 left out"
    assert "Earlier ones are left out." in message["content"][0]["text"]


def test_a_cell_that_is_larger_than_the_budget_goes_alone():
    """One always does."""
    assert sources(turn([cell(1, "a"), cell(2, "b" * 2 * BUDGET)])[0]) == ["b" * 2 * BUDGET]


def marks(request):
    """The places of the marks in the messages, as they are sent."""
    return [
        (number, place)
        for number, message in enumerate(request.params()["messages"])
        for place, block in enumerate(message["content"])
        if "cache_control" in block
    ]


def test_the_end_of_the_cells_is_marked():
    """Also 20 blocks before, where an earlier request may have ended that wrote them."""
    few = Request("Why?", cells=Cells("above", (cell(1), cell(2)))).with_cells()
    many = Request("Why?", cells=Cells("above", tuple(map(cell, range(1, 31))))).with_cells()

    assert marks(few) == [(0, 2)]
    assert marks(many) == [(0, 10), (0, 30)]


def test_with_earlier_turns_the_end_of_the_last_question_is_marked_too():
    """Four marks at most, with that of the system prompt and the API's own."""
    first, _ = turn(map(cell, range(1, 31)))
    before = (first, {"role": "assistant", "content": [{"type": "text", "text": "So."}]})
    request = Request("And?", before=before, cells=Cells("above", (cell(1), cell(31, "new"))))

    assert marks(request.with_cells(before)) == [(0, 32), (2, 1)]
    assert marks(Request("And?", before=before))[0] == (0, 32)


def test_a_prompt_that_looks_like_cells_is_one():
    """Only blocks that are closed count."""
    assert count_cells("<notebook>\n") == 0
    assert count_cells([{"type": "text", "text": "<notebook>\nWhy?"}]) == 0
