"""Protocol buffers, as much of their wire form as Flight SQL needs: varints, eight and four bytes, and lengths with bytes.

Handed bytes and a message class; hands on the message, or its bytes. A message is a frozen dataclass whose fields are declared
with `wire(number, kind)`. What always holds: fields that a class does not declare are passed over; of a field that came more
often than once the last value counts, of a repeated one all; bytes that are no message raise InvalidMessage and nothing else.

The wire form: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidMessage

T = TypeVar("T")
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5
_LONGEST_VARINT = 10
MOST_FIELDS = 10_000
"""Fields of a message, and numbers in one of its fields: no command has so many, and each costs time to read."""
_FIXED = {EIGHT: 8, FOUR: 4}
Raw = int | bytes
"""What one field holds before its kind is known: a varint's value, or bytes."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How values of a field are read and written. `read` folds one occurrence into what was there before."""

    absent: T
    read: Callable[[T, Raw], T]
    write: Callable[[int, T], bytes]


def wire(number: int, kind: Kind[T]) -> T:
    """A field of a message class. Without a value it is what the kind says for an absent one."""
    found: T = dataclasses.field(default=kind.absent, metadata={"number": number, "kind": kind})
    return found


def read_message(data: bytes, message: type[T]) -> T:
    """The message in bytes. Raises InvalidMessage."""
    declared = {field.metadata["number"]: field for field in dataclasses.fields(message)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for number, raw in read_fields(data):
        field = declared.get(number)
        if field is not None:
            kind: Kind[Any] = field.metadata["kind"]
            try:
                values[field.name] = kind.read(values.get(field.name, kind.absent), raw)
            except InvalidMessage as error:
                raise InvalidMessage(f"{message.__name__}.{field.name}: {error.message}") from None
    return message(**values)


def write_message(message: object) -> bytes:
    """The bytes of a message: its fields in the order of their declaration, absent ones left out."""
    parts = []
    for field in dataclasses.fields(message):  # type: ignore[arg-type]
        kind: Kind[Any] = field.metadata["kind"]
        value = getattr(message, field.name)
        if value != kind.absent:
            parts.append(kind.write(field.metadata["number"], value))
    return b"".join(parts)


def read_fields(data: bytes) -> Iterator[tuple[int, Raw]]:
    """The fields of a message as they come: number and value. Raises InvalidMessage."""
    position = count = 0
    while position < len(data):
        count = _counted(count)
        key, position = _varint(data, position)
        number, shape = key >> 3, key & 7
        if not number:
            raise InvalidMessage("a protobuf field has the number 0")
        if shape == VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if shape == BYTES:
            size, position = _varint(data, position)
        elif shape in _FIXED:
            size = _FIXED[shape]
        else:
            raise InvalidMessage(f"a protobuf field has the wire type {shape}")
        if size > len(data) - position:
            raise InvalidMessage(f"a protobuf field of {size} bytes has {len(data) - position}")
        yield number, data[position : position + size]
        position += size


def _counted(count: int) -> int:
    if count >= MOST_FIELDS:
        raise InvalidMessage(f"a protobuf message has more than {MOST_FIELDS:,} parts")
    return count + 1


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position, of at most 64 bits, and where it ends."""
    value = 0
    for index in range(_LONGEST_VARINT):
        if position >= len(data):
            raise InvalidMessage("a protobuf message ends in the middle of a number")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
    raise InvalidMessage(f"a protobuf number has more than {_LONGEST_VARINT} bytes")


def varint(value: int) -> bytes:
    """The bytes of a number; a negative one as its two's complement in 64 bits."""
    rest = value & 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def write_bytes(number: int, value: bytes) -> bytes:
    """A field of bytes."""
    return varint(number << 3 | BYTES) + varint(len(value)) + value


def _write_number(number: int, value: int) -> bytes:
    return varint(number << 3 | VARINT) + varint(value)


def _bytes_of(raw: Raw) -> bytes:
    if isinstance(raw, int):
        raise InvalidMessage("a number stands where bytes are expected")
    return raw


def _text_of(raw: Raw) -> str:
    try:
        return _bytes_of(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidMessage("a text is not UTF-8") from None


def _number_of(raw: Raw) -> int:
    if not isinstance(raw, int):
        raise InvalidMessage("bytes stand where a number is expected")
    return raw


def _signed(raw: Raw) -> int:
    value = _number_of(raw)
    return value - (1 << 64) if value >> 63 else value


def _more_numbers(before: tuple[int, ...], raw: Raw) -> tuple[int, ...]:
    """One number, or many in one field, as writers of protocol version 3 have them."""
    if isinstance(raw, int):
        return (*before, raw)
    found: list[int] = []
    position = 0
    while position < len(raw):
        _counted(len(found))
        value, position = _varint(raw, position)
        found.append(value)
    return (*before, *found)


TEXT: Kind[str] = Kind("", lambda _, raw: _text_of(raw), lambda number, value: write_bytes(number, value.encode()))
OPTIONAL_TEXT: Kind[str | None] = Kind(
    None, lambda _, raw: _text_of(raw), lambda number, value: write_bytes(number, (value or "").encode())
)
TEXTS: Kind[tuple[str, ...]] = Kind(
    (),
    lambda before, raw: (*before, _text_of(raw)),
    lambda number, values: b"".join(write_bytes(number, value.encode()) for value in values),
)
DATA: Kind[bytes] = Kind(b"", lambda _, raw: _bytes_of(raw), write_bytes)
FLAG: Kind[bool] = Kind(False, lambda _, raw: _number_of(raw) != 0, _write_number)
NUMBER: Kind[int] = Kind(0, lambda _, raw: _signed(raw), _write_number)
OPTIONAL_NUMBER: Kind[int | None] = Kind(
    None, lambda _, raw: _signed(raw), lambda number, value: _write_number(number, value or 0)
)
NUMBERS: Kind[tuple[int, ...]] = Kind(
    (), _more_numbers, lambda number, values: write_bytes(number, b"".join(varint(value) for value in values))
)


def message_of(kind: type[T]) -> Kind[T | None]:
    """A field that is a message itself."""
    return Kind(
        None, lambda _, raw: read_message(_bytes_of(raw), kind), lambda number, value: write_bytes(number, write_message(value))
    )
