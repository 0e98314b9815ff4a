"""``CachedSystem``: a large system prompt, sent once and read from the cache after that."""

from __future__ import annotations

import asyncio
import warnings
from functools import cached_property
from os import PathLike
from typing import Any

from claude_nb.asking.asking import sending
from claude_nb.asking.question import Question
from claude_nb.characters import clean
from claude_nb.client.connection import Connection, count_tokens
from claude_nb.client.engine import call
from claude_nb.client.source import Warming
from claude_nb.cost.models import DEFAULT_MODEL, facts, known_models
from claude_nb.cost.savings import payback
from claude_nb.cost.usage import MILLION
from claude_nb.redaction import redact
from claude_nb.render import labels
from claude_nb.render.caching import KEPT, changed, for_price
from claude_nb.render.html import notes
from claude_nb.render.markdown.markdown import ROOT_CLASSES
from claude_nb.render.table import Table
from claude_nb.request.request import Request
from claude_nb.request.system import LIFETIMES, System, difference, texts
from claude_nb.request.textfiles import parts
from claude_nb.session.budget import MIN_OUTPUT
from claude_nb.session.session import session

_WORD = "."
"""The question that has to go along where only the system prompt matters."""

_SHOWN = 20
"""Parts that are listed at most."""


class CachedSystem(System):
    """A system prompt for the API's cache: written once, then read at a fraction of the price.

    Its bytes are read here, once, and stay as they are; a file that changes later does not change
    it. Two are equal if they send the same bytes for the same time.

    Args:
        *sources: What it consists of, in the order in which it is sent: a text; a file or a folder,
            as a ``Path`` or as a text of one line that names one; or a pair of a name and a text.
            Of a folder all its text files are taken, sorted by name, each with its path before it;
            hidden and binary ones are left out. All line ends become line feeds.
        ttl: How long it is kept after each use: ``"5m"``, or ``"1h"``, which costs more to write.

    Attributes:
        left_out: What was left out of folders, in words.

    Raises:
        InputError: A part cannot be read or is empty, or there is no such ``ttl``.

    Example:
        >>> manual = CachedSystem("manual.md", ttl="1h")
        >>> manual.tokens()
        >>> manual.warm()
        >>> claude_nb.ask("What does chapter 3 say?", system=manual)
    """

    def __init__(self, *sources: str | PathLike[str] | tuple[str, str], ttl: str = "5m") -> None:
        read, left_out = parts(sources)
        super().__init__(read, ttl, left_out)

    @cached_property
    def _counted(self) -> dict[str, int]:
        """How many tokens it has, by model, as far as that was counted."""
        return {}

    def tokens(self, model: str = DEFAULT_MODEL, *, client: Any = None) -> int:
        """Count its tokens with the API; this is free.

        What it will cost is shown with it from then on. Warns where the model would not cache it,
        or could not take it.

        Args:
            model: Each model counts in its own way.
            client: Your own ``anthropic.AsyncAnthropic``; by default the session's connection.

        Raises:
            ClaudeError: It could not be counted.
        """
        tokens = self._count(model, session.connection(client))
        if problem := _problem(tokens, model):
            warnings.warn(problem, stacklevel=2)
        return tokens

    def warm(self, model: str = DEFAULT_MODEL, *, client: Any = None) -> CachedSystem:
        """Write it to the cache now, so that the first question is quick and cheap.

        Nothing is generated. It costs what writing costs; if it is in the cache already, it costs
        what reading costs and is kept on.

        Args:
            model: The model that is to be asked: each has its own cache.
            client: As for ``tokens``.

        Returns:
            This system prompt, which shows what was written and how long it is kept.

        Raises:
            ClaudeError: It could not be written.
        """
        request = Request(_WORD, model=model, system=self, max_tokens=MIN_OUTPUT)
        with sending(Question(request, client=client, show=False), source=Warming) as sent:
            sent.paint()
        return self

    def _count(self, model: str, connection: Connection) -> int:
        if model not in self._counted:
            alone = {"model": model, "messages": [{"role": "user", "content": _WORD}]}

            async def count() -> int:
                whole = count_tokens(connection, alone | {"system": self.blocks()})
                both = await asyncio.gather(whole, count_tokens(connection, alone))
                return both[0] - both[1]

            self._counted[model] = call(count())
        return self._counted[model]

    def _lines(self) -> list[str]:
        size, kept = (
            labels.counted(self.characters, "character"),
            f"kept for {KEPT[self.ttl]} after each use",
        )
        lines = [f"{size} · {kept} · digest {self.digest}"]
        lines += [f"left out of folders: {self.left_out}"] if self.left_out else []
        smallest = min(filter(None, (_minimum(model) for model in known_models())))
        if len("".join(self.texts).encode()) < smallest:
            lines.append(
                f"too short to be cached on its own: no model caches fewer than {smallest} tokens"
            )
        lines += [self._price(model, tokens) for model, tokens in self._counted.items()]
        return lines + self.state()

    def _price(self, model: str, tokens: int) -> str:
        """What it costs for a model: to write, to read, and when that pays."""
        lines = [f"{model}: {labels.counted(tokens, 'token')}"]
        known = facts(model)
        price = known.price_for(tokens) if known else None
        if problem := _problem(tokens, model):
            lines.append(problem)
        elif price is None:
            lines.append("its price is unknown")
        else:
            write = price.cache_write_1h if self.ttl == "1h" else price.cache_write_5m
            rates = (write, price.cache_read, price.input)
            costs = [rate if rate is None else rate * tokens / MILLION for rate in rates]
            written, read = for_price(costs[0]), for_price(costs[1], costs[2])
            lines += [f"written{written}"] if written else []
            lines += [f"read{read}"] if read else []
            if reads := payback(price, self.ttl):
                lines.append(f"pays for itself after {labels.counted(reads, 'read')}")
        return " · ".join(lines)

    def state(self) -> list[str]:
        """For which models it is in the cache and how long, and what has changed in it, in words.

        Empty before it is sent; times are by this computer's clock.
        """
        lines: list[str] = []
        now = session.cache.clock()
        uses = session.cache.uses(self)
        if uses and texts(uses[0].sent.system) != self.texts:
            ago = labels.seconds(now - uses[0].sent.at)
            found = changed(difference(uses[0].sent.system, self))
            lines.append(
                f"changed since it was sent {ago} ago, so the next request writes it again: {found}"
            )
        newest = {e.sent.model: e for e in reversed(uses) if texts(e.sent.system) == self.texts}
        for model, use in newest.items():
            left = use.sent.at + LIFETIMES[use.sent.ttl] - now
            if use.cached and left > 0:
                lines.append(f"in the cache of {model}: {labels.seconds(left)} left")
            elif use.cached:
                lines.append(f"was in the cache of {model}, up to {labels.seconds(-left)} ago")
        return lines

    def __repr__(self) -> str:
        names = ", ".join(part.name for part in self.parts[:3])
        more = f" and {len(self.parts) - 3:,} more" if len(self.parts) > 3 else ""
        return clean(redact("\n".join([f"CachedSystem: {names}{more}", *self._lines()])))

    def _repr_html_(self) -> str:
        rows: list[tuple[str, ...]] = [
            (part.name, f"{len(part.text):,}") for part in self.parts[:_SHOWN]
        ]
        if len(self.parts) > _SHOWN:
            rest = self.parts[_SHOWN:]
            characters = sum(len(part.text) for part in rest)
            rows.append((f"{len(rest):,} more", f"{characters:,}"))
        shown = f"{Table(('part', 'characters'), rows).to_html()}{notes(self._lines())}"
        return f'<div class="{ROOT_CLASSES}">{shown}</div>'  # money is no formula


def _minimum(model: str) -> int | None:
    known = facts(model)
    return known.cache_minimum_tokens if known else None


def _problem(tokens: int, model: str) -> str:
    """Why a model would not cache so many tokens, or not take them; empty if nothing is amiss."""
    known = facts(model)
    minimum, window = _minimum(model), known.context_window if known else None
    if minimum is not None and tokens < minimum:
        return f"{model} caches {minimum:,} tokens or more: this has only {tokens:,}"
    if window is not None and tokens >= window:
        return f"{model} takes at most {window:,} tokens, reply included: this has {tokens:,}"
    return ""
