"""Continuations in slightly other words: a model writes the lost words anew, and not as they were.

The same words are always replaced in the same way, so a text that was continued, and was broken off
again, can be followed through the script that it comes from.
"""

import re

_WORDINGS = """\
    because                | since
    such as                | for example
    roughly                | approximately
    mostly                 | largely
    wherever               | no matter where
    this is called         | that is called
    the other way round    | the reverse
    in every direction     | in all directions
    on its way             | as it passes
    most of                | the greater part of
    far more               | much more
    even more              | more still
    the mixture            | the result
    fine dust              | dust
    nobody                 | no one
    everybody              | everyone
    somebody               | someone
    again and again        | over and over
    exactly                | precisely
    for a while            | for some time
    begins with            | starts with
    extra cost             | surcharge
    arrive at              | end up with
    proves who             | shows who
    signed by              | with a signature of
    both check             | the two check
    from then on           | from there on
    do not                 | don't
    does not               | doesn't
    did not                | didn't
    cannot                 | can't
    are not                | aren't
    you can                | you may
    slightly               | a little
    the middle of          | the midst of
    is known               | becomes known
    the big hand           | the hand
    very small             | tiny
    do the same            | do one thing
    says the same          | shows the same
    grew few               | grew scarce
    of every script        | of all scripts
    a sequence of          | a series of
    a line of              | one line of
    a fixed order          | this order
    the next morning       | the morning after
    one morning            | some day
    said nothing           | was silent
    so that                | in order that
    short piece            | small piece
    that was all           | nothing follows
    differ in              | are unlike in
    reads the same         | reads alike
    a thorough             | a stricter
    the numbers go on      | they go on
    in binary it is        | its binary form is
    separate texts         | texts of their own
"""
"""Phrases of the scripts, each with another that can stand for it and does not begin with it."""

_MOST = 3
"""Phrases that a continuation replaces."""


_PAIRS = [[side.strip() for side in line.split("|")] for line in _WORDINGS.splitlines()]
_OTHER = dict(_PAIRS) | {phrase.capitalize(): other.capitalize() for phrase, other in _PAIRS}
_PHRASE = re.compile(rf"\b(?:{'|'.join(sorted(_OTHER, key=len, reverse=True))})\b")


def reworded(before: str, rest: str) -> str:
    """Return the rest of a text with other words for its first phrases, if it has any.

    Args:
        before: The text up to there. Code, formulas, tables and headings stay as they are.
        rest: What follows.
    """
    text, done = before + rest, len(before)
    parts, replaced = [], 0
    for found in _PHRASE.finditer(text, done):
        if replaced == _MOST:
            break
        if in_prose(text, found.start()):
            parts += [text[done : found.start()], _OTHER[found[0]]]
            done, replaced = found.end(), replaced + 1
    return "".join([*parts, text[done:]])


def followed(full: str, partial: str, start: int = 0) -> tuple[int, str] | None:
    """Follow a text through the one that it comes from, with its own words or with other ones.

    Args:
        full: The text as the script has it.
        partial: A part of it, or of its continuations.
        start: Where in ``full`` it begins.

    Returns:
        Where in ``full`` it ends, and the rest of a phrase that it ends in, which ``full`` has
        before that place; ``None`` if it is no part of it.
    """
    at, done = start, 0
    while done < len(partial):
        found = _PHRASE.match(full, at)
        if found is None:
            if full[at : at + 1] != partial[done]:
                return None
            at, done = at + 1, done + 1
            continue
        left = partial[done:]
        for phrase in (found[0], _OTHER[found[0]]):
            if phrase.startswith(left):
                return found.end(), phrase[len(left) :]
            if left.startswith(phrase):
                at, done = found.end(), done + len(phrase)
                break
        else:
            return None
    return at, ""


def in_prose(text: str, place: int) -> bool:
    """Whether a place in a Markdown text is in no code, formula, table or heading."""
    before = text[:place]
    line = before.rpartition("\n")[2]
    opened = any(before.count(mark) % 2 for mark in ("```", "$$"))
    opened = opened or any(line.count(mark) % 2 for mark in "`$")
    return not opened and not line.startswith(("|", "#", "    "))
