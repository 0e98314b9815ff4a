"""The magics ``%%claude``, ``%claude`` and ``%claude_nb``: they parse, and call the rest."""

from __future__ import annotations

from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    no_var_expand,
)
from traitlets import Bool, Enum, Float, Int, Unicode, Union, observe

from claude_nb import __version__
from claude_nb.client import preload
from claude_nb.conversation.snapshot import snapshot
from claude_nb.cost.models import DEFAULT_MODEL
from claude_nb.errors import InputError
from claude_nb.magics import completion, manual, options
from claude_nb.magics.input_transform import rewrite
from claude_nb.request import executed
from claude_nb.request.cells import CONTEXTS
from claude_nb.request.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from claude_nb.asking.comparison import Comparison
    from claude_nb.render.timeline import Timeline
    from claude_nb.reply import Reply


@magics_class
class ClaudeMagics(Magics):
    """The magics, and their defaults as traits."""

    shell: InteractiveShell
    _compared = False
    """Whether the versions of page and kernel were compared."""

    model = Unicode(DEFAULT_MODEL, help="The model to ask.").tag(config=True)
    max_tokens = Int(16_000, help="The most tokens to generate, including thinking.").tag(
        config=True
    )
    system = Unicode("", help="The system prompt.").tag(config=True)
    thinking = Unicode("", help="on, off or a number of tokens; empty: the model's default.").tag(
        config=True
    )
    effort = Unicode("", help="low, medium, high, xhigh or max; empty: the model's default.").tag(
        config=True
    )
    tries = Int(5, help="The most attempts for one reply, when errors are temporary.").tag(
        config=True
    )
    max_wait = Float(60.0, help="The longest wait that a server may ask for, in seconds.").tag(
        config=True
    )
    hide_thinking = Bool(default_value=False, help="Receive no readable thinking.").tag(config=True)

    tools = Unicode("", help="Functions that every cell may call, written as for --tools.").tag(
        config=True
    )
    hide_tools = Bool(default_value=False, help="Hide tool calls and their results.").tag(
        config=True
    )
    upload = Union(
        [Bool(), Int()],
        default_value=False,
        help="Upload large files once, for a day or this many seconds; everyone in the"
        " workspace can use them.",
    ).tag(config=True)
    view = Enum(
        ["auto", "live", "updating", "terminal"],
        default_value="auto",
        help="How to show replies; auto: with a widget where the front end supports it.",
    ).tag(config=True)

    context = Enum(
        CONTEXTS,
        default_value="off",
        help="The cells to send with each prompt: those above it, the whole notebook, or none.",
    ).tag(config=True)

    backup = Bool(
        default_value=True,
        help="Back up each turn of a conversation on this computer for 30 days.",
    ).tag(config=True)

    keep = Bool(
        default_value=None,
        allow_none=True,
        help="Show kept answers instead of asking again; None: as CLAUDE_NB_KEEP says.",
    ).tag(config=True)

    @observe("keep")
    def _set_keep(self, change: dict[str, Any]) -> None:
        from claude_nb.keeping.keeper import keeper

        keeper.configured = change["new"]

    @observe("backup")
    def _set_backup(self, change: dict[str, Any]) -> None:
        snapshot.backup = change["new"]

    @no_var_expand
    @line_cell_magic
    def claude(self, line: str, cell: str | None = None) -> Reply | Comparison | None:
        """Ask Claude."""
        from claude_nb.magics.cell import run

        page = Page()
        if page.version and not self._compared:
            self._compared = True
            if difference := page.difference(__version__):
                from claude_nb.views.terminal import say

                say(difference)
        return run(self.shell, line, cell, self._defaults())

    def _defaults(self) -> dict[str, Any]:
        from claude_nb.client.retry import Policy
        from claude_nb.session.session import session

        thinking, page = self.thinking, Page()
        return {
            "model": session.model or self._default("model", page),
            "max_tokens": self.max_tokens,
            "system": self.system or None,
            "thinking": int(thinking) if thinking.isdecimal() else thinking or None,
            "effort": self._default("effort", page) or None,
            "hide_thinking": self.hide_thinking,
            "tools": self._tools(),
            "hide_tools": self.hide_tools,
            "upload": self.upload,
            "view": self.view,
            "context": which if (which := self._default("context", page)) in CONTEXTS else "off",
            "policy": Policy(tries=self.tries, max_wait=self.max_wait),
        }

    def _default(self, name: str, page: Page) -> str:
        """A default that the page's settings may set where no configuration does."""
        configured = name in self.config[type(self).__name__]
        return ("" if configured else page.settings.get(name)) or str(getattr(self, name))

    def _tools(self) -> tuple[Any, ...]:
        if not self.tools:
            return ()
        try:
            return options.read_tools(options.Value(self.tools, quoted=False), self.shell.user_ns)
        except InputError as error:
            raise InputError(f"ClaudeMagics.tools: {error.what}", error.advice) from None

    @no_var_expand
    @line_cell_magic
    def claude_nb(self, line: str, cell: str | None = None) -> object:
        """Status, usage, models, history, …: ``%claude_nb help`` lists the commands."""
        from claude_nb.magics import commands

        return commands.execute(line, self._default("model", Page()), cell)


ClaudeMagics.claude.__doc__ = manual.of_cell().text(79)


def load(shell: InteractiveShell) -> None:
    """Register the magics, once."""
    snapshot.take()
    if rewrite not in shell.input_transformers_cleanup:
        magics = ClaudeMagics(shell)
        shell.register_magics(magics)
        # Before IPython's own, which would change a prompt: they take out indents and `>>>`.
        shell.input_transformers_cleanup.insert(0, rewrite)
        shell.events.register("post_run_cell", executed.note)
        completion.install(shell)
        if shell.display_formatter is not None:
            shell.display_formatter.ipython_display_formatter.for_type_by_name(*_TIMELINE, _show)
        preload.start(_warm_up(shell))


_TIMELINE = ("claude_nb.render.timeline", "Timeline")


def _show(timeline: Timeline) -> None:
    """Show a timeline where the notebook runs: IPython asks for it."""
    from claude_nb.views.choice import show_timeline

    show_timeline(timeline)


def _warm_up(shell: InteractiveShell) -> Iterator[None]:
    """Make ready what the first cell needs, in steps."""
    from claude_nb.session.session import session

    yield from session.warm_up()
    for name in ("magics.cell", "views.live") if hasattr(shell, "kernel") else ("magics.cell",):
        yield
        import_module(f"claude_nb.{name}")


def unload(shell: InteractiveShell) -> None:
    """Take out what ``load`` put in."""
    if rewrite in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(rewrite)
        shell.events.unregister("post_run_cell", executed.note)
        executed.forget()
    for kind, name in product(("line", "cell"), ("claude", "claude_nb")):
        shell.magics_manager.magics[kind].pop(name, None)
    if shell.display_formatter is not None:
        shell.display_formatter.ipython_display_formatter.pop(".".join(_TIMELINE), None)
    completion.uninstall(shell)
    ours = shell.magics_manager.registry.pop(ClaudeMagics.__name__, None)
    if ours in shell.configurables:
        shell.configurables.remove(ours)
