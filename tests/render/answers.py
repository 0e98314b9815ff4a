"""Fifty answers as models write them, streamed: what their frames show that the end does not."""

from __future__ import annotations

import re
from functools import cache
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


@cache
def visible(html: str) -> str:
    """The text of HTML without code, formulas and white space."""
    return "".join(unescape(_TAG.sub("", _NOT_TEXT.sub("", html))).split())


@cache
def headings(html: str) -> list[tuple[str, str]]:
    """Each heading's level and text."""
    return [(level, visible(inside)) for level, inside in _HEADING.findall(html)]


def streamed(text: str, size: int) -> Found:
    """A text in deltas of so many characters, a frame for each."""
    incremental, frames = Incremental(), []
    for begin in range(0, len(text), size):
        incremental.feed(text[begin : begin + size])
        incremental.frame()
        frames.append(incremental.blocks)
    incremental.finish()
    whole, titles = _text(incremental.blocks), _titles(incremental.blocks)
    raw = [_text(frame) for frame in frames if not _begins(_text(frame), whole)]
    phantoms = [_text(frame) for frame in frames if _has_phantom(_titles(frame), titles)]
    return Found(len(frames), raw, phantoms)


def _text(blocks: list[str]) -> str:
    return "".join(map(visible, blocks))


def _titles(blocks: list[str]) -> list[tuple[str, str]]:
    return [title for block in blocks for title in headings(block)]


def _begins(text: str, whole: str) -> bool:
    return whole.startswith(text if "$" in whole else _FORMULA.sub("", text))


def _has_phantom(titles: list[tuple[str, str]], final: list[tuple[str, str]]) -> bool:
    return len(titles) > len(final) or any(
        level != final_level or not whole.startswith(text)
        for (level, text), (final_level, whole) in zip(titles, final, strict=False)
    )
