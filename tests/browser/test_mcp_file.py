"""A project's ``.mcp.json`` in JupyterLab: buttons decide what is started."""

from __future__ import annotations

import json

from playwright.sync_api import expect

SERVERS = {
    "evil": {"command": "uvx", "args": ["<img src=x onerror=\"document.title = 'evil'\">"]},
    "trains": {
        "command": "python",
        "args": ["-m", "claude_nb.teaching.trains"],
        "env": {"API_KEY": "t0ken-of-the-trains"},
    },
}
WRITE = f"""\
import pathlib
pathlib.Path("servers.json").write_text({json.dumps(json.dumps({"mcpServers": SERVERS}))})
"""


def test_a_project_s_servers_are_started_when_a_button_allows_it(open_cells):
    """One after the other, by key; what was asked and answered stays, and no key is in it."""
    notebook = open_cells(WRITE, "%claude_nb mcp load servers.json", "%claude_nb mcp remove trains")
    notebook.run(1)
    notebook.wait_idle()
    notebook.run(2)
    output = notebook.output(2)
    question = output.get_by_role("group", name="Start evil?")
    expect(output).to_contain_text("uvx '<img src=x onerror=")
    question.get_by_role("button", name="Don’t start", exact=True).press("Enter")
    expect(output).to_contain_text("Start evil? no")
    question = output.get_by_role("group", name="Start trains?")
    expect(output).to_contain_text("API_KEY")
    question.get_by_role("button", name="Start", exact=True).press("Enter")
    expect(output).to_contain_text("Start trains? yes")
    expect(output).to_contain_text("Where a train stops, and when.")
    expect(output.get_by_role("button")).to_have_count(0)
    notebook.wait_idle()
    notebook.run(3)
    expect(notebook.output(3)).to_contain_text("trains has ended")
    notebook.wait_idle()
    assert "t0ken" not in output.inner_text()
    assert notebook.page.title() != "evil"
    assert notebook.errors == []
