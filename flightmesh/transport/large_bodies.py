"""Action bodies that are larger than one message: they go through a put.

Handed an action's name and body; hands on the body in pieces, as the rows of a table of one binary column, and the answers
out of the put's acknowledgement. What always holds: a body comes whole or not at all, and past LARGEST_BODY it is refused by
name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import msgpack
import pyarrow as pa

from flightmesh.errors import Cancelled, InvalidMessage, NodeSilent
from flightmesh.transport.peers import Peers, StreamOut
from flightmesh.transport.service import InStream

MESSAGE_BYTES = 4 * 1024 * 1024
"""Larger bodies are put."""
LARGEST_MESSAGE = 16 * 1024 * 1024
"""A larger body of a single message is refused."""
LARGEST_BODY = 512 * 1024 * 1024
"""A larger body is refused."""
PUT_ACTION = b"flightmesh-action "
"""What the descriptor of such a put begins with; the action's name follows."""
BODY_SCHEMA = pa.schema([pa.field("body", pa.binary(), nullable=False)])

_FINISHED = b"body"


def call_action(peers: Peers, address: str, name: str, body: bytes, seconds: float) -> list[bytes]:
    """The answers to an action, asked for in one message or, where the body is larger, by a put."""
    if len(body) <= MESSAGE_BYTES:
        return peers.call(address, name, body, seconds)
    return put_action(lambda: peers.put(address, PUT_ACTION + name.encode(), BODY_SCHEMA), address, body, seconds)


def put_action(opened: Callable[[], StreamOut], address: str, body: bytes, seconds: float) -> list[bytes]:
    """Puts a body on the stream that `opened` opens. Raises NodeSilent when there is no answer within `seconds`."""
    if len(body) > LARGEST_BODY:
        raise InvalidMessage(f"a message of {len(body)} bytes is too large: at most {LARGEST_BODY} are sent")
    stream = opened()
    deadline = threading.Timer(seconds, stream.cancel)
    deadline.daemon = True
    deadline.start()
    try:
        return list(read_answers(_put(stream, body)))
    except Cancelled:
        raise NodeSilent(f"{address} did not answer in time") from None
    except BaseException:
        stream.cancel()
        raise
    finally:
        deadline.cancel()


def _put(stream: StreamOut, body: bytes) -> bytes:
    """Writes the body; its answer."""
    for piece in _pieces(body):
        stream.write(piece, b"")
    stream.write(_piece(b""), _FINISHED)
    answer = stream.acknowledged()
    stream.finish()
    if answer is None:
        raise InvalidMessage("a put action ended without an answer")
    return answer


def _pieces(body: bytes) -> Iterator[pa.RecordBatch]:
    view = memoryview(body)
    for start in range(0, len(view), MESSAGE_BYTES // 4):
        yield _piece(view[start : start + MESSAGE_BYTES // 4])


def _piece(part: bytes | memoryview) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([part], pa.binary())], schema=BODY_SCHEMA)


def action_of(command: bytes | None) -> str | None:
    """The name of the action that a put's command names; None for any other put."""
    if command is None or not command.startswith(PUT_ACTION):
        return None
    return command[len(PUT_ACTION) :].decode(errors="replace")


def gather_body(stream: InStream) -> bytes:
    """The whole body. Raises InvalidMessage when it is too large, of another schema, or ends early."""
    if stream.schema != BODY_SCHEMA:
        raise InvalidMessage("a put that names an action has one binary column `body`, without nulls")
    pieces: list[bytes] = []
    size = 0
    for batch, metadata in stream.batches:
        for piece in batch.column(0).to_pylist() if batch is not None else ():
            size += len(piece or b"")
            pieces.append(piece or b"")
        if size > LARGEST_BODY:
            raise InvalidMessage(f"a body of more than {LARGEST_BODY} bytes is refused")
        if metadata == _FINISHED:
            return b"".join(pieces)
    raise InvalidMessage("the body ends before its last piece")


def pack_answers(answers: Iterable[bytes]) -> bytes:
    """The acknowledgement that carries an action's answers: a msgpack list of byte strings."""
    packed: bytes = msgpack.packb(list(answers))
    return packed


def read_answers(data: bytes) -> tuple[bytes, ...]:
    """The answers in an acknowledgement. Raises InvalidMessage."""
    try:
        answers = msgpack.unpackb(data)
        if isinstance(answers, list) and all(isinstance(answer, bytes) for answer in answers):
            return tuple(answers)
    except (ValueError, msgpack.UnpackException):
        pass
    raise InvalidMessage("the answer to a put action is no list of byte strings")
