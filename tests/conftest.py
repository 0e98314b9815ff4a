"""What every test can rely on: no credentials from outside, and the slow tests last."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from claude_nb import redaction
from claude_nb.client.colab import Secret, secret
from claude_nb.client.retry import Policy
from claude_nb.conversation.snapshot import snapshot
from claude_nb.keeping.keeper import keeper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from claude_nb import Simulator
    from tests.gateway import Gateway
    from tests.kernels import Kernel

ROOT = Path(__file__).resolve().parents[1]
BROWSER = ROOT / "tests" / "browser"
STAND_INS = ROOT / "tests" / "stand_ins"
NUMBERS = itertools.count()


# A shell ignores it for what runs in the background, and that is inherited; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in ``tests/browser`` as browser tests; run them last, after the kernel tests.

    Last is not only for speed: while Playwright's synchronous API is open there is a running event
    loop in the main thread, and a test that calls ``asyncio.run`` would fail.
    """
    for item in items:
        if item.path.is_relative_to(BROWSER):
            item.add_marker("browser")
    items.sort(key=lambda item: 2 * ("browser" in item.keywords) + ("kernel" in item.keywords))


def pytest_collection_finish() -> None:
    """Spare each collection of garbage, some of which tests ask for, what was imported so far."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Each IPython shell that a test made collects garbage at the exit: leave nothing to look at.

    There are hundreds of them, and each would take a tenth of a second or more.
    """
    gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import tests that are not to run: what they import takes seconds."""
    marks = config.option.markexpr
    if "not browser" in marks and collection_path == BROWSER:
        return True
    if collection_path.is_dir() or collection_path.is_relative_to(BROWSER):
        return None
    if marks.startswith("kernel"):
        return "pytest.mark.kernel" not in collection_path.read_text(errors="replace") or None
    return marks == "browser" or None


@pytest.fixture(scope="session", autouse=True)
def own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test, and no kernel that one starts, writes into the developer's Jupyter folders."""
    os.environ["JUPYTER_DATA_DIR"] = str(tmp_path_factory.mktemp("jupyter-data"))
    os.environ["JUPYTER_CONFIG_DIR"] = str(tmp_path_factory.mktemp("jupyter-config"))


@pytest.fixture(autouse=True)
def no_ambient_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A test sees neither the developer's keys and profiles nor their claude_nb settings."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "CLAUDE_NB_")):
            monkeypatch.delenv(name)
    empty = tmp_path_factory.getbasetemp() / "no-anthropic-config"
    empty.mkdir(exist_ok=True)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(empty))


@pytest.fixture(autouse=True)
def no_known_credentials() -> Iterator[None]:
    """A test redacts no credential that another one has sent."""
    yield
    redaction.forget()


@pytest.fixture(autouse=True)
def own_notebook() -> None:
    """No test finds the notebook of another, nor its kept answers."""
    snapshot.__init__()  # type: ignore[misc]
    keeper.__init__()  # type: ignore[misc]


@pytest.fixture(autouse=True)
def own_uploads(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a test uploads or allows for good is known to no other test.

    The folders are made by what writes into them: thousands of tests do not.
    """
    folder = tmp_path_factory.getbasetemp() / "jupyter-of-tests" / str(next(NUMBERS))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder / "data"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(folder / "config"))


@pytest.fixture(autouse=True)
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is the end of a reply, unless a test passes a ``Policy`` of its own."""
    monkeypatch.setattr("claude_nb.client.engine.Policy", partial(Policy, tries=1))


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    """A running simulator that answers as fast as it can."""
    from claude_nb import Simulator

    with Simulator(speed=float("inf")) as running:
        yield running


@pytest.fixture(autouse=True)
def cleared_simulator(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test gets the replies that another has queued, and no request is kept after its test."""
    used = request.getfixturevalue("simulator") if "simulator" in request.fixturenames else None
    yield
    if used is not None:
        used.drain()
        used.forget()


@pytest.fixture
def api(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """The simulator in the place of the API, where the environment of a user would name it."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
    return simulator


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """``google.colab.userdata`` of a process in Colab, a stand-in."""
    monkeypatch.syspath_prepend(STAND_INS)
    yield import_module("google.colab.userdata")
    for name in [name for name in sys.modules if name.partition(".")[0] == "google"]:
        del sys.modules[name]
    vars(secret).update(vars(Secret()))


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A server in the place of the API that answers whatever a test says."""
    from tests.gateway import running

    with running() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
        yield server


@pytest.fixture(scope="session")
def started_kernel(simulator: Simulator) -> Iterator[Kernel]:
    """A kernel that asks the simulator."""
    from tests.kernels import running_kernel

    with running_kernel(simulator.base_url) as kernel:
        yield kernel


@pytest.fixture
def kernel(started_kernel: Kernel) -> Kernel:
    """A kernel with the extension loaded, in which nothing was run, and which tries once."""
    started_kernel.clear()
    return started_kernel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once from the sdist of a copy of the tree; that is beside it."""
    work = tmp_path_factory.mktemp("wheel")
    skip = shutil.ignore_patterns(".git", ".venv", "build", "dist", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, work / "tree", ignore=skip)
    # Without isolation, so that it needs no network: what it builds with is in the test extra.
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", work / "dist"]
    subprocess.run([*build, work / "tree"], check=True, stdin=subprocess.DEVNULL)
    (built,) = (work / "dist").glob("*.whl")
    return built
