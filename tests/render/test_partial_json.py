"""JSON that is still being written, made readable piece by piece."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_nb.render.partial_json import COLOURED, INDENTED, PrettyJson, to_html, to_text, write
from tests.work import calls

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii"), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\\"), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES, st.integers(1, 7))
def test_pieces_make_what_the_whole_does(value, size):
    """Wherever it is cut, within an escape too, the parts add up to the same text."""
    raw = json.dumps(value)
    whole, pieces = PrettyJson(), PrettyJson()

    shown = "".join(to_text(pieces.feed(raw[i : i + size])) for i in range(0, len(raw), size))

    assert shown == to_text(whole.feed(raw))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ('{"a": [1, {"b": null}], "c": {}}', None),
        ('{"code": "x = 1\\n\\ty"}', '{\n  "code": "x = 1\n\ty"\n}'),
        ('{"a": [1, "tw', '{\n  "a": [\n    1,\n    "tw'),
        ('{"a": nul', '{\n  "a": nul'),
        ("}{]", "\n}{]"),
    ],
)
def test_it_is_indented_and_its_strings_are_decoded(raw, shown):
    """As ``json.dumps`` indents it; code in a string reads as code; the unfinished as it is."""
    assert to_text(PrettyJson().feed(raw)) == (shown or json.dumps(json.loads(raw), indent=2))


def test_keys_are_taken_out_after_decoding():
    """A key may be written with escapes."""
    escaped = "sk-" + "\\u0061nt-secret\\u0031\\u0032"

    assert '"sk-ant-…"' in to_html(f'["{escaped}"]').replace("&quot;", '"')


@pytest.mark.parametrize("unit", ["[", '{"a":', "{", '"', "\\", '{"a":[', "[{},", '"\\u', "1 "])
@pytest.mark.parametrize("size", [1, 100_000])
def test_work_and_length_grow_with_the_input_alone(unit, size):
    """Neither nesting nor a lack of closing marks makes it dearer, in one piece or in many."""

    def written(units: int) -> int:
        pretty, raw, step = PrettyJson(), unit * units, size * len(unit)
        pieces = [to_text(pretty.feed(raw[at : at + step])) for at in range(0, len(raw), step)]
        return sum(map(len, pieces))

    assert written(20_000) <= (2 * INDENTED + 2) * len(unit) * 20_000 + 2
    assert calls(lambda: written(4_000)) <= 2.1 * calls(lambda: written(2_000))


def test_what_is_coloured():
    """Strings, numbers and marks, as notebooks colour them; nothing in what is very long."""
    mark, string = '<span class="p">{}</span>', '<span class="s2">"{}"</span>'
    begun, ended = mark.format("{\n  "), mark.format("\n}")

    short = to_html('{"a": "b"}')
    long = to_html(json.dumps({"a": "b" * COLOURED}))

    assert f'>{begun}"a"{mark.format(": ")}{string.format("b")}{ended}</code>' in short
    assert "<span" not in long


def test_what_is_too_deep_to_write_is_left_out():
    """A value from the wire can be deeper than Python writes again; that is no error."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    assert write(deep) == "…"
    while deep:  # or freeing it would overflow the stack of an older Python
        deep = deep.pop()
