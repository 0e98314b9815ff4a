"""The options of ``%%claude``: one table, from which parsing, help and completion follow."""

from __future__ import annotations

import keyword
import math
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from claude_nb.errors import InputError
from claude_nb.request.system import System

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Value:
    """What was typed after an option.

    Attributes:
        text: The value, without its quotes.
        quoted: Whether it was in quotes.
    """

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: Its long name, without dashes; with underscores, it is the name of what it sets.
        short: Its short form, without the dash, or an empty string.
        metavar: What to write after it; empty for a switch.
        help: What it does, in a line.
        read: Makes the value out of what was typed and the user's variables.
    """

    name: str
    short: str
    metavar: str
    help: str
    read: Callable[[Value, Mapping[str, Any]], Any]


def _text(value: Value, _variables: Mapping[str, Any]) -> str:
    return value.text


def _each(value: Value, _variables: Mapping[str, Any]) -> tuple[str, ...]:
    return (value.text,)


def _number(value: Value, _variables: Mapping[str, Any]) -> int:
    try:
        return int(value.text.replace("_", "").replace(",", ""))
    except ValueError:
        raise InputError(f"A whole number is needed, not {value.text!r}.") from None


def _dollars(value: Value, _variables: Mapping[str, Any]) -> float:
    try:
        sum_ = float(value.text.removeprefix("$"))
    except ValueError:
        sum_ = 0.0
    if not 0 < sum_ < math.inf:
        raise InputError(f"It takes a sum in USD above 0, such as 0.50, not {value.text!r}.")
    return sum_


def _seconds(value: Value, _variables: Mapping[str, Any]) -> float:
    try:
        return float(value.text.removesuffix("s"))
    except ValueError:
        raise InputError(f"It takes a number of seconds, not {value.text!r}.") from None


def _thinking(value: Value, variables: Mapping[str, Any]) -> str | int:
    if value.text in ("on", "off"):
        return value.text
    try:
        return _number(value, variables)
    except InputError:
        raise InputError(f"It takes on, off or a number of tokens, not {value.text!r}.") from None


def _variable(name: str, variables: Mapping[str, Any], otherwise: str) -> Any:
    if name in variables:
        return variables[name]
    near = get_close_matches(name, [n for n in variables if not n.startswith("_")], 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise InputError(f"There is no variable {name}.", f"{hint}{otherwise}")


def _values(value: Value, variables: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    names = [name.strip() for name in value.text.split(",")]
    hint = "It takes names of variables: --attach df,fig"
    return tuple((name, _variable(name, variables, hint)) for name in names)


def _system(value: Value, variables: Mapping[str, Any]) -> tuple[str | System]:
    if value.quoted:
        return (value.text,)
    hint = 'For the text itself, use quotes: --system "Answer in one sentence."'
    system = _variable(value.text, variables, hint)
    if not isinstance(system, (str, System)):
        raise InputError(f"{value.text} is a {type(system).__name__}, not text.")
    return (system,)


def _identifier(value: Value, _variables: Mapping[str, Any]) -> str:
    if not value.text.isidentifier() or keyword.iskeyword(value.text):
        raise InputError(
            f"{value.text!r} cannot be the name of a variable.", "For example: --out answer"
        )
    return value.text


def _tools(value: Value, variables: Mapping[str, Any]) -> tuple[Any, ...]:
    from claude_nb.tools.tools import SERVER_TOOLS  # here: to load the extension stays cheap

    names = [name.strip() for name in value.text.split(",")]
    if names == [""]:
        return ()
    hint = f"It takes names of functions, and of what the server runs: {', '.join(SERVER_TOOLS)}."
    return tuple(
        name if name in SERVER_TOOLS and name not in variables else _variable(name, variables, hint)
        for name in names
    )


def _variable_of(value: Value, variables: Mapping[str, Any]) -> Any:
    hint = "It takes the name of a pydantic model, of another type, or of a JSON schema."
    return _variable(value.text, variables, hint)


def _switch(_value: Value, _variables: Mapping[str, Any]) -> bool:
    return True


OPTIONS = (
    Option("model", "m", "ID", "the model to ask, any id; twice or more: side by side", _each),
    Option("max-tokens", "", "N", "the most tokens to generate, thinking included", _number),
    Option("system", "s", "NAME", 'the system prompt: a variable, or text in "quotes"', _system),
    Option("thinking", "t", "on|off|N", "think or not, or for at most N tokens", _thinking),
    Option("effort", "", "LEVEL", "low, medium, high, xhigh or max; also side by side", _each),
    Option("hide-thinking", "", "", "ask for no readable thinking to be sent", _switch),
    Option("hide-tools", "", "", "do not show calls of tools and their results", _switch),
    Option("attach", "a", "NAMES", "send the values of these variables along: df,fig", _values),
    Option("cells", "", "3-5|all", "send earlier cells along, and what came of them", _text),
    Option("error", "", "", "send the last exception along, and the cell that raised it", _switch),
    Option("tools", "", "NAMES", "let these functions be called: look_up,add", _tools),
    Option("eager", "", "", "let their input come as it is written, valid or not", _switch),
    Option("confirm", "", "", "ask before each call", _switch),
    Option("tool-timeout", "", "SECONDS", "how long a call may take", _seconds),
    Option("max-turns", "", "N", "how often tools may be run for this reply", _number),
    Option("json", "", "NAME", "the answer's form: a pydantic model or a schema", _variable_of),
    Option("raw", "", "", "send {{name}} as it is, instead of the variable's value", _switch),
    Option("conversation", "c", "NAME", "the conversation that it belongs to", _text),
    Option("new", "", "", "begin the conversation anew", _switch),
    Option("once", "", "", "neither send nor remember what was said", _switch),
    Option("no-stream", "", "", "ask without streaming: all of it comes at the end", _switch),
    Option("max-cost", "", "USD", "send nothing that could cost more", _dollars),
    Option("dry-run", "", "", "count what would be sent, and what it could cost", _switch),
    Option("out", "o", "NAME", "keep the reply in this variable", _identifier),
    Option("events", "", "", "show the events of the stream below, as they come", _switch),
    Option("background", "", "", "let the cell return at once; in no conversation but -c", _switch),
    Option("insert", "", "", "put the reply's code into a new cell below", _switch),
)

_BY_FLAG = {f"--{o.name}": o for o in OPTIONS} | {f"-{o.short}": o for o in OPTIONS if o.short}
_TOKEN = re.compile(r"""\s*(?:"([^"]*)"(?=\s|$)|'([^']*)'(?=\s|$)|(\S+))""")


def parse(line: str, variables: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Read the options at the beginning of a line; what follows them is left exactly as it is.

    Args:
        line: What stands after ``%claude`` or ``%%claude``.
        variables: The user's variables, for the options that name one.

    Returns:
        The options that were given (``max_tokens``, …), and the rest of the line.

    Raises:
        InputError: An option that does not exist, or a value that it cannot have.
    """
    given: dict[str, Any] = {}
    rest = line.lstrip()
    while rest.startswith("-"):
        flag, rest = _split(rest)
        if flag == "--":
            return given, rest
        flag, equals, inline = flag.partition("=")
        option = _BY_FLAG.get(flag)
        if option is None:
            raise InputError(*_unknown(flag))
        value = Value("", quoted=False)
        if option.metavar:
            # `--system="a b"`: the value begins where the equals sign ends, quotes and all.
            value, rest = _value(option, f"{inline} {rest}")
        elif equals:
            raise InputError(f"{flag} is a switch: it takes no value.")
        name = option.name.replace("-", "_")
        try:
            read = option.read(value, variables)
        except InputError as error:
            raise InputError(f"{flag}: {error.what}", error.advice) from None
        # A list may be given in parts; of anything else the last one counts.
        given[name] = given.get(name, ()) + read if isinstance(read, tuple) else read
    return given, rest


def _split(line: str) -> tuple[str, str]:
    """The first word, up to a space or an opening quote after ``=``; and the rest."""
    match = re.match(r"""[^\s=]+=(?=["'])|\S+""", line)
    end = match.end() if match else 0
    rest = line[end:]
    return line[:end], rest if line[:end].endswith("=") else rest.lstrip()


def _value(option: Option, line: str) -> tuple[Value, str]:
    match = _TOKEN.match(line)
    if match is None:
        example = f"--{option.name} {option.metavar}"
        raise InputError(f"--{option.name} needs a value.", f"It is written {example}.")
    double, single, bare = match.groups()
    rest = line[match.end() :].lstrip()
    if bare is not None:
        if bare[0] in "\"'":
            raise InputError(f"--{option.name}: the quote {bare[0]} is not closed.")
        return Value(bare, quoted=False), rest
    return Value(single if double is None else double, quoted=True), rest


def _unknown(flag: str) -> tuple[str, str]:
    near = get_close_matches(flag, _BY_FLAG, 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(_BY_FLAG)}."
    return (
        f"There is no option {flag}.",
        f"{hint} If it belongs to the prompt, put -- before it.",
    )


def manual() -> str:
    """The options as text, for ``%%claude?``."""
    lines = []
    for option in OPTIONS:
        short = f"-{option.short}, " if option.short else ""
        flags = f"{short}--{option.name} {option.metavar}".rstrip()
        lines.append(f"  {flags:<26}{option.help}")
    return "\n".join(lines)
