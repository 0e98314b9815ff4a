"""Every kind of request body is one that the SDK's types allow, to the last nested field.

The API refuses a field that it does not know, and whoever sent it has waited for nothing. So the
bodies that asking, conversations, tools, forms, caching and batches send are read from the server,
and held against the SDK's ``TypedDict`` classes with unknown fields forbidden. ``list`` stands for
``Iterable`` in them, which pydantic would leave unchecked until somebody reads it.
"""

from __future__ import annotations

import collections.abc
import types
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

import pytest
import typing_extensions
from anthropic.types import message_count_tokens_params
from anthropic.types.beta import message_create_params as beta_params
from anthropic.types.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from anthropic.types.messages import batch_create_params
from PIL import Image
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

import claude_nb
from claude_nb import CachedSystem, ClaudeError, Conversation, Tools
from claude_nb.cost.models import known_models
from claude_nb.simulator import Stream
from tests.played import said, start, text

PICTURE = Image.new("RGB", (4, 3))
ITERABLES = (collections.abc.Iterable, collections.abc.Sequence, list)


class City(BaseModel):
    """A city, as an answer has to be."""

    name: str
    people: int


def weather(city: str, days: int = 1) -> str:
    """The weather of a city.

    Args:
        city: Where.
        days: How many.
    """
    return f"rain in {city} for {days}"


def strict(kind: Any) -> Any:
    """A type in which dicts have no other fields, and iterables are lists."""
    origin, arguments = get_origin(kind), get_args(kind)
    if typing_extensions.is_typeddict(kind):
        return strict_dict(kind)
    if origin in (Union, types.UnionType):
        return Union[tuple(map(strict, arguments))]  # noqa: UP007 - made of a tuple
    if origin in ITERABLES:
        return list[strict(arguments[0])]  # type: ignore[misc]
    if origin is dict:
        return dict[arguments[0], strict(arguments[1])]  # type: ignore[misc, valid-type]
    if origin in (Required, NotRequired, Annotated):
        return strict(arguments[0])
    if kind in (str, int, float, bool, object, None, type(None), Any) or origin is Literal:
        return kind
    return bytes  # files and models of pydantic, which no JSON has


@cache
def strict_dict(kind: Any) -> Any:
    """A ``TypedDict`` of the SDK, that takes no other fields than its own."""
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    # What is required is marked so in all of them: their annotations are texts, which Python does
    # not look into when it makes the class.
    fields = {
        name: (Required if get_origin(hint) is Required else NotRequired)[strict(hint)]
        for name, hint in hints.items()
    }
    made: Any = typing_extensions.TypedDict(kind.__name__, fields)  # type: ignore[operator]
    made.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)
    return made


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """What checks a body against a type of the SDK."""
    return TypeAdapter(strict(kind))


def check(path: str, body: Any, *, beta: bool = False) -> None:
    """Hold a body against the type that the SDK has for it: that of a beta, if one is named."""
    kind: Any = {
        "/v1/messages": MessageCreateParamsStreaming,
        "/v1/messages/count_tokens": message_count_tokens_params.MessageCountTokensParams,
        "/v1/messages/batches": batch_create_params.BatchCreateParams,
    }[path]
    if "fallbacks" in body:
        kind = beta_params.MessageCreateParamsStreaming
    elif path == "/v1/messages" and not body.get("stream"):
        kind = MessageCreateParamsNonStreaming
    if beta and path == "/v1/messages":
        kind = getattr(beta_params, kind.__name__)
    adapter(kind).validate_python(body)


def ask(prompt: str = "Why?", **options: Any) -> claude_nb.Reply:
    """Ask without showing anything."""
    return claude_nb.ask(prompt, show=False, **options)


def models():
    """Every model with every form of thinking, effort and output that it takes."""
    for model in known_models():
        for options in ({}, {"thinking": "on"}, {"thinking": "off"}, {"thinking": 2000}):
            for more in ({}, {"effort": "low"}, {"hide_thinking": True}):
                try:
                    ask(model=model, max_tokens=4000, **options, **more)
                except ClaudeError:  # what the model does not take, or is retired
                    continue


def content(tmp_path):
    """Every kind of attachment, of system prompt, and of answer."""
    (tmp_path / "notes.txt").write_text("Some notes.")
    pdf = tmp_path / "page.pdf"
    pdf.write_bytes(b"%PDF-1.4\n1 0 obj<</Type/Page>>endobj\n%%EOF\n")
    for attached in (PICTURE, {"a": 1}, [1, 2], "words", tmp_path / "notes.txt", pdf, weather):
        ask(attach=[attached])
    for large in (pdf, tmp_path / "notes.txt"):
        large.write_bytes(large.read_bytes() + b" " * 100_000)
        ask(attach=[large], upload=True)
    ask(attach=[b"\x89PNG\r\n\x1a\n" + bytes(100_000)], upload=True, max_cost=1.0)
    for system in ("Be brief.", CachedSystem("manual", "Long. " * 2000), None):
        ask(system=system)
    for output in (City, list[City], int, bool):
        ask(output=output)
    ask(attach=["words", tmp_path / "notes.txt", pdf, PICTURE], cite=True)
    ask(instruct="Be brief.", max_cost=1.0)
    ask(stream=False)
    ask(max_cost=1.0, attach=[PICTURE], system="Be brief.", tools=[weather], output=City)


def tools():
    """Functions, the server's tools, and results of every kind."""
    for used in (
        [weather],
        ["web_search"],
        ["web_fetch", "code_execution"],
        [weather, "web_search"],
        [Tools.web_search(max_uses=3, allowed_domains=["example.com"])],
        [Tools.web_search(blocked_domains=["a.org"], user_location={"country": "PT"})],
        [Tools.web_fetch(max_uses=2, max_content_tokens=5000), Tools.code_execution()],
        [Tools.web_fetch(citations=False)],
    ):
        ask("Weather, and search the web, please.", tools=used)
    ask("Weather?", tools=Tools(weather, eager=True))

    def picture() -> Any:
        """A picture."""
        return PICTURE

    def broken() -> str:
        """Nothing that works."""
        raise ValueError("no")

    for function in (picture, broken):
        ask("Use the tool, please.", tools=[function])


def fields():
    """What is sent beside prompt and tools."""
    for options in (
        {"stop_sequences": ["END"], "metadata": {"user_id": "a1"}},
        {"extra": {"service_tier": "auto", "inference_geo": "us", "diagnostics": None}},
        {"extra": {"diagnostics": {"previous_message_id": None}}, "max_cost": 1.0},
        *(
            {"tools": [weather], "tool_choice": choice, "model": "claude-haiku-5-5"}
            for choice in ("auto", "any", "none", {"type": "tool", "name": "weather"})
        ),
    ):
        ask("Weather?", **options)
        ask("Weather?", stream=False, **options)
    claude_nb.batch(["Lovely"], show=False, extra={"service_tier": "auto"}, stop_sequences=["END"])


def conversations(api):
    """Turns with thinking, tools, caches and drops between them."""
    talk = Conversation("talk", system=CachedSystem("manual", "Long. " * 2000))
    talk.ask("Think about it.", show=False)
    talk.ask("Weather?", tools=[weather], show=False)
    talk.ask("And a picture?", attach=[PICTURE], show=False)
    talk.ask("In a form.", output=City, show=False)
    api.enqueue(Stream([start(), *text("Half of")[:-1]], end="reset"), Stream(said("the rest.")))
    with_retries = claude_nb.Policy(tries=3)
    talk.ask("Drop.", show=False, policy=with_retries)
    talk.ask("Cite.", attach=["The sky is blue."], cite=True, instruct="Be brief.", show=False)
    talk.ask("Go on.", show=False)
    talk.ask("In a form.", output=City, show=False)
    talk.system = "Another."
    talk.ask("Go on.", show=False)
    talk.compact(show=False)
    talk.ask("And on.", show=False)


def fallbacks():
    """Turns after another model has answered, by the beta and without it."""
    talk = Conversation("fell back")
    for options in ({"fallback": True}, {"fallback": True}, {}):
        talk.ask("Please refuse, then think.", show=False, **options)


def batches():
    """Rows with and without a form and a system prompt."""
    cached = CachedSystem("manual", "Long. " * 2000)
    for options in ({}, {"output": City}, {"system": cached}, {"cite": True}):
        claude_nb.batch(["Lovely", "Awful"], "Is {{prompt}} positive?", show=False, **options)
    large = b"%PDF-1.7 " + bytes(100_000)
    claude_nb.batch([large, large], "What is {{prompt}}?", upload=True, show=False)


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("models", 70),
        ("content", 15),
        ("tools", 14),
        ("fields", 16),
        ("conversations", 10),
        ("fallbacks", 3),
        ("batches", 3),
    ],
)
def test_what_is_sent_is_what_the_sdk_s_types_allow(api, kind, least, tmp_path, capsys):
    """Every body of these kinds, more than a hundred, with no field that the SDK does not know."""
    kinds = {
        "models": models,
        "content": lambda: content(tmp_path),
        "tools": tools,
        "fields": fields,
        "conversations": lambda: conversations(api),
        "fallbacks": fallbacks,
        "batches": batches,
    }
    kinds[kind]()
    posts = [found for found in api.requests if found.method == "POST"]
    sent = [found for found in posts if found.path != "/v1/files"]

    assert len(sent) >= least
    for found in sent:
        check(found.path, found.body, beta="anthropic-beta" in found.headers)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.update(sampling=1),
        lambda body: body["messages"][0]["content"][0].update(colour="red"),
        lambda body: body["messages"][0]["content"][1]["source"].update(media_type="image/bmp"),
        lambda body: body["tools"][0].update(evil=True),
        lambda body: body["output_config"].update(effort="huge"),
        lambda body: body["messages"].append({"role": "robot", "content": "x"}),
        lambda body: body.pop("max_tokens"),
    ],
)
def test_one_wrong_field_is_found(api, spoil):
    """However deep it is."""
    ask(attach=[PICTURE], tools=[weather], effort="low")
    body = api.requests[-1].body
    check("/v1/messages", body)

    spoil(body)

    with pytest.raises(ValidationError):
        check("/v1/messages", body)
