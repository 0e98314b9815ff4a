"""The command line: ``claude-nb lab`` opens JupyterLab on the quickstart notebook."""

from __future__ import annotations

import argparse
import importlib.util
import os
import runpy
import sys
from importlib import metadata, resources
from pathlib import Path

from claude_nb.api import has_credentials

QUICKSTART = "00_quickstart.ipynb"

NO_LAB = f"""\
claude-nb lab needs JupyterLab, which this Python does not have. To install it:
    {sys.executable} -m pip install "claude-nb[lab]\""""

SIMULATED = """\
No API key was found, so the replies come from a local simulator and are labelled as simulated.
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
        f"its own; elsewhere {QUICKSTART} in this folder, put there if it is missing.",
        usage="claude-nb lab [-h] [-- arguments for jupyter lab]",
    )
    lab.add_argument("jupyter_args", nargs="*", help="handed to jupyter lab as they are")
    return _lab(parser.parse_args(argv).jupyter_args)


def _lab(jupyter_args: list[str]) -> int:
    if importlib.util.find_spec("jupyterlab") is None:
        print(NO_LAB, file=sys.stderr)
        return 1
    try:
        notebook = _quickstart()
    except OSError as error:
        print(f"{QUICKSTART} cannot be put into this folder: {error}", file=sys.stderr)
        return 1
    if "CLAUDE_NB_SIMULATE" not in os.environ and not has_credentials():
        print(SIMULATED, flush=True)
        os.environ["CLAUDE_NB_SIMULATE"] = "1"  # kernels inherit the server's environment
    sys.argv = ["jupyter-lab", str(notebook), *jupyter_args]
    if sys.platform != "win32" and os.geteuid() == 0:
        sys.argv.append("--allow-root")
    # As `python -m jupyterlab`, in this process: signals and the exit code need no handing on.
    runpy.run_module("jupyterlab", run_name="__main__")
    return 0


def _quickstart() -> Path:
    """The notebook to open, which is copied into the current folder outside a checkout."""
    in_checkout = Path(__file__).resolve().parents[1] / "notebooks" / QUICKSTART
    if in_checkout.exists():
        return in_checkout
    copy = Path.cwd() / QUICKSTART
    if not copy.exists():
        copy.write_bytes(resources.files("claude_nb").joinpath("data", QUICKSTART).read_bytes())
    return copy


if __name__ == "__main__":
    sys.exit(main())
