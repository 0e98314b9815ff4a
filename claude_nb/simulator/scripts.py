"""The scripts of the simulator, and the words that choose them.

The words of the last user text choose a script (case does not matter, words must be whole, the
first line of the table that fits wins)::

    refuse, refusal                          a refusal in mid-sentence; with *once*, before any text
    several blocks                           a message of four text blocks
    three words                              three words, in three pieces and without thinking
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
    hello, hi, hey                           a greeting, and in the same conversation a shorter one

Where the request has tools, their names and these words choose first (but for a refusal)::

    NAME                                     a call of the tool of this name; several: one message
    NAME then NAME                           the second call after the result of the first
    NAME again, twice                        two calls in one message
    tool, tools                              a call of the first tool
    search                                   web_search: a search with three results, cited
    fetch                                    web_fetch: the page whose address is in the prompt
    compute, run + code                      code_execution: the sum of the prompt's numbers
    pause                                    the API's own tools pause the turn behind one result
    unavailable                              the API's own tools fail

The name of an MCP server that the API calls chooses a call of it.

Where documents can be cited, a sentence of each is quoted in place of a script's text.

Input fits the schema of its tool: see :mod:`claude_nb.simulator.schema`. The results of tools get a
text that quotes them. A user message of its own behind results is a new prompt. ``tool_choice`` is
obeyed.

Before all this, a request to continue an answer that was interrupted gets its rest, in slightly
other words (:mod:`claude_nb.simulator.rewording`), as it would from a model. In the end, instead
of a text, ``output_config.format`` with a JSON schema gets a value that fits it, made like the
input of tools. What nothing fits is a call of the first tool, if there are tools; and without them
a reply that says so. Only what the user typed is looked at, not what goes along with it.

The texts are in ``texts/``: parts that begin with ``<!-- thinking -->`` or ``<!-- text -->``, one
for each content block.
"""

import json
import random
import re
from dataclasses import replace
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any

from claude_nb.simulator import calls, documents, rewording, servertools, toolturns
from claude_nb.simulator.catalogue import output_format, thinks
from claude_nb.simulator.quoting import inline
from claude_nb.simulator.schema import sample
from claude_nb.simulator.tokens import blocks
from claude_nb.simulator.turns import Exchange, exchange, text_of, typed, words
from claude_nb.simulator.wire import SERVER_CALLS, Answer, Written, text, thinking

_TABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("refusal", ("refuse", "refusal")),
    ("blocks", ("several blocks",)),
    ("words", ("three words",)),
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
"""Names of scripts, each with the words that choose it; of two words both must be there."""

_EXAMPLES = (
    "*Explain how streaming works*, *Why is the sky blue?*, *Write a Python function*,"
    " *Show me a tour of Markdown*, *Think about it*, *Say three words*, *Tell me a story*"
)

_HINT = "Prompts that have a script:"

_SHOWN = 200
"""Characters of an unknown prompt that are shown."""

_NO_THOUGHT = "This script has nothing to think about. These lines stand where a summary would."


def answer_to(request: dict[str, Any], rng: random.Random) -> Answer:
    """Choose the answer to a request.

    Args:
        request: The body of a request that is known to be good.
        rng: Gives calls of tools their ids.
    """
    now = exchange(request)
    answer = _continued(request, rng) or _chosen(request, now, rng)
    content = [w for w in answer.content if w.block["type"] != "thinking"]
    if thinks(request, between_calls=bool(now.results)) and answer is not _script("words"):
        thought = len(content) < len(answer.content)
        content = answer.content if thought or not content else [thinking(_NO_THOUGHT), *content]
    return replace(answer, content=content)


def _chosen(request: dict[str, Any], now: Exchange, rng: random.Random) -> Answer:
    name = _named(now.prompt)
    if name == "refusal":
        at_once = "once" in words(now.prompt)
        return replace(_script(name), content=[]) if at_once else _script(name)
    typed = _typed(request)
    uses = servertools.uses(request, now.prompt)
    steps = calls.steps(request, now.prompt, otherwise=not (name or typed or uses))
    used = toolturns.answer(request, now, steps, uses, rng, typed=typed)
    if used:
        return used
    if typed:
        return Answer([typed])
    if quoted := documents.answer(request, now.prompt):
        return quoted
    if name == "hello" and (earlier := request["messages"][:-1]):
        held = f"{len(earlier)} earlier message{'s' if len(earlier) > 1 else ''}"
        return Answer([text(f"Hello again! This request holds {held} of our conversation.")])
    return _script(name) if name else _unknown(request, now)


def _named(prompt: str) -> str:
    """Return the name of the script that a prompt chooses, or nothing."""
    found = set(words(prompt))
    fits = (n for n, needed in _TABLE if any(found.issuperset(w.split()) for w in needed))
    return next(fits, "")


def _unknown(request: dict[str, Any], now: Exchange) -> Answer:
    """Say that no script fits, with the beginning of what the user typed; once, what to try."""
    prompt = now.prompt or now.asked.text
    more = len(now.asked.text) - len(prompt[:_SHOWN])
    others = [block["type"] for block in now.asked.blocks if block["type"] != "text"]
    shown = [inline(prompt[:_SHOWN])] if prompt.strip() else []
    shown += [f"{more:,} more characters"] if more else []
    shown += [f"{others.count(kind)} × {kind}" for kind in dict.fromkeys(others)]
    heard = " and ".join(shown)
    if any(_HINT in text_of(blocks(turn["content"])) for turn in request["messages"][:-1]):
        return Answer([text(f"No script fits this either: {heard}.")])
    label = "This is a **simulated reply**; no model has read your prompt, and no script fits it"
    return Answer([text(f"{label}: {heard}.\n\n{_HINT} {_EXAMPLES}.")])


def _typed(request: dict[str, Any]) -> Written | None:
    """Return the answer in the form that ``output_config`` asks for, if it does."""
    asked = output_format(request) or {}
    if asked.get("type") != "json_schema":
        return None
    value = sample(asked.get("schema") or {})
    return text(json.dumps(value, ensure_ascii=False, indent=2))


@cache
def _script(name: str) -> Answer:
    path = resources.files("claude_nb").joinpath(f"simulator/texts/{name}.md")
    written = path.read_text(encoding="utf-8")
    _, *parts = re.split(r"^<!-- (text|thinking) -->\n", written, flags=re.MULTILINE)
    makers = {"text": text, "thinking": thinking}
    found = [makers[k](v.strip("\n")) for k, v in zip(parts[::2], parts[1::2], strict=True)]
    if name == "words":
        found = [replace(one, by_word=True) for one in found]
    if name != "refusal":
        return Answer(found)
    explanation = "The simulator refuses when it is asked to refuse."
    details = {"type": "refusal", "category": None, "explanation": explanation}
    return Answer(found, "refusal", stop_details=details)


def _continued(request: dict[str, Any], rng: random.Random) -> Answer | None:
    """Return the rest of an answer that was interrupted, if that is asked for.

    Its beginning is either the last message (prefill), or an assistant's turn that is followed by a
    user message with *continue* or *interrupted* in it, or its end is quoted in such a message.
    """
    *before, last = request["messages"]
    quoted = None
    instruction: list[str] = []
    if last["role"] == "user":
        content = blocks(last["content"])
        instruction = words(typed(content))
        if not before or {"continue", "interrupted"}.isdisjoint(instruction):
            return None
        quoted = _QUOTED.search(text_of(content))
        if quoted is None:
            *before, last = before
    if not before or (quoted is None and last["role"] != "assistant"):
        return None
    came = blocks(last["content"])
    if not quoted and any(block["type"] in SERVER_CALLS for block in came):
        return None  # paused, not interrupted
    partial = (quoted[1] if quoted else _joined(came)).rstrip()
    earlier = {**request, "messages": before}
    whole = _chosen(earlier, exchange(earlier), rng)
    full = _joined([w.block | {"text": w.text} for w in whole.content])
    found = _found(full, partial.removeprefix("…"), anywhere=partial.startswith("…"))
    if not partial or found is None:
        return None
    at, owed = found
    whole_already = at >= len(full.rstrip()) and not owed
    if whole_already and instruction and "interrupted" not in instruction:
        return None
    first, *others = _behind(whole.content, at)
    if first.block["type"] == "text" and not first.citations and not output_format(request):
        first = replace(first, text=owed + rewording.reworded(full[:at], first.text))
    return replace(whole, content=[first, *others])


def _found(full: str, partial: str, *, anywhere: bool) -> tuple[int, str] | None:
    """Return where in a text a part of it ends, which may have some words of a continuation.

    Args:
        full: The text.
        partial: The part.
        anywhere: Whether it need not begin where the text does.
    """
    found = rewording.followed(full, partial)
    if found or not anywhere:
        return found
    # The beginning of a quotation may lie within a phrase that was replaced.
    begins = [0, *(space.end() for space in islice(re.finditer(r"\s", partial), 8))]
    for part in (partial[begin:] for begin in begins if begin < len(partial)):
        starts = (place.start() for place in re.finditer(re.escape(part[0]), full))
        tried = (rewording.followed(full, part, start) for start in starts)
        if found := next(filter(None, tried), None):
            return found
    return None


def _behind(content: list[Written], length: int) -> list[Written]:
    """Return what follows the first characters of an answer's texts, which are joined."""
    rest: list[Written] = []
    for written in content:
        kind = written.block["type"]
        if kind == "text":
            left = replace(written, text=written.text[length:])
            length = max(0, length - len(written.text))
            if rest and left.block == rest[-1].block and not left.citations:
                rest[-1] = text(rest[-1].text + left.text)
            elif left.text:
                rest.append(left)
        elif kind != "thinking" and not length:
            rest.append(written)
    return rest or [text("\n")]


_QUOTED = re.compile(r"interrupted. It ended with:\n\n(.*)\n\nContinue", re.DOTALL)


def _joined(content: list[dict[str, Any]]) -> str:
    """Return the text of an answer, in which nothing stands between two blocks."""
    return "".join(block["text"] for block in content if block["type"] == "text")
