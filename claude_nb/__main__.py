"""The command line: ``claude-nb lab`` opens JupyterLab on the notebooks, ``usage`` sums costs."""

from __future__ import annotations

import argparse
import importlib.util
import os
import runpy
import sys
from datetime import date
from importlib import metadata
from pathlib import Path

from claude_nb.client.connection import Connection
from claude_nb.conversation import spending
from claude_nb.errors import ClaudeError, CredentialsError, InputError
from claude_nb.request import files
from claude_nb.views.terminal import say

QUICKSTART = "00_quickstart.ipynb"

CHECKOUT = Path(__file__).resolve().parents[1] / "notebooks"
"""Where a checkout of the project has its notebooks."""

IN_CHECKOUT = (CHECKOUT / QUICKSTART).exists()

NOTEBOOKS = CHECKOUT if IN_CHECKOUT else Path(__file__).with_name("notebooks")

PARTS = ("*.ipynb", "README.md", "images/*.svg")
"""What is copied of them, as ``pyproject.toml`` packages it: the notebooks, and what they show."""

NO_LAB = f"""\
claude-nb lab needs JupyterLab, which this Python does not have. To install it:
    {sys.executable} -m pip install "claude-nb[lab]\""""

SIMULATED = """\
{why} The replies come from a local simulator and are labelled as simulated.
For real ones set ANTHROPIC_API_KEY and start again, or run %claude_nb key in a notebook."""


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
    lab = commands.add_parser(
        "lab",
        help="open JupyterLab on the quickstart notebook",
        description="Open JupyterLab on the quickstart notebook: in a checkout of the project "
        "its own; elsewhere the notebooks are copied into this folder first. A file that is there "
        "already is left as it is.",
        usage="claude-nb lab [-h] [arguments for jupyter lab]",
    )
    lab.add_argument("jupyter_args", nargs="*", help="handed to jupyter lab as they are")
    lab.set_defaults(run=lambda given: _lab(given.jupyter_args))
    notebooks = commands.add_parser(
        "notebooks",
        help="copy the notebooks into a folder, where JupyterLab runs already (as on a hub)",
        description="Copy the notebooks that teach streaming into a folder. A file that is there "
        "already is left as it is.",
    )
    notebooks.add_argument("folder", nargs="?", default=".", help="this folder, if none is named")
    elsewhere = "claude-nb notebooks ~/streaming"
    notebooks.set_defaults(run=lambda given: _notebooks(given.folder, elsewhere))
    usage = commands.add_parser(
        "usage",
        help="sum the tokens and the cost that saved notebooks record",
        description="Sum the tokens and the cost that saved notebooks record. A reply or a batch"
        " that is saved twice is counted once. Days are local ones.",
    )
    usage.add_argument(
        "notebooks",
        nargs="+",
        metavar="notebook.ipynb|folder",
        help="a notebook, or a folder with notebooks",
    )
    usage.add_argument(
        "--by", choices=spending.BY, default="notebook", help="a row for each (notebook)"
    )
    usage.add_argument(
        "--since", type=_day, metavar="DAY", help="only from this day on: 2026-11-01"
    )
    usage.add_argument("--json", action="store_true", help="print JSON")
    usage.set_defaults(
        run=lambda given: _usage(given.notebooks, given.by, given.since or "", as_json=given.json)
    )
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["lab"] and not {"-h", "--help", "--"} & set(arguments[1:2]):
        arguments = ["lab", "--", *arguments[1:]]  # the options are Jupyter's
    given = parser.parse_args(arguments)
    return int(given.run(given))


def _lab(jupyter_args: list[str]) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        say(NO_LAB, file=sys.stderr)
        return 1
    if not IN_CHECKOUT and (failed := _notebooks(".", "cd ~ && claude-nb lab")):
        return failed
    notebook = (CHECKOUT if IN_CHECKOUT else Path.cwd()) / QUICKSTART
    if "CLAUDE_NB_SIMULATE" not in os.environ and (why := _without_key()):
        say(SIMULATED.format(why=why))
        sys.stdout.flush()
        os.environ["CLAUDE_NB_SIMULATE"] = "1"  # kernels inherit the server's environment
    sys.argv = ["jupyter-lab", str(notebook), *jupyter_args]
    if not any("dir=" in argument for argument in jupyter_args):  # or it may stand deeper
        # The address that is printed, for a browser elsewhere, opens the notebook too.
        sys.argv.insert(2, f"--LabApp.default_url=/lab/tree/{notebook.name}")
    if sys.platform != "win32" and os.geteuid() == 0:
        sys.argv.append("--allow-root")
    # As `python -m jupyterlab`, in this process: signals and the exit code need no handing on.
    runpy.run_module("jupyterlab", run_name="__main__")
    return 0


def _notebooks(folder: str, otherwise: str) -> int:
    """Copy the notebooks and what they link to into a folder, and say where they are.

    Args:
        folder: Where to.
        otherwise: What to type if nothing can be written there, for the error.

    Returns:
        The exit code.
    """
    parts = [part for pattern in PARTS for part in sorted(NOTEBOOKS.glob(pattern))]
    names = [part.relative_to(NOTEBOOKS) for part in parts]
    advice = f"Choose a folder in which you may write, for example: {otherwise}"
    try:
        target = files.expanded(folder).resolve()
        missing = [name for name in names if not os.path.lexists(target / name)]
        for name in missing:
            files.make_folder((target / name).parent, advice)
            files.write(target / name, [(NOTEBOOKS / name).read_text(encoding="utf-8")])
    except InputError as error:
        say(str(error), file=sys.stderr)
        return 1
    kept = len(names) - len(missing)
    there = f"; already there and left as they are: {kept}" if kept else ""
    say(f"The notebooks are in {target}: {len(missing)} files copied{there}.")
    return 0


def _without_key() -> str:
    """Why there is no key to send; empty if there is one."""
    try:
        Connection().key_source()
    except CredentialsError as error:
        return f"{error.what} {error.detail}".strip()
    except ClaudeError:  # of the network: the first cell will say it
        return ""
    return ""


def _usage(paths: list[str], by: str, since: str, *, as_json: bool) -> int:
    found = spending.read(paths, since)
    for line in (*found.failed, *found.notes):
        say(line, file=sys.stderr)
    if as_json:
        say(spending.to_json(found, by))
    elif found.notebooks:
        say(repr(spending.shown(found, by)))
    return 1 if found.failed else 0


def _day(text: str) -> str:
    """A day as it is typed; ``argparse`` says what is wrong with another text."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; one is 2026-11-01") from None


if __name__ == "__main__":
    sys.exit(main())
