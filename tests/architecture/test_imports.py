"""What an import contract by package cannot say: single modules of a library that only one room may use, or none."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "flightmesh"
RUNNERS = PACKAGE / "bench" / "peers"
"""Scripts for the environments of other engines: no part of this one."""
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != RUNNERS)

ONLY_IN = {
    "pyarrow.acero": "fragment",
    "pyarrow.flight": "transport",
    "sqlglot": "frontend",
}
NOWHERE = ("sqlglot.optimizer", "sqlglot.executor", "sqlglot.planner", "pickle", "cloudpickle", "marshal", "pyarrow.substrait")


@functools.cache
def imported_names(path: Path) -> tuple[str, ...]:
    """Every dotted name that a file imports: modules, and what is taken from them."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(names)


def importers(module: str) -> list[Path]:
    return [path for path in SOURCES if any(name == module or name.startswith(f"{module}.") for name in imported_names(path))]


@pytest.mark.parametrize(("module", "room"), ONLY_IN.items())
def test_only_one_room_uses(module: str, room: str) -> None:
    strangers = [str(path.relative_to(ROOT)) for path in importers(module) if path.relative_to(PACKAGE).parts[0] != room]
    assert strangers == []


@pytest.mark.parametrize("module", NOWHERE)
def test_nobody_uses(module: str) -> None:
    assert [str(path.relative_to(ROOT)) for path in importers(module)] == []


def test_the_search_finds_what_is_there() -> None:
    assert importers("sqlglot"), "the front end parses with sqlglot"


def test_runners_import_nothing_of_this_engine() -> None:
    """They run where it is not installed."""
    assert RUNNERS.is_dir()
    names = {
        path.name: [name for name in imported_names(path) if name.split(".")[0] == "flightmesh"]
        for path in RUNNERS.glob("*.py")
    }
    assert {name: found for name, found in names.items() if found} == {}
