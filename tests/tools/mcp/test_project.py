"""A project's ``.mcp.json``: where it is found, and what is read of it."""

from __future__ import annotations

import json

import pytest

from claude_nb.errors import InputError
from claude_nb.redaction import redact
from claude_nb.tools.mcp import project


@pytest.fixture
def read(tmp_path):
    """Reads a file of these servers."""

    def read(servers):
        path = tmp_path / ".mcp.json"
        path.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
        return project.read(path)

    return read


def test_the_nearest_file_up_to_the_root_of_the_repository_is_found(tmp_path):
    """Above the root, and where there is no repository, no other folder is looked at."""
    notebooks = tmp_path / "repository" / "course" / "notebooks"
    notebooks.mkdir(parents=True)
    (tmp_path / project.FILE).write_text("{}")
    (tmp_path / "repository" / ".git").mkdir()
    assert project.find(notebooks) is None

    (tmp_path / "repository" / project.FILE).write_text("{}")
    assert project.find(notebooks) == tmp_path / "repository" / project.FILE
    (notebooks / project.FILE).write_text("{}")
    assert project.find(notebooks) == notebooks / project.FILE
    assert project.find(tmp_path) == tmp_path / project.FILE
    (tmp_path / "repository" / ".git").rmdir()
    assert project.find(notebooks.parent) is None


def test_both_forms_are_read_and_variables_put_in(read, monkeypatch):
    """What is shown has the variables by name, and a value that is a secret is redacted."""
    monkeypatch.setenv("DOCS_TOKEN", "s3cret-of-the-docs")
    monkeypatch.setenv("DATA", "/my data")
    monkeypatch.setenv("EMPTY", "")
    trains, docs = read(
        {
            "trains": {
                "command": "uvx",
                "args": ["trains", "${DATA}/table", "--level=${LEVEL:-low}", "${EMPTY:-none}"],
                "env": {"MODE": "${EMPTY}", "NODE_OPTIONS": "-r evil.js", "API_KEY": "${EMPTY}"},
            },
            "docs": {
                "type": "http",
                "url": "https://${HOST:-docs.example.com}/mcp",
                "headers": {"Authorization": "Bearer ${DOCS_TOKEN}"},
            },
        }
    )

    assert trains.shown == "uvx trains '${DATA}/table' '--level=${LEVEL:-low}' '${EMPTY:-none}'"
    assert trains.where == "uvx trains '/my data/table' --level=low none"
    assert trains.env == {"MODE": "", "NODE_OPTIONS": "-r evil.js", "API_KEY": ""}
    assert trains.env_shown == "MODE='${EMPTY}' NODE_OPTIONS='-r evil.js' API_KEY"
    assert trains.variables == ("DATA", "LEVEL", "EMPTY")
    assert (docs.shown, docs.where) == (
        "https://${HOST:-docs.example.com}/mcp",
        "https://docs.example.com/mcp",
    )
    assert docs.headers == {"Authorization": "Bearer s3cret-of-the-docs"}
    assert "s3cret" not in repr(docs)
    assert redact("It is s3cret-of-the-docs, in /my data.") == "It is [redacted], in /my data."


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ("uvx trains", "It is not an object."),
        ({}, "It has neither a command nor a url."),
        ({"command": ""}, "It has no command."),
        ({"command": ["uvx", "trains"]}, "It has no command."),
        ({"command": "uvx", "args": "trains"}, "args is not a list of strings."),
        ({"command": "uvx", "args": [1]}, "args is not a list of strings."),
        ({"command": "uvx", "env": {"N": 1}}, "env is not an object of strings."),
        ({"type": "http"}, "It has neither a command nor a url."),
        ({"type": "http", "url": "http://x", "headers": []}, "headers is not an object of"),
        ({"type": "sse", "url": "http://x/sse"}, "It uses SSE, which MCP no longer supports."),
        ({"type": "ws", "url": "ws://x"}, "Its type is 'ws'. Use stdio or http."),
        (
            {"type": "http", "url": "sh -c 'rm -r ~'"},
            "Its url is not an address: sh -c 'rm -r ~'. An",
        ),
        ({"command": "https://example.com"}, "Its command is an address: https://example.com. An"),
        ({"command": "uvx", "args": ["x" * 4000]}, "Its command line or address is longer than"),
        ({"command": "${NOT_SET}"}, "The variable NOT_SET is not set. To enter it hidden: import"),
    ],
)
def test_a_server_that_cannot_be_used_does_not_keep_the_others(read, about, problem):
    """It has its problem, with what to do."""
    good, bad = read({"good": {"command": "uvx"}, "bad": about})
    assert (good.where, good.problem) == ("uvx", None)
    assert str(bad.problem).startswith(problem)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "is not valid JSON: Expecting value, line 1."),
        (b'{"mcpServers": {\n"a": }}', "is not valid JSON: Expecting value, line 2."),
        (b"\xff\xfe", "is not valid JSON."),
        (b"[" * 100_000, "is not valid JSON."),
        (b"[]", "has no mcpServers."),
        (b'{"mcpServers": []}', "has no mcpServers."),
        (b" " * 1_000_001, "is larger than 1 MB."),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, data, error):
    """The error has its path, and an example."""
    path = tmp_path / "servers.json"
    path.write_bytes(data)
    with pytest.raises(InputError) as raised:
        project.read(path)
    assert str(raised.value).startswith(f"{path} {error}")
    assert '{"mcpServers"' in str(raised.value)
