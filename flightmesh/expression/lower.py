"""Expressions as programs over arrays: compiled once, run a morsel at a time.

Handed typed expressions; hands on a `Program` whose `run` takes a record batch with columns named `c<id>` and gives one array
an expression. What always holds:

* A sub-expression that stands in several places is computed once; literals stay scalars until the program's output.
* Python runs per step and batch, never per row.
* An operand of AND or OR, an arm of CASE, an argument of coalesce that may fail is computed only on the rows that reach it.
* Integer and decimal arithmetic is checked: a value that does not fit is a DataError that names the expression and its
position. * Floats follow DuckDB: NaN equals NaN and is greater than every other value, -0.0 equals 0.0; both are kept as they
are in results.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError
from flightmesh.expression.arrays import broadcast
from flightmesh.expression.compiler import compile_block
from flightmesh.expression.functions.declare import Datum
from flightmesh.expression.headroom import with_headroom
from flightmesh.expression.nodes import Expression, Literal, conjunction, require_boolean
from flightmesh.expression.steps import Block, Frame


@dataclass(frozen=True, slots=True)
class Program:
    """Compiled expressions. Immutable and shared by threads: each run has its own registers."""

    block: Block
    types: tuple[pa.DataType, ...]

    def run(self, batch: pa.RecordBatch, short: Collection[int] = ()) -> list[pa.Array]:
        """One array of `len(batch)` values for each expression, of exactly its type; the decimals of those with the numbers
        `short` perhaps as decimal64. Raises DataError."""
        rows = batch.num_rows
        return [broadcast(datum, rows) for datum in self.block.run(Frame(batch, rows), short=short)]

    def run_datums(self, batch: pa.RecordBatch) -> list[Datum]:
        """As `run`, with constants left as scalars."""
        return self.block.run(Frame(batch, batch.num_rows))


def compile_expressions(exprs: Sequence[Expression]) -> Program:
    """The program that computes all of `exprs`, sharing what they have in common."""
    return Program(with_headroom(lambda: compile_block(exprs)), tuple(expr.type for expr in exprs))


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled predicate."""

    program: Program

    def run(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows where the predicate is true (not where it is NULL), in order."""
        mask = self.mask(batch)
        if isinstance(mask, pa.Scalar):
            return batch if mask.is_valid and mask.as_py() else batch.slice(0, 0)
        kept = mask.true_count
        if kept == batch.num_rows:
            return batch
        return batch.filter(mask) if kept else batch.slice(0, 0)

    def mask(self, batch: pa.RecordBatch) -> Datum:
        """The predicate's values."""
        return self.program.run_datums(batch)[0]


def compile_filter(expr: Expression) -> Filter:
    """The filter that keeps the rows where `expr` is true."""
    require_boolean(expr, "a filter")
    return Filter(compile_expressions((expr,)))


def compile_filters(exprs: Iterable[Expression]) -> Filter:
    """The filter that keeps the rows where all of `exprs` are true."""
    return compile_filter(conjunction(tuple(exprs)) or Literal(pa.scalar(True)))


_NOTHING = pa.RecordBatch.from_arrays([pa.nulls(1)], names=["nothing"])


def evaluate_constant(expr: Expression) -> Literal:
    """The value of an expression without columns. Raises DataError as running it would."""
    datum = compile_expressions((expr,)).run_datums(_NOTHING)[0]
    value = datum if isinstance(datum, pa.Scalar) else datum[0]
    if value.type != expr.type:
        raise InternalError(f"a constant of type {expr.type} came out as {value.type}")
    return Literal(value)
