"""Documents whose text can be cited: the answer that quotes them, and the API's rules for them.

The rules are those of platform.claude.com/docs ("Citations", read 2026-11-30) and of the SDK's
types: ``DocumentBlockParam`` and the locations of citations.
"""

import re
from collections.abc import Iterator
from typing import Any

from claude_nb.simulator import wire
from claude_nb.simulator.refusals import mistyped, required
from claude_nb.simulator.tokens import blocks, parts
from claude_nb.simulator.turns import words

_SENTENCE = re.compile(r"\S(?:[^.!?\n]|[.!?](?=\S))*[.!?]?")
_MOST = 3
"""How many documents are quoted."""

_FIELDS = ("type", "source", "title", "context", "citations", "cache_control")
_SOURCES: dict[str, dict[str, type]] = {
    "base64": {"media_type": str, "data": str},
    "text": {"media_type": str, "data": str},
    "content": {"content": object},
    "url": {"url": str},
    "file": {"file_id": str},
}
"""The fields of each kind of source."""

_MEDIA_TYPES = {"base64": "application/pdf", "text": "text/plain"}

_CITATIONS: dict[str, tuple[str, ...]] = {
    "char_location": ("start_char_index", "end_char_index"),
    "page_location": ("start_page_number", "end_page_number"),
    "content_block_location": ("start_block_index", "end_block_index"),
}
"""The places in a document, as an answer that is sent back has them."""

_OF_DOCUMENT = ("type", "cited_text", "document_index", "document_title")


def answer(request: dict[str, Any], prompt: str) -> wire.Answer | None:
    """Return an answer that quotes the documents of a request; ``None`` if none can be cited.

    Of a text it is the sentence that shares the most words with the prompt.
    """
    found = list(enumerate(_documents(request)))
    cited = [(index, block) for index, block in found if is_citable(block)][:_MOST]
    if not cited:
        return None
    written = [wire.text("The simulator quotes what was sent along, and has read no more of it.")]
    for index, block in cited:
        citation = _citation(index, block, set(words(prompt)))
        name = block.get("title") or f"document {index + 1}"
        written += [
            wire.text(f"\n\n- In *{name}* it says: "),
            wire.text(citation["cited_text"].strip(), citation),
        ]
    return wire.Answer(written)


def is_citable(block: dict[str, Any]) -> bool:
    """Say whether citations are switched on for a document."""
    return bool((block.get("citations") or {}).get("enabled"))


def complaints(request: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the documents and the citations of a request's messages."""
    for part in parts(request):
        if part.level == "messages":
            yield from _about_block(part.path, part.block)
            if part.role == "assistant" and part.block["type"] == "text":
                yield from _about_citations(part.path, part.block)
    if len({is_citable(block) for block in _documents(request)}) > 1:
        yield "citations must be enabled on all or none of the documents in a request"


def _about_block(at: str, block: dict[str, Any]) -> Iterator[str]:
    if block["type"] == "tool_result":
        for number, inner in enumerate(blocks(block.get("content") or [])):
            yield from _about_block(f"{at}.content.{number}", inner)
    if block["type"] == "document":
        yield from _about_document(f"{at}.document", block)


def _about_document(at: str, block: dict[str, Any]) -> Iterator[str]:
    for name in block:
        if name not in _FIELDS:
            yield f"{at}.{name}: Extra inputs are not permitted"
    yield from mistyped(f"{at}.", block, title=str, context=str)
    for name, value in (block.get("citations") or {}).items():
        if name != "enabled":
            yield f"{at}.citations.{name}: Extra inputs are not permitted"
        elif not isinstance(value, bool):
            yield f"{at}.citations.enabled: Input should be a valid boolean"
    yield from required(f"{at}.", block, source=dict)
    yield from _about_source(f"{at}.source", block["source"])


def _about_source(at: str, source: dict[str, Any]) -> Iterator[str]:
    kind: Any = source.get("type")
    if not isinstance(kind, str) or kind not in _SOURCES:
        yield f"{at}.type: Input should be {', '.join(map(repr, _SOURCES))}"
    fields = _SOURCES[kind]
    yield from required(f"{at}.", source, **fields)
    for name in source:
        if name not in ("type", *fields):
            yield f"{at}.{name}: Extra inputs are not permitted"
    if (media_type := source.get("media_type")) != _MEDIA_TYPES.get(kind):
        yield f"{at}.media_type: Input should be {_MEDIA_TYPES[kind]!r}, not {media_type!r}"
    if kind == "text" and not source["data"].strip():
        yield f"{at}.data: text content must contain non-whitespace text"


def _about_citations(at: str, block: dict[str, Any]) -> Iterator[str]:
    cited = block.get("citations")
    for number, citation in enumerate(cited if isinstance(cited, list) else ()):
        kind = citation.get("type") if isinstance(citation, dict) else None
        allowed = _CITATIONS.get(kind) if isinstance(kind, str) else None
        for name in citation if allowed else ():
            if name not in (*_OF_DOCUMENT, *(allowed or ())):
                where = f"{at}.text.citations.{number}.{kind}"
                yield f"{where}.{name}: Extra inputs are not permitted"


def _documents(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the documents of the messages, in their order: so they are numbered in citations."""
    for part in parts(request):
        inner = [part.block] if part.level == "messages" else []
        if inner and part.block["type"] == "tool_result":
            inner = blocks(part.block.get("content") or [])
        yield from (block for block in inner if block["type"] == "document")


def _citation(index: int, block: dict[str, Any], asked: set[str]) -> dict[str, Any]:
    source, title = block["source"], block.get("title")
    cited: dict[str, Any] = {"document_index": index, "document_title": title}
    cited["file_id"] = source.get("file_id")
    if source["type"] == "text":
        sentences = list(_SENTENCE.finditer(source["data"]))
        best = max(sentences, key=lambda found: len(asked.intersection(words(found[0]))))
        place = {"start_char_index": best.start(), "end_char_index": best.end()}
        return {"type": "char_location", "cited_text": best[0], **cited, **place}
    if source["type"] == "content":
        text = next((b["text"] for b in blocks(source["content"]) if b.get("type") == "text"), "")
        place = {"start_block_index": 0, "end_block_index": 1}
        return {"type": "content_block_location", "cited_text": text, **cited, **place}
    text = f"Simulated text of page 1 of {title or 'a document'}."
    place = {"start_page_number": 1, "end_page_number": 2}
    return {"type": "page_location", "cited_text": text, **cited, **place}
