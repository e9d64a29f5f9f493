"""Asks both engines the same random questions: a chunk of seeds over the same tables, in one session.

Handed a kind of queries and a seed; hands on whether DuckDB answered, and fails, naming the seed, if the answers differ.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import flightmesh
from flightmesh.config import Config
from tests.compare import Order, assert_same, duckdb_answer
from tests.meshes import AnySession
from tests.random.tables import random_tables

CHUNK = 50
"""Queries over the same tables."""
PARTITIONS = (1, 2, 3, 7)
_CANCELLED = 1e-13


@dataclass(frozen=True, slots=True)
class Query:
    """What this engine is asked, whether the order of the rows counts, and what DuckDB is asked if not the same."""

    ours: str
    order: Order = Order.FREE
    duckdb: str | None = None

    @property
    def theirs(self) -> str:
        """What DuckDB is asked."""
        return self.ours if self.duckdb is None else self.duckdb


@dataclass(frozen=True, slots=True)
class Kind:
    """Queries of one kind: `cases` of them run in CI, `more` if asked for.

    `numbering` names a column of different numbers that the tables have for them. DuckDB may refuse a share of `refused`.
    Where it fails on a value (the variance of NaN, a distance below 0) this engine must fail too, if `fails_alike`.
    """

    name: str
    make: Callable[[random.Random], Query]
    cases: int
    more: int
    numbering: str | None = None
    refused: float = 0.04
    fails_alike: bool = False
    tables: Callable[[random.Random], dict[str, pa.Table]] = random_tables

    def query(self, seed: int) -> Query:
        """The query of a seed."""
        return self.make(random.Random(seed))


@dataclass(frozen=True, slots=True)
class Engines:
    """Both engines over the same tables."""

    session: AnySession
    duck: duckdb.DuckDBPyConnection


@contextmanager
def embedded(kind: Kind, chunk: int) -> Iterator[Engines]:
    """Both engines over the tables of a chunk of seeds; mostly few rows a morsel, so that there are several."""
    config = Config(threads=2, partitions=PARTITIONS[chunk % len(PARTITIONS)], morsel_rows=32 if chunk % 3 else 131_072)
    with flightmesh.connect(config=config) as session, beside_duckdb(session, kind, chunk) as both:
        yield both


@contextmanager
def beside_duckdb(session: AnySession, kind: Kind, chunk: int) -> Iterator[Engines]:
    """A session and DuckDB over the tables of a chunk of seeds."""
    with duckdb.connect(config={"threads": 1}) as duck:
        duck.execute("set timezone = 'UTC'")
        # Its rewriting of `date_trunc(..) <> constant` keeps rows where the column is NULL (DuckDB 1.5.5; right without it).
        duck.execute("set disabled_optimizers = 'expression_rewriter'")
        for name, table in kind.tables(random.Random(chunk)).items():
            if kind.numbering is not None:
                numbers = pa.array(np.random.default_rng(chunk).permutation(table.num_rows))
                table = table.append_column(kind.numbering, numbers)
            # Into DuckDB's own storage: over Arrow data it filters by other rules for NaN and -0.0.
            duck.register("incoming", table)
            duck.execute(f"create table {name} as select * from incoming")
            duck.unregister("incoming")
            session.register(name, table)
        yield Engines(session, duck)


def check(kind: Kind, seed: int, both: Engines) -> bool:
    """Runs the query of a seed in both engines; false when DuckDB refuses it. Fails, naming the seed, if answers differ."""
    query = kind.query(seed)
    try:
        expected = duckdb_answer(both.duck, query.theirs)
    except duckdb.OutOfRangeException as refused:
        if kind.fails_alike:
            _assert_refused(kind, seed, both, refused)
        return kind.fails_alike
    except duckdb.Error:
        return False
    try:
        assert_same(_cancelled(both.session.sql(query.ours).to_arrow()), _cancelled(expected), query.order)
    except (AssertionError, flightmesh.FlightmeshError) as error:
        raise AssertionError(_told(kind, seed, str(error))) from None
    return True


def _cancelled(answer: pa.Table) -> pa.Table:
    """Floats next to 0 as 0: where the terms of a sum cancel, rounding leaves what depends on their order.

    The tables hold no number so small, and sums of theirs are off by less.
    """
    for place, column in enumerate(answer.columns):
        if pa.types.is_float64(column.type):
            near = pc.less(pc.abs(column), _CANCELLED)
            answer = answer.set_column(place, answer.field(place), pc.if_else(near, 0.0, column))
    return answer


def check_chunk(kind: Kind, chunk: int, both: Engines) -> None:
    """Runs a chunk of seeds; DuckDB may refuse a few."""
    refused = sum(not check(kind, seed, both) for seed in seeds(chunk))
    assert refused <= max(2, CHUNK * kind.refused), f"DuckDB refused {refused}"


def seeds(chunk: int) -> range:
    """Those of a chunk."""
    return range(chunk * CHUNK, (chunk + 1) * CHUNK)


def _assert_refused(kind: Kind, seed: int, both: Engines, refused: duckdb.Error) -> None:
    try:
        answer = both.session.sql(kind.query(seed).ours).to_arrow()
    except flightmesh.FlightmeshError:
        return
    raise AssertionError(_told(kind, seed, f"{refused}, but {answer}"))


def _told(kind: Kind, seed: int, wrong: str) -> str:
    query = kind.query(seed)
    other = "" if query.duckdb is None else f"\n\nDuckDB: {query.duckdb}"
    return f"seed {seed}: {wrong}\n\n{query.ours}{other}\n\nagain: python -m tests.random {kind.name} {seed}"
