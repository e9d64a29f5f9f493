"""Type families, SQL type names, and the rules that find one type for several, as DuckDB 1.5 has them.

Handed Arrow types, hands on Arrow types; nothing here sees data. What always holds: the engine computes with bool, (u)int8-64,
float32/64, decimal128, string, binary, date32, time64(us), timestamp(us, with or without zone), month_day_nano_interval, null
and lists of these; every other type of a family is normalised to one of these first (`normal_type`). decimal128(38, 0) also
plays DuckDB's HUGEINT.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache

import pyarrow as pa

MAX_PRECISION = 38
"""Digits of the widest decimal."""
INT64_PRECISION = 18
"""Digits that always fit a scaled int64; decimal arithmetic stays within them where its inputs do."""

HUGEINT = pa.decimal128(MAX_PRECISION, 0)
INTERVAL = pa.month_day_nano_interval()
TIMESTAMP = pa.timestamp("us")
TIMESTAMP_TZ = pa.timestamp("us", "UTC")
TIME = pa.time64("us")


class Family(enum.Enum):
    """Types that share rules."""

    NULL = "NULL"
    BOOLEAN = "BOOLEAN"
    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"
    FLOAT = "FLOAT"
    STRING = "VARCHAR"
    BINARY = "BLOB"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    INTERVAL = "INTERVAL"
    LIST = "LIST"
    OTHER = "OTHER"


_INTEGER_NAMES = {
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT",
    pa.uint16(): "USMALLINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
}
_INTEGER_DIGITS = {
    pa.int8(): 3,
    pa.int16(): 5,
    pa.int32(): 10,
    pa.int64(): 19,
    pa.uint8(): 3,
    pa.uint16(): 5,
    pa.uint32(): 10,
    pa.uint64(): 20,
}


@lru_cache(maxsize=4096)
def family(type: pa.DataType) -> Family:
    """The family of an Arrow type; dictionaries belong to that of their values, lists of what has no family have none."""
    kind = pa.types
    if kind.is_dictionary(type):
        return family(type.value_type)
    if _is_list(type):
        return Family.OTHER if family(type.value_type) is Family.OTHER else Family.LIST
    tests = (
        (kind.is_null, Family.NULL),
        (kind.is_boolean, Family.BOOLEAN),
        (kind.is_integer, Family.INTEGER),
        (kind.is_decimal, Family.DECIMAL),
        (kind.is_floating, Family.FLOAT),
        (is_string, Family.STRING),
        (_is_binary, Family.BINARY),
        (kind.is_date, Family.DATE),
        (kind.is_time, Family.TIME),
        (kind.is_timestamp, Family.TIMESTAMP),
        (kind.is_interval, Family.INTERVAL),
        (kind.is_duration, Family.INTERVAL),
    )
    return next((found for test, found in tests if test(type)), Family.OTHER)


def is_string(type: pa.DataType) -> bool:
    """Whether this is text in any of Arrow's layouts."""
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type))


def _is_binary(type: pa.DataType) -> bool:
    kind = pa.types
    return bool(
        kind.is_binary(type) or kind.is_large_binary(type) or kind.is_fixed_size_binary(type) or kind.is_binary_view(type)
    )


def _is_list(type: pa.DataType) -> bool:
    kind = pa.types
    lists = kind.is_list(type) or kind.is_large_list(type) or kind.is_fixed_size_list(type)
    return bool(lists or kind.is_list_view(type) or kind.is_large_list_view(type))


TYPE_LEVELS = 63
"""Lists, and structs, within each other that rows may have: Arrow IPC, which goes between workers and onto disks, writes 64
levels, values included."""


def type_levels(type: pa.DataType) -> int:
    """How many lists and structs a type has within each other."""
    levels, inside = 0, [type]
    while inside := [each.field(number).type for each in inside for number in range(each.num_fields)]:
        levels += 1
    return levels


def is_numeric(type: pa.DataType) -> bool:
    """Whether arithmetic is defined on the type."""
    return family(type) in (Family.INTEGER, Family.DECIMAL, Family.FLOAT)


def normal_type(type: pa.DataType) -> pa.DataType:
    """The type of the same family that the engine computes with; types of no family stay as they are."""
    if pa.types.is_dictionary(type):
        return normal_type(type.value_type)
    match family(type):
        case Family.STRING:
            return pa.string()
        case Family.BINARY:
            return pa.binary()
        case Family.DATE:
            return pa.date32()
        case Family.TIME:
            return TIME
        case Family.TIMESTAMP:
            return TIMESTAMP if type.tz is None else TIMESTAMP_TZ
        case Family.INTERVAL:
            return INTERVAL
        case Family.DECIMAL:
            return pa.decimal128(min(type.precision, MAX_PRECISION), type.scale)
        case Family.FLOAT:
            return pa.float32() if type.bit_width <= 32 else pa.float64()
        case Family.LIST:
            return pa.list_(normal_type(type.value_type))
        case _:
            return type


def without_null(type: pa.DataType) -> pa.DataType:
    """The type that a column of this one gets: NULLs of no type are INTEGERs, in lists too."""
    if pa.types.is_null(type):
        return pa.int32()
    return pa.list_(without_null(type.value_type)) if family(type) is Family.LIST else type


def sql_type_name(type: pa.DataType) -> str:
    """The SQL name of a type, as table headers and error messages show it: INTEGER, DECIMAL(15,2), VARCHAR, ..."""
    found = family(type)
    match found:
        case Family.INTEGER:
            return _INTEGER_NAMES[type.value_type if pa.types.is_dictionary(type) else type]
        case Family.DECIMAL:
            return f"DECIMAL({type.precision},{type.scale})"
        case Family.FLOAT:
            return "DOUBLE" if type == pa.float64() else "FLOAT"
        case Family.TIMESTAMP:
            return "TIMESTAMP" if type.tz is None else "TIMESTAMP WITH TIME ZONE"
        case Family.LIST | Family.OTHER:
            return _nested_name(type)
        case _:
            return str(found.value)


def _nested_name(type: pa.DataType) -> str:
    if _is_list(type):
        return f"{sql_type_name(type.value_type)}[]"
    if pa.types.is_struct(type):
        inner = ", ".join(f"{type.field(i).name} {sql_type_name(type.field(i).type)}" for i in range(type.num_fields))
        return f"STRUCT({inner})"
    return str(type).upper()


_NAMED_TYPES = {
    **{name: type for type, name in _INTEGER_NAMES.items()},
    "INT": pa.int32(), "INT4": pa.int32(), "SIGNED": pa.int32(), "INT8": pa.int64(), "LONG": pa.int64(),
    "INT2": pa.int16(), "SHORT": pa.int16(), "INT1": pa.int8(), "INT16": pa.int16(), "INT32": pa.int32(), "INT64": pa.int64(),
    "HUGEINT": HUGEINT, "INT128": HUGEINT,
    "BOOLEAN": pa.bool_(), "BOOL": pa.bool_(), "LOGICAL": pa.bool_(),
    "FLOAT": pa.float32(), "REAL": pa.float32(), "FLOAT4": pa.float32(),
    "DOUBLE": pa.float64(), "FLOAT8": pa.float64(), "DOUBLE PRECISION": pa.float64(),
    "VARCHAR": pa.string(), "TEXT": pa.string(), "STRING": pa.string(), "CHAR": pa.string(), "BPCHAR": pa.string(),
    "NVARCHAR": pa.string(),
    "BLOB": pa.binary(), "BINARY": pa.binary(), "VARBINARY": pa.binary(), "BYTEA": pa.binary(),
    "DATE": pa.date32(), "TIME": TIME, "INTERVAL": INTERVAL,
    "TIMESTAMP": TIMESTAMP, "DATETIME": TIMESTAMP, "TIMESTAMP WITHOUT TIME ZONE": TIMESTAMP,
    "TIMESTAMPTZ": TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE": TIMESTAMP_TZ,
    "DECIMAL": pa.decimal128(18, 3), "NUMERIC": pa.decimal128(18, 3), "DEC": pa.decimal128(18, 3),
}  # fmt: skip


def type_from_name(text: str) -> pa.DataType | None:
    """The type that a SQL name stands for (`DECIMAL(15,2)`, `varchar(20)`, `int[]`, ...), or None."""
    if text.rstrip().endswith("[]"):
        inner = type_from_name(text.rstrip()[:-2])
        return None if inner is None else pa.list_(inner)
    match = re.fullmatch(r"\s*([A-Za-z][A-Za-z0-9 ]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*", text)
    if match is None:
        return None
    name = " ".join(match[1].upper().split())
    if name in ("DECIMAL", "NUMERIC", "DEC") and match[2] is not None:
        precision, scale = int(match[2]), int(match[3] or 0)
        return pa.decimal128(precision, scale) if 1 <= precision <= MAX_PRECISION and scale <= precision else None
    return _NAMED_TYPES.get(name)


def decimal_of(type: pa.DataType) -> pa.DataType:
    """The decimal type that holds every value of an integer or decimal type."""
    if family(type) is Family.INTEGER:
        return pa.decimal128(_INTEGER_DIGITS[type], 0)
    return type


def integer_bounds(type: pa.DataType) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    bits = type.bit_width
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if pa.types.is_signed_integer(type) else (0, (1 << bits) - 1)


def common_integer(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The smallest integer type that holds both; HUGEINT for bigint with ubigint."""
    if pa.types.is_signed_integer(left) == pa.types.is_signed_integer(right):
        return left if left.bit_width >= right.bit_width else right
    signed, unsigned = (left, right) if pa.types.is_signed_integer(left) else (right, left)
    if signed.bit_width > unsigned.bit_width:
        return signed
    return {8: pa.int16(), 16: pa.int32(), 32: pa.int64(), 64: HUGEINT}[unsigned.bit_width]


def common_decimal(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The decimal that keeps the larger scale and the larger whole part, capped at 38 digits (casts then check)."""
    left, right = decimal_of(left), decimal_of(right)
    scale = max(left.scale, right.scale)
    whole = max(left.precision - left.scale, right.precision - right.scale)
    return pa.decimal128(min(whole + scale, MAX_PRECISION), scale)


def common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """The type that CASE, COALESCE, UNION and comparisons give two operands, or None where an explicit cast is required.

    Integers widen; with decimals they become decimals; decimals and integers become the float's type; a date becomes a
    timestamp; NULL takes any type. Text and numbers have no common type here: only constant text is cast (`registry.unify`).
    """
    if left == right:
        return left
    a, b = family(left), family(right)
    if a is Family.NULL or b is Family.NULL:
        return normal_type(right if a is Family.NULL else left)
    match (a, b):
        case (Family.INTEGER, Family.INTEGER):
            return common_integer(left, right)
        case (Family.INTEGER | Family.DECIMAL, Family.INTEGER | Family.DECIMAL):
            return common_decimal(left, right)
        case (Family.FLOAT, Family.FLOAT):
            return pa.float64()
        case (Family.FLOAT, Family.INTEGER | Family.DECIMAL):
            return left
        case (Family.INTEGER | Family.DECIMAL, Family.FLOAT):
            return right
        case (Family.BOOLEAN, Family.INTEGER):
            return right
        case (Family.INTEGER, Family.BOOLEAN):
            return left
        case (Family.DATE, Family.TIMESTAMP):
            return right
        case (Family.TIMESTAMP, Family.DATE):
            return left
        case (Family.TIMESTAMP, Family.TIMESTAMP):
            return TIMESTAMP_TZ
        case (Family.LIST, Family.LIST):
            shared = common_type(left.value_type, right.value_type)
            return None if shared is None else pa.list_(shared)
    return normal_type(left) if a is b and a is not Family.OTHER else None


_WIDENING: dict[Family, tuple[Family, ...]] = {
    Family.INTEGER: (Family.INTEGER, Family.DECIMAL, Family.FLOAT),
    Family.DECIMAL: (Family.DECIMAL, Family.FLOAT),
    Family.FLOAT: (Family.FLOAT,),
    Family.DATE: (Family.DATE, Family.TIMESTAMP),
    Family.TIMESTAMP: (Family.TIMESTAMP,),
}


def implicit_cost(source: pa.DataType, target: pa.DataType) -> int | None:
    """How far an implicit cast goes: 0 for none, larger for farther, None where only an explicit cast may."""
    if source == target:
        return 0
    a, b = family(source), family(target)
    if a is Family.NULL:
        return 1
    if a is b is Family.LIST:
        return implicit_cost(source.value_type, target.value_type)
    if a is b and a not in (Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.TIMESTAMP, Family.OTHER):
        return 0
    if b not in _WIDENING.get(a, ()):
        return None
    if a is b is Family.INTEGER:
        (low, high), (least, most) = integer_bounds(source), integer_bounds(target)
        return target.bit_width // 8 if least <= low and high <= most else None
    if a is b is Family.FLOAT:
        return 1 if target.bit_width > source.bit_width else None
    if a is b is Family.DECIMAL:
        fits = target.scale >= source.scale and target.precision - target.scale >= source.precision - source.scale
        return 1 if fits else None
    if b is Family.FLOAT:
        return 31 if target == pa.float64() else 32
    return 20 if b is Family.DECIMAL else 5


def add_type(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The decimal type of a sum or difference: one more whole digit, held to 18 digits where the inputs are, and to 38."""
    left, right = decimal_of(left), decimal_of(right)
    scale = max(left.scale, right.scale)
    precision = max(left.precision - left.scale, right.precision - right.scale) + scale + 1
    widest = max(left.precision, right.precision)
    if precision > INT64_PRECISION and widest <= INT64_PRECISION:
        precision = INT64_PRECISION
    return pa.decimal128(min(precision, MAX_PRECISION), scale)


def multiply_type(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """The decimal type of a product: precisions and scales add up, held as for sums; None where the scale passes 38."""
    left, right = decimal_of(left), decimal_of(right)
    scale, precision = left.scale + right.scale, left.precision + right.precision
    if scale > MAX_PRECISION:
        return None
    widest = max(left.precision, right.precision)
    if precision > INT64_PRECISION and widest <= INT64_PRECISION and scale < INT64_PRECISION:
        precision = INT64_PRECISION
    return pa.decimal128(min(precision, MAX_PRECISION), scale)
