"""Files that are sent along with the next question of a chat."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from uuid import uuid4

from claude_nb.characters import clean
from claude_nb.errors import InputError
from claude_nb.render import previews
from claude_nb.request.attachments.attachment import attach


@dataclass(frozen=True, slots=True)
class File:
    """A file of the user's.

    Attributes:
        name: What it is called.
        data: Its content.
        note: What it is, a few words.
        preview: How it begins, as HTML.
        key: Its name on the page.
    """

    name: str
    data: bytes
    note: str
    preview: str
    key: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def of(cls, name: str, data: bytes) -> Self:
        """A file that a page has sent.

        Raises:
            InputError: It is empty, or cannot be sent to the model.
        """
        name = clean(name)[:100]
        made = attach(data, name)
        if made.is_blank:
            raise InputError(f"{name} is empty.")
        return cls(name, data, made.note or name, previews.preview(made.blocks))
