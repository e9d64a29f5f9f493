"""Values as text and text as values, in DuckDB's forms.

Handed arrays, hands on arrays of the same length; `from_text` also says which texts could not be read (they are NULL in the
result). What always holds: the ordinary forms go through array kernels; only texts that those refuse are looked at one by one.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression import intervals
from flightmesh.expression.arrays import valid_mask
from flightmesh.expression.scaled import EXACT
from flightmesh.expression.types import Family, family, integer_bounds

_EPOCH = datetime.date(1970, 1, 1)
_DAY = 86_400_000_000
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097
_OUT_OF_RANGE = "<value out of range: "


def to_text(array: pa.Array) -> pa.Array:
    """The values as DuckDB prints them."""
    match family(array.type):
        case Family.FLOAT:
            return _float_text(array)
        case Family.DATE:
            return _with_era(array.cast(pa.string()), _day_text)
        case Family.TIMESTAMP:
            return _timestamp_text(array)
        case Family.TIME:
            return _trimmed_fraction(array.cast(pa.time64("us")).cast(pa.string()))
        case Family.INTERVAL:
            return intervals.to_text(array)
        case Family.BINARY:
            return _binary_text(array)
        case _:
            return array.cast(pa.string())


def _float_text(array: pa.Array) -> pa.Array:
    text = array.cast(pa.string())
    plain = pc.match_substring_regex(text, r"^-?\d+$")
    text = pc.if_else(plain, pc.binary_join_element_wise(text, ".0", ""), text)
    size = pc.abs(array)
    large = 1e9 if array.type == pa.float64() else 1e7
    odd = pc.or_(pc.greater_equal(size, pa.scalar(large).cast(array.type)), pc.less(size, pa.scalar(1e-3).cast(array.type)))
    odd = pc.or_(pc.match_substring(text, "e"), pc.and_(odd, pc.not_equal(array, pa.scalar(0.0).cast(array.type))))
    odd = pc.fill_null(pc.and_(odd, pc.is_finite(array)), False)
    rows = pc.indices_nonzero(odd)
    if not len(rows):
        return text
    encoded = array.take(rows).dictionary_encode()
    single = array.type == pa.float32()
    written = [_float32_repr(v) if single else repr(v) for v in encoded.dictionary.to_pylist()]
    return pc.replace_with_mask(text, odd, pa.array(written, pa.string()).take(encoded.indices))


def _float32_repr(value: float) -> str:
    """The fewest digits that read back as the same float, in DuckDB's notation."""
    digits = str(np.float32(value))
    exponent = int(f"{value:e}".split("e")[1])
    if -5 < exponent < 16:
        return str(np.format_float_positional(np.float32(value), trim="0"))
    return digits if "e" in digits else str(np.format_float_scientific(np.float32(value), trim="-", exp_digits=2))


def _timestamp_text(array: pa.Array) -> pa.Array:
    zone = array.type.tz
    local = array.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64()).cast(pa.timestamp("us"))
    text = _with_era(_trimmed_fraction(local.cast(pa.string())), _moment_text)
    return pc.binary_join_element_wise(text, "+00", "") if zone is not None else text


def _with_era(text: pa.Array, write: Callable[[int], str]) -> pa.Array:
    """Dates, with or without a time, as DuckDB prints them: `0222-09-04 (BC)` for Arrow's -0221-09-04. Of years past 32767 and
    before -32767 Arrow gives the number alone: `write` makes the text."""
    odd = pc.match_substring_regex(text, "^(-|0000-|<)")
    if not pc.any(odd).as_py():
        return text
    rows = pc.indices_nonzero(pc.fill_null(odd, False))
    written = [
        write(int(value[len(_OUT_OF_RANGE) : -1])) if value.startswith(_OUT_OF_RANGE) else _of_early_year(value)
        for value in text.take(rows).to_pylist()
    ]
    return pc.replace_with_mask(text, odd, pa.array(written, pa.string()))


def _of_early_year(text: str) -> str:
    day, *time = text.split(" ")
    year, month, day_of_month = day.rsplit("-", 2)
    return " ".join([_era(int(year), f"{month}-{day_of_month}"), *time])


def _era(year: int, day: str) -> str:
    return f"{year:04d}-{day}" if year > 0 else f"{1 - year:04d}-{day} (BC)"


def _day_text(days: int) -> str:
    cycles, within = divmod(days + _EPOCH.toordinal() - 1, _CYCLE_DAYS)
    day = datetime.date.fromordinal(within + 1)
    return _era(day.year + cycles * _CYCLE_YEARS, f"{day:%m-%d}")


def _moment_text(micros: int) -> str:
    days, within = divmod(micros, _DAY)
    clock = (datetime.datetime.min + datetime.timedelta(microseconds=within)).time()
    text = f"{clock:%H:%M:%S.%f}".rstrip("0").rstrip(".") if clock.microsecond else f"{clock:%H:%M:%S}"
    return f"{_day_text(days)} {text}"


def _trimmed_fraction(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(text, r"\.?0+$|(\.\d*[1-9])0+$", r"\1") if len(text) == 0 else _cut_zeros(text)


def _cut_zeros(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(pc.replace_substring_regex(text, r"(\.\d*[1-9])0+$", r"\1"), r"\.0+$", "")


def _binary_text(array: pa.Array) -> pa.Array:
    encoded = array.dictionary_encode()
    written = [
        "".join(chr(b) if 32 <= b < 127 and b not in b"\\'\"" else f"\\x{b:02X}" for b in v)
        for v in encoded.dictionary.to_pylist()
    ]
    return pa.array(written, pa.string()).take(encoded.indices)


def from_text(text: pa.Array, type: pa.DataType) -> tuple[pa.Array, npt.NDArray[np.bool_] | None]:
    """The texts read as `type`, and which could not be read (None: all could)."""
    try:
        quick = _quick(text, type)
    except pa.ArrowInvalid:
        quick = None
    if quick is not None:
        return quick, None
    reader = _reader(type)
    encoded = text.dictionary_encode()
    read: list[Any] = []
    for value in encoded.dictionary.to_pylist():
        try:
            read.append(reader(value.strip(" \t\n\r\v\f")))
        except (ValueError, InvalidOperation, OverflowError):
            read.append(None)
    result = pa.array(read, type).take(encoded.indices)
    bad = valid_mask(text) & ~valid_mask(result)
    return result, (bad if bad.any() else None)


def _quick(text: pa.Array, type: pa.DataType) -> pa.Array | None:
    """The kernel for the plain forms; None or ArrowInvalid where it does not do."""
    match family(type):
        case Family.INTEGER:
            return _quick_integers(text.cast(type), text)
        case Family.DATE:
            return text.cast(type)
        case Family.FLOAT:
            return text.cast(type)
        case Family.BINARY:
            return text.cast(type) if not pc.any(pc.match_substring(text, "\\")).as_py() else None
        case Family.TIMESTAMP:
            return text.cast(type) if type.tz is None else None
    return None


def _quick_integers(read: pa.Array, text: pa.Array) -> pa.Array | None:
    """What the kernel read; None where it took 0x80 for the bits of a negative TINYINT (likewise the wider types)."""
    lowest = pc.min(read).as_py()
    return None if lowest is not None and lowest < 0 and pc.any(pc.match_substring_regex(text, "^0[xX]")).as_py() else read


def _reader(type: pa.DataType) -> Callable[[str], Any]:
    match family(type):
        case Family.BOOLEAN:
            return _read_boolean
        case Family.INTEGER:
            return lambda text: _read_integer(text, type)
        case Family.DECIMAL:
            return lambda text: _read_decimal(text, type)
        case Family.FLOAT:
            return _read_float
        case Family.DATE:
            return _read_date
        case Family.TIMESTAMP:
            return _read_instant if type.tz is not None else _read_timestamp
        case Family.TIME:
            return _read_time
        case Family.INTERVAL:
            return intervals.read_interval
        case _:
            return _read_binary


def _read_boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered in ("true", "t", "1", "yes", "y"):
        return True
    if lowered in ("false", "f", "0", "no", "n"):
        return False
    raise ValueError(text)


_NUMBER = re.compile(r"[+-]?(\d+(_\d+)*\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


_DIGITS_OF_BASE = re.compile(r"0[xX][0-9A-Fa-f]+(_[0-9A-Fa-f]+)*|0[bB][01]+(_[01]+)*")


def _read_number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return Decimal(text.replace("_", ""))


def _read_integer(text: str, type: pa.DataType) -> int:
    value = int(text, 0) if _DIGITS_OF_BASE.fullmatch(text) else int(_read_number(text).to_integral_value(ROUND_HALF_UP))
    low, high = integer_bounds(type)
    if not low <= value <= high:
        raise ValueError(text)
    return value


def _read_decimal(text: str, type: pa.DataType) -> Decimal:
    value = _read_number(text).quantize(Decimal(1).scaleb(-type.scale), ROUND_HALF_UP, EXACT)
    if value.copy_abs() >= Decimal(10) ** (type.precision - type.scale):
        raise ValueError(text)
    return value


def _read_float(text: str) -> float:
    if not _NUMBER.fullmatch(text) and not re.fullmatch(r"[+-]?(inf|infinity|nan)", text, re.IGNORECASE):
        raise ValueError(text)
    return float(text)


_DATE = re.compile(r"(-?)(\d{1,9})([-/ \\])(\d{1,2})\3(\d{1,2})( \(BC\))?")
_DAYS = range(2 - 2**31, 2**31 - 1)
_MICROS = range(-(2**63 // _DAY) * _DAY, 2**63 - 1)
"""DuckDB's dates and timestamps: what 32 and 64 bits hold, but for infinity and a part of the first day."""
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9})\d*)?)?")
_ZONE = re.compile(r"\s*(Z|UTC|[+-]\d{1,2}(?::?\d{2})?)?", re.IGNORECASE)


def _read_date(text: str) -> int:
    """Days since 1970."""
    days, rest = _read_day(text)
    if rest[:1].isdigit():
        raise ValueError(text)
    return days


def _read_day(text: str) -> tuple[int, str]:
    """The days since 1970 of the date that a text begins with, and what stands behind it. `0044-03-15 (BC)`, as `to_text`
    writes it, is in the year -43."""
    match = _DATE.match(text)
    if match is None:
        raise ValueError(text)
    year = int(match[1] + match[2])
    if match[6]:
        if match[1] or not year:
            raise ValueError(text)
        year = 1 - year
    # Python has the years from 1 to 9999; after 400 of them the calendar is the same again.
    cycles, year = divmod(year, _CYCLE_YEARS)
    day = datetime.date(_CYCLE_YEARS + year, int(match[4]), int(match[5]))
    days = (day - _EPOCH).days + (cycles - 1) * _CYCLE_DAYS
    if days not in _DAYS:
        raise ValueError(text)
    return days, text[match.end() :]


def _read_timestamp(text: str) -> int:
    """Microseconds since 1970; an offset is read and, for a type without time zone, left out of account."""
    days, rest = _read_day(text)
    if not rest:
        return _checked(days * _DAY, text)
    clock = _CLOCK.match(rest, 1)
    if rest[0] not in "T " or clock is None:
        raise ValueError(text)
    zone = _ZONE.fullmatch(rest, clock.end())
    if zone is None:
        raise ValueError(text)
    return _checked(days * _DAY + _clock_micros(clock), text)


def _checked(micros: int, text: str) -> int:
    if micros not in _MICROS:
        raise ValueError(text)
    return micros


def _read_instant(text: str) -> int:
    """A timestamp with time zone: the offset counts."""
    zone = re.search(r":\d{2}(?:\.\d+)?\s*([+-]\d{1,2}(?::?\d{2})?)$", text)
    return _read_timestamp(text) - _zone_micros(zone[1] if zone else None)


def _clock_micros(clock: re.Match[str]) -> int:
    hours, minutes, seconds = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(clock[0])
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + int((clock[4] or "0")[:6].ljust(6, "0"))


def _zone_micros(zone: str | None) -> int:
    if zone is None or zone.upper() in ("Z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return minutes * 60_000_000 * (-1 if zone[0] == "-" else 1)


def _read_time(text: str) -> int:
    clock = _CLOCK.match(text)
    if clock is None or _ZONE.fullmatch(text, clock.end()) is None:
        return _read_timestamp(text) % _DAY
    return _clock_micros(clock)


def _read_binary(text: str) -> bytes:
    return re.sub(rb"\\x([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())
