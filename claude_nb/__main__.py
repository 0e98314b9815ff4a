"""The command line: ``claude-nb lab`` opens JupyterLab on the notebooks, ``usage`` sums costs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from importlib import metadata
from typing import Any

from claude_nb.conversation import spending
from claude_nb.errors import InputError
from claude_nb.magics import options
from claude_nb.simulator.faults import FAULTS, Fault, fault
from claude_nb.views.terminal import say


def main(argv: list[str] | None = None) -> int:
    """Run the ``claude-nb`` command.

    Args:
        argv: The arguments after the command's name; None takes them from the command line.

    Returns:
        The exit code. While JupyterLab runs, signals and the exit code are its own.
    """
    parser = argparse.ArgumentParser(
        prog="claude-nb", description="Claude's streaming, native to Jupyter notebooks."
    )
    version = f"%(prog)s {metadata.version('claude-nb')}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_lab(commands)
    _add_notebooks(commands)
    _add_page(commands)
    _add_simulator(commands)
    _add_strip(commands)
    _add_usage(commands)
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["lab"] and not {"-h", "--help", "--"} & set(arguments[1:2]):
        arguments = ["lab", "--", *arguments[1:]]  # the options are Jupyter's
    given = parser.parse_args(arguments)
    try:
        return int(given.run(given) or 0)
    except InputError as error:
        say(str(error), file=sys.stderr)
        return 1


def _add_lab(commands: Any) -> None:
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on the quickstart notebook",
        description="Open JupyterLab on the quickstart notebook. Outside a checkout of the"
        " project, copy the notebooks into the folder claude-nb-notebooks first; existing files"
        " are not changed.",
        usage="claude-nb lab [-h] [arguments for jupyter lab]",
    )
    lab.add_argument("jupyter_args", nargs="*", help="passed on to jupyter lab")

    def run(given: argparse.Namespace) -> int:
        from claude_nb.command_line import notebooks

        return notebooks.lab(given.jupyter_args)

    lab.set_defaults(run=run)


def _add_notebooks(commands: Any) -> None:
    parser = commands.add_parser(
        "notebooks",
        help="copy the notebooks into a folder, for a JupyterLab that already runs (as on a hub)",
        description="Copy the notebooks that teach streaming into a folder.",
    )
    parser.add_argument(
        "folder", nargs="?", default="", help="the folder (default: claude-nb-notebooks)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")

    def run(given: argparse.Namespace) -> None:
        from claude_nb.command_line import notebooks

        elsewhere = "claude-nb notebooks ~/streaming"
        notebooks.copy(given.folder, overwrite=given.overwrite, otherwise=elsewhere)

    parser.set_defaults(run=run)


def _add_simulator(commands: Any) -> None:
    parser = commands.add_parser(
        "simulator",
        help="serve simulated replies to programs in any language",
        description="Serve the Messages API on this computer, for programs in any language. No"
        " key is needed. The replies are fixed texts; no model reads the prompts.",
    )
    parser.add_argument(
        "--port", type=_port, default=8099, help="the port; 0 picks a free one (default: 8099)"
    )
    for option in (options.SPEED, options.SEED):
        parser.add_argument(
            f"--{option.name}", type=_reader(option), metavar=option.metavar, help=option.help
        )
    parser.add_argument(
        "--faults",
        type=_faults,
        default=(),
        metavar="NAMES",
        help=f"make the next requests fail, one fault each: {','.join(FAULTS)}",
    )

    def run(given: argparse.Namespace) -> None:
        from claude_nb.command_line import simulator

        simulator.run(given.port, speed=given.speed, seed=given.seed, faults=given.faults)

    parser.set_defaults(run=run)


def _add_strip(commands: Any) -> None:
    parser = commands.add_parser(
        "strip",
        help="copy notebooks without claude_nb's records and chats, for publishing",
        description="Copy notebooks without claude_nb's records and chats. Prompts and visible"
        " answers stay. To use it as a Git filter: git config filter.claude-nb.clean 'claude-nb"
        " strip -', and *.ipynb filter=claude-nb in"
        " .gitattributes.",
    )
    parser.add_argument(
        "notebooks",
        nargs="+",
        metavar="notebook.ipynb",
        help="a notebook, or - to read standard input and write standard output",
    )
    parser.add_argument(
        "-o", "--output", default="", metavar="FILE", help="the copy (default: NAME-stripped.ipynb)"
    )
    parser.add_argument("--answers", action="store_true", help="remove the visible answers too")
    parser.add_argument("--in-place", action="store_true", help="change the notebooks themselves")
    parser.add_argument("--overwrite", action="store_true", help="replace existing copies")

    def run(given: argparse.Namespace) -> int:
        from claude_nb.command_line import strip

        return strip.run(
            given.notebooks,
            output=given.output,
            answers=given.answers,
            in_place=given.in_place,
            overwrite=given.overwrite,
        )

    parser.set_defaults(run=run)


def _add_usage(commands: Any) -> None:
    usage = commands.add_parser(
        "usage",
        help="add up the tokens and costs recorded in saved notebooks",
        description="Add up the tokens and costs recorded in saved notebooks. A reply or batch"
        " saved twice counts once. Days are in local time.",
    )
    usage.add_argument(
        "notebooks",
        nargs="+",
        metavar="notebook.ipynb|folder",
        help="a notebook, or a folder with notebooks",
    )
    usage.add_argument(
        "--by",
        choices=spending.BY,
        default="notebook",
        help="one row for each of these (default: notebook)",
    )
    usage.add_argument(
        "--since", type=_day, metavar="DAY", help="only from this day on, such as 2026-11-01"
    )
    usage.add_argument("--json", action="store_true", help="print JSON")
    usage.set_defaults(
        run=lambda given: _usage(given.notebooks, given.by, given.since or "", as_json=given.json)
    )


def _add_page(commands: Any) -> None:
    page = commands.add_parser(
        "page",
        help="write a page that plays a reply and steps through its events, as one HTML file",
        description="Write an HTML file that plays the complete replies of a notebook, or those of"
        " a recording (%claude_nb record FOLDER), and steps through their events. A notebook that"
        " was run with %claude_nb keep off has no events. The page needs no kernel and no network,"
        " and contains no key.",
    )
    page.add_argument("source", metavar="notebook.ipynb|recording.jsonl")
    page.add_argument(
        "-o", "--output", default="", metavar="FILE", help="the page (default: next to the source)"
    )
    page.add_argument(
        "--without",
        default="",
        metavar="PARTS",
        help="leave out attachments, request or thinking (separate with commas)",
    )
    page.add_argument("--cell", type=int, metavar="N", help="only the replies of cell [N]")
    page.add_argument("--title", default="", help="the heading of the page")
    page.add_argument("--overwrite", action="store_true", help="replace an existing file")

    def run(given: argparse.Namespace) -> None:
        from claude_nb.keeping import pages

        path, notes = pages.save(
            given.source,
            given.output,
            without=[part.strip() for part in given.without.split(",") if part.strip()],
            cell=given.cell,
            title=given.title,
            overwrite=given.overwrite,
        )
        for note in notes:
            say(note, file=sys.stderr)
        say(f"Wrote {path}.")

    page.set_defaults(run=run)


def _usage(paths: list[str], by: str, since: str, *, as_json: bool) -> int:
    found = spending.read(paths, since)
    for line in (*found.failed, *found.notes):
        say(line, file=sys.stderr)
    if as_json:
        say(spending.to_json(found, by))
    elif found.notebooks:
        say(repr(spending.shown(found, by)))
    return 1 if found.failed else 0


# What is typed is read by these; ``argparse`` says what is wrong with another text.


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day, such as 2026-11-01") from None


def _port(text: str) -> int:
    with suppress(ValueError):
        if 0 <= (port := int(text)) < 2**16:
            return port
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 65535.")


def _reader(option: options.Option) -> Callable[[str], Any]:
    """The reader of an option that commands in notebooks have too."""

    def read(text: str) -> Any:
        try:
            return option.read(options.Value(text, quoted=True), {})
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _faults(text: str) -> tuple[Fault, ...]:
    try:
        return tuple(map(fault, options.read_names(options.Value(text, quoted=True), {})))
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
