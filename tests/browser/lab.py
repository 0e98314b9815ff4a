"""A real Jupyter server and a notebook open in it, as a test sees them.

Everything goes through the front end's own commands (``window.jupyterapp``) and its models; nothing
sleeps and nothing is clicked by its position. One server serves JupyterLab (``/lab``) and
Notebook 7 (``/notebooks``): they differ only in the page.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import nbformat
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_notebook

import claude_nb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from playwright.sync_api import Locator, Page

FrontEnd = Literal["lab", "notebook"]
FRONT_ENDS: tuple[FrontEnd, ...] = ("lab", "notebook")

SETTINGS = {
    # No news, no check for updates, no pop-ups: they ask the network or cover the page.
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # What a busy machine offers later than after a second would not be shown.
    "completer-extension/manager": {"providerTimeout": 20_000},
}

# Seconds: two busy cores may take long over what is quick for a reader.
PATIENCE = 60

PANEL = "window.jupyterapp?.shell?.currentWidget"
CELLS = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell"

# Nobody takes a page's messages while a cell runs, as with ipykernel 6.
DEAF = "from claude_nb.views.busy_kernel import busy_kernel\nbusy_kernel._kernel = False\n"

SET_UP = "%load_ext claude_nb\nimport claude_nb"

# Of what a test has used, only modules that are not claude_nb's stay: importing the SDK takes long.
IS_PRELOADING = """\
import threading
print(any(thread.name == "claude_nb preload" for thread in threading.enumerate()), end="")
"""

RESET_KERNEL = """\
import gc, sys
if "claude_nb" in sys.modules:
    import ipywidgets
    from claude_nb import ClaudeError, Reply
    from claude_nb.session.session import session
    replies = [thing for thing in gc.get_objects() if type(thing) is Reply]
    for reply in replies:
        reply.stop()
    for reply in replies:
        try:
            reply.wait(10)
        except ClaudeError:
            pass
    session.simulate(on=False)
    ipywidgets.Widget.close_all()
    get_ipython().extension_manager.unload_extension("claude_nb")
    get_ipython().config.pop("ClaudeMagics", None)  # of %config
    for name in [name for name in sys.modules if name.partition(".")[0] == "claude_nb"]:
        del sys.modules[name]
get_ipython().reset()
"""


class Server:
    """A Jupyter server in a folder of its own, without anything of the user's.

    Args:
        folder: where it keeps everything; made if it is not there.
        *options: more options of its command line.
        api: the address that its kernels ask, or an empty string for a simulator of their own.
        extension: whether its pages have claude_nb's extension, as the package's folder has it.

    Attributes:
        root: the folder that it serves.
        url: where it listens, with a trailing slash.
        token: what it wants in ``?token=`` or in the Authorization header.
    """

    def __init__(self, folder: Path, *options: str, api: str = "", extension: bool = False) -> None:
        self.root = folder / "notebooks"
        self.data_dir = folder / "data"
        self.log = folder / "server.log"
        self._runtime = folder / "runtime"
        self.root.mkdir(parents=True)
        settings = folder / "config" / "lab" / "user-settings" / "@jupyterlab"
        for name, values in SETTINGS.items():
            file = settings / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(values), encoding="utf-8")
        (labconfig := folder / "config" / "labconfig").mkdir()
        disabled = {"disabledExtensions": {"claude-nb": not extension}}
        (labconfig / "page_config.json").write_text(json.dumps(disabled), encoding="utf-8")
        extensions = folder / "share" / "labextensions"
        if extension:
            extensions.mkdir(parents=True)
            source = Path(claude_nb.__file__).parent / "labextension"
            (extensions / "claude-nb").symlink_to(source, target_is_directory=True)
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ANTHROPIC_", "CLAUDE_NB_", "JUPYTER", "IPYTHON"))
        } | {
            "HOME": str(folder),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(self.data_dir),
            "JUPYTER_RUNTIME_DIR": str(self._runtime),
            "JUPYTER_PATH": str(extensions.parent),
            "IPYTHONDIR": str(folder / "ipython"),
            **(
                {"ANTHROPIC_BASE_URL": api, "ANTHROPIC_API_KEY": "not-a-key"}
                if api
                else {"CLAUDE_NB_SIMULATE": "1"}
            ),
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

    def shutdown_kernels(self, of: Path | None = None) -> None:
        """End the kernel of a notebook, or all kernels."""
        for session in json.loads(self._request("GET", "api/sessions")):
            if of is None or session["path"] == of.name:
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
        deadline = time.monotonic() + 150
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
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # A workspace of its own, or Lab would bring back the tabs of the test before.
        where = f"lab/workspaces/{path.stem}/tree" if front_end == "lab" else "notebooks"
        page.goto(f"{server.url}{where}/{path.name}?token={server.token}")
        self._wait_until_open()

    def load(self, cells: Iterable[nbformat.NotebookNode], *, trusted: bool = False) -> None:
        """Put these cells in the place of the notebook's own; page and kernel stay."""
        self._server.write(self.path.stem, cells, trusted=trusted)
        self.revert()
        self.errors.clear()

    def revert(self) -> None:
        """Show what is in the file: "Reload Notebook from Disk"."""
        self.page.evaluate(f"{PANEL}.context.revert()")
        self.page.wait_for_function(
            f"s => document.querySelectorAll(s).length === {PANEL}.content.widgets.length",
            arg=CELLS,
        )

    def reset(self) -> None:
        """Bring page and kernel to where they were when they were opened, without their cells.

        Raises:
            playwright.sync_api.Error: They do not get there: use another page.
        """
        self._close_copy()
        self.page.evaluate("document.getElementById('claude-nb-announcer')?.remove()")
        # Again and again: an interrupt between two cells is not heard.
        self.page.wait_for_function(
            f"""async () => {{
                const {{ kernel }} = {PANEL}.sessionContext.session;
                if (!window.unfinished && kernel.status === "idle") return true;
                await kernel.interrupt();
            }}""",
            polling=200,
        )
        while self.execute(IS_PRELOADING) == "True":  # it goes on while the kernel is idle
            pass
        self.execute(RESET_KERNEL)
        self.theme("light")
        self.page.emulate_media(reduced_motion="no-preference")
        self.page.mouse.move(0, 0)

    def subshells(self, on: bool) -> None:
        """Let a busy kernel hear widgets or not, as the setting "Comms over subshells" does."""
        value = "perCommTarget" if on else "disabled"
        self.page.evaluate(
            "value => { window.jupyterapp.serviceManager.kernels.commsOverSubshells = value; }",
            value,
        )

    def execute(self, code: str) -> str:
        """Run code in the kernel, beside the cells, and return what it printed."""
        status, printed = self.page.evaluate(
            f"""async code => {{
                const kernel = {PANEL}.sessionContext.session.kernel;
                for (;;) {{
                    let printed = "";
                    const future = kernel.requestExecute({{ code, store_history: false }});
                    future.onIOPub = ({{ content }}) => {{
                        printed += content.text ?? content.traceback?.join("\\n") ?? "";
                    }};
                    const {{ content }} = await future.done;
                    // What comes soon after an interrupt is aborted with the cells that waited.
                    if (content.status !== "aborted") return [content.status, printed];
                }}
            }}""",
            code,
        )
        if status != "ok":
            raise RuntimeError(printed)
        return printed

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

    def restart_kernel(self) -> None:
        """Restart the kernel, without the question that the menu asks."""
        self.page.evaluate(f"{PANEL}.sessionContext.restartKernel()")
        self.wait_idle()

    def wait_idle(self, timeout: float = PATIENCE) -> None:
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
        return self.page.locator(CELLS).nth(index)

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

    def reopen_without_kernel(self, *, trusted: bool) -> None:
        """Save, close the widgets, and open a copy in JupyterLab as one who only wants to read."""
        self._close_copy()
        saved = self.saved()
        self.execute("import ipywidgets\nipywidgets.Widget.close_all()")
        copy = self._server.write(f"{self.path.stem}-{trusted}", saved.cells, trusted=trusted)
        no_kernel = {"canStart": False, "shouldStart": False}
        self.command(
            "docmanager:open",
            {"path": copy.name, "factory": "Notebook", "kernelPreference": no_kernel},
        )
        self.page.wait_for_function(
            f"""name => !window.unfinished && {PANEL}?.context?.path === name
                && {PANEL}.context.isReady && {PANEL}.content?.widgets?.length
                && !{PANEL}.sessionContext.session""",
            arg=copy.name,
        )

    def open_beside(self, cells: Iterable[str]) -> None:
        """Open another notebook in the same page, with the same kernel, and make it the active."""
        path = self._server.write(f"{self.path.stem}-beside", map(new_code_cell, cells))
        kernel = self.page.evaluate(f"{PANEL}.sessionContext.session.kernel.id")
        self.command("docmanager:open", {"path": path.name, "kernelPreference": {"id": kernel}})
        self.page.wait_for_function(
            f"""name => !window.unfinished && {PANEL}?.context?.path === name
                && {PANEL}.context.isReady && {PANEL}.content?.widgets?.length
                && {PANEL}.sessionContext.session?.kernel?.status === 'idle'""",
            arg=path.name,
        )

    def reload(self) -> None:
        """Load the page anew; the kernel goes on."""
        # A notebook with unsaved changes asks before it goes; here the answer is always yes.
        accept = lambda dialog: dialog.accept()  # noqa: E731
        self.page.on("dialog", accept)
        self.page.reload()
        self._wait_until_open()
        self.page.remove_listener("dialog", accept)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Leave the page meanwhile, and open the notebook again; the kernel goes on."""
        url = self.page.url
        self.page.goto("about:blank")
        yield
        self.page.goto(url)
        self._wait_until_open()

    def theme(self, name: Literal["light", "dark"]) -> None:
        """Switch the theme, and wait until the page wears it."""
        light = f"document.body.dataset.jpThemeLight === '{json.dumps(name == 'light')}'"
        if not self.page.evaluate(light):
            self.command("apputils:change-theme", {"theme": f"JupyterLab {name.capitalize()}"})
            self.page.wait_for_function(light)

    def _close_copy(self) -> None:
        self.page.evaluate(
            "[...window.jupyterapp.shell.widgets('main')].slice(1).forEach(tab => tab.dispose())"
        )

    def _wait_until_open(self) -> None:
        """Wait for the notebook and its kernel; a kernel that was busy before may stay so."""
        self.page.wait_for_function(
            f"""() => {{
                const panel = {PANEL};
                const status = panel?.sessionContext?.session?.kernel?.status;
                return panel?.context?.isReady && panel.content?.widgets?.length
                    && ["idle", "busy"].includes(status);
            }}"""
        )
        self.errors.clear()  # Notebook 7.6 throws two of its own while it loads
