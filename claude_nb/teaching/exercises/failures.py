"""Exercises about failures: which of them pass, and how long to wait."""

from claude_nb.teaching.exercises.exercise import Case, Exercise

EXERCISES = (
    Exercise(
        "pause",
        hints=(
            "Sort the errors first: which pass by themselves, and which need a person?",
            (
                "An overload has the kind 'overloaded_error', also inside a stream, where the"
                " status is 200. A 429 passes only if the server says when: retry_after."
            ),
            (
                "Three questions, in this order: neither 429 nor overloaded: None. A retry_after:"
                " retry_after, retry_after * 1.2. A 429 without: None. Only an overload is left:"
                " 0, min(30, 2 ** (failures - 1))."
            ),
        ),
        cases=(
            Case("rate limited: wait 5 seconds", (429, "rate_limit_error", 5, 1), (5, 6)),
            Case("the same, the third time", (429, "rate_limit_error", 10, 3), (10, 12)),
            Case("a spending limit", (429, "rate_limit_error", None, 1), None),
            Case("your own spending limit", (400, "invalid_request_error", None, 1), None),
            Case("overloaded, for the first time", (529, "overloaded_error", None, 1), (0, 1)),
            Case("overloaded, for the fourth time", (529, "overloaded_error", None, 4), (0, 8)),
            Case("overloaded, for the tenth time", (529, "overloaded_error", None, 10), (0, 30)),
            Case("overloaded: wait 5 seconds", (529, "overloaded_error", 5, 2), (5, 6)),
            Case("overloaded inside a stream", (200, "overloaded_error", None, 2), (0, 2)),
        ),
    ),
)
