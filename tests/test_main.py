"""``claude-nb`` on the command line, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A Jupyter configuration that runs in the server: it says how the server was started, and ends it.
TELL_AND_EXIT = """\
import json, os, pathlib, sys
told = {"arguments": sys.argv[1:], "simulate": os.environ.get("CLAUDE_NB_SIMULATE")}
pathlib.Path("told.json").write_text(json.dumps(told))
os._exit(7)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with a home and Jupyter folders that are empty too."""
    for name in ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    (tmp_path / "jupyter_config_dir").mkdir()
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def run(*command: str, cwd, env=None):
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def told(folder, *command: str, env=None):
    """Run the command with a JupyterLab that tells how it was started; what it told, what ran."""
    config = folder.parent / "jupyter_config_dir" / "jupyter_server_config.py"
    config.write_text(TELL_AND_EXIT)
    ran = run(*command, cwd=folder, env=env)
    return json.loads((folder / "told.json").read_text()), ran


def test_version(folder):
    """``--version`` says the installed version."""
    ran = run("-m", "claude_nb", "--version", cwd=folder)
    assert (ran.returncode, ran.stdout) == (0, f"claude-nb {version('claude-nb')}\n")


def test_without_a_command_it_says_how_to_use_it(folder):
    """A bare ``claude-nb`` is a usage error that names the missing command."""
    ran = run("-m", "claude_nb", cwd=folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "command" in ran.stderr


@pytest.mark.kernel
def test_in_a_checkout_lab_opens_the_checkouts_quickstart(folder):
    """Nothing is copied; arguments after ``--`` reach JupyterLab; its exit code is handed back."""
    started, ran = told(folder, "-m", "claude_nb", "lab", "--", "--no-browser", "--port=0")
    quickstart = str(ROOT / "notebooks" / "00_quickstart.ipynb")
    assert started["arguments"][:3] == [quickstart, "--no-browser", "--port=0"]
    assert ran.returncode == 7
    assert list(folder.glob("*.ipynb")) == []


@pytest.mark.kernel
def test_without_credentials_kernels_simulate_and_two_lines_say_so(folder):
    """A newcomer gets a working notebook, and knows that its answers are not real."""
    started, ran = told(folder, "-m", "claude_nb", "lab")
    assert started["simulate"] == "1"
    assert len(ran.stdout.splitlines()) == 2
    assert "simulat" in ran.stdout
    assert "ANTHROPIC_API_KEY" in ran.stdout


@pytest.mark.kernel
def test_with_credentials_nothing_is_simulated_and_nothing_is_said(folder):
    """A key in the environment is used, and is not printed."""
    started, ran = told(folder, "-m", "claude_nb", "lab", env={"ANTHROPIC_API_KEY": "not-a-key"})
    assert (started["simulate"], ran.stdout) == (None, "")
    assert "not-a-key" not in ran.stderr


@pytest.mark.kernel
def test_a_choice_about_the_simulator_is_respected(folder):
    """Who has set CLAUDE_NB_SIMULATE already is neither overruled nor told."""
    started, ran = told(folder, "-m", "claude_nb", "lab", env={"CLAUDE_NB_SIMULATE": "0"})
    assert (started["simulate"], ran.stdout) == ("0", "")


def test_without_jupyterlab_it_says_how_to_install_it(folder):
    """The missing part is named, with the command that brings it into this very Python."""
    hidden = (
        "import sys; sys.modules['jupyterlab'] = None\n"
        "from claude_nb.__main__ import main; sys.exit(main(['lab']))"
    )
    ran = run("-c", hidden, cwd=folder)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f'{sys.executable} -m pip install "claude-nb[lab]"' in ran.stderr


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment that uses the package from its wheel, as an installation does."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return {"PYTHONPATH": str(site)}


@pytest.mark.kernel
def test_installed_lab_puts_the_quickstart_into_the_folder(folder, installed):
    """Outside a checkout the packaged notebook is copied to where the user is, and opened."""
    started, _ = told(folder, "-m", "claude_nb", "lab", env=installed)
    copy = folder / "00_quickstart.ipynb"
    assert started["arguments"][0] == str(copy)
    assert copy.read_bytes() == (ROOT / "notebooks" / "00_quickstart.ipynb").read_bytes()


@pytest.mark.kernel
def test_installed_lab_keeps_the_quickstart_that_is_there(folder, installed):
    """What the user has written into it is never overwritten."""
    (folder / "00_quickstart.ipynb").write_text("mine")
    told(folder, "-m", "claude_nb", "lab", env=installed)
    assert (folder / "00_quickstart.ipynb").read_text() == "mine"


@pytest.mark.kernel
def test_lab_starts_and_ends_with_its_signal(folder):
    """A real server comes up on a port of its own choice and SIGTERM ends it cleanly."""
    command = [sys.executable, "-m", "claude_nb", "lab", "--", "--no-browser", "--port=0"]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as server:
        assert any("is running at" in line for line in server.stderr)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
    assert server.returncode == 0
