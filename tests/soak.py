"""Replies that fail at random, and what they leave behind: ``python -m tests.soak [REPLIES]``."""

from __future__ import annotations

import gc
import math
import os
import random
import resource
import sys
import threading
import time
from collections import Counter
from dataclasses import astuple, dataclass
from pathlib import Path

import claude_nb
from claude_nb.client.engine import Stream, engine
from claude_nb.client.retry import Policy
from claude_nb.reply import Reply
from claude_nb.simulator import Error, Raw, Scripted, Simulator

AT_ONCE = 50
"""Streams that run at the same time."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds: counts, and its memory in MB."""

    threads: int
    files: int
    replies: int
    tasks: int
    megabytes: int


def held() -> Held:
    """What this process holds now."""
    gc.collect()
    return Held(
        # Without the pool that the loop fills as it needs it, up to a bound.
        sum(not t.name.startswith("asyncio_") for t in threading.enumerate()),
        len(list(Path("/proc/self/fd").iterdir())),
        sum(isinstance(item, Reply | Stream) for item in gc.get_objects()),
        len(engine()._tasks),
        int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 2**20,
    )


def fault(rng: random.Random):
    """A reply that fails, somehow and somewhere."""
    error = {"type": "error", "error": {"type": rng.choice(["overloaded_error", "api_error"])}}
    return rng.choice(
        [
            Error(529, "overloaded_error", "Busy."),
            Error(429, "rate_limit_error", "Slow.", {"retry-after": "0"}),
            Error(500, "api_error", "Oh."),
            Scripted(rng.randrange(60), end=rng.choice(["drop", "reset", "close"])),
            Scripted(rng.randrange(60), [error]),
            Raw([b"event: message_start\ndata: {"], end="drop"),
        ]
    )


def soak(simulator: Simulator, replies: int) -> tuple[Counter, Held, Held]:
    """Ask so often, be failed at random, and check that each text is the text or its beginning.

    Args:
        simulator: What the environment names as the API.
        replies: How many, in rounds of `AT_ONCE`.

    Returns:
        The outcomes, and what was held after the first fifth and at the end.
    """
    whole = claude_nb.ask("hello", show=False).text
    rng, policy = random.Random(7), Policy(tries=3, base=0.0)
    rounds = replies // AT_ONCE
    outcomes, early = Counter(), held()
    for number in range(rounds):
        # Nearly as many as there will be requests: most replies fail, and some for good.
        simulator.enqueue(*[fault(rng) for _ in range(2 * AT_ONCE)])
        streams = [claude_nb.stream("hello", policy=policy) for _ in range(AT_ONCE)]
        for stream in streams:
            stream.join()
            reply = Reply(stream._request)
            reply.advance(stream.events)
            outcome = str(reply.outcome)
            text = reply.text.rstrip()  # the rest of a whole text is a line's end
            assert text == whole if outcome == "complete" else whole.startswith(text)
            outcomes[outcome] += 1
        del streams, stream, reply
        simulator.drain()
        if number == rounds // 5:
            early = held()
    return outcomes, early, held()


def main() -> None:
    """Print what 2,000 replies, or as many as are asked for, come to."""
    replies = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with Simulator(speed=math.inf, record=False) as simulator:  # its record would grow
        os.environ |= {"ANTHROPIC_BASE_URL": simulator.base_url, "ANTHROPIC_API_KEY": "not-a-key"}
        began = time.monotonic()
        outcomes, early, late = soak(simulator, replies)
        print(f"{replies:,} replies in {time.monotonic() - began:.0f} s: {dict(outcomes)}")
        print("held:", *(field.name for field in early.__dataclass_fields__.values()))
        print("after a fifth:", *astuple(early))
        print("at the end:", *astuple(late))


if __name__ == "__main__":
    main()
