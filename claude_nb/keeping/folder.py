"""A folder of recordings as kept answers: a file each, found by its name.

Several kernels may share it: a file is written beside its place and then moved there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from claude_nb.errors import InputError
from claude_nb.keeping.answer import Answer
from claude_nb.recording.recording import SUFFIX, Recording, read_head
from claude_nb.recording.replay import file_name, slug
from claude_nb.reply import Reply
from claude_nb.request import files
from claude_nb.streaming.block import as_dict


class Folder:
    """The kept answers of a folder.

    Args:
        folder: Where they are; it is made when there is something to keep.

    Attributes:
        path: The folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = files.expanded(folder).absolute()

    def make(self) -> None:
        """Make it, if it is not there.

        Raises:
            InputError: Nothing can be written there.
        """
        files.make_folder(self.path, "Name another one: %claude_nb keep ~/answers")

    def __len__(self) -> int:
        return sum(1 for _ in self.path.glob(f"*{SUFFIX}"))

    def find(self, prompt: str, id_: str) -> Answer | None:
        """The answer to a question, or None.

        Args:
            prompt: The user's words.
            id_: The digest of what is asked.

        Raises:
            InputError: There is one that cannot be shown; the error says why.
        """
        why: InputError | None = None
        for number in count(1):
            path = self.path / file_name(prompt, id_, number)
            if not path.is_file():
                break
            try:
                recording = Recording.load(path)
                if recording.asked is not None and recording.asked.get("id") == id_:
                    return Answer.of(recording.asked, recording.events)
            except InputError as error:
                why = error
                continue
            if recording.edited:
                why = InputError(f"{path.name} was edited")
        if why is not None:
            raise why
        return None

    def requests(self, prompt: str) -> Iterator[dict[str, Any]]:
        """What was asked of the answers to questions that begin alike, by parts."""
        for path in sorted(self.path.glob(f"{slug(prompt)}*{SUFFIX}")):
            try:
                yield as_dict(as_dict(read_head(path).get("asked")).get("request"))
            except InputError:
                continue

    def save(self, prompt: str, reply: Reply) -> None:
        """Keep an answer, in place of an earlier one to the same question.

        Args:
            prompt: The user's words.
            reply: The reply, which is complete.

        Raises:
            InputError: It cannot be written.
        """
        recording = Recording.of(reply)
        if recording.asked is None:
            return
        self.make()
        path = self.path / file_name(prompt, recording.asked["id"])
        recording.save(path, overwrite=True)
