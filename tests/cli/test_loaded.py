"""What a command loads is most of what a small query costs: a count of modules, not of seconds."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PROGRAM = """
import gc, json, sys
from flightmesh.cli.main import main
try:
    main()
finally:
    print(json.dumps([sorted(sys.modules), gc.isenabled(), gc.get_freeze_count() > 0]))
"""
NOT_FOR_ROWS_OF_A_FILE = {
    "flightmesh": "bench discovery doctor frontend.yaml node settings transport.flight_client trust",
    "flightmesh.session": "explain remote",
    "flightmesh.expression": "datespans functions.known functions.string",
    "flightmesh.fragment": "group_by hash_join iterate top_of_groups window",
    "flightmesh.kernel": "join_index quantiles window",
    "pyarrow": "acero compute dataset flight",
    "": "asyncio attr cattrs cryptography pandas prompt_toolkit pygments rich ruamel wcwidth zeroconf",
}


@pytest.fixture
def one_row(tmp_path: Path) -> Path:
    path = tmp_path / "one.parquet"
    pq.write_table(pa.table({"id": [1], "name": ["x"]}), path)
    return path


def _loaded(statement: str) -> tuple[list[str], bool, bool]:
    """The modules of a process that has run `statement`; whether its collector is on, and leaves out what was loaded."""
    command = [sys.executable, "-c", PROGRAM, "sql", statement]
    unset = {name: value for name, value in os.environ.items() if not name.startswith("FLIGHTMESH_")}
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=unset).stdout
    modules, collects, leaves_out = json.loads(said.splitlines()[-1])
    return modules, collects, leaves_out


def test_rows_of_a_file_need_no_more_than_they_need(one_row: Path) -> None:
    modules, collects, leaves_out = _loaded(f"select * from '{one_row}'")
    unwanted = [f"{room}.{name}".strip(".") for room, names in NOT_FOR_ROWS_OF_A_FILE.items() for name in names.split()]
    assert [name for name in unwanted if name in modules] == []
    own = [name for name in modules if name.startswith("flightmesh.")]
    assert len(own) <= 415, own  # 399 on the day this was written: a file more is no harm, a room that nothing here needs is
    assert (collects, leaves_out) == (True, True)


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("select id + 1 from FILE", "pyarrow.compute"),
        ("select upper(name) from FILE", "flightmesh.expression.functions.known"),
        ("select name, count(*) from FILE group by name", "flightmesh.fragment.group_by"),
        ("select * from FILE a join FILE b using (id)", "flightmesh.fragment.hash_join"),
        ("select row_number() over (order by name) from FILE", "flightmesh.fragment.window"),
        (
            "with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select * from r",
            "flightmesh.fragment.iterate",
        ),
        ("select 'é' as accented", "wcwidth"),
    ],
)
def test_what_a_query_does_need_is_loaded(one_row: Path, statement: str, module: str) -> None:
    assert module in _loaded(statement.replace("FILE", f"'{one_row}'"))[0]


def test_the_engine_is_loaded_with_the_collector_as_it_was() -> None:
    code = "import gc, flightmesh; {}; flightmesh.connect; print(gc.isenabled(), gc.get_freeze_count())"
    for before, after in (("gc.enable()", "True 0"), ("gc.disable()", "False 0")):
        said = subprocess.run([sys.executable, "-c", code.format(before)], capture_output=True, text=True, check=True).stdout
        assert said.strip() == after
    assert gc.isenabled()


@pytest.mark.parametrize(("given", "kept"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_numpy_starts_no_threads_for_a_command_unless_a_person_wants_them(given: dict[str, str], kept: str) -> None:
    code = "import os; from flightmesh.cli.main import main\ntry: main()\nfinally: print(os.environ['OPENBLAS_NUM_THREADS'])"
    usual = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    command = [sys.executable, "-c", code, "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=usual | given).stdout
    assert said.splitlines()[-1] == kept
