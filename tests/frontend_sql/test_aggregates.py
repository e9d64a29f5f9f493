"""Aggregates against DuckDB: whole tables, groups, one-row groups, no rows; in one phase and in two, here and at a mesh."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config
from flightmesh.errors import FlightmeshError
from tests.compare import Order, assert_same, duckdb_answer
from tests.meshes import AT_MESHES, AnySession, session_anywhere

ROWS = 600
MERGEABLE = (
    *("stddev(x)", "stddev_pop(i)", "variance(x)", "var_pop(dc)", "var_samp(i)", "covar_pop(x, y)", "covar_samp(x, i)"),
    *("corr(x, y)", "regr_slope(y, x)", "regr_intercept(y, x)", "regr_r2(y, x)", "regr_avgx(y, x)", "regr_avgy(y, x)"),
    *("regr_sxx(y, x)", "regr_syy(y, x)", "regr_sxy(y, x)", "regr_count(y, x)", "bit_and(i)", "bit_or(i)", "bit_xor(b)"),
    *("skewness(i)", "kurtosis(i)", "kurtosis_pop(i)", "sem(x)", "fsum(i)", "favg(x)", "kahan_sum(dc)", "count((s, i))"),
    *("arg_min(s, u)", "max_by(s, u)", "arg_min_null(s, u)", "arg_max(x, s || u)", "arg_max_null(dc, u)", "product(y)"),
)
"""Aggregates of the table `n`, whose column `u` is unique."""
GATHERED = (
    *("median(i)", "median(x)", "median(f)", "median(dc)", "median(d)", "median(t)", "median(s)", "median(distinct i)"),
    *("quantile_cont(x, 0.3)", "quantile_cont(i, 0.95)", "quantile_cont(dc, -0.21)", "quantile_disc(s, 0.3)"),
    *("quantile_disc(i, 0.25)", "quantile_disc(dc, -0.75)", "quantile(u, 1)", "quantile_disc(d, 0)", "quantile_cont(t, -0.5)"),
    *("percentile_cont(0.25) within group (order by x desc)", "percentile_disc(0.1) within group (order by i desc)"),
    *("string_agg(s, '-' order by u)", "string_agg(i, '' order by u desc)", "listagg(distinct s, ', ' order by s desc)"),
    *("group_concat(s order by x desc nulls first, u)", "string_agg(s, null)", "first(s order by u)", "last(i order by u)"),
    *("mad(i)", "mad(x)", "mad(dc)", "mad(f)", "mad(distinct i)"),
    *("any_value(x order by u)", "first(x order by dc, u desc)"),
)
"""Aggregates that see all values of a group, or their order."""


def _table() -> pa.Table:
    rng = np.random.default_rng(20261128)

    def column(values: object, type_: pa.DataType | None = None) -> pa.Array:
        return pa.array(values, type_, mask=rng.random(ROWS) < 0.15)

    return pa.table(
        {
            "g": column(rng.integers(0, 12, ROWS)),
            "i": column(rng.integers(-100, 100, ROWS), pa.int16()),
            "b": column(rng.integers(-(2**62), 2**62, ROWS)),
            "x": column(10 + rng.normal(size=ROWS)),
            "y": column(rng.normal(size=ROWS)),
            "f": column((rng.integers(-999, 999, ROWS) / 8).astype(np.float32)),
            "dc": pa.array(rng.integers(-(10**6), 10**6, ROWS)).cast(pa.decimal128(19, 0)).cast(pa.decimal128(22, 2)),
            "s": column([f"w{v}" for v in rng.integers(0, 80, ROWS)]),
            "d": pa.array(rng.integers(0, 9000, ROWS), pa.int32()).cast(pa.date32()),
            "t": pa.array(rng.integers(0, 10**15, ROWS)).cast(pa.timestamp("us")),
            "o": pa.array(rng.random(ROWS) < 0.5),
            "u": rng.permutation(ROWS),
        }
    )


TABLE = _table()


@pytest.fixture(scope="module")
def reference() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.register("arrow", TABLE)
        connection.execute("create table n as from arrow")
        yield connection


@pytest.fixture(scope="module", params=[pytest.param(n, id=f"{n}-partitions") for n in (1, 2, 7)] + AT_MESHES[:1])
def session(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    if isinstance(request.param, str):
        with session_anywhere(request.param, request, partitions=2) as remote:
            remote.register("n", TABLE)
            yield remote
    else:
        with flightmesh.connect(config=Config(threads=2, partitions=request.param, morsel_rows=64)) as here:
            here.register("n", TABLE)
            yield here


SHAPES = ("all", "none", "groups", "pairs", "rows")


def _queries(calls: tuple[str, ...]) -> list[str]:
    listed = ", ".join(f"{c} as c{n}, {c} filter (where o) as f{n}" for n, c in enumerate(calls))
    return [
        f"select {listed} from n",
        f"select {listed} from n where u < 0",
        f"select g, {listed} from n group by g",
        f"select u % 300 as h, {listed} from n group by all",
        f"select u, {listed} from n group by u",
    ]


@pytest.mark.parametrize("text", _queries(MERGEABLE) + _queries(GATHERED), ids=[*SHAPES, *(f"gathered-{s}" for s in SHAPES)])
def test_aggregates_are_duckdbs(session: AnySession, reference: duckdb.DuckDBPyConnection, text: str) -> None:
    assert_same(session.sql(text).to_arrow(), duckdb_answer(reference, text), Order.FREE)


@pytest.mark.parametrize(
    "text",
    [
        "select g, stddev(distinct i) a, count(distinct i) b, max(i) c, corr(x, y) d, arg_max(s, u) e from n group by g",
        "select g, stddev(distinct i) a, count(distinct s) b, bit_xor(distinct b) c, covar_pop(x, y) d from n group by g",
        "select geomean(abs(y) + 0.5) a, geometric_mean(x) b from n",
        "select g, count(distinct (s, o)) a, count(distinct (g, s)) filter (where o) b, sum(i) c, count(*) d from n group by g",
        "select count(distinct (s, (i, o))) a, count(distinct row(o)) b, count(distinct o) c, count((s)) d from n where u < 40",
        "select count(distinct (s, o)) a, count(distinct row(g)) filter (where u > 9) b, sum(distinct i) c, median(x) d from n",
        "select g, count(distinct (s, o)) a, count(distinct s) b, avg(distinct i) c from n group by rollup (g)",
        "select g, count_if(distinct o) a, mad(distinct i) b, skewness(distinct i) c, avg(distinct dc) d from n group by g",
        "select arg_max(distinct s, u) a, max(distinct i) b, sum(distinct i) filter (where o) c, sum(distinct i) d from n",
        "select skewness(u * 0 + 3) a, kurtosis(u * 0) b, kurtosis_pop(u * 0) c, sem(u * 0) d, mad(u * 0) e from n",
        "select u, skewness(i) a, kurtosis(i) b, kurtosis_pop(i) c, sem(i) d, mad(i) e, fsum(i) f from n group by u",
        "select u // 3 h, skewness(i) a, kurtosis(i) b, kurtosis_pop(i) c, sem(i) d, mad(i) e, favg(i) f from n group by h",
        "select sum(case when u = 0 then 1e20 when u = 1 then -1e20 else 0.1 end) > 0 a, fsum(1e300 * u) b from n where u < 9",
        "select g, entropy(s) a, entropy(o) b, entropy(i) filter (where u < 0) c from n group by g",
        "select mode(u // 400) a, mode() within group (order by case when u < 400 then 'y' end) b, max(s) c from n",
        "select sum(x order by u) a, median(i order by u) b, median(x / 0) c, quantile_cont(b, 0.1 + 0.1) d from n where u > 3",
        "select count_if(o) a, any_value(o) is null b, bool_and(u >= 0) c, bool_or(u < 0) d from n",
        "select a.g, (select stddev(x) from n where n.g = a.g) v from n a",
        "select stddev(1e15 + x * 0) a, var_pop(i * 0 + 1e300) b, corr(i, 1) c, regr_r2(1, i) d, regr_slope(i, 2) e from n",
    ],
)
def test_aggregates_in_queries(session: AnySession, reference: duckdb.DuckDBPyConnection, text: str) -> None:
    assert_same(session.sql(text).to_arrow(), duckdb_answer(reference, text), Order.FREE)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("stddev(x / 0)", "a variance is out of range"),
        ("skewness(x / 0)", "out of range"),
        ("kurtosis(1e100 * u)", "a moment is out of range"),
        ("mad(s)", r"no aggregate mad\(VARCHAR\)"),
        ("count(distinct i, s)", r"not supported yet: count of several columns"),
        ("count(distinct (i, nope))", "nope"),
        ("count((i, nope))", "nope"),
        ("max(i, 2)", "the n greatest or smallest values"),
        ("arg_min(i, u, 3)", "the n greatest or smallest values"),
        ("histogram(i)", "the aggregate histogram"),
        ("bitstring_agg(i)", "the aggregate bitstring_agg"),
        ("bool_and(i)", r"no aggregate bool_and\(SMALLINT\)"),
        ("stddev(s)", r"no aggregate stddev\(VARCHAR\)"),
        ("bit_or(x)", r"no aggregate bit_or\(DOUBLE\)"),
        ("geomean(i)", "logarithm"),
        ("quantile_cont(x, 1.5)", "the fraction of quantile_cont is from -1 to 1"),
        ("quantile_cont(x, y)", "the fraction of quantile_cont is a constant"),
        ("quantile_cont(s, 0.5)", r"no aggregate quantile_cont\(VARCHAR, DECIMAL\(1,1\)\)"),
        ("quantile_cont(x, null)", "no aggregate quantile_cont"),
        ("median(dc * 100000000000000)", "a quantile of decimals of more than 18 digits"),
        ("string_agg(s, s)", "the separator of string_agg is a constant"),
        ("string_agg(distinct s, ',' order by u)", "ORDER BY in a DISTINCT aggregate is by its argument"),
        ("max() within group (order by x)", "WITHIN GROUP"),
        ("percentile_cont(0.5) within group (order by x, y)", "WITHIN GROUP orders by the one column"),
    ],
)
def test_what_an_aggregate_refuses(call: str, message: str) -> None:
    with flightmesh.connect(threads=1) as session:
        session.register("n", TABLE)
        with pytest.raises(FlightmeshError, match=message):
            session.sql(f"select {call} from n").to_arrow()


def test_distinct_values_are_counted_no_worse_than_asked() -> None:
    with flightmesh.connect(threads=1) as session:
        session.register("n", TABLE)
        same = "select g from n group by g having approx_count_distinct(i) <> count(distinct i)"  # fewer than 511 each
        assert session.sql(same).to_arrow().num_rows == 0
        one = session.sql("select approx_count_distinct(s) filter (where u < 0) a, approx_count_distinct(u) b from n")
        assert one.to_arrow().to_pylist() == [{"a": 0, "b": pytest.approx(ROWS, rel=0.05)}]


def test_first_and_last_leave_out_what_filter_does() -> None:
    table = pa.table({"v": [None, 1, 2, None, 3, None], "w": [False, True, True, True, True, False]})
    with flightmesh.connect(threads=1) as session:
        session.register("r", table)
        answer = session.sql(
            "select first(v) filter (where w) a, last(v) filter (where w) b, last(v) c, last(v) filter (v > 9) d from r"
        )
        assert answer.to_arrow().to_pylist() == [{"a": 1, "b": 3, "c": None, "d": None}]


def test_an_order_from_the_end_and_sql_listagg() -> None:
    with flightmesh.connect(threads=1) as session:
        session.register("r", pa.table({"v": [3, 1, None, 2, 2]}))
        answer = session.sql(
            "select percentile_disc(0) within group (order by v desc) a, listagg(v, ';') within group (order by v) b,"
            " mode(v) c, mode(v) filter (where v <> 2) d, approx_quantile(v, 0.5) e from r"
        )
        assert answer.to_arrow().to_pylist() == [{"a": 3, "b": "1;2;2;3", "c": 2, "d": 1, "e": 2}]
