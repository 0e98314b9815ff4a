"""What a prompt names that can be a value: quoted texts, numbers, dates, addresses, names."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

LONG = "long"
"""The word for texts of many lines, where they are made up."""

_TOKEN = re.compile(
    r"""
      "(?P<quoted>[^"\n]+)" | “(?P<curly>[^”\n]+)” | `(?P<code>[^`\n]+)`
    | (?<!\w)'(?P<single>[^'\n]+)'(?!\w)
    | (?P<url>https?://[^\s<>"'`)\]]*[^\s<>"'`)\].,;:!?])
    | (?<![\w.+-])(?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    | (?<![\w-])(?P<date>\d{4}-\d\d-\d\d)(?![\w-])
    | (?P<file>(?<![\w./-])[\w./-]*\w\.[a-z]{2,5}(?![\w.]*\w))
    | (?P<number>(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?!\w|\.\d))
    | (?<=[^.!?\s]\s)(?P<name>[A-ZÀ-Þ][\w-]+(?:\s[A-ZÀ-Þ][\w-]+)*)
    """,
    re.VERBOSE,
)
_QUOTES = {"curly", "code", "single"}
_CALLED = {"url": ("url", "uri", "link"), "email": ("mail",), "date": ("date", "day")}
"""What in a parameter's name asks for a text of one kind."""

_KINDS = (("quoted",), ("file", "name"), ("url", "email", "date"))
"""The kinds that a text can be, those that are taken first before the others."""


@dataclass(slots=True)
class _Named:
    """Something that a prompt names, and whether it was made use of."""

    kind: str
    text: str
    at: int
    used: bool = False
    of: str = ""  # the one parameter that the prompt says it is for


class Values:
    """The values that a prompt names, in their order, and whether it wants long ones.

    Each is used once. A call that finds all of a kind used may use them again: two tools that are
    asked about one town are both given that town.

    Args:
        prompt: The text.
        besides: Names that are no values, such as those of tools.
        parameters: The names of all parameters there are, so that what is said of one is not given
            to another.
    """

    def __init__(
        self, prompt: str = "", besides: Iterable[str] = (), parameters: Iterable[str] = ()
    ) -> None:
        self._prompt = prompt
        self.are_long = re.search(rf"(?<!\w){LONG}(?!\w)", prompt, re.IGNORECASE) is not None
        self._named: list[_Named] = []
        taken = {name.lower() for name in besides}
        for match in _TOKEN.finditer(prompt):
            kind = match.lastgroup or ""
            text = match[kind]
            if text.lower() not in taken:
                kind = "quoted" if kind in _QUOTES else kind
                self._named.append(_Named(kind, text, match.start()))
        for parameter in parameters:
            said = self._said(parameter)
            for named in self._named:
                if named.text == said:
                    named.of = parameter

    def begin(self) -> None:
        """A new call begins."""
        for _, kind in groupby(sorted(self._named, key=_group), key=_group):
            alike = list(kind)
            if all(named.used for named in alike):
                for named in alike:
                    named.used = False

    def text(
        self,
        parameter: str,
        fits: Callable[[str], bool],
        kinds: tuple[str, ...] = (),
        like: str | None = None,
    ) -> str | None:
        """Return a text for a parameter, or ``None``.

        Args:
            parameter: Its name; one that speaks of a date is given a date.
            fits: Whether its schema takes a text.
            kinds: Those that it may be of, if not any: ``url``, ``email``, ``date``, ``file``,
                ``quoted``; ``said`` for what the prompt says of the parameter by its name.
            like: A text of the same kind.
        """
        said = self._said(parameter)
        if said is not None and like is None and fits(said):
            return self._use(said)
        called = [k for k, parts in _CALLED.items() if any(p in parameter.lower() for p in parts)]
        orders: list[tuple[str, ...]] = [kinds] if kinds else [*((k,) for k in called), *_KINDS]
        if like is not None:
            orders = [tuple(named.kind for named in self._named if named.text == like)]
        for order in orders:
            for named in self._named:
                free = not named.used and named.of in {"", parameter}
                if named.kind in order and free and fits(named.text):
                    named.used = True
                    return named.text
        return None

    def number(self, parameter: str, fits: Callable[[float], bool]) -> float | None:
        """Return a number for a parameter, or ``None``."""
        said = self._said(parameter)
        free = [n for n in self._named if not n.used and n.of in {"", parameter}]
        texts = [named.text for named in free if named.kind == "number"]
        for text in [*([said] if said else []), *texts]:
            try:
                number = float(text.replace(",", ""))
            except ValueError:
                continue
            whole = int(number) if number.is_integer() else number
            if fits(whole):
                self._use(text)
                return whole
        return None

    def member(self, parameter: str, members: list[Any]) -> Any:
        """Return the one of some values that is mentioned first and not used yet, or ``None``."""
        said = self._said(parameter)
        if said is not None and said in map(str, members):
            self._use(said)
            return next(m for m in members if str(m) == said)
        mentioned = sorted(
            (at, number, member)
            for number, member in enumerate(members)
            if (at := self._place(member)) is not None
        )
        for at, _, member in mentioned:
            known = next((n for n in self._named if n.at <= at < n.at + len(n.text) + 2), None)
            if known is None:
                known = _Named("word", str(member), at)
                self._named.append(known)
            if not known.used:
                known.used = True
                return member
        return None

    def _place(self, member: Any) -> int | None:
        """Return where a value is mentioned; a single letter has to stand in quotes."""
        if not isinstance(member, str | int | float) or isinstance(member, bool) or member == "":
            return None
        word = re.escape(str(member))
        if isinstance(member, str) and len(member) == 1:
            word = rf"(?<=[\"“`']){word}(?=[\"”`'])"
        found = re.search(rf"(?<![\w]){word}(?![\w])", self._prompt, re.IGNORECASE)
        return found.start() if found else None

    def _said(self, parameter: str) -> str | None:
        """Return what the prompt says of a parameter: ``days=3``, ``days: 3`` or ``3 days``."""
        name = re.escape(parameter).replace("_", "[_ ]")
        found = re.search(
            rf"(?<!\w){name}(?:\s*[=:]\s*[\"“`']([^\"”`'\n]+)[\"”`']"
            rf"|\s*=\s*([\w@./+:-]*[\w/])|:\s+([^\n,;.?!]*\w))"
            rf"|(?<![\w.,])(-?\d+(?:,\d{{3}})*(?:\.\d+)?)\s+{name}(?!\w)",
            self._prompt,
            re.IGNORECASE,
        )
        return next((group for group in found.groups() if group), None) if found else None

    def _use(self, text: str) -> str:
        for named in self._named:
            if named.text == text:
                named.used = True
                break
        return text


def _group(named: _Named) -> int:
    """Return which of the kinds that stand for each other something is of."""
    return next((i for i, kinds in enumerate(_KINDS) if named.kind in kinds), len(_KINDS)) + (
        named.kind == "word"
    )
