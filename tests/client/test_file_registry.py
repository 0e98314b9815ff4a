"""What is noted of uploads: for the user alone, by server, credential and content."""

from __future__ import annotations

import os
import stat
import sys
import time
from dataclasses import replace

import pytest

from claude_nb.client import file_registry
from claude_nb.client.file_registry import Account, UploadedFile
from claude_nb.errors import InputError

DAY = 24 * 3600
NOW = time.time()
FILE = UploadedFile("file_1", "https://one", "abc", "d1", "scan.pdf", 5, NOW, NOW + DAY)


@pytest.fixture
def noted():
    file_registry.prepare()
    file_registry.keep(FILE)


def test_a_file_is_found_by_server_credential_and_content(noted):
    """And by nothing less, so no id goes to anybody else."""
    assert file_registry.find(Account("https://one", "abc"), "d1", 60) == FILE
    for server, credential, sha256 in (
        ("https://two", "abc", "d1"),
        ("https://one", "def", "d1"),
        ("https://one", "abc", "d2"),
    ):
        assert file_registry.find(Account(server, credential), sha256, 60) is None


def test_a_file_that_expires_too_soon_is_not_found(noted):
    """A reply, or a batch, takes its time."""
    assert file_registry.find(FILE.account, "d1", DAY // 2) == FILE
    assert file_registry.find(FILE.account, "d1", DAY) is None


def test_what_has_expired_is_taken_off_the_list(noted):
    """The server has deleted it; the others come newest first."""
    newer = replace(FILE, sha256="d2", uploaded=NOW + 1)
    file_registry.keep(newer)
    file_registry.keep(replace(FILE, sha256="d3", expires=NOW - 1))

    assert file_registry.listed() == [newer, FILE]
    assert len(list(file_registry.folder().iterdir())) == 2


def test_to_forget_a_file_leaves_its_successor(noted):
    """Another kernel may have uploaded the content anew."""
    again = replace(FILE, id="file_2")
    file_registry.keep(again)

    file_registry.forget(FILE)
    assert file_registry.listed() == [again]

    file_registry.forget(again)
    assert file_registry.listed() == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_only_the_user_can_read_it(noted):
    """The folder and what is in it."""
    (path,) = file_registry.folder().iterdir()
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, path.parent.parent)]

    assert modes == [0o600, 0o700, 0o700]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"id": "x"}', "[" * 100_000, '{"id": 1}', "\0"],
)
def test_what_was_damaged_is_as_if_it_were_not_there(noted, content):
    """Nothing breaks."""
    (path,) = file_registry.folder().iterdir()
    path.write_text(content)

    assert file_registry.find(FILE.account, "d1", 60) is None
    assert file_registry.listed() == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    """Before anything is uploaded that could then not be listed."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JUPYTER_DATA_DIR", os.fspath(tmp_path / "file"))

    with pytest.raises(InputError, match=r"file/claude_nb/files cannot be written: .*JUPYTER_DATA"):
        file_registry.prepare()
