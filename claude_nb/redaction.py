"""Credentials, redacted by value and by pattern in all that is shown, saved, recorded or raised."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
from html import escape
from threading import Lock
from typing import Any
from urllib.parse import quote, quote_plus

DUMMY_KEY = "simulated"
"""The key that servers get which are to have none; it is no secret."""

REDACTED = "[redacted]"
"""What stands in the place of a credential."""

_SHORTEST = 8
"""Characters of a credential from which on it is redacted wherever it stands. Shorter ones, such as
``x`` and ``none`` for local servers, are words of other texts too."""

_BEGUN = 6
"""Characters at the end of a text that are redacted if a credential begins with them: a stream
broke off there, or the text was cut."""

_MOST = 200
"""Credentials that are remembered; those that are renewed every hour would otherwise add up."""

_PREFIX = "sk-ant-"
_KEY = re.compile(rf"{_PREFIX}[\w-]+", re.ASCII)
_REST = re.compile(r"[\w-]*", re.ASCII)
_USERINFO = re.compile(r"//(?!USER:PASSWORD@)[^\s/@?#'\"]+@")
_BEFORE_SHORT = r"(?P<before>['\"`=]|\b(?:bearer|basic|key|token|password)\b[:=]?\s*)"

_values: dict[str, tuple[str, ...]] = {}  # each credential, with the forms that it can be met in
_short: dict[str, None] = {}
_forms: tuple[str, ...] = ()  # of all credentials, the longest first
_by_value: re.Pattern[str] | None = None  # any of them, or None where there are none
_begins: re.Pattern[str] = re.compile("")  # where one may begin that is cut, to be looked at closer
_begun: re.Pattern[str] = re.compile("")  # likewise where at least ``_BEGUN`` characters are there
_by_short_value: re.Pattern[str] | None = None
_lock = Lock()
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    # Whoever holds it is not there in the child: nobody may hold it then.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def remember(value: str) -> None:
    """Redact a credential from now on, wherever it appears.

    Args:
        value: What is sent as a credential, or may be.
    """
    global _forms, _by_value, _by_short_value, _begins, _begun  # noqa: PLW0603
    value = value.strip()
    if not value or value == DUMMY_KEY or value in _values or value in _short:
        return
    with _lock:
        if len(value) < _SHORTEST:
            _short[value] = None
            short = "|".join(map(re.escape, sorted(_short, key=len, reverse=True)))
            _by_short_value = re.compile(rf"{_BEFORE_SHORT}(?:{short})(?!\w)", re.IGNORECASE)
            return
        _values[value] = _forms_of(value)
        if len(_values) > _MOST:
            del _values[next(iter(_values))]
        found = {form for forms in _values.values() for form in forms}
        forms = tuple(sorted(found, key=lambda form: (-len(form), form)))
        _begins = re.compile("|".join(sorted(set(map(_cut, forms)))))
        _begun = re.compile("|".join(sorted({re.escape(form[:_BEGUN]) for form in forms})))
        _forms, _by_value = forms, re.compile("|".join(map(re.escape, forms)))


def forget() -> None:
    """Forget all credentials, as tests do."""
    global _forms, _by_value, _by_short_value
    with _lock:
        _values.clear()
        _short.clear()
        _forms, _by_value, _by_short_value = (), None, None


def state() -> object:
    """Another object whenever another credential is known, for whoever keeps what is redacted."""
    return _by_value


def redact(text: str) -> str:
    """``text`` without credentials: those that were sent, and what looks like an API key."""
    if _by_value is not None:
        if any(form in text for form in _forms):  # several times as fast as the pattern
            text = _by_value.sub(REDACTED, text)
        if (at := _beginning(text, _begun)) < len(text):
            text = text[:at] + REDACTED
    return _KEY.sub(f"{_PREFIX}…", text)


def redact_error(text: str) -> str:
    """``redact`` for the text of an error, which may quote what was sent: short credentials too."""
    text = redact(text)
    if _by_short_value is not None:
        text = _by_short_value.sub(rf"\g<before>{REDACTED}", text)
    return _USERINFO.sub(f"//{REDACTED}@", text)


class LogFilter(logging.Filter):
    """Redacts what a logger writes: at its lowest level the SDK's writes whole requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record pass, with its text redacted."""
        record.msg, record.args = redact(record.getMessage()), ()
        return True


def redacted(value: Any) -> Any:
    """A value of JSON without credentials; ``…`` where it is too deep for Python."""
    try:
        return _redacted(value)
    except RecursionError:
        return "…"


def redact_exception(error: BaseException) -> None:
    """Redact an exception, and those that led to it, in place: a traceback prints them all."""
    found: list[BaseException | None] = [error]
    seen: set[int] = set()
    while found:
        each = found.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.args = tuple(_plain(value) for value in each.args)
        for name, value in list(vars(each).items()):
            vars(each)[name] = _plain(value)
        found += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


class Redactor:
    """``redact`` for a text that comes in pieces, cut anywhere, within a credential too.

    An end that may be the beginning of a known credential is held back until more has come, or
    until ``finish``. What looks like an API key needs no such wait: its beginning stays.
    """

    def __init__(self) -> None:
        self._held = ""
        self._before = ""  # the end of what was fed, which may be the beginning of a key
        self._inside = False  # what was fed ends within a key

    def feed(self, piece: str) -> str:
        """What can be shown after the next piece."""
        if _by_value is None:
            return self._without_keys(piece)
        text = self._held + piece
        shown, done = "", 0
        at = _beginning(text, _begins)
        while (found := _by_value.search(text, done)) and found.start() < at:
            shown += text[done : found.start()] + REDACTED
            done = found.end()
            if at < done:
                at = _beginning(text, _begins, done)
        self._held = text[at:]
        return self._without_keys(shown + text[done:at])

    def finish(self) -> str:
        """What was held back, once no more comes."""
        held, self._held = self._held, ""
        return self._without_keys(redact(held)) if held else ""

    def _without_keys(self, piece: str) -> str:
        if self._inside:
            piece = _REST.sub("", piece, count=1)
            if not piece:
                return ""
        text = self._before + piece
        ends = [key.end() for key in _KEY.finditer(text)]
        # What was fed before is too short to hold a key, so its own part of the text is unchanged.
        shown = _KEY.sub(f"{_PREFIX}…", text)[len(self._before) :] if ends else piece
        self._inside = ends[-1:] == [len(text)]
        self._before = "" if self._inside else text[-len(_PREFIX) :]
        return shown


def _beginning(text: str, begins: re.Pattern[str], start: int = 0) -> int:
    """Where the end of a text begins that is the beginning of a credential; its length for none.

    Args:
        text: The text.
        begins: Where to look closer.
        start: From where on to look.
    """
    size = len(text)
    found = begins.search(text, max(start, size - len(_forms[0]) + 1))
    while found:
        end = text[found.start() :]
        if any(len(form) > len(end) and form.startswith(end) for form in _forms):
            return found.start()
        found = begins.search(text, found.start() + 1)
    return size


def _cut(form: str) -> str:
    """A pattern for the first characters of a form, or for fewer where the text ends."""
    a, b, c, d = map(re.escape, form[:4])
    return rf"{a}(?:{b}(?:{c}(?:{d}|\Z)|\Z)|\Z)"


def _forms_of(value: str) -> tuple[str, ...]:
    """A credential as it is written in URLs, in HTML, in JSON, in Python and in base64."""
    percent = {quote(value, safe=""), quote(value), quote_plus(value)}
    percent |= {re.sub("%..", lambda code: code[0].lower(), each) for each in percent}
    plain = {value, escape(value), escape(value, quote=False), *percent}
    if _KEY.fullmatch(value):
        plain = set()  # its pattern finds it, without holding text back
    quoted = {json.dumps(each)[1:-1] for each in plain}
    quoted |= {json.dumps(each, ensure_ascii=False)[1:-1] for each in plain}
    forms = plain | quoted | {repr(each)[1:-1] for each in plain} | _base64_forms(value.encode())
    return tuple(form for form in forms if len(form) >= _SHORTEST)


def _base64_forms(value: bytes) -> set[str]:
    """What of base64 is the same whatever stands before and after a value, as the user's name."""
    found = set()
    for before in range(3):
        bits = 8 * before, 8 * (before + len(value))
        first, last = -(-bits[0] // 6), bits[1] // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(bytes(before) + value).decode()[first:last])
    return found


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, (list, tuple)):
        return [_redacted(item) for item in value]
    if isinstance(value, dict):
        data = "data" if value.get("type") == "base64" else None  # of an image: left as it is
        return {
            redact(str(name)): item if name == data else _redacted(item)
            for name, item in value.items()
        }
    return value


def _plain(value: Any) -> Any:
    """What an exception holds: text, bytes and JSON redacted, all else as it is."""
    if isinstance(value, str):
        return redact_error(value)
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        shown = redact_error(text)
        return value if shown == text else shown.encode("latin-1", "replace")
    return redacted(value) if type(value) in (dict, list) else value
