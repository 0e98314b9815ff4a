"""`sdk_client`: the SDK's own client, for the server and with the key of ``%%claude``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_nb.redaction import DUMMY_KEY
from claude_nb.teaching.lesson import simulator_address

if TYPE_CHECKING:
    from anthropic import Anthropic


def sdk_client() -> Anthropic:
    """Return a client of the SDK that asks the server that ``%%claude`` asks.

    It gets the key that is meant for that server: the simulator, or a server that was connected,
    never gets the API's, nor the headers that the environment names for it. Where recordings answer
    ``%%claude``, the simulator answers this client, if it is on.

    Raises:
        ClaudeError: No request can be sent, for example because there is no key; the error says
            what to do.
    """
    import anthropic

    from claude_nb.client.connection import without_custom
    from claude_nb.session.session import session  # not in the process that checks

    if session.simulated:
        address: str | None = simulator_address()
        key: str | None = DUMMY_KEY
    else:
        connection = session.connection()
        connection.client()  # checks the key and the address
        address, key = connection.base_url, connection.key()
    headers = without_custom(key) if address else None
    return anthropic.Anthropic(base_url=address, api_key=key, default_headers=headers)
