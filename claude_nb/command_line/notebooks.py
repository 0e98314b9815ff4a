"""``claude-nb lab`` and ``claude-nb notebooks``: the notebooks, copied into a folder and opened."""

from __future__ import annotations

import importlib.util
import os
import runpy
import shlex
import sys
from pathlib import Path

from claude_nb.client.connection import Connection
from claude_nb.errors import ClaudeError, CredentialsError, InputError
from claude_nb.render.labels import counted
from claude_nb.request import files
from claude_nb.views.terminal import say

QUICKSTART = "00_quickstart.ipynb"

FOLDER = "claude-nb-notebooks"
"""Where they are copied to, in the current folder, if no other folder is named."""

_PACKAGE = Path(__file__).resolve().parents[1]

CHECKOUT = _PACKAGE.with_name("notebooks")
"""Where a checkout of the project has its notebooks."""

IN_CHECKOUT = (CHECKOUT / QUICKSTART).exists()

NOTEBOOKS = CHECKOUT if IN_CHECKOUT else _PACKAGE / "notebooks"

PARTS = ("[0-9][0-9]_*.ipynb", "lesson_*.ipynb", "README.md", "images/*.svg")
"""What is copied of them, as ``pyproject.toml`` packages it: the notebooks, and what they show. Who
tries a checkout has notebooks of their own beside them."""

SIMULATED = """\
{why} The replies come from a local simulator and are labelled as simulated.
For real ones set ANTHROPIC_API_KEY and start again, or run %claude_nb key in a notebook."""


def lab(jupyter_args: list[str]) -> int:
    """Open JupyterLab on the quickstart: a checkout's own, or one that is copied here first.

    Args:
        jupyter_args: More arguments for ``jupyter lab``.

    Returns:
        The exit code. While JupyterLab runs, signals and the exit code are its own.

    Raises:
        InputError: There is no JupyterLab, or nothing can be written here.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError(
            "claude-nb lab needs JupyterLab, which this Python does not have.",
            f'To install it: {sys.executable} -m pip install "claude-nb[lab]"',
        )
    root = notebooks = CHECKOUT
    if not IN_CHECKOUT:
        root, notebooks = Path.cwd(), _default_folder()
        copy(str(notebooks), otherwise="cd ~ && claude-nb lab")
    if "CLAUDE_NB_SIMULATE" not in os.environ and (why := _without_key()):
        say(SIMULATED.format(why=why))
        os.environ["CLAUDE_NB_SIMULATE"] = "1"  # kernels inherit the server's environment
    # So cells (`!claude-nb`) and terminals find the command where no environment is activated.
    commands = str(Path(sys.executable).parent)
    if commands not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, [commands, os.environ.get("PATH")]))
    sys.stdout.flush()
    quickstart = notebooks / QUICKSTART
    sys.argv = ["jupyter-lab", str(quickstart)]
    if not any("dir=" in argument for argument in jupyter_args):  # the user's own is another root
        # The address that is printed, for a browser elsewhere, opens the notebook too.
        path = quickstart.relative_to(root).as_posix()
        sys.argv += [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{path}"]
    sys.argv += jupyter_args
    if sys.platform != "win32" and os.geteuid() == 0:
        sys.argv.append("--allow-root")
    # As `python -m jupyterlab`, in this process: signals and the exit code need no handing on.
    runpy.run_module("jupyterlab", run_name="__main__")
    return 0


def copy(folder: str = "", *, overwrite: bool = False, otherwise: str) -> None:
    """Copy the notebooks and what they show into a folder, and say where they are.

    Args:
        folder: Where to; empty for the current folder if it has them, or else ``FOLDER`` in it.
        overwrite: Whether files that are there are replaced.
        otherwise: What to type if nothing can be written there, for the error.

    Raises:
        InputError: The folder or a file cannot be written.
    """
    target = files.expanded(folder or _default_folder()).resolve()
    advice = f"Choose a folder that you can write to, for example: {otherwise}"
    copied, kept = 0, []
    for part in (part for pattern in PARTS for part in sorted(NOTEBOOKS.glob(pattern))):
        content, place = part.read_bytes(), target / part.relative_to(NOTEBOOKS)
        if os.path.lexists(place) and not overwrite:
            if not place.is_file() or place.read_bytes() != content:
                kept.append(place.relative_to(target).as_posix())
            continue
        files.make_folder(place.parent, advice)
        files.write(place, [content.decode()], overwrite=overwrite)
        copied += 1
    say(f"The notebooks are in {target}: {counted(copied, 'file')} copied.")
    if kept:
        quoted = f'"{target}"' if sys.platform == "win32" else shlex.quote(str(target))
        say(
            f"Not replaced, because you have a different version: {', '.join(kept)}. To replace"
            f" them: claude-nb notebooks --overwrite {quoted}"
        )


def _default_folder() -> Path:
    here = Path.cwd()
    return here if (here / QUICKSTART).exists() else here / FOLDER


def _without_key() -> str:
    """Why there is no key to send; empty if there is one."""
    try:
        Connection().key_source()
    except CredentialsError as error:
        return f"{error.what} {error.detail}".strip()
    except ClaudeError:  # of the network: the first cell will say it
        return ""
    return ""
