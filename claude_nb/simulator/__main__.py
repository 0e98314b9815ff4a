"""The simulator's process: ``python -m claude_nb.simulator``, started by ``Simulator``.

Commands come in on standard input and everything that happens goes out on standard output, both as
one JSON object a line. The end of the input is the end of the process: it comes when the parent
stops it, and also when the parent has died.
"""

import argparse
import asyncio
import json
import signal
import sys
import threading
from typing import Any

from claude_nb.simulator.replies import from_json, to_json
from claude_nb.simulator.server import State, listen


def main() -> None:
    """Serve until standard input ends."""
    # Where there are no sessions (Windows), the parent's Ctrl-C comes here too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parser = argparse.ArgumentParser(prog="python -m claude_nb.simulator", description=__doc__)
    parser.add_argument("--speed", type=float, default=1.0, help="factor on the pace; inf: none")
    parser.add_argument("--seed", type=int, default=0, help="where the variation begins")
    options = parser.parse_args()
    asyncio.run(_serve(State(speed=options.speed, seed=options.seed, report=_report)))


async def _serve(state: State) -> None:
    server, port = listen(state)
    _report({"event": "listening", "port": port})
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read_commands() -> None:
        # A thread, because an event loop cannot wait for a pipe on every platform.
        for line in sys.stdin:
            loop.call_soon_threadsafe(_obey, state, json.loads(line))
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read_commands, name="commands", daemon=True).start()
    await ended.wait()
    server.stop()


def _obey(state: State, command: dict[str, Any]) -> None:
    done: dict[str, Any] = {"event": "done"}
    if command["do"] == "enqueue":
        state.queues[command["at"]].extend(map(from_json, command["replies"]))
    elif command["do"] == "drain":
        state.queues.clear()
    elif command["do"] == "list":
        done["replies"] = [to_json(reply) for reply in state.queues[command["at"]]]
    elif command["do"] == "adjust":
        state.speed, state.seed = command["speed"], command["seed"]
    elif command["do"] == "advance":
        state.ahead += command["seconds"]
    _report(done)


def _report(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
