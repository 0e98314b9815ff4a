"""Files and folders as the parts of a system prompt."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_nb.errors import InputError
from claude_nb.request.textfiles import parts


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A directory of its own to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(*sources: object):
    """Name and text of each part."""
    return [(part.name, part.text) for part in parts(sources)[0]]


def refusal(*sources: object):
    """What is said of a source that cannot be read."""
    with pytest.raises(InputError) as raised:
        parts(sources)
    return str(raised.value)


def test_a_text_is_sent_as_it_is():
    """But for its line ends: they differ from one system to the next."""
    assert read("You are brief.\r\nVery.\r") == [("text", "You are brief.\nVery.\n")]


def test_a_name_makes_anything_a_text():
    """Which is how to send words that look like a path, or what was fetched from an address."""
    assert read(("rules", "manual.md")) == [("rules", "manual.md")]


def test_texts_without_a_name_are_numbered():
    """By their place, so that the same part is compared with itself."""
    assert [name for name, _ in read("One.", ("b", "Two."), "Three.")] == ["text 1", "b", "text 3"]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file(here, kind):
    """By its name or as a path; a byte order mark and Windows' line ends leave no trace."""
    (here / "my manual.md").write_bytes(b"\xef\xbb\xbfOne.\r\nTwo.\r\n")

    assert read(kind("my manual.md")) == [("my manual.md", "One.\nTwo.\n")]


def test_a_folder_is_its_text_files_in_one_order(here):
    """Sorted by name, each with its path before it: the same bytes on every system."""
    for name in ("b.py", "a/z.py", "a.py"):
        (here / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "code" / name).write_text(f"# {name}")

    assert read("code") == [
        ("code/a.py", '<file path="a.py">\n# a.py\n</file>\n'),
        ("code/a/z.py", '<file path="a/z.py">\n# a/z.py\n</file>\n'),
        ("code/b.py", '<file path="b.py">\n# b.py\n</file>\n'),
    ]


def test_what_is_left_out_of_a_folder_is_said(here):
    """Hidden files and folders, empty files, and what is no text."""
    files = {"a.txt": b"x", ".env": b"KEY=1", ".git/config": b"x", "b.png": b"\x89PNG\r\n\x1a\n"}
    for name, data in (files | {"c.bin": b"\0\xff", "empty.txt": b" \n"}).items():
        (here / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "code" / name).write_bytes(data)

    found, left_out = parts((Path("code"),))

    assert [part.name for part in found] == ["code/a.txt"]
    assert left_out == "1 empty, 2 hidden, 2 not text"


@pytest.mark.parametrize(
    "source",
    ["manual.md", "docs/manual", "./the manual", "~/x", "C:\\docs\\x.md", "my manual.md"],
)
def test_what_looks_like_a_path_is_not_sent_as_words(source):
    """A slip in a name would be a system prompt of one line; it says how to mean that."""
    said = refusal(source)

    assert said.startswith(f"There is no file {source}.")
    assert 'give it a name: ("rules", "…")' in said


@pytest.mark.parametrize(
    "source", ["Be short.", "Answer in 1/2 an hour", "You are e.g. a bot", "x" * 5000, "a.md\nb"]
)
def test_what_looks_like_words_is_sent(source):
    """It has spaces, or more than one line."""
    assert read(source) == [("text", source)]


def test_a_path_that_does_not_exist():
    """It is a path whatever it looks like."""
    assert refusal(Path("manual")).startswith("There is no file manual (The system prompt).")
    assert refusal(Path("~nobody-at-all")).startswith("There is no folder ~nobody-at-all.")


def test_an_address_is_not_fetched():
    """It says how to send what stands there."""
    assert refusal("https://example.org/manual").startswith(
        "https://example.org/manual is a URL, and a system prompt fetches nothing."
    )


def test_files_that_hold_no_text(here):
    """A system prompt takes no images and no PDFs; the error says what does."""
    (here / "x.pdf").write_bytes(b"%PDF-1.7")
    (here / "x.bin").write_bytes(b"\0\1\2")

    assert refusal("x.pdf").startswith("x.pdf is a PDF; a system prompt holds text.")
    assert "x.bin) is neither UTF-8 text nor" in refusal("x.bin")


def test_a_folder_without_text(here):
    """It is not an empty system prompt."""
    (here / "code").mkdir()

    assert refusal("code").startswith("There is no text in the folder code.")


def test_a_folder_that_is_too_large(here, monkeypatch):
    """It stops reading as soon as no request could hold what was read."""
    monkeypatch.setattr("claude_nb.request.textfiles.MAX_REQUEST_BYTES", 1_000_000)
    (here / "code").mkdir()
    for name in "ab":
        (here / "code" / name).write_text("x" * 600_000)

    assert refusal("code").startswith("code holds more text than a request can hold: 1 MB.")


@pytest.mark.parametrize("source", [3, None, ("a", "b", "c"), ["x"], ("a", 1)])
def test_what_is_no_source(source):
    """It says what it takes."""
    said = refusal(source)

    assert said.startswith(f"A {type(source).__name__} cannot be part of a system prompt.")
