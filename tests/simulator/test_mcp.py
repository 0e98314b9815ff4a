"""MCP servers that the API calls, as the simulator checks and plays them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from claude_nb.simulator import validation, wire
from claude_nb.simulator.cache import PromptCache
from claude_nb.simulator.responses import respond

BETA = "mcp-client-2026-09-15"
SERVER = {"type": "url", "url": "https://mcp.example.com/sse", "name": "docs"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "docs"}
CALL = {
    "type": "mcp_tool_use",
    "id": "mcptoolu_1",
    "name": "search",
    "server_name": "docs",
    "input": {},
}
RESULT = {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": False, "content": []}
LISTING = {"type": "mcp_tool_listing", "mcp_server_name": "docs", "tools": []}
TEXT = {"type": "text", "text": "Well."}


def request(prompt: str = "Ask docs.", *answer: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A request that names a server, with an earlier answer if blocks of one are given."""
    asked = {"role": "user", "content": prompt}
    before = [asked, {"role": "assistant", "content": list(answer)}] if answer else []
    named = {"mcp_servers": [SERVER], "tools": [TOOLSET]}
    messages = [*before, asked]
    return {
        "model": "claude-haiku-5-5",
        "max_tokens": 1000,
        "messages": messages,
        **named,
        **fields,
    }


def refused(body: dict[str, Any], *betas: str) -> str:
    """Why a request is refused; empty for a good one."""
    error = validation.problem(body, betas or (BETA,))
    return error.message if error else ""


def played(body: dict[str, Any], *betas: str) -> list[dict[str, Any]]:
    """The blocks of the answer."""
    _, answer, _ = respond(body, random.Random(0), PromptCache(), 0.0, betas=betas or (BETA,))
    blocks = [wire.whole(written, "summarized") for written in answer.content]
    return [block for block in blocks if block["type"] != "thinking"]


@pytest.mark.parametrize(
    "body",
    [
        request(),
        request(mcp_servers=[{**SERVER, "authorization_token": "x"}]),
        request("Ask docs.", LISTING, CALL, RESULT, TEXT),
        request(tools=[{**TOOLSET, "configs": {"a": {"enabled": True}}, "default_config": {}}]),
    ],
)
def test_what_the_api_takes(body):
    """Servers with their toolsets, and earlier answers as they came."""
    assert refused(body) == ""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (request(mcp_servers=SERVER), "mcp_servers: Input should be a list"),
        (request(mcp_servers=["docs"]), "mcp_servers.0: Input should be an object"),
        (request(mcp_servers=[{**SERVER, "type": "stdio"}]), "mcp_servers.0.type: Input should"),
        (request(mcp_servers=[{**SERVER, "url": "http://x"}]), "mcp_servers.0.url: Input should"),
        (request(mcp_servers=[{**SERVER, "headers": {}}]), "mcp_servers.0.headers: Extra inputs"),
        (request(mcp_servers=[{"type": "url", "name": "a"}]), "mcp_servers.0.url: Field required"),
        (request(mcp_servers=[SERVER, SERVER]), "mcp_servers: Server names must be unique."),
        (request(mcp_servers=[]), "tools: MCP server 'docs' not found in mcp_servers"),
        (request(tools=[]), "mcp_servers: MCP server 'docs' must be referenced by exactly one"),
        (request(tools=[TOOLSET, TOOLSET]), "mcp_servers: MCP server 'docs' must be referenced"),
        (request(tools=[{"type": "mcp_toolset"}]), "tools.0.mcp_toolset.mcp_server_name: Field"),
        (request(tools=[{**TOOLSET, "server": {}}]), "tools.0.mcp_toolset.server: Extra inputs"),
        (request("Hi", CALL, TEXT), "`mcp` tool use with id `mcptoolu_1` was found without"),
        (request("Hi", RESULT, TEXT), "messages.1.content.0: unexpected `tool_use_id` found"),
        (request("Hi", {"type": "mcp_tool_listing"}, TEXT), "messages.1.content.0.mcp_tool_list"),
        (
            request("Hi", {k: v for k, v in CALL.items() if k != "server_name"}, RESULT, TEXT),
            "messages.1.content.0.mcp_tool_use.server_name: Field required",
        ),
    ],
)
def test_what_the_api_refuses(body, why):
    """With the place, as its own errors have it."""
    assert refused(body).startswith(why)


def test_the_betas_bring_the_fields_and_the_blocks():
    """The newest alone knows lists of tools; the first has no toolsets."""
    called = request("Hi", CALL, RESULT, TEXT)
    listed = request("Hi", LISTING, TEXT)
    without = request(tools=[])

    assert refused(called, "files-api-2025-04-14").startswith("mcp_servers: Extra inputs")
    assert refused(called, "mcp-client-2025-11-20") == ""
    assert refused(listed, "mcp-client-2025-11-20").startswith("messages.1.content.0: Input tag")
    assert refused(without, "mcp-client-2025-04-04") == ""
    del called["mcp_servers"], called["tools"]
    assert refused(called, "files-api-2025-04-14").startswith("messages.1.content.0: Input tag")


def test_a_prompt_that_names_a_server_has_it_called():
    """Behind the list of its tools, which comes once."""
    first, again = played(request()), played(request("Ask docs.", LISTING, TEXT))

    assert [block["type"] for block in first] == [
        *("mcp_tool_listing", "text", "mcp_tool_use", "mcp_tool_result", "text")
    ]
    assert [block["type"] for block in again] == [block["type"] for block in first[1:]]
    assert first[0]["tools"][0]["name"] == "search"
    assert first[2]["server_name"] == "docs"
    assert first[2]["id"] == first[3]["tool_use_id"]
    assert not first[3]["is_error"]
    assert "mcp_tool_listing" not in str(played(request(), "mcp-client-2025-11-20"))


def test_only_tools_that_are_switched_on_are_called():
    """By their own configuration, or else by the default one."""

    def called(**settings: Any):
        answer = played(request(tools=[{**TOOLSET, **settings}]))
        return [block["name"] for block in answer if block["type"] == "mcp_tool_use"]

    off = {"default_config": {"enabled": False}}
    assert called() == ["search"]
    assert called(configs={"search": {"enabled": False}}) == ["read"]
    assert called(**off, configs={"look": {"enabled": True}}) == ["look"]
    assert called(**off) == []


def test_a_server_that_is_unavailable_fails_and_one_that_pauses_goes_on():
    """As the API's other tools do."""
    failed = played(request("Ask docs, which is unavailable."))
    paused = played(request("Ask docs, and pause."))
    body = request("Ask docs, and pause.")
    body["messages"].append({"role": "assistant", "content": paused})
    rest = played(body)

    assert [block["is_error"] for block in failed if block["type"] == "mcp_tool_result"] == [True]
    assert paused[-1]["type"] == "mcp_tool_result"
    assert refused(body) == ""
    assert [block["type"] for block in rest] == ["text"]
