"""Exercises about the events of a stream and the message that they make."""

from claude_nb.teaching.exercises.exercise import (
    Case,
    Exercise,
    as_object,
    input_deltas,
    stream,
    text_deltas,
    thinking_deltas,
)


def _message(stop_reason: str | None, *texts: str) -> object:
    content = [{"type": "text", "text": text} for text in texts]
    usage = {"input_tokens": 12, "output_tokens": 25 if stop_reason else 1}
    return as_object(
        {"type": "message", "content": content, "stop_reason": stop_reason, "usage": usage}
    )


EXERCISES = (
    Exercise(
        "collect_text",
        hints=(
            "Not every event carries text. Which `type` do the events with text have?",
            (
                "A content_block_delta carries text, thinking, a signature or JSON:"
                " event.delta.type"
                " says which."
            ),
            (
                "Begin with text = '', loop over the events, and where event.type is"
                " 'content_block_delta' and event.delta.type is 'text_delta', add event.delta.text."
                " After the loop, return text."
            ),
        ),
        cases=(
            Case(
                "three pieces of text", (stream(text_deltas(0, "Bl", "ue ", "sky.")),), "Blue sky."
            ),
            Case(
                "thinking first, then text",
                (
                    stream(
                        thinking_deltas(0, "They ask ", "why."), text_deltas(1, "Air ", "scatters.")
                    ),
                ),
                "Air scatters.",
            ),
            Case(
                "text, then the call of a tool",
                (
                    stream(
                        text_deltas(0, "Let me ", "look."),
                        input_deltas(1, '{"city": "Lis', 'bon"}'),
                        stop_reason="tool_use",
                    ),
                ),
                "Let me look.",
            ),
            Case("no text at all", (stream(thinking_deltas(0, "Hm.")),), ""),
            Case(
                "a live stream, which can be read only once",
                (iter(stream(text_deltas(0, "Once ", "only."))),),
                "Once only.",
            ),
        ),
    ),
    Exercise(
        "whole",
        hints=(
            "The text cannot tell you: a text that was cut off may well end with a full stop.",
            "What does the server send at the end, and only there? Where does the message keep it?",
            (
                "message.stop_reason is 'end_turn' when the model had finished, another word if"
                " something else ended it, and None when the end never came."
            ),
        ),
        cases=(
            Case(
                "the model had finished (end_turn)", (_message("end_turn", "Blue."),), expected=True
            ),
            Case("it reached max_tokens", (_message("max_tokens", "Blue is"),), expected=False),
            Case("a silent end: no stop reason", (_message(None, "Blue."),), expected=False),
            Case("the model declined (refusal)", (_message("refusal", "I"),), expected=False),
            Case(
                "finished, in two words without a full stop",
                (_message("end_turn", "Yes please"),),
                expected=True,
            ),
        ),
    ),
    Exercise(
        "tool_input",
        hints=(
            "One piece of JSON is not JSON: json.loads of it fails, or gives something else.",
            "Join every event.delta.partial_json first. What does json.loads make of the whole?",
            (
                "A tool without arguments sends only an empty piece: then the input is {}."
                " If the joined text is not JSON, it was cut off: return None."
            ),
        ),
        cases=(
            Case(
                "JSON in four pieces",
                (stream(input_deltas(0, '{"ci', 'ty": "Lis', 'bon", "days": ', "3}")),),
                {"city": "Lisbon", "days": 3},
            ),
            Case(
                "text before the call",
                (stream(text_deltas(0, "Looking. {"), input_deltas(1, '{"city"', ': "Oslo"}')),),
                {"city": "Oslo"},
            ),
            Case("a call without arguments", (stream(input_deltas(0)),), {}),
            Case(
                "half of the input: the stream broke off",
                (stream(input_deltas(0, '{"city": "Lis'), stop_reason=None),),
                None,
            ),
        ),
    ),
)
