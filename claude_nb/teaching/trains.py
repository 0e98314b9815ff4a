"""A table of trains as an MCP server on stdio, offline: ``python -m claude_nb.teaching.trains``."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

STOPS = {
    "IC 8": (("Bern", "08:02"), ("Zürich", "08:58")),
    "IC 61": (("Basel", "08:28"), ("Bern", "09:25")),
    "IR 75": (("Luzern", "08:35"), ("Zürich", "09:25")),
    "IC 3": (("Zürich", "09:00"), ("Basel", "09:53")),
    "IC 21": (("Basel", "09:03"), ("Luzern", "10:05")),
    "IC 1": (("Zürich", "09:32"), ("Bern", "10:28")),
    "IR 15": (("Bern", "09:36"), ("Luzern", "10:37")),
    "IC 81": (("Bern", "10:02"), ("Zürich", "10:58"), ("Basel", "12:01")),
}
"""Where each train stops, and when: made up, in the order of departure."""

server = MCPServer("trains", log_level="ERROR")


@server.tool(structured_output=False)
def departures(
    station: Annotated[
        Literal["Basel", "Bern", "Luzern", "Zürich"], Field(examples=["Bern", "Zürich"])
    ],
    after: Annotated[str, Field(description="A time such as 09:30.")] = "00:00",
) -> str:
    """The trains that leave a station, the earliest first."""
    leaving = [
        f"{time} {train} to {stops[-1][0]}"
        for train, stops in STOPS.items()
        for name, time in stops[:-1]
        if name == station and time >= after
    ]
    return "\n".join(leaving) or f"No train leaves {station} after {after}."


@server.tool(structured_output=False)
def stops(train: Annotated[str, Field(examples=["IC 8", "IC 81"])]) -> str:
    """Where a train stops, and when."""
    if train not in STOPS:
        raise ToolError(f"There is no train {train}. There are {', '.join(STOPS)}.")
    return "\n".join(f"{time} {station}" for station, time in STOPS[train])


if __name__ == "__main__":
    server.run()
