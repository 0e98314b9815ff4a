"""The tools that the API runs itself: searches, pages and code, all of them made up.

The shapes are those of the SDK's types and of platform.claude.com/docs ("Web search tool", "Web
fetch tool", "Code execution tool", "Server tools"). Nothing is looked up and nothing is run.
"""

import base64
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from claude_nb.simulator import mcp, wire
from claude_nb.simulator.quoting import fenced
from claude_nb.simulator.turns import words

WORDS = {
    "web_search": ("search",),
    "web_fetch": ("fetch",),
    "code_execution": ("compute", "run code"),
}
"""Words that choose a tool, beside its name; of two words both must be there."""

PAUSE = "pause"
"""Has the turn paused behind the first result."""

FAILURE = "unavailable"

_PYTHON_ONLY = "code_execution_20250522"
"""The version that runs Python itself; the later ones edit files and run commands."""

_NEVER = "2030-01-01T00:00:00Z"
_RETRIEVED = "2026-01-01T12:00:00Z"
_LONGEST_QUERY = 100
_URL = re.compile(r"https?://[^\s<>\"'`)\]]*[^\s<>\"'`)\].,;:!?]")


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a tool: its input, its result and the text about it.

    Attributes:
        name: The name in the call; the block of the result is named after it.
        input: The input of the call.
        result: The content of the result.
        about: The text blocks about it in the answer.
    """

    name: str
    input: dict[str, Any]
    result: Any
    about: tuple[wire.Written, ...] = ()

    def called(self, rng: random.Random) -> wire.Written:
        """Return the call, with an id of its own."""
        return wire.server_tool_use(f"srvtoolu_sim_{rng.randbytes(8).hex()}", self.name, self.input)

    def returned(self, identifier: str) -> wire.Written:
        """Return the result of the call with this id."""
        return wire.server_tool_result(identifier, self.name, self.result)


def uses(request: dict[str, Any], prompt: str) -> list[Use | mcp.Use]:
    """Return how a prompt has the tools of a request used, in the order of its words.

    Those of MCP servers come last.
    """
    choice, tools = request.get("tool_choice") or {}, request.get("tools") or []
    own = {kind: tool for tool in tools if (kind := kind_of(tool))}
    forced = list(own) if choice.get("type") == "any" and len(own) == len(tools) else []
    if choice.get("type") == "tool":
        forced = [choice["name"]] if choice["name"] in own else []
        own = {kind: own[kind] for kind in forced}
    elif choice.get("type") == "none":
        own = {}
    spoken = words(prompt)
    found: dict[str, int] = {}
    for kind in own:
        asked = [ask.split() for ask in (*WORDS[kind], kind)]
        places = [spoken.index(ask[0]) for ask in asked if set(spoken).issuperset(ask)]
        if places:
            found[kind] = min(places)
    chosen = sorted(found, key=found.__getitem__) or forced[:1]
    made = [_MAKERS[kind](own[kind], prompt) for kind in chosen]
    of_mcp = mcp.uses(request, prompt, failed=FAILURE in spoken)
    if FAILURE in spoken:
        return [*(_failed(several[-1]) for several in made), *of_mcp]
    return [*(use for several in made for use in several), *of_mcp]


def announced(wanted: Sequence[Use | mcp.Use]) -> str:
    """Return the text before the first use."""
    acts = list(dict.fromkeys(map(_act, wanted)))
    return f"I will {', then '.join(acts)}. What comes back is simulated."


def _act(use: Use | mcp.Use) -> str:
    if isinstance(use, mcp.Use):
        return f"ask {use.server}"
    return _ACTS.get(use.name, "run some code")


def container(request: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return where code runs: in the container that the request names, or a new one."""
    asked = request.get("container")
    identifier = asked.get("id") if isinstance(asked, dict) else asked
    return {"id": identifier or f"container_sim_{rng.randbytes(8).hex()}", "expires_at": _NEVER}


def kind_of(tool: dict[str, Any]) -> str:
    """Return which of these tools one is; empty for others."""
    name, _, version = str(tool.get("type") or "").rpartition("_")
    return name if name in WORDS and version.isdecimal() else ""


def _failed(use: Use) -> Use:
    error = {"type": f"{use.name}_tool_result_error", "error_code": FAILURE}
    return Use(use.name, use.input, error, (wire.text(f"`{use.name}` failed: `{FAILURE}`. "),))


def _search(_: dict[str, Any], prompt: str) -> list[Use]:
    query = _query(prompt)
    results = [
        {
            "type": "web_search_result",
            "title": f"Simulated result {number}: {query}",
            "url": f"https://example.org/simulated/{number}",
            "encrypted_content": _sealed(f"content of result {number}"),
            "page_age": "January 1, 2026" if number == 1 else None,
        }
        for number in (1, 2, 3)
    ]
    cited = [
        {
            "type": "web_search_result_location",
            "cited_text": f"Simulated text of result {number} about {query}.",
            "url": result["url"],
            "title": result["title"],
            "encrypted_index": _sealed(f"index of result {number}"),
        }
        for number, result in enumerate(results, 1)
    ]
    about = (
        wire.text("These results are simulated. If they were real, "),
        wire.text(f"the first page would be about “{query}”", cited[0]),
        wire.text(", and "),
        wire.text("the two others would say more about it", *cited[1:]),
        wire.text(". "),
    )
    return [Use("web_search", {"query": query}, results, about)]


def _query(prompt: str) -> str:
    """Return the query: a quoted text, or the text behind *search*."""
    quoted = re.search(r"[\"“`]([^\"”`\n]+)[\"”`]", prompt)
    asked = re.search(r"search(?:\s+the\s+web)?(?:\s+for)?\s+([^\n]+)", prompt, re.IGNORECASE)
    found = quoted or asked
    query = re.split(r"[.?!;]|,? (?:and )?then\b", found[1] if found else prompt)[0]
    return " ".join(query.split())[:_LONGEST_QUERY].strip() or "anything"


def _fetch(tool: dict[str, Any], prompt: str) -> list[Use]:
    found = _URL.search(prompt)
    url = found[0] if found else "https://example.org/"
    sentence = f"This is the simulated text of {url}."
    data, title = f"{sentence} Nothing of it was fetched.", f"Simulated page at {url}"
    citing = bool((tool.get("citations") or {}).get("enabled"))
    page = {
        "type": "web_fetch_result",
        "url": url,
        "retrieved_at": _RETRIEVED,
        "content": {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": data},
            "title": title,
            "citations": {"enabled": True} if citing else None,
        },
    }
    cited = {
        "type": "char_location",
        "cited_text": sentence,
        "document_index": 0,
        "document_title": title,
        "start_char_index": 0,
        "end_char_index": len(sentence),
        "file_id": None,
    }
    about = (
        wire.text("The page that was fetched says "),
        wire.text("that its text is simulated", *([cited] if citing else [])),
        wire.text(". "),
    )
    return [Use("web_fetch", {"url": url}, page, about)]


def _compute(tool: dict[str, Any], prompt: str) -> list[Use]:
    found = re.findall(r"(?<![\w.])-?\d{1,9}(?![\w.]*\w)", _URL.sub("", prompt))
    numbers = [int(number) for number in found] or [1, 2, 3]
    code = f'numbers = {numbers}\nprint("simulated sum:", sum(numbers))\n'
    printed = f"simulated sum: {sum(numbers)}"
    output = {"stdout": f"{printed}\n", "stderr": "", "return_code": 0, "content": []}
    about = (wire.text(f"No code was run. It would have printed\n\n{fenced(printed)}\n\n"),)
    if tool["type"] == _PYTHON_ONLY:
        ran = {"type": "code_execution_result", **output}
        return [Use("code_execution", {"code": code}, ran, about)]
    path = "/tmp/simulated.py"  # noqa: S108  (of a container that there is not)
    created = {"type": "text_editor_code_execution_create_result", "is_file_update": False}
    write = {"command": "create", "path": path, "file_text": code}
    ran = {"type": "bash_code_execution_result", **output}
    return [
        Use("text_editor_code_execution", write, created),
        Use("bash_code_execution", {"command": f"python {path}"}, ran, about),
    ]


def _sealed(what: str) -> str:
    return base64.b64encode(f"claude_nb simulator, {what}".encode()).decode()


_MAKERS: dict[str, Callable[[dict[str, Any], str], list[Use]]] = {
    "web_search": _search,
    "web_fetch": _fetch,
    "code_execution": _compute,
}
_ACTS = {
    "web_search": "search the web",
    "web_fetch": "fetch the page",
}
