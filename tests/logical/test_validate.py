"""Ill-formed relations are refused, and said to be what they are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flightmesh.errors import InternalError
from flightmesh.expression.nodes import Call, Column, Field
from flightmesh.ids import ColumnId, ColumnIds, SharedId
from flightmesh.logical.relations import Apply, Definition, Filter, Item, Join, JoinKind, Project, Reference, With, passes
from flightmesh.logical.validate import require_same_columns, validate
from tests.optimize.building import call, col, lit, scan


def test_a_good_query_passes() -> None:
    ids = ColumnIds()
    t, u = scan("t", ids), scan("u", ids)
    inner = Filter(u, call("equal", col(u, "k"), col(t, "k")))
    validate(Project(Apply(t, inner, JoinKind.INNER), (passes(col(t, "x")), passes(col(u, "y")))))


def test_an_unknown_column() -> None:
    ids = ColumnIds()
    t, u = scan("t", ids), scan("u", ids)
    with pytest.raises(InternalError, match="column y#4 is not there"):
        validate(Filter(t, call("greater", col(u, "y"), lit(1))))


def test_an_outer_column_is_seen_only_by_a_dependent_right_side() -> None:
    ids = ColumnIds()
    t, u = scan("t", ids), scan("u", ids)
    inner = Filter(u, call("equal", col(u, "k"), col(t, "k")))
    with pytest.raises(InternalError, match="column k#0 is not there"):
        validate(Join(t, inner, JoinKind.INNER))


def test_an_id_made_twice() -> None:
    t = scan("t", ColumnIds())
    with pytest.raises(InternalError, match="k#0 is made twice"):
        validate(Join(t, scan("t", ColumnIds()), JoinKind.INNER))
    again = Project(t, (Item(Field(ColumnId(0), "k", pa.int64()), call("add", col(t, "k"), lit(1))),))
    with pytest.raises(InternalError, match="k#0 is made twice"):
        validate(again)


def test_types_that_do_not_agree() -> None:
    ids = ColumnIds()
    t = scan("t", ids)
    with pytest.raises(InternalError, match="k#0 is int64, not int32"):
        validate(Filter(t, call("equal", Column(ColumnId(0), "k", pa.int32()), lit(1, pa.int32()))))
    with pytest.raises(InternalError, match="equal of int64 and string"):
        validate(Filter(t, Call("equal", (col(t, "k"), col(t, "s")), pa.bool_())))


def test_references_must_be_defined() -> None:
    ids = ColumnIds()
    t = scan("t", ids)
    good = Reference(SharedId(0), "a", (Field(ids.fresh(), "k", pa.int64()),), (t.fields[0].id,))
    validate(With((Definition(SharedId(0), "a", t),), good))
    with pytest.raises(InternalError, match="nothing defines"):
        validate(good)
    bad = Reference(SharedId(0), "a", (Field(ids.fresh(), "k", pa.string()),), (t.fields[0].id,))
    with pytest.raises(InternalError, match="not column #0"):
        validate(With((Definition(SharedId(0), "a", t),), bad))


def test_columns_in_another_order() -> None:
    x, k = Field(ColumnId(0), "x", pa.int64()), Field(ColumnId(1), "k", pa.int64())
    require_same_columns((x, k), (x, Field(ColumnId(1), "other", pa.int64(), False)), "a rule")
    for found in ((k, x), (x,), (x, k, k), (x, Field(ColumnId(1), "k", pa.int32()))):
        with pytest.raises(InternalError, match=r"a rule: columns .* where .*x#0 int64, k#1 int64.* must be"):
            require_same_columns((x, k), found, "a rule")
