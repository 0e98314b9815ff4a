"""A batch that was submitted earlier: found in the notebook, and submitted again as it was.

The options of a batch are saved beside its ids. What may be long or secret (a system prompt, a
schema) is not saved, only a digest of it: enough to notice that it is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from claude_nb.batches.results import RowOutcome, is_refusal_of_request
from claude_nb.batches.rows import Requests, digest
from claude_nb.batches.state import BatchState
from claude_nb.conversation import saved_chat, saved_notebook
from claude_nb.conversation.snapshot import snapshot
from claude_nb.cost.models import facts
from claude_nb.errors import InputError
from claude_nb.redaction import redact
from claude_nb.request.extra import without_secrets
from claude_nb.request.request import Request

SAVED_OPTIONS = ("model", "max_tokens", "effort", "thinking")
"""Fields of ``Request`` that are saved as they are."""

SAVED_IF_ANY = ("stop_sequences", "metadata", "betas")
"""Those that are saved only where they are given."""

_ELSEWHERE = (
    *("model", "max_tokens", "thinking", "output_config"),
    *("stop_sequences", "metadata", "extra_headers"),
)
"""Arguments of ``messages.create`` that these stand for."""

_OPTIONS = {"extra_body": "extra"}
"""Options by the arguments that stand for them, where they are called otherwise."""


def options_record(requests: Requests) -> dict[str, Any]:
    """The options that all rows have in common, as they are saved."""
    request, common = requests.request, requests.common
    shown = without_secrets(common)
    kept = shown.keys() - _ELSEWHERE
    digested = {_OPTIONS.get(name, name): value for name, value in shown.items() if name in kept}
    if form := common.get("output_config", {}).get("format"):
        digested["output"] = form
    if request.cite:
        digested["cite"] = True
    digests = {name: digest(json.dumps(value).encode()) for name, value in digested.items()}
    options = {name: getattr(request, name) for name in SAVED_OPTIONS}
    rest = {name: getattr(request, name) for name in SAVED_IF_ANY}
    # As lists, which they are when they are read.
    options |= {n: list(v) if isinstance(v, tuple) else v for n, v in rest.items() if v}
    return {**options, "model": redact(request.model), "digests": digests}


def saved_options(record: Any) -> dict[str, Any] | None:
    """The options that were saved; None where they cannot be used: anybody may edit a notebook."""
    try:
        options = {name: record[name] for name in SAVED_OPTIONS}
        options |= {name: record[name] for name in SAVED_IF_ANY if name in record}
        Request("…", **options)
        whole = type(options["max_tokens"]) is int and isinstance(record["digests"], dict)
    except (InputError, KeyError, TypeError, AttributeError):
        return None
    return options if whole else None


def find(ids: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, Any] | None]:
    """The ids of a batch, and the record of its options in the saved notebook.

    Args:
        ids: Those that are known; none for the last batch in the notebook.

    Raises:
        InputError: None are known, and there is none in the notebook.
    """
    try:
        path, notebook = saved_chat.whole(snapshot)
    except InputError:
        if ids:
            return ids, None
        raise
    for record in reversed(notebook.records):
        saved: Any = record.data.get("batch")
        match saved:
            case {"ids": list(known)} if all(isinstance(name, str) for name in known):
                ids = ids or tuple(known)
                if ids and set(ids) <= set(known) and saved_options(saved.get("options")):
                    return ids, saved["options"]
    if ids:
        return ids, None
    raise InputError(
        f"No batch is saved in {path}.",
        f"{saved_notebook.SAVE_FIRST}, or name the batch: claude_nb.Batch.resume(id). %claude_nb"
        " batches lists the batches of this key.",
    )


def rows_to_resubmit(state: BatchState, *, truncated: bool) -> list[int]:
    """The rows that are worth submitting again.

    Args:
        state: The batch.
        truncated: Whether those that were cut off are.

    Raises:
        InputError: None is; the error says why.
    """
    wanted = [RowOutcome.ERRORED, RowOutcome.CANCELED, RowOutcome.EXPIRED, RowOutcome.MISSING]
    wanted += [RowOutcome.TRUNCATED, RowOutcome.INVALID] if truncated else [RowOutcome.INVALID]
    rows = state.rows(*wanted)
    refused = [row for row in rows if is_refusal_of_request(state.line(row))]
    left = sorted({*rows} - {*refused})
    if not left:
        shown = state.requests.named(refused)
        advice = f"The API refused rows {shown} and would again; the others are complete."
        raise InputError("There is nothing to resubmit.", advice if refused else "")
    if any(row not in state.requests for row in left):
        raise InputError(
            "The prompts of this batch are not saved here.",
            "Pass the prompts again: claude_nb.Batch.resume(id, prompts=…, template=…).",
        )
    return left


def compare_options(state: BatchState, max_tokens: int | None, count: Callable[[int], int]) -> str:
    """Compare the options with which rows are submitted again with those of before.

    Args:
        state: The batch.
        max_tokens: The number that is asked for now, or None for the one that it has.
        count: Counts the input tokens of a row.

    Returns:
        A note of it; empty where there is nothing to say.

    Raises:
        InputError: It was submitted with more than is known here.
    """
    if state.resumed is None:
        return ""
    request, saved = state.requests.request, state.saved
    given = state.resumed | ({"max_tokens"} if max_tokens is not None else set())
    if saved is not None:
        missing = [f"{name}=…" for name in sorted(set(map(str, saved["digests"])) - given)]
    else:
        missing = _missing(state, given, count)
    if missing:
        raise InputError(
            "Some settings of this batch are not saved here, so nothing was submitted.",
            f"Pass them: claude_nb.Batch.resume(id, prompts=…, {', '.join(missing)}).",
        )
    if saved is None:
        tokens, system = max_tokens or request.max_tokens, "a" if request.system else "no"
        return (
            f"resubmitted with {request.model}, max tokens {tokens:,}, {system} system prompt:"
            " the original settings are unknown"
        )
    before, after = ({**r, **r["digests"]} for r in (saved, options_record(state.requests)))
    names = sorted({*before, *after} - {"digests"})
    changed = [name for name in names if before.get(name) != after.get(name)]
    return f"resubmitted with a different {', '.join(changed)}" if changed else ""


def _missing(state: BatchState, given: set[str], count: Callable[[int], int]) -> list[str]:
    """The options that have to be passed, where only the results say what they were."""
    request = state.requests.request
    models = sorted(filter(None, state.spent()))
    known, missing = facts(request.model), []
    others = [model for model in models if facts(model) not in (known, None)]
    if "model" not in given:
        missing.append(f'model="{models[0]}"' if models else "model=…")
    elif known and others:
        missing.append(f'model="{others[0]}"')
    cut = (state.result(row) for row in state.rows(RowOutcome.TRUNCATED))
    most = {r.usage.output_tokens for r in cut if r.stop_reason == "max_tokens"}
    if "max_tokens" not in given and most - {request.max_tokens, None}:
        missing.append(f"max_tokens={max(filter(None, most))}")
    answered = (
        row
        for row in state.rows(RowOutcome.COMPLETE, RowOutcome.TRUNCATED)
        if row in state.requests and row not in state.changed
    )
    if not given & {"system", "output"} and (row := next(answered, None)) is not None:
        with suppress(InputError):  # a server that does not count
            if count(row) != state.result(row).usage.total_input_tokens:
                missing.append("system=… or output=… (system=None for none)")
    return missing
