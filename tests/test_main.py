"""``claude-nb`` on the command line, as a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import zipfile
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path

import pytest

from claude_nb.__main__ import main
from claude_nb.cost.usage import Usage
from tests.conversation.test_saved_notebook import cell, save

ROOT = Path(__file__).resolve().parents[1]

# In the place of JupyterLab: it says how it was started, and ends.
TELL_AND_EXIT = """\
import json, os, pathlib, sys
told = {"arguments": sys.argv[1:], "simulate": os.environ.get("CLAUDE_NB_SIMULATE")}
told["path"] = os.environ["PATH"]
pathlib.Path("told.json").write_text(json.dumps(told))
sys.exit(7)
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


# Then no key is looked for, which takes a second.
CHOSEN = {"CLAUDE_NB_SIMULATE": "0"}


def told(folder, *arguments: str, env):
    """What a JupyterLab tells of how ``claude-nb lab`` started it, and the command that ran."""
    lab = folder / "jupyterlab"  # Python looks here first
    lab.mkdir()
    (lab / "__init__.py").touch()
    (lab / "__main__.py").write_text(TELL_AND_EXIT)
    ran = run("-m", "claude_nb", "lab", *arguments, cwd=folder, env=env)
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


def test_in_a_checkout_lab_opens_the_checkouts_quickstart(folder):
    """Nothing is copied; arguments after ``--`` reach JupyterLab; its exit code is handed back."""
    started, ran = told(folder, "--", "--no-browser", "--port=0", env=CHOSEN)
    assert started["arguments"][:5] == [
        str(ROOT / "notebooks" / "00_quickstart.ipynb"),
        f"--ServerApp.root_dir={ROOT / 'notebooks'}",
        "--LabApp.default_url=/lab/tree/00_quickstart.ipynb",
        *("--no-browser", "--port=0"),
    ]
    assert ran.returncode == 7
    assert list(folder.glob("*.ipynb")) == []


def test_cells_find_the_commands_of_an_environment_that_is_not_activated(folder):
    """README starts it as ``.venv/bin/claude-nb lab``; then ``!claude-nb page`` works in a cell."""
    started, _ = told(folder, env=CHOSEN | {"PATH": "/usr/bin:/bin"})
    commands = str(Path(sys.executable).parent)
    assert started["path"].split(os.pathsep) == [commands, "/usr/bin", "/bin"]


def test_jupyters_options_need_no_mark(folder):
    """On a machine without a browser, one types ``claude-nb lab --no-browser``."""
    started, _ = told(folder, "--no-browser", "--port", "0", env=CHOSEN)
    assert [a for a in started["arguments"] if a in ("--no-browser", "--port", "0", "--")] == [
        *("--no-browser", "--port", "0")
    ]


def test_without_credentials_kernels_simulate_and_two_lines_say_so(folder):
    """A newcomer gets a working notebook, and knows that its answers are not real."""
    started, ran = told(folder, env={})
    assert started["simulate"] == "1"
    assert len(ran.stdout.splitlines()) == 2
    assert "simulat" in ran.stdout
    assert "ANTHROPIC_API_KEY" in ran.stdout


def test_credentials_that_cannot_be_read_are_told(folder):
    """They are there, so it would not be true that there is no key."""
    ran = told(folder, env={"ANTHROPIC_PROFILE": "nobody"})[1]
    assert "The credentials cannot be read. Config file not found at" in ran.stdout
    assert "simulated" in ran.stdout


def test_a_key_that_a_wrong_proxy_keeps_back_is_a_key(folder):
    """The first cell tells of the proxy; it is no reason to simulate."""
    env = {"ANTHROPIC_API_KEY": "not-a-key", "HTTPS_PROXY": "socks4://127.0.0.1:9"}
    started, ran = told(folder, env=env)
    assert (started["simulate"], ran.stdout) == (None, "")


def test_a_folder_of_one_s_own_keeps_jupyter_s_own_address(folder):
    """The notebook may stand anywhere in it."""
    started, _ = told(folder, "--", "--ServerApp.root_dir=/", env=CHOSEN)
    ours = ("--ServerApp.root_dir=", "--LabApp.default_url=")
    assert [a for a in started["arguments"] if a.startswith(ours)] == ["--ServerApp.root_dir=/"]


def test_with_credentials_nothing_is_simulated_and_nothing_is_said(folder):
    """A key in the environment is used, and is not printed."""
    started, ran = told(folder, env={"ANTHROPIC_API_KEY": "not-a-key"})
    assert (started["simulate"], ran.stdout) == (None, "")
    assert "not-a-key" not in ran.stderr


def test_a_choice_about_the_simulator_is_respected(folder):
    """Who has set CLAUDE_NB_SIMULATE already is neither overruled nor told."""
    started, ran = told(folder, env=CHOSEN)
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


def copies(folder):
    """The notebooks in a folder and what they show, by name."""
    found = [*folder.glob("*.ipynb"), folder / "README.md", *folder.glob("images/*.svg")]
    return {path.name: path.read_bytes() for path in found}


def test_installed_lab_copies_the_notebooks_into_a_folder_and_opens_the_quickstart(
    folder, installed
):
    """They are in a folder of the user's, which is said; JupyterLab shows what is beside it too."""
    started, ran = told(folder, env=installed | CHOSEN)
    assert started["arguments"][:3] == [
        str(folder / "claude-nb-notebooks" / "00_quickstart.ipynb"),
        f"--ServerApp.root_dir={folder}",
        "--LabApp.default_url=/lab/tree/claude-nb-notebooks/00_quickstart.ipynb",
    ]
    there = folder / "claude-nb-notebooks"
    assert copies(there) == copies(ROOT / "notebooks")
    assert ran.stdout == f"The notebooks are in {there}: {len(copies(there))} files copied.\n"


def test_installed_lab_keeps_the_files_that_differ_and_names_them(folder, installed):
    """What the user has written into one is never overwritten, nor is a link to nowhere.

    In the folder of the notebooks itself no other one is made.
    """
    (folder / "00_quickstart.ipynb").write_text("mine")
    (folder / "03_tools.ipynb").symlink_to(folder / "nowhere")
    started, ran = told(folder, env=installed | CHOSEN)
    assert started["arguments"][0] == str(folder / "00_quickstart.ipynb")
    assert (folder / "00_quickstart.ipynb").read_text() == "mine"
    assert not (folder / "nowhere").exists()
    kept = "different version: 00_quickstart.ipynb, 03_tools.ipynb. To replace them: "
    assert f"{kept}claude-nb notebooks --overwrite {folder}\n" in ran.stdout


def test_notebooks_that_are_there_are_replaced_if_that_is_asked_for(folder, capsys, monkeypatch):
    """Others stay, those that are as they were are not named, and quotes protect the path."""
    monkeypatch.chdir(folder)
    there = folder / "my notebooks"
    assert main(["notebooks", str(there)]) == 0
    (there / "00_quickstart.ipynb").write_text("mine")
    (there / "README.md").unlink()
    capsys.readouterr()

    assert main(["notebooks", str(there)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"The notebooks are in {there}: 1 file copied.\n")
    advice = said.rpartition("To replace them: claude-nb ")[2]
    assert main(shlex.split(advice)) == 0
    assert copies(there) == copies(ROOT / "notebooks")


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="there is no read-only folder at hand")
def test_installed_lab_in_a_read_only_folder_says_what_to_do(installed):
    """Nothing is started, and the error names the folder and what to type."""
    ran = run("-P", "-m", "claude_nb", "lab", cwd="/sys", env=installed)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Cannot write into the folder /sys/claude-nb-notebooks: ")
    assert ran.stderr.endswith(" that you can write to, for example: cd ~ && claude-nb lab\n")


def test_notebooks_are_copied_where_jupyterlab_runs_already(folder, installed):
    """As on a hub: into a folder that is made, from an installation and from a checkout."""
    for env, name in ((installed, "installed"), ({}, "checkout")):
        ran = run("-m", "claude_nb", "notebooks", name, cwd=folder, env=env)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert copies(folder / name) == copies(ROOT / "notebooks")


@pytest.mark.kernel
def test_lab_starts_and_ends_with_its_signal(folder, installed):
    """A real server prints the address of the notebook, and SIGTERM ends it cleanly."""
    command = [sys.executable, "-m", "claude_nb", "lab", "--", "--no-browser", "--port=0"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | installed,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert any("is running at" in line for line in server.stderr)
        address = server.stderr.readline()
        assert "/lab/tree/claude-nb-notebooks/00_quickstart.ipynb?token=" in address
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
    assert server.returncode == 0


def taken(number, *, output=10, cost=0.5, simulated=False):
    """A record of a reply; ``number`` tells it from others."""
    usage = dict.fromkeys(Usage.__dataclass_fields__, 0) | {
        "input_tokens": 1_000,
        "cache_write_5m_tokens": 200,
        "cache_write_1h_tokens": 100,
        "cache_read_tokens": 30,
        "output_tokens": output,
        "thinking_tokens": None,
    }
    ids = [f"req_{number}"]
    record = {"version": 1, "simulated": simulated, "usage": usage}
    return record | {"cost_usd": cost, "request_ids": ids}


def rows(capsys):
    """The table that was printed, without its head and its notes; those; and what was reported."""
    said = capsys.readouterr()
    lines = said.out.splitlines()
    return [" ".join(line.split()) for line in lines[1:-1]], (lines or [""])[-1], said.err


def test_usage_sums_what_notebooks_record(tmp_path, capsys):
    """A row for each, and their sum; what the simulator answered stands apart."""
    one = save(tmp_path / "one.ipynb", cell(taken(1), taken(2)), cell(taken(3, simulated=True)))
    two = save(tmp_path / "two.ipynb", cell(taken(4)))

    code = main(["usage", str(one), str(two)])

    table, notes, reported = rows(capsys)
    assert (code, reported) == (0, "")
    assert table == [
        f"{one} $1.0000 2 20 2,000 600 60",
        f"{one} (simulated) $0.5000 1 10 1,000 300 30",
        f"{two} $0.5000 1 10 1,000 300 30",
        "all $1.5000 3 30 3,000 900 90",
        "all (simulated) $0.5000 1 10 1,000 300 30",
    ]
    assert notes.endswith("Simulated: what real replies of that length would have cost.")


def test_usage_of_what_broke_off_is_unknown(tmp_path, capsys):
    """A sum says that there is more than it knows; nothing is taken for zero."""
    broken = [taken(1), taken(2, output=None, cost=None)]
    some = save(tmp_path / "some.ipynb", cell(*broken))
    none = save(tmp_path / "none.ipynb", cell(broken[1]))

    assert main(["usage", str(some), str(none)]) == 0

    table, notes, _ = rows(capsys)
    assert table[:2] == [
        f"{some} $0.5000+ 2 10+ 2,000 600 60",
        f"{none} unknown 1 unknown 1,000 300 30",
    ]
    assert "+: at least this much" in notes


def test_usage_counts_a_reply_once(tmp_path, capsys):
    """Shown twice, or in a copy of the notebook: it was paid for once."""
    one = save(tmp_path / "one.ipynb", cell(taken(1), taken(1)))
    two = save(tmp_path / "two.ipynb", cell(taken(1)), cell(taken(2)))

    assert main(["usage", str(one), str(two)]) == 0

    table, notes, _ = rows(capsys)
    assert [line.split()[2] for line in table] == ["1", "2", "2"]
    assert "1 in more than one notebook: counted once in total." in notes


def batch(requests):
    """A record of a batch, with the number of requests that each of its parts took."""
    usage = taken(0)["usage"]
    parts = {
        name: {"requests": count, "usage": usage, "cost_usd": 0.5}
        for name, count in requests.items()
    }
    record = taken(0, cost=0.5 * len(parts)) | {"requests": sum(requests.values())}
    return record | {"batch": {"ids": list(parts), "spent": parts}}


def test_usage_counts_a_batch_once(tmp_path, capsys):
    """Read in one kernel, resumed in another, and submitted again in part in a third."""
    read = batch({"a": 2})
    one = save(tmp_path / "one.ipynb", cell(read), cell(read), cell(batch({"a": 2, "b": 1})))
    two = save(tmp_path / "two.ipynb", cell(batch({"b": 1})), cell(batch({"c": 5})))
    damaged = read | {"batch": {"spent": {"a": "?", "b": None}}}
    three = save(tmp_path / "three.ipynb", cell(damaged))

    assert main(["usage", str(one), str(two), str(three)]) == 0

    table, notes, _ = rows(capsys)
    assert [line.split()[2] for line in table] == ["3", "6", "2", "10"]
    assert [line.split()[1] for line in table] == ["$1.0000", "$1.0000", "$0.5000", "$2.0000"]
    assert "1 in more than one notebook: counted once in total." in notes


def test_usage_of_a_notebook_without_replies_is_nothing(tmp_path, capsys):
    """That is no failure."""
    empty = save(tmp_path / "empty.ipynb", cell(source="1 + 1"))

    assert main(["usage", str(empty)]) == 0
    assert rows(capsys)[0] == [f"{empty} $0.0000 0"]


def test_usage_says_what_it_passed_over(tmp_path, capsys):
    """A record that it cannot read is no failure: the others are summed."""
    mixed = save(tmp_path / "mixed.ipynb", cell({"version": 2}, taken(1)), cell({"version": 1}))

    assert main(["usage", str(mixed)]) == 0

    table, _, reported = rows(capsys)
    assert [line.split()[2] for line in table] == ["1"]
    assert (
        reported
        == f"{mixed}: cell 1 (without a number): its record was written by a newer claude_nb\n"
    )


def test_usage_of_a_folder_names_a_notebook_and_not_a_link_to_it(tmp_path, capsys):
    """Nor is a folder a notebook, whatever it is called."""
    path = save(tmp_path / "notebook.ipynb", cell(taken(1)))
    (tmp_path / "link.ipynb").symlink_to(path)
    (tmp_path / "folder.ipynb").mkdir()

    assert main(["usage", str(tmp_path)]) == 0

    table, _, reported = rows(capsys)
    assert [line.split()[0] for line in table] == [str(path)]
    assert reported == ""


@pytest.mark.parametrize("name", ["missing.ipynb", "*.ipynb", ".", "text.ipynb"])
def test_usage_goes_on_after_a_file_that_cannot_be_read(tmp_path, capsys, name):
    """It is reported, also by the exit code; a pattern may be one that no shell has expanded."""
    (tmp_path / "text.ipynb").write_text("text")
    good = save(tmp_path / "good", cell(taken(1)))

    assert main(["usage", str(tmp_path / name), str(good)]) == 1

    table, _, reported = rows(capsys)
    assert [line.split()[2] for line in table] == ["1"]
    assert str(tmp_path / name) in reported


def test_usage_prints_any_name_on_any_terminal(folder):
    """One that an old console cannot show, or that would move its cursor."""
    name = "é→\x1b[2J.ipynb"
    save(folder / name, cell(taken(1)))

    ran = run("-m", "claude_nb", "usage", name, cwd=folder, env={"PYTHONIOENCODING": "ascii"})

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "$0.5000" in ran.stdout
    assert "\x1b" not in ran.stdout


def test_usage_needs_a_notebook(folder):
    """The error says so."""
    ran = run("-m", "claude_nb", "usage", cwd=folder)
    assert ran.returncode == 2
    assert "notebook.ipynb" in ran.stderr


def on(day, number, model="claude-opus-5-5", **fields: object):
    """A record of a reply that was asked on that day, at noon in UTC."""
    return taken(number, **fields) | {"model": model, "asked": f"{day}T12:00:00+00:00"}


@pytest.fixture
def notebooks(tmp_path):
    """A folder with two notebooks, which share a reply, and a copy that Jupyter has made."""
    (tmp_path / "deep" / ".ipynb_checkpoints").mkdir(parents=True)
    first, second = on("2026-10-31", 1), on("2026-11-02", 2, "claude-haiku-5-5", cost=0.25)
    undated, simulated = taken(3, cost=0.125), on("2026-11-02", 4, simulated=True)
    save(tmp_path / "one.ipynb", cell(first), cell(second))
    save(tmp_path / "deep" / "two.ipynb", cell(second), cell(undated), cell(simulated))
    save(tmp_path / "deep" / ".ipynb_checkpoints" / "two.ipynb", cell(on("2026-11-03", 5)))
    (tmp_path / "deep" / "notes.txt").write_text("no notebook")
    return tmp_path


def test_usage_by_day_across_the_notebooks_of_a_folder(notebooks, capsys):
    """A reply that two of them hold was paid for once; the checkpoints are no notebooks."""
    assert main(["usage", "--by", "day", str(notebooks)]) == 0

    table, notes, reported = rows(capsys)
    # The terminal is too narrow for all columns: the others stand below.
    assert [line.split()[:3] for line in takewhile(bool, table)] == [
        ["2026-10-31", "$0.5000", "1"],
        ["2026-11-02", "$0.2500", "1"],
        ["2026-11-02", "(simulated)", "$0.5000"],
        ["no", "date", "$0.1250"],
        ["all", "$0.8750", "3"],
        ["all", "(simulated)", "$0.5000"],
    ]
    assert "Days are in local time (UTC" in notes
    assert "1 in more than one notebook: counted once here." in notes
    assert reported == ""


def test_usage_since_a_day_leaves_out_what_has_no_date(notebooks, capsys):
    """And says how much that is."""
    assert main(["usage", "--since", "2026-11-01", "--by", "model", str(notebooks)]) == 0

    table, notes, _ = rows(capsys)
    assert [line.split()[:2] for line in takewhile(bool, table)] == [
        ["claude-haiku-5-5", "$0.2500"],
        ["claude-opus-5-5", "(simulated)"],
        ["all", "$0.2500"],
        ["all", "(simulated)"],
    ]
    assert "1 without a date: left out." in notes


def test_usage_as_json(notebooks, capsys):
    """Numbers instead of a table, each sum with what is known of it."""
    broken = on("2026-11-04", 9, output=None, cost=None)
    save(notebooks / "three.ipynb", cell(broken))

    assert main(["usage", "--json", "--by", "day", "--since", "2026-11-01", str(notebooks)]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["by"] == "day"
    by_day = {(row["day"], row["simulated"]): row for row in found["rows"]}
    assert by_day["2026-11-02", False]["cost_usd"] == 0.25
    assert by_day["2026-11-02", False]["input_tokens"] == 1_000
    assert by_day["2026-11-04", False]["cost_usd"] is None
    assert by_day["2026-11-04", False]["output_tokens"] is None
    assert by_day["all", False]["known_cost_usd"] == 0.25
    assert "1 without a date: left out." in found["notes"]


def test_usage_names_what_cannot_be_used(notebooks, capsys):
    """A day that is none is an error of the command; a folder without notebooks is a note."""
    with pytest.raises(SystemExit):
        main(["usage", "--since", "yesterday", str(notebooks)])
    assert "--since: 'yesterday' is not a day, such as 2026-11-01" in capsys.readouterr().err

    empty = notebooks / "empty"
    empty.mkdir()
    assert main(["usage", str(empty)]) == 0
    assert capsys.readouterr().err == f"{empty}: contains no notebook\n"


def test_usage_runs_as_a_module(notebooks):
    """Where scripts are not on the path."""
    ran = run("-m", "claude_nb", "usage", "--by", "model", ".", cwd=notebooks)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "claude-haiku-5-5" in ran.stdout
