"""Values as content blocks: each type's form, bounded in size and time, and told what was cut."""

from __future__ import annotations

import base64
import functools
import io
import json
import os
from collections import Counter, deque, namedtuple
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.figure import Figure
from PIL import Image

from claude_nb.errors import InputError
from claude_nb.request.attachments.attachment import (
    Attachment,
    attach,
    describe_error,
    register_attachment,
)
from claude_nb.request.attachments.limits import MAX_PDF_BYTES, MAX_REQUEST_BYTES
from tests.work import calls, memory

KEY = "sk-" + "ant-api03-AbC_123-xyz"
PDF = b"%PDF-1.7\nnot much of one\n"
BIG = 1_000_000


def text(value):
    """The text that ``value``, called x, is sent as."""
    (block,) = attach(value, "x").blocks
    assert set(block) == {"type", "text"}
    return block["text"]


def picture(value, name="x"):
    """The image that is sent, opened, with its note."""
    attachment = attach(value, name)
    (block,) = attachment.blocks
    source = block["source"]
    image = Image.open(io.BytesIO(base64.b64decode(source["data"])))
    assert (block["type"], source["type"]) == ("image", "base64")
    assert source["media_type"] == Image.MIME[image.format]
    return image, attachment.note


def figure(**options: object) -> Figure:
    """A Matplotlib figure with a line in it."""
    made = Figure(**options)
    made.add_subplot().plot([1, 3, 2])
    return made


class Broken:
    """A value whose ``repr`` raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


def nested(depth, width=1):
    """A list in a list in a list, each several times in the one around it."""
    value = [1]
    for _ in range(depth):
        value = [value] * width
    return value


# Text, numbers, collections


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a {{b}}\n", "a {{b}}\n"),
        ("/etc/hostname", "/etc/hostname"),
        (3, "3"),
        (0.1, "0.1"),
        (True, "True"),
        (None, "None"),
        (np.float64(0.1), "0.1"),
        (pd.Timestamp("2026-11-23"), "2026-11-23 00:00:00"),
        ([1, 2.5, "ä", None, True], '[1, 2.5, "ä", null, true]'),
        ({"a": {"b": []}}, '{"a": {"b": []}}'),
        (Counter("aab"), '{"a": 2, "b": 1}'),
        ({1: True}, "{1: True}"),
        ([(1, 2)], "[(1, 2)]"),
        ((1,), "(1,)"),
        ([float("nan")], "[nan]"),
        ({3}, "{3}"),
        (deque([1]), "deque([1])"),
        (namedtuple("P", "x y")(1, 2), "P(x=1, y=2)"),  # noqa: PYI024
    ],
)
def test_a_plain_value_is_its_text_and_needs_no_note(value, expected):
    """Text as it is, JSON where that says the same, otherwise what Python writes."""
    assert (text(value), attach(value, "x").note) == (expected, "")


def test_a_text_is_never_cut():
    """A ``str`` is what the user wrote or read: only the API's own limit holds."""
    assert text("x" * 1_000_000) == "x" * 1_000_000


def test_an_empty_text_has_no_block():
    """The API refuses empty text blocks."""
    assert attach("", "x") == Attachment(())


@pytest.mark.parametrize(
    ("make", "of"),
    [
        (lambda: list(range(BIG)), "1,000,000 items"),
        (lambda: dict.fromkeys(range(BIG)), "1,000,000 items"),
        (lambda: ["y" * 100_000], "1 item"),
        (lambda: nested(40, width=10), "10 items"),
        (lambda: bytearray(100_000), "characters"),
    ],
    ids=["list", "dict", "long text", "nested", "object"],
)
def test_an_enormous_value_is_its_beginning(make, of):
    """Only that is looked at, and both the model and the user are told."""
    value = make()
    assert calls(lambda: attach(value, "x")) < BIG
    attachment = attach(value, "x")

    sent = attachment.blocks[0]["text"]
    said = sent.splitlines()[-1]
    assert len(sent) < 20_100
    assert said.startswith("(first ")
    assert said.endswith(f"{of})")
    assert attachment.note == f"x: {said[1:-1]}"


def test_tables_figures_and_images_of_a_collection_are_sent_as_such():
    """Each below its place, and what else there is as it is written."""
    frame, image = pd.DataFrame({"a": [1]}), Image.new("RGB", (4, 2))
    table, picture = text(frame), attach(image, "x").blocks[0]
    found = attach({"n": 5, "both": [frame, image], "t": ("s",)}, "x")

    assert [block.get("text") or block for block in found.blocks] == [
        *("x['n']:\n", "5\n\n"),
        *("x['both'][0]:\n", f"{table}\n\n"),
        *("x['both'][1]:\n", picture),
        *("x['t']:\n", "('s',)\n\n"),
    ]
    assert found.note == "x: 1 row, image 4 × 2"


def test_of_many_tables_the_first_are_sent():
    """Both the model and the user are told."""
    found = attach([pd.DataFrame({"a": [1]})] * 50, "x")

    assert [block["text"] for block in found.blocks].count("x[19]:\n") == 1
    assert found.blocks[-1]["text"] == "(first 20 items)"
    assert found.note == "x: first 20 items, 1 row, 1 row, 1 row, …"


def test_the_axes_of_a_figure_are_one_picture():
    """What ``plt.subplots`` returns is a figure and an array of its axes."""
    figure = Figure()
    axes = figure.subplots(2)
    axes[0].plot([1, 2])

    found = attach((figure, axes), "x")

    assert [block.get("text", block["type"]) for block in found.blocks] == [
        *("x[0]:\n", "image", "x[1][0]: the same as above\n", "x[1][1]: the same as above\n"),
    ]


class Bare:
    """An object of which Python writes its type and its address."""


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (Bare(), "<tests.request.test_attachments.Bare object (content not included)>"),
        ((n for n in ()), "<generator object <genexpr> (content not included)>"),
        (map(str, ()), "<map object (content not included)>"),
        ([1, iter(())], "[1, <tuple_iterator object (content not included)>]"),
        ({"f": nested}, "{'f': <function nested (content not included)>}"),
    ],
)
def test_a_value_without_a_text_of_its_own_says_so(value, sent):
    """To the model and to the user; and its address does not make each request another one."""
    assert (text(value), attach(value, "x").note) == (sent, "x: content not included")


def test_a_circle_ends():
    """A list in itself, a dict in itself."""
    items, table = [1], {}
    items.append(items)
    table["t"] = table

    assert (text(items), text(table)) == ("[1, ...]", "{'t': ...}")


def test_a_key_in_a_value_is_redacted():
    """In text, in collections, in tables and in files' content alike."""
    values = [KEY, {"key": KEY}, pd.DataFrame({"key": [KEY]}), KEY.encode()]

    assert [KEY[:12] in text(value) for value in values] == [False] * 4
    assert text(f"a {KEY} b") == "a sk-ant-… b"


@pytest.mark.parametrize(
    "value",
    [Broken(), [Broken()], {"a": Broken()}, pd.DataFrame({"a": [Broken()]}), pd.Series([Broken()])],
)
def test_a_value_whose_own_code_fails_is_an_error_that_says_so(value):
    """Nothing is sent in its place."""
    with pytest.raises(InputError, match="x cannot be put into a prompt: RuntimeError: no words"):
        attach(value, "x")


def test_what_python_says_of_a_failure_is_one_short_line():
    """Also where the error cannot be written itself."""

    class WordlessError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert describe_error(ValueError("two\nlines")) == "ValueError: two lines"
    assert len(describe_error(ValueError("x" * 10_000))) == 300
    assert describe_error(WordlessError()).endswith("WordlessError: <exception str() failed>")


def test_half_a_character_is_replaced():
    """In what is sent and in the note; a file's name may hold a byte that is no text."""
    made = attach({"a": "b\ud83d"}, "x\ud83d")

    assert "\ufffd" in made.blocks[0]["text"]
    json.dumps([*made.blocks, made.note], ensure_ascii=False).encode()


# Tables and arrays


def test_a_pandas_table_is_markdown_with_its_index():
    """Cells are escaped, and long ones cut."""
    frame = pd.DataFrame(
        {"a|b": ["x|y\nz", [1] * BIG, "w" * 101], "t": pd.to_datetime(["2026-01-01"] * 3)},
        index=pd.Index([5, 6, 7], name="id"),
    )
    rows = text(frame).splitlines()

    assert rows[:3] == [
        r"| id | a\|b | t |",
        "| --- | --- | --- |",
        r"| 5 | x\|y z | 2026-01-01 00:00:00 |",
    ]
    assert rows[3].startswith("| 6 | [1, 1, ")
    assert rows[4] == f"| 7 | {'w' * 100}… | 2026-01-01 00:00:00 |"
    assert attach(frame, "x").note == "x: 3 rows"


def test_pandas_indexes_of_several_levels_and_columns_of_the_same_name():
    """Each level is a column; nothing relies on names."""
    levels = pd.MultiIndex.from_tuples([(1, "u")], names=["a", None])
    frame = pd.DataFrame([[3, 4]], columns=["a", "a"], index=levels)

    assert text(frame) == "| a |  | a | a |\n| --- | --- | --- | --- |\n| 1 | u | 3 | 4 |"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pd.Series([1.5], name="s"), "|  | s |\n| --- | --- |\n| 0 | 1.5 |"),
        (pd.Series([1]), "|  |  |\n| --- | --- |\n| 0 | 1 |"),
        (pl.DataFrame({"a": [1], "b": [None]}), "| a | b |\n| --- | --- |\n| 1 | None |"),
        (pl.Series("s", ["u"]), "| s |\n| --- |\n| u |"),
    ],
)
def test_series_and_polars_are_tables_too(value, expected):
    """A Series has its index and its name; polars has no index."""
    assert (text(value), attach(value, "x").note) == (expected, "x: 1 row")


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: pd.DataFrame({"a": np.arange(rows), "b": "text"}),
        lambda rows: pd.Series(np.arange(rows)),
        lambda rows: pl.DataFrame({"a": np.arange(rows)}),
        lambda rows: pl.Series(np.arange(rows)),
    ],
    ids=["pandas", "pandas series", "polars", "polars series"],
)
def test_a_million_rows_are_the_first_thirty(make):
    """With the work of a thousand: nothing goes through all rows, and nothing copies them."""
    small, large = make(1_000), make(BIG)
    _, attachment = attach(small, "x"), attach(large, "x")

    lines = attachment.blocks[0]["text"].splitlines()
    assert len(lines) == 2 + 30 + 2  # a blank line, or the last one would be a row
    assert lines[-1] == "(first 30 of 1,000,000 rows)"
    assert attachment.note == "x: first 30 of 1,000,000 rows"
    assert calls(lambda: attach(large, "x")) == calls(lambda: attach(small, "x"))
    assert memory(lambda: attach(large, "x")) < BIG / 10


@pytest.mark.parametrize("package", [pd, pl])
def test_a_wide_table_is_its_first_columns(package):
    """The cut in both directions is stated."""
    wide = package.DataFrame({f"c{number}": range(31) for number in range(1000)})

    assert attach(wide, "x").note == "x: first 30 of 31 rows, first 20 of 1,000 columns"
    assert text(wide).splitlines()[0].endswith("| c19 |")


@pytest.mark.parametrize(
    ("value", "about", "elements"),
    [
        (np.array([[1, 2]]), "array of shape (1, 2), dtype int64", "[[1 2]]"),
        (np.array(5), "array of shape (), dtype int64", "5"),
        (np.zeros((0, 3)), "array of shape (0, 3), dtype float64", "[]"),
        (np.array([[1, "a"]], object), "array of shape (1, 2), dtype object", "[[1, 'a']]"),
    ],
)
def test_a_small_array_is_shape_type_and_elements(value, about, elements):
    """So that the model knows what it is."""
    assert text(value) == f"{about}:\n{elements}"
    assert attach(value, "x").note == f"x: {about}"


@pytest.mark.parametrize(
    ("shape", "index"),
    [
        ((BIG,), "x[:1000]"),
        ((1_000_000, 10), "x[:100]"),
        ((1000, 1000, 3), "x[0, :333]"),
        ((100, 1000, 600), "x[0, 0]"),
        ((2,) * 22, "x[" + ", ".join("0" * 13) + "]"),
    ],
)
def test_a_large_array_is_its_head_called_as_it_is_indexed(shape, index):
    """At most a thousand elements; the others are not looked at."""
    value = np.ones(shape, np.int8)
    attachment = attach(value, "x")

    first, _, elements = attachment.blocks[0]["text"].partition(":\n")
    assert first == attachment.note == f"{index} of an array of shape {shape}, dtype int8"
    assert elements == str(eval(index, {"x": value}))
    assert calls(lambda: attach(value, "x")) < 20_000
    assert memory(lambda: attach(value, "x")) < BIG / 10


# Figures and images


@pytest.mark.parametrize("of", [lambda f: f, lambda f: f.axes[0]], ids=["figure", "axes"])
def test_a_figure_is_a_png(of):
    """Axes stand for the figure they are in."""
    image, note = picture(of(figure(figsize=(4, 3), dpi=100)))

    assert image.format == "PNG"
    assert 250 < image.height < image.width < 450
    assert note == f"x: image {image.width} × {image.height}"


def test_axes_in_a_subfigure_stand_for_the_whole_figure():
    """What the notebook shows is the whole figure."""
    whole = Figure()
    left, right = whole.subfigures(1, 2)
    right.add_subplot()

    assert picture(left.add_subplot())[0].size == picture(whole)[0].size


def test_a_closed_figure_is_drawn_all_the_same():
    """``plt.close`` takes it off the screen; what was drawn on it is still there."""
    mpl.use("agg")
    from matplotlib import pyplot as plt

    made, axes = plt.subplots()
    axes.plot([1, 2])
    before = picture(made)[0].size
    plt.close(made)

    assert picture(made)[0].size == before


def test_an_enormous_figure_is_drawn_smaller():
    """The API would scale it down anyway; the note says it."""
    image, note = picture(figure(figsize=(200, 20), dpi=300))

    assert max(image.size) <= 2576
    assert note.endswith(", scaled down")


def test_an_empty_figure_is_refused():
    """What ``plt.gcf()`` gives after the figure was shown is not what the user saw."""
    with pytest.raises(InputError, match="x is an empty figure"):
        attach(Figure(), "x")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "HSV", "I;16"])
@pytest.mark.parametrize(("size", "sent"), [((40, 30), (40, 30)), ((5152, 20), (2576, 10))])
def test_a_pil_image_of_any_mode_is_a_png_of_at_most_the_useful_size(mode, size, sent):
    """Whatever PNG cannot hold is converted."""
    image, note = picture(Image.new(mode, size))

    assert (image.format, image.size) == ("PNG", sent)
    scaled = ", scaled down from 5,152 × 20" if size != sent else ""
    assert note == f"x: image {sent[0]:,} × {sent[1]}{scaled}"


def test_a_photo_stays_a_jpeg(tmp_path):
    """As PNG it would be many times as large."""
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.jpg")

    with Image.open(tmp_path / "photo.jpg") as photo:
        assert picture(photo)[0].format == "JPEG"


def test_an_image_of_too_many_bytes_is_scaled_down():
    """Noise cannot be compressed, so fewer pixels are the only way."""
    noise = Image.frombytes("RGB", (1600, 1600), os.urandom(1600 * 1600 * 3))
    image, note = picture(noise)  # was not refused as too large

    assert 1300 < image.width < 1600
    assert note.endswith("scaled down from 1,600 × 1,600")


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (Image.new("F", (4, 4)), "mode F"),
        (Image.new("RGB", (0, 0)), "ValueError"),
    ],
)
def test_an_image_that_cannot_be_sent_is_refused(image, what):
    """One whose values have no brightness would come out white without a word."""
    with pytest.raises(InputError, match=what):
        attach(image, "x")


# Files


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("ä\r\nb".encode(), "ä\r\nb"),
        ("ä".encode("utf-8-sig"), "ä"),
        ("ä".encode("utf-16"), "ä"),
        (b"%PD", "%PD"),
    ],
)
def test_a_path_to_text_is_its_text(tmp_path, data, expected):
    """UTF-8, with a byte order mark or without, and UTF-16 with one."""
    path = tmp_path / "notes"
    path.write_bytes(data)

    assert text(path) == text(data) == expected
    count = f"{len(expected)} character{'s' * (len(expected) > 1)}"
    assert attach(path, "x").note == f"x ({path}): {count} of text"


def test_a_path_to_a_pdf_is_a_document_with_its_name(tmp_path):
    """What it is, its first bytes say, whatever its name."""
    path = tmp_path / "report.txt"
    path.write_bytes(PDF)
    attachment = attach(path, "x")

    source = {
        "type": "base64",
        "media_type": "application/pdf",
        "data": base64.b64encode(PDF).decode(),
    }
    assert attachment.blocks == ({"type": "document", "source": source, "title": "report.txt"},)
    assert attachment.note == f"x ({path}): PDF, 1 kB"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_path_to_an_image_is_that_image_as_it_is(tmp_path, kind):
    """Not one byte of it is changed."""
    path = tmp_path / "image"
    Image.new("RGB", (4, 3)).save(path, kind)

    (block,) = attach(path, "x").blocks
    assert base64.b64decode(block["source"]["data"]) == path.read_bytes()
    assert picture(path)[0].format == kind


def sparse(path, size, start=b""):
    """A file of this size that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda tmp: tmp, "is a directory"),
        (lambda tmp: tmp / "none", "There is no file"),
        (lambda tmp: sparse(tmp / "f", 3) / "inside", "cannot be read: Not a directory"),
        (lambda tmp: tmp / ("n" * 300), "cannot be read: File name too long"),
        (lambda tmp: tmp / "a\0b", "cannot be read: "),
        (lambda _: Path("/dev/zero"), "is not a file"),
        (lambda _: Path("~nobody-at-all/x"), "cannot be read"),
        (lambda tmp: sparse(tmp / "f", 30), "neither UTF-8 text nor"),
        (lambda tmp: sparse(tmp / "f", 9, b"\xe4\xf6"), "neither UTF-8 text nor"),
        (lambda tmp: sparse(tmp / "f", 10**12), "larger than a request can be: 32 MB"),
        (lambda tmp: sparse(tmp / "f", MAX_PDF_BYTES + 3, b"%PDF-"), "is a PDF of 24 MB"),
        (lambda tmp: sparse(tmp / "f", 8_000_000, b"GIF89a"), "is 10.7 MB in base64"),
        (lambda tmp: sparse(tmp / "f", 99, b"GIF89a\xff\xff\xff\xff"), "65,535 × 65,535 pixels"),
    ],
)
def test_a_path_that_cannot_be_sent_says_why(tmp_path, make, what):
    """Whatever it leads to, and without reading more of it than could be sent."""
    path = make(tmp_path)

    def attached() -> None:
        with pytest.raises(InputError) as caught:
            attach(path, "x")
        errors.append(caught.value)

    errors: list[InputError] = []
    assert memory(attached) < 4 * MAX_REQUEST_BYTES

    assert what in errors[0].what
    assert errors[0].what.startswith(("x ", "There is no file"))


def test_text_up_to_the_limit_of_a_request_is_sent(tmp_path):
    """A text file is not cut."""
    path = tmp_path / "long"
    path.write_bytes(b"a" * (MAX_REQUEST_BYTES - 100))

    assert len(text(path)) == MAX_REQUEST_BYTES - 100


def test_home_is_found():
    """``~`` is the user's home, as in a shell."""
    with pytest.raises(InputError, match="is a directory"):
        attach(Path("~"), "x")


# Functions and classes


def test_a_callable_is_its_source():
    """Functions, methods, classes, and functions with a cache."""

    @functools.cache
    def cached():
        return 1

    assert text(nested).startswith("def nested(depth, width=1):\n")
    assert text(Broken().__repr__).splitlines()[0] == "def __repr__(self) -> str:"
    assert text(Broken).splitlines()[0] == "class Broken:"
    assert text(cached).splitlines()[0] == "@functools.cache"
    assert attach(Broken, "x").note == "x: source, 5 lines"


@pytest.mark.parametrize("value", [len, [].append, int])
def test_a_callable_without_source_is_refused(value):
    """What was written in C, or is gone."""
    with pytest.raises(InputError, match="The source of x cannot be found"):
        attach(value, "x")


# The registry


class Circuit:
    """A type that its users want to send."""

    __module__ = "far.away"
    __qualname__ = "Outer.Circuit"


class Relay(Circuit):
    """A kind of it."""


def test_users_add_forms_that_hold_for_subclasses():
    """By the dotted name as the type says it; the class itself goes before its name."""
    assert text(Relay()).startswith("<")
    register_attachment("far.away.Outer.Circuit", lambda _, name: f"by name: {name}")
    assert text(Relay()) == "by name: x"
    register_attachment(Circuit, lambda _, name: f"by class: {name}")
    assert text(Relay()) == "by class: x"
    register_attachment(Relay, lambda _, name: Attachment((), f"{name}: nothing"))
    assert attach(Relay(), "x") == Attachment((), "x: nothing")


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (3, "the function must return"),
        (Attachment(({"text": "no type"},)), "KeyError"),
        (
            Attachment(
                (
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/bmp", "data": "AA"},
                    },
                )
            ),
            "x is image/bmp",
        ),
    ],
)
def test_a_form_that_makes_nonsense_is_an_error_that_says_so(made, what):
    """Before anything is sent."""

    class Thing:
        pass

    register_attachment(Thing, lambda *_: made)

    with pytest.raises(InputError, match=what):
        attach(Thing(), "x")
