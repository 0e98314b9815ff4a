"""The result of a row: read from its line when it is looked at, and all of them as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from enum import StrEnum
from typing import Any, overload

from claude_nb.characters import clean
from claude_nb.client.output import Output
from claude_nb.cost.models import facts
from claude_nb.cost.usage import Usage, is_billed, known
from claude_nb.errors import InputError
from claude_nb.redaction import redact, redact_error
from claude_nb.render.labels import counted
from claude_nb.render.table import import_pandas

_CUT = {
    "max_tokens": "cut off at max_tokens",
    "model_context_window_exceeded": "cut off: the context window is full",
}


class RowOutcome(StrEnum):
    """The outcome of a row."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    INVALID = "invalid"
    ERRORED = "errored"
    CANCELED = "canceled"
    EXPIRED = "expired"
    PROCESSING = "processing"
    MISSING = "missing"
    NOT_SENT = "not sent"


ORDER = tuple(RowOutcome)
"""All outcomes, the best first."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a row.

    Attributes:
        row: Its number, from 0.
        label: What it was called: the table's index, or its number.
        outcome: ``complete``, or why it is not: ``truncated``, ``refused``, ``invalid`` (not what
            ``output`` asks for), ``errored``, ``canceled``, ``expired``, ``processing``,
            ``missing`` (the server sent no result for it), ``not sent``.
        error: The reason in words; empty where it is complete.
        text: The reply's text, complete or not; None where there is no reply.
        value: With ``output``: the reply as a dict or as the pydantic model; None where it is not
            complete.
        stop_reason: As the server sent it, or None.
        usage: Its tokens.
        cost: In USD at batch prices, or None where it is unknown.
        message: The whole message as the API's dict, or None.
    """

    row: int
    label: Any
    outcome: RowOutcome
    error: str = ""
    text: str | None = None
    value: Any = None
    stop_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost: float | None = 0.0
    message: dict[str, Any] | None = None

    @property
    def model(self) -> str:
        """The model that answered, or an empty string."""
        return clean(str((self.message or {}).get("model") or ""))

    @property
    def is_free(self) -> bool:
        """Whether it was refused before any output, in a category in which that is not billed."""
        message = self.message or {}
        details = message.get("stop_details")
        category = details.get("category") if isinstance(details, dict) else None
        unwritten = self.stop_reason == "refusal" and not message.get("content")
        return unwritten and not is_billed(category)

    @property
    def simulated(self) -> bool:
        """Whether the simulator wrote it."""
        return str((self.message or {}).get("id") or "").startswith("msg_sim_")

    def __repr__(self) -> str:
        text = self.error or redact(self.text or "")
        shown = text if len(text) <= 60 else f"{text[:59]}…"
        return f"<Result {clean(str(self.label))} · {self.outcome} · {shown!r}>"


@dataclass(frozen=True, slots=True)
class Spent:
    """What replies took; None is "not known".

    Attributes:
        replies: How many they are.
        usage: Their tokens.
        cost: In USD at batch prices.
        full: In USD, had they been asked for one by one.
    """

    replies: int = 0
    usage: Usage = field(default_factory=Usage)
    cost: float | None = 0.0
    full: float | None = 0.0

    @classmethod
    def of(cls, result: Result) -> Spent:
        """What one reply took; each by itself, because a price may depend on a prompt's size."""
        full = 0.0 if result.is_free else result.usage.cost(facts(result.model))
        return cls(1, result.usage, result.cost, full)

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.replies + other.replies,
            self.usage + other.usage,
            known(sum, (self.cost, other.cost)),
            known(sum, (self.full, other.full)),
        )


class Results(Sequence[Result]):
    """The results of a batch in the order of its rows; each is read when it is looked at.

    Args:
        count: How many rows there are.
        read: Makes the result of a row.
    """

    def __init__(self, count: int, read: Callable[[int], Result]) -> None:
        self._count = count
        self._read = read

    def __reduce__(self) -> tuple[Any, ...]:
        return _in_memory, (list(self),)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, key: int) -> Result: ...
    @overload
    def __getitem__(self, key: slice) -> list[Result]: ...
    def __getitem__(self, key: int | slice) -> Result | list[Result]:
        rows = range(self._count)[key]
        return self._read(rows) if isinstance(rows, int) else [self._read(row) for row in rows]

    def __repr__(self) -> str:
        shown = "\n".join(f"  {self._read(row)!r}" for row in range(min(5, self._count)))
        more = f"\n  … {self._count - 5:,} more" if self._count > 5 else ""
        return f"{counted(self._count, 'result')}:\n{shown}{more}"


def _in_memory(rows: list[Result]) -> Results:
    """Results that were pickled, without the file from which they were read."""
    return Results(len(rows), rows.__getitem__)


def price_factor(model: str) -> float | None:
    """The part of a model's price that is paid in a batch, or None where that is not known."""
    model_facts = facts(model)
    discount = model_facts.batch_discount if model_facts else None
    return None if discount is None else 1 - discount


def read(row: int, label: Any, found: Any, output: Output | None) -> Result:
    """Read a result.

    Args:
        row: The row's number.
        label: What it is called.
        found: The ``result`` of its line, as it came.
        output: The form of the reply, or None for any text.
    """
    kind = found.get("type") if isinstance(found, dict) else None
    if kind == "succeeded" and isinstance(found.get("message"), dict):
        return _message(row, label, found["message"], output)
    if kind == "errored":
        return Result(row, label, RowOutcome.ERRORED, _error(found.get("error")))
    if kind == "canceled":
        return Result(
            row, label, RowOutcome.CANCELED, "the batch was cancelled before this row ran"
        )
    if kind == "expired":
        return Result(
            row, label, RowOutcome.EXPIRED, "expired: the service did not run it within 24 hours"
        )
    return Result(
        row, label, RowOutcome.ERRORED, "the server did not send a valid result", cost=None
    )


def is_refusal_of_request(found: Any) -> bool:
    """Whether a row's request was refused: unchanged, it would be refused again."""
    error = _inner(found.get("error")) if isinstance(found, dict) else {}
    return error.get("type") in ("invalid_request_error", "not_found_error", "request_too_large")


def _message(row: int, label: Any, message: dict[str, Any], output: Output | None) -> Result:
    content = message.get("content")
    blocks = [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []
    text = "".join(str(b.get("text") or "") for b in blocks if b.get("type") == "text")
    reason = message.get("stop_reason")
    reason = reason if isinstance(reason, str) else None
    counts, model = message.get("usage"), str(message.get("model") or "")
    usage = Usage.from_api(counts if isinstance(counts, dict) else {}, complete=True)
    outcome, error, value = RowOutcome.COMPLETE, "", None
    if reason == "refusal":
        outcome, error = RowOutcome.REFUSED, _refusal(message.get("stop_details"))
    elif reason in _CUT:
        outcome, error = RowOutcome.TRUNCATED, _CUT[reason]
    elif output is not None:
        try:
            value = output.parse(text)
        except InputError as problem:
            outcome, error = RowOutcome.INVALID, " ".join(problem.what.split())[:200]
    share = price_factor(model)
    cost = None if share is None else usage.cost(facts(model), share)
    found = Result(row, label, outcome, error, text, value, reason, usage, cost, message)
    return replace(found, cost=0.0) if found.is_free else found


def _refusal(details: Any) -> str:
    found = details if isinstance(details, dict) else {}
    why = found.get("explanation") or found.get("category")
    said = clean(redact(str(why)))[:300] if why else ""
    return f"Claude declined: {said}" if said else "Claude declined to answer"


def _inner(error: Any) -> dict[str, Any]:
    """The API's error object: it stands in a response of its own, with the request's id beside."""
    whole = error if isinstance(error, dict) else {}
    inside = whole.get("error")
    return inside if isinstance(inside, dict) else whole


def _error(error: Any) -> str:
    found = _inner(error)
    text = ": ".join(str(found[name]) for name in ("type", "message") if found.get(name))
    return clean(redact_error(text))[:500] or "the server did not say why"


def frame(results: Results, index: Any, *, typed: bool) -> Any:
    """Results as a ``pandas.DataFrame``: see ``Batch.to_pandas``.

    Args:
        results: One for each row.
        index: The labels of the rows.
        typed: Whether the replies have a form.

    Raises:
        InputError: pandas is not installed.
    """
    pandas = import_pandas()
    made = pandas.DataFrame([_columns(result, typed=typed) for result in results], index=index)
    counts = {name: "Int64" for name in ("input_tokens", "output_tokens") if name in made}
    return made.astype(counts)


def _columns(result: Result, *, typed: bool) -> dict[str, Any]:
    """The columns of a result, by their names."""
    value = result.value
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    elif is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    fields: dict[str, Any] = {} if value is None else {"value": value}
    if not typed:
        fields = {"text": result.text}
    elif isinstance(value, dict):
        fields = value
    ours = {
        "outcome": str(result.outcome),
        "error": result.error,
        "stop_reason": result.stop_reason,
        "input_tokens": result.usage.total_input_tokens,
        "output_tokens": result.usage.output_tokens,
        "cost_usd": result.cost,
    }
    # Also one that has the prefix already, or two fields could be called the same.
    clash = {name for name in fields if str(name).removeprefix("answer_") in ours}
    return {f"answer_{n}" if n in clash else n: value for n, value in fields.items()} | ours
