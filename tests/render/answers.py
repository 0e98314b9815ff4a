"""Fifty answers as models write them, streamed: what their frames show that the end does not."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import NamedTuple

from claude_nb.render.markdown.incremental import Incremental

ANSWERS = dict(
    re.findall(
        r"^%%%% (.+)\n((?:(?!%%%%).*\n)*)",
        Path(__file__).with_name("answers.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)

_NOT_TEXT = re.compile(r"<(code|var|math)\b.*?</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_HEADING = re.compile(r"<(h[1-6])\b[^>]*>(.*?)</\1>", re.DOTALL)
_FORMULA = re.compile(r"(?:\$|\\[(\[]).*")
"""A formula that is not complete, to the end of the text."""


class Found(NamedTuple):
    """What was counted in a stream.

    Attributes:
        frames: How many there were.
        raw: Those whose text, code and formulas left out, does not begin the text of the end.
        phantoms: Those with a heading that is none at the end, or another one.
    """

    frames: int
    raw: list[str]
    phantoms: list[str]


def visible(html: str) -> str:
    """The text of HTML without code, formulas and white space."""
    return "".join(unescape(_TAG.sub("", _NOT_TEXT.sub("", html))).split())


def headings(html: str) -> list[tuple[str, str]]:
    """Each heading's level and text."""
    return [(level, visible(inside)) for level, inside in _HEADING.findall(html)]


def streamed(text: str, size: int) -> Found:
    """A text in deltas of so many characters, a frame for each."""
    incremental, frames = Incremental(), []
    for begin in range(0, len(text), size):
        incremental.feed(text[begin : begin + size])
        incremental.frame()
        frames.append("".join(incremental.blocks))
    incremental.finish()
    end = "".join(incremental.blocks)
    whole, final = visible(end), headings(end)
    raw = [frame for frame in frames if not whole.startswith(_shown(frame, whole))]
    return Found(len(frames), raw, [frame for frame in frames if _is_phantom(frame, final)])


def _shown(frame: str, whole: str) -> str:
    shown = visible(frame)
    return shown if whole.startswith(shown) or "$" in whole else _FORMULA.sub("", shown)


def _is_phantom(frame: str, final: list[tuple[str, str]]) -> bool:
    found = headings(frame)
    return len(found) > len(final) or any(
        level != is_level or not is_text.startswith(text)
        for (level, text), (is_level, is_text) in zip(found, final, strict=False)
    )
