"""A reply as the turns that go back to the server: within a loop of tools, and in a history.

A message goes back as it came, with its signed thinking. Where that is not possible any more,
because it was broken off or put together from parts, it goes without thinking, and so does what
followed it: thinking is bound to all that came before it (platform documentation, "Extended
thinking"). A call never goes without its result, nor a result without its call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from claude_nb.errors import RequestError
from claude_nb.request.request import Request
from claude_nb.streaming.block import TEXTS, TOOL_CALLS, Block
from claude_nb.streaming.events import ToolRan
from claude_nb.streaming.message import Message
from claude_nb.streaming.progress import Outcome, Progress

THINKING = frozenset({"thinking", "redacted_thinking"})
_BESIDE = frozenset({*TEXTS, "fallback", "mcp_tool_listing"}) | THINKING
"""Blocks that go back beside calls and their results, if the request can bring them back."""

_NUMBER = attrgetter("round")
_WHOLE = (Outcome.COMPLETE, Outcome.TRUNCATED)

MessageParam = dict[str, Any]
"""A message of a request, as the API's dict."""

Content = list[dict[str, Any]]


def assistant(content: Content | str) -> MessageParam:
    """An assistant's turn."""
    return _turn("assistant", content)


def user(content: Content | str) -> MessageParam:
    """A user's turn."""
    return _turn("user", content)


def _turn(role: str, content: Content | str) -> MessageParam:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {"role": role, "content": blocks}


def with_results(request: Request, message: Message) -> Request:
    """The request that brings the results of the calls in a message.

    Args:
        request: The request that the message answered.
        message: The message, every call of which has its result.
    """
    content = [_as_brought(block) for block in message.content if not is_blank(block)]
    after = list(request.after)
    if after and after[-1]["role"] == "assistant":  # a turn that this message went on with
        content = [*after.pop()["content"], *content]
    container = message.container or request.container
    turns = (*after, assistant(content), user(results(message.calls)))
    return replace(request, after=turns, container=container)


def _as_brought(block: Block) -> dict[str, Any]:
    """A block as its own message brought it: without the text that another one had begun."""
    sent = sendable(block)
    if block.type == "text" and block.breaks:
        sent["text"] = block.text[block.breaks[-1].at :]
    return sent


def sendable(block: Block) -> dict[str, Any]:
    """A block as it is sent back: citations name no file, which the API does not take back."""
    sent = block.to_dict()
    if "citations" in sent and block.type == "text":
        sent["citations"] = [
            {name: value for name, value in citation.items() if name != "file_id"}
            for citation in block.citations
        ]
    return sent


def is_blank(block: Block) -> bool:
    """Whether it is not sent: the API would refuse it."""
    blank = block.type == "text" and not block.text.strip()
    return block.lost or block.declined or blank


def results(calls: Iterable[Block]) -> Content:
    """The results of calls, in their order; a call without one is left out."""
    return [_result(call.run) for call in calls if isinstance(call.run, ToolRan)]


def _result(run: ToolRan) -> dict[str, Any]:
    result = {"type": "tool_result", "tool_use_id": run.id, "content": list(run.content)}
    return result | ({"is_error": True} if run.is_error else {})


def turns(reply: Progress) -> tuple[list[MessageParam], Content]:
    """What of a reply goes into a history; nothing of a refusal.

    Returns:
        The turns before the last answer, which are calls of tools and their results in turn; and
        the content of that answer. Each may be empty.
    """
    steps: list[MessageParam] = []
    if reply.outcome is Outcome.REFUSED:
        return steps, []
    rounds = [_round(list(group), reply) for _, group in groupby(reply.messages, _NUMBER)]
    sent = [block for content, came, _ in rounds for block in (*content, *came)]
    called = {block.get("id") for block in sent if block["type"] in TOOL_CALLS}
    answered = {block.get("tool_use_id") for block in sent} - {None}
    broken = False
    answer: Content = []
    for content, came, is_broken in rounds:
        broken = broken or is_broken
        kept: Content = []
        for block in content:
            if not _is_valid(block, called & answered):
                broken = True  # and thinking that followed it would not be taken back
            elif not (broken and block["type"] in THINKING):
                kept.append(block)
        kept = _joined(answer, kept)
        if came:
            steps += [assistant(kept), user(came)]
            answer = []
        else:
            answer = _ended(kept)
    if isinstance(reply.error, RequestError) and not answer:
        del steps[-2:]  # what was refused would be refused again, with every later question
    return steps, answer


def _joined(before: Content, content: Content) -> Content:
    """The parts of an answer that a function has put together, with a blank line between them."""
    if before and content and before[-1]["type"] == "text":
        before = [*before[:-1], before[-1] | {"text": f"{before[-1]['text'].rstrip()}\n\n"}]
    return [*before, *content]


def _round(messages: list[Message], reply: Progress) -> tuple[Content, Content, bool]:
    """The content of a round, the results that came of it, and whether it was broken off."""
    broken = any(message.failure and message.content for message in messages)
    found = dict.fromkeys(b for message in messages for b in message.content if not b.lost)
    came = results(messages[-1].calls)
    if not came and (broken or reply.outcome not in _WHOLE):
        if any(block.type == "display" for block in found):
            return [b.to_dict() for b in found if b.type in TEXTS and b.text.strip()], came, True
        text = "".join(block.text for block in found if block.type == "text")
        return text_only([{"type": "text", "text": text}]), came, True
    content = [sendable(block) for block in found if not is_blank(block)]
    unsigned = any(b["type"] == "thinking" and not b.get("signature") for b in content)
    return content, came, broken or unsigned


def _is_valid(block: dict[str, Any], whole: set[Any]) -> bool:
    """Whether the API takes a block back: of calls those that are whole, in whichever round.

    A server's tool may bring its result after that of the notebook's. One that nobody knows stays
    out of what is sent.
    """
    kind = block["type"]
    if kind in TOOL_CALLS:
        return block.get("id") in whole
    if kind.endswith("_tool_result"):
        return block.get("tool_use_id") in whole
    return kind in _BESIDE


def _ended(content: Content) -> Content:
    """The content of a turn that ends here: the API refuses one that ends in thinking."""
    while content and content[-1]["type"] in THINKING:
        content = content[:-1]
    return content if any(block["type"] in TEXTS for block in content) else []


def unthought(content: Iterable[dict[str, Any]]) -> Content:
    """Content without its thinking."""
    return [block for block in content if block["type"] not in THINKING]


def without_thinking(turn: MessageParam) -> MessageParam:
    """A turn without its thinking; the turn itself if there is none in it."""
    if not holds_thinking([turn]):
        return turn
    return _turn(turn["role"], unthought(turn["content"]))


def holds_thinking(messages: Iterable[MessageParam]) -> bool:
    """Whether there is thinking in turns."""
    return any(
        block["type"] in THINKING
        for turn in messages
        if not isinstance(turn["content"], str)
        for block in turn["content"]
    )


def texts(content: Iterable[dict[str, Any]]) -> list[str]:
    """The texts in content."""
    return [block["text"] for block in content if block["type"] in TEXTS]


def text_only(content: Iterable[dict[str, Any]]) -> Content:
    """The texts in content as an answer that ends there, without what only its server knows."""
    kept = [text for text in texts(content) if text.strip()]
    kept[-1:] = [text.rstrip() for text in kept[-1:]]
    return [{"type": "text", "text": text} for text in kept]


def plain(turn: MessageParam) -> MessageParam:
    """A turn of a loop of tools for another server than the one that took part in it."""
    kept = ("tool_use", "tool_result")
    content = turn["content"]
    sent = [b for b in content if b["type"] in kept or (b["type"] == "text" and b["text"].strip())]
    return _turn(
        turn["role"],
        [{"type": "text", "text": b["text"]} if b["type"] == "text" else b for b in sent],
    )
