"""The doors of a notebook: ``%%claude``, ``%claude`` and ``%claude_nb``. They parse and hand on."""

from __future__ import annotations

from difflib import get_close_matches
from getpass import getpass
from itertools import zip_longest
from threading import Thread
from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    no_var_expand,
)
from IPython.display import display
from traitlets import Bool, Enum, Float, Int, Unicode

from claude_nb import __version__, completion, options
from claude_nb.errors import ClaudeError, InputError
from claude_nb.models import DEFAULT_MODEL, as_of, facts, known_models
from claude_nb.traps import rewrite

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from claude_nb.reply import Reply

_MANUAL = f"""Ask Claude: the cell's text is the prompt, the reply streams into the output.

    %%claude [options]
    Why is the sky blue?

    %claude [options] Why is the sky blue?
    answer = %claude [options] Why is the sky blue?

Options
{options.manual()}

The defaults are yours: %config ClaudeMagics.model = "claude-sonnet-5-5"
Interrupt the kernel to stop a reply: the request ends, and what had come is kept.
%claude_nb help lists what else there is.
"""

_COMMANDS = {
    "status": "the model, the connection, and where the key comes from",
    "usage": "the tokens and the cost of this kernel's requests",
    "models": "the models, what they take and what they cost",
    "key": "enter an API key, unseen; it is kept in memory only",
    "simulate": "on [--speed 0.2] [--seed 7] | off | next FAULT: answer from fixed scripts on this"
    " machine, without a key, or fail as a server can",
    "show": "show the last reply again",
    "help": "this list",
}


@magics_class
class ClaudeMagics(Magics):
    """The magics, and their defaults as traits."""

    shell: InteractiveShell

    model = Unicode(DEFAULT_MODEL, help="The model to ask.").tag(config=True)
    max_tokens = Int(16_000, help="The most tokens to generate, thinking too.").tag(config=True)
    system = Unicode("", help="The system prompt.").tag(config=True)
    thinking = Unicode("", help="on, off or a number of tokens; empty: the model's way.").tag(
        config=True
    )
    effort = Unicode("", help="low, medium, high, xhigh or max; empty: as it is.").tag(config=True)
    tries = Int(5, help="Requests for one reply at most, when they fail in passing.").tag(
        config=True
    )
    max_wait = Float(60.0, help="The longest wait that a server may ask for, in seconds.").tag(
        config=True
    )
    hide_thinking = Bool(default_value=False, help="Ask for no readable thinking to be sent.").tag(
        config=True
    )

    hide_tools = Bool(default_value=False, help="Do not show calls of tools.").tag(config=True)
    view = Enum(
        ["auto", "live", "updating", "terminal"],
        default_value="auto",
        help="How replies are shown; auto: with a widget where a front end answers.",
    ).tag(config=True)

    @no_var_expand
    @line_cell_magic
    def claude(self, line: str, cell: str | None = None) -> Reply | None:
        """Ask Claude."""
        from claude_nb.retry import Policy
        from claude_nb.run import ask

        given, prompt = options.parse(line, self.shell.user_ns)
        if cell is not None:
            if prompt:
                raise InputError(
                    f"{_short(prompt)!r} is not an option.", "The prompt goes on the lines below."
                )
            prompt = cell
        name = given.pop("out", None)
        try:
            policy = Policy(tries=self.tries, max_wait=self.max_wait)
            reply = ask(prompt, policy=policy, **{**self._defaults(), **given})
        except ClaudeError as error:
            if name and error.reply is not None:
                self.shell.user_ns[name] = error.reply
            raise
        if name:
            self.shell.user_ns[name] = reply
        return reply if cell is None else None

    def _defaults(self) -> dict[str, Any]:
        thinking = self.thinking
        return {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "system": self.system or None,
            "thinking": int(thinking) if thinking.isdecimal() else thinking or None,
            "effort": self.effort or None,
            "hide_thinking": self.hide_thinking,
            "hide_tools": self.hide_tools,
            "view": self.view,
        }

    @no_var_expand
    @line_magic
    def claude_nb(self, line: str) -> object:
        """Status, usage, models, key, simulator: ``%claude_nb help`` lists the commands."""
        command, *arguments = line.split() or ["help"]
        if command not in _COMMANDS:
            near = get_close_matches(command, _COMMANDS, 1, 0.4)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(_COMMANDS)}."
            raise InputError(f"There is no command {command}.", hint)
        if arguments and command != "simulate":
            raise InputError(f"%claude_nb {command} takes no arguments.")
        return getattr(self, f"_{command}")(*arguments)

    def _help(self) -> None:
        width = max(map(len, _COMMANDS))
        for command, does in _COMMANDS.items():
            print(f"%claude_nb {command:<{width}}  {does}")  # noqa: T201
        print("%%claude?  the manual of the cell")  # noqa: T201

    def _status(self) -> None:
        from claude_nb.run import session

        print(f"claude_nb {__version__} · model {self.model} · key: {session.key_source}")  # noqa: T201

    def _usage(self) -> object:
        from claude_nb.render import words
        from claude_nb.render.table import Table
        from claude_nb.run import session
        from claude_nb.usage import Usage

        groups: dict[tuple[str, bool], list[Any]] = {}
        for entry in session.ledger.entries:
            groups.setdefault((entry.model, entry.simulated), []).append(entry)
        rows: list[tuple[str, ...]] = []
        for (model, simulated), entries in groups.items():
            used = sum((entry.usage for entry in entries), Usage())
            costs = [entry.cost for entry in entries]
            cost = None if None in costs else sum(costs)
            name = f"{model} (simulated)" if simulated else model
            counts = (
                used.input_tokens,
                used.cache_write_tokens,
                used.cache_read_tokens,
                used.output_tokens,
            )
            rows.append((name, str(len(entries)), *map(words.count, counts), words.money(cost)))
        heads = ("model", "requests", "input", "cache write", "cache read", "output", "cost")
        note = f"Prices as of {as_of()}."
        if any(simulated for _, simulated in groups):
            note += " For simulated requests: what a real one of that length would have cost."
        return Table(heads, rows, note if rows else "No requests yet.")

    def _models(self) -> object:
        from claude_nb.render.table import Table

        rows: list[tuple[str, ...]] = []
        for model in filter(None, map(facts, known_models())):
            price = model.prices[0] if model.prices else None
            rows.append(
                (
                    model.id,
                    f"${price.input:g} / ${price.output:g}" if price else "unknown",
                    f"{model.context_window:,}" if model.context_window else "unknown",
                    f"{model.max_output_tokens:,}" if model.max_output_tokens else "unknown",
                    ", ".join(model.thinking_types or ()) or "unknown",
                )
            )
        heads = ("model", "USD per million in / out", "context", "max output", "thinking")
        note = f"As of {as_of()}, for the smallest prompts. Other ids are passed on as typed."
        return Table(heads, rows, note)

    def _key(self) -> None:
        from claude_nb.run import session

        try:
            key = getpass("API key (not shown, kept in memory only): ").strip()
        except StdinNotImplementedError:
            raise InputError(
                "There is nobody to ask for a key here.", "Set ANTHROPIC_API_KEY instead."
            ) from None
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise InputError("That is not a key; the one in use has not changed.")
        session.use_key(key)
        self._status()

    def _simulate(self, state: str = "on", *more: str) -> None:
        from claude_nb.run import session
        from claude_nb.simulator.faults import fault

        if state == "next":
            faults = [fault(name) for name in more or [""]]
            session.simulate_next(*(found.reply for found in faults))
            print("\n".join(f"Next: {found.does}." for found in faults))  # noqa: T201
            return
        if state not in ("on", "off") or (more and state == "off"):
            raise InputError("%claude_nb simulate takes on, off or next with the name of a fault.")
        session.simulate(state == "on", **_pace(more))
        self._status()

    def _show(self) -> None:
        from claude_nb.run import last

        reply = last()
        if reply is None:
            raise InputError("There is no reply to show yet.")
        display(reply)


ClaudeMagics.claude.__doc__ = _MANUAL


def _pace(words: tuple[str, ...]) -> dict[str, Any]:
    """The options of ``%claude_nb simulate on``, as ``Session.simulate`` takes them."""
    pace: dict[str, Any] = {"speed": 1.0, "seed": 0}
    for option, value in zip_longest(words[::2], words[1::2], fillvalue=""):
        name = option.removeprefix("--")
        if name not in pace or name == option:
            hint = "It takes --speed, a factor, and --seed, a whole number."
            raise InputError(f"{option!r} is not an option of %claude_nb simulate on.", hint)
        try:
            pace[name] = type(pace[name])(value)
        except ValueError:
            raise InputError(f"{option} takes a number, not {value!r}.") from None
    if not pace["speed"] > 0:
        raise InputError("--speed is a factor above 0: 0.2 is a fifth of the pace.")
    return pace


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"


def load(shell: InteractiveShell) -> None:
    """Register the magics, once."""
    if rewrite not in shell.input_transformers_cleanup:
        shell.register_magics(ClaudeMagics(shell))
        # Before IPython's own, which would change a prompt: they take out indents and `>>>`.
        shell.input_transformers_cleanup.insert(0, rewrite)
        shell.Completer.custom_matchers.append(completion.matcher(shell.user_ns))
        Thread(target=_warm_up, name="claude_nb warm-up", daemon=True).start()


def _warm_up() -> None:
    """Import what the first cell needs, while nobody waits for it."""
    from claude_nb.run import session

    session.warm_up()


def unload(shell: InteractiveShell) -> None:
    """Take out what ``load`` put in."""
    if rewrite in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(rewrite)
    for kind, name in (("line", "claude"), ("cell", "claude"), ("line", "claude_nb")):
        shell.magics_manager.magics[kind].pop(name, None)
    shell.Completer.custom_matchers[:] = [
        matcher
        for matcher in shell.Completer.custom_matchers
        if getattr(matcher, "matcher_identifier", "") != completion.IDENTIFIER
    ]
    ours = shell.magics_manager.registry.pop(ClaudeMagics.__name__, None)
    if ours in shell.configurables:
        shell.configurables.remove(ours)
