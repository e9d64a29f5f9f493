"""0.0 and -0.0 are not one constant: what is computed with the one is not taken for what is computed with the other."""

from __future__ import annotations

from math import copysign

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.expression.exactness import float_signs
from flightmesh.expression.nodes import Literal
from tests.optimize.checking import connection

ZEROS = [
    ("select max(f * 0e0) as x", "select max(f * -0e0) as x", "from (values (1.5::double), (2.5)) t(f)"),
    ("select max(coalesce(n, 0e0)) as x", "select max(coalesce(n, -0e0)) as x", "from (values (null::double)) t(n)"),
    ("select max(v[1]) as x", "select min(v[2]) as x", "from (select [0e0, -0e0] as v)"),
]


@pytest.mark.parametrize(
    "template", ["select ({0} {2}) as a, ({1} {2}) as b", "select a.x as a, b.x as b from ({0} {2}) a, ({1} {2}) b"]
)
@pytest.mark.parametrize("parts", ZEROS)
def test_each_has_its_own_zero(template: str, parts: tuple[str, str, str]) -> None:
    """DuckDB is asked for each alone: asked for both it takes the one for the other."""
    expected = [connection().execute(f"{part} {parts[2]}").fetchall()[0][0] for part in parts[:2]]
    assert [copysign(1, zero) for zero in expected] == [1, -1]
    with flightmesh.connect() as session:
        row = session.sql(template.format(*parts)).to_arrow().to_pylist()[0]
    assert [(value, copysign(1, value)) for value in (row["a"], row["b"])] == [(0.0, 1), (0.0, -1)]


def test_constant_rows_that_differ_in_a_sign_are_read_apart() -> None:
    one, other = (
        f"select i, max(v) as v from (values (1, {zero}::double), (2, 1.5)) t(i, v) group by i" for zero in ("0.0", "-0.0")
    )
    sql = f"select one.v as a, other.v as b from ({one}) one join ({other}) other on one.i = other.i where one.i = 1"
    with flightmesh.connect() as session:
        row = session.sql(sql).to_arrow().to_pylist()[0]
    assert (copysign(1, row["a"]), copysign(1, row["b"])) == (1, -1)


FLOATS = pa.list_(pa.float64())
KINDS = [
    (pa.float32(), 0.0, -0.0),
    (FLOATS, [1.5, 0.0], [1.5, -0.0]),
    (pa.list_(pa.float64(), 2), [None, 0.0], [None, -0.0]),
    (pa.struct({"a": FLOATS, "b": pa.timestamp("ns")}), {"a": [0.0], "b": 1}, {"a": [-0.0], "b": 1}),
    (pa.map_(pa.string(), pa.float64()), [("k", 0.0)], [("k", -0.0)]),
]


@pytest.mark.parametrize(("kind", "plain", "negative"), KINDS)
def test_literals_are_equal_where_their_values_are_the_same(kind: pa.DataType, plain: object, negative: object) -> None:
    one, other, again = (Literal(pa.scalar(value, kind)) for value in (plain, negative, plain))
    assert one != other
    assert (one, hash(one)) == (again, hash(again))
    assert Literal(pa.scalar(None, kind)) == Literal(pa.scalar(None, kind)) != one


def test_what_holds_no_floats_has_no_signs() -> None:
    assert float_signs(pa.scalar(-1)) == float_signs(pa.array(["a", None]).dictionary_encode()) == b""
