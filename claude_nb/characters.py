"""Characters that nobody can send or see: halves of characters, controls, hidden characters.

`wellformed` is for data: half a surrogate pair, as gateways send it that cut UTF-16, has no form in
UTF-8, so it could be neither shown nor saved nor sent. Each event passes it when it is recorded, as
does each request before it is sent.

`clean` is for display, of whatever comes from a server, a model, a file or a tool. A model may
quote text that was written to deceive: an override that reorders code on the screen ("Trojan
Source", CVE-2021-42574), words in invisible characters, an escape sequence for a terminal. So every
character that is shown is a visible one; others are shown as their numbers: ``‹U+202E›``.

Characters that real writing needs are kept:

- a joiner or a variation selector where its script or emoji has it: after a letter beyond the
  Latin, Greek and Cyrillic ones, or after a symbol (Persian, Hindi, Thai, 👩‍💻, ❤️);
- the tags of a flag (🏴󠁧󠁢󠁳󠁣󠁴󠁿);
- in prose, soft hyphens and the marks of direction, which the punctuation of Arabic and Hebrew
  needs. In code they are made visible: between two of them ``<`` looks like ``>``.

Embeddings, overrides and isolates are visible everywhere. A block's direction is in its ``dir``.
"""

import json
import re
from functools import cache
from typing import Any, Final

MAX_BLOCK_CHARACTERS: Final = 1_000_000
"""Characters of one content block that are shown: about twice the 128,000 tokens of the longest
reply. The reply keeps the rest, which is not rendered."""

_BRIEF: Final = 2_000

_NEWLINE: Final = re.compile(r"\r\n?")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_VISIBLE: Final = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"}
    | {0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
)

# Default_Ignorable_Code_Point of Unicode 16 (DerivedCoreProperties.txt), interlinear annotations,
# and the two separators that some languages take for the end of a line.
_HIDDEN: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_IN_PROSE: Final = "\u00ad\u061c\u200e\u200f\u2028\u2029"
_JOINING: Final = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u200b-\u200d\u2060\ufe00-\ufe0f"
    "\U000e0100-\U000e01ef"
)
_TAG: Final = "[\U000e0030-\U000e0039\U000e0061-\U000e007a]"
_NEEDED: Final = (
    f"\U0001f3f4{_TAG}{{3,6}}\U000e007f"
    f"|(?<=[©®\u0590-\U0010ffff])(?<![{_HIDDEN}])[{_JOINING}]"
    "|(?<=\ufe0f)\u200d|(?<=[0-9#*])[\ufe0e\ufe0f]"
)
_MARK: Final = re.compile(f"(?P<needed>(?!))|[{_IN_PROSE}]")

_UNFINISHED: Final = re.compile(f"(?:[\r\ud800-\udbff]|\U0001f3f4{_TAG}{{0,6}})\\Z")


find_half = _SURROGATE.search
"""Finds half a surrogate pair in a text."""


def wellformed(text: str) -> str:
    """The text with surrogate pairs joined, and U+FFFD in place of each half that is alone."""
    if text.isascii() or not find_half(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def wellformed_json(value: Any) -> Any:
    """`wellformed` for all texts in a value of JSON; the value itself if there is nothing to do."""
    try:
        if not _holds_half(value):
            return value
        written = json.dumps(value, ensure_ascii=False)
    except RecursionError:  # too deep to be shown, saved or sent either
        return value
    return json.loads(wellformed(written))


def _holds_half(value: Any) -> bool:
    if isinstance(value, str):  # first of all, as an image's base64 is long, and ASCII
        return not value.isascii() and find_half(value) is not None
    if isinstance(value, dict):
        return any(map(_holds_half, value)) or any(map(_holds_half, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_holds_half, value))


def wellformed_escapes(source: str) -> str:
    """JSON, or a part of it, in which no escape stands for half a character."""
    if "\\ud" not in source and "\\uD" not in source:
        return source
    return _ESCAPE.sub(lambda found: "\\ufffd" if found["half"] else found[0], source)


def split_half(text: str) -> tuple[str, str]:
    """A text without half a pair at its end, and that half, of which the rest may follow."""
    return (text[:-1], text[-1]) if "\ud800" <= text[-1:] <= "\udbff" else (text, "")


def clean(text: str, *, prose: bool = False) -> str:
    r"""The text with only characters that can be seen and encoded.

    Args:
        text: any string.
        prose: whether it is prose, in which the marks of direction stay (see the module's
            docstring); code, names, addresses and whatever else is not.

    Returns:
        The text with ``\n`` as its only line end, control characters as their visible
        pictures (ESC as "␛"), hidden characters as their numbers, surrogate pairs joined and
        lone surrogates as U+FFFD.
    """
    return _seen(_encodable(text), prose=prose)


def in_code(text: str) -> str:
    """Make the characters visible that `clean` keeps in prose, for code in the prose."""
    return text if text.isascii() else _MARK.sub(_number, text)


def brief(text: str) -> str:
    """The first 2,000 characters of a name, a title or a message."""
    return text if len(text) <= _BRIEF else text[: _BRIEF - 1] + "…"


class Cleaner:
    """`clean` for a text in pieces, cut anywhere.

    All that `feed` has returned is `clean` of all that it was fed, except that a carriage return,
    half a surrogate pair and a flag are held back while they may go on.
    """

    def __init__(self, *, prose: bool = False) -> None:
        self._prose = prose
        self._held = ""
        self._last = ""

    def feed(self, piece: str) -> str:
        """The next piece, clean."""
        text = self._held + piece
        unfinished = _UNFINISHED.search(text, max(0, len(text) - 7))
        self._held = unfinished[0] if unfinished else ""
        return self._clean(text.removesuffix(self._held))

    def finish(self) -> str:
        """The rest, which was held back."""
        text, self._held = self._held, ""
        return self._clean(text)

    def _clean(self, text: str) -> str:
        # What a character needs to be shown is at most the one before it.
        last, text = self._last, _encodable(text)
        self._last = text[-1:] or last
        return _seen(last + text, prose=self._prose)[len(_seen(last, prose=self._prose)) :]


def _encodable(text: str) -> str:
    if "\r" in text:
        text = _NEWLINE.sub("\n", text)
    text = wellformed(text)
    return text.translate(_VISIBLE) if _CONTROL.search(text) else text


def _seen(text: str, *, prose: bool) -> str:
    if text.isascii():
        return text
    return _hidden(prose).sub(_number, text)


def _number(hidden: re.Match[str]) -> str:
    return hidden[0] if hidden["needed"] else f"‹U+{ord(hidden[0]):04X}›"


@cache
def _hidden(prose: bool) -> re.Pattern[str]:  # noqa: FBT001 - as a key of the cache
    """Finds hidden characters. It takes milliseconds to compile, which ``%load_ext`` saves."""
    needed = f"{_NEEDED}|[{_IN_PROSE}]" if prose else _NEEDED
    return re.compile(f"(?P<needed>{needed})|[{_HIDDEN}]")
