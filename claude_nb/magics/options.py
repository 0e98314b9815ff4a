"""The options of ``%%claude``: one table for parsing, help and completion; commands have theirs."""

from __future__ import annotations

import builtins
import keyword
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from claude_nb.errors import InputError, either, nearest
from claude_nb.request.attachments.variables import user_names
from claude_nb.request.cells import CONTEXTS
from claude_nb.request.system import System

NO_TOOLS = "none"
"""What ``--tools`` takes to put the tools of the conversation away."""

_NONE = "none"
"""What ``--extra`` and ``--betas`` take to clear those of the conversation."""


class MisusedError(Exception):
    """A command does not take what was typed after it: its error says what it takes."""


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
        metavar: What to write after it; empty for a switch, in brackets if it may be left out.
        help: What it does, in a line.
        read: Makes the value out of what was typed and the user's variables.
        several: Whether it takes a list, in which a space may follow each comma.
    """

    name: str
    short: str
    metavar: str
    help: str
    read: Callable[[Value, Mapping[str, Any]], Any]
    several: bool = False

    @property
    def needs_value(self) -> bool:
        """Whether something has to follow it."""
        return bool(self.metavar) and not self.metavar.startswith("[")

    @property
    def usage(self) -> str:
        """It as it is typed, in its short form if it has one."""
        return f"{f'-{self.short}' if self.short else f'--{self.name}'} {self.metavar}".rstrip()


def read_text(value: Value, _variables: Mapping[str, Any]) -> str:
    """What was typed."""
    return value.text


def _each(value: Value, _variables: Mapping[str, Any]) -> tuple[str, ...]:
    return (value.text,)


def _number(convert: Callable[[str], Any], takes: str) -> Callable[[Value, Mapping[str, Any]], Any]:
    """Make a reader of numbers; ``convert`` raises a ``ValueError`` for what is none."""

    def read(value: Value, _variables: Mapping[str, Any]) -> Any:
        with suppress(ValueError):
            return convert(value.text)
        raise InputError(f"{value.text!r} is not {takes}.")

    return read


def _whole(text: str) -> int:
    return int(text.replace(",", ""))


def _above_0(text: str, most: float = math.inf) -> float:
    if 0 < (number := float(text)) <= most:
        return number
    raise ValueError(text)


read_number = _number(_whole, "a whole number")
read_factor = _number(_above_0, "a factor above 0, such as 0.2")
read_dollars = _number(
    lambda text: _above_0(text.removeprefix("$"), sys.float_info.max),
    "an amount in USD above 0, such as 0.50",
)
_seconds = _number(lambda text: float(text.removesuffix("s")), "a number of seconds")
_thinking = _number(
    lambda text: text if text in ("on", "off") else _whole(text), "on, off or a number of tokens"
)


def read_names(value: Value, _variables: Mapping[str, Any]) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in value.text.split(","))


def _variable(
    name: str, variables: Mapping[str, Any], otherwise: str, others: Iterable[str] = ()
) -> Any:
    if name in variables:
        return variables[name]
    known = [n for n in user_names(variables) if not n.startswith("_")]
    near = nearest(name, [*known, *others])
    hint = f"Did you mean {near}? " if near else ""
    raise InputError(f"There is no variable {name}.", f"{hint}{otherwise}")


def _values(value: Value, variables: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    hint = "Name variables: --attach df,fig"
    return tuple((name, _variable(name, variables, hint)) for name in read_names(value, {}))


def _system(value: Value, variables: Mapping[str, Any]) -> tuple[str | System]:
    return (_named_text(value, variables, "system", str, System),)


def _instruction(value: Value, variables: Mapping[str, Any]) -> str:
    text: str = _named_text(value, variables, "instruct", str)
    return text


def _named_text(value: Value, variables: Mapping[str, Any], option: str, *kinds: type) -> Any:
    """A text in quotes, or the value of a variable, of one of these kinds and not blank."""
    if value.quoted:
        return value.text
    hint = f'For the text itself, use quotes: --{option} "Answer in one sentence."'
    found = _variable(value.text, variables, hint)
    if not isinstance(found, kinds):
        raise InputError(f"{value.text} is of type {type(found).__name__}, not text.")
    if isinstance(found, str) and found.isspace():
        raise InputError(f"{value.text} is blank.", f"Put text into it, or leave out --{option}.")
    return found


def _dict(value: Value, variables: Mapping[str, Any]) -> dict[str, Any]:
    found = _variable(value.text, variables, "Name a variable that holds a dict.")
    if not isinstance(found, dict):
        raise InputError(f"{value.text} is of type {type(found).__name__}, not a dict.")
    return found


def _extra(value: Value, variables: Mapping[str, Any]) -> dict[str, Any]:
    return {} if value.text.lower() == _NONE else _dict(value, variables)


def _betas(value: Value, variables: Mapping[str, Any]) -> tuple[str, ...]:
    return () if value.text.lower() == _NONE else read_names(value, variables)


def _sequences(value: Value, variables: Mapping[str, Any]) -> tuple[Any, ...]:
    """The text in quotes, or a variable: a text, or a list of them."""
    if value.quoted:
        return (value.text,)
    hint = 'For the text itself, use quotes: --stop-sequences "END"'
    found = _variable(value.text, variables, hint)
    if not isinstance(found, (str, list, tuple)):
        raise InputError(f"{value.text} is of type {type(found).__name__}, not text.")
    return (found,) if isinstance(found, str) else tuple(found)


def _identifier(value: Value, _variables: Mapping[str, Any]) -> str:
    if not value.text.isidentifier() or keyword.iskeyword(value.text):
        raise InputError(
            f"{value.text!r} cannot be the name of a variable.", "For example: --out answer"
        )
    return value.text


def read_tools(value: Value, variables: Mapping[str, Any]) -> tuple[Any, ...]:
    """The functions and MCP servers of those names, and the names of what the API's server runs."""
    # Here: to load the extension stays cheap.
    from claude_nb.request.server_tools import BUILT_IN_TOOLS
    from claude_nb.tools.mcp.named import servers

    names = read_names(value, {})
    if [name.lower() for name in names] == [NO_TOOLS]:
        return (NO_TOOLS,)
    built_in = ", ".join(BUILT_IN_TOOLS)
    hint = (
        "Name functions, MCP servers (NAME or NAME.tool; see %claude_nb mcp), built-in tools"
        f" ({built_in}), or {NO_TOOLS}."
    )
    if not all(names):
        raise InputError("A name is empty.", hint)
    return tuple(
        name
        if name in BUILT_IN_TOOLS and name not in variables
        else _of_server(name, variables) or _variable(name, variables, hint, servers)
        for name in names
    )


def _of_server(name: str, variables: Mapping[str, Any]) -> Any:
    """The MCP server of that name, or one tool of it for ``NAME.tool``; None if it is no server's.

    A server is named by ``%claude_nb mcp``, or is the value of a variable.
    """
    from claude_nb.tools.mcp.named import find
    from claude_nb.tools.mcp.server import McpServer

    server, dot, tool = name.partition(".")
    value, found = variables.get(server), find(name)
    if found is not None and (callable(value) or isinstance(value, McpServer)):
        raise InputError(
            f"{server} is a variable and an MCP server.",
            f"Rename the variable, or end the server: %claude_nb mcp remove {server}",
        )
    return value.only([tool]) if dot and isinstance(value, McpServer) else found


def _variable_of(value: Value, variables: Mapping[str, Any]) -> Any:
    hint = "Name a pydantic model, another type, or a JSON schema."
    types = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type)}
    return _variable(value.text, {**types, **variables}, hint)


def read_switch(_value: Value, _variables: Mapping[str, Any]) -> bool:
    """True: a switch is on if it was typed."""
    return True


def _optional(value: Value, variables: Mapping[str, Any]) -> int | Literal[True]:
    """A number of an execution, or True."""
    return read_number(value, variables) if value.text else True


def _context(value: Value, _variables: Mapping[str, Any]) -> str:
    if value.text not in CONTEXTS:
        raise InputError(f"{value.text!r} is not {either(CONTEXTS)}.")
    return value.text


_WHICH_OUTPUT = (
    "{{Out[5]}} in the prompt inserts what cell [5] returned or displayed, --cells 5 attaches"
    " its code and output, --plot attaches the newest figure above"
)
"""The manual's one entry on all three."""


SPEED = Option("speed", "", "FACTOR", "the speed of replies: 0.2 is a fifth", read_factor)
SEED = Option("seed", "", "N", "the same seed and prompt give the same stream", read_number)

CELL_OPTIONS = (
    Option(
        "model", "m", "ID", "the model to ask; give it twice or more to compare side by side", _each
    ),
    Option("max-tokens", "", "N", "the most tokens to generate, including thinking", read_number),
    Option(
        "system",
        "s",
        "NAME",
        'the system prompt: a variable (text or a CachedSystem), or text in "quotes"',
        _system,
    ),
    Option(
        "thinking",
        "t",
        "on|off|N",
        "thinking on, off, or up to N tokens; when off, sonnet-5-5 still thinks between tools",
        _thinking,
    ),
    Option(
        "effort",
        "",
        "LEVEL",
        "low, medium, high, xhigh or max; twice or more to compare side by side",
        _each,
    ),
    Option(
        "instruct",
        "",
        "NAME",
        'add an instruction from this turn on: a variable, or text in "quotes"',
        _instruction,
    ),
    Option("hide-thinking", "", "", "receive no readable thinking", read_switch),
    Option("hide-tools", "", "", "hide tool calls and their results", read_switch),
    Option(
        "fallback",
        "",
        "",
        "let another model answer, at its price, if this one declines",
        read_switch,
    ),
    Option("attach", "a", "NAMES", "attach the values of these variables: df,fig", _values),
    Option(
        "upload",
        "",
        "",
        "upload large files once; everyone in the workspace can use them",
        read_switch,
    ),
    Option("cite", "", "", "have Claude cite the attached files and values", read_switch),
    Option(
        "context",
        "",
        "WHICH",
        "send the cells above (above), the whole notebook (notebook) or no cells (off); later"
        " turns send only new or changed cells",
        _context,
    ),
    Option("cells", "", "3-5|all", _WHICH_OUTPUT, read_text),
    Option("plot", "", "", _WHICH_OUTPUT, read_switch),
    Option("error", "", "[N]", "attach the last exception, or the one of cell [N]", _optional),
    Option(
        "tools",
        "",
        "NAMES",
        "let Claude call these functions, MCP servers (NAME or NAME.tool), the API's"
        " web_search, web_fetch and code_execution, or memory (a folder of notes); none: no tools",
        read_tools,
    ),
    Option("eager", "", "", "stream tool input as it is written, unchecked", read_switch),
    Option("confirm", "", "", "ask before each call", read_switch),
    Option("tool-timeout", "", "SECONDS", "the time limit of a call, in seconds", _seconds),
    Option("max-turns", "", "N", "how many times a reply may use tools (25)", read_number),
    Option("tool-choice", "", "NAME", "auto, any, none, or the tool to call first", read_text),
    Option(
        "stop-sequences",
        "",
        "NAME",
        'end the reply where this text would follow: "quotes", or a variable (text or a list)',
        _sequences,
    ),
    Option(
        "json", "", "NAME", "answer in this schema: a pydantic model or a JSON schema", _variable_of
    ),
    Option("extra", "", "NAME", "other fields of the request, as a dict; none clears them", _extra),
    Option("betas", "", "NAMES", "beta features to switch on; none clears them", _betas),
    Option("metadata", "", "NAME", 'the metadata of the request: {"user_id": …}', _dict),
    Option("raw", "", "", "send {{name}} literally, not the variable's value", read_switch),
    Option("conversation", "c", "NAME", "ask in this conversation", read_text),
    Option("new", "", "", "start a new conversation", read_switch),
    Option("once", "", "", "send no earlier turns, and do not remember this one", read_switch),
    Option("no-stream", "", "", "receive the whole reply at the end", read_switch),
    Option(
        "max-cost",
        "",
        "USD",
        "send nothing that could cost more, apart from what web_search and web_fetch find",
        read_dollars,
    ),
    Option("keep", "", "", "show the kept answer if there is one, and send nothing", read_switch),
    Option("fresh", "", "", "ask again, even if an answer is kept", read_switch),
    Option(
        "dry-run",
        "",
        "",
        "show what would be sent and what it could cost; ask nothing",
        read_switch,
    ),
    Option("out", "o", "NAME", "store the reply in this variable", _identifier),
    Option("events", "", "", "show the events of the stream below the reply", read_switch),
    Option(
        "background",
        "",
        "",
        "return at once and answer in the background (joins a conversation only with -c)",
        read_switch,
    ),
    Option("insert", "", "", "put the reply's code into a new cell below", read_switch),
    Option("help", "h", "", "show this help, and ask nothing", read_switch),
)

_TOKEN = re.compile(r"""\s*(?:"([^"]*)"(?=\s|$)|'([^']*)'(?=\s|$)|(\S+))""")
_LIST = re.compile(r"""\s*(?:"([^"]*)"(?=\s|$)|'([^']*)'(?=\s|$)|((?:[^\s"']*,\s+)*\S+))""")


def flags(options: Iterable[Option]) -> dict[str, Option]:
    """Options by what is typed for them."""
    short = {f"-{option.short}": option for option in options if option.short}
    return {f"--{option.name}": option for option in options} | short


_FLAGS = flags(CELL_OPTIONS)


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
        if rest.split(maxsplit=1)[0] == "--":
            return given, rest[2:].lstrip()
        hint = " If it belongs to the prompt, put -- before it."
        rest = _read(rest, _FLAGS, given, variables, hint)
    return given, rest


def parse_command(
    line: str, options: Iterable[Option], *, most: int | None = None
) -> tuple[list[str], dict[str, Any]]:
    """Read what follows a command: words, in quotes or not, and options, in any order.

    Args:
        line: What was typed.
        options: Those that the command has.
        most: How many words there are at most: the last one is then all the rest, as it stands,
            without a ``--`` before it.

    Returns:
        The words, and the options that were given.

    Raises:
        InputError: An option that does not exist, or a value that it cannot have.
    """
    words: list[str] = []
    given: dict[str, Any] = {}
    known, rest = flags(options), line.strip()
    while rest:
        begins = rest.split(maxsplit=1)[0]
        if begins in known or (begins.startswith("--") and not (most and begins == "--")):
            rest = _read(rest, known, given, {})
        elif len(words) + 1 == most:
            words.append(rest.removeprefix("-- ").lstrip())
            break
        else:
            word, rest = _value(_WORD, rest)
            words.append(word.text)
    return words, given


# A number before another option or the end of the line: `%claude --error 3 cells fail` has none.
_NUMBER = re.compile(r"\s*(\d+)(?=\s*$|\s+-)", re.ASCII)

_WORD = Option("", "", "", "", read_text)


def _read(
    line: str,
    known: Mapping[str, Option],
    given: dict[str, Any],
    variables: Mapping[str, Any],
    hint: str = "",
) -> str:
    """Read the option that a line begins with into ``given``, and return the rest of the line."""
    flag, rest = _split(line)
    flag, equals, inline = flag.partition("=")
    option = known.get(flag)
    if option is None:
        near = nearest(flag, known)
        there = f"There are {', '.join(known)}." if known else "None goes with this."
        advice = f"Did you mean {near}?" if near else there
        raise InputError(f"There is no option {flag}.", f"{advice}{hint}")
    value = Value("", quoted=False)
    if option.needs_value:
        # `--system="a b"`: the value begins where the equals sign ends, quotes and all.
        value, rest = _value(option, f"{inline} {rest}")
    elif option.metavar:
        number = None if equals else _NUMBER.match(rest)
        value = Value(number[1] if number else inline, quoted=False)
        rest = rest[number.end() :].lstrip() if number else rest
    elif equals:
        raise InputError(f"{flag} is a switch: it takes no value.")
    name = option.name.replace("-", "_")
    try:
        read = option.read(value, variables)
    except InputError as error:
        raise InputError(f"{flag}: {error.what}", error.advice) from None
    # A list may be given in parts; of anything else the last one counts.
    given[name] = given.get(name, ()) + read if isinstance(read, tuple) else read
    return rest


def _split(line: str) -> tuple[str, str]:
    """The first word, up to a space or an opening quote after ``=``; and the rest."""
    match = re.match(r"""[^\s=]+=(?=["'])|\S+""", line)
    end = match.end() if match else 0
    rest = line[end:]
    return line[:end], rest if line[:end].endswith("=") else rest.lstrip()


def _value(option: Option, line: str) -> tuple[Value, str]:
    match = (_LIST if option.several else _TOKEN).match(line)
    name = f"--{option.name}"
    if match is None:
        raise InputError(f"{name} needs a value.", f"Write {name} {option.metavar}.")
    double, single, bare = match.groups()
    rest = line[match.end() :].lstrip()
    if bare is not None:
        if bare[0] in "\"'":
            where = f"{name}: t" if option.name else "T"
            raise InputError(f"{where}he quote {bare[0]} is not closed.")
        return Value(bare, quoted=False), rest
    return Value(single if double is None else double, quoted=True), rest
