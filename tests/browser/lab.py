"""A real Jupyter server and a notebook open in it, as a test sees them.

Everything goes through the front end's own commands (``window.jupyterapp``) and its models; nothing
sleeps and nothing is clicked by its position. One server serves JupyterLab (``/lab``) and
Notebook 7 (``/notebooks``): they differ only in the page.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Literal, Self

import nbformat
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_notebook

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

FrontEnd = Literal["lab", "notebook"]
FRONT_ENDS: tuple[FrontEnd, ...] = ("lab", "notebook")

# No news, no check for updates, no pop-ups: they ask the network or cover the page.
QUIET_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    }
}

PANEL = "window.jupyterapp?.shell?.currentWidget"


class Server:
    """A Jupyter server in a folder of its own, without anything of the user's.

    Args:
        folder: where it keeps everything; made if it is not there.
        *options: more options of its command line.

    Attributes:
        root: the folder that it serves.
        url: where it listens, with a trailing slash.
        token: what it wants in ``?token=`` or in the Authorization header.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.root = folder / "notebooks"
        self.data_dir = folder / "data"
        self.log = folder / "server.log"
        self._settings = folder / "config" / "lab" / "user-settings"
        self._runtime = folder / "runtime"
        self.root.mkdir(parents=True)
        self.reset_settings()
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANTHROPIC_", "CLAUDE_NB_", "JUPYTER", "IPYTHON"))
        } | {
            "HOME": str(folder),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(self.data_dir),
            "JUPYTER_RUNTIME_DIR": str(self._runtime),
            "IPYTHONDIR": str(folder / "ipython"),
            "ANTHROPIC_CONFIG_DIR": str(folder / "no-anthropic-config"),
            "CLAUDE_NB_SIMULATE": "1",
        }
        arguments = (
            "--allow-root",
            "--no-browser",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port=0",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.expose_app_in_browser=True",
            "--JupyterNotebookApp.expose_app_in_browser=True",
            "--KernelManager.shutdown_wait_time=1",  # a test may end while its cell still runs
        )
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *arguments, *options],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            info = self._wait_for_info()
        except BaseException:
            self.stop()
            raise
        self.url: str = info["url"]
        self.token: str = info["token"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and with it all its kernels."""
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def set_settings(self, plugin: str, values: dict[str, Any]) -> None:
        """Write the user's settings of a plugin; a page sees them when it is (re)loaded.

        Args:
            plugin: such as "@jupyterlab/apputils-extension:kernels-settings".
            values: the settings to change from their defaults.
        """
        file = self._settings / f"{plugin.replace(':', '/')}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")

    def reset_settings(self) -> None:
        """Put all settings back to what every test starts with."""
        shutil.rmtree(self._settings, ignore_errors=True)
        for plugin, values in QUIET_SETTINGS.items():
            self.set_settings(plugin, values)

    def write(
        self, name: str, cells: Iterable[nbformat.NotebookNode], *, trusted: bool = False
    ) -> Path:
        """Write a notebook into the served folder.

        Args:
            name: the file's name without its suffix.
            cells: made with ``nbformat.v4.new_code_cell`` and the like.
            trusted: whether its outputs are signed, as if they had been made here.
        """
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=list(cells), metadata={"kernelspec": kernel})
        path = self.root / f"{name}.ipynb"
        nbformat.write(notebook, path)
        self.sign(path, trusted=trusted)
        return path

    def sign(self, path: Path, *, trusted: bool) -> None:
        """Sign a saved notebook, or take its signature away. Seen when it is opened anew."""
        notary = NotebookNotary(data_dir=str(self.data_dir))
        notebook = nbformat.read(path, as_version=4)
        (notary.sign if trusted else notary.unsign)(notebook)
        notary.store.close()

    def shutdown_kernels(self) -> None:
        """End all sessions and their kernels."""
        for session in json.loads(self._request("GET", "api/sessions")):
            self._request("DELETE", f"api/sessions/{session['id']}")

    def _request(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            body: bytes = response.read()
        return body

    def _wait_for_info(self) -> dict[str, Any]:
        """The file that the server writes once it listens; it chose the port itself."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for file in self._runtime.glob("jpserver-*.json"):
                try:
                    info: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
                except ValueError:
                    continue  # half written
                return info
            try:
                self._process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        text = self.log.read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"the Jupyter server did not start:\n{text}")


class NotebookPage:
    """A notebook open in a browser.

    Attributes:
        page: Playwright's page, for what is not here.
        path: the notebook's file.
        errors: JavaScript errors that nothing on the page caught since it was (re)loaded.
    """

    def __init__(self, page: Page, server: Server, path: Path, front_end: FrontEnd) -> None:
        self.page = page
        self.path = path
        self.errors: list[str] = []
        self._server = server
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # A workspace of its own, or Lab would bring back the tabs of the test before.
        where = f"lab/workspaces/{path.stem}/tree" if front_end == "lab" else "notebooks"
        page.goto(f"{server.url}{where}/{path.name}?token={server.token}")
        self._wait_until_open()

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Start one of the front end's commands; ``wait_idle`` waits for its end."""
        self.page.evaluate(
            """([name, args]) => {
                window.unfinished = (window.unfinished ?? 0) + 1;
                const done = () => { window.unfinished -= 1; };
                window.jupyterapp.commands.execute(name, args).then(done, done);
            }""",
            [name, arguments or {}],
        )

    def run(self, index: int) -> None:
        """Start the cell at this index, without waiting for its end."""
        self.page.evaluate(
            "i => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", index
        )
        self.command("notebook:run-cell")

    def run_all(self) -> None:
        """Start all cells, without waiting for their end."""
        self.command("notebook:run-all-cells")

    def interrupt(self) -> None:
        """Press Interrupt Kernel."""
        self.command("notebook:interrupt-kernel")

    def wait_idle(self, timeout: float = 30) -> None:
        """Wait until every started command has ended and the kernel is idle.

        Args:
            timeout: seconds, after which Playwright's TimeoutError is raised.
        """
        self.page.wait_for_function(
            f"!window.unfinished && {PANEL}.sessionContext?.session?.kernel?.status === 'idle'",
            timeout=timeout * 1000,
        )

    def cell(self, index: int) -> Locator:
        """The whole cell at this index."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """The output area of the cell at this index, with its prompts."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def text(self, index: int) -> str:
        """What the outputs of the cell at this index say now, whether or not in view."""
        return "".join(self.output(index).locator(".jp-OutputArea-output").all_text_contents())

    def saved(self) -> nbformat.NotebookNode:
        """Save, and return what is in the file."""
        self.command("docmanager:save")
        self.page.wait_for_function(f"!window.unfinished && !{PANEL}.context.model.dirty")
        return nbformat.read(self.path, as_version=4)

    def is_trusted(self) -> bool:
        """Whether the front end trusts the outputs of every code cell."""
        trusted: bool = self.page.evaluate(
            f"{PANEL}.content.widgets.every(c => c.model.type !== 'code' || c.model.trusted)"
        )
        return trusted

    def reopen(self, *, trusted: bool) -> None:
        """Save, and load the page anew with or without the notebook's signature."""
        self.saved()
        self._server.sign(self.path, trusted=trusted)
        self.reload()

    def reopen_without_kernel(self, *, trusted: bool) -> None:
        """Save, end the kernel, and open the file in JupyterLab as one who only wants to read."""
        self.saved()
        self._server.sign(self.path, trusted=trusted)
        self.page.goto("about:blank")  # a page that loses its kernel would say so
        self._server.shutdown_kernels()
        workspace = f"lab/workspaces/{self.path.stem}-read-{trusted}"
        self.page.goto(f"{self._server.url}{workspace}?token={self._server.token}")
        self.page.wait_for_function("window.jupyterapp?.commands?.hasCommand('docmanager:open')")
        self.page.evaluate("window.jupyterapp.restored.then(() => null)")
        no_kernel = {"canStart": False, "shouldStart": False}
        self.command(
            "docmanager:open",
            {"path": self.path.name, "factory": "Notebook", "kernelPreference": no_kernel},
        )
        self.page.wait_for_function(
            f"""!window.unfinished && {PANEL}?.context?.isReady
                && {PANEL}.content?.widgets?.length && !{PANEL}.sessionContext.session"""
        )

    def reload(self) -> None:
        """Load the page anew; the kernel goes on."""
        # A notebook with unsaved changes asks before it goes; here the answer is always yes.
        self.page.once("dialog", lambda dialog: dialog.accept())
        self.page.reload()
        self._wait_until_open()

    def theme(self, name: Literal["light", "dark"]) -> None:
        """Switch the theme, and wait until the page wears it."""
        self.command("apputils:change-theme", {"theme": f"JupyterLab {name.capitalize()}"})
        light = "true" if name == "light" else "false"
        self.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")

    def _wait_until_open(self) -> None:
        """Wait for the notebook and its kernel; a kernel that was busy before may stay so."""
        self.page.wait_for_function(
            f"""() => {{
                const panel = {PANEL};
                const status = panel?.sessionContext?.session?.kernel?.status;
                return panel?.context?.isReady && panel.content?.widgets?.length
                    && ["idle", "busy"].includes(status);
            }}""",
            timeout=60_000,
        )
        self.errors.clear()  # Notebook 7.6 throws two of its own while it loads
