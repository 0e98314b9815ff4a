"""What follows a command of ``%claude_nb``: words and options, read by one parser."""

from __future__ import annotations

import importlib

import pytest
from IPython.core.interactiveshell import InteractiveShell

from claude_nb.asking.conversation import Conversation
from claude_nb.conversation import export
from claude_nb.errors import InputError
from claude_nb.magics import commands, magics, manual
from claude_nb.magics.commands import COMMANDS
from claude_nb.magics.options import Option, parse_command, read_names, read_number
from claude_nb.render.markdown.inline import text

SEED = Option("seed", "", "N", "", read_number)
WITHOUT = Option("without", "", "NAMES", "", read_names, several=True)


@pytest.mark.parametrize(
    ("line", "words", "given"),
    [
        ("", [], {}),
        ("on --seed 7", ["on"], {"seed": 7}),
        ("--seed=7 on", ["on"], {"seed": 7}),
        ("'my talks' now", ["my talks", "now"], {}),
        ("my talk's end", ["my", "talk's", "end"], {}),
        ("talks --without request, thinking", ["talks"], {"without": ("request", "thinking")}),
        ("-1", ["-1"], {}),
    ],
)
def test_words_and_options_stand_in_any_order(line, words, given):
    """Quotes keep a word together, a comma a list."""
    assert parse_command(line, (SEED, WITHOUT)) == (words, given)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("status now", "%claude_nb status takes no arguments."),
        ("batches 5", "%claude_nb batches takes no arguments."),
        ("show --speed 2", "There is no option --speed."),
        ("fork", "%claude_nb fork takes N [-c NAME]."),
        ("fork two", "%claude_nb fork takes N [-c NAME]."),
        ("export talk.pdf", "Cannot export to .pdf. Use one of .ipynb, .md, .json."),
        ("export talk", "Cannot export to a file without an ending (talk). Use one of"),
        ("export", "%claude_nb export takes PATH [-c NAME] [--overwrite]. For example:"),
        (
            "history talk",
            "%claude_nb history takes [-c NAME]. To name a conversation other than the",
        ),
        ("undo talk", "%claude_nb undo takes [N] [-c NAME]. N is a number of turns."),
        ("undo 2 -c tlak", "There is no conversation 'tlak'."),
        ("frobnicate", "There is no command frobnicate. There are status, "),
        (
            "fork x",
            "%claude_nb fork takes N [-c NAME]. N is the number of an exchange: %claude_nb his",
        ),
        (
            "jobs stop",
            "%claude_nb jobs takes [stop N|stop all|wait]. Without arguments, it lists",
        ),
        ("budget -2", "%claude_nb budget takes an amount in USD above 0, or off, not '-2'. For"),
        ("budget 2 --per weak", "--per: 'weak' is not day, week or month. Did you mean week?"),
        ("budget --per week", "--per has no effect in %claude_nb budget --per week."),
        ("usage by", "%claude_nb usage cannot be grouped by 'by'. Use by model, conversation"),
        ("connect --model m off", "--model has no effect in %claude_nb connect --model m off."),
        ("replay off --speed 3", "--speed has no effect in %claude_nb replay off --speed 3."),
        ("replay --speed 3", "--speed has no effect in %claude_nb replay --speed 3."),
        ("record off --without thinking", "--without has no effect in %claude_nb record off"),
        ("simulate off --seed 3", "--seed has no effect in %claude_nb simulate off --seed 3."),
        ("simulate next --seed 3", "--seed has no effect in %claude_nb simulate next --seed 3."),
        (
            "budget 1 2",
            "%claude_nb budget takes [USD|off] [--per day|week|month]. USD is an amount",
        ),
        ("budget lots", "%claude_nb budget takes an amount in USD above 0, or off, not 'lots'."),
        ("record a b", "%claude_nb record takes [FOLDER|off] [--without attachments,"),
        ("record 'a", "The quote ' is not closed."),
        ("stauts", "There is no command stauts. Did you mean status?"),
        ("frobnicate", "There is no command frobnicate. There are "),
    ],
)
def test_a_mistake_is_named(line, error):
    """And what the command takes."""
    with pytest.raises(InputError) as raised:
        commands.execute(line, "claude-opus-5-5")

    assert str(raised.value).startswith(error)


def test_help_lists_every_command_with_its_options():
    """A row for each, as text and as HTML."""
    shown = commands.execute("", "claude-opus-5-5")

    rows = [(typed.strip(), does) for typed, does in shown.rows]
    for name, command in COMMANDS.items():
        number = rows.index((f"%claude_nb {name} {command.takes}".strip(), command.does))
        for option, row in zip(command.options, rows[number + 1 :], strict=False):
            assert row == (manual.typed_option(option), option.help)
    assert all(text(typed) in shown._repr_html_() for typed, _ in rows)
    assert all(typed in repr(shown) for typed, _ in rows)


@pytest.mark.parametrize("columns", [40, 79, 200])
def test_manuals_fit_any_width(columns):
    """No line is longer, but for what is typed itself and code."""
    for shown in (commands.execute("help", "m"), manual.of_cell()):
        lines = shown.text(columns).splitlines()
        typed = {typed for typed, _ in shown.rows}
        limit = max(columns, 50)  # half of it is left for what each does
        assert [x for x in lines if len(x) > limit and x not in typed and x[:4] != "    "] == []


@pytest.mark.parametrize("line", ["--help", "-h", "help", ""])
def test_help_is_asked_for_in_several_ways(line):
    """As in a shell too."""
    assert commands.execute(line, "m") == commands.execute("help", "m")


def test_help_for_one_command():
    """What it takes, its options, and an example."""
    shown = repr(commands.execute("connect --help", "m"))

    assert "%claude_nb connect URL|off" in shown
    assert "--key-env NAME" in shown
    assert "http://localhost:8080 --model qwen3" in shown
    assert "simulate" not in shown


@pytest.mark.parametrize("line", ["--help", "-h", "-m x --help"])
def test_the_cell_s_manual_is_shown_and_nothing_asked(line, capsys):
    """Whether there is a prompt or not."""
    shell = InteractiveShell()
    shell.register_magics(magics.ClaudeMagics(shell))

    for prompt in ("\n", "Why?", None):
        if prompt is None:
            shell.run_line_magic("claude", line)
        else:
            shell.run_cell_magic("claude", line, prompt)

        assert capsys.readouterr().out == f"{manual.of_cell()!r}\n"
    assert "-h, --help" in magics.ClaudeMagics.claude.__doc__


def test_a_form_of_export_is_an_entry_in_one_table(monkeypatch, tmp_path):
    """Help and errors name each, and the command writes with what the table has."""
    with monkeypatch.context() as changed:
        changed.setitem(export.FORMS, ".txt", lambda history: f"{history.name} in plain text")
        changed.setattr(Conversation, "_named", {})
        importlib.reload(commands)
        shown = repr(commands.execute("help", "claude-opus-5-5"))
        commands.execute(f"export {tmp_path / 'talk.txt'}", "claude-opus-5-5")
        with pytest.raises(InputError) as raised:
            commands.execute("export talk.docx", "claude-opus-5-5")
    importlib.reload(commands)

    assert ".ipynb, .md, .json, .txt" in " ".join(shown.split())
    assert (tmp_path / "talk.txt").read_text() == "notebook in plain text"
    assert str(raised.value).endswith("Use one of .ipynb, .md, .json, .txt.")
