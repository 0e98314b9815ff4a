"""What the simulator says, and to what.

The words of the last user text choose a script (case does not matter, words must be whole, the
first line of the table that fits wins)::

    refuse, refusal                          a refusal in the middle of a sentence
    several blocks                           a message of four text blocks
    long                                     some 25 kB of mixed Markdown
    streaming, stream                        how streaming works
    caching, cache                           how prompt caching works
    sky + blue                               why the sky is blue
    https, tls                               how HTTPS works
    function                                 a Python function
    think, thinking                          a question that takes some thought
    tour, markdown                           a tour of Markdown
    code                                     the same in four languages
    math, equation, formula                  a proof with formulas
    story, tale                              a story
    hello, hi, hey                           a greeting, and what can be asked

Before these come, in this order:

- a request to continue an answer that was interrupted gets its rest;
- ``output_config.format`` with a JSON schema gets a value that fits it;
- the result of a tool gets a text that quotes it;
- the word *tool* or *tools*, or the name of a tool of the request, gets a call of that tool with
  input that fits its schema. So does any prompt that no script fits, if the request has tools.

All other prompts get a reply that says it understood nothing and shows what was sent.

The texts are in ``texts/``: parts that begin with ``<!-- thinking -->`` or ``<!-- text -->``, one
for each content block.
"""

import json
import random
import re
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

from claude_nb.simulator.catalogue import thinks
from claude_nb.simulator.schema import sample
from claude_nb.simulator.tokens import blocks
from claude_nb.simulator.wire import Answer, Written, text, thinking, tool_use

_TABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("refusal", ("refuse", "refusal")),
    ("blocks", ("several blocks",)),
    ("long", ("long",)),
    ("streaming", ("streaming", "stream")),
    ("caching", ("caching", "cache")),
    ("sky", ("sky blue",)),
    ("https", ("https", "tls")),
    ("function", ("function",)),
    ("thinking", ("think", "thinking")),
    ("tour", ("tour", "markdown")),
    ("code", ("code",)),
    ("math", ("math", "equation", "formula")),
    ("story", ("story", "tale")),
    ("hello", ("hello", "hi", "hey")),
)
"""Names of scripts, and what chooses them: any of these, each word of which must be there."""

_NO_THOUGHT = "This script has nothing to think about. These lines stand where a summary would."
_SAMPLE_INPUT = {
    "from": "Lisbon",
    "to": "Vienna",
    "travellers": [{"name": "Ana", "age": 34}, {"name": "João", "age": 7}],
    "options": {"by": ["train", "night train"], "budget": {"amount": 480.5, "currency": "EUR"}},
    "flexible": True,
    "note": None,
}


def answer_to(request: dict[str, Any], rng: random.Random) -> Answer:
    """Choose the answer to a request.

    Args:
        request: The body of a request that is known to be good.
        rng: Gives tool calls their ids.
    """
    answer = _continued(request, rng) or _chosen(request, rng)
    said = [written for written in answer.content if written.block["type"] != "thinking"]
    if not thinks(request):
        return replace(answer, content=said)
    thought = [written for written in answer.content if written not in said]
    return replace(answer, content=[*(thought or [thinking(_NO_THOUGHT)]), *said])


def _chosen(request: dict[str, Any], rng: random.Random) -> Answer:
    # The last message need not be the user's: a system message may follow it.
    asking = [m["content"] for m in request["messages"] if m["role"] == "user"]
    last = blocks(asking[-1]) if asking else []
    asked = (request.get("output_config") or {}).get("format") or {}
    if asked.get("type") == "json_schema":
        value = sample(asked.get("schema") or {})
        return Answer([text(json.dumps(value, ensure_ascii=False, indent=2))])
    results = [block for block in last if block["type"] == "tool_result"]
    if results:
        return _about_results(results)
    prompt = _text_of(last)
    words = set(re.findall(r"\w+", prompt.lower()))
    name = next((n for n, needed in _TABLE if any(words.issuperset(w.split()) for w in needed)), "")
    return _call(request, words, name, rng) or _script(name) or _echo(request, last)


def _script(name: str) -> Answer | None:
    if not name:
        return None
    if name == "long":
        return Answer([text(_long())])
    details = None
    if name == "refusal":
        details = {
            "type": "refusal",
            "category": None,
            "explanation": "The simulator refuses when it is asked to refuse.",
        }
    return Answer(_parts(name), "refusal" if details else "end_turn", stop_details=details)


def _parts(name: str) -> list[Written]:
    makers = {"text": text, "thinking": thinking}
    _, *parts = re.split(r"^<!-- (text|thinking) -->\n", _read(name), flags=re.MULTILINE)
    return [makers[k](v.strip("\n")) for k, v in zip(parts[::2], parts[1::2], strict=True)]


@cache
def _read(name: str) -> str:
    path = resources.files("claude_nb").joinpath(f"simulator/texts/{name}.md")
    return path.read_text(encoding="utf-8")


def _text_of(content: list[dict[str, Any]]) -> str:
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def _continued(request: dict[str, Any], rng: random.Random) -> Answer | None:
    """Return the rest of an answer that was interrupted, if that is asked for.

    Its beginning is either the last message (prefill), or an assistant's turn that is followed by a
    user message with *continue* or *interrupted* in it, or its end is quoted in such a message.
    """
    *before, last = request["messages"]
    quoted = None
    if last["role"] == "user":
        instruction = _text_of(blocks(last["content"]))
        words = set(re.findall(r"\w+", instruction.lower()))
        if not before or words.isdisjoint({"continue", "interrupted"}):
            return None
        quoted = _QUOTED.search(instruction)
        if quoted is None:
            *before, last = before
    if not before or (quoted is None and last["role"] != "assistant"):
        return None
    partial = quoted[1] if quoted else _joined(blocks(last["content"]))
    whole = _chosen({**request, "messages": before}, rng)
    full = _joined([w.block | {"text": w.text} for w in whole.content])
    partial = partial.rstrip()
    ending = partial.removeprefix("…")
    at = 0 if ending == partial else full.find(ending)
    if not partial or not full.startswith(ending, max(at, 0)):
        return None
    return Answer([text(full[at + len(ending) :] or "\n")], whole.stop_reason)


_QUOTED = re.compile(r"interrupted. It ended with:\n\n(.*)\n\nContinue", re.DOTALL)


def _joined(content: list[dict[str, Any]]) -> str:
    """Return the text of an answer, in which nothing stands between two blocks."""
    return "".join(block["text"] for block in content if block["type"] == "text")


def _call(
    request: dict[str, Any], words: set[str], script: str, rng: random.Random
) -> Answer | None:
    """Return a call of a tool, if the prompt or the lack of anything else to say suggests one."""
    tools = [tool for tool in request.get("tools") or [] if "input_schema" in tool]
    forbidden = (request.get("tool_choice") or {}).get("type") == "none"
    named = next((tool for tool in tools if tool["name"].lower() in words), None)
    wanted = not words.isdisjoint({"tool", "tools"})
    if forbidden or not (wanted or named or (tools and not script)):
        return None
    identifier = f"toolu_sim_{rng.randbytes(8).hex()}"
    if not tools:
        said = text(
            "This request offers no tools, so here is what a call of one would look like. "
            "Its input arrives as JSON, in pieces."
        )
        called = tool_use(identifier, "plan_trip", _SAMPLE_INPUT)
    else:
        tool = named or tools[0]
        said = text(f"I am calling `{tool['name']}` with made-up input that fits its schema.")
        called = tool_use(identifier, tool["name"], sample(tool["input_schema"]))
    thought = thinking("A tool is to be used. Its input only has to fit the schema.")
    return Answer([thought, said, called], "tool_use")


def _about_results(results: list[dict[str, Any]]) -> Answer:
    said = []
    for result in results:
        content = _text_of(blocks(result.get("content") or [])) or "(no text)"
        verb = "failed with" if result.get("is_error") else "returned"
        said.append(f"The tool {verb}\n\n{_fenced(content)}")
    note = "A simulated reply cannot make more of it than to show that it arrived."
    return Answer([text("\n\n".join([*said, note]))])


def _fenced(content: str) -> str:
    """Return a code fence that is longer than any in its content."""
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{content}\n{fence}"


def _echo(request: dict[str, Any], last: list[dict[str, Any]]) -> Answer:
    """Say that nothing was understood, and show what was sent."""
    prompt = _text_of(last)
    system = _text_of(blocks(request.get("system") or []))
    rows = {
        "model": f"`{request['model']}`",
        "max_tokens": str(request["max_tokens"]),
        "system": f"{len(system):,} characters" if system else "none",
        "thinking": f"`{json.dumps(request['thinking'])}`"
        if request.get("thinking")
        else "not set",
        "messages": str(len(request["messages"])),
        "tools": ", ".join(f"`{t.get('name')}`" for t in request.get("tools") or []) or "none",
    }
    others = [block["type"] for block in last if block["type"] != "text"]
    if others:
        rows["attached"] = ", ".join(others)
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    lines = [
        (
            "This is a **simulated reply**. No model has read your prompt: a small program on this "
            "machine has, and it understood nothing, because no script of it fits."
        ),
        f"What was sent:\n\n| | |\n|:--|:--|\n{table}",
        *_earlier(request["messages"][:-1]),
        f"And the prompt, word for word:\n\n{_fenced(prompt)}",
        "Say *hello* to see what it has scripts for.",
    ]
    if system:
        lines.insert(2, f"The system prompt:\n\n{_fenced(system)}")
    return Answer([text("\n\n".join(lines))])


def _earlier(messages: list[dict[str, Any]]) -> list[str]:
    """Show the messages before the prompt, each by its beginning."""
    if not messages:
        return []
    lines = []
    for message in messages:
        said = " ".join(_text_of(blocks(message["content"])).split())
        lines.append(f"{message['role']}: {said if len(said) <= 60 else said[:59] + '…'}")
    return [f"Before the prompt, what was said earlier:\n\n{_fenced(chr(10).join(lines))}"]


@cache
def _long() -> str:
    """Return a very long answer: the numbers from 2 on, each with its factors."""
    chapters = ["# The first numbers, taken apart"]
    for number in range(2, 252):
        factors = _factors(number)
        product = r" \cdot ".join(map(str, factors))
        prime = len(factors) == 1
        chapters.append(
            f"## {number}\n\n"
            + (f"**{number}** is prime. " if prime else f"{number} is ${number} = {product}$. ")
            + f"Its square is {number**2:,}, and in binary it is written `{number:b}`."
        )
        if number % 10 == 0:
            multiples = "\n".join(f"| {k} | {k * number:,} |" for k in range(1, 6))
            chapters.append(f"| times | {number} |\n|--:|--:|\n{multiples}")
        if number % 15 == 0:
            divisors = [d for d in range(1, number + 1) if number % d == 0]
            chapters.append("Its divisors:\n\n" + "\n".join(f"- {d}" for d in divisors))
        if number % 25 == 0:
            chapters.append(
                f"```python\nassert {' * '.join(map(str, factors))} == {number}\n"
                f'print(f"{{{number}:b}}")  # {number:b}\n```'
            )
    return "\n\n".join(chapters)


def _factors(number: int) -> list[int]:
    """Return the prime factors of a number, the smallest first."""
    found, divisor = [], 2
    while number > 1:
        if number % divisor:
            divisor += 1
        else:
            found.append(divisor)
            number //= divisor
    return found
