"""Packages import from those before them, never from those after."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from tests.code_map import CONTRIBUTING, ORDER, PACKAGE, code_map

if TYPE_CHECKING:
    from pathlib import Path

SIMULATOR_USES = {"errors", "cost"}
SDK = {"anthropic", "httpx2"}
SDK_CALLERS = {
    *("client.batch_service", "client.connection", "client.explain", "client.file_service"),
    *("client.network", "client.source", "streaming.sdk", "teaching.exercises.chat"),
    *("teaching.sdk", "tools.mcp.connection", "tools.mcp.content", "tools.mcp.definitions"),
    "tools.memory.commands",
}


def dotted(path: Path) -> str:
    """The module's name in the package: "render.html", "views", and "__init__" for itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "__init__"


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def package(module: str) -> str:
    """The package or module at the top that a module belongs to."""
    return module.partition(".")[0]


def imports(module: str) -> set[str]:
    """Every module that is imported: at the top, in a function or for types only.

    Those of the package have their names in it ("render.html"), others have their full names.
    """
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {own_name(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import, line {node.lineno}"
            for alias in node.names:
                inside = own_name(f"{node.module}.{alias.name}")
                if alias.name != "__version__":  # the one fact that everything may know
                    found.add(inside if inside in MODULES else own_name(str(node.module)))
    return found - {module}


def own_name(name: str) -> str:
    """A full name, or, for a module of the package, its name in the package."""
    return name.removeprefix("claude_nb.")


IMPORTS = {module: imports(module) for module in MODULES}


def test_every_package_has_its_place():
    """A new package is put into the order first."""
    assert sorted(ORDER) == sorted({package(module) for module in MODULES})


def test_packages_import_from_those_before_them():
    """Data goes one way, and so do the imports."""
    assert [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        for other in sorted(others & MODULES.keys())
        if ORDER.index(package(other)) > ORDER.index(package(module))
    ] == []


def test_no_circles():
    """Modules of one package may use each other as long as there is an order among them."""
    graph = {module: others & MODULES.keys() for module, others in IMPORTS.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_few_modules_call_the_sdk():
    """Everything else can be tested, recorded and simulated without a network."""
    assert {
        module
        for module, others in IMPORTS.items()
        if any(name.partition(".")[0] in SDK for name in others)
    } == SDK_CALLERS


def test_the_simulator_stands_apart():
    """It runs in a process of its own, and uses models and errors only."""
    used = {
        package(other)
        for module in MODULES
        if package(module) == "simulator"
        for other in IMPORTS[module] & MODULES.keys()
    }
    assert used - {"simulator"} <= SIMULATOR_USES


def test_the_code_map_is_printed_from_the_docstrings():
    """``python -m tests.code_map`` writes it anew."""
    written = re.search(
        r"<!-- code map -->\n(.*?)<!-- end -->", CONTRIBUTING.read_text(encoding="utf-8"), re.DOTALL
    )
    assert written is not None
    assert written[1] == code_map()


def test_what_the_guide_names_is_there():
    """Every file and folder, and the names that stand in a file."""
    guide = CONTRIBUTING.read_text(encoding="utf-8").partition("<!-- code map -->")[0]
    roots = (CONTRIBUTING.parent, PACKAGE)
    named = re.findall(r"`([\w.-]+(?:/[\w./-]*|\.py))`", guide)
    inside = [
        (name, (PACKAGE / path).read_text(encoding="utf-8"))
        for name, path in re.findall(r"`(\w+)`,?\s\(?`(\w+/\w+\.py)`", guide)
        if (PACKAGE / path).exists()
    ]

    assert [path for path in named if not any((root / path).exists() for root in roots)] == []
    assert [name for name, text in inside if not re.search(rf"\b{name}\b", text)] == []
    assert min(len(named), len(inside)) > 10


def test_no_group_of_a_pattern_is_possessive():
    """Before Python 3.11.5, which Debian 12 has, such a group does not match what it should."""
    possessive = re.compile(r"\)(?:[*+?]|\{\d+(?:,\d*)?\})\+|\(\?>")
    found = {
        f"{path.name}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if possessive.search(line)
    }
    assert found == set()
