"""Thrift's compact encoding, as much of it as Parquet's footers and page headers need: integers, heads of fields, and how long
a value is.

Handed bytes and a position in them; hands on a value and the position after it. Reading past the end is an IndexError, a kind
of value that the encoding does not have a ValueError. Source: the specification "Thrift Compact protocol" of Apache Thrift.
"""

from __future__ import annotations

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
"""Kinds of values. TRUE and FALSE are the value itself where a field holds one, and kind 1 or 2 where a list does."""


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned integer."""
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, position
        shift += 7


def read_integer(data: bytes, position: int) -> tuple[int, int]:
    """A zigzag integer."""
    result, position = read_varint(data, position)
    return (result >> 1) ^ -(result & 1), position


def write_integer(value: int) -> bytes:
    """A zigzag integer of up to 64 bits."""
    return write_varint((value << 1) ^ (value >> 63))


def write_varint(value: int) -> bytes:
    """An unsigned integer."""
    left = value
    made = bytearray()
    while left >= 128:
        made.append(left & 127 | 128)
        left >>= 7
    made.append(left)
    return bytes(made)


def read_head(data: bytes, position: int, before: int) -> tuple[int, int, int] | None:
    """The number and kind of the field that begins at `position` and where its value does; `before` is the number of the field
    before it. None where the struct ends."""
    head = data[position]
    if head == 0:
        return None
    if head >> 4:
        return before + (head >> 4), head & 15, position + 1
    number, position = read_integer(data, position + 1)
    return number, head & 15, position


def write_head(number: int, kind: int, before: int) -> bytes:
    """The same as bytes."""
    if 0 < number - before < 16:
        return bytes([number - before << 4 | kind])
    return bytes([kind]) + write_integer(number)


def read_size(data: bytes, position: int) -> tuple[int, int, int]:
    """How many elements a list has, their kind, and where the first begins."""
    head = data[position]
    if head >> 4 < 15:
        return head >> 4, head & 15, position + 1
    count, after = read_varint(data, position + 1)
    return count, head & 15, after


def write_binary(value: bytes) -> bytes:
    """Bytes, or a text in UTF-8."""
    return write_varint(len(value)) + value


def write_size(count: int, each: int) -> bytes:
    """The same as bytes."""
    return bytes([count << 4 | each]) if count < 15 else bytes([15 << 4 | each]) + write_varint(count)


def skip(data: bytes, position: int, kind: int) -> int:
    """Where a field's value of this kind ends."""
    match kind:
        case 1 | 2:
            return position
        case 3:
            return position + 1
        case 4 | 5 | 6:
            return read_varint(data, position)[1]
        case 7:
            return position + 8
        case 8:
            size, position = read_varint(data, position)
            return position + size
        case 9 | 10:
            count, each, position = read_size(data, position)
            for _ in range(count):
                position = position + 1 if each in (TRUE, FALSE) else skip(data, position, each)
            return position
        case 12:
            number = 0
            while (head := read_head(data, position, number)) is not None:
                number, inner, position = head
                position = skip(data, position, inner)
            return position + 1
        case _:
            raise ValueError(f"a value of the Thrift kind {kind}")
