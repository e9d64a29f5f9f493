"""Several sums of few groups: rows are put in the order of their groups once, and added up as integers."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.expression.nodes import Field
from flightmesh.fragment.grouping import FEW_GROUPS, Aggregation
from flightmesh.ids import ColumnId
from flightmesh.kernel.group import Grouping
from flightmesh.physical.operators import Measure

ROWS = 5000
KEY = Field(ColumnId(0), "k", pa.int64())
LARGEST = 2**63 - 1


def columns(groups: int, rng: np.random.Generator) -> dict[str, pa.Array]:
    """Of small numbers, of prices, of numbers whose sums need more than 53 and more than 63 bits, with NULLs, and of floats."""
    keys = rng.permutation(np.arange(ROWS) % groups)
    some = rng.random(ROWS) < 0.3
    return {
        "k": pa.array(keys),
        "small": pa.array(rng.integers(-9, 9, ROWS)),
        "price": pa.array([Decimal(int(v)).scaleb(-2) for v in rng.integers(0, 10**9, ROWS)], pa.decimal128(15, 2)),
        "wide": pa.array(rng.integers(-(2**50), 2**50, ROWS)),
        "extreme": pa.array(rng.choice([LARGEST, LARGEST - 1, -LARGEST], ROWS)),
        "some": pa.array(rng.integers(0, 100, ROWS), mask=some | (keys == 0)),
        "float": pa.array(rng.integers(0, 1000, ROWS).astype(np.float64)),
    }


@pytest.mark.parametrize("groups", [1, 2, 4, FEW_GROUPS, FEW_GROUPS + 1])
def test_they_are_exact(groups: int) -> None:
    data = columns(groups, np.random.default_rng(groups))
    names = [name for name in data if name != "k"]
    fields = {name: Field(ColumnId(number), name, column.type) for number, (name, column) in enumerate(data.items())}
    measures = []
    for number, name in enumerate(names):
        kind = data[name].type
        scale = kind.scale if pa.types.is_decimal(kind) else 0
        result = pa.float64() if name == "float" else pa.decimal128(38, scale)
        measures.append(Measure(Field(ColumnId(100 + number), f"s{name}", result), "sum", fields[name].column()))
    batch = pa.RecordBatch.from_arrays(list(data.values()), names=[fields[name].key for name in data])
    made = Aggregation((KEY,), tuple(measures)).groups(batch)
    assert sorted(made.column(0).to_pylist()) == list(range(groups))
    for row in range(groups):
        key = made.column(0)[row].as_py()
        members = np.flatnonzero(data["k"].to_numpy() == key)
        for number, name in enumerate(names):
            values = [v for v in data[name].take(pa.array(members)).to_pylist() if v is not None]
            assert made.column(1 + number)[row].as_py() == (sum(values) if values else None), (key, name)


@pytest.mark.parametrize(
    ("sums", "groups", "ordered"), [(3, 4, True), (2, 4, False), (3, FEW_GROUPS + 1, False), (3, 1, False)]
)
def test_rows_are_put_in_order_where_it_pays(sums: int, groups: int, ordered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    order = Grouping.order

    def noted(self: Grouping) -> object:
        asked.append(self.count)
        return order(self)

    monkeypatch.setattr(Grouping, "order", noted)
    value = Field(ColumnId(1), "v", pa.int64())
    measures = [Measure(Field(ColumnId(10 + n), "s", pa.decimal128(38, 0)), "sum", value.column()) for n in range(sums)]
    rng = np.random.default_rng(1)
    data = [pa.array(rng.permutation(np.arange(ROWS) % groups)), pa.array(rng.integers(0, 100, ROWS))]
    Aggregation((KEY,), tuple(measures)).groups(pa.RecordBatch.from_arrays(data, names=[KEY.key, value.key]))
    assert bool(asked) == ordered
