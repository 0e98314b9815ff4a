"""The commands of the API's memory tool, on a folder: what each does, returns and shows."""

from __future__ import annotations

from typing import Any

from anthropic.lib.tools import BetaAbstractMemoryTool
from anthropic.types.beta import BetaMemoryTool20250818CreateCommand as Create
from anthropic.types.beta import BetaMemoryTool20250818DeleteCommand as Delete
from anthropic.types.beta import BetaMemoryTool20250818InsertCommand as Insert
from anthropic.types.beta import BetaMemoryTool20250818RenameCommand as Rename
from anthropic.types.beta import BetaMemoryTool20250818StrReplaceCommand as Replace
from anthropic.types.beta import BetaMemoryTool20250818ViewCommand as View
from pydantic import ValidationError

from claude_nb.render.difference import Difference
from claude_nb.render.labels import counted
from claude_nb.tools.memory import trust
from claude_nb.tools.memory.folder import Folder
from claude_nb.tools.results import CallFailedError, Result, invalid_arguments

_COMMANDS: dict[object, Any] = {
    "view": View,
    "create": Create,
    "str_replace": Replace,
    "insert": Insert,
    "delete": Delete,
    "rename": Rename,
}
_LINES_AROUND = 2


class Commands(BetaAbstractMemoryTool):
    """The commands, by the names that the SDK gives them; each returns a ``Result``.

    Args:
        folder: The files.
    """

    def __init__(self, folder: Folder) -> None:
        super().__init__()
        self.folder = folder

    def run(self, arguments: dict[str, Any]) -> Result:
        """Run a call.

        Args:
            arguments: Its input.

        Raises:
            CallFailedError: It cannot be run; the model gets to read why.
        """
        name = str(arguments.get("command"))
        if name not in _COMMANDS:
            there = ", ".join(map(str, _COMMANDS))
            raise CallFailedError(f"There is no command {name}. There are: {there}.", "failed")
        try:
            command = _COMMANDS[name].model_validate(arguments)
        except ValidationError as error:
            raise CallFailedError(invalid_arguments(error), "failed") from None
        if command.command == "create":
            trust.make(self.folder.path)
        if command.command == "view":
            return self.view(command)  # type: ignore[no-any-return]
        with self.folder.locked():
            return self.execute(command)  # type: ignore[return-value]

    def view(self, command: View) -> Any:
        """List a folder, two levels deep, or read a file with the numbers of its lines."""
        path = command.path
        if self.folder.is_folder(path):
            entries = self.folder.entries(path)
            lines = [_size(0) + f"\t{path}"]
            lines += [f"{_size(entry.size)}\t{entry.path}" for entry in entries]
            head = f"Here're the files and directories up to 2 levels deep in {path}"
            files = sum(not entry.path.endswith("/") for entry in entries)
            text = "\n".join([f"{head}, excluding hidden items:", *lines])
            return Result(text, note=counted(files, "file"))
        lines, first = self.folder.read(path).split("\n"), 1
        if command.view_range and len(command.view_range) == 2:
            begin, end = command.view_range
            first = max(1, begin)
            lines = lines[first - 1 : len(lines) if end == -1 else max(0, end)]
        head = f"Here's the content of {path} with line numbers:"
        text = "\n".join([head, *_numbered(lines, first)])
        return Result(text, note=counted(len(lines), "line"))

    def create(self, command: Create) -> Any:
        """Write a new file."""
        text = self.folder.create(command.path, command.file_text)
        path = command.path
        return self._changed(path, "", text, f"File created successfully at: {path}")

    def str_replace(self, command: Replace) -> Any:
        """Replace a text that is in a file once."""
        path, old = command.path, command.old_str
        before = self.folder.read(path)
        found = before.count(old) if old else 0
        if found == 0:
            what = f"old_str `{old}` did not appear verbatim in {path}."
            raise CallFailedError(f"No replacement was performed, {what}", "failed")
        if found > 1:
            lines = ", ".join(
                str(number) for number, line in enumerate(before.split("\n"), 1) if old in line
            )
            raise CallFailedError(
                f"No replacement was performed. Multiple occurrences of old_str `{old}` in lines:"
                f" {lines}. Please ensure it is unique",
                "failed",
            )
        after = self.folder.replace(path, before.replace(old, command.new_str))
        at, lines_after = before[: before.index(old)].count("\n"), after.split("\n")
        first = max(0, at - _LINES_AROUND)
        around = _numbered(lines_after[first : at + _LINES_AROUND + 1], first + 1)
        head = "The memory file has been edited. Here is the snippet showing the change"
        text = "\n".join([f"{head} (with line numbers):", *around])
        return self._changed(path, before, after, text)

    def insert(self, command: Insert) -> Any:
        """Insert lines behind the line of a number; 0 is the beginning."""
        path, at = command.path, command.insert_line
        before = self.folder.read(path)
        lines = before.split("\n")
        if lines[-1] == "":
            lines.pop()
        if not 0 <= at <= len(lines):
            raise CallFailedError(
                f"Invalid `insert_line` parameter: {at}."
                f" It should be within the range [0, {len(lines)}].",
                "failed",
            )
        lines.insert(at, command.insert_text.rstrip("\n"))
        after = self.folder.replace(path, "\n".join(lines) + "\n")
        return self._changed(path, before, after, f"The file {path} has been edited.")

    def delete(self, command: Delete) -> Any:
        """Delete a file or a folder; it is kept among the old versions."""
        path = command.path
        if self.folder.is_folder(path):
            gone = "\n".join(f"-{entry.path}" for entry in self.folder.entries(path))
            shown = Difference(path, gone)
        else:
            shown = Difference.of(path, self._text(path), "")
        self.folder.delete(path)
        return Result(f"Successfully deleted {path}", display=shown, note="deleted, kept in .old")

    def rename(self, command: Rename) -> Any:
        """Rename or move a file or a folder."""
        old, new = command.old_path, command.new_path
        self.folder.rename(old, new)
        shown = Difference("renamed", f"-{old}\n+{new}")
        return Result(f"Successfully renamed {old} to {new}", display=shown, note="renamed")

    def _text(self, path: str) -> str:
        """The text of a file for the difference; one that is no text is named."""
        try:
            return self.folder.read(path)
        except CallFailedError as error:
            return f"({error})"

    def _changed(self, path: str, before: str, after: str, text: str) -> Result:
        shown = Difference.of(path, before, after)
        return Result(text, display=shown, note=shown.note)


def _numbered(lines: list[str], first: int) -> list[str]:
    return [f"{number:>6}\t{line}" for number, line in enumerate(lines, first)]


def _size(size: int) -> str:
    return f"{size}B" if size < 1024 else f"{size / 1024:.1f}K"
