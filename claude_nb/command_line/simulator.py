"""``claude-nb simulator``: the simulator as a server, for programs in any language."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from claude_nb.cost.models import DEFAULT_MODEL
from claude_nb.errors import InputError
from claude_nb.session.session import session
from claude_nb.simulator.faults import Fault, describe_unused, name_of
from claude_nb.simulator.replies import from_json
from claude_nb.simulator.server import State, listen
from claude_nb.views.terminal import say


def run(port: int, *, speed: float | None, seed: int | None, faults: Iterable[Fault]) -> None:
    """Serve until Ctrl-C is pressed.

    Args:
        port: The port; 0 for any that is free.
        speed: Factor on the pace of replies; None for the environment's, as in a notebook.
        seed: The same seed and request give the same stream; None as for the pace.
        faults: How the next requests fail, one each.

    Raises:
        InputError: The port cannot be used, or the environment names a pace or a seed that is none.
    """
    pace = session.pace()
    pace |= {name: value for name, value in (("speed", speed), ("seed", seed)) if value is not None}
    state = State(**pace, report=_report)
    state.queues["messages"].extend(fault.reply for fault in faults)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(state, port))
    _say("\nThe simulator has ended.")


async def _serve(state: State, port: int) -> None:
    try:
        server, port = listen(state, port)
    except OSError as error:
        raise InputError(
            f"Port {port} cannot be used: {error.strerror}.",
            "Use a free one: claude-nb simulator --port 0",
        ) from None
    queued = ", ".join(map(name_of, state.queues["messages"]))
    about = f"speed {state.speed:g} · seed {state.seed}{queued and f' · next: {queued}'}"
    _say(_greeting(f"http://127.0.0.1:{port}", about))
    try:
        await asyncio.Event().wait()
    finally:  # its open streams end first: cancelled in the middle, each would log an error
        server.stop()
        await server.close_all_connections()


def _greeting(url: str, about: str) -> str:
    """How to reach it: lines to paste begin where a line begins, as Python's prompt wants them."""
    variables = f"export ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=none"
    if sys.platform == "win32":
        variables = f'$env:ANTHROPIC_BASE_URL="{url}"; $env:ANTHROPIC_API_KEY="none"'
    messages = [{"role": "user", "content": "Hello"}]
    body = {"model": DEFAULT_MODEL, "max_tokens": 500, "stream": True, "messages": messages}
    data = json.dumps(body).replace('"', '\\"')  # in double quotes: every shell takes those
    return f"""\
The simulator listens at {url} until you press Ctrl-C.
Its replies are simulated: fixed texts, and no model reads the prompts. Any key works.
{about}

Python:
import anthropic; client = anthropic.Anthropic(base_url="{url}", api_key="none")

TypeScript:
import Anthropic from "@anthropic-ai/sdk"; \
const client = new Anthropic({{ baseURL: "{url}", apiKey: "none" }});

Any other SDK reads these variables:
{variables}

curl:
curl -N {url}/v1/messages -H "anthropic-version: 2023-06-01" -H "content-type: application/json" \
-H "x-api-key: none" -d "{data}"
"""


def _report(event: dict[str, Any]) -> None:
    """Print what happens to requests: each as it comes, and the faults that did not apply."""
    match event["event"]:
        case "received":
            _say(f"{event['request']['method']} {event['request']['path']}")
        case "unused":
            _say(describe_unused(from_json(event["reply"]), event["why"]))


def _say(text: str) -> None:
    say(text)
    sys.stdout.flush()
