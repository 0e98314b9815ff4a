"""The folder of a memory: nothing outside of it is read or written, and nothing is lost."""

from __future__ import annotations

import errno
import fcntl
import os

import pytest

from claude_nb.redaction import remember
from claude_nb.tools.memory import folder as module
from claude_nb.tools.memory.folder import MAX_BYTES, Entry, Folder
from claude_nb.tools.results import CallFailedError


@pytest.fixture
def folder(tmp_path):
    """An empty folder, and a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    place = tmp_path / "memory"
    place.mkdir()
    return Folder(place)


def old_versions(folder):
    """What the folder keeps of what was overwritten or deleted, by path, without the times."""
    found = {}
    for path in sorted((folder.path / ".old").glob("*/**/*")):
        if path.is_file():
            found["/".join(path.relative_to(folder.path).parts[2:])] = path.read_bytes().decode()
    return found


def test_files_are_made_read_changed_renamed_and_deleted(folder):
    """With the folders that they need; each version that is replaced is kept."""
    folder.create("/memories/a/notes.md", "one\r\n")
    assert folder.read("/memories/a/notes.md") == "one\r\n"

    folder.replace("/memories/a/notes.md", "two")
    folder.rename("/memories/a/notes.md", "/memories/b/notes.md")
    assert [entry.path for entry in folder.entries("/memories")] == [
        "/memories/a/",
        "/memories/b/",
        "/memories/b/notes.md",
    ]
    assert folder.entries("/memories/b") == [Entry("/memories/b/notes.md", 3)]
    assert old_versions(folder) == {"a/notes.md": "one\r\n"}

    folder.delete("/memories/b")
    assert [entry.path for entry in folder.entries("/memories")] == ["/memories/a/"]
    assert old_versions(folder) == {"a/notes.md": "one\r\n", "b/notes.md": "two"}


@pytest.mark.parametrize(
    "path",
    [
        "/memories/../secret.txt",
        "/memories/a/../../secret.txt",
        "/etc/passwd",
        "secret.txt",
        "",
        "/memoriesecret.txt",
        "/memories/.old",
        "/memories/.owner",
        "/memories/a/.git",
        "/memories/..\\secret.txt",
        "/memories/C:x",
        "/memories/nul\0l",
        "/memories/name. ",
        f"/memories/{'x' * 101}",
        "/memories" + "/d" * 9,
    ],
)
def test_paths_that_lead_elsewhere_are_refused(folder, path):
    """In every command, and no file of this computer is named in the error."""
    for use in (
        lambda: folder.read(path),
        lambda: folder.create(path, "x"),
        lambda: folder.replace(path, "x"),
        lambda: folder.delete(path),
        lambda: folder.rename(path, "/memories/new"),
    ):
        with pytest.raises(CallFailedError) as refused:
            use()
        assert str(folder.path.parent) not in str(refused.value)
    assert (folder.path.parent / "secret.txt").read_text() == "secret"


def test_links_out_of_the_folder_are_refused(folder):
    """Symbolic ones to a file and to a folder, hard ones, and pipes that would never end."""
    outside = folder.path.parent
    (folder.path / "link.txt").symlink_to(outside / "secret.txt")
    (folder.path / "out").symlink_to(outside, target_is_directory=True)
    (folder.path / "hard.txt").hardlink_to(outside / "secret.txt")
    os.mkfifo(folder.path / "pipe")

    for path in ("link.txt", "out/secret.txt", "hard.txt", "pipe"):
        for use in (folder.read, lambda p: folder.replace(p, "changed")):
            with pytest.raises(CallFailedError):
                use(f"/memories/{path}")
    with pytest.raises(CallFailedError):
        folder.create("/memories/out/new.txt", "x")
    with pytest.raises(CallFailedError):
        folder.create("/memories/link.txt", "x")
    assert (outside / "secret.txt").read_text() == "secret"
    assert not (outside / "new.txt").exists()
    assert "/memories/link.txt" not in [entry.path for entry in folder.entries("/memories")]


def test_a_link_in_place_of_the_old_versions_is_refused(folder, tmp_path):
    """What is deleted goes nowhere else."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder.path / ".old").symlink_to(elsewhere, target_is_directory=True)
    folder.create("/memories/a.txt", "x")

    with pytest.raises(CallFailedError):
        folder.delete("/memories/a.txt")

    assert folder.read("/memories/a.txt") == "x"
    assert not list(elsewhere.iterdir())


def test_nothing_that_is_there_is_overwritten(folder):
    """A file is made once, and nothing is moved onto another."""
    folder.create("/memories/a", "a")
    folder.create("/memories/b", "b")

    for use in (
        lambda: folder.create("/memories/a", "x"),
        lambda: folder.rename("/memories/b", "/memories/a"),
    ):
        with pytest.raises(CallFailedError, match="already exists"):
            use()
    with pytest.raises(CallFailedError, match="into itself"):
        folder.rename("/memories/a", "/memories/a/b")
    with pytest.raises(CallFailedError, match="directory itself"):
        folder.delete("/memories")
    assert (folder.read("/memories/a"), folder.read("/memories/b")) == ("a", "b")


def test_limits(folder, monkeypatch):
    """Of the size of a file and of their number."""
    with pytest.raises(CallFailedError, match="at most 100,000"):
        folder.create("/memories/large", "ä" * (MAX_BYTES // 2 + 1))
    (folder.path / "huge.txt").write_bytes(b"x" * (10 * MAX_BYTES + 1))
    with pytest.raises(CallFailedError, match="too large"):
        folder.read("/memories/huge.txt")
    monkeypatch.setattr(module, "MAX_FILES", 2)
    folder.create("/memories/a/b", "x")
    with pytest.raises(CallFailedError, match="2 files"):
        folder.create("/memories/c", "x")


def test_what_is_no_text_can_be_deleted_and_nothing_else(folder):
    """A file that is not UTF-8 is named, and kept when it is deleted."""
    (folder.path / "data.bin").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(CallFailedError, match="not UTF-8"):
        folder.read("/memories/data.bin")
    with pytest.raises(CallFailedError, match="not UTF-8"):
        folder.replace("/memories/data.bin", "x")
    folder.delete("/memories/data.bin")

    (kept,) = (folder.path / ".old").glob("*/data.bin")
    assert kept.read_bytes() == b"\xff\xfe\x00"


def test_on_a_full_disk_all_stays_as_it_was(folder, monkeypatch):
    """The error says why, and no half-written file is left."""
    folder.create("/memories/a", "before")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(CallFailedError, match="No space left on device"):
        folder.create("/memories/b", "x")
    monkeypatch.undo()

    assert folder.read("/memories/a") == "before"
    assert [entry.path for entry in folder.entries("/memories")] == ["/memories/a"]
    assert not list(folder.path.glob(".*.tmp"))


def test_no_credential_is_written(folder):
    """One that was sent is redacted, as in everything that is saved."""
    remember("a-very-secret-token")

    folder.create("/memories/a", "use a-very-secret-token and sk-ant-abc123")

    assert folder.read("/memories/a") == "use [redacted] and sk-ant-…"


def test_kernels_wait_for_each_other(folder):
    """A change is read and written by one kernel at a time."""
    with (folder.path / ".lock").open("w") as other:
        with folder.locked(), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
