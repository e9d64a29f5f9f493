"""Functions that the planner calls to make results of sketches. Their names have spaces, so that no query can call them.

Handed sketches (large binary values), a fraction and a NULL of the wanted type; hands on counts or values of that type.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.expression.functions.declare import Binding, Datum, Nulls, Request, ScalarFunction
from flightmesh.expression.nodes import Expression
from flightmesh.sketches.distinct import counts_of_sketches
from flightmesh.sketches.quantiles import quantiles_of_sketches

COUNT = "count of a sketch"
QUANTILE = "quantile of a sketch"

_SKETCH = pa.large_binary()


def _count_rule(args: Sequence[Expression]) -> Binding | None:
    return Binding((_SKETCH,), pa.int64()) if [arg.type for arg in args] == [_SKETCH] else None


def _quantile_rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 3 or args[0].type != _SKETCH:
        return None
    return Binding((_SKETCH, pa.float64(), args[2].type), args[2].type)


def _count(args: tuple[Datum, ...], request: Request) -> Datum:
    if isinstance(args[0], pa.Scalar):
        return counts_of_sketches(pa.array([args[0]], _SKETCH))[0]
    return counts_of_sketches(args[0])


def _quantile(args: tuple[Datum, ...], request: Request) -> Datum:
    sketches = pa.array([args[0]], _SKETCH) if isinstance(args[0], pa.Scalar) else args[0]
    fraction = args[1] if isinstance(args[1], pa.Scalar) else args[1][0]
    found = _as_type(quantiles_of_sketches(sketches, fraction.as_py()), request.type)
    return found[0] if isinstance(args[0], pa.Scalar) else found


def _as_type(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Doubles as the type whose values they stand for; rounding does not take them out of its range."""
    if pa.types.is_floating(kind):
        return values.cast(kind)
    numbers, null = values.fill_null(0.0).to_numpy(), values.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_decimal(kind):
        bound = float(np.nextafter(10.0 ** (kind.precision - kind.scale), 0))
        return pa.array(np.clip(numbers, -bound, bound), mask=null).cast(kind)
    width = np.dtype(kind.to_pandas_dtype()) if pa.types.is_integer(kind) else np.dtype(f"i{kind.bit_width // 8}")
    return pa.array(_whole(np.rint(numbers), width), mask=null).view(kind)


def _whole(numbers: np.ndarray[tuple[int], np.dtype[np.float64]], width: np.dtype[np.integer]) -> object:
    info = np.iinfo(width)
    with np.errstate(invalid="ignore"):
        made = numbers.astype(width)
    made[numbers >= float(info.max)] = info.max
    made[numbers <= float(info.min)] = info.min
    return made


FUNCTIONS = (
    ScalarFunction(COUNT, "What a sketch of distinct values counts.", "internal", _count_rule, _count, nulls=Nulls.OWN),
    ScalarFunction(QUANTILE, "A quantile of a sketch of values.", "internal", _quantile_rule, _quantile, nulls=Nulls.OWN),
)
