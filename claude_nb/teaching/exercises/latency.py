"""Exercises about waiting: when text is first seen, and what may be shown of it."""

from claude_nb.teaching.exercises.exercise import (
    Case,
    Exercise,
    stream,
    text_deltas,
    thinking_deltas,
)

_TEXT = stream(text_deltas(0, "Blue ", "sky."))
_THOUGHT = stream(thinking_deltas(0, "Why ", "blue?"), text_deltas(1, "Air ", "scatters."))
_SILENT = stream(thinking_deltas(0, "Hm."))

EXERCISES = (
    Exercise(
        "whole_words",
        hints=(
            "After which characters does a word end?",
            (
                "text.rfind(' ') is the place of the last space, or -1. Up to which character may"
                " the text be shown, then?"
            ),
            "Take the later of the last space and the last line break, max(…, …), and add 1.",
        ),
        cases=(
            Case("two words and a half", ("The sky is bl",), 11),
            Case("a word that has just ended", ("The sky ",), 8),
            Case("half a word", ("Th",), 0),
            Case("nothing yet", ("",), 0),
            Case("a line break ends a word too", ("The sky\nis",), 8),
        ),
    ),
    Exercise(
        "first_text",
        hints=(
            "Which event carries text? The first event of all is message_start.",
            "Thinking comes as content_block_delta too: look at event.delta.type.",
            (
                "for seconds, event in events: return seconds at the first event whose type is"
                " 'content_block_delta' and whose delta.type is 'text_delta'; after the loop"
                " return None."
            ),
        ),
        cases=(
            Case("text at once", (list(enumerate(_TEXT)),), 2),
            Case("thinking before the text", (list(enumerate(_THOUGHT)),), 7),
            Case("no text at all", (list(enumerate(_SILENT)),), None),
        ),
    ),
)
