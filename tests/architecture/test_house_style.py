"""The measurable part of the house style. Each test names every offender at once."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "flightmesh"
SOURCES = {str(path.relative_to(PACKAGE)): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
EMPTY_NAMES = {"util", "utils", "common", "base", "core", "manager", "handler", "helper", "helpers", "misc"}
LONGEST_FILE = 500
LONGEST_FUNCTION = 60


def test_files_are_short() -> None:
    lengths = {name: len(text.splitlines()) for name, text in SOURCES.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_names_say_something() -> None:
    assert [name for name in SOURCES if EMPTY_NAMES & set(name.removesuffix(".py").replace("/", "_").split("_"))] == []


def test_modules_say_what_they_are() -> None:
    modules = {name: text for name, text in SOURCES.items() if not name.endswith(("__init__.py", "__main__.py"))}
    assert [name for name, text in modules.items() if not ast.get_docstring(ast.parse(text))] == []


def test_functions_are_short() -> None:
    long = {}
    for name, text in SOURCES.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or node.lineno) - node.lineno >= LONGEST_FUNCTION:
                long[f"{name}: {node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1
    assert long == {}
