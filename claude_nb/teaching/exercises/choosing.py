"""Exercises about the choice between a stream, a plain request and a batch."""

from claude_nb.teaching.exercises.exercise import Case, Exercise

EXERCISES = (
    Exercise(
        "way",
        hints=(
            "If somebody watches, stream. What is left if nobody does?",
            (
                "Nobody watches: can it wait a day? Then it costs half. If not: is max_tokens"
                " so large that the SDK refuses a plain request?"
            ),
            (
                "if watched: 'stream'. Then, if hours >= 24: 'batch'. Then 'stream' if max_tokens"
                " is more than 21,333, else 'plain'."
            ),
        ),
        cases=(
            Case("a chat", (True, 0, 1_000), "stream"),
            Case("a long report that somebody reads as it grows", (True, 48, 64_000), "stream"),
            Case("a label that a form waits for", (False, 0, 50), "plain"),
            Case("a long report that a program waits for", (False, 1, 64_000), "stream"),
            Case("reviews, to be labelled by next week", (False, 168, 50), "batch"),
            Case("long reports, by next week", (False, 168, 64_000), "batch"),
        ),
    ),
    Exercise(
        "price",
        hints=(
            "The prices are for a million tokens each.",
            (
                "(tokens_in * 0.10 + tokens_out * 0.50) / 1_000_000 is the price one by one. And"
                " in a batch?"
            ),
            "In a batch it is half of that.",
        ),
        cases=(
            Case("a million tokens of input", (1_000_000, 0, False), 0.10),
            Case("a million tokens of output", (0, 1_000_000, False), 0.50),
            Case("both, in a batch", (1_000_000, 1_000_000, True), 0.30),
            Case("a thousand short reviews, in a batch", (19_176, 7_000, True), 0.0027088),
        ),
    ),
)
