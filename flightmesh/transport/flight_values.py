"""Descriptors, flight infos and batches between our words and pyarrow's.

Handed values of `service`; hands on pyarrow.flight's, and back. What always holds: an Info and a descriptor come back equal,
and batches that `aligned` hands on lie where Acero wants them.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.flight as flight

from flightmesh.transport.service import Asked, Endpoint, Info

READ_OPTIONS = pa.ipc.IpcReadOptions(ensure_alignment=pa.ipc.Alignment.DataTypeSpecific)


def to_descriptor(asked: Asked) -> flight.FlightDescriptor:
    """The Flight descriptor of a command or a path."""
    if asked.command is not None:
        return flight.FlightDescriptor.for_command(asked.command)
    return flight.FlightDescriptor.for_path(*asked.path)


def from_descriptor(descriptor: flight.FlightDescriptor) -> Asked:
    """What a Flight descriptor asks for."""
    if descriptor.descriptor_type == flight.DescriptorType.CMD:
        return Asked(command=bytes(descriptor.command))
    return Asked(path=tuple(part.decode(errors="replace") for part in descriptor.path or ()))


def to_flight_info(info: Info) -> flight.FlightInfo:
    """The Flight info of an Info."""
    endpoints = [
        flight.FlightEndpoint(
            endpoint.ticket, [endpoint.location] if endpoint.location else [], _timestamp(endpoint.expires), b""
        )
        for endpoint in info.endpoints
    ]
    asked = Asked(path=info.path) if info.path else Asked(command=info.command)
    return flight.FlightInfo(info.schema, to_descriptor(asked), endpoints, info.rows, info.size, info.ordered, info.metadata)


def from_flight_info(found: flight.FlightInfo) -> Info:
    """The Info of a Flight info."""
    asked = from_descriptor(found.descriptor)
    endpoints = tuple(
        Endpoint(
            bytes(endpoint.ticket.ticket),
            endpoint.locations[0].uri.decode() if endpoint.locations else None,
            _seconds(endpoint.expiration_time),
        )
        for endpoint in found.endpoints
    )
    return Info(
        found.schema,
        endpoints,
        found.ordered,
        asked.command or b"",
        asked.path,
        found.total_records,
        found.total_bytes,
        bytes(found.app_metadata or b""),
    )


def _timestamp(seconds: float | None) -> pa.TimestampScalar | None:
    return None if seconds is None else pa.scalar(round(seconds * 1e6) * 1000, pa.timestamp("ns", "UTC"))


def _seconds(time: pa.TimestampScalar | None) -> float | None:
    return None if time is None or not time.is_valid else time.value // 1000 / 1e6


def aligned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in aligned buffers. A server reads batches at odd addresses, and no option of its changes that: one copy
    does."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    with pa.ipc.open_stream(sink.getvalue(), options=READ_OPTIONS) as reader:
        return reader.read_next_batch()
