"""A batch that was handed in earlier: found in the notebook, and handed in again as it was."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from claude_nb.batches import request_options
from claude_nb.batches.results import RowOutcome
from claude_nb.conversation import saved_notebook
from claude_nb.cost.models import facts
from claude_nb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from claude_nb.batches.job import Job


def found(ids: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, Any] | None]:
    """The ids of a batch, and what the saved notebook has of what it was handed in with.

    Args:
        ids: Those that are known; none for the last batch in the notebook.

    Raises:
        InputError: None are known, and there is none in the notebook.
    """
    try:
        path = saved_notebook.current_path()
        records = saved_notebook.load(path).records
    except InputError:
        if ids:
            return ids, None
        raise
    for record in reversed(records):
        saved = record.data.get("batch")
        saved = saved if isinstance(saved, dict) else {}
        known = saved.get("ids")
        if not isinstance(known, list) or not all(isinstance(name, str) for name in known):
            continue
        ids = ids or tuple(known)
        if (
            ids
            and set(ids) <= set(known)
            and request_options.restored(saved.get("options")) is not None
        ):
            return ids, saved["options"]
    if ids:
        return ids, None
    raise InputError(
        f"No batch is saved in {path}.",
        "%claude_nb batches lists those of this key; claude_nb.Batch.resume(id) goes on with one.",
    )


def as_before(job: Job, max_tokens: int | None, same_input: Callable[[int], bool]) -> str:
    """Compare what rows are handed in again with, where it was resumed.

    Args:
        job: The batch.
        max_tokens: The number that is asked for now, or None for the one that it has.
        same_input: Whether a row's input would have the same length as when it was answered.

    Returns:
        A note of it; empty where there is nothing to say.

    Raises:
        InputError: It was handed in with more than is known here.
    """
    if job.earlier is None:
        return ""
    request, saved = job.requests.request, job.earlier.saved
    given = job.earlier.given | ({"max_tokens"} if max_tokens is not None else set())
    if saved is not None:
        missing = [f"{name}=…" for name in request_options.missing(saved, given)]
    else:
        missing = _disagreeing(job, given, same_input)
    if missing:
        raise InputError(
            "Not all is known of what this batch was handed in with, so nothing was handed in.",
            f"Pass it: claude_nb.Batch.resume(id, prompts=…, {', '.join(missing)}).",
        )
    if saved is None:
        tokens, system = max_tokens or request.max_tokens, "a" if request.system else "no"
        return (
            f"handed in again with {request.model}, max tokens {tokens:,}, {system} system prompt:"
            " what it was before is not known"
        )
    changed = request_options.changed(saved, request, job.requests.common)
    return f"handed in again with another {', '.join(changed)} than before" if changed else ""


def _disagreeing(job: Job, given: set[str], same_input: Callable[[int], bool]) -> list[str]:
    """What has to be passed, where nothing but the results says what was asked."""
    request = job.requests.request
    models = sorted(filter(None, job.spent()))
    missing = []
    if "model" not in given:
        missing.append(f'model="{models[0]}"' if models else "model=…")
    else:
        known = {model: facts(model) for model in (request.model, *models)}
        others = {m for m, found in known.items() if found != known[request.model] and found}
        missing += [f'model="{min(others)}"'] if others and known[request.model] else []
    cut = (job.result(row) for row in job.rows(RowOutcome.TRUNCATED))
    most = {r.usage.output_tokens for r in cut if r.stop_reason == "max_tokens"}
    if "max_tokens" not in given and most - {request.max_tokens, None}:
        missing.append(f"max_tokens={max(filter(None, most))}")
    if not given & {"system", "output"} and (row := job.answered()) is not None:
        with suppress(InputError):  # a server that does not count
            if not same_input(row):
                missing.append("system=… or output=… (system=None for none)")
    return missing
