"""Which view shows a reply: the one that was asked for, or the one that fits where this runs."""

from __future__ import annotations

from claude_nb.render.timeline import Timeline
from claude_nb.reply import Reply
from claude_nb.request.host import host
from claude_nb.request.place import can_display, current_place, is_in_notebook_6, is_run_by_program
from claude_nb.views.answers import answers
from claude_nb.views.painter import View


def show_timeline(timeline: Timeline) -> None:
    """Show a timeline as fits where this runs: to be stepped through where a page can."""
    from claude_nb.views import inspector

    (inspector.inspect if steps(fitting()) else inspector.static)(timeline)


def steps(kind: str) -> bool:
    """Whether a page lets the reader step through timelines.

    Colab has a page for each output: the widget that does it would not be in that of the timeline.

    Args:
        kind: Which view shows replies, as ``fitting`` names it.
    """
    return kind == "live" and host() != "colab"


def make_view(kind: str, reply: Reply, *, waits: bool = True) -> View:
    """Make the view of a reply, as ``fitting`` names it.

    Args:
        kind: Which.
        reply: What it shows.
        waits: Whether the cell waits for the reply.
    """
    if kind == "live":
        from claude_nb.views.live import LiveOutput, LiveView

        return LiveView(reply, LiveOutput(interrupts=waits))
    if kind in ("updating", "sparing"):
        from claude_nb.views.displayed_output import DisplayedOutput, SparingOutput
        from claude_nb.views.updating import UpdatingView

        if host() == "vscode":
            from claude_nb.views.synced_output import output_sync

            output_sync()  # a page that has widgets answers it
        is_sparing = kind == "sparing"
        return UpdatingView(SparingOutput(reply.request) if is_sparing else DisplayedOutput())
    from claude_nb.views.terminal import TerminalView

    return TerminalView()


def fitting(view: str = "auto") -> str:
    """The view that was asked for, or the one that fits where this runs.

    Returns:
        ``live``, a widget, where a front end can answer it; ``updating`` where outputs are updated,
        as nbclient and marimo do, and VS Code, which may have no widgets, until it has answered
        one; ``sparing`` where they may not be, as in ``jupyter console`` and in notebooks that a
        server runs; ``terminal`` where there is no kernel, or this is a process that a kernel has
        forked.
    """
    if view != "auto":
        return view
    where = host()
    if where == "marimo":
        return "updating"
    if not can_display():
        return "terminal"
    has_id = bool(current_place().cell) and where != "vscode"
    if answers.any or where == "colab" or has_id or is_in_notebook_6():
        return "live"
    if where == "vscode":
        return "updating"
    return "updating" if is_run_by_program() else "sparing"
