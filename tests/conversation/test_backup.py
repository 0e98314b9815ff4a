"""Backups: what is written, who can read it, what is removed, and what can go wrong."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import pytest

from claude_nb.conversation.backup import BackupStore
from tests.conversation.test_restore import turn

NOTEBOOK = "/home/ada/n.ipynb"

WRITE = """
import json, sys
from pathlib import Path
from claude_nb.conversation.backup import BackupStore
store = BackupStore(Path(sys.argv[1]), max_bytes=int(sys.argv[2]))
print("ready", flush=True)
for turn in json.loads(sys.stdin.readline()):
    store.keep("/home/ada/n.ipynb", "c", turn, chat=False)
"""


@pytest.fixture
def store(tmp_path):
    return BackupStore(tmp_path / "claude_nb" / "backups")


def files(store):
    return sorted(path for path in store.folder.rglob("*") if path.is_file())


def prompts(backups):
    return [backup.turn["prompt"] for backup in backups]


def dated(store, backup, days):
    """Let a backup be this many days old."""
    then = backup.time - days * 86400
    os.utime(backup.path, (then, then))


def test_a_turn_comes_back_as_it_was(store):
    """With its notebook, its cell, whether it is in a chat, and its whole record."""
    store.keep(NOTEBOOK, "cell-x", turn("A"), chat=True)
    store.keep("/other.ipynb", "cell-x", turn("B"), chat=False)

    (backup,) = store.of(NOTEBOOK)

    assert (backup.notebook, backup.cell, backup.chat) == (NOTEBOOK, "cell-x", True)
    assert (backup.record.data, backup.record.cell) == (turn("A"), "cell-a")
    assert (backup.conversation, backup.size) == ("notebook", backup.path.stat().st_size)
    assert sorted(prompts(store.all())) == ["A", "B"]


def test_only_the_user_can_read_it(store):
    """Whatever the process's umask is."""
    before = os.umask(0)
    try:
        store.keep(NOTEBOOK, "c", turn("A"), chat=False)
    finally:
        os.umask(before)

    (file,) = files(store)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (store.folder, file.parent, file)]
    assert modes == [0o700, 0o700, 0o600]


def test_no_key_is_written(store):
    """Neither in what was asked nor in what was answered, nor in a name."""
    key = "sk-" + "ant-api03-secret"
    store.keep(NOTEBOOK, "c", turn("A", prompt=f"My key: {key}", text=key), chat=False)

    (file,) = files(store)
    assert key not in file.read_text()


def test_a_record_without_a_turn_is_not_kept(store):
    """Nothing could be restored from it."""
    store.keep(NOTEBOOK, "c", {"version": 1, "simulated": False}, chat=False)

    assert not store.folder.exists()


def test_a_turn_that_is_kept_is_not_written_again(store):
    """When its notebook is opened: it is as old as it was."""
    store.keep(NOTEBOOK, "c", turn("A"), chat=True)
    dated(store, store.all()[0], 3)
    before = store.all()[0]
    missing = [("c", before.record), ("c", BackupRecord("B"))]

    store.keep_missing(NOTEBOOK, missing, chat=True)

    assert prompts(store.all()) == ["A", "B"]
    assert store.all()[0].time == before.time


def BackupRecord(name):  # noqa: N802 - reads as the class that it makes
    from claude_nb.conversation.saved_notebook import record

    return record(1, "c", turn(name))


def test_what_is_too_old_is_removed(store):
    """After thirty days, and it is not read either."""
    for name in "AB":
        store.keep(NOTEBOOK, "c", turn(name), chat=False)
    a, b = store.all()
    dated(store, a, 31)
    dated(store, b, 29)

    assert prompts(store.all()) == ["B"]
    store.remove_old()
    assert [path.name for path in files(store)] == [b.path.name]


def test_the_oldest_are_removed_when_there_is_too_much(tmp_path):
    """The limit holds after each turn, and the newest stays."""
    store = BackupStore(tmp_path, max_bytes=20_000)
    for number in range(100):
        store.keep(NOTEBOOK, "c", turn(f"T{number}"), chat=False)
        for path in files(store):  # each a day older than the next one
            os.utime(path, (path.stat().st_mtime - 60,) * 2)
        assert sum(path.stat().st_size for path in files(store)) <= 20_000

    kept = prompts(store.all())
    assert kept == [f"T{number}" for number in range(100 - len(kept), 100)]
    assert len(kept) > 10


def test_nothing_that_is_left_of_a_crash_stays(tmp_path):
    """A file that was half written is removed like an old turn."""
    store = BackupStore(tmp_path)
    store.keep(NOTEBOOK, "c", turn("A"), chat=False)
    part = files(store)[0].with_name("claude_nb-x.part")
    part.write_text("{")
    os.utime(part, (0, 0))

    store.remove_old()

    assert prompts(store.all()) == ["A"]
    assert not part.exists()


def test_files_of_others_are_left_alone(tmp_path):
    """Whoever put them there, and however old they are: the folder may be a link to another."""
    store = BackupStore(tmp_path, max_bytes=1)
    store.keep(NOTEBOOK, "c", turn("A"), chat=False)
    own = store.folder / ("0" * 32)
    others = [tmp_path / "mine" / "a.txt", tmp_path / "mine" / "a.json", own / "notes.txt"]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("precious")
        os.utime(path, (0, 0))

    store.remove_old()

    assert files(store) == sorted(others)


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", "null", "[" * 100_000, '{"record": 7}', '{"record": {"version": 99}}'),
        '{"record": {"version": 1, "turn": []}, "notebook": 7, "cell": null}',
        b"\xff\xfe",
    ],
)
def test_what_is_damaged_costs_none_of_the_others(store, content):
    """It is passed over, and it can be deleted and removed."""
    store.keep(NOTEBOOK, "c", turn("A"), chat=False)
    data = content if isinstance(content, bytes) else content.encode()
    files(store)[0].with_name("0" * 48 + ".json").write_bytes(data)

    assert "A" in [backup.turn.get("prompt") for backup in store.of(NOTEBOOK)]
    store.delete(store.all())
    store.remove_old()
    assert store.moved(frozenset({"c"})) == []


@pytest.mark.parametrize("id_", ["../../../escaped", "/tmp/escaped", "a\0b", "x" * 5000, "\ud83d"])
def test_an_id_is_no_path(store, id_):
    """It may come from a notebook of anybody."""
    store.keep(NOTEBOOK, id_, turn("A", id=id_), chat=False)

    (file,) = files(store)
    assert file.parent.parent == store.folder


@contextmanager
def unwritable(folder):
    """A file in the place of the folder."""
    folder.parent.mkdir(parents=True)
    folder.write_text("x")
    yield


@contextmanager
def no_room(folder):
    """A disk on which no file can get longer than ten bytes."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    folder.mkdir(parents=True)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        yield
    finally:  # at once: what pytest prints may go to a file
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("why", [unwritable, no_room])
def test_what_cannot_be_written_is_a_warning_once(store, why):
    """And never an error: the reply is there, and paid for. Nothing half written stays."""
    with why(store.folder), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for name in "AB":
            store.keep(NOTEBOOK, "c", turn(name), chat=False)

    (warning,) = caught
    assert str(warning.message).startswith(f"The turn was not backed up: {store.folder}: ")
    assert "%config ClaudeMagics.backup = False" in str(warning.message)
    assert store.all() == []
    assert [path for path in files(store) if path != store.folder] == []


def test_kernels_write_at_the_same_time(tmp_path):
    """Two that add turns while the oldest are removed: none fails, and the limit holds."""
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WRITE, str(tmp_path), "60000"],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in "AB"
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process, name in zip(processes, "AB", strict=True):
        turns = [turn(f"{name}{number}") for number in range(100)]
        process.stdin.write(f"{json.dumps(turns)}\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")

    store = BackupStore(tmp_path, max_bytes=60_000)
    assert sum(path.stat().st_size for path in files(store)) <= 60_000
    assert all(path.suffix == ".json" and json.loads(path.read_text()) for path in files(store))
    assert len(store.all()) == len(files(store)) > 50


def test_deleting_removes_what_is_empty(store):
    """Folder by folder; the others stay."""
    for name, notebook in (("A", NOTEBOOK), ("B", NOTEBOOK), ("C", "/other.ipynb")):
        store.keep(notebook, "c", turn(name), chat=False)

    store.delete(store.of(NOTEBOOK))

    assert prompts(store.all()) == ["C"]
    assert len(list(store.folder.iterdir())) == 1
