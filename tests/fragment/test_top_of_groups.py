"""TopOfGroups: no row of a low rank is lost, few others are given, and groups that are small are handed on as they come."""

from __future__ import annotations

import random
from collections.abc import Callable

import pyarrow as pa
import pytest

from flightmesh.fragment import top_of_groups
from flightmesh.physical.operators import ColumnOrder, TopOfGroups
from tests.fragment.harness import Context, Tables, run


def top(context: Context, table: pa.Table, ranking: str, count: int) -> list[tuple[int, int]]:
    source = Tables(context).edge(table, batch_rows=10)
    group, value = (f.column() for f in source.fields)
    got = run(TopOfGroups(source, (group,), (ColumnOrder(value),), ranking, count), context)
    return sorted(zip(*(column.to_pylist() for column in got.columns), strict=True))


@pytest.mark.parametrize(("ranking", "most"), [("row_number", 30), ("rank", 60), ("dense_rank", 80)])
@pytest.mark.parametrize("gathered", [100, 1000])
def test_the_first_of_each_group_are_kept(monkeypatch: pytest.MonkeyPatch, ranking: str, most: int, gathered: int) -> None:
    monkeypatch.setattr(top_of_groups, "GATHERED_ROWS", gathered)
    rng = random.Random(ranking)
    rows = [(rng.randrange(10), rng.randrange(40)) for _ in range(400)]
    context = Context(morsel_rows=7)
    kept = top(context, pa.table({"g": [g for g, _ in rows], "v": [v for _, v in rows]}), ranking, 3)
    for group in range(10):
        values = sorted(v for g, v in rows if g == group)
        wanted = values[:3]
        if ranking == "rank":
            wanted = [v for v in values if sum(other < v for other in values) < 3]
        elif ranking == "dense_rank":
            wanted = [v for v in values if v in sorted(set(values))[:3]]
        assert [v for g, v in kept if g == group] == wanted
    assert len(kept) <= most
    assert context.held == 0


def test_small_groups_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_of_groups, "GATHERED_ROWS", 20)
    monkeypatch.setattr(top_of_groups, "JUDGED_ROWS", 50)
    context = Context(morsel_rows=7)
    table = pa.table({"g": range(200), "v": range(200)})
    assert len(top(context, table, "rank", 1)) == 200
    assert context.peak < table.nbytes
    assert context.held == 0


def test_what_comes_late_is_dropped_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once each group is full only what is better is gathered: nothing is, where values only grow."""
    monkeypatch.setattr(top_of_groups, "GATHERED_ROWS", 20)
    sorted_rows = []
    monkeypatch.setattr(top_of_groups, "sort_indices", _counting(top_of_groups.sort_indices, sorted_rows))
    context = Context(morsel_rows=7)
    assert top(context, pa.table({"g": [n % 4 for n in range(1000)], "v": range(1000)}), "row_number", 2) == [
        (group, group + 4 * turn) for group in range(4) for turn in range(2)
    ]
    assert sum(sorted_rows) < 50
    assert context.held == 0


def _counting(sort: Callable[..., pa.Array], counted: list[int]) -> Callable[..., pa.Array]:
    def sort_indices(batch: pa.RecordBatch, keys: object) -> pa.Array:
        counted.append(batch.num_rows)
        return sort(batch, keys)

    return sort_indices


def test_no_rows() -> None:
    assert top(Context(), pa.table({"g": pa.array([], pa.int64()), "v": pa.array([], pa.int64())}), "rank", 1) == []
