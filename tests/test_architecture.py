"""The package is built in floors: a module imports from below, never from above."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import claude_nb

PACKAGE = Path(claude_nb.__file__).parent
CODE_MAP = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"

FLOORS = [
    "errors events models preload price_file sdk usage",
    "attachments blocks caching progress prompt seams",
    "api batch_api render source steps turns wire",
    "engine output reply retry",
    "batches recording tools",
    "budget history limits spending",
    "notebook views",
    "batching cached_system chat comparison conversation inspector jobs run session",
    "__main__ cell commands completion context magics options reports traps",
    "claude_nb",  # the package itself, which shows what is in it
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}

# Beside the house: a server in a process of its own, which stands on the ground floor only.
SIMULATOR = "simulator"
DOORS = {"claude_nb", "session", *FLOORS[8].split()}

SDK = {"anthropic", "httpx2"}
SDK_CALLERS = {
    "api",
    "batch_api",
    "sdk",
    "source",
}


def dotted(path: Path) -> str:
    """The module's name in the package: "render.html", "views", and "claude_nb" for itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "claude_nb"


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    """What the table of floors calls a module: its first name."""
    return module.partition(".")[0]


def imports(module: str) -> set[str]:
    """Every module that is imported at run time, at the top or inside a function.

    Those of the package have their names in it ("render.html"), others have their full names.
    """
    found = set()
    waiting: list[ast.AST] = [ast.parse(MODULES[module].read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            found |= {own_name(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import, line {node.lineno}"
            base = own_name(node.module)
            for alias in node.names:
                if alias.name == "__version__":
                    continue  # the package's one fact about itself; nothing else comes from above
                inside = own_name(f"{node.module}.{alias.name}")
                found.add(inside if inside in MODULES else base)
        else:
            waiting += ast.iter_child_nodes(node)
    return found - {module}


def own_name(name: str) -> str:
    """A full name, or, for a module of the package, its name in the package."""
    return name.removeprefix("claude_nb.")


IMPORTS = {module: imports(module) for module in MODULES}


def test_every_module_has_a_floor():
    """A new module is put into the table before anything else."""
    assert {room(module) for module in MODULES} - {*FLOOR_OF, SIMULATOR} == set()


def test_the_code_map_is_the_code():
    """CONTRIBUTING.md has one line for each room that there is, with its floor."""
    lines = re.findall(r"(?m)^\| `(\w+)` \| (\S+) \|", CODE_MAP.read_text(encoding="utf-8"))
    floors = {"claude_nb" if name == "__init__" else name: floor for name, floor in lines}
    assert len(floors) == len(lines)
    assert floors == {
        name: str(FLOOR_OF.get(name, "–")) for name in {room(module) for module in MODULES}
    }


def test_imports_come_from_the_same_floor_or_below():
    """Data goes one way, and so do the imports."""
    assert [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        for other in sorted(others & MODULES.keys())
        if SIMULATOR not in (room(module), room(other))
        and FLOOR_OF[room(other)] > FLOOR_OF[room(module)]
    ] == []


def test_no_circles():
    """Modules on one floor may use each other as long as there is an order among them."""
    graph = {module: others & MODULES.keys() for module, others in IMPORTS.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_only_three_modules_call_the_sdk():
    """Everything else can be tested, recorded and simulated without a network."""
    assert {
        module
        for module, others in IMPORTS.items()
        if any(name.partition(".")[0] in SDK for name in others)
    } == SDK_CALLERS


def test_the_simulator_stands_apart():
    """Few modules start it, and it uses nothing of the others but those of floor 0."""
    rooms = {
        module: {room(name) for name in others & MODULES.keys()}
        for module, others in IMPORTS.items()
    }
    own = {SIMULATOR, *FLOORS[0].split()}
    assert {m: r - own for m, r in rooms.items() if room(m) == SIMULATOR and r - own} == {}
    starts = {room(module) for module, used in rooms.items() if SIMULATOR in used}
    assert starts - {SIMULATOR, *DOORS} == set()
