"""What a kernel uploaded is listed, used and deleted by the kernels after it."""

from __future__ import annotations

import os

import pytest

import claude_nb
from claude_nb.client import file_registry
from claude_nb.magics.magics import ClaudeMagics

pytestmark = pytest.mark.kernel


def test_another_kernel_knows_what_one_has_uploaded(kernel, api, tmp_path, capsys):
    """With the same server and key; here the other kernel is this process."""
    pdf = tmp_path / "scan.pdf"
    pdf.write_bytes(b"%PDF-1.7 " + bytes(100_000))
    kernel.run(f"import os\nos.environ['JUPYTER_DATA_DIR'] = '{os.environ['JUPYTER_DATA_DIR']}'")
    kernel.run(f"from pathlib import Path\npdf = Path('{pdf}')")
    kernel.run("%%claude --once --upload -a pdf\nWhat is it?", cell="one")
    html = kernel.last_shown()["data"]["text/html"]
    kernel.run("del os.environ['JUPYTER_DATA_DIR']")

    assert "uploaded for 1 day, visible to the whole workspace" in html
    (file,) = file_registry.listed()
    claude_nb.ask("What is it?", attach=[pdf], upload=True, show=False)
    assert file.id in repr(api.requests[-1].body)
    assert sum(request.path == "/v1/files" for request in api.requests) == 1

    ClaudeMagics().claude_nb(f"files delete {file.id}")
    assert capsys.readouterr().out == "scan.pdf: deleted.\n"
    assert file_registry.listed() == []
