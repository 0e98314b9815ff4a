"""The map of the code in CONTRIBUTING.md, from the docstrings: ``python -m tests.code_map``."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import claude_nb

PACKAGE = Path(claude_nb.__file__).parent
CONTRIBUTING = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"

# The modules and packages at the top: each may import from those before it.
ORDER = [
    *("characters", "redaction", "errors", "cost", "request", "streaming", "simulator", "client"),
    *("render", "reply", "recording", "tools", "session", "conversation", "keeping", "views"),
    *("asking", "notebook", "chat", "batches", "teaching", "magics", "command_line"),
    *("__main__", "__init__"),
]

EXTENSION = "**`labextension/static/`**: The extension for JupyterLab and Notebook 7.\n"


def first_sentence(path: Path) -> str:
    """The first line of a file's docstring, or of the comment that it begins with."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        line = str(ast.get_docstring(ast.parse(text))).partition("\n")[0]
    else:
        line = re.sub(r"^[/*\s]+|[*/\s]+$", "", text.partition("\n")[0])
    return line.replace("``", "`").replace("|", "\\|")


def code_map() -> str:
    """Packages in their order, as a table each."""
    parts = []
    for name in reversed(ORDER):
        folder = PACKAGE / name
        if not folder.is_dir():
            parts.append(f"**`{name}.py`**: {first_sentence(folder.with_suffix('.py'))}\n")
            continue
        files = sorted([*folder.rglob("*.py"), *folder.rglob("*.js"), *folder.rglob("*.css")])
        files.remove(folder / "__init__.py")
        parts += [
            f"**`{name}/`**: {first_sentence(folder / '__init__.py')}\n",
            table(files, folder),
        ]
    folder = PACKAGE / "labextension" / "static"
    parts += [EXTENSION, table(sorted(folder.glob("*.js")), folder)]
    return "\n".join(parts)


def table(files: list[Path], folder: Path) -> str:
    """Files with their first sentences."""
    rows = [f"| `{path.relative_to(folder)}` | {first_sentence(path)} |" for path in files]
    return "\n".join(["| | |", "| --- | --- |", *rows]) + "\n"


def main() -> None:
    """Write it."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    before, _, rest = text.partition("<!-- code map -->\n")
    CONTRIBUTING.write_text(
        f"{before}<!-- code map -->\n{code_map()}<!-- end -->{rest.partition('<!-- end -->')[2]}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
