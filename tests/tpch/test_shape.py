"""How queries run, not only what they answer: stages, tasks, bytes through channels, row groups and columns read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import flightmesh
from tests.tpch.conftest import registered
from tests.tpch.data import queries

PARTITIONS = 7
DECIMAL, DATE = 8, 4
"""Bytes of a value in memory."""


@pytest.fixture(scope="module")
def seven(small: Path) -> Iterator[flightmesh.Session]:
    with registered(small, PARTITIONS) as made:
        yield made


def row_groups(folder: Path, table: str) -> list[tuple[int, int, int]]:
    """Rows, least and greatest first column of each row group of a table."""
    found = []
    for path in sorted((folder / table).iterdir()):
        metadata = pq.read_metadata(path)
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            statistics = group.column(0).statistics
            found.append((group.num_rows, statistics.min, statistics.max))
    return found


def scanned(result: flightmesh.Result, name: str) -> int:
    """A figure of the scans of a query that has run, summed."""
    record = result.metrics
    assert record is not None
    operators = [operator for stage in record.stages for task in stage.tasks for operator in task.operators]
    return sum(operator.detail(name) for operator in operators if operator.operator == "TableScan")


def test_q3_has_stages_tasks_and_bytes_through_channels(seven: flightmesh.Session) -> None:
    result = seven.sql(queries()[3])
    assert result.to_arrow().num_rows == 10
    record = result.metrics
    assert record is not None
    # customer -> orders -> lineitem and partial groups -> final groups and top 10 of each -> top 10
    assert [len(stage.tasks) for stage in record.stages] == [7, 7, 7, 7, 1]
    for stage, feeding in zip(record.stages[1:], record.stages, strict=False):
        written = [edge for task in feeding.tasks for edge in task.written]
        read = [edge for task in stage.tasks for edge in task.read]
        assert sum(sum(edge.bytes) for edge in written) > 0
        rows = sum(sum(edge.rows) for edge in written)
        if len(written[0].rows) == 1 and len(stage.tasks) > 1:  # broadcast: whoever builds the shared table reads all of it
            assert {edge.rows for edge in read} - {0} == {rows}
        else:
            assert sum(edge.rows for edge in read) == rows
    groups = [edge for task in record.stages[2].tasks for edge in task.written]
    assert {len(edge.rows) for edge in groups} == {PARTITIONS * 4}
    assert min(sum(edge.rows[bucket] for edge in groups) for bucket in range(PARTITIONS * 4)) > 0


def test_q6_reads_four_columns_of_every_row_group(seven: flightmesh.Session, small: Path) -> None:
    """Shipping dates are spread over all row groups, so none can be left out; columns can."""
    result = seven.sql(queries()[6])
    assert result.to_arrow().num_rows == 1
    groups = row_groups(small, "lineitem")
    rows = sum(count for count, _, _ in groups)
    assert scanned(result, "row_groups") == len(groups)
    assert scanned(result, "rows_read") == rows
    assert scanned(result, "bytes_read") == rows * (3 * DECIMAL + DATE)
    scan = next(line for line in seven.explain(queries()[6], level="physical").splitlines() if "Scan lineitem" in line)
    names = {word.partition("#")[0].strip("[],()") for word in scan.split() if "#" in word}
    assert names == {"l_extendedprice", "l_discount", "l_shipdate", "l_quantity"}


@pytest.mark.parametrize(("least", "greatest"), [(1000, 1100), (200_000, 260_000), (1, 600_000), (599_990, 700_000)])
def test_a_filter_on_the_clustered_key_reads_only_its_row_groups(
    seven: flightmesh.Session, small: Path, least: int, greatest: int
) -> None:
    result = seven.sql(f"select count(*) as n from lineitem where l_orderkey between {least} and {greatest}")
    assert result.to_arrow()["n"][0].as_py() > 0
    needed = [count for count, low, high in row_groups(small, "lineitem") if low <= greatest and high >= least]
    assert scanned(result, "row_groups") == len(needed)
    assert scanned(result, "rows_read") == sum(needed)
    assert scanned(result, "bytes_read") == sum(needed) * 8


def test_a_filter_that_no_row_group_can_pass_reads_nothing(seven: flightmesh.Session) -> None:
    result = seven.sql("select l_comment from lineitem where l_orderkey > 100000000")
    assert result.to_arrow().num_rows == 0
    assert scanned(result, "row_groups") == 0


def test_a_limit_stops_the_scan(seven: flightmesh.Session, small: Path) -> None:
    result = seven.sql("select l_orderkey from lineitem limit 5")
    assert result.to_arrow().num_rows == 5
    assert scanned(result, "rows_read") < sum(count for count, _, _ in row_groups(small, "lineitem"))


def test_counting_decodes_no_column(seven: flightmesh.Session, small: Path) -> None:
    result = seven.sql("select count(*) as n from lineitem")
    rows = sum(count for count, _, _ in row_groups(small, "lineitem"))
    assert result.to_arrow()["n"][0].as_py() == rows
    assert scanned(result, "bytes_read") <= rows
