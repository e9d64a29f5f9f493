"""What a client's command means: SQL text, the text of a YAML plan, or a msgpack map; and values of parameters.

Handed bytes; hands on `Run`, `UploadTable`, or parameters as the binder takes them. What always holds: a map that msgpack reads
to its last byte is a map, everything else is text in UTF-8; text is a plan if its first line with content is a key of plans,
which no SQL begins with; what is none of these raises InvalidMessage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack
import pyarrow as pa

from flightmesh.errors import InvalidMessage
from flightmesh.protocol.client_messages import Run, UploadTable
from flightmesh.protocol.codec import decode

_PLAN_LINE = re.compile(
    r"""(?:---|%YAML\b|\{\s*["']?(?:plan|inputs|steps|params)\b|["']?(?:plan|description|params|inputs|steps|output|write|settings)["']?\s*:(?:\s|$))"""
)
LONGEST = 16 * 1024 * 1024
"""Bytes of a command or a statement. No query is so long."""


def read_run(command: bytes) -> Run:
    """What a GetFlightInfo or GetSchema command asks for. Raises InvalidMessage."""
    if len(command) > LONGEST:
        raise InvalidMessage(f"a command of {len(command):,} bytes is too long", hint=f"at most {LONGEST:,} bytes")
    if is_map(command):
        run: Run = decode(command, Run)
        given = [run.statement, run.sql, run.plan, run.job]
        if sum(part is not None for part in given) != 1:
            raise InvalidMessage("a command names exactly one of statement, sql, plan and job")
        return run
    try:
        text = command.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidMessage(
            f"a command of {len(command)} bytes is neither text in UTF-8 nor a msgpack map",
            hint="give SQL text, the text of a YAML plan, or a map such as {'sql': 'select 1'}",
        ) from None
    return Run(plan=text) if is_plan(text) else Run(sql=text)


def is_map(data: bytes) -> bool:
    """Whether bytes are a msgpack map and nothing else."""
    first = data[:1]
    if not first or not (0x80 <= first[0] <= 0x8F or first[0] in (0xDE, 0xDF)):
        return False
    try:
        return isinstance(msgpack.unpackb(data, strict_map_key=False), dict)
    except Exception:  # msgpack raises of its own, and ValueErrors: then these bytes are something else
        return False


def is_plan(text: str) -> bool:
    """Whether a text is that of a plan rather than SQL."""
    for line in text.removeprefix("\ufeff").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            return _PLAN_LINE.match(line) is not None
    return False


def read_upload(command: bytes | None, path: tuple[str, ...]) -> UploadTable:
    """Which table a DoPut is to make: an `UploadTable`, or a path whose parts are its name. Raises InvalidMessage."""
    if command is not None:
        if len(command) > LONGEST or not is_map(command):
            raise InvalidMessage("the command of an upload is a msgpack map: {'name': 'sales'}")
        upload: UploadTable = decode(command, UploadTable)
        return upload
    if not path or not all(path):
        raise InvalidMessage("an upload names its table: by a path, or by a command {'name': 'sales'}")
    return UploadTable(quoted(path))


def quoted(path: Sequence[str]) -> str:
    """The parts of a name as SQL has it, whatever they hold."""
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in path)


def read_params(data: bytes | None) -> Mapping[str, Any] | Sequence[Any] | None:
    """Values of parameters, of the one row of an Arrow stream: by name, or in order where columns are `$1`, `$2`, ...

    Raises InvalidMessage for anything else.
    """
    if data is None:
        return None
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            table = reader.read_all()
        table.validate(full=True)
        if table.num_rows != 1:
            raise InvalidMessage(f"parameters are one row, not {table.num_rows}")
        names = [str(name) for name in table.column_names]
        values = [column[0].as_py() for column in table.columns]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, ValueError, KeyError) as error:
        raise InvalidMessage(f"the parameters are not an Arrow stream: {str(error).splitlines()[0][:200]}") from None
    if names and names == [f"${number}" for number in range(1, len(names) + 1)]:
        return values
    return dict(zip(names, values, strict=True))
