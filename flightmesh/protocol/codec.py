"""The wire form of frozen dataclasses: msgpack maps, one key a field. Never pickle.

Handed a plan, an expression or a message; hands on bytes, and the equal value back. What always holds: a member of a
closed union carries its class name under `_`; Arrow types, schemas, scalars and batches are Arrow IPC bytes; enums are
their values; bytes that do not make the asked type raise InvalidMessage and nothing else. What is nested too deeply for one
msgpack value goes in parts.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin, get_type_hints

import msgpack
import pyarrow as pa

from flightmesh.errors import InvalidMessage, with_article
from flightmesh.protocol.kinds import TAG, is_dataclass, is_optional, kind_name, members
from flightmesh.protocol.latest import remembering
from flightmesh.protocol.misfits import misfit
from flightmesh.protocol.parts import pack_parts, part_kinds, reference, unpack_parts
from flightmesh.stage.graph import Stage

if TYPE_CHECKING:
    import cattrs

T = TypeVar("T")


def encode(value: Any, kind: Any = None) -> bytes:
    """The bytes of a value. `kind`: the union it is sent as, if its reader expects one; else its own class."""
    try:
        return cast(bytes, msgpack.packb(_converter().unstructure(value, kind or type(value))))
    except (RecursionError, ValueError):  # ValueError: msgpack's own limit, of 511 levels
        return _encode_in_parts(value, kind or type(value))


def decode(data: bytes, kind: Any) -> Any:
    """The value that `encode` wrote, of class or union `kind`. Raises InvalidMessage for anything else."""
    try:
        body = msgpack.unpackb(data, strict_map_key=False)
    except Exception:
        message = f"{len(data)} bytes do not make {with_article(kind_name(kind))}: they are not one msgpack value"
        raise InvalidMessage(message) from None
    try:
        whole = body if type(body) is not msgpack.ExtType else unpack_parts(body, _read_part)
        return _converter().structure(whole, kind)
    except RecursionError:
        raise InvalidMessage(f"a message of {len(data)} bytes is nested too deeply") from None
    except Exception:
        in_parts = type(body) is msgpack.ExtType
        reason = "its parts do not fit" if in_parts else misfit(body, kind, _converter().structure)
        raise InvalidMessage(f"{len(data)} bytes do not make {with_article(kind_name(kind))}: {reason}") from None


def _encode_in_parts(value: Any, kind: Any) -> bytes:
    converter = _converter_of_parts()
    as_part = _union_writer(kind, converter)
    return pack_parts(value, lambda whole: converter.unstructure(whole, kind), as_part)


def _read_part(body: Any) -> Any:
    kind = part_kinds()[_map(body).pop(TAG)]
    return _converter().structure(body, kind)


def _is_union(kind: Any) -> bool:
    return bool(members(kind))


def _union_writer(kind: Any, converter: cattrs.Converter) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        if value is None:
            return None
        body = converter.unstructure(value, type(value))
        body[TAG] = type(value).__name__
        return body

    return write


def _part_writer(kind: Any, converter: cattrs.Converter) -> Callable[[Any], Any]:
    """As `_union_writer`; what is a part is only named."""
    write = _union_writer(kind, converter)

    def refer(value: Any) -> Any:
        return reference(value) or write(value)

    return refer


def _union_reader(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    by_name = {member.__name__: member for member in members(kind)}
    classes = frozenset(by_name.values())
    known: dict[Any, Callable[[Any, Any], Any]] = {}  # filled as they are met: a union may have itself in it
    optional = is_optional(kind)

    def read(body: Any, _: Any) -> Any:
        if type(body) is not dict:
            if body is None and optional:
                return None
            if type(body) in classes:  # a part of a value that is in parts: made before the rest
                return body
            raise TypeError(f"a map expected, not {type(body).__name__}")
        name = body.get(TAG)
        if name not in by_name:
            raise ValueError(f"{name!r} is none of {', '.join(by_name)}")
        structure = known.get(name)
        if structure is None:
            structure = known[name] = converter.get_structure_hook(by_name[name])
        own = body.copy()
        del own[TAG]
        return structure(own, by_name[name])

    return read


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _tuple_reader(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    """Takes lists alone: a text is no list of its characters."""
    parts = get_args(kind)
    is_open = len(parts) == 2 and parts[1] is Ellipsis

    def read(body: Any, _: Any) -> Any:
        if not isinstance(body, list):
            raise TypeError(f"a list expected, not {type(body).__name__}")
        if is_open:
            if not body:
                return ()
            structure, each = converter.get_structure_hook(parts[0]), parts[0]
            return tuple([structure(part, each) for part in body])
        return tuple(converter.structure(part, each) for part, each in zip(body, parts, strict=True))

    return read


def _write_type(kind: pa.DataType) -> bytes:
    return _type_bytes(kind)


@lru_cache(maxsize=1024)
def _type_bytes(kind: pa.DataType) -> bytes:
    return cast(bytes, pa.schema([pa.field("", kind)]).serialize().to_pybytes())


@lru_cache(maxsize=1024)
def _read_type(data: bytes) -> pa.DataType:
    return _read_schema(data).field(0).type


def _read_schema(data: bytes) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(data))


def _write_batch(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return cast(bytes, sink.getvalue().to_pybytes())


def _read_batch(data: bytes) -> pa.RecordBatch:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        batch = reader.read_next_batch()
    batch.validate(full=True)
    return batch


def _write_scalar(value: pa.Scalar) -> bytes:
    return _write_batch(pa.RecordBatch.from_arrays([pa.repeat(value, 1)], names=[""]))


def _read_scalar(data: bytes) -> pa.Scalar:
    return _read_batch(data).column(0)[0]


@cache
def _converter() -> cattrs.Converter:
    """Made when the first value is written or read: a process without a mesh does neither."""
    return _made(_union_writer)


@cache
def _converter_of_parts() -> cattrs.Converter:
    """The same for values that are written in parts."""
    return _made(_part_writer)


def _made(union_writer: Callable[[Any, cattrs.Converter], Callable[[Any], Any]]) -> cattrs.Converter:
    import cattrs

    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
    converter.register_unstructure_hook_func(lambda t: _is_a(t, enum.Enum), lambda value: value.value)
    converter.register_structure_hook_func(lambda t: _is_a(t, enum.Enum), lambda body, kind: kind(body))
    arrow: list[tuple[type, Callable[[Any], bytes], Callable[[bytes], Any]]] = [
        (pa.DataType, _write_type, _read_type),
        (pa.Schema, lambda schema: schema.serialize().to_pybytes(), _read_schema),
        (pa.RecordBatch, _write_batch, _read_batch),
        (pa.Scalar, _write_scalar, _read_scalar),
    ]
    for root, write, read in arrow:
        converter.register_unstructure_hook_func(_subclass_test(root), write)
        converter.register_structure_hook_func(_subclass_test(root), _bytes_reader(read))
    for plain in (int, float, str, bytes, bool):
        converter.register_structure_hook(plain, _exactly(plain))
    converter.register_structure_hook_func(lambda t: t == dict[str, Any], _read_map)
    converter.register_unstructure_hook_func(lambda t: t == dict[str, Any], lambda body: body)
    converter.register_structure_hook_factory(_is_tuple, lambda kind: _tuple_reader(kind, converter))
    converter.register_unstructure_hook_factory(is_dataclass, lambda kind: _dataclass_writer(kind, converter))
    converter.register_structure_hook_factory(is_dataclass, lambda kind: _dataclass_reader(kind, converter))
    converter.register_unstructure_hook_factory(_is_union, lambda kind: union_writer(kind, converter))
    converter.register_structure_hook_factory(_is_union, lambda kind: _union_reader(kind, converter))
    return converter


def _dataclass_writer(kind: Any, converter: cattrs.Converter) -> Callable[[Any], Any]:
    from cattrs.gen import make_dict_unstructure_fn

    get_type_hints(kind)
    write: Callable[[Any], Any] = make_dict_unstructure_fn(kind, converter)
    return remembering(write) if kind is Stage and converter is _converter() else write


def _dataclass_reader(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    from cattrs.gen import make_dict_structure_fn

    structure = make_dict_structure_fn(kind, converter)
    return lambda body, _: structure(_map(body), kind)


def _is_a(kind: Any, root: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, root)


def _subclass_test(root: type) -> Callable[[Any], bool]:
    return lambda kind: _is_a(kind, root)


def _bytes_reader(read: Callable[[bytes], Any]) -> Callable[[Any, Any], Any]:
    def structure(body: Any, _: Any) -> Any:
        if not isinstance(body, bytes):
            raise TypeError(f"Arrow bytes expected, not {type(body).__name__}")
        return read(body)

    return structure


def _exactly(plain: type) -> Callable[[Any, Any], Any]:
    """Takes a value of exactly this type (an int also where a float is asked for); msgpack lost nothing, so nothing is
    guessed."""

    def structure(body: Any, _: Any) -> Any:
        if type(body) is plain:
            return body
        if plain is float and type(body) is int:
            return float(body)
        raise TypeError(f"{plain.__name__} expected, not {type(body).__name__}")

    return structure


def _read_map(body: Any, _: Any) -> dict[str, Any]:
    if not all(isinstance(key, str) for key in _map(body)):
        raise TypeError("a map with text keys expected")
    return _map(body)


def _map(body: Any) -> dict[str, Any]:
    """A map. That of a dataclass needs no look at its keys: one that is no field's name is refused."""
    if not isinstance(body, dict):
        raise TypeError(f"a map with text keys expected, not {type(body).__name__}")
    return body
