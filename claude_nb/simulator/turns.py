"""The messages of a request as the API reads them: turns, and the exchange that goes on."""

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from claude_nb.simulator.tokens import Part, parts


@dataclass(frozen=True, slots=True)
class Turn:
    """Consecutive messages of one role, which the API combines.

    Attributes:
        role: ``user`` or ``assistant``.
        parts: Their content blocks, each with its place in the request.
    """

    role: str
    parts: list[Part]

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The content blocks alone."""
        return [part.block for part in self.parts]

    @property
    def text(self) -> str:
        """The texts of its text blocks."""
        return text_of(self.blocks)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The last prompt, and the answers and results since.

    Attributes:
        asked: The message that holds the prompt.
        since: What the assistant has answered so far: for each of its turns the content blocks.
        results: The results of tools since, one list for each time.
        remark: What the user wrote behind the last of them.
    """

    asked: Turn
    since: list[list[dict[str, Any]]]
    results: list[list[dict[str, Any]]]
    remark: str

    @property
    def prompt(self) -> str:
        """What the user typed."""
        return typed(self.asked.blocks)

    @property
    def done(self) -> list[dict[str, Any]]:
        """All blocks that the assistant has answered so far."""
        return [block for turn in self.since for block in turn]


def text_of(content: list[dict[str, Any]]) -> str:
    """Return the text of content blocks, each text on a line of its own."""
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def typed(content: list[dict[str, Any]]) -> str:
    """Return what the user typed, without what goes along with it.

    Cells of a notebook stand before it, in blocks of their own. A text that goes along comes first:
    in tags, in a fence, or under its name. Where one under a name ends cannot be told, so of what
    follows it only the last paragraph counts. A value that was put in may stand below, under its
    name, or be a table. Documents, images and results of tools are blocks of their own.
    """
    return "\n".join(t for b in _own(content) if b["type"] == "text" and (t := _typed(b["text"])))


def _own(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Content without the cells of a notebook at its beginning."""
    texts = [block.get("text", "").strip() for block in content]
    if not texts or not texts[0].startswith("<notebook>") or "</notebook>" not in texts:
        return content
    return content[texts.index("</notebook>") + 1 :]


def _typed(text: str) -> str:
    for below in _VALUE_BELOW.finditer(text):
        if f"`{below[1]}`" in text[: below.start()]:
            text = text[: below.start()]
            break
    if _NAMED.search(text):  # files go along before it: what is enclosed in one says nothing
        text = text.rstrip().rpartition("\n\n")[2]
        text = _NAMED.sub("", text)
    *_, behind = _CLOSING.split(text)
    text = behind.strip() or _OPENING.split(text)[0]
    return _TABLE_ROW.sub("", text).strip()


_OPENING = re.compile(r"^(?:<\w[^>\n]*>|`{3}.*)$", re.MULTILINE)
_CLOSING = re.compile(r"^(?:</\w+>|`{3,})$", re.MULTILINE)
_NAMED = re.compile(r"(?:\A|(?<=\n\n))(?:attachment \d+|[^\s:]+|[^\n:]+\.\w{1,8}):(?:\n|\Z)")
"""The name that a text goes along under: that of a variable or of a file, or a number."""
_VALUE_BELOW = re.compile(r"\n\n(\S+):\n\n")
"""The name of a value below the paragraph that names it, in backticks."""
_TABLE_ROW = re.compile(r"^\|.*$", re.MULTILINE)


def words(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return re.findall(r"\w+", text.lower())


def turns(request: dict[str, Any]) -> list[Turn]:
    """Return the turns of a request; system messages between them are none."""
    found = [part for part in parts(request) if part.level == "messages" and part.role != "system"]
    return [Turn(role, list(group)) for role, group in groupby(found, key=lambda part: part.role)]


def exchange(request: dict[str, Any]) -> Exchange:
    """Return the exchange that a request continues.

    The results of tools belong to what was asked before them, and so does a text in their message.
    A user message of its own behind them is a new prompt.
    """
    found = turns(request)
    prompts = [(number, _asked(turn)) for number, turn in enumerate(found) if turn.role == "user"]
    start, asked = next(((n, parts) for n, parts in reversed(prompts) if parts), (0, []))
    since = [turn.blocks for turn in found[start:] if turn.role == "assistant"]
    answers = [turn.blocks for turn in found[start + 1 :] if turn.role == "user"]
    answered = [[block for block in turn if block["type"] == "tool_result"] for turn in answers]
    remark = found[-1].text if answered and found[-1].role == "user" else ""
    return Exchange(Turn("user", asked), since, answered, remark)


def _asked(turn: Turn) -> list[Part]:
    """Return the last message of a turn, if it is one without results of tools."""
    last = [part for part in turn.parts if message_of(part) == message_of(turn.parts[-1])]
    return [] if any(part.block["type"] == "tool_result" for part in last) else last


def message_of(part: Part) -> str:
    """Return the path of the message that a part stands in."""
    return part.path.partition(".content.")[0]
