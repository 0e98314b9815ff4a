"""Files that are written whole or not at all, on a full disk too."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from claude_nb.errors import InputError
from claude_nb.request import files

FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the limit is an error then
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from pathlib import Path
path = Path(sys.argv[1])
"""
"""The beginning of a program that can write no file of more than 100 kB."""

CONVERSATION = """
import claude_nb
talk = claude_nb.Conversation.from_messages(
    [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "x" * 200_000}]
)
"""

REPLY = """
from claude_nb.reply import Reply
from claude_nb.request.request import Request
from claude_nb.recording.recording import Recording
from claude_nb.streaming.events import StreamEvent
reply = Reply(Request("Why?"))
reply.advance([StreamEvent(0, 0.0, 1, {"type": "ping", "x": "x" * 200_000})])
"""

WRITERS = {
    "notebook": CONVERSATION + "talk.to_notebook(path, overwrite=True)",
    "recording": REPLY + "Recording.of(reply).save(path, overwrite=True)",
    "export": CONVERSATION
    + "from claude_nb.conversation.export import to_markdown\n"
    + "from claude_nb.request import files\n"
    + "files.write(path, [to_markdown(talk)], overwrite=True)",
}
"""What users write files with."""


def on_full_disk(code, path="."):
    """Run a program on a full disk, which ends with an error; return what it printed of that."""
    command = [sys.executable, "-c", FULL + code, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    return ran.stderr


@pytest.mark.parametrize("code", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("before", [None, "good"])
def test_a_full_disk_leaves_what_was_there(tmp_path, code, before):
    """The old file, or none; the error names the file, and how much room there is."""
    path = tmp_path / "kept"
    if before is not None:
        path.write_text(before)

    error = on_full_disk(code, path)

    assert f"InputError: {path} cannot be written: File too large." in error
    assert "kB free" in error
    assert [file.name for file in tmp_path.iterdir()] == (["kept"] if before else [])
    assert before is None or path.read_text() == before


def test_the_rows_of_a_batch_need_room_too():
    """The error says where, and rows that were stored before can still be read."""
    error = on_full_disk(
        "from claude_nb.batches.row_store import RowStore\n"
        "rows = RowStore()\n"
        "rows.put(1, b'first')\n"
        "try:\n    rows.put(2, b'x' * 200_000)\n"
        "finally:\n    assert rows.get(1) == b'first'\n"
        "    rows.put(3, b'third')\n    assert rows.get(3) == b'third'\n"
    )

    assert "InputError: The rows of a batch cannot be saved in" in error
    assert "kB free" in error


def test_the_target_of_a_link_is_written(tmp_path):
    """The link stays one, and the target keeps its mode."""
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)

    files.write(link, ["new"], overwrite=True)

    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_new_file_has_the_usual_mode(tmp_path):
    """As the user's ``umask`` has it."""
    files.write(tmp_path / "ours", ["x"])
    (tmp_path / "usual").write_text("x")

    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert len(modes) == 1


def test_what_is_no_file_is_left_alone(tmp_path):
    """A pipe or a folder is not replaced, and nothing waits for the pipe's reader."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()

    for name in ("pipe", "folder"):
        with pytest.raises(InputError, match="cannot be written: it is "):
            files.write(tmp_path / name, ["x"], overwrite=True)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder", "pipe"]


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="there is no read-only folder at hand")
def test_a_read_only_folder_is_named_with_what_to_do():
    """As for a notebook that was opened in a shared folder, beside which a file is to be."""
    with pytest.raises(InputError) as raised:
        files.write("/sys/talk.md", ["x"])

    assert raised.value.what.startswith("/sys/talk.md cannot be written: ")
    assert raised.value.advice == "Name a file in a folder that you may write to, such as ~/talk.md"
