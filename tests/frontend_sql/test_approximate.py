"""approx_count_distinct and approx_quantile over every type: the same answers at any number of tasks, and close to exact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config
from flightmesh.errors import InvalidQuery
from tests.meshes import AT_MESHES, session_anywhere

ROWS = 20_000
TYPES = ("g", "i", "b", "u64", "x", "f", "dc", "wide", "s", "d", "t", "tm", "o", "n")
IN_ORDER = tuple(name for name in TYPES if name not in ("s", "o"))


def _table() -> pa.Table:
    rng = np.random.default_rng(77)

    def column(values: object, type_: pa.DataType | None = None) -> pa.Array:
        return pa.array(values, type_, mask=rng.random(ROWS) < 0.1)

    return pa.table(
        {
            "g": rng.integers(0, 5, ROWS),
            "i": column(rng.integers(0, 10**6, ROWS), pa.int32()),
            "b": column(rng.integers(-(2**62), 2**62, ROWS)),
            "u64": column(np.full(ROWS, 2**64 - 1, np.uint64)),
            "x": column(rng.normal(size=ROWS)),
            "f": column(rng.normal(size=ROWS).astype(np.float32)),
            "dc": pa.array(rng.integers(-(10**7), 10**7, ROWS)).cast(pa.decimal128(19, 0)).cast(pa.decimal128(22, 2)),
            "wide": pa.array(rng.integers(-250, 250, ROWS)).cast(pa.decimal128(38, 0)),
            "s": column([f"w{v}" for v in rng.integers(0, 4000, ROWS)]),
            "d": column(rng.integers(0, 9000, ROWS).astype("datetime64[D]")),
            "t": column(rng.integers(0, 10**15, ROWS).astype("datetime64[us]")),
            "tm": pa.array(rng.integers(0, 86_400 * 10**6, ROWS)).cast(pa.time64("us")),
            "o": column(rng.random(ROWS) < 0.5),
            "n": pa.nulls(ROWS),
            "k": rng.permutation(ROWS),
        }
    )


TABLE = _table()
CALLS = (
    *(f"approx_count_distinct({name})" for name in TYPES),
    *(f"approx_quantile({name}, {f})" for name in IN_ORDER for f in (0, 0.3, 1)),
    *("approx_quantile(x, 0.9) filter (where o)", "approx_count_distinct(s) filter (where g = 2)"),
    *("approx_quantile(distinct wide, 0.5)", "approx_count_distinct(distinct i)", "approx_count_distinct(x / 0)"),
)
QUERIES = tuple(
    f"select {keys}{', '.join(f'{call} as c{n}' for n, call in enumerate(CALLS))} from n {rest}"
    for keys, rest in (
        ("", ""),
        ("", "where k < 0"),
        ("g, ", "group by g order by g"),
        ("g, ", "group by rollup (g) order by g"),
        ("k % 3000 as h, ", "group by all order by h"),
    )
)


@pytest.fixture(scope="module")
def alone() -> Iterator[dict[str, pa.Table]]:
    """The answers of one task."""
    with flightmesh.connect(config=Config(threads=1, partitions=1)) as session:
        session.register("n", TABLE)
        yield {text: session.sql(text).to_arrow() for text in QUERIES}


@pytest.mark.parametrize("where", [2, 7, *AT_MESHES[:1]])
def test_answers_do_not_depend_on_the_tasks(
    where: int | str, alone: dict[str, pa.Table], request: pytest.FixtureRequest
) -> None:
    if isinstance(where, str):
        with session_anywhere(where, request) as session:
            session.register("n", TABLE)
            found = {text: session.sql(text).to_arrow() for text in QUERIES[1:4]}
    else:
        with flightmesh.connect(config=Config(threads=2, partitions=where, morsel_rows=1 << 10)) as here:
            here.register("n", TABLE)
            found = {text: here.sql(text).to_arrow() for text in QUERIES}
    for text in found:
        assert found[text].equals(alone[text]), text


def test_answers_are_close_and_for_few_values_exact(alone: dict[str, pa.Table]) -> None:
    with flightmesh.connect(threads=2) as session:
        session.register("n", TABLE)
        exact = [call.replace("approx_quantile", "quantile_disc") for call in CALLS]
        exact = [f"count(distinct {c[22:]}" if c.startswith("approx_count_distinct(") else c for c in exact]
        exact = [c.replace("distinct distinct", "distinct") for c in exact]
        for text, shape in zip((QUERIES[2], QUERIES[4]), ("all", "few"), strict=True):
            query = text
            for number, (rough, sure) in enumerate(zip(CALLS, exact, strict=True)):
                query = query.replace(f"{rough} as c{number}", f"{sure} as c{number}")
            right = session.sql(query).to_arrow()
            for number, call in enumerate(CALLS):
                ours, theirs = (table.column(f"c{number}") for table in (alone[text], right))
                if pa.types.is_temporal(ours.type):
                    ours, theirs = (c.cast(theirs.type).cast(f"int{theirs.type.bit_width}") for c in (ours, theirs))
                mine, sure_values = (c.cast(pa.float64(), safe=False).to_numpy() for c in (ours, theirs))
                share = 0.0 if shape == "few" or "wide" in call else 0.07
                assert mine == pytest.approx(sure_values, rel=share, abs=share * 0.05, nan_ok=True), call


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("approx_quantile(x, -0.5)", "the fraction of approx_quantile is from 0 to 1"),
        ("approx_quantile(x, x)", "the fraction of approx_quantile is a constant"),
        ("approx_quantile(s, 0.5)", r"no aggregate approx_quantile\(VARCHAR"),
        ("reservoir_quantile(x, 0.5)", "reservoir_quantile"),
        ("approx_top_k(x, 3)", "approx_top_k"),
    ],
)
def test_what_is_refused(call: str, message: str) -> None:
    with flightmesh.connect(threads=1) as session:
        session.register("n", TABLE)
        with pytest.raises(InvalidQuery, match=message):
            session.sql(f"select {call} from n").to_arrow()
