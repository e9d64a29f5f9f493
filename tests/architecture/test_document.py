"""ARCHITECTURE.md is kept true: what it names exists, and its rooms are those of the import contract."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "ARCHITECTURE.md").read_text()
CONTRACT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]

NAMED = sorted(set(re.findall(r"`([\w./-]+\.(?:py|yaml|toml|md)): ([\w.]+)`", DOCUMENT)))
PATHS = sorted(set(re.findall(r"`((?:flightmesh|tests|plans|configs|docs|nodes|\.ci)/[\w./-]*)`", DOCUMENT)))


def rooms_on_disk() -> set[str]:
    package = ROOT / "flightmesh"
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    return folders | {path.stem for path in package.glob("*.py") if not path.stem.startswith("__")}


def rooms_of_the_contract() -> list[str]:
    """First to last in the data's order, without the marks for siblings and for rooms that are yet to come."""
    return [name for layer in reversed(CONTRACT["layers"]) for name in re.findall(r"\w+", layer)]


def defined_names(path: Path) -> set[str]:
    """Top-level names of a file, and `Class.member`."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        names |= set(_names(node))
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{member}" for part in node.body for member in _names(part)}
    return names


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def test_the_document_names_code() -> None:
    assert len(NAMED) >= 10


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_definition_exists(path: str, name: str) -> None:
    assert name in defined_names(ROOT / path)


def test_named_paths_exist() -> None:
    assert [path for path in PATHS if not (ROOT / path).exists()] == []


def test_every_room_on_disk_is_in_the_contract() -> None:
    assert rooms_on_disk() <= set(rooms_of_the_contract())


def test_the_document_lists_the_rooms_in_the_order_of_the_contract() -> None:
    """The document's list: indented lines that begin with the rooms' names, before a gap of two blanks or more."""
    written: list[str] = []
    for line in re.findall(r"^    ([a-z_/, ]+?)(?:  .*)?$", DOCUMENT, re.MULTILINE):
        written += [part.strip().strip("/") for part in line.split(",")]
    order = rooms_of_the_contract()
    listed = [room.split("/")[0] for room in written if room.split("/")[0] in order]
    listed = list(dict.fromkeys(listed))
    missing = rooms_on_disk() - set(listed)
    assert missing == set()
    ranks = {name: rank for rank, layer in enumerate(reversed(CONTRACT["layers"])) for name in re.findall(r"\w+", layer)}
    assert [ranks[room] for room in listed] == sorted(ranks[room] for room in listed)
