"""``{{Out[5]}}``: what a cell returned, or else what it displayed or printed."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claude_nb.errors import InputError
from claude_nb.notebook import executions
from claude_nb.notebook.outputs import Shown, shown
from claude_nb.notebook.tags import cut, plain
from claude_nb.request.attachments.attachment import Attachment, register_attachment
from claude_nb.request.attachments.limits import MANY_IMAGES
from claude_nb.views import page_outputs
from claude_nb.views.page_outputs import DisplayedCell, UnansweredError


@dataclass(frozen=True, slots=True)
class Displayed:
    """What a cell displayed, for a prompt.

    Attributes:
        blocks: Content blocks.
        missing: What it displayed and is not sent.
    """

    blocks: tuple[dict[str, Any], ...]
    missing: tuple[str, ...]


def with_outputs(shell: Any) -> Mapping[str, Any]:
    """The user's variables, in which ``Out`` has what cells displayed beside what they returned.

    Also where ``Out`` was deleted; another value that the user has given to it stays.
    """
    variables: dict[str, Any] = shell.user_ns
    history = getattr(shell, "history_manager", None)  # a shell may be without
    results: dict[int, Any] = {} if history is None else history.output_hist
    if history is None or variables.get("Out", results) is not results:
        return variables
    return ChainMap({"Out": _Outputs(shell, results)}, variables)


class _Outputs(dict[int, Any]):
    """The results of executions; of those without one, what they displayed or printed."""

    def __init__(self, shell: Any, results: Mapping[int, Any]) -> None:
        super().__init__(results)
        self._shell = shell

    def __missing__(self, number: object) -> Displayed:
        sources = executions.sources(self._shell)
        sources.pop(self._shell.displayhook.prompt_count, None)
        if not isinstance(number, int) or number not in sources:
            raise InputError(
                f"There is no earlier cell [{number}] in this kernel.",
                "Out takes the number in the brackets beside a cell: {{Out[5]}}",
            )
        cell = _on_page(number, sources[number])
        found = shown(cell, MANY_IMAGES) if cell else Shown()
        images, missing = tuple(found.images.values()), tuple(found.missing)
        text = found.text or executions.output(self._shell, number)
        if len(images) == 1 and re.fullmatch(r"\(Image 1 .*\)", text):
            text = ""  # it stands there itself
        blocks = ({"type": "text", "text": cut(plain(text))},) if text.strip() else ()
        if not (blocks or images):
            raise InputError(
                self._without_output(number, sources[number], missing, is_on_page=cell is not None),
                "Put what you mean into a variable, and name that.",
            )
        return Displayed((*blocks, *images), missing)

    def _without_output(
        self, number: int, source: str, missing: Sequence[str], *, is_on_page: bool
    ) -> str:
        if missing:
            return f"The output of cell [{number}] cannot be sent: it is {missing[0]}."
        not_kept = "" if is_on_page else executions.not_kept(self._shell)
        if not not_kept:
            return f"Cell [{number}] has no output."
        if executions.awaits(self._shell, source):
            not_kept = "printed or displayed"
        return f"Cell [{number}] returned no value, and IPython has not kept what it {not_kept}."


def _on_page(number: int, source: str) -> DisplayedCell | None:
    """The cell of an execution as the page shows it; None where nobody tells it."""
    try:
        found = page_outputs.displayed([number])
    except UnansweredError:
        return None
    same = (cell for cell in found if cell.source.rstrip("\n") == source.rstrip("\n"))
    return next(same, None)


def _attachment(value: Displayed, name: str) -> Attachment:
    note = f"{name}: what the cell displayed"
    if value.missing:
        note += f", without {', '.join(value.missing)}"
    return Attachment(value.blocks, note)


register_attachment(Displayed, _attachment)
