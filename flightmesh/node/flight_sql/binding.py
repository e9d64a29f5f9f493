"""Values for the parameters of a prepared statement, from the rows of a put.

Handed the names of the parameters and a stream of one row; hands on a value for each. What always holds: values keep the types
of their columns; columns that have the names of the parameters are taken by name, others in their order; more than one row, or
another number of columns, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from flightmesh.errors import InvalidMessage, InvalidQuery
from flightmesh.expression.types import Family, family, normal_type
from flightmesh.node.commands import LONGEST
from flightmesh.transport.service import InStream

NO_ROW = "a statement is run with one row of parameters, and none came"


def read_values(stream: InStream, parameters: tuple[str, ...]) -> tuple[Mapping[str, pa.Scalar], int]:
    """A value for each parameter, and the bytes of all. Raises InvalidQuery, InvalidMessage."""
    row = _one_row(stream)
    if row.num_columns != len(parameters):
        wanted = f"{len(parameters)} parameter{'' if len(parameters) == 1 else 's'}"
        raise InvalidQuery(f"the statement has {wanted}, and {row.num_columns} values were bound")
    names = [str(name) for name in row.schema.names]
    if set(names) != set(parameters):
        names = sorted(parameters, key=_place)
    return {name: _value(name, column[0]) for name, column in zip(names, row.columns, strict=True)}, row.nbytes


def _place(name: str) -> tuple[int, int]:
    """Numbers in their order, then names in that of the text (`sorted` is stable)."""
    return (0, int(name)) if name.isdigit() else (1, 0)


def _one_row(stream: InStream) -> pa.RecordBatch:
    found: pa.RecordBatch | None = None
    for batch, _ in stream.batches:
        if batch is None or not batch.num_rows:
            continue
        if found is not None or batch.num_rows > 1:
            raise InvalidQuery(
                "a statement is run with one row of parameters, and more than one was bound", hint="run it once for each row"
            )
        found = batch
    if found is None:
        raise InvalidQuery(NO_ROW)
    if found.nbytes > LONGEST:
        raise InvalidMessage(f"parameters of {found.nbytes:,} bytes are too long", hint=f"at most {LONGEST:,} bytes")
    try:
        found.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InvalidMessage(f"the parameters are not what their schema says: {str(error).splitlines()[0][:200]}") from None
    return found


def _value(name: str, value: pa.Scalar) -> pa.Scalar:
    """A value in one of the types that the engine computes with."""
    while isinstance(value, pa.UnionScalar | pa.DictionaryScalar | pa.ExtensionScalar):
        value = value.value if not isinstance(value, pa.DictionaryScalar) else value.dictionary[value.index.as_py()]
    if family(value.type) is Family.OTHER:
        raise InvalidQuery(f"the parameter {name!r} has the Arrow type {value.type}, which no parameter can have")
    try:
        return value.cast(normal_type(value.type))
    except pa.ArrowException as error:
        raise InvalidQuery(f"the parameter {name!r}: {str(error).splitlines()[0][:200]}") from None
