import json
import subprocess
import sys
from pathlib import Path

import pytest

from flightmesh import __version__
from tests.cli.running import flightmesh, rows_of

LEVELS = ("logical", "optimized", "physical", "stages", "analyze")

LOADED_BY_HELP = """
import sys
from flightmesh.cli.main import main
sys.argv = ["flightmesh", "--help"]
try:
    main()
except SystemExit:
    slow = {"pyarrow", "sqlglot", "numpy", "pydantic", "ruamel", "prompt_toolkit"}
    print(sorted({name.split(".")[0] for name in sys.modules} & slow))
"""

QUERY_MODULES = """
from flightmesh.cli.main import main
try:
    main()
except SystemExit:
    print([name for name in sys.modules if name.startswith("pandas.")])
"""

PLAN = """\
plan: big-orders
params:
  floor: 200
inputs:
  orders: {parquet: ORDERS}
steps:
  big: {from: orders, where: total > :floor, select: [id, total], order_by: [id]}
"""


@pytest.fixture
def plan(orders: Path, tmp_path: Path) -> Path:
    path = tmp_path / "big.yaml"
    path.write_text(PLAN.replace("ORDERS", str(orders)))
    return path


def test_help_is_quick_to_load() -> None:
    """It must not wait for pyarrow and sqlglot."""
    done = subprocess.run([sys.executable, "-c", LOADED_BY_HELP], capture_output=True, text=True, check=True)
    assert "Usage: flightmesh" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_query_does_not_load_pandas() -> None:
    code = "import sys; sys.argv[1:] = ['sql', 'select 1 as a'];" + QUERY_MODULES
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["1 row", "[]"]


@pytest.mark.parametrize("name", ["sql", "run", "explain", "shell", "functions", "plan check", "plan schema"])
def test_every_help_shows_an_example(name: str) -> None:
    text = flightmesh(*name.split(), "--help").stdout
    assert "Example" in text
    assert f"flightmesh {name}" in text.split("Example", 1)[1]


def test_version() -> None:
    assert rows_of(flightmesh("--version")) == [f"flightmesh {__version__}"]


def test_the_exit_code_without_a_command() -> None:
    assert flightmesh().returncode == 2


def test_run(plan: Path) -> None:
    lines = rows_of(flightmesh("run", plan, "--set", "floor=249", "--format", "csv"))
    assert lines == ["id,total", "997,249.25", "998,249.50", "999,249.75"]


def test_run_refuses_a_wrong_parameter(plan: Path) -> None:
    failed = flightmesh("run", plan, "--set", "flor=249")
    assert failed.returncode == 1
    assert "floor" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_an_empty_setting_is_an_empty_text(plan: Path) -> None:
    text = plan.read_text().replace("floor: 200", "mark: nothing").replace("total > :floor", "id < 1 and :mark = ''")
    plan.write_text(text)
    assert rows_of(flightmesh("run", plan, "--set", "mark=", "--format", "csv")) == ["id,total", "0,0.00"]
    assert rows_of(flightmesh("run", plan, "--format", "csv")) == ["id,total"]


def test_plan_check(plan: Path, tmp_path: Path) -> None:
    assert rows_of(flightmesh("plan", "check", plan)) == [f"{plan}: ok"]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(plan.read_text().replace("total > :floor", "totl > :floor"))
    unknown = flightmesh("plan", "check", plan, "--set", "no_such=1")
    assert unknown.returncode == 1
    assert "the plan has no parameter 'no_such'" in unknown.stderr
    failed = flightmesh("plan", "check", plan, wrong)
    assert failed.returncode == 1
    assert f"{plan}: ok" in failed.stdout
    assert f"{wrong}:7:" in failed.stderr
    assert "total" in failed.stderr


def test_plan_schema() -> None:
    schema = json.loads("\n".join(rows_of(flightmesh("plan", "schema"))))
    assert set(schema["properties"]) >= {"plan", "params", "inputs", "steps", "output", "write", "settings"}


@pytest.mark.parametrize("level", LEVELS)
def test_explain(orders: Path, level: str) -> None:
    query = "select status, sum(total) from orders where id > 10 group by status"
    lines = rows_of(flightmesh("explain", query, "-r", f"orders={orders}", "--level", level))
    assert "orders" in "\n".join(lines)
    assert len(lines) >= 2


def test_explain_analyze(orders: Path) -> None:
    said = "\n".join(rows_of(flightmesh("explain", "--analyze", "select count(*) from orders", "-r", f"orders={orders}")))
    assert "[rows 1,000 (estimate 1,000), " in said


def test_functions() -> None:
    names = {line.split(":")[0].split(",")[0] for line in rows_of(flightmesh("functions")) if not line.startswith("    ")}
    assert len(names) >= 150
    lines = rows_of(flightmesh("functions", "date_tr*"))
    assert lines[0].startswith("date_trunc")
    assert lines[1].startswith("    date_trunc(VARCHAR, ")
    assert any(line.startswith("sum: Aggregate. ") for line in rows_of(flightmesh("functions", "SUM")))
    assert rows_of(flightmesh("functions", "nvl"))[0].startswith("ifnull, nvl: ")
    assert flightmesh("functions", "no_such_thing").returncode == 1
