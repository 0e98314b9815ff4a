"""The server's tools: their versions by model, and the settings that are refused before sending."""

from __future__ import annotations

import pytest

from claude_nb import Tools
from claude_nb.cost.models import known_models
from claude_nb.errors import InputError
from claude_nb.request.request import Request
from claude_nb.request.server_tools import SERVER_TOOLS, includes_code

OLD = {"claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"}
FIRST = ["web_search_20250305", "web_fetch_20250910", "code_execution_20250825"]
NEWEST = ["web_search_20260318", "web_fetch_20260318", "code_execution_20250825"]


def sent(model: str, *tools: object) -> list[dict[str, object]]:
    """The tools as they are sent to a model."""
    request = Request("Hi", model=model, tools=Tools(*tools).definitions)
    return request.params()["tools"]


@pytest.mark.parametrize("model", [*known_models(), "claude-haiku-4-5-20251001", "qwen3"])
def test_the_version_is_the_newest_that_the_model_takes(model):
    """Claude 4.6 and later filter what they find; what is unknown gets what every model takes."""
    types = [tool["type"] for tool in sent(model, *SERVER_TOOLS)]

    old = model in OLD or model not in known_models()
    assert types == (FIRST if old else NEWEST)


def test_a_definition_with_its_type_is_sent_as_it_is():
    """Whoever names a version means it."""
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}

    assert sent("claude-opus-5-5", search) == [search]


def test_settings_are_those_of_the_api():
    """What is not set is not sent."""
    search = Tools.web_search(
        max_uses=3,
        allowed_domains=("example.com", "docs.python.org/3"),
        user_location={"city": "Lisbon", "country": "PT"},
    )
    fetch = Tools.web_fetch(max_uses=2, blocked_domains=["example.com"], citations=False)

    assert sent("claude-opus-5-5", search, fetch, Tools.code_execution()) == [
        {
            "type": "web_search_20260318",
            "name": "web_search",
            "max_uses": 3,
            "allowed_domains": ["example.com", "docs.python.org/3"],
            "user_location": {"type": "approximate", "city": "Lisbon", "country": "PT"},
        },
        {
            "type": "web_fetch_20260318",
            "name": "web_fetch",
            "max_uses": 2,
            "blocked_domains": ["example.com"],
        },
        {"type": "code_execution_20250825", "name": "code_execution"},
    ]
    assert Tools(Tools.web_search()).definitions == Tools("web_search").definitions
    assert Tools(Tools.web_fetch()).definitions == Tools("web_fetch").definitions


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"max_uses": 0}, "max_uses of web_search must be a whole number of at least 1, not 0."),
        (
            {"max_uses": True},
            "max_uses of web_search must be a whole number of at least 1, not True.",
        ),
        (
            {"max_uses": "3"},
            "max_uses of web_search must be a whole number of at least 1, not '3'.",
        ),
        (
            {"allowed_domains": ["a.org"], "blocked_domains": ["b.org"]},
            "web_search takes allowed_domains or blocked_domains, not both.",
        ),
        ({"allowed_domains": "a.org"}, "allowed_domains must be a list of domains, not 'a.org'."),
        ({"blocked_domains": []}, "blocked_domains must be a list of domains, not []."),
        (
            {"allowed_domains": ["https://a.org"]},
            "'https://a.org' in allowed_domains is not a domain",
        ),
        ({"allowed_domains": ["münchen.de"]}, "'münchen.de' in allowed_domains is not a domain."),
        ({"allowed_domains": [3]}, "3 in allowed_domains is not a domain."),
        (
            {"user_location": "Lisbon"},
            "user_location must be a dict of city, region, country, timezone",
        ),
        ({"user_location": {}}, "user_location must be a dict of city, region, country, timezone"),
        ({"user_location": {"citty": "Lisbon"}}, "user_location has no 'citty'."),
        ({"user_location": {"city": 3}}, "city in user_location must be a string, not 3."),
        (
            {"user_location": {"country": "Portugal"}},
            "country in user_location must be a two-letter code, not 'Portugal'.",
        ),
        ({"user_location": {"type": "exact", "city": "Lisbon"}}, "user_location must be a dict of"),
    ],
)
def test_wrong_settings_are_refused(settings, what):
    """With what to write instead, before anything is sent."""
    with pytest.raises(InputError) as caught:
        Tools.web_search(**settings)

    assert caught.value.what.startswith(what)
    assert caught.value.advice


@pytest.mark.parametrize("kind", [{}, {"type": "web_search_20250305"}])
def test_a_number_of_uses_is_checked_in_definitions_too(kind):
    """The API refuses 0 there as well."""
    with pytest.raises(InputError, match="max_uses of web_search must be a whole number"):
        Tools({"name": "web_search", "max_uses": 0, **kind})


def test_code_is_free_beside_the_web_s_newer_tools():
    """As the price list says; beside the first versions and alone it is not."""
    assert includes_code(sent("claude-opus-5-5", "web_search", "code_execution"))
    assert not includes_code(sent("claude-haiku-4-5", "web_search", "code_execution"))
    assert not includes_code(sent("claude-opus-5-5", "code_execution"))
