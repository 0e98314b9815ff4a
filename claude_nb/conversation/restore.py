"""Conversations out of what a notebook or a list of messages holds.

Text and attachments are taken over, each checked, and nothing else. What is skipped is noted.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from claude_nb.characters import wellformed
from claude_nb.conversation.compaction import Compaction
from claude_nb.conversation.history import Exchange, History
from claude_nb.conversation.saved_notebook import Record, SavedNotebook
from claude_nb.errors import InputError
from claude_nb.render import displayed, labels
from claude_nb.request import documents
from claude_nb.request.attachments.attachment import Attachment, attach
from claude_nb.request.place import Place
from claude_nb.request.system import as_blocks
from claude_nb.request.uploads import is_upload
from claude_nb.streaming import turns
from claude_nb.streaming.block import SERVER_CALLS, TEXTS, as_dict
from claude_nb.streaming.record import TurnRecord, checked_text

_EXAMPLE = '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]'
_LEFT_OUT = turns.THINKING | SERVER_CALLS | {"mcp_tool_listing"}


@dataclass(frozen=True, slots=True)
class SavedConversation:
    """A conversation as it was saved.

    Attributes:
        name: What it is called.
        exchanges: Its exchanges, each after the one that it follows.
        head: The one that was asked last.
    """

    name: str
    exchanges: tuple[Exchange, ...]
    head: Exchange


def conversations(notebook: SavedNotebook) -> tuple[list[SavedConversation], list[str]]:
    """Rebuild conversations from a notebook's records.

    A turn may be missing: its cell was deleted, or was run again and its record overwritten. What
    followed it then follows the newest turn that was asked before: the missing turn is skipped.

    Args:
        notebook: The records.

    Returns:
        The conversations in the order of the notebook, and notes on what was skipped or moved.
    """
    notes = list(notebook.notes)
    if notebook.unanswered:
        s = "s" * (len(notebook.unanswered) > 1)
        numbers = ", ".join(notebook.label(number) for number in notebook.unanswered)
        notes.append(f"cell{s} {numbers}: no saved answer")
    found: dict[str, dict[str, _SavedTurn]] = {}
    for record in notebook.records:
        label = notebook.label(record.number)
        try:
            turn = _turn(record, label, notes)
        except InputError as error:
            notes.append(f"cell {label}: {error.what}")
            continue
        if turn is None:
            continue
        turns = found.setdefault(turn.conversation, {})
        other = turns.setdefault(turn.exchange.id, turn)
        if turn.is_own and not other.is_own:  # the other one was copied, to above it
            turns[turn.exchange.id] = turn
        one, two = other.exchange, turn.exchange
        if (one.prompt, one.text) != (two.prompt, two.text):
            both = f"cells {other.label} and {turn.label}"
            notes.append(f"{both}: different turns with the same id; one is left out")
    return [_tree(name, list(turns.values()), notes) for name, turns in found.items()], notes


def exchanges(messages: Sequence[Mapping[str, Any]]) -> list[Exchange]:
    """Make exchanges of the messages of the Messages API.

    Words, images and PDFs are taken. Thinking and what server tools did is left out: it is valid
    only below the system prompt that it came with, which is not in the messages.

    Args:
        messages: The messages; their content is a text or a list of content blocks. Several of one
            role in succession are one turn, as they are to the API.

    Returns:
        The exchanges, each after the one that it follows.

    Raises:
        InputError: They are no such messages, or do not end with an answer.
    """
    if not isinstance(messages, list | tuple):
        raise InputError("Pass a list of messages.", f"For example: {_EXAMPLE}")
    if not messages:
        return []
    turns = _turns(messages)
    if turns[0].role != "user" or turns[-1].role != "assistant":
        raise InputError(
            "The messages must begin with the user and end with the assistant.",
            "Leave out a last question without an answer, and ask it.",
        )
    made: list[Exchange] = []
    for asked, answer in zip(turns[::2], turns[1::2], strict=True):
        content = asked.content
        words = [item["text"] for item in content if item["type"] == "text"]
        if not content or not answer.content:
            which = "Answer" if content else "Question"
            raise InputError(f"{which} {len(made) + 1} is empty.")
        exchange = Exchange(
            id=uuid4().hex,
            parent=made[-1] if made else None,
            place=Place(),
            prompt="\n\n".join(words) or f"({content[0]['type']})",
            content=words[0] if [c["type"] for c in content] == ["text"] else tuple(content),
            answer=tuple(answer.content),
            instruct="\n\n".join(asked.instructions),
            cite=asked.cites,
        )
        made.append(exchange)
    return made


@dataclass(slots=True)
class _Turn:
    """Messages of one role in succession, and the instructions of the system behind them."""

    role: str
    content: list[dict[str, Any]] = field(default_factory=list)
    instructions: list[str] = field(default_factory=list)
    cites: bool = False


def _turns(messages: Sequence[Mapping[str, Any]]) -> list[_Turn]:
    turns: list[_Turn] = []
    for number, message in enumerate(messages, 1):
        role = message.get("role") if isinstance(message, dict) else None
        is_instruction = role == "system" and turns and turns[-1].role == "user"
        if role not in ("user", "assistant") and not is_instruction:
            raise InputError(
                f"Message {number} has neither the role user nor assistant.",
                'Pass a system prompt separately: system="…".',
            )
        if not is_instruction and (not turns or turns[-1].role != role):
            turns.append(_Turn(str(role)))
        try:
            blocks = list(_blocks(message.get("content"), str(role)))
        except InputError as error:
            raise InputError(f"Message {number}: {error.what}.", error.advice) from None
        if is_instruction:
            turns[-1].instructions += [block["text"] for block in blocks]
        else:
            turns[-1].content += blocks
            turns[-1].cites |= any(map(_can_be_cited, as_blocks(message["content"])))
    return turns


@dataclass(frozen=True, slots=True)
class _SavedTurn:
    """A turn by itself: the exchange has no parent yet."""

    conversation: str
    exchange: Exchange
    parent: str | None
    asked: float
    label: str
    is_own: bool


def _turn(record: Record, label: str, notes: list[str]) -> _SavedTurn | None:
    """The turn of a record; None if it has none, or an answer without a word: both are right."""
    turn = TurnRecord.from_dict(record.data)
    if turn is None:
        return None
    content = []
    for item in turn.content:
        try:
            content.append(_block(item))
        except InputError as error:
            notes.append(f"cell {label}: {error.what}; the rest of the turn is restored")
    asked, when = _asked(turn.asked)
    exchange = Exchange(
        id=turn.id,
        parent=None,
        place=Place(turn.cell if turn.edited else record.cell or turn.cell),
        prompt=turn.prompt,
        content=tuple(content) or turn.prompt,
        answer=_answer(turn),
        simulated=record.data.get("simulated") is True,
        asked=asked,
        compaction=None if turn.compaction is None else Compaction(None, **turn.compaction),
        instruct=turn.instruct if turn.instruct.strip() else "",
        cite=turn.cite,
        edited=turn.edited,
        answerer=turn.answerer,
    )
    name, is_own = History(turn.conversation).name, turn.cell == record.cell
    return _SavedTurn(name, exchange, turn.parent, when, label, is_own)


def _answer(turn: TurnRecord) -> tuple[dict[str, Any], ...]:
    """The content blocks of an answer; its text alone where they are not what they should be."""
    found = []
    for block in map(as_dict, turn.answer):
        kind, text = block.get("type"), block.get("text")
        if kind not in TEXTS or not isinstance(text, str):
            return ({"type": "text", "text": turn.text},)
        made: dict[str, Any] = {"type": kind, "text": wellformed(text)}
        if kind == "display":
            made["parts"] = list(displayed.checked(block.get("parts")))
        found.append(made)
    return tuple(found) or ({"type": "text", "text": turn.text},)


def _asked(value: str) -> tuple[str, float]:
    """When a turn was asked, as saved and in seconds; what is no time is before all times."""
    try:
        moment = datetime.fromisoformat(value)
        return value, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return "", 0.0


def _tree(name: str, turns: list[_SavedTurn], notes: list[str]) -> SavedConversation:
    turns.sort(key=lambda turn: turn.asked)  # those of one time stay in the notebook's order
    by_id = {turn.exchange.id: turn for turn in turns}
    instead: dict[str, str | None] = {}  # of a missing turn: the newest one before what followed it
    newest: str | None = None
    for turn in turns:
        if turn.parent is not None and turn.parent not in by_id:
            before = instead.setdefault(turn.parent, newest)
            now = f"now it follows {_quote(by_id[before])}" if before else "now it is the first"
            notes.append(f"{_quote(turn)}: the turn before it is not in the notebook; {now}")
        newest = turn.exchange.id
    parents = {id_: instead.get(turn.parent or "", turn.parent) for id_, turn in by_id.items()}
    made: dict[str, Exchange] = {}
    for turn in turns:
        chain: dict[str, None] = {}  # from a turn back to one that is made, or to a beginning
        at: str | None = turn.exchange.id
        while at is not None and at not in made:
            if at in chain:
                notes.append(f"{_quote(by_id[at])}: the turns before it form a loop")
                break
            chain[at] = None
            at = parents[at]
        for id_ in reversed(chain):
            parent = made.get(parents[id_] or "")
            made[id_] = replace(by_id[id_].exchange, parent=parent)
    return SavedConversation(name, tuple(made.values()), made[turns[-1].exchange.id])


def _quote(turn: _SavedTurn) -> str:
    return f"“{labels.first_words(turn.exchange.prompt, 24)}”"


def _block(value: Any) -> dict[str, Any]:
    """Check a content block of a user's turn, and keep of it what is sent: words or an attachment.

    Args:
        value: Whatever stands in the place of a content block: text, a document of text, an image
            or a PDF in base64, whose type is what its bytes say, or what was uploaded.

    Returns:
        The block, with the fields that are known and no others.

    Raises:
        InputError: It is something else, or broken.
    """
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "text":
        return {"type": "text", "text": checked_text(value.get("text"), "a text block")}
    source = value.get("source") if kind in ("image", "document") else None
    if kind == "document" and isinstance(source, dict) and source.get("type") == "text":
        text = checked_text(source.get("data"), "a document")
        return documents.document([{"type": "text", "text": text}], _title(value))[0]
    if not isinstance(source, dict) or source.get("type") not in ("base64", "upload"):
        raise InputError("a content block is neither text nor an image or PDF in base64")
    title = _title(value)
    try:
        attached = _attached(source, f"the {kind}", title)
    except (TypeError, ValueError) as error:
        what = error.what if isinstance(error, InputError) else f"the {kind} is not valid base64"
        raise InputError(what.removesuffix(".")) from None
    taken = next(iter(attached.blocks), {})
    if taken.get("type") != kind or taken["source"]["media_type"] != source.get("media_type"):
        raise InputError(
            f"the {kind} does not match its media type: {source.get('media_type')!r:.40}"
        )
    if is_upload(taken):  # whoever wrote the notebook does not decide what is uploaded from here
        taken["source"]["seconds"] = 0
    return taken | ({"title": title} if kind == "document" else {})


def _attached(source: dict[str, Any], what: str, title: str) -> Attachment:
    """What a source holds; what was uploaded is read from its file, if that is still the same.

    Raises:
        InputError: The file is gone, or has another content now.
        ValueError: It is not valid base64.
    """
    data, path = source.get("data"), source.get("path")
    if source["type"] == "base64":
        return attach(base64.b64decode(data or "", validate=True), what)
    if isinstance(data, str):
        is_text = source.get("media_type") == "text/plain"
        content = data.encode() if is_text else base64.b64decode(data, validate=True)
        return attach(content, title if is_text else what, upload=True)
    # To open a file of another machine would show who opens the notebook.
    if not isinstance(path, str) or re.match(r"[/\\]{2}", path):
        raise InputError(f"{what} is not saved")
    attached = attach(Path(path), what, upload=True)
    digests = [block["source"]["sha256"] for block in attached.blocks if is_upload(block)]
    if digests != [source.get("sha256")]:
        raise InputError(f"{what} ({path}) has changed since it was sent")
    return attached


def _title(document: dict[str, Any]) -> str:
    title = document.get("title")
    return checked_text(title, "a title") if isinstance(title, str) else "document"


def _can_be_cited(block: dict[str, Any]) -> bool:
    return (
        block.get("type") == "document" and as_dict(block.get("citations")).get("enabled") is True
    )


def _blocks(content: Any, role: str) -> Iterator[dict[str, Any]]:
    if not isinstance(content, list | tuple):
        yield {"type": "text", "text": checked_text(content, "its content")}
        return
    for item in content:
        kind = str(item.get("type")) if isinstance(item, dict) else None
        if kind in ("tool_use", "tool_result"):
            raise InputError(
                "tool calls cannot be imported", "Leave out the turns with tool calls."
            )
        if role == "system" and kind != "text":
            raise InputError(f"an instruction must be text, not {kind!r:.40}")
        if role == "assistant" and kind is not None:
            if kind in _LEFT_OUT or kind.endswith("_tool_result"):
                continue
            if kind != "text":
                raise InputError(f"an answer must be text, not {kind!r:.40}")
        yield _block(item)
