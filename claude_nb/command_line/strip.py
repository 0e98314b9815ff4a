"""``claude-nb strip``: copies of notebooks without records and chats, or the notebooks in place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from claude_nb.conversation.notebook_file import read
from claude_nb.conversation.strip import Removed, strip
from claude_nb.errors import InputError
from claude_nb.request import files
from claude_nb.views.terminal import say

PIPE = "-"
"""In the place of a file: the standard input, written to the standard output."""


def run(
    names: Sequence[str],
    *,
    output: str = "",
    answers: bool = False,
    in_place: bool = False,
    overwrite: bool = False,
) -> int:
    """Strip notebooks, and say what was removed.

    Args:
        names: The notebooks, or ``PIPE``.
        output: Where the copy of the only one goes; by default beside it, as ``NAME-stripped``.
        answers: As for ``strip``.
        in_place: Whether the notebooks themselves are changed.
        overwrite: Whether copies replace files that are there.

    Returns:
        The exit code: 1 if one of them could not be read or written.

    Raises:
        InputError: These options do not go together.
    """
    if output and (in_place or len(names) > 1 or PIPE in names):
        raise InputError("-o names the copy of one notebook.", "Name one, without --in-place.")
    if in_place and PIPE in names:
        raise InputError("--in-place changes files.", "Name one, or leave out --in-place.")
    code = 0
    for name in names:
        try:
            if name == PIPE:
                _pass_on(answers=answers)
                continue
            path = files.expanded(name)
            content, removed = strip(read(path), path, answers=answers)
            target = (
                path
                if in_place
                else files.expanded(output or path.with_stem(f"{path.stem}-stripped"))
            )
            if not (in_place and not removed):
                _write(target, content, overwrite=overwrite or in_place)
            say(_describe(path, target, removed))
        except InputError as error:
            say(str(error), file=sys.stderr)
            code = 1
    return code


def _pass_on(*, answers: bool) -> None:
    content, _ = strip(sys.stdin.buffer.read(), Path("The standard input"), answers=answers)
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        sys.stdout = None  # it is not tried again at the end
        raise InputError(f"The standard output cannot be written: {error.strerror}.") from None


def _write(target: Path, content: bytes, *, overwrite: bool) -> None:
    with suppress(InputError):  # ``write`` says what is wrong
        overwrite = overwrite or files.read_bytes(target) == content
    files.write(target, [content.decode()], overwrite=overwrite, how="--overwrite")


def _describe(path: Path, target: Path, removed: Removed) -> str:
    where = path if target == path else f"Wrote {target}"
    stay = " The answers stay visible; --answers removes them too." if removed.left else ""
    return f"{where}: {removed}.{stay}"
