"""The SQL types of columns as JDBC and ODBC describe them: the answers to GetXdbcTypeInfo.

Handed a JDBC number or none; hands on rows of the columns that the protocol fixes, ordered by number and name.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.dataclass import dataclass

TYPE_INFO = pa.schema(
    [
        pa.field("type_name", pa.string(), nullable=False),
        pa.field("data_type", pa.int32(), nullable=False),
        pa.field("column_size", pa.int32()),
        pa.field("literal_prefix", pa.string()),
        pa.field("literal_suffix", pa.string()),
        pa.field("create_params", pa.list_(pa.field("item", pa.string(), nullable=False))),
        pa.field("nullable", pa.int32(), nullable=False),
        pa.field("case_sensitive", pa.bool_(), nullable=False),
        pa.field("searchable", pa.int32(), nullable=False),
        pa.field("unsigned_attribute", pa.bool_()),
        pa.field("fixed_prec_scale", pa.bool_(), nullable=False),
        pa.field("auto_increment", pa.bool_()),
        pa.field("local_type_name", pa.string()),
        pa.field("minimum_scale", pa.int32()),
        pa.field("maximum_scale", pa.int32()),
        pa.field("sql_data_type", pa.int32(), nullable=False),
        pa.field("datetime_subcode", pa.int32()),
        pa.field("num_prec_radix", pa.int32()),
        pa.field("interval_precision", pa.int32()),
    ]
)
_NULLABLE, _SEARCHED_WITHOUT_LIKE, _SEARCHED = 1, 2, 3
_DATETIME = 9


@dataclass(frozen=True, slots=True)
class _Type:
    """One type. `size`: digits or signs; `radix`: 10 for exact numbers, 2 for others; `subcode`: of times."""

    name: str
    number: int
    size: int | None = None
    prefix: str | None = None
    scales: tuple[int, int] | None = None
    radix: int | None = None
    subcode: int | None = None
    params: tuple[str, ...] | None = None


_TYPES = (
    _Type("BOOLEAN", -7, 1),
    _Type("TINYINT", -6, 3, None, (0, 0), 10),
    _Type("BIGINT", -5, 19, None, (0, 0), 10),
    _Type("BLOB", -3, None, "'"),
    _Type("DECIMAL", 3, 38, None, (0, 38), 10, None, ("precision", "scale")),
    _Type("INTEGER", 4, 10, None, (0, 0), 10),
    _Type("SMALLINT", 5, 5, None, (0, 0), 10),
    _Type("FLOAT", 7, 24, None, None, 2),
    _Type("DOUBLE", 8, 53, None, None, 2),
    _Type("INTERVAL", 10, None, "INTERVAL '"),
    _Type("VARCHAR", 12, None, "'"),
    _Type("DATE", 91, 10, "DATE '", None, None, 1),
    _Type("TIME", 92, 15, "TIME '", (6, 6), None, 2),
    _Type("TIMESTAMP", 93, 26, "TIMESTAMP '", (6, 6), None, 3),
    _Type("TIMESTAMP WITH TIME ZONE", 93, 32, "TIMESTAMPTZ '", (6, 6), None, 5),
)


def type_info(number: int | None) -> pa.Table:
    """All types, or those of a JDBC number."""
    found = [_row(type) for type in _TYPES if number is None or type.number == number]
    return pa.Table.from_pylist(found, schema=TYPE_INFO)


def _row(type: _Type) -> dict[str, object]:
    is_number = type.radix is not None
    return {
        "type_name": type.name,
        "data_type": type.number,
        "column_size": type.size,
        "literal_prefix": type.prefix,
        "literal_suffix": None if type.prefix is None else "'",
        "create_params": type.params,
        "nullable": _NULLABLE,
        "case_sensitive": type.name == "VARCHAR",
        "searchable": _SEARCHED if type.name == "VARCHAR" else _SEARCHED_WITHOUT_LIKE,
        "unsigned_attribute": False if is_number else None,
        "fixed_prec_scale": False,
        "auto_increment": False if is_number else None,
        "local_type_name": type.name,
        "minimum_scale": None if type.scales is None else type.scales[0],
        "maximum_scale": None if type.scales is None else type.scales[1],
        "sql_data_type": type.number if type.subcode is None else _DATETIME,
        "datetime_subcode": type.subcode,
        "num_prec_radix": type.radix,
        "interval_precision": None,
    }
