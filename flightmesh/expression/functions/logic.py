"""AND, OR, NOT in three-valued logic.

`and` and `or` take any number of operands. The lowered program evaluates them left to right and an operand that may fail only
on the rows that the operands before it leave open; the kernels here combine operands that are already there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.functions.declare import Binding, Datum, Nulls, Request, ScalarFunction
from flightmesh.expression.nodes import Expression
from flightmesh.expression.types import Family, family

_BOOL = pa.bool_()
_ACCEPTED = (Family.BOOLEAN, Family.NULL, Family.INTEGER)


def _all_boolean(args: Sequence[Expression]) -> Binding | None:
    if not args or any(family(arg.type) not in _ACCEPTED for arg in args):
        return None
    return Binding((_BOOL,) * len(args), _BOOL)


def _one_boolean(args: Sequence[Expression]) -> Binding | None:
    return _all_boolean(args) if len(args) == 1 else None


def _and(args: tuple[Datum, ...], request: Request) -> Datum:
    return reduce(pc.and_kleene, args)


def _or(args: tuple[Datum, ...], request: Request) -> Datum:
    return reduce(pc.or_kleene, args)


def _not(args: tuple[Datum, ...], request: Request) -> Datum:
    return pc.invert(args[0])


FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("and", "True when all are true, false when any is false, else NULL.", "logic", _all_boolean, _and,
                   ("BOOLEAN AND BOOLEAN ...",), nulls=Nulls.OWN, operator="AND"),
    ScalarFunction("or", "True when any is true, false when all are false, else NULL.", "logic", _all_boolean, _or,
                   ("BOOLEAN OR BOOLEAN ...",), nulls=Nulls.OWN, operator="OR"),
    ScalarFunction("not", "False for true, true for false, NULL for NULL.", "logic", _one_boolean, _not, ("NOT BOOLEAN",)),
)  # fmt: skip
