"""The simulator's models are those that have facts, in the API's own shape."""

import pytest
from anthropic.types import ModelInfo

from claude_nb.cost.models import facts, known_models
from claude_nb.simulator import catalogue


@pytest.mark.parametrize("name", known_models())
def test_every_model_has_the_sdks_shape(name):
    """The SDK's own type takes it, strictly, and finds the model's limits in it."""
    info = ModelInfo.model_validate(catalogue.info(name))

    assert (info.id, info.max_tokens) == (name, facts(name).max_output_tokens)


def test_thinking_types_are_the_models():
    """What a model accepts is what its capabilities say."""
    types = catalogue.info("claude-sonnet-5-5")["capabilities"]["thinking"]["types"]

    assert {kind: support["supported"] for kind, support in types.items()} == {
        "adaptive": True,
        "between_tools": True,
        "disabled": False,
        "enabled": False,
    }


def test_efforts_are_the_models():
    """What a model accepts is what its capabilities say ("Effort", read 2026-08-13)."""
    listed = {
        name: catalogue.info(name)["capabilities"]["effort"]
        for name in ("claude-haiku-4-5", "claude-opus-4-5", "claude-opus-5-5")
    }
    supported = {
        name: [level for level in effort if effort[level] is True or effort[level]["supported"]]
        for name, effort in listed.items()
        if effort["supported"]
    }

    assert supported == {
        "claude-opus-4-5": ["supported", "low", "medium", "high"],
        "claude-opus-5-5": ["supported", "low", "medium", "high", "xhigh", "max"],
    }


@pytest.mark.parametrize(
    ("model", "thinking", "display"),
    [
        ("claude-opus-5-5", None, "omitted"),
        ("claude-opus-4-6", None, "summarized"),
        ("claude-opus-5-5", {"type": "adaptive", "display": "summarized"}, "summarized"),
        ("claude-opus-4-6", {"type": "adaptive", "display": "omitted"}, "omitted"),
        ("claude-mythos-5-2", None, "omitted"),
        ("claude-sonnet-5-5", {"type": "between_tools"}, "summarized"),
    ],
)
def test_thinking_is_shown_as_asked_or_as_the_model_does(model, thinking, display):
    """The request's ``display`` goes before the model's default; unknown defaults show nothing."""
    assert catalogue.thinking_display({"model": model, "thinking": thinking}) == display


@pytest.mark.parametrize(
    ("model", "forced", "notes", "binds"),
    [
        ("claude-opus-5-5", False, True, True),
        ("claude-sonnet-5-5", False, True, True),
        ("claude-fable-5-1", False, True, True),
        ("claude-haiku-5-5", True, False, True),
        ("claude-fable-5-2", True, False, True),
        ("claude-opus-5", True, False, False),
        ("claude-haiku-4-5-20251001", True, False, False),
    ],
)
def test_what_fable_5_1_changed_holds_for_its_like(model, forced, notes, binds):
    """No forced calls, notes between calls as thinking, thinking bound to the conversation."""
    assert catalogue.can_be_forced(model) is forced
    assert catalogue.notes_are_thinking(model) is notes
    assert catalogue.binds_thinking(model) is binds


def test_thinking_between_tools_begins_after_their_results():
    """``between_tools`` turns off the thinking before the first call, and nothing else."""
    request = {"model": "claude-sonnet-5-5", "thinking": {"type": "between_tools"}}

    assert not catalogue.thinks(request)
    assert catalogue.thinks(request, between_calls=True)


def ids(page):
    return [model["id"] for model in page["data"]]


RETIRED = ["claude-mythos-preview", "claude-sonnet-4-5"]


def test_models_are_listed_page_by_page():
    """Pages that follow each other hold every model once, and the last says that it is the last."""
    first = catalogue.page(10)
    second = catalogue.page(10, after_id=first["last_id"])

    assert ids(first) + ids(second) == [name for name in known_models() if name not in RETIRED]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert (first["first_id"], first["last_id"]) == (ids(first)[0], ids(first)[-1])


def test_models_are_listed_backwards():
    """The page before a model ends right before it."""
    page = catalogue.page(2, before_id=known_models()[3])

    assert ids(page) == known_models()[1:3]
    assert page["has_more"] is True
    assert catalogue.page(3, before_id=known_models()[3])["has_more"] is False


def test_models_are_listed_by_their_stage():
    """Those that retired are listed where they are asked for; no other stage has a model."""
    assert ids(catalogue.page(lifecycle=["retired"])) == RETIRED
    assert ids(catalogue.page(lifecycle=["deprecated"])) == ["claude-opus-4-5"]
    assert catalogue.page(lifecycle=["planned"]) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 1001}, {"after_id": "claude-nonsense"}])
def test_a_page_that_cannot_be_is_refused(asked):
    """The error says which of the query it is."""
    with pytest.raises(ValueError, match=r"limit: |claude-nonsense: "):
        catalogue.page(**asked)


@pytest.mark.parametrize(
    ("request_", "mode", "effort"),
    [
        ({"model": "claude-opus-5-5"}, ("adaptive", None), "medium"),
        ({"model": "claude-opus-5"}, ("adaptive", None), "high"),
        ({"model": "claude-opus-4-8"}, ("disabled", None), "high"),
        (
            {
                "model": "claude-haiku-4-5-20251001",
                "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
                "output_config": {"effort": "low"},
            },
            ("enabled", 2000),
            "low",
        ),
    ],
)
def test_what_is_not_asked_for_is_the_models_default(request_, mode, effort):
    """A request that asks for the default thinks as one that asks for nothing."""
    assert catalogue.thinking_mode(request_) == mode
    assert catalogue.effort(request_) == effort
