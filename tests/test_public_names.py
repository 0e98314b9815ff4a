"""What ``claude_nb`` offers is a decision, not an accident."""

from __future__ import annotations

import inspect

import pytest

import claude_nb

PUBLIC_NAMES = [
    "Attachment",
    "Batch",
    "CachedSystem",
    "Chat",
    "ClaudeError",
    "Comparison",
    "Conversation",
    "Recording",
    "Reply",
    "Simulator",
    "Tools",
    "Usage",
    "ask",
    "ask_async",
    "batch",
    "compare",
    "last",
    "ledger",
    "register_attachment",
    "stream",
]


def test_the_public_names_are_these():
    """A name is added here or it is not public."""
    assert claude_nb.__all__ == PUBLIC_NAMES


def test_the_list_is_sorted():
    """Sorted as ``sorted`` does it, so that a change shows as one line."""
    assert sorted(PUBLIC_NAMES) == PUBLIC_NAMES


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_every_public_name_is_there_and_documented(name):
    """``claude_nb.x?`` in a notebook has an answer, written for that object itself."""
    assert inspect.cleandoc(vars(claude_nb).get(name, getattr(claude_nb, name)).__doc__ or "") != ""


def test_completion_offers_the_public_names():
    """``claude_nb.<Tab>`` shows them before any was used."""
    assert set(PUBLIC_NAMES) <= set(dir(claude_nb))
