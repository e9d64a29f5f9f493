"""Lists made of values, and the keys that lists are compared by.

Kernels take arrays apart into their elements and where each list begins (`expression.lists`) and work on the elements of all
lists at once. A NULL list gives NULL unless a function says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from flightmesh.expression.arrays import broadcast
from flightmesh.expression.functions.declare import Binding, Datum, Kernel, Nulls, Request, ScalarFunction
from flightmesh.expression.listkeys import list_keys
from flightmesh.expression.lists import put_together, taken_apart
from flightmesh.expression.nodes import Expression
from flightmesh.expression.signatures import shared_type
from flightmesh.expression.types import Family, family


def _values(args: Sequence[Expression]) -> Binding | None:
    shared = shared_type(args) if args else pa.null()
    return None if shared is None or family(shared) is Family.OTHER else Binding((shared,) * len(args), pa.list_(shared))


def _list_value(args: tuple[Datum, ...], request: Request) -> Datum:
    if all(isinstance(arg, pa.Scalar) for arg in args):
        values = [broadcast(arg, 1) for arg in args] or [pa.nulls(0, request.type.value_type)]
        return put_together(np.array([0, len(args)]), pa.concat_arrays(values))[0]
    arrays = [broadcast(arg, request.rows) for arg in args]
    count, rows = len(arrays), request.rows
    place = (np.arange(count) * rows)[None, :] + np.arange(rows)[:, None]
    values = pa.concat_arrays(arrays).take(pa.array(place.reshape(-1)))
    return put_together(np.arange(rows + 1) * count, values)


def over_lists(function: Callable[[pa.Array], pa.Array]) -> Kernel:
    """A kernel of one list array as one of arrays and scalars."""

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        if isinstance(args[0], pa.Scalar):
            return function(pa.repeat(args[0], 1))[0]
        return function(args[0])

    return kernel


def is_list(arg: Expression) -> bool:
    """Whether an argument is a list, or a NULL that may be one."""
    return family(arg.type) in (Family.LIST, Family.NULL)


def _one_list(args: Sequence[Expression]) -> Binding | None:
    return Binding((args[0].type,), pa.binary()) if len(args) == 1 and family(args[0].type) is Family.LIST else None


def _list_key(args: tuple[Datum, ...], request: Request) -> Datum:
    return list_keys(args[0])


def _lists_of_lists(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1 or not is_list(args[0]):
        return None
    if family(args[0].type) is Family.NULL:
        return Binding((pa.list_(pa.list_(pa.null())),), pa.list_(pa.null()))
    inner = args[0].type.value_type
    if family(inner) is Family.NULL:
        return Binding((pa.list_(args[0].type),), args[0].type)
    return Binding((args[0].type,), inner) if family(inner) is Family.LIST else None


def _flatten(array: pa.Array) -> pa.Array:
    outer = taken_apart(array)
    inner = taken_apart(outer.values)
    return put_together(inner.offsets[outer.offsets], inner.values, outer.valid)


FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("list_value", "A list of the arguments, as `[a, b]`.", "list", _values, _list_value,
                   ("list_value(any, ...) -> any[]",), ("list_pack",), nulls=Nulls.OWN),
    ScalarFunction("flatten", "The elements of a list's lists, one after the other; NULLs among them are left out.", "list",
                   _lists_of_lists, over_lists(_flatten), ("flatten(any[][]) -> any[]",)),
    ScalarFunction("list_key", "Bytes that are equal, and order, as the lists do.", "list", _one_list, _list_key,
                   ("list_key(any[]) -> BLOB",)),
)  # fmt: skip
