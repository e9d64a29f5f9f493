"""Bytes that are nearly right: mutations of real messages, and some that are nothing at all."""

from __future__ import annotations

import random
import struct

import msgpack

EDGES = bytes.fromhex("007f80818f909fa0bfc0c1c2c4c6c9cacbcfd3dbdddfff")
"""First bytes of msgpack's forms: what makes a decoder expect something else."""
VALUES = (None, True, -1, 2**63, 2**64 - 1, 0.5, float("nan"), "", "\0", "x" * 300, b"", b"\xff" * 40, [], {}, [[]], {"_": "X"})


def garbage(chance: random.Random, body: bytes) -> bytes:
    """A mutation of `body`; now and then noise, or something whose header promises far more than there is."""
    match chance.randrange(12):
        case 0:
            return chance.randbytes(chance.randrange(64))
        case 1:
            return bytes([chance.choice((0xC6, 0xDB, 0xDD, 0xDF))]) + struct.pack(">I", chance.randrange(1 << 32)) + body
        case 2:
            return bytes([chance.choice((0x91, 0x81))]) * chance.randrange(1, 3000) + body
        case 3 | 4 | 5:
            return _restructured(chance, body)
        case _:
            return _mutated(chance, body)


def _mutated(chance: random.Random, body: bytes) -> bytes:
    data = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[place : place + 1] = bytes([chance.choice(EDGES)])
            case 1:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 2:
                del data[place : place + chance.randint(1, 8)]
            case 3:
                data[place:place] = chance.randbytes(chance.randint(1, 8))
            case _:
                other = chance.randrange(len(data) + 1)
                data[place:place] = data[other : other + chance.randint(1, 40)]
    return bytes(data)


def _restructured(chance: random.Random, body: bytes) -> bytes:
    """The same map with a value exchanged, a key lost or one too many, somewhere inside."""
    try:
        whole = msgpack.unpackb(body, strict_map_key=False)
    except Exception:  # whatever msgpack raises, these bytes are no map
        return _mutated(chance, body)
    place, key = _some_place(chance, whole)
    if place is None:
        return bytes(msgpack.packb(chance.choice(VALUES)))
    match chance.randrange(4):
        case 0 if isinstance(place, dict):
            del place[key]
        case 1 if isinstance(place, dict):
            place[chance.choice(("more", "_", "", "\u00fc"))] = chance.choice(VALUES)
        case 2:
            place[key] = [place[key]] * chance.randint(0, 3)
        case _:
            place[key] = chance.choice(VALUES)
    return bytes(msgpack.packb(whole))


def _some_place(chance: random.Random, value: object) -> tuple[dict[object, object] | list[object] | None, object]:
    """A container inside a value, and a key or an index of it."""
    found: tuple[dict[object, object] | list[object] | None, object] = (None, None)
    while isinstance(value, (dict, list)) and value:
        key = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
        found = (value, key)
        if chance.random() < 0.3:
            break
        value = value[key]  # type: ignore[index,call-overload]
    return found
