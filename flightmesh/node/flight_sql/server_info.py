"""What a driver says of itself and of its SQL: the answers to GetSqlInfo.

Handed the numbers of the questions; hands on rows of a number and a value, a dense union as the protocol fixes it. What always
holds: without numbers all that is known is told; a number of which nothing is known has no row.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

import flightmesh
from flightmesh.node.flight_sql.catalog_rows import ESCAPE

_STRINGS = pa.list_(pa.string())
_MAP = pa.map_(pa.int32(), pa.list_(pa.int32()))
_VALUE = pa.dense_union(
    [
        pa.field("string_value", pa.string()),
        pa.field("bool_value", pa.bool_()),
        pa.field("bigint_value", pa.int64()),
        pa.field("int32_bitmask", pa.int32()),
        pa.field("string_list", _STRINGS),
        pa.field("int32_to_int32_list_map", _MAP),
    ]
)
SQL_INFO = pa.schema([pa.field("info_name", pa.uint32(), nullable=False), pa.field("value", _VALUE)])
_TEXT, _BOOL, _NUMBER = 0, 1, 3
_CASE_INSENSITIVE, _NULLS_AT_END, _FULL_OUTER_JOINS, _NO_TRANSACTIONS = 1, 3, 2, 0
_BOTH, _COMPARISONS_EXISTS_AND_IN = 0b11, 0b111

_SERVER: dict[int, str | bool | int] = {
    0: "flightmesh",
    1: flightmesh.__version__,
    2: pa.__version__,
    3: False,  # read only
    4: True,  # SQL
    5: False,  # Substrait
    8: _NO_TRANSACTIONS,
    9: True,  # cancels queries
    10: True,  # takes rows in bulk
    11: False,  # in transactions
}
_LANGUAGE: dict[int, str | bool | int] = {
    500: False,  # CREATE and DROP of catalogs
    501: False,  # of schemas
    502: True,  # of tables
    503: _CASE_INSENSITIVE,  # names
    504: '"',
    505: _CASE_INSENSITIVE,  # quoted names
    506: True,  # all tables can be read
    507: _NULLS_AT_END,
    513: ESCAPE,
    514: "",  # more signs in names
    515: True,  # aliases of columns
    516: True,  # NULL with anything is NULL
    518: True,  # aliases of tables
    519: False,  # which have to differ from the tables' names
    520: True,  # expressions in ORDER BY
    521: True,  # ORDER BY what is not selected
    522: _BOTH,  # ways of GROUP BY
    523: True,  # LIKE ... ESCAPE
    524: False,  # NOT NULL columns
    528: _FULL_OUTER_JOINS,
    529: "schema",
    530: "procedure",
    531: "catalog",
    532: True,  # a catalog stands first in a name
    533: 0,
    534: 0,
    535: 0,
    536: False,  # SELECT ... FOR UPDATE
    537: False,  # procedures
    538: _COMPARISONS_EXISTS_AND_IN,  # subqueries
    539: True,  # correlated ones
    540: _BOTH,  # UNION and UNION ALL
    562: _NO_TRANSACTIONS,
    563: False,
    564: 0,
    565: False,
    566: False,
    572: False,  # batches of updates
    573: False,  # savepoints
    574: False,  # named parameters of procedures
    576: False,
}


def server_info(wanted: tuple[int, ...], statement_seconds: float) -> pa.Table:
    """The rows for the numbers; all of them where none is named. `statement_seconds`: how long a prepared statement stays."""
    milliseconds = min(round(statement_seconds * 1000), 2**31 - 1)
    known = {**_SERVER, 100: milliseconds, **_LANGUAGE}
    chosen = {number: known[number] for number in dict.fromkeys(wanted or known) if number in known}
    return pa.table([pa.array(chosen, pa.uint32()), _values(chosen)], schema=SQL_INFO)


def _values(chosen: Mapping[int, str | bool | int]) -> pa.Array:
    texts: list[str] = []
    flags: list[bool] = []
    numbers: list[int] = []
    kinds: list[int] = []
    places: list[int] = []
    for value in chosen.values():
        match value:
            case str():
                kinds.append(_TEXT)
                places.append(len(texts))
                texts.append(value)
            case bool():
                kinds.append(_BOOL)
                places.append(len(flags))
                flags.append(value)
            case int():
                kinds.append(_NUMBER)
                places.append(len(numbers))
                numbers.append(value)
    children = [
        pa.array(texts, pa.string()),
        pa.array(flags, pa.bool_()),
        pa.array([], pa.int64()),
        pa.array(numbers, pa.int32()),
        pa.array([], _STRINGS),
        pa.array([], _MAP),
    ]
    names = [_VALUE.field(index).name for index in range(_VALUE.num_fields)]
    return pa.UnionArray.from_dense(pa.array(kinds, pa.int8()), pa.array(places, pa.int32()), children, names)
