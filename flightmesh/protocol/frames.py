"""What stands beside each batch of a data stream between workers: who wrote it, and what kind of entry it is.

Handed a frame; hands on 29 bytes, and the equal frame back. Little-endian: kind u8, job u64, stage u32, task u32, attempt u32,
sequence u64. What always holds: a stream's last entry is an END, whose sequence is the number of entries before it; so a
stream that broke is never taken for one that ended.
"""

from __future__ import annotations

import enum
import struct

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidMessage
from flightmesh.ids import AttemptId, JobId, StageId, TaskId

_LAYOUT = struct.Struct("<BQIIIQ")
_WAITED = struct.Struct("<Q")


class EntryKind(enum.Enum):
    """What an entry of a channel is. WATERMARK and BARRIER belong to unbounded inputs; nothing produces them yet."""

    DATA = 0
    END = 1
    WATERMARK = 2
    BARRIER = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """One entry's label. `producer`: the attempt that wrote it (of an END: the attempt 0.0.0/0 stands for all)."""

    kind: EntryKind
    producer: AttemptId
    sequence: int


EVERYBODY = AttemptId(TaskId(JobId(0), StageId(0), 0), 0)


def pack_frame(frame: Frame) -> bytes:
    """The 29 bytes of a frame."""
    task = frame.producer.task
    return _LAYOUT.pack(frame.kind.value, task.job, task.stage, task.index, frame.producer.number, frame.sequence)


def read_frame(data: bytes) -> Frame:
    """The frame that `pack_frame` wrote. Raises InvalidMessage for anything else."""
    try:
        kind, job, stage, index, number, sequence = _LAYOUT.unpack(data)
        return Frame(EntryKind(kind), AttemptId(TaskId(JobId(job), StageId(stage), index), number), sequence)
    except (struct.error, ValueError, TypeError) as error:
        raise InvalidMessage(f"{len(data)} bytes do not make a frame: {error}") from None


def pack_end(entries: int, waited_ns: int = 0) -> bytes:
    """The frame that ends a stream of so many entries, and how long the sender waited for credit: 37 bytes."""
    return pack_frame(Frame(EntryKind.END, EVERYBODY, entries)) + _WAITED.pack(waited_ns)


def read_end(data: bytes) -> tuple[Frame, int]:
    """Any frame, and the nanoseconds that an END may bring with it. Raises InvalidMessage."""
    if len(data) != _LAYOUT.size + _WAITED.size:
        return read_frame(data), 0
    frame = read_frame(data[: _LAYOUT.size])
    if frame.kind is not EntryKind.END:
        raise InvalidMessage("only the end of a stream says how long it has waited")
    return frame, int(_WAITED.unpack_from(data, _LAYOUT.size)[0])
