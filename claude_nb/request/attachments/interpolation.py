r"""``{{name}}`` in a prompt: the notebook's variables, each put in once.

``{{df}}``, ``{{ df.shape }}``, ``{{rows[0]}}``, ``{{rows[-1]["name"]}}``: a variable, then its
attributes and items. Nothing is called, nothing is evaluated, and what was put in is not looked
through again. ``\{{`` means ``{{``. Where no name follows ``{{``, as in ``{{#if}}`` or ``{{{x}}}``,
it is left as it is, as is every other character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from typing import Any
from unicodedata import normalize

from claude_nb.errors import InputError
from claude_nb.request.attachments.attachment import Attachment, attach, describe_error

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

_LITERALLY = r"To mean it literally: \{{, or --raw in a cell, for the whole prompt."


@dataclass(frozen=True, slots=True)
class Filled:
    """A prompt with the values in it.

    Attributes:
        blocks: Content blocks, as the API's dicts, in the prompt's order; at least one. Text that
            is not interrupted by an image or a document is one block.
        notes: What was put in and what was cut, a short line for each value that needs one.
    """

    blocks: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def fill(prompt: str, variables: Mapping[str, Any]) -> Filled:
    """Put variables into a prompt.

    Args:
        prompt: What the user typed.
        variables: The user's variables by name.

    Raises:
        InputError: A name is unknown, a value cannot be sent, or it is not clear what is meant.
    """
    parts: list[dict[str, Any]] = []
    made: dict[str, Attachment] = {}  # each value once: a figure takes its time
    end = 0
    for found in _FOUND.finditer(prompt):
        parts.append(_text(prompt[end : found.start()]))
        end = found.end()
        if found["wrong"] or not (found["name"] or "x").isidentifier():  # x² is a word, no name
            raise _unclear(prompt[found.start() :])
        if found["name"]:
            path = found["name"] + found["steps"]
            if path not in made:
                made[path] = attach(_value(found["name"], found["steps"], variables), path)
            parts += made[path].blocks
        else:
            parts.append(_text("{{" if found["literal"] else found[0]))
    parts.append(_text(prompt[end:]))
    notes = tuple(attachment.note for attachment in made.values() if attachment.note)
    return Filled(_merged(parts), notes)


def compose(
    prompt: str,
    *,
    variables: Mapping[str, Any] | None = None,
    attached: Iterable[tuple[str, Any]] = (),
    included: Iterable[str] = (),
) -> Filled:
    """Put together what is sent for a prompt: what goes along with it, then the prompt itself.

    Args:
        prompt: What the user typed.
        variables: The user's variables by name, to be put in for ``{{name}}``; None leaves the
            prompt as it is.
        attached: Values that go along, with their names.
        included: Texts that go along.

    Returns:
        The content blocks; none if that is the prompt alone, as it was typed.

    Raises:
        InputError: As ``fill`` and ``attach`` do.
    """
    filled = Filled((_text(prompt),), ()) if variables is None else fill(prompt, variables)
    along = [_text(f"{text}\n\n") for text in included]
    notes = list(filled.notes)
    for name, value in attached:
        attachment = attach(value, name)
        along += [_text(f"{name}:\n"), *attachment.blocks, _text("\n\n")]
        notes.append(attachment.note or f"{name}: attached")
    if not along and filled.blocks == (_text(prompt),):
        return Filled((), tuple(notes))
    return Filled(_merged([*along, *filled.blocks]), tuple(notes))


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


def _value(name: str, steps: str, variables: Mapping[str, Any]) -> Any:
    name = normalize("NFKC", name)  # as Python reads names: the micro sign is a mu
    if name not in variables:
        raise InputError(
            f"There is no variable {name}.",
            f"{_near(name, variables)}{_LITERALLY}",
        )
    value, path = variables[name], name
    for step in _STEPS.findall(steps):
        try:
            value = _step(value, step)
        except Exception as error:  # a property or __getitem__ is the user's code
            raise InputError(
                f"{path}{step} cannot be had: {describe_error(error)}",
                f"{_near_step(value, step)}{_LITERALLY}",
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
    near = get_close_matches(name, known)
    return f"Did you mean {' or '.join(near)}? " if near else ""


def _unclear(rest: str) -> InputError:
    """What begins as a place and is none: no guess is made."""
    line = rest.partition("\n")[0]
    shown = line[: line.index("}}") + 2] if "}}" in line else line
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    return InputError(
        f"{shown} is not the name of a value.",
        'Possible are {{name}}, {{name.attribute}}, {{name[0]}} and {{name["key"]}}; put anything'
        f" else into a variable first. {_LITERALLY}",
    )
