"""The form of EXPLAIN ANALYZE: what stands beside each operator, here and on a mesh. Figures that differ from run to run are
masked; rows, estimates and what was pruned are not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.config import Config
from flightmesh.physical.operators import LimitRows, TableScan
from flightmesh.session.estimates import estimated_rows, off
from tests.hand_made import K, V, scan
from tests.meshes import AT_MESHES, Meshes, session_at

GOLDENS = Path(__file__).parent / "goldens"
QUERY = (
    "select name, count(*) n from sales join days on day = d_day where d_week = 3 and amount * amount >= 0"
    " group by name order by n"
)
ROWS = 20_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("analyze")
    numbers = np.arange(ROWS)
    noise = np.random.default_rng(1)  # so that the table is not so small that one task has it all
    sales = {
        "day": numbers // 100,
        "amount": numbers % 7,
        "name": pa.array([f"n{n % 3}" for n in numbers]),
        "noise": pa.array([noise.bytes(128) for _ in numbers]),
    }
    pq.write_table(pa.table(sales), made / "sales.parquet", row_group_size=2000)
    pq.write_table(pa.table({"d_day": np.arange(200), "d_week": np.arange(200) // 7}), made / "days.parquet")
    return made


def registered(session: Any, folder: Path) -> Any:
    for name in ("sales", "days"):
        session.register(name, str(folder / f"{name}.parquet"))
    return session


def masked(text: str) -> str:
    """Times, bytes and places are not the same in two runs; how many batches there are is a matter of the schedule."""
    text = re.sub(r"\b[\d.]+ (ms|s)\b", "TIME", text)
    text = re.sub(r"\b[\d.,]+ (B|KiB|MiB)\b", "SIZE", text)
    text = re.sub(r"\b[\d,]+ batch(es)?\b", "BATCHES", text)
    return re.sub(r"\bw\d+-[0-9a-f]+\b", "WORKER", text)


def check(name: str, text: str, update: bool) -> None:
    path = GOLDENS / name
    if update:
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8"), "run the test with --update-goldens, and read what changed"


def test_the_form_here(folder: Path, update_goldens: bool) -> None:
    with registered(flightmesh.connect(config=Config(threads=2, partitions=1)), folder) as session:
        text = session.explain(QUERY, "analyze")
        lines = session.sql(f"explain analyze {QUERY}").to_arrow()["plan"].to_pylist()
        assert masked("\n".join(lines)) == masked(text), "the statement gives the same lines"
        check("analyze.txt", masked(text), update_goldens)


@pytest.mark.parametrize("mode", AT_MESHES[:1])
def test_the_form_on_a_mesh(mode: str, meshes: Meshes, folder: Path, update_goldens: bool) -> None:
    """Which worker did what is chance, so only the operators' lines are compared, without what exchanges counted."""
    with session_at(meshes.of(mode)) as remote:
        text = masked(registered(remote, folder).explain(QUERY, "analyze"))
    operators = [line for line in text.splitlines() if "[rows" in line]
    check("analyze_mesh.txt", "\n".join(line.split(", BATCHES")[0] + "]" for line in operators), update_goldens)
    assert "3 workers" in text.splitlines()[0]
    assert re.search(r"ReadExchange .* local rows \d+, local bytes SIZE, remote rows \d+, remote bytes SIZE", text)
    assert re.search(r"task 0: finished on WORKER, TIME to TIME, .*cpu TIME, credit wait TIME, spilled SIZE", text)


@pytest.mark.parametrize(
    ("estimate", "rows", "may_be_fewer", "said"),
    [
        (100, 1000, False, ""),
        (100, 1001, False, ", 10 times too few"),
        (1000, 100, False, ""),
        (60_000, 3, False, ", 20,000 times too many"),
        (60_000, 3, True, ""),
        (0.01, 0, False, ""),
        (0.01, 12, True, ", 12 times too few"),
    ],
)
def test_an_estimate_far_off_is_said_to_be(estimate: float, rows: int, may_be_fewer: bool, said: str) -> None:
    assert off(estimate, rows, may_be_fewer) == said


def test_what_a_limit_ends_is_not_called_too_many(folder: Path) -> None:
    with registered(flightmesh.connect(threads=1), folder) as session:
        text = session.explain("select day from sales limit 5", "analyze")
        assert "too many" not in text
        assert "(estimate 5)" in text


def test_operators_without_an_estimate_have_their_inputs() -> None:
    rows = scan(K, V)
    assert estimated_rows(rows) is None
    known = TableScan(rows.table, 0, (K,), (), (K,), None, 500.0)
    assert estimated_rows(LimitRows(known, 7)) == 7
    assert estimated_rows(LimitRows(known, None)) == 500
