"""How a thread waits."""

from __future__ import annotations

import threading

import pytest

from claude_nb.client import waiting


@pytest.fixture
def calls(monkeypatch):
    """What the main thread did meanwhile."""
    calls = []
    monkeypatch.setattr(waiting, "meanwhile", [lambda: calls.append(threading.current_thread())])
    return calls


def test_the_main_thread_does_something_meanwhile(calls):
    """Until what it waits for is there, which may be because of that."""
    assert waiting.wait(lambda timeout: len(calls) == 3 and timeout == waiting._PAUSE)
    assert calls == [threading.main_thread()] * 3


def test_a_wait_that_is_over_in_time(calls):
    """It lasts as long as it would by itself, and says that what it waits for is not there."""
    waits = []
    assert not waiting.wait(waits.append, 0.02)
    assert len(calls) == len(waits) == 1
    assert 0 < waits[0] <= 0.02


def test_other_threads_only_wait(calls):
    """For as long as it takes."""
    waits = []
    thread = threading.Thread(target=waiting.wait, args=(waits.append,))
    thread.start()
    thread.join()
    assert (waits, calls) == ([None], [])
