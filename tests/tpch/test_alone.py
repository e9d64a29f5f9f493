"""This engine is the engine: with every other one blocked from import, all 22 queries still run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tpch.answers import answer
from tests.tpch.data import NUMBERS, TABLES, queries, table_files

BLOCKED = ("duckdb", "polars", "datafusion", "pandas", "sqlglot.optimizer", "sqlglot.executor", "sqlglot.planner")
PARSER = ("sqlglot.optimizer", "sqlglot.optimizer.scope")
"""What sqlglot's parser cannot be imported without: the package's name, and the module that finds names of a scope."""

PROGRAM = """
import importlib.abc, json, sys

BLOCKED, PARSER = (tuple(names) for names in json.loads(sys.argv[1]))

def is_blocked(name):
    inside = any(name == blocked or name.startswith(blocked + ".") for blocked in BLOCKED)
    return inside and name not in PARSER and not name.endswith("__mypyc")

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if is_blocked(name):
            raise ImportError(name + " is blocked by this test")
        return None

sys.meta_path.insert(0, Block())
import flightmesh
job = json.load(sys.stdin)
rows = {}
with flightmesh.connect(threads=2) as session:
    for name, path in job["tables"].items():
        session.register(name, path)
    for number, sql in job["queries"].items():
        rows[number] = session.sql(sql).to_arrow().num_rows
print(json.dumps({"rows": rows, "loaded": [name for name in sys.modules if is_blocked(name)]}))
"""


def run(program: str, job: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, json.dumps((BLOCKED, PARSER))]
    return subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, timeout=300)


def test_all_queries_run_without_any_other_engine(small: Path) -> None:
    ran = run(PROGRAM, {"tables": {name: table_files(small, name) for name in TABLES}, "queries": queries()})
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["loaded"] == []
    assert {int(number): rows for number, rows in said["rows"].items()} == {n: answer(small, n).num_rows for n in NUMBERS}


@pytest.mark.parametrize("name", ["duckdb", "polars", "sqlglot.optimizer.qualify", "sqlglot.executor", "sqlglot.planner"])
def test_the_block_works(name: str) -> None:
    ran = run(PROGRAM.replace("import flightmesh", f"import sqlglot, {name}"), {})
    assert ran.returncode != 0
    assert f"{name} is blocked by this test" in ran.stderr
