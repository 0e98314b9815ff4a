"""A simulator in the place of the API, for batches."""

from __future__ import annotations

import pytest

from claude_nb.asking import asking
from claude_nb.batches import service as batch_service
from claude_nb.session.session import Session
from claude_nb.simulator import Simulator


@pytest.fixture(scope="module")
def slow():
    """A simulator in which time passes only when it is put forward, near enough."""
    with Simulator(speed=0.01) as running:
        yield running


@pytest.fixture
def service(slow, monkeypatch):
    """It in the place of the API, with a session and a patience of this test's own."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", slow.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    monkeypatch.setattr(asking, "session", Session())
    monkeypatch.setattr(batch_service, "FIRST_PAUSE", 0.01)
    yield slow
    slow.drain()
    slow.forget()


@pytest.fixture
def account(monkeypatch, request):
    """An account of this test's own, in which no other batches are."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"key-of-{request.node.name}")
