"""The results of a batch as a table of pandas."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from claude_nb.errors import InputError

if TYPE_CHECKING:
    from claude_nb.batches.job import Job
    from claude_nb.batches.results import Result


def frame(job: Job) -> Any:
    """A ``pandas.DataFrame`` with a row for each: see ``Batch.to_pandas``.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        pandas = import_module("pandas")
    except ImportError:
        raise InputError("pandas is not installed.", "Install it: %pip install pandas") from None
    requests, typed = job.requests, job.output is not None
    rows = [_flat(job.result(row), typed=typed) for row in range(requests.count)]
    index = requests.index if requests.index is not None else list(requests.labels)
    made = pandas.DataFrame(rows, index=index)
    counts = {name: "Int64" for name in ("input_tokens", "output_tokens") if name in made}
    return made.astype(counts)


def _flat(result: Result, *, typed: bool) -> dict[str, Any]:
    """A result as one flat row."""
    value = result.value
    dump = getattr(value, "model_dump", None)
    fields = dump() if dump else value
    said: dict[str, Any] = {}
    if isinstance(fields, dict):
        said = dict(fields)
    elif not typed:
        said = {"text": result.text}
    elif value is not None:
        said = {"value": value}
    ours = {
        "outcome": str(result.outcome),
        "error": result.error,
        "stop_reason": result.stop_reason,
        "input_tokens": result.usage.total_input_tokens,
        "output_tokens": result.usage.output_tokens,
        "cost_usd": result.cost,
    }
    # Also one that has the prefix already, or two fields could be called the same.
    clash = {name for name in said if str(name).removeprefix("answer_") in ours}
    return {f"answer_{n}" if n in clash else n: value for n, value in said.items()} | ours
