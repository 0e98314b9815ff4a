"""Files and folders as the parts of a system prompt: text alone, in an order that stays."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from claude_nb.errors import InputError
from claude_nb.request.attachments.attachment import attach
from claude_nb.request.attachments.limits import MAX_REQUEST_BYTES
from claude_nb.request.files import expanded
from claude_nb.request.system import SystemPart

_LONGEST_PATH = 1_000
"""Characters of a text from which on it is not looked for as a file."""

_LIKE_A_PATH = re.compile(
    r"""(~|\.{1,2})?[/\\].*  # it begins as paths do,
    | \S+[/\\]\S*           # or is one word with a slash,
    | \S*\w\.[A-Za-z]\w{0,7} # or one with a suffix,
    | (\S+[ ]){1,3}\S*\.(md|txt|rst|py|json|csv|ya?ml|toml|html|sql)  # or a few with that of text
    """,
    re.VERBOSE,
)
"""A text of one line that is more likely to be a path."""

_HOW_TO_MEAN_TEXT = 'To send the text itself, give it a name: ("rules", "…").'


def parts(sources: tuple[object, ...]) -> tuple[tuple[SystemPart, ...], str]:
    """Read what a system prompt consists of; all line ends become line feeds.

    Args:
        sources: In the order in which they are sent: a text; a file or folder, as a ``Path`` or as
            a text of one line that names one; or a pair of a name and a text. Of a folder all text
            files are taken, sorted by name, each between ``<file path="…">`` and ``</file>``.

    Returns:
        The parts; and what was left out of folders, in words, or an empty text.

    Raises:
        InputError: One of them cannot be read, or is no text.
    """
    found: list[SystemPart] = []
    left_out: Counter[str] = Counter()
    for number, source in enumerate(sources, 1):
        path = _path(source)
        if isinstance(source, tuple) and len(source) == 2 and all(type(x) is str for x in source):
            found.append(SystemPart(str(source[0]), _lines(str(source[1]))))
        elif path is None and isinstance(source, str):
            found.append(
                SystemPart(f"text {number}" if len(sources) > 1 else "text", _lines(source))
            )
        elif path is None:
            raise InputError(
                f"A {type(source).__name__} cannot be part of a system prompt.",
                "Pass strings, files, folders, or pairs of a name and a string.",
            )
        elif path.is_dir():
            found += _folder(path, left_out)
        else:
            found.append(SystemPart(str(source), _file(path)))
    parts = [f"{number} {kind}" for kind, number in sorted(left_out.items())]
    return tuple(found), ", ".join(parts)


def _path(source: object) -> Path | None:
    """The file or folder that is meant, or None where a text is."""
    if isinstance(source, os.PathLike):
        return expanded(Path(source))
    if not isinstance(source, str) or "\n" in source or len(source) > _LONGEST_PATH:
        return None
    try:
        path = Path(source).expanduser()
        if source.strip() and path.exists():
            return path
    except (OSError, RuntimeError, ValueError):  # too long a name, no such user, a zero byte
        return None
    if re.match(r"https?://\S+$", source):
        raise InputError(
            f"{source} is a URL, and a system prompt fetches nothing.",
            "Fetch it yourself, and pass a name and its text: (url, text).",
        )
    if _LIKE_A_PATH.fullmatch(source):
        raise InputError(
            f"There is no file {source}.",
            f"Relative paths begin at {Path.cwd()}. {_HOW_TO_MEAN_TEXT}",
        )
    return None


def _file(path: Path) -> str:
    made = attach(path, "The system prompt").blocks
    if made and made[0]["type"] != "text":
        kind = "an image" if made[0]["type"] == "image" else "a PDF"
        raise InputError(
            f"{path} is {kind}; a system prompt holds text.",
            "Attach it to the question instead.",
        )
    return _lines(made[0]["text"]) if made else ""


def _folder(folder: Path, left_out: Counter[str]) -> list[SystemPart]:
    found: list[SystemPart] = []
    size = 0
    for path in _files(folder, left_out):
        try:
            text = _file(path)
        except InputError:
            left_out["not text"] += 1
            continue
        if not text.strip():
            left_out["empty"] += 1
            continue
        name = path.relative_to(folder).as_posix()
        inside = text if text.endswith("\n") else f"{text}\n"
        found.append(
            SystemPart(f"{folder.name}/{name}", f'<file path="{name}">\n{inside}</file>\n')
        )
        size += len(text)
        if size > MAX_REQUEST_BYTES:
            raise InputError(
                f"{folder} holds more text than a request can hold:"
                f" {MAX_REQUEST_BYTES // 1_000_000} MB.",
                "Name a folder in it, or the files that matter.",
            )
    if not found:
        raise InputError(f"There is no text in the folder {folder}.")
    return found


def _files(folder: Path, left_out: Counter[str]) -> list[Path]:
    """The files of a folder and of those in it, sorted by their names, hidden ones left out."""
    found: list[Path] = []
    for here, folders, files in os.walk(folder):
        hidden = [name for name in (*folders, *files) if name.startswith(".")]
        if hidden:
            left_out["hidden"] += len(hidden)
        folders[:] = [name for name in folders if name not in hidden]
        found += [Path(here, name) for name in files if name not in hidden]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _lines(text: str) -> str:
    """A text with the same line ends wherever it was written."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
