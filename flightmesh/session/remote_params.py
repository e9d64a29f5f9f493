"""Values of parameters as they cross to a driver: one record batch of one row, as an Arrow IPC stream.

Handed what the caller gave, a mapping of names or a sequence; hands on bytes. What always holds: columns are named for the
parameters, `$1`, `$2`, ... for those of a sequence; a value keeps its type and never becomes text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from flightmesh.errors import InvalidQuery, with_article

_KINDS = "values are None, bool, int, float, Decimal, str, bytes, date, datetime, time or timedelta"
_INT64 = 1 << 63


def pack_params(params: Mapping[str, Any] | Sequence[Any] | None) -> bytes | None:
    """The bytes of `params`; None where there are none. Raises InvalidQuery for a value of no SQL type."""
    if params is None or (not isinstance(params, str | bytes) and len(params) == 0):
        return None
    if isinstance(params, Mapping):
        named = {str(name).lstrip(":$@"): value for name, value in params.items()}
    elif isinstance(params, Sequence) and not isinstance(params, str | bytes):
        named = {f"${number}": value for number, value in enumerate(params, 1)}
    else:
        hint = 'for instance params={"floor": 1000}'
        raise InvalidQuery("params must be a mapping of names or a list of values", hint=hint)
    columns = [_array(name.lstrip("$"), value) for name, value in named.items()]
    batch = pa.RecordBatch.from_arrays(columns, names=list(named))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _array(name: str, value: Any) -> pa.Array:
    if isinstance(value, pa.Scalar):
        return pa.array([value.as_py()], value.type)
    if isinstance(value, int) and not isinstance(value, bool) and not -_INT64 <= value < _INT64:
        value = Decimal(value)
    try:
        return pa.array([value])
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError, OverflowError) as error:
        if isinstance(value, Decimal):
            hint = "for a DOUBLE, give a float"
            raise InvalidQuery(f"the parameter {name!r}: a decimal has at most 38 digits", hint=hint) from None
        reason = f"the parameter {name!r} is {with_article(type(value).__name__)}, which has no SQL type"
        raise InvalidQuery(reason, hint=_KINDS) from error
