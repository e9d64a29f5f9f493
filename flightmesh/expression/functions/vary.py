"""Kernels whose options pyarrow wants as constants, run also where they are columns; and kernels over distinct values.

Handed the arguments of a call, hands on its result. What always holds: options that are literals (nearly always) cost nothing;
options that are columns cost one kernel call for each distinct combination in the batch, not one a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.expression.arrays import broadcast, null_of, one_array, scattered, valid_mask
from flightmesh.expression.functions.declare import Datum, Kernel, Request

Compute = Callable[..., Any]
"""compute(varying arguments..., constants as Python values...) -> array or scalar."""


def with_constants(varying: int, compute: Compute) -> Kernel:
    """A kernel whose first `varying` arguments are arrays and whose others `compute` takes as Python values."""

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        options = args[varying:]
        if any(isinstance(arg, pa.Scalar) and not arg.is_valid for arg in args):
            return null_of(request.type)
        if all(isinstance(option, pa.Scalar) for option in options):
            return _once(compute, args[:varying], [option.as_py() for option in options], request)
        return _grouped(compute, args, varying, request)

    return kernel


def _once(compute: Compute, arrays: Sequence[Datum], options: Sequence[Any], request: Request) -> Datum:
    if arrays and all(isinstance(a, pa.Scalar) for a in arrays):
        single = [pa.array([a], a.type) for a in arrays]
        return _typed(compute(*single, *options), request)[0]
    return _typed(compute(*(broadcast(a, request.rows) for a in arrays), *options), request)


def _typed(result: Any, request: Request) -> Any:
    result = one_array(result)
    return result if result.type == request.type else result.cast(request.type)


def _grouped(compute: Compute, args: tuple[Datum, ...], varying: int, request: Request) -> pa.Array:
    whole = [broadcast(arg, request.rows) for arg in args]
    valid = np.ones(request.rows, np.bool_)
    for array in whole:
        valid &= valid_mask(array)
    parts: list[tuple[npt.NDArray[np.int64], pa.Array]] = []
    missing = np.flatnonzero(~valid)
    if len(missing):
        parts.append((missing, pa.nulls(len(missing), request.type)))
    for rows in distinct_groups(whole[varying:], np.flatnonzero(valid)):
        options = [array[int(rows[0])].as_py() for array in whole[varying:]]
        taken = [array.take(pa.array(rows)) for array in whole[:varying]]
        parts.append((rows, broadcast(_typed(compute(*taken, *options), request), len(rows))))
    return scattered(parts, request.rows, request.type)


def distinct_groups(columns: Sequence[pa.Array], rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """The row numbers `rows` grouped by equal values in `columns`."""
    if len(rows) == 0:
        return []
    code = np.zeros(len(rows), np.int64)
    for column in columns:
        encoded = column.take(pa.array(rows)).dictionary_encode()
        code = code * len(encoded.dictionary) + np.asarray(encoded.indices)
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return np.split(rows[order], starts[1:])


def per_distinct(function: Callable[..., Any]) -> Kernel:
    """A kernel for what no array kernel computes: `function` of Python values, once for each distinct combination in the
    batch.
    """

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        if any(isinstance(arg, pa.Scalar) and not arg.is_valid for arg in args):
            return null_of(request.type)
        if args and all(isinstance(arg, pa.Scalar) for arg in args):
            return pa.scalar(function(*(arg.as_py() for arg in args)), request.type)
        return _mapped(function, args, request)

    return kernel


def _mapped(function: Callable[..., Any], args: tuple[Datum, ...], request: Request) -> pa.Array:
    arrays = [arg for arg in args if isinstance(arg, pa.Array)]
    valid = np.ones(request.rows, np.bool_)
    for array in arrays:
        valid &= valid_mask(array)
    code = np.zeros(request.rows, np.int64)
    tables: list[tuple[int, list[Any]]] = []
    for array in arrays:
        encoded = array.dictionary_encode()
        indices = np.asarray(encoded.indices.fill_null(0)) if encoded.indices.null_count else np.asarray(encoded.indices)
        values = encoded.dictionary.to_pylist() or [None]
        code = code * len(values) + indices
        tables.append((len(values), values))
    kept = np.flatnonzero(valid)
    order = kept[np.argsort(code[kept], kind="stable")]
    ordered = code[order]
    first = np.concatenate(([True], ordered[1:] != ordered[:-1])) if len(order) else np.zeros(0, np.bool_)
    results = [function(*_decoded(int(c), args, tables)) for c in ordered[first]]
    place = np.zeros(request.rows, np.int64)
    place[order] = np.cumsum(first) - 1
    if not results:
        return pa.nulls(request.rows, request.type)
    return pa.array(results, request.type).take(pa.array(place, mask=~valid))


def _decoded(code: int, args: tuple[Datum, ...], tables: Sequence[tuple[int, list[Any]]]) -> list[Any]:
    digits = []
    for size, values in reversed(tables):
        code, digit = divmod(code, size)
        digits.append(values[digit])
    varying = iter(reversed(digits))
    return [arg.as_py() if isinstance(arg, pa.Scalar) else next(varying) for arg in args]
