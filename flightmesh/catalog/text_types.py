"""Says which type the texts of a column have: the narrowest of DuckDB's list that takes every one of them.

Handed arrays of strings (a sample); hands on Arrow types. What always holds: a type is only given if every text of the sample
can be read as it, and a column without any text has the null type.
"""

from __future__ import annotations

import enum

import pyarrow as pa

from flightmesh.compute import pc

_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)"
_MOMENT = r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_BLANKS = " \t"
_BOOLEAN = r"^(?i:true|false|t|f)$"
# 007 is a code, and as a number it would lose its zeros; -007 is not, for DuckDB and for us.
_INTEGER = r"^(0|[1-9]\d*|-\d+)$"
_DOUBLE = r"^(((0|[1-9]\d*|-\d+)(\.\d*)?|-?\.\d+)([eE][-+]?\d+)?|-?(?i:inf|infinity|nan))$"
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_TIME = r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$"


class Texts(enum.Enum):
    """Where texts come from: ANY may stand for every type (CSV); QUOTED are strings that may be dates or timestamps (JSON)."""

    ANY = "any"
    QUOTED = "quoted"


_QUOTED_CANDIDATES: tuple[tuple[str, pa.DataType], ...] = (
    (_DATE, pa.date32()),
    (f"^{_MOMENT}$", pa.timestamp("us")),
    (f"^{_MOMENT}{_ZONE}$", pa.timestamp("us", "UTC")),
)
_CANDIDATES: tuple[tuple[str, pa.DataType], ...] = (
    (_INTEGER, pa.int64()),
    (_DOUBLE, pa.float64()),
    (_TIME, pa.time64("us")),
    *_QUOTED_CANDIDATES,
)


def infer_type(texts: pa.Array, source: Texts = Texts.ANY) -> pa.DataType:
    """The type of a column whose known texts are `texts`; string where nothing narrower fits, null where there is no text."""
    known = texts.drop_null()
    if len(known) == 0:
        return pa.null()
    if source is Texts.ANY and _all_match(known, _BOOLEAN):
        return pa.bool_()
    for pattern, kind in _CANDIDATES if source is Texts.ANY else _QUOTED_CANDIDATES:
        tried = _without_blanks(known, kind) if source is Texts.ANY else known
        if _all_match(tried, pattern) and _casts(tried, kind):
            return kind
    return pa.string()


def _without_blanks(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """The texts without the blanks that may stand around a value of `kind`: those of DuckDB, which Arrow's parser skips."""
    if pa.types.is_timestamp(kind):
        return texts
    return pc.utf8_ltrim(texts, _BLANKS) if pa.types.is_floating(kind) else pc.utf8_trim(texts, _BLANKS)


def _all_match(texts: pa.Array, pattern: str) -> bool:
    # The first text decides most patterns at once; only then is the whole sample looked at.
    if not pc.match_substring_regex(texts.slice(0, 1), pattern)[0].as_py():
        return False
    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def _casts(texts: pa.Array, kind: pa.DataType) -> bool:
    if pa.types.is_time(kind):
        # Arrow has no such cast; the pattern admits only times of day.
        return True
    try:
        pc.cast(texts, kind)
    except pa.ArrowInvalid:
        return False
    return True
