r"""``{{name}}`` in a prompt: the notebook's variables, each put in once.

``{{df}}``, ``{{ df.shape }}``, ``{{rows[0]}}``, ``{{rows[-1]["name"]}}``: a variable, then its
attributes and items. Nothing is called, nothing is evaluated, and what was put in is not looked
through again. ``\{{`` means ``{{``. Where no name follows ``{{``, as in ``{{#if}}`` or ``{{{x}}}``,
it is left as it is, as is every other character.

A value of several lines (a table, a function, a long text) would break the sentence in which its
name stands, and a sentence would break a table. So it stands on lines of its own: there, if the
prompt leaves it a line, or else below the paragraph, which has its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any
from unicodedata import normalize

from claude_nb.errors import InputError, nearest
from claude_nb.request import documents
from claude_nb.request.attachments.attachment import Attachment, attach, describe_error
from claude_nb.request.attachments.variables import user_names

_NAME = r"[^\W\d]\w*"
_STEP = rf"""\.{_NAME} | \[[ \t]* (?: -?\d+ | "[^"\n]*" | '[^'\n]*' ) [ \t]*\]"""
_FOUND = re.compile(
    rf"""
    (?P<literal> \\\{{\{{ )
    | \{{{{3,}}
    | \{{\{{ [ \t]* (?P<name>{_NAME}) (?P<steps>(?:{_STEP})*) [ \t]* \}}\}}
    | (?P<wrong> \{{\{{ [ \t]* {_NAME} )
    """,
    re.VERBOSE,
)
_STEPS = re.compile(_STEP, re.VERBOSE)

_LITERALLY = r"To send the braces themselves: \{{"
_LITERALLY_IN_CELL = rf"{_LITERALLY}, or --raw for the whole prompt."

_MARGIN = re.compile(r"[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?")
"""What may stand before a value that has a line to itself: the marks of quotes and list items."""

_FENCE = re.compile(rf"^{_MARGIN.pattern}(`{{3,}}(?=[^`\n]*$)|~{{3,}})([^\n]*)$", re.MULTILINE)
_PARAGRAPH_END = re.compile(rf"(?<!\s)\s*\Z|\n(?=[ \t]*\n|{_MARGIN.pattern}(?:```|~~~))")
_QUOTES = frozenset({'""', "''", "“”", "„“", "‘’", "«»"})


@dataclass(frozen=True, slots=True)
class PutIn:
    """A value that is sent.

    Attributes:
        name: How the user wrote it: ``{{df}}`` in a prompt, ``df`` where it goes along.
        value: The value.
        attachment: The form in which it is sent.
        upload: Whether it was to be uploaded, as for ``attach``.
    """

    name: str
    value: Any
    attachment: Attachment
    upload: bool | int


@dataclass(frozen=True, slots=True)
class Filled:
    """A prompt with the values in it.

    Attributes:
        blocks: Content blocks, as the API's dicts, in the prompt's order; at least one. Text that
            is not interrupted by an image or a document is one block.
        notes: What was put in and what was cut, a short line for each value that needs one.
        values: The values that were put in, each once.
    """

    blocks: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    values: tuple[PutIn, ...] = ()


def names(prompt: str) -> list[str]:
    """The variables that a prompt uses, each once, in its order.

    Raises:
        InputError: It is not clear what is meant.
    """
    used = (normalize("NFKC", found["name"]) for found in _places(prompt) if found["name"])
    return list(dict.fromkeys(used))


def values(prompt: str, variables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values that a prompt uses, each once, in its order, by what stands in the braces.

    Raises:
        InputError: A name is unknown, or it is not clear what is meant.
    """
    used = {found["name"] + found["steps"]: found for found in _places(prompt) if found["name"]}
    for path, found in used.items():
        yield path, _value(found["name"], found["steps"], variables, in_cell=False)


def value_of(name: str, variables: Mapping[str, Any]) -> Any:
    """A value by what the user wrote for it, as in ``PutIn``.

    Raises:
        InputError: There is none now.
    """
    for found in _FOUND.finditer(name if name.startswith("{{") else f"{{{{{name}}}}}"):
        if found["name"]:
            return _value(found["name"], found["steps"], variables, in_cell=False)
    raise InputError(f"There is no variable {name}.")


def fill(
    prompt: str,
    variables: Mapping[str, Any],
    *,
    in_cell: bool = False,
    upload: bool | int = False,
    cite: bool = False,
) -> Filled:
    """Put variables into a prompt.

    Args:
        prompt: What the user typed.
        variables: The user's variables by name.
        in_cell: Whether it is the text of a ``%%claude`` cell, whose options errors may name.
        upload: Whether large values are uploaded, as for ``attach``.
        cite: Whether text files are sent as documents, which can be cited, as PDFs are.

    Raises:
        InputError: A name is unknown, a value cannot be sent, it is not clear what is meant, or
            nothing but blank values would be sent.
    """
    parts: list[dict[str, Any]] = []
    made: dict[str, Attachment] = {}  # each value once: a figure takes its time
    values: list[PutIn] = []
    layout = _Layout(prompt)
    end = 0
    for found in _places(prompt, in_cell=in_cell):
        if layout.is_due(found.start()):
            parts += [_text(prompt[end : layout.due]), _text(layout.below())]
            end = layout.due
        parts.append(_text(prompt[end : found.start()]))
        end = found.end()
        if found["name"]:
            path = found["name"] + found["steps"]
            if path not in made:
                value = _value(found["name"], found["steps"], variables, in_cell=in_cell)
                made[path] = attach(value, path, upload=upload)
                values.append(PutIn(f"{{{{{path}}}}}", value, made[path], upload))
                if cite and isinstance(value, Path):
                    blocks = documents.document(made[path].blocks, value.name)
                    made[path] = replace(made[path], blocks=blocks)
            parts += layout.put(found, path, made[path])
        else:
            parts.append(_text("{{" if found["literal"] else found[0]))
    if layout.is_due(len(prompt)):
        parts += [_text(prompt[end : layout.due]), _text(layout.below())]
        end = layout.due
    parts.append(_text(prompt[end:]))
    blocks = _merged(parts)
    if made and blocks[0]["type"] == "text" and not blocks[0]["text"].strip():
        blank = " and ".join(f"{{{{{path}}}}}" for path in made)
        are = "is" if len(made) == 1 else "are"
        raise InputError(f"There is nothing to send: {blank} {are} blank.")
    notes = tuple(attachment.note for attachment in made.values() if attachment.note)
    return Filled(blocks, notes, tuple(values))


def _places(prompt: str, *, in_cell: bool = False) -> Iterator[re.Match[str]]:
    """What is not sent as it was typed: names in braces, and braces that are meant literally."""
    for found in _FOUND.finditer(prompt):
        if found["wrong"] or not (found["name"] or "x").isidentifier():  # x² is a word, no name
            raise _unclear(prompt[found.start() :], in_cell=in_cell)
        yield found


class _Layout:
    """Where values of several lines stand in a prompt.

    Args:
        prompt: What the user typed.

    Attributes:
        due: Where the paragraph ends below which ``below`` stands.
    """

    def __init__(self, prompt: str) -> None:
        self.due = 0
        self._prompt = prompt
        self._fences = _fences(prompt)
        self._waiting: list[str] = []
        self._shown: set[str] = set()
        self._blank = -1  # the line above which there is a blank one already

    def is_due(self, at: int) -> bool:
        """Whether values wait, and the text up to ``at`` goes beyond their paragraph."""
        return bool(self._waiting) and self.due <= at

    def below(self) -> str:
        """The values that wait, each below its name."""
        text, self._waiting = "".join(f"\n\n{value}" for value in self._waiting), []
        is_before_fence = self._prompt[self.due : self.due + 2].strip() != ""
        return f"{text}\n" if is_before_fence else text

    def put(self, found: re.Match[str], path: str, value: Attachment) -> Iterable[dict[str, Any]]:
        """What stands in the prompt in place of a value's name."""
        text = "".join(block.get("text", "\0") for block in value.blocks)
        if "\n" not in text.strip() or "\0" in text:  # one line, or not only text
            return value.blocks
        prompt, (start, end) = self._prompt, found.span()
        line = prompt.rfind("\n", 0, start) + 1
        before, (after, _, next_lines) = prompt[line:start], prompt[end:].partition("\n")
        is_alone = _MARGIN.fullmatch(before) is not None and not after.strip()
        is_in_fence = any(first < start < last for first, last in self._fences)
        if is_alone:
            margin = re.sub(r"[^\s>]", " ", before)
            lines = text.replace("\n", f"\n{margin}") if margin else text
            if value.language is None and not is_in_fence:
                lines = self._with_blank_lines(lines, line, margin, next_lines)
            return (_text(lines),)
        if is_in_fence or before[-1:] + after[:1] in _QUOTES:
            return value.blocks
        if before.endswith(">") and after.startswith("<"):  # between the tags of an element
            return (_text(f"\n{text}\n"),)
        if path not in self._shown:
            self._shown.add(path)
            self._waiting.append(f"{path}:\n\n{_fenced(text, value.language)}")
            self.due = _end_of_paragraph(prompt, end)
        return (_text(f"`{path}`"),)

    def _with_blank_lines(self, table: str, line: int, margin: str, next_lines: str) -> str:
        """A table with a blank line above and below it, or what is next to it would be in it."""
        above = self._prompt[:line].rstrip(" \t").endswith("\n\n") or line in (0, self._blank)
        if next_lines.partition("\n")[0].strip(" \t>"):
            table += f"\n{margin.rstrip()}"
            self._blank = len(self._prompt) - len(next_lines)
        return table if above or margin else f"\n{table}"


def _fences(prompt: str) -> list[tuple[int, int]]:
    """Where the fenced code of a prompt begins and ends."""
    found: list[tuple[int, int]] = []
    begin, mark = 0, ""
    for fence in _FENCE.finditer(prompt):
        if not mark:
            begin, mark = fence.start(), fence[1]
        elif fence[1].startswith(mark) and not fence[2].strip():
            found.append((begin, fence.end()))
            mark = ""
    return [*found, (begin, len(prompt))] if mark else found


def _end_of_paragraph(prompt: str, at: int) -> int:
    found = _PARAGRAPH_END.search(prompt, at)
    return found.start() if found else len(prompt)


def _fenced(text: str, language: str | None) -> str:
    if language is None:
        return text
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return "\n".join([f"{ticks}{language}", text.removesuffix("\n"), ticks])


def compose(
    prompt: str,
    *,
    variables: Mapping[str, Any] | None = None,
    attached: Iterable[tuple[str, Any]] = (),
    included: Iterable[dict[str, Any]] = (),
    in_cell: bool = False,
    upload: bool | int = False,
    cite: bool = False,
) -> Filled:
    """Put together what is sent for a prompt: what goes along with it, then the prompt itself.

    Args:
        prompt: What the user typed.
        variables: The user's variables by name, to be put in for ``{{name}}``; None leaves the
            prompt as it is.
        attached: Values that go along, with their names.
        included: Content blocks that go along, before all else.
        in_cell: As for ``fill``.
        upload: As for ``fill``.
        cite: Whether texts that go along are sent as documents, which can be cited.

    Returns:
        The content blocks; none if that is the prompt alone, as it was typed.

    Raises:
        InputError: As ``fill`` and ``attach`` do.
    """
    filled = Filled((_text(prompt),), ())
    if variables is not None:
        filled = fill(prompt, variables, in_cell=in_cell, upload=upload, cite=cite)
    along = list(included)
    notes, values = list(filled.notes), list(filled.values)
    for name, value in attached:
        attachment = attach(value, name, upload=upload)
        values.append(PutIn(name, value, attachment, upload))
        title = value.name if isinstance(value, Path) else name
        sent = documents.document(attachment.blocks, title) if cite else attachment.blocks
        along += [_text(f"{name}:\n"), *sent, _text("\n\n")]
        note = attachment.note or f"{name}: attached"
        notes.append(f"{name}: blank" if attachment.is_blank else note)
    if not along and filled.blocks == (_text(prompt),):
        return Filled((), tuple(notes), tuple(values))
    return Filled(_merged([*along, *filled.blocks]), tuple(notes), tuple(values))


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _merged(parts: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """Neighbouring texts as one block; the API refuses a blank one, so it is left out."""
    blocks: list[dict[str, Any]] = []
    text = ""
    for is_text, group in groupby(parts, lambda part: part["type"] == "text"):
        if not is_text:
            blocks += group
        elif (text := "".join(part["text"] for part in group)).strip():
            blocks.append(_text(text))
    return tuple(blocks or [_text(text)])


def _value(name: str, steps: str, variables: Mapping[str, Any], *, in_cell: bool) -> Any:
    literally = _LITERALLY_IN_CELL if in_cell else _LITERALLY
    name = normalize("NFKC", name)  # as Python reads names: the micro sign is a mu
    if name not in variables:
        raise InputError(
            f"There is no variable {name}.",
            f"{_near(name, user_names(variables))}{literally}",
        )
    value, path = variables[name], name
    for step in _STEPS.findall(steps):
        try:
            value = _step(value, step)
        except InputError:
            raise
        except Exception as error:  # a property or __getitem__ is the user's code
            raise InputError(
                f"{{{{{path}{step}}}}} raised {describe_error(error)}",
                f"{_near_step(value, step)}{literally}",
            ) from error
        path += step
    return value


def _step(value: Any, step: str) -> Any:
    if step.startswith("."):
        return getattr(value, normalize("NFKC", step[1:]))
    key = step[1:-1].strip()
    return value[key[1:-1] if key[0] in "\"'" else int(key)]


def _near_step(value: Any, step: str) -> str:
    if step.startswith("."):
        return _near(step[1:], dir(type(value)))
    return _near(step[1:-1].strip(" \t\"'"), value if isinstance(value, dict) else ())


def _near(name: str, names: Iterable[Any]) -> str:
    """The nearest of these names, as a question; private ones only where one was asked for."""
    private = name.startswith("_")
    known = [n for n in names if isinstance(n, str) and n.startswith("_") == private]
    near = nearest(name, known, 3)
    return f"Did you mean {near}? " if near else ""


def _unclear(rest: str, *, in_cell: bool) -> InputError:
    """What begins as a name in braces and is none: no guess is made."""
    line = rest.partition("\n")[0]
    shown = line[: line.index("}}") + 2] if "}}" in line else line
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    return InputError(
        f"{shown} is not a name that a prompt can use.",
        'Write {{name}}, {{name.attribute}}, {{name[0]}} or {{name["key"]}}; put anything'
        f" else into a variable first. {_LITERALLY_IN_CELL if in_cell else _LITERALLY}",
    )
