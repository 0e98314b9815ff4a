"""The records that replies leave in a notebook: JSON in an output, with a MIME type of its own.

They stand beside the forms for people, and not in the output's metadata: VS Code keeps the metadata
that an output had when it was first displayed (see ``tests/vscode.py``).

Every record has ``version`` and ``simulated``, and one of these:

- ``model`` … ``turn``: one reply, see ``ReplyRecord``; only ``turn`` where a conversation was
  exported.
- ``replies``: a list of such records; beside it ``chat`` or ``comparison`` (the names of the
  columns). ``chat`` has ``conversation``, its name; ``turns``, how many it shows; ``head``, the id
  of the turn that it goes on from, or null for the beginning; and ``cell``, the id of the cell in
  which it was made.
- ``batch``: ``ids``, ``rows`` (how many), ``counts`` (by outcome), ``options`` (what all rows are
  asked with) and ``spent`` (by id: ``requests``, ``usage``, ``cost_usd`` and ``asked``: when it
  was submitted); beside it ``model`` and ``outcome``, and, once it has ended, ``requests``,
  ``usage``, ``cost_usd`` and ``price_list_date``.

A file may come from anybody and may have been edited by hand: what is read is checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from claude_nb.characters import wellformed
from claude_nb.cost.models import facts
from claude_nb.cost.usage import COUNTS, Usage
from claude_nb.errors import InputError
from claude_nb.redaction import redacted
from claude_nb.request import uploads
from claude_nb.request.place import Place
from claude_nb.request.request import TurnId
from claude_nb.streaming.block import TEXTS, as_dict, as_string
from claude_nb.streaming.progress import Timing

VERSION = 1

MIME = "application/vnd.claude-nb+json"
"""The MIME type under which an output has its record."""

_OLDER = "claude_nb"
"""Where the metadata of a cell has the record of a turn that was exported as text; and where the
metadata of outputs had theirs in earlier versions."""

MAX_CONTENT = 1_000_000
"""Bytes of base64 that are saved with a turn, and with a chat: what is beyond is left out."""

MAX_COUNT = 10**12
"""Tokens that a record may name at most: a larger number is no count of tokens."""

MAX_ID = 100
"""Characters of a turn's id at most; our own have 32."""

USAGE_IF_ANY: dict[str, Any] = {"web_searches": 0, "terms": ()}
"""What of a usage is saved only if it is something else."""

_OF_TURN_IF_ANY = ("instruct", "cite", "compaction", "edited", "answerer", "answer")

_IF_ANY = (
    *("asked", "replayed", "kept", "cache", "sources", "displayed", "error_of", "turn", "once"),
    "answer",
)


def recorded(part: Any) -> Any:
    """The record that an output has, or a cell that was exported as text; None if there is none.

    Args:
        part: The output or the cell, as JSON of a notebook that may come from anybody.
    """
    found = as_dict(as_dict(part).get("data")).get(MIME)
    return as_dict(as_dict(part).get("metadata")).get(_OLDER) if found is None else found


@dataclass(frozen=True, slots=True)
class ReplyRecord:
    """What is saved of a reply; None is unknown.

    Attributes:
        model: The model that answered.
        simulated: Whether the simulator did.
        outcome: How it ended, a value of ``Outcome``.
        stop_reason: As the server sent it.
        request_ids: The API's ids of its requests.
        usage: The tokens of all of them.
        cost_usd: In USD, by the price list of ``price_list_date``.
        price_list_date: An ISO 8601 date.
        timing: In seconds, to the millisecond.
        asked: When it was asked, as ISO 8601; absent where its turn says so.
        replayed: Whether it comes from a recording, so that nothing was spent; absent if not.
        kept: Of a kept answer, for which nothing was spent when it was shown: when it was given;
            absent for others. What it records was spent then.
        cache: Absent where nothing went through the cache: ``saved_usd``; ``miss``, the reason of
            a miss; and ``said``, the lines that the reader sees.
        sources: What it cites; absent if nothing.
        displayed: What its tools show to the reader, as parts (``render.displayed``), for a chat
            that goes on from it; absent if nothing.
        error_of: The cell whose error it was asked about: its id, or an empty text, as ``cell`` and
            the number of its execution; absent if there is none.
        turn: A ``TurnRecord``; absent outside a conversation.
        once: Of a reply outside a conversation, what a chat takes to go on from it, as in a turn:
            ``prompt``, ``content``, ``text``, ``instruct`` and ``cite``; absent in one.
        answer: What it takes to show the answer again where the same is asked: ``id`` and
            ``request``, which say what was asked; ``answered``, when; ``events``; and ``digest``,
            by which an edited one is found. Absent for what is not complete.
    """

    model: str
    simulated: bool
    outcome: str
    stop_reason: str | None
    request_ids: Sequence[str]
    usage: Usage
    cost_usd: float | None
    price_list_date: str
    timing: Timing
    asked: str = ""
    replayed: bool = False
    kept: str = ""
    cache: dict[str, Any] | None = None
    sources: Sequence[dict[str, Any]] = ()
    displayed: Sequence[dict[str, Any]] = ()
    error_of: Place | None = None
    turn: dict[str, Any] | None = None
    once: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The record, without what looks like an API key."""
        data = {name: value for name, value in asdict(self).items() if value or name not in _IF_ANY}
        timing = {name: value and round(value, 3) for name, value in data["timing"].items()}
        made: dict[str, Any] = redacted(
            {"version": VERSION, **data, "usage": usage_to_dict(self.usage), "timing": timing}
        )
        return made


def usage_to_dict(usage: Usage) -> dict[str, Any]:
    """A usage as JSON."""
    return {n: v for n, v in asdict(usage).items() if n not in USAGE_IF_ANY or v != USAGE_IF_ANY[n]}


def of_several(records: Sequence[dict[str, Any]], **kind: Any) -> dict[str, Any]:
    """The record of an output that shows several replies.

    Args:
        records: The records of the replies.
        **kind: What shows them: ``chat`` or ``comparison``.
    """
    simulated = any(record.get("simulated") is True for record in records)
    return {"version": VERSION, "simulated": simulated, **redacted(kind), "replies": list(records)}


def within(records: Sequence[dict[str, Any]], most: float = MAX_CONTENT) -> list[dict[str, Any]]:
    """Records of replies, with a note in place of data beyond ``most`` bytes: the newest have some.

    Args:
        records: The records.
        most: Bytes of base64.
    """
    found = list(records)
    turns = [as_dict(record.get("turn")) for record in records]
    for i in sorted(range(len(turns)), key=lambda i: as_string(turns[i].get("asked")))[::-1]:
        for name in ("content", "answer"):
            content = turns[i].get(name)
            if isinstance(content, list) and any(map(size, content)):
                kept = list(_within(content, most))
                most -= sum(map(size, kept))
                turns[i] = {**turns[i], name: kept}
                found[i] = {**records[i], "turn": turns[i]}
    return found


def size(block: Any) -> int:
    """Bytes of base64 in a content block, which may come from anybody."""
    parts = as_dict(block).get("parts")
    own = len(as_string(as_dict(as_dict(block).get("source")).get("data")))
    return own + sum(map(size, parts if isinstance(parts, list) else ()))


@dataclass(frozen=True, slots=True)
class TurnRecord(TurnId):
    """What restoring a turn of a conversation needs, beside its place in it.

    Words and attachments alone: thinking and calls of tools would not be valid elsewhere.

    Attributes:
        prompt: The user's words.
        content: What was sent for them: content blocks; those of a file are not checked. Of what
            was uploaded there are path and digest, without an id.
        text: The answer.
        compaction: Of a summary of the turns before it, the tokens ``before`` and ``after``; absent
            for a question.
        instruct: The instruction that holds from it on; absent if there is none.
        cite: Whether its answer could cite documents; absent if not.
        edited: The id of the turn with the answer that came, where the user wrote another one;
            absent if not.
        answerer: The function of the notebook that answered, by name; absent for a model.
        answer: The answer's content blocks where a function has displayed something: texts, and
            blocks of the type ``display``; those of a file are not checked. Absent for others.
    """

    prompt: str
    content: Sequence[Any]
    text: str
    compaction: dict[str, Any] | None = None
    instruct: str = ""
    cite: bool = False
    edited: str = ""
    answerer: str = ""
    answer: Sequence[Any] = ()

    def to_dict(self, most: float = MAX_CONTENT) -> dict[str, Any]:
        """The turn as JSON, without what looks like an API key.

        Args:
            most: Bytes of base64 that are saved.
        """
        content = list(_within(map(uploads.saved, self.content), most))
        answer = list(_within(map(_saved, self.answer), most))
        data = asdict(self) | {"content": content, "answer": answer}
        made: dict[str, Any] = redacted(
            {name: value for name, value in data.items() if value or name not in _OF_TURN_IF_ANY}
        )
        return made

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> TurnRecord | None:
        """The turn of a reply's record; None if it has none, or its answer no text.

        Raises:
            InputError: Something in it is not what it should be.
        """
        turn = record.get("turn")
        if turn is None:
            return None
        if not isinstance(turn, dict):
            raise InputError("its turn cannot be read")
        answer = turn.get("text")
        if isinstance(answer, str) and not answer.strip():
            return None
        name = checked_text(turn.get("conversation"), "the conversation's name")
        turn_id, parent = checked_text(turn.get("id"), "its id"), turn.get("parent")
        if len(turn_id) > MAX_ID or not (parent is None or isinstance(parent, str)):
            raise InputError("its id or its parent's is not an id")
        content = turn.get("content")
        return cls(
            conversation=name,
            id=turn_id,
            parent=parent,
            cell=as_string(turn.get("cell")),
            asked=as_string(turn.get("asked")),
            prompt=checked_text(turn.get("prompt"), "its prompt"),
            content=content if isinstance(content, list) else (),
            text=checked_text(answer, "its answer").rstrip(),
            compaction=_compaction(turn.get("compaction")),
            instruct=wellformed(as_string(turn.get("instruct"))),
            cite=turn.get("cite") is True,
            edited=wellformed(as_string(turn.get("edited")))[:MAX_ID],
            answerer=wellformed(as_string(turn.get("answerer")))[:MAX_ID],
            answer=turn["answer"] if isinstance(turn.get("answer"), list) else (),
        )


def displayed_content(turns: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The texts and displays of an answer, if it displays more than text; none otherwise.

    Args:
        turns: Its turns, as the API's dicts.
    """
    said = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    found = [block for content in said for block in content if block["type"] in TEXTS]
    return found if any(block["type"] == "display" for block in found) else []


def _saved(block: dict[str, Any]) -> dict[str, Any]:
    """A block of an answer without the ids of widgets, which end with their kernel."""
    if block["type"] != "display":
        return block
    parts = [{k: v for k, v in part.items() if k != "model_id"} for part in block["parts"]]
    return block | {"parts": parts}


def _compaction(value: Any) -> dict[str, Any] | None:
    """What a turn's record says that a summary took; None for a question."""
    if value is None:
        return None
    return {name: _number(as_dict(value).get(name), int) for name in ("before", "after")}


def checked_text(value: Any, what: str) -> str:
    """A text with something in it; half a character becomes U+FFFD.

    Args:
        value: Any value.
        what: What to call it in the error.

    Raises:
        InputError: It is not such a text.
    """
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{what} is {'empty' if isinstance(value, str) else 'not text'}")
    return wellformed(value)


def _within(content: Iterable[dict[str, Any]], most: float) -> Iterator[dict[str, Any]]:
    """Content blocks, with a note in place of data beyond ``most`` bytes."""
    for block in content:
        length = size(block)
        if length <= most:
            most -= length
            yield block
        else:
            note = f"[{describe_data(block)}: not saved]"
            is_display = block.get("type") == "display"
            yield {"type": "text", "text": f"\n\n{note}\n\n" if is_display else note}


def describe_data(block: dict[str, Any]) -> str:
    """A content block with data in a few words: ``image of 2.3 MB``."""
    kind = "image" if block.get("type") == "display" else block.get("type")
    return f"{kind} of {size(block) / 1e6:.1f} MB"


@dataclass(frozen=True, slots=True)
class RecordedUsage:
    """What a record says that a reply, or a batch of the service, took.

    Attributes:
        requests: How many requests it was.
        simulated: Whether the simulator answered.
        usage: The tokens of all of them; None is unknown.
        cost: In USD by the price list of that day, or None where it is unknown.
        model: The model that answered; empty if it is not known.
        asked: When it was asked, as ISO 8601; empty if it is not known.
        unpriced: What its usage names and the price list does not: the cost is then a lower bound.
        kept: Whether it is shown as a kept answer, so that it was not paid for again.
    """

    requests: int
    simulated: bool
    usage: Usage
    cost: float | None
    model: str = ""
    asked: str = ""
    unpriced: tuple[str, ...] = ()
    kept: bool = False

    @classmethod
    def of(cls, record: dict[str, Any]) -> RecordedUsage | None:
        """What a record has of it; None for a replay, or a copy of a turn without its usage."""
        if "usage" not in record or record.get("replayed") is True:
            return None
        counts = as_dict(record["usage"])
        terms = counts.get("terms")
        usage = Usage(
            **{name: _number(counts.get(name, USAGE_IF_ANY.get(name)), int) for name in COUNTS},
            terms=tuple(map(str, terms)) if isinstance(terms, list) else (),
        )
        ids = record.get("request_ids")
        # A request that a server took has an id, except with a gateway that gives none.
        some = replace(usage, thinking_tokens=0) != Usage()
        model = as_string(record.get("model"))
        asked = (
            record.get("kept") or record.get("asked") or as_dict(record.get("turn")).get("asked")
        )
        return cls(
            requests=_number(record.get("requests"), int)  # of a batch
            or max(len(ids) if isinstance(ids, list) else 0, int(some)),
            simulated=record.get("simulated") is True,
            usage=usage,
            cost=_number(record.get("cost_usd"), int, float),
            model=model,
            asked=as_string(asked),
            unpriced=usage.unpriced(facts(model)),
            kept=bool(record.get("kept")),
        )


def spendings(record: dict[str, Any], digest: str) -> dict[str, RecordedUsage]:
    """What a record says was spent, by what is paid for once.

    That is a batch's id, or a reply's digest: of one that may be kept that of its answer, which is
    the same wherever it is shown again.
    """
    parts = as_dict(as_dict(record.get("batch")).get("spent"))
    if parts and all(isinstance(part, dict) for part in parts.values()):
        shared = {name: record.get(name) for name in ("simulated", "model")}
        found = {
            name: RecordedUsage.of({"usage": None, **part, **shared})
            for name, part in parts.items()
        }
    else:
        own = as_string(as_dict(record.get("answer")).get("digest"))
        found = {own or digest: RecordedUsage.of(record)}
    return {name: spent for name, spent in found.items() if spent is not None}


def _number(value: Any, *kinds: type) -> Any:
    """A count or a price as a record has it, or None for what is none."""
    return value if type(value) in kinds and 0 <= value <= MAX_COUNT else None
