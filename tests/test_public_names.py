"""What ``claude_nb`` offers is a decision, not an accident."""

from __future__ import annotations

import claude_nb


def test_the_list_is_sorted():
    """Sorted as ``sorted`` does it, so that a change shows as one line."""
    assert sorted(claude_nb.__all__) == claude_nb.__all__


def test_every_public_name_is_there_and_documented():
    """``claude_nb.x?`` in a notebook has an answer."""
    documents = {name: getattr(claude_nb, name).__doc__ or "" for name in claude_nb.__all__}
    assert [name for name, words in documents.items() if not words.strip()] == []


def test_completion_offers_the_public_names():
    """``claude_nb.<Tab>`` shows them before any was used, and nothing else."""
    assert dir(claude_nb) == claude_nb.__all__
