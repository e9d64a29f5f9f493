"""Lists made of values, and the keys that lists are compared by.

Kernels take arrays apart into their elements and where each list begins (`expression.lists`) and work on the elements of all
lists at once. A NULL list gives NULL unless a function says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.expression.arrays import broadcast
from flightmesh.expression.functions.declare import Binding, Datum, Nulls, Request, ScalarFunction
from flightmesh.expression.listkeys import list_keys
from flightmesh.expression.lists import put_together
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


def is_list(arg: Expression) -> bool:
    """Whether an argument is a list, or a NULL that may be one."""
    return family(arg.type) in (Family.LIST, Family.NULL)


def _one_list(args: Sequence[Expression]) -> Binding | None:
    return Binding((args[0].type,), pa.binary()) if len(args) == 1 and family(args[0].type) is Family.LIST else None


def _list_key(args: tuple[Datum, ...], request: Request) -> Datum:
    return list_keys(args[0])


FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("list_value", "A list of the arguments, as `[a, b]`.", "list", _values, _list_value,
                   ("list_value(any, ...) -> any[]",), ("list_pack",), nulls=Nulls.OWN),
    ScalarFunction("list_key", "Bytes that are equal, and order, as the lists do.", "list", _one_list, _list_key,
                   ("list_key(any[]) -> BLOB",)),
)  # fmt: skip
