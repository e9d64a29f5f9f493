"""What makes two statements the same before anything is looked up: the text, the dialect, the values of the parameters.

Handed these as the caller gave them; hands on a key. What always holds: equal keys mean the same bound statement, so values of
different types never meet, nor 0.0 and -0.0; a value that cannot be compared so makes no key.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import pyarrow as pa

from flightmesh.expression.types import Family, family

Key: TypeAlias = tuple[str, str, tuple[Any, ...]]
_PLAIN: frozenset[type] = frozenset({type(None), bool, int, str, bytes, datetime.date, datetime.time, datetime.timedelta})
_EXACT = frozenset({Family.BOOLEAN, Family.INTEGER, Family.DECIMAL, Family.STRING, Family.BINARY, Family.DATE, Family.NULL})


def plan_key(text: str, dialect: str, params: Mapping[str, Any] | Sequence[Any] | None) -> Key | None:
    """The key of a statement; None where it has none."""
    if type(text) is not str or type(dialect) is not str:
        return None
    if params is None:
        return text, dialect, ()
    if isinstance(params, Mapping):
        named: list[tuple[Any, Any]] = list(params.items())
    elif type(params) in (list, tuple):
        named = list(enumerate(params, 1))
    else:
        return None
    values = tuple((name, _value_key(value)) for name, value in named)
    return None if any(key is None or type(name) not in (str, int) for name, key in values) else (text, dialect, values)


def key_bytes(key: Key) -> int:
    """About how many bytes a key takes."""
    return len(key[0]) + sum(_value_bytes(value) for value in key[2])


def _value_bytes(value: Any) -> int:
    if isinstance(value, tuple):
        return 64 + sum(_value_bytes(part) for part in value)
    return 64 + (len(value) if isinstance(value, str | bytes) else 0)


def _value_key(value: Any) -> tuple[Any, ...] | None:
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind is float:
        return kind, value.hex()
    if kind is Decimal:
        return kind, value.as_tuple()
    if kind is datetime.datetime:
        return kind, value.isoformat(), value.fold, str(value.tzinfo)
    return _scalar_key(value) if isinstance(value, pa.Scalar) else None


def _scalar_key(value: pa.Scalar) -> tuple[Any, ...] | None:
    kind = value.type
    if not value.is_valid:
        return pa.Scalar, kind, None
    if family(kind) in _EXACT:
        return pa.Scalar, kind, value.as_py()
    if pa.types.is_floating(kind):
        return pa.Scalar, kind, value.as_py().hex()
    if isinstance(value, pa.TimestampScalar | pa.Time32Scalar | pa.Time64Scalar | pa.DurationScalar):
        return pa.Scalar, kind, value.value
    return None
