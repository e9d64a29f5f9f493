"""Conditional functions: coalesce, ifnull, nullif, if, greatest, least.

The lowered program evaluates arguments of `coalesce` that may fail only on the rows that reach them; `if` is bound as a CASE.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.arrays import null_of
from flightmesh.expression.casts import cast_datum
from flightmesh.expression.functions.comparison import compare
from flightmesh.expression.functions.declare import Binding, Datum, Nulls, Request, ScalarFunction
from flightmesh.expression.nodes import CastMode, Expression
from flightmesh.expression.signatures import comparison_type, shared_type
from flightmesh.expression.types import Family, family, sql_type_name


def _shared(args: Sequence[Expression]) -> Binding | None:
    shared = shared_type(args) if args else None
    if shared is None:
        return None
    if family(shared) is Family.NULL:
        shared = pa.int32()
    return Binding((shared,) * len(args), shared)


def _two_shared(args: Sequence[Expression]) -> Binding | None:
    return _shared(args) if len(args) == 2 else None


def _if_rule(args: Sequence[Expression]) -> Binding | None:
    return None


def _nullif_rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2:
        return None
    shared = comparison_type(args[0], args[1])
    if shared is None:
        return None
    first = pa.int32() if family(args[0].type) is Family.NULL else args[0].type
    if family(shared) is Family.NULL:
        shared = pa.int32()
    return Binding((first, shared), first)


def _coalesce(args: tuple[Datum, ...], request: Request) -> Datum:
    return args[0] if len(args) == 1 else pc.coalesce(*args)


def _nullif(args: tuple[Datum, ...], request: Request) -> Datum:
    same = compare("equal", cast_datum(args[0], args[1].type, CastMode.STRICT), args[1])
    return pc.if_else(pc.coalesce(same, pa.scalar(False)), null_of(request.type), args[0])


def _extreme(comparison: str) -> Any:
    """The largest or smallest argument, skipping NULLs; NaN is the largest."""

    def pick(left: Datum, right: Datum) -> Datum:
        better = pc.coalesce(compare(comparison, right, left), pc.is_null(left))
        return pc.if_else(better, right, left)

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        return reduce(pick, args)

    return kernel


def _typeof_rule(args: Sequence[Expression]) -> Binding | None:
    return Binding((args[0].type,), pa.string()) if len(args) == 1 else None


def _typeof(args: tuple[Datum, ...], request: Request) -> Datum:
    return pa.scalar(sql_type_name(args[0].type))


FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("coalesce", "The first argument that is not NULL.", "conditional", _shared, _coalesce,
                   ("coalesce(any, ...) -> any",),
                   nulls=Nulls.OWN),
    ScalarFunction("ifnull", "The first argument, or the second where it is NULL.", "conditional", _two_shared, _coalesce,
                   ("ifnull(any, any) -> any",), ("nvl",), nulls=Nulls.OWN),
    ScalarFunction("nullif", "The first argument, or NULL where it equals the second.", "conditional", _nullif_rule, _nullif,
                   ("nullif(any, any) -> any",), nulls=Nulls.OWN),
    ScalarFunction("if", "The second argument where the first is true, else the third.", "conditional", _if_rule, _coalesce,
                   ("if(BOOLEAN, any, any) -> any",), ("iff",), nulls=Nulls.OWN),
    ScalarFunction("greatest", "The largest argument that is not NULL; NaN is the largest.", "conditional", _shared,
                   _extreme("greater"),
                   ("greatest(any, ...) -> any",), nulls=Nulls.OWN),
    ScalarFunction("least", "The smallest argument that is not NULL; NaN is the largest.", "conditional", _shared,
                   _extreme("less"),
                   ("least(any, ...) -> any",), nulls=Nulls.OWN),
    ScalarFunction("typeof", "The SQL name of the argument's type.", "conditional", _typeof_rule, _typeof,
                   ("typeof(any) -> VARCHAR",),
                   nulls=Nulls.OWN),
)  # fmt: skip
