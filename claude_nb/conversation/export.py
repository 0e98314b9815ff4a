"""A conversation as a notebook, as Markdown and as JSON: what is written to files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from claude_nb.characters import clean, in_code
from claude_nb.conversation.history import (
    NOTEBOOK,
    Exchange,
    History,
    describe_compaction,
)
from claude_nb.errors import InputError
from claude_nb.redaction import redact
from claude_nb.render import html, labels
from claude_nb.render.code import code_blocks
from claude_nb.render.display_blocks import of_content
from claude_nb.render.markdown import markdown
from claude_nb.render.text import closed, harmless
from claude_nb.request import files, uploads
from claude_nb.request.cells import each, without
from claude_nb.streaming.block import as_dict
from claude_nb.streaming.record import MIME, VERSION, TurnRecord, displayed_content

PROMPTS = ("cells", "markdown")
"""How prompts can stand in an exported notebook: see ``to_notebook``."""

_PYTHON = frozenset({"python", "python3", "py", "ipython", "ipython3"})
_MARK = re.compile(r"\n<!-- exported by claude_nb: (\w+) -->\n\Z")


def to_notebook(history: History, prompts: str) -> str:
    """Write the current branch as a notebook, format 4.5; nothing in it has been run.

    Args:
        history: The conversation.
        prompts: ``"cells"``: each prompt is a ``%%claude`` cell that can be run again, with the
            answer as its output. ``"markdown"``: prompts and answers are Markdown cells. In both,
            the Python in an answer's fences stands in code cells too, and each turn leaves the
            record that ``restore`` reads.

    Returns:
        The file's content. It holds nothing that looks like an API key.

    Raises:
        InputError: Nothing has been said yet, or there is no such form.
    """
    import nbformat

    if prompts not in PROMPTS:
        raise InputError(f"There are no prompts as {prompts!r}.", f"As {' or '.join(PROMPTS)}.")
    v4: Any = nbformat.v4  # it has no types
    cells = [v4.new_markdown_cell(_title(history))]
    if prompts == "cells":
        cells.append(v4.new_code_cell("%load_ext claude_nb"))
    for exchange in _branch(history):
        if prompts == "cells":
            asked = v4.new_code_cell(_source(exchange, history.name))
            mark = "".join(f"\n\n*{mark}*" for mark in marks(exchange))
            answer: dict[str, Any] = {
                "text/markdown": _shown(exchange.text) + mark,
                "text/plain": clean(exchange.text, prose=True) + mark,
                MIME: record(exchange, history.name, asked.id),
            }
            if shown := displayed_content(exchange.turns):
                answer["text/html"] = html.root(of_content(shown))
            asked.outputs = [v4.new_output("display_data", answer)]
            codes = [
                found.code for found in code_blocks(exchange.text) if _is_python(found.language)
            ]
            cells += [asked, *map(v4.new_code_cell, codes)]
        else:
            asked = v4.new_markdown_cell(_prompt(exchange))
            asked.metadata = {"claude_nb": record(exchange, history.name, asked.id)}
            cells.append(asked)
            for is_code, part in _parts(exchange):
                cells.append((v4.new_code_cell if is_code else v4.new_markdown_cell)(part))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.validate(notebook)
    return f"{redact(v4.writes(notebook))}\n"


def to_markdown(history: History) -> str:
    """The current branch as Markdown: words, without raw HTML and images, and no API key.

    Args:
        history: The conversation.

    Raises:
        InputError: There are no messages yet.
    """
    turns = [
        f"{_prompt(exchange)}\n\n{_head(exchange)}\n\n{_shown(exchange.text)}"
        for exchange in _branch(history)
    ]
    return redact("\n\n---\n\n".join([_title(history), *turns])) + "\n"


def to_json(history: History) -> str:
    """The current branch as JSON: the messages that the API takes, without API keys.

    Args:
        history: The conversation.

    Raises:
        InputError: There are no messages yet.
    """
    _branch(history)
    return redact(json.dumps(history.messages(), ensure_ascii=False, indent=1)) + "\n"


FORMS: dict[str, Callable[[History], str]] = {
    ".ipynb": partial(to_notebook, prompts="cells"),
    ".md": to_markdown,
    ".json": to_json,
}
"""What a conversation can be written as: the ending of the file, and what makes its content."""


def save(
    path: str | Path, content: str, *, overwrite: bool = False, how: str = "overwrite=True"
) -> None:
    """Write an export to a file, in the place of an earlier one that nobody has changed.

    A notebook that is run again exports again. An export as a notebook or as Markdown holds its own
    digest, so what was changed in it since, and every other file, is left as it is.

    Args:
        path: The file.
        content: What a function of ``FORMS`` returns.
        overwrite: Whether any file that is there may be replaced.
        how: What is typed to replace it, for the error.

    Raises:
        InputError: There is another file, or it cannot be written.
    """
    content = _signed(content, Path(path).suffix.lower())
    with suppress(InputError):  # there is none, or ``write`` says what is wrong with it
        there = files.read_bytes(path).decode(errors="replace")
        overwrite = overwrite or there == content or _is_unchanged(there)
    files.write(path, [content], overwrite=overwrite, how=how)


def _signed(content: str, ending: str) -> str:
    """An export with its digest, where it has a place for that."""
    if ending == ".md":
        return f"{content}\n<!-- exported by claude_nb: {_digest(content)} -->\n"
    notebook = _as_notebook(content)
    if notebook is None:
        return content
    notebook["metadata"]["claude_nb"] = {"export": _notebook_digest(notebook)}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _is_unchanged(content: str) -> bool:
    """Whether a file is an export as it was written."""
    if mark := _MARK.search(content):
        return mark[1] == _digest(content[: mark.start()])
    notebook = _as_notebook(content)
    if notebook is None:
        return False
    digest = as_dict(notebook["metadata"].pop("claude_nb", None)).get("export")
    return digest == _notebook_digest(notebook)


def _as_notebook(content: str) -> dict[str, Any] | None:
    """What the JSON of a notebook holds; None for what is no notebook."""
    try:
        found = as_dict(json.loads(content))
    except (ValueError, RecursionError):
        return None
    return found if "cells" in found and isinstance(found.get("metadata"), dict) else None


def _notebook_digest(notebook: dict[str, Any]) -> str:
    return _digest(json.dumps(notebook, sort_keys=True))


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def attached(exchange: Exchange) -> list[str]:
    """The cells of a question, and its images and documents by kind and size: ``PDF, 12 kB``."""
    blocks = () if isinstance(exchange.content, str) else without(exchange.content)
    sources = [item["source"] for item in blocks if item["type"] in ("image", "document")]
    cells = len(each(exchange.content))
    found = [f"{cells} cell{'s' * (cells > 1)} of the notebook"] if cells else []
    return found + [f"{s['media_type']}, {len(uploads.raw(s)) // 1000 + 1:,} kB" for s in sources]


def along(exchange: Exchange) -> list[str]:
    """What stands beside the words of a question: its files, and an instruction."""
    instruction = [labels.instruction_note(exchange.instruct)] if exchange.instruct else []
    return [*attached(exchange), *instruction]


def _branch(history: History) -> list[Exchange]:
    if not history.branch:
        raise InputError(f"{history.name}: no messages yet.")
    return history.branch


def _title(history: History) -> str:
    count = len(history.questions)
    who = " and ".join(dict.fromkeys(map(_answerer, history.questions)))
    lines = [f"# {_shown(history.name)}", f"A conversation with {who}, {count} turn"]
    lines[1] += "." if count == 1 else "s."
    if any(exchange.simulated for exchange in history.branch):
        lines.append("**Simulated answers are marked: they are fixed texts, not Claude's.**")
    if any(exchange.edited for exchange in history.branch):
        lines.append("**Edited answers are marked: the user changed their words.**")
    return "\n\n".join(lines)


def _shown(source: str) -> str:
    """Markdown in which nothing runs, hides or is fetched."""
    return harmless(closed(clean(source, prose=True)))


def _prompt(exchange: Exchange) -> str:
    if exchange.compaction is not None:
        return f"*{describe_compaction(exchange)}*"
    parts = ["**You**", _shown(exchange.prompt), *(f"*{item}*" for item in attached(exchange))]
    if exchange.instruct:
        parts += ["**Instruction from here on**", _shown(exchange.instruct)]
    return "\n\n".join(parts)


def _answerer(exchange: Exchange) -> str:
    return _shown(f"`{exchange.answerer}`") if exchange.answerer else "Claude"


def _head(exchange: Exchange) -> str:
    return " · ".join([f"**{_answerer(exchange)}**", *(f"*{mark}*" for mark in marks(exchange))])


def marks(exchange: Exchange) -> list[str]:
    """What is to be known of who wrote an answer: ``simulated``, ``edited``."""
    return ["simulated"] * exchange.simulated + ["edited"] * bool(exchange.edited)


def _parts(exchange: Exchange) -> Iterator[tuple[bool, str]]:
    """An answer cut at its Python: whether a part is code, and the part."""
    source = clean(exchange.text, prose=True)
    lines, begin, before = source.split("\n"), 0, f"{_head(exchange)}\n\n"
    for token in markdown.parse(source, {}):
        is_code = token.type == "fence" and _is_python(markdown.language_of(token))
        if is_code and token.level == 0 and token.map is not None:
            before += "\n".join(lines[begin : token.map[0]])
            if before.strip():
                yield False, _shown(before.strip("\n"))
            yield True, in_code(token.content.removesuffix("\n"))
            begin, before = token.map[1], ""
    before += "\n".join(lines[begin:])
    if before.strip():
        yield False, _shown(before.strip("\n"))


def _is_python(language: str) -> bool:
    return language.lower() in _PYTHON


def _source(exchange: Exchange, name: str) -> str:
    """The cell that asks the same in the same conversation."""
    options = "" if name == NOTEBOOK else f" -c {_quoted(name)}"
    if exchange.compaction is not None:
        return f"%claude_nb compact{options}"
    if exchange.instruct:
        options += f" --instruct {_quoted(' '.join(exchange.instruct.split()))}"
    # Sent as it was typed: a variable is not to be put in now.
    plain = (exchange.prompt, ({"type": "text", "text": exchange.prompt},))
    content = exchange.content if isinstance(exchange.content, str) else without(exchange.content)
    raw = " --raw" if "{{" in exchange.prompt and content in plain else ""
    return f"%%claude{options}{raw}\n{exchange.prompt}"


def _quoted(text: str) -> str:
    """A text as an option takes it, in which there is one kind of quotes at most."""
    quote = '"' if '"' not in text else "'"
    return f"{quote}{text.replace(quote, '’')}{quote}"


def record(exchange: Exchange, conversation: str, cell: str) -> dict[str, Any]:
    """What ``restore`` reads; of what the reply took, the original notebook has the record.

    Args:
        exchange: The turn.
        conversation: Its name.
        cell: The id of the cell in which it was asked, or an empty string.
    """
    found = exchange.compaction
    turn = TurnRecord(
        conversation=conversation,
        id=exchange.id,
        parent=exchange.parent.id if exchange.parent else None,
        cell=cell,
        asked=exchange.asked,
        prompt=exchange.prompt,
        content=() if isinstance(exchange.content, str) else uploads.resolved(exchange.content, {}),
        text=exchange.text,
        compaction=None if found is None else {"before": found.before, "after": found.after},
        instruct=exchange.instruct,
        cite=exchange.cite,
        edited=exchange.edited,
        answerer=exchange.answerer,
        answer=displayed_content(exchange.turns),
    )
    return {"version": VERSION, "simulated": exchange.simulated, "turn": turn.to_dict(math.inf)}
