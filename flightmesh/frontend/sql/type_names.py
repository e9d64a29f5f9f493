"""Type names of SQL to Arrow types.

Handed sqlglot's DataType (already without the spelling of its dialect); hands on the Arrow type that the engine
computes with.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.types import HUGEINT, INTERVAL, MAX_PRECISION, TIME, TIMESTAMP, TIMESTAMP_TZ
from flightmesh.frontend.sql.scope import nearest
from flightmesh.frontend.sql.source import Source

_TYPES: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "MEDIUMINT": pa.int32(), "INT": pa.int32(), "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(), "USMALLINT": pa.uint16(), "UMEDIUMINT": pa.uint32(), "UINT": pa.uint32(), "UBIGINT": pa.uint64(),
    "INT128": HUGEINT,
    "FLOAT": pa.float32(), "DOUBLE": pa.float64(),
    "CHAR": pa.string(), "NCHAR": pa.string(), "VARCHAR": pa.string(), "NVARCHAR": pa.string(), "BPCHAR": pa.string(),
    "TEXT": pa.string(), "TINYTEXT": pa.string(), "MEDIUMTEXT": pa.string(), "LONGTEXT": pa.string(), "NAME": pa.string(),
    "BINARY": pa.binary(), "VARBINARY": pa.binary(), "BLOB": pa.binary(), "TINYBLOB": pa.binary(), "MEDIUMBLOB": pa.binary(),
    "LONGBLOB": pa.binary(),
    "DATE": pa.date32(), "DATE32": pa.date32(), "TIME": TIME,
    "TIMESTAMP": TIMESTAMP, "TIMESTAMPNTZ": TIMESTAMP, "TIMESTAMP_S": TIMESTAMP, "TIMESTAMP_MS": TIMESTAMP,
    "TIMESTAMP_NS": TIMESTAMP,
    "DATETIME": TIMESTAMP, "DATETIME2": TIMESTAMP, "DATETIME64": TIMESTAMP, "SMALLDATETIME": TIMESTAMP,
    "TIMESTAMPTZ": TIMESTAMP_TZ, "TIMESTAMPLTZ": TIMESTAMP_TZ,
    "INTERVAL": INTERVAL,
}  # fmt: skip

_DECIMALS = frozenset({"DECIMAL", "DECIMAL128", "BIGDECIMAL", "MONEY"})
_DEFAULT_DECIMAL = (18, 3)


def arrow_type(node: exp.DataType, source: Source, at: exp.Expr) -> pa.DataType:
    """The Arrow type; `at` is where errors point, since type names carry no place of their own."""
    kind = node.this
    name = kind.value if isinstance(kind, exp.DType) else str(kind)
    if isinstance(kind, exp.Interval) or name.startswith("INTERVAL"):
        return INTERVAL
    if name in _DECIMALS:
        return _decimal(node, source, at)
    found = _TYPES.get(name)
    if found is not None:
        return found
    shown = node.sql("duckdb")
    if name == "ARRAY" and len(node.expressions) == 1:
        if node.args.get("values"):
            raise source.unsupported(f"the type {shown} of lists of a fixed length", at, "leave the length out: []")
        return pa.list_(arrow_type(node.expressions[0], source, at))
    if node.args.get("nested") or name in ("STRUCT", "LIST", "ARRAY", "MAP", "UNION"):
        raise source.unsupported(f"the nested type {shown}", at)
    if name in ("USER-DEFINED", "UNKNOWN"):
        known = {name.lower(): name for name in (*_TYPES, *_DECIMALS, "INTEGER")}
        near = nearest(shown, known)
        hint = (
            f"did you mean {near}?"
            if near
            else "types are INTEGER, BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, DATE, TIMESTAMP, ..."
        )
        raise source.error_at_word(f"there is no type {shown}", shown, at, hint)
    raise source.unsupported(f"the type {shown}", at)


def _decimal(node: exp.DataType, source: Source, at: exp.Expr) -> pa.DataType:
    given = [param.name for param in node.expressions]
    if not given:
        return pa.decimal128(*_DEFAULT_DECIMAL)
    precision, scale = int(given[0]), int(given[1]) if len(given) > 1 else 0
    if not 1 <= precision <= MAX_PRECISION or not 0 <= scale <= precision:
        raise source.error(
            f"DECIMAL({precision},{scale}) is not a type", at, f"the width is 1 to {MAX_PRECISION}, the scale 0 to the width"
        )
    return pa.decimal128(precision, scale)
