"""The simulator quotes documents whose citations are switched on, in the API's own shapes."""

import copy
import random
from typing import Any

import pytest
from anthropic.types import TextCitation
from pydantic import TypeAdapter

from claude_nb.simulator.scripts import answer_to
from claude_nb.simulator.validation import problem

ON = {"enabled": True}
TEXT = {
    "type": "document",
    "title": "Colours",
    "source": {
        "type": "text",
        "media_type": "text/plain",
        "data": "Grass is green. At 3.30 the sky is blue! Snow",
    },
    "citations": ON,
}
PDF = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
    "citations": ON,
}
PARTS = {
    "type": "document",
    "title": "Parts",
    "source": {"type": "content", "content": [{"type": "text", "text": "One part."}]},
    "citations": ON,
}
FILE = {"type": "document", "source": {"type": "file", "file_id": "file_1"}, "citations": ON}


def request(*documents: dict[str, Any], prompt="What colour is the sky?"):
    content = [*documents, {"type": "text", "text": prompt}]
    return {
        "model": "claude-opus-5-5",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": content}],
    }


def citations(body):
    answer = answer_to(body, random.Random(1))
    return [citation for written in answer.content for citation in written.citations]


def test_each_kind_of_document_is_cited_in_its_own_way():
    """A text by characters, a PDF by pages, parts by their number; all as the SDK's types."""
    found = citations(request(TEXT, PDF, PARTS))

    assert found == [
        {
            "type": "char_location",
            "cited_text": "At 3.30 the sky is blue!",
            "document_index": 0,
            "document_title": "Colours",
            "file_id": None,
            "start_char_index": 16,
            "end_char_index": 40,
        },
        {
            "type": "page_location",
            "cited_text": "Simulated text of page 1 of a document.",
            "document_index": 1,
            "document_title": None,
            "file_id": None,
            "start_page_number": 1,
            "end_page_number": 2,
        },
        {
            "type": "content_block_location",
            "cited_text": "One part.",
            "document_index": 2,
            "document_title": "Parts",
            "file_id": None,
            "start_block_index": 0,
            "end_block_index": 1,
        },
    ]
    for citation in found:
        TypeAdapter(TextCitation).validate_python(citation, strict=True)


def test_a_file_is_named_in_its_citation():
    """By its id, and a later turn is answered from the same document."""
    body = request(FILE)
    body["messages"] += [
        {"role": "assistant", "content": "I see."},
        {"role": "user", "content": "Tell me a story."},
    ]

    assert [citation["file_id"] for citation in citations(body)] == ["file_1"]


@pytest.mark.parametrize(
    "body", [request(TEXT | {"citations": None}), request(TEXT, prompt="Please refuse.")]
)
def test_nothing_is_cited_where_it_is_off_or_refused(body):
    """Without citations the answer is a script's, and so is a refusal."""
    assert citations(body) == []


def changed(document, path, value):
    found = copy.deepcopy(document)
    inner = found
    *steps, last = path
    for step in steps:
        inner = inner[step]
    inner[last] = value
    return found


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([TEXT, PDF, PARTS, FILE], None),
        ([TEXT | {"citations": {"enabled": False}}, TEXT | {"citations": None}], None),
        ([TEXT, PDF | {"citations": None}], "citations must be enabled on all or none"),
        ([changed(TEXT, ["colour"], 1)], "messages.0.content.0.document.colour: Extra inputs"),
        ([changed(TEXT, ["citations", "kind"], 1)], "messages.0.content.0.document.citations.kind"),
        (
            [changed(TEXT, ["citations", "enabled"], 1)],
            "messages.0.content.0.document.citations.en",
        ),
        (
            [changed(TEXT, ["source", "data"], " ")],
            "messages.0.content.0.document.source.data: text",
        ),
        (
            [changed(TEXT, ["source", "media_type"], "text/html")],
            "messages.0.content.0.document.sour",
        ),
        (
            [changed(PDF, ["source", "type"], "pdf")],
            "messages.0.content.0.document.source.type: In",
        ),
        (
            [changed(FILE, ["source", "data"], "x")],
            "messages.0.content.0.document.source.data: Ext",
        ),
        ([{"type": "document"}], "messages.0.content.0.document.source: Field required"),
    ],
)
def test_documents_are_as_the_api_takes_them(documents, message):
    """Unknown fields, wrong sources and citations on some documents alone are a 400."""
    error = problem(request(*documents))

    assert (error and error.message[: len(message)]) == message


def test_a_citation_goes_back_without_its_file():
    """The SDK's types of citations in a request have no ``file_id``."""
    (cited,) = citations(request(TEXT))
    body = request(TEXT)
    answer = {"type": "text", "text": "Blue.", "citations": [cited]}
    body["messages"] += [
        {"role": "assistant", "content": [answer]},
        {"role": "user", "content": "Go on."},
    ]

    assert problem(body).message.endswith(
        "citations.0.char_location.file_id: Extra inputs are not permitted"
    )
    del cited["file_id"]
    assert problem(body) is None
