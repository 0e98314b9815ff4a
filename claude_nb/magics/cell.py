"""What ``%%claude`` and ``%claude`` do: read the line, put the question together, ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from claude_nb.asking import jobs
from claude_nb.asking.asking import answer, estimate
from claude_nb.asking.cached_system import CachedSystem
from claude_nb.asking.comparison import COMPARED, Comparison, Variant, ask_each, variants
from claude_nb.asking.conversation import Conversation
from claude_nb.asking.question import Question
from claude_nb.client.connection import remember_ambient
from claude_nb.conversation.history import NOTEBOOK
from claude_nb.cost.models import as_of
from claude_nb.errors import ClaudeError, InputError
from claude_nb.magics import context, manual, options
from claude_nb.magics.dry_run import tree
from claude_nb.notebook.context import cells as notebook_cells
from claude_nb.notebook.variables import with_outputs
from claude_nb.render import labels
from claude_nb.render.code import code_for_cell
from claude_nb.render.table import Table
from claude_nb.reply import Reply
from claude_nb.request.place import current_place
from claude_nb.request.server_tools import kind
from claude_nb.tools.tools import Tools
from claude_nb.views.choice import fitting
from claude_nb.views.terminal import say

_OF_TOOLS = ("eager", "confirm", "tool_timeout", "max_turns")
"""Options for how tools are called."""


def run(
    shell: InteractiveShell, line: str, cell: str | None, defaults: Mapping[str, Any]
) -> Reply | Comparison | None:
    """Ask the question of a cell or a line.

    Args:
        shell: The shell in which it runs.
        line: What follows the magic's name.
        cell: The lines below, or None for a line.
        defaults: Arguments of ``Question.of`` that apply unless an option is given.

    Returns:
        The reply to a line, or several that were asked side by side; None for a cell, and for
        ``--help``, which shows the manual.

    Raises:
        InputError: The question cannot be sent; nothing was sent.
        ClaudeError: It failed, was dropped or was stopped.
    """
    given, prompt = options.parse(line, shell.user_ns)
    if "help" in given:
        display(manual.of_cell())  # not returned: nothing that a line returns is shown
        return None
    prompt = prompt if cell is None else _below(prompt, cell)
    name, insert = given.pop("out", None), given.pop("insert", False)
    dry, background = given.pop("dry_run", False), given.pop("background", False)
    asked = _variants(given, defaults)
    if background or asked:
        _check_alone("--background" if background else "side by side", given, insert=insert)
    question = _question(shell, prompt, given, defaults)
    if dry:
        _show_expected(question, asked)
        return None

    try:
        reply = _ask(question, asked, background=background)
    except ClaudeError as error:
        if name and error.reply is not None:
            shell.user_ns[name] = error.reply
        raise
    if name:
        shell.user_ns[name] = reply
    if insert:
        say(context.insert(shell, code_for_cell(reply.code_blocks)))
    return reply if cell is None else None


def _below(rest: str, cell: str) -> str:
    """The prompt of a cell: the lines below, while none of it may be on the line of the options."""
    if rest:
        word = rest if len(rest) <= 30 else rest[:29] + "…"
        raise InputError(f"{word!r} is not an option.", "The prompt goes on the lines below.")
    return cell


def _ask(question: Question, asked: Sequence[Variant], *, background: bool) -> Any:
    if asked:
        reply: Any = ask_each(question, asked, background=background)
    else:
        reply = (jobs.start if background and jobs.can_go_on() else answer)(question)
    if background and fitting() in ("sparing", "terminal"):
        say("Claude answers in the background; %claude_nb jobs wait shows the reply.")
    return reply


def _variants(given: dict[str, Any], defaults: Mapping[str, Any]) -> list[Variant]:
    """The variants to compare: none, unless an option is given several times."""
    chosen = {name: given.pop(name) for name in COMPARED if name in given}
    if any(len(values) > 1 for values in chosen.values()):
        return variants(*(chosen.get(name, (defaults.get(name),)) for name in COMPARED))
    given |= {name: value for name, (value,) in chosen.items()}
    return []


def _check_alone(what: str, given: dict[str, Any], *, insert: bool) -> None:
    """Refuse options for a cell that waits for one reply; without -c there is no conversation."""
    if insert:
        raise InputError(
            f"--insert cannot be used with {what}.",
            "Keep the reply in a variable (-o answer), and later:"
            " print(answer.code_blocks[0].code)",
        )
    if "events" in given:
        raise InputError(
            f"--events cannot be used with {what}.", "Later: answer.timeline() (-o answer)."
        )
    named = "conversation" in given
    if what == "side by side" and (named or "new" in given):
        raise InputError("Replies side by side join no conversation: leave out -c and --new.")
    if "new" in given and not named:
        raise InputError(
            f"--new with {what} needs -c NAME.", "Without -c, the reply joins no conversation."
        )
    if not named:
        given["once"] = True


def _show_expected(question: Question, asked: Sequence[Variant]) -> None:
    """Show what would be sent and what it would cost, as tables."""
    named = [(variant.name, variant.apply(question)) for variant in asked]
    heads = ("model", "input", "output at most", "cost at least", "cost at most")
    rows: list[tuple[str, ...]] = []
    lines = [f"Nothing was sent. Prices as of {as_of()}."]
    also: list[str] = []
    trees: list[Table] = []
    for name, each in named or [(question.request.model, question)]:
        found = estimate(each)
        sent = found.request
        trees = trees or tree(sent, found.input_tokens)
        also += map(labels.also_sent, sent.also_sent)
        counts = (labels.counted(n, "token") for n in (found.input_tokens, sent.max_tokens))
        rows.append((name, *counts, *map(labels.money, (found.low, found.high))))
        tools = each.request.tools or ()
        if server := [*filter(None, (kind(t) or t.get("mcp_server_name") for t in tools))]:
            lines.append(f"Not counted: what {' and '.join(server)} would add.")
        if isinstance(sent.system, CachedSystem):
            marked = labels.count(sent.system.tokens(sent.model, client=question.client))
            kept = sent.system.state() or ["not in the cache yet"]
            state = " · ".join(kept)
            lines.append(f"System prompt: {marked} tokens, marked for the cache · {state}.")
    note = "\n".join([" ".join(dict.fromkeys(lines)), *dict.fromkeys(also)])
    for table in (Table(heads, rows, note), *trees):
        display(table)


def _question(
    shell: InteractiveShell, prompt: str, given: dict[str, Any], defaults: Mapping[str, Any]
) -> Question:
    """The question of a cell; its options override the defaults."""
    cells, failed = given.pop("cells", None), given.pop("error", False)
    plot = given.pop("plot", False)
    which = given.pop("context", defaults["context"])
    if cells or failed or plot or which != "off":
        remember_ambient()
    included = [context.cells(shell, cells)] if cells else []
    included += [context.figure(shell)] if plot else []
    error = context.error(shell, None if failed is True else failed) if failed else None
    included += [error] if error else []
    if given.pop("no_stream", False):
        given["stream"] = False
    given |= _keep(given)
    if "upload" in given:  # for as long as the trait says
        given["upload"] = defaults["upload"] or True
    arguments = {**defaults, **_history(given, defaults), **_tools(given, defaults), **given}
    arguments["cells"] = None if which == "off" else notebook_cells(which, current_place())
    del arguments["context"]
    return Question.of(
        prompt,
        variables=with_outputs(shell),
        named=arguments.pop("attach", ()),
        included=[block for part in included for block in part.blocks],
        notes=[part.note for part in included],
        error_of=error and error.place,
        in_cell=True,
        limit_name="--max-cost",
        **arguments,
    )


def _keep(given: dict[str, Any]) -> dict[str, bool]:
    """Whether a kept answer may be shown; the options that say so are taken out of ``given``."""
    keep, fresh = given.pop("keep", False), given.pop("fresh", False)
    if keep and fresh:
        raise InputError("--keep and --fresh cannot be combined.", "Leave one of them out.")
    return {"keep": keep} if keep or fresh else {}


def _tools(given: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The tools and the answer's form; their options are taken out of ``given``."""
    how = {name: given.pop(name) for name in _OF_TOOLS if name in given}
    found: dict[str, Any] = {"output": given.pop("json")} if "json" in given else {}
    named = given.pop("tools", defaults["tools"])
    if named and named != (options.NO_TOOLS,):
        how = {name.removeprefix("tool_"): value for name, value in how.items()}
        return found | {"tools": Tools(*named, **how)}
    for name in how:
        raise InputError(f"--{name.replace('_', '-')} needs --tools.", "Name the tools.")
    return found | {"tools": () if named else None}


def _history(given: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The conversation; the options that name it are taken out of ``given``."""
    name = given.pop("conversation", None)
    if given.pop("once", False):
        if name is not None or "new" in given:
            raise InputError("--once cannot be used with -c or --new: it joins no conversation.")
        return {}
    conversation = Conversation.named(NOTEBOOK if name is None else name)
    conversation.system = defaults["system"]  # for a branch that begins; others keep theirs
    return {"history": conversation, "system": None}
