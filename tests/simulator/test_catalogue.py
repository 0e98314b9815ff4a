"""The simulator's models are those that have facts, in the API's own shape."""

import pytest
from anthropic.types import ModelInfo

from claude_nb.models import facts, known_models
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


@pytest.mark.parametrize(
    ("model", "thinking", "display"),
    [
        ("claude-opus-5-5", None, "omitted"),
        ("claude-opus-4-6", None, "summarized"),
        ("claude-opus-5-5", {"type": "adaptive", "display": "summarized"}, "summarized"),
        ("claude-opus-4-6", {"type": "adaptive", "display": "omitted"}, "omitted"),
        ("claude-mythos-5-2", None, "omitted"),
    ],
)
def test_thinking_is_shown_as_asked_or_as_the_model_does(model, thinking, display):
    """The request's ``display`` goes before the model's default; unknown defaults show nothing."""
    assert catalogue.thinking_display({"model": model, "thinking": thinking}) == display
