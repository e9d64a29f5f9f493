"""strftime and strptime: dates as text and back, by formats with `%` specifiers.

A format is parsed once; its pieces are computed as arrays and joined. Specifiers: Y y m -m B b d -d j -j H -H I -I M -M S -S f
g n p a A w u U W V G x X c z Z %.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression.arrays import boolean_array, from_values, numeric_values, valid_mask
from flightmesh.expression.dateparts import micros_of
from flightmesh.expression.functions.dates import _DAYS, _MONTHS
from flightmesh.expression.functions.declare import Binding, Datum, Failure, Request, ScalarFunction
from flightmesh.expression.functions.entries import entry
from flightmesh.expression.functions.likes import quote
from flightmesh.expression.functions.vary import with_constants
from flightmesh.expression.intervals import MICROS_PER_DAY
from flightmesh.expression.nodes import Expression
from flightmesh.expression.signatures import is_text_literal
from flightmesh.expression.types import TIMESTAMP, Family, family, is_string

_MAY = Failure.MAY
_EPOCH = pa.scalar(0, pa.int64()).cast(TIMESTAMP)
_SHORTHAND = {
    "x": "%Y-%m-%d",
    "X": "%H:%M:%S",
    "c": "%Y-%m-%d %H:%M:%S",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "T": "%H:%M:%S",
    "R": "%H:%M",
}


@functools.lru_cache(maxsize=256)
def pieces(format: str) -> tuple[tuple[bool, str], ...]:
    """(is a specifier, text) in order; shorthands are spelled out. DataError for an unknown specifier."""
    out: list[tuple[bool, str]] = []
    for match in re.finditer(r"%(-?.)|([^%]+)|(%)$", format, re.DOTALL):
        specifier, plain = match[1], match[2]
        if plain is not None:
            out.append((False, plain))
        elif specifier == "%":
            out.append((False, "%"))
        elif specifier in _SHORTHAND:
            out.extend(pieces(_SHORTHAND[specifier]))
        elif specifier is not None and specifier in _WRITERS:
            out.append((True, specifier))
        else:
            raise DataError(f"unknown specifier %{specifier or ''} in the format {format!r}")
    return tuple(out)


class _Moments:
    """The fields of an array of moments, each computed when first asked for."""

    def __init__(self, array: pa.Array) -> None:
        self.array = from_values(micros_of(array), TIMESTAMP, None)
        self.micros = micros_of(array)

    def part(self, function: Any) -> Any:
        """A field by a pyarrow function, as numpy."""
        return numeric_values(function(self.array).cast(pa.int64()))

    def clock(self, divisor: int, modulus: int) -> Any:
        """A field of the time of day."""
        return self.micros % MICROS_PER_DAY // divisor % modulus


@functools.lru_cache(maxsize=64)
def _table(size: int, width: int) -> pa.Array:
    return pa.array([f"{n:0{width}d}" for n in range(size)], pa.string())


def _digits(values: Any, width: int) -> pa.Array:
    """Numbers filled with zeros to a width."""
    if width <= 3:
        return _table(10**width, width).take(pa.array(values))
    text = pa.array(values).cast(pa.string())
    return pc.ascii_lpad(text, width, "0") if (values >= 0).all() else text


def _plain(values: Any) -> pa.Array:
    return pa.array(values).cast(pa.string())


def _names(table: Sequence[str], length: int | None = None) -> Callable[[Any], pa.Array]:
    words = pa.array([word[:length] for word in table], pa.string())
    return lambda values: words.take(pa.array(values))


def _hour12(m: _Moments) -> Any:
    return (m.clock(3_600_000_000, 24) + 11) % 12 + 1


def _week_of_year(m: _Moments, first: int) -> Any:
    """Weeks of the year, counted from its first Sunday (first = 0) or Monday (1)."""
    day = m.part(pc.day_of_year) - 1
    weekday = (_weekday(m, 7) - first) % 7
    return (day + 7 - weekday) // 7


def _weekday(m: _Moments, first: int) -> Any:
    """The day of the week, 0 for the first (1: Monday, 7: Sunday)."""
    return m.part(lambda a: pc.day_of_week(a, count_from_zero=True, week_start=first))


_WRITERS: dict[str, Callable[[_Moments], pa.Array]] = {
    "Y": lambda m: _digits(m.part(pc.year), 4),
    "y": lambda m: _digits(m.part(pc.year) % 100, 2),
    "-y": lambda m: _plain(m.part(pc.year) % 100),
    "m": lambda m: _digits(m.part(pc.month), 2),
    "-m": lambda m: _plain(m.part(pc.month)),
    "B": lambda m: _names(_MONTHS)(m.part(pc.month) - 1),
    "b": lambda m: _names(_MONTHS, 3)(m.part(pc.month) - 1),
    "h": lambda m: _names(_MONTHS, 3)(m.part(pc.month) - 1),
    "d": lambda m: _digits(m.part(pc.day), 2),
    "-d": lambda m: _plain(m.part(pc.day)),
    "j": lambda m: _digits(m.part(pc.day_of_year), 3),
    "-j": lambda m: _plain(m.part(pc.day_of_year)),
    "H": lambda m: _digits(m.clock(3_600_000_000, 24), 2),
    "-H": lambda m: _plain(m.clock(3_600_000_000, 24)),
    "I": lambda m: _digits(_hour12(m), 2),
    "-I": lambda m: _plain(_hour12(m)),
    "M": lambda m: _digits(m.clock(60_000_000, 60), 2),
    "-M": lambda m: _plain(m.clock(60_000_000, 60)),
    "S": lambda m: _digits(m.clock(1_000_000, 60), 2),
    "-S": lambda m: _plain(m.clock(1_000_000, 60)),
    "f": lambda m: _digits(m.clock(1, 1_000_000), 6),
    "g": lambda m: _digits(m.clock(1_000, 1_000), 3),
    "n": lambda m: _digits(m.clock(1, 1_000_000) * 1000, 9),
    "p": lambda m: _names(("AM", "PM"))((m.clock(3_600_000_000, 24) >= 12).astype(np.int64)),
    "a": lambda m: _names(_DAYS, 3)(_weekday(m, 1)),
    "A": lambda m: _names(_DAYS)(_weekday(m, 1)),
    "w": lambda m: _plain(_weekday(m, 7)),
    "u": lambda m: _plain(_weekday(m, 1) + 1),
    "U": lambda m: _digits(_week_of_year(m, 0), 2),
    "W": lambda m: _digits(_week_of_year(m, 1), 2),
    "V": lambda m: _digits(m.part(pc.iso_week), 2),
    "G": lambda m: _digits(m.part(pc.iso_year), 4),
    "z": lambda m: pa.array(["+00"], pa.string()).take(pa.array(np.zeros(len(m.micros), np.int64))),
    "Z": lambda m: pa.array([""], pa.string()).take(pa.array(np.zeros(len(m.micros), np.int64))),
}


def strftime(array: pa.Array, format: str) -> pa.Array:
    """Each moment written by the format."""
    parts = pieces(format)
    if not parts:
        parts = ((False, ""),)
    kept = pc.fill_null(array, _EPOCH.cast(array.type)) if array.null_count else array
    moments = _Moments(kept)
    columns = [_WRITERS[text](moments) if special else pa.scalar(text, pa.string()) for special, text in parts]
    if not any(special for special, _ in parts):
        columns.append(pa.array([""], pa.string()).take(pa.array(np.zeros(len(array), np.int64))))
    text = pc.binary_join_element_wise(*columns, "")
    return pc.if_else(array.is_valid(), text, pa.scalar(None, pa.string())) if array.null_count else text


_READERS: dict[str, str] = {
    "Y": r"\d{4}", "y": r"\d{2}", "-y": r"\d{1,2}", "m": r"\d{1,2}", "-m": r"\d{1,2}", "d": r"\d{1,2}", "-d": r"\d{1,2}",
    "j": r"\d{3}",
    "-j": r"\d{1,3}", "H": r"\d{1,2}", "-H": r"\d{1,2}", "I": r"\d{1,2}", "-I": r"\d{1,2}", "M": r"\d{1,2}", "-M": r"\d{1,2}",
    "S": r"\d{1,2}", "-S": r"\d{1,2}", "f": r"\d{1,6}", "g": r"\d{1,3}", "n": r"\d{1,9}", "p": r"(?i:am|pm)",
    "a": "(?i:" + "|".join(d[:3] for d in _DAYS) + ")", "A": "(?i:" + "|".join(_DAYS) + ")",
    "b": "(?i:" + "|".join(m[:3] for m in _MONTHS) + ")", "h": "(?i:" + "|".join(m[:3] for m in _MONTHS) + ")",
    "B": "(?i:" + "|".join(_MONTHS) + ")", "z": r"[+-]\d{2}(?::?\d{2})?",
}  # fmt: skip


@functools.lru_cache(maxsize=256)
def _reader(format: str) -> tuple[str, tuple[str, ...]]:
    """The regular expression of a format with one named group a specifier, and the specifiers."""
    words: list[str] = []
    names: list[str] = []
    for special, text in pieces(format):
        if not special:
            words.append(re.sub(r"(\\x\{20\})+", r"\\s+", quote(text)))
        elif text not in _READERS:
            raise DataError(f"strptime cannot read %{text}")
        else:
            words.append(f"(?P<p{len(names)}>{_READERS[text]})")
            names.append(text.removeprefix("-"))
    return r"^\s*" + "".join(words) + r"\s*$", tuple(names)


def parse(text: pa.Array, format: str) -> tuple[pa.Array, Any]:
    """The timestamps that the texts say, and which texts do not fit the format (numpy mask)."""
    pattern, names = _reader(format)
    kept = valid_mask(text)
    found = pc.extract_regex(text, pattern=pattern) if names else None
    if found is None:
        fits = valid_mask(pc.if_else(pc.match_substring_regex(text, pattern=pattern), True, pa.scalar(None, pa.bool_())))
        micros = np.full(len(text), -25567 * MICROS_PER_DAY)
    else:
        fits = valid_mask(found)
        fields = {name: pc.fill_null(pc.struct_field(found, index), "") for index, name in enumerate(names)}
        micros, proper = _assembled(fields, len(text))
        fits = fits & proper
    bad = kept & ~fits
    result = from_values(np.where(fits, micros, 0), TIMESTAMP, boolean_array(fits).buffers()[1])
    return result, bad


def _number(fields: dict[str, pa.Array], name: str, default: int) -> Any:
    if name not in fields:
        return default
    text = pc.replace_with_mask(fields[name], pc.equal(fields[name], ""), pa.scalar("0", pa.string()))
    return np.asarray(text.cast(pa.int64()))


def _index(fields: dict[str, pa.Array], name: str, words: Sequence[str]) -> Any:
    table = pa.array([word.lower() for word in words], pa.string())
    return np.asarray(pc.fill_null(pc.index_in(pc.utf8_lower(fields[name]), value_set=table), 0)).astype(np.int64)


def _assembled(fields: dict[str, pa.Array], rows: int) -> tuple[Any, Any]:
    """Microseconds of the read fields, and whether they make a moment that exists."""
    year = _number(fields, "Y", 1900)
    if "y" in fields:
        short = _number(fields, "y", 0)
        year = short + np.where(short >= 69, 1900, 2000)
    month = _number(fields, "m", 1)
    for name, words in (("b", [m[:3] for m in _MONTHS]), ("h", [m[:3] for m in _MONTHS]), ("B", _MONTHS)):
        if name in fields:
            month = _index(fields, name, words) + 1
    day = _number(fields, "d", 1)
    hour = _hours(fields)
    minute, second = _number(fields, "M", 0), _number(fields, "S", 0)
    proper = (month >= 1) & (month <= 12) & (hour >= 0) & (hour < 24) & (minute < 60) & (second < 60) & np.ones(rows, np.bool_)
    months = np.where(proper, (year - 1970) * 12 + month - 1, 0)
    start = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - start
    proper &= (day >= 1) & (day <= length)
    days = start + day - 1
    if "j" in fields:
        year_start = ((year - 1970) * np.ones(rows, np.int64)).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
        days = year_start + _number(fields, "j", 1) - 1
    clock = ((hour * 60 + minute) * 60 + second) * 1_000_000 + _fraction(fields)
    return days * MICROS_PER_DAY + clock - _zone(fields), proper


def _hours(fields: dict[str, pa.Array]) -> Any:
    if "I" not in fields:
        return _number(fields, "H", 0)
    hour = _number(fields, "I", 12)
    afternoon = _index(fields, "p", ("am", "pm")) if "p" in fields else 0
    return np.where((hour >= 1) & (hour <= 12), hour % 12 + 12 * afternoon, -1)


def _fraction(fields: dict[str, pa.Array]) -> Any:
    total: Any = 0
    for name in ("f", "g", "n"):
        if name in fields:
            padded = pc.utf8_slice_codeunits(pc.ascii_rpad(fields[name], 9, "0"), start=0, stop=6)
            total = total + np.asarray(padded.cast(pa.int64()))
    return total


def _zone(fields: dict[str, pa.Array]) -> Any:
    if "z" not in fields:
        return 0
    digits = pc.ascii_rpad(pc.replace_substring(pc.utf8_slice_codeunits(fields["z"], start=1), ":", ""), 4, "0")
    number = np.asarray(digits.cast(pa.int64()))
    sign = np.where(np.asarray(pc.starts_with(fields["z"], "-")), -1, 1)
    return sign * (number // 100 * 60 + number % 100) * 60_000_000


def strptime(text: pa.Array, format: str) -> pa.Array:
    """Each text read by the format. DataError for the first that does not fit."""
    result, bad = parse(text, format)
    if bad.any():
        shown = text[int(np.flatnonzero(bad)[0])].as_py()
        raise DataError(f"cannot read {shown!r} by the format {format!r}")
    return result


def _format_rule(args: Sequence[Expression]) -> Binding | None:
    """strftime takes (moment, format) and (format, moment)."""
    if len(args) != 2:
        return None
    kinds = []
    for arg in args:
        if is_string(arg.type) or family(arg.type) is Family.NULL:
            kinds.append(pa.string())
        elif family(arg.type) in (Family.DATE, Family.TIMESTAMP):
            kinds.append(arg.type)
        else:
            return None
    if (
        kinds[0] == kinds[1] == pa.string()
        and not any(is_text_literal(a) for a in args)
        and not any(family(a.type) is Family.NULL for a in args)
    ):
        return None
    if kinds[0] == kinds[1]:
        return Binding((TIMESTAMP, pa.string()), pa.string())
    return Binding((kinds[0], kinds[1]), pa.string())


def _strftime(args: tuple[Datum, ...], request: Request) -> Datum:
    moment_first = not is_string(args[0].type)
    ordered = args if moment_first else (args[1], args[0])
    return with_constants(1, strftime)(ordered, request)


def _text(name: str, doc: str, kernel: Any, failure: Failure) -> ScalarFunction:
    return entry("date", name, doc, ("text, text -> timestamp",), kernel, failure=failure)


FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("strftime", "The moment as text by a format of % specifiers.", "date", _format_rule, _strftime,
                   ("strftime(DATE|TIMESTAMP, VARCHAR) -> VARCHAR", "strftime(VARCHAR, DATE|TIMESTAMP) -> VARCHAR"),
                   failure=_MAY),
    _text("strptime", "The text read by a format of % specifiers.", with_constants(1, strptime), _MAY),
    _text("try_strptime", "As strptime, NULL where the text does not fit.", with_constants(1, lambda t, f: parse(t, f)[0]),
          _MAY),
)  # fmt: skip
