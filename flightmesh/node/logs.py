"""Logs of a node: one line an event, for people on a terminal, as JSON anywhere else.

Handed log records, with `runtime.subjects.about(...)` as their extra; hands on lines on stderr. What always holds: a line names
the node that wrote it, and the job, stage and task that it is about where there are any; no traceback, unless FLIGHTMESH_DEBUG
is set.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from datetime import UTC, datetime
from typing import TextIO

from flightmesh.errors import InvalidConfig
from flightmesh.runtime.subjects import SUBJECTS

_FORMS = ("text", "json")


def start_logging(node: str, stream: TextIO | None = None) -> None:
    """Sends the logs of this process to `stream` (stderr). FLIGHTMESH_LOG=text or json decides the form, else whether the
    stream is a terminal does."""
    target = stream if stream is not None else sys.stderr
    form = os.environ.get("FLIGHTMESH_LOG") or ("text" if target.isatty() else "json")
    if form not in _FORMS:
        raise InvalidConfig(f"FLIGHTMESH_LOG is {form!r}", hint="it is text or json")
    debug = bool(os.environ.get("FLIGHTMESH_DEBUG"))
    lines = logging.StreamHandler(target)
    lines.setFormatter(_TextLines(node, debug) if form == "text" else _JsonLines(node, debug))
    logging.raiseExceptions = False  # whoever read the lines may be gone; the node goes on
    top = logging.getLogger("flightmesh")
    top.handlers[:] = [lines]
    top.setLevel(logging.DEBUG if debug else logging.INFO)
    top.propagate = False


class _TextLines(logging.Formatter):
    """`one | 22:14:03 registered at ...  job=3 stage=1`; warnings and worse say so."""

    def __init__(self, node: str, debug: bool) -> None:
        super().__init__()
        self._node = node
        self._debug = debug

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        subjects = " ".join(f"{name}={value}" for name, value in _subjects(record).items())
        line = f"{self._node} | {clock} {level}{record.getMessage()}{'  ' if subjects else ''}{subjects}"
        trace = _trace(self, record) if self._debug else None
        return f"{line}\n{trace}" if trace else line


class _JsonLines(logging.Formatter):
    """One map a line: time (UTC), level, node, message, then job, stage and task."""

    def __init__(self, node: str, debug: bool) -> None:
        super().__init__()
        self._node = node
        self._debug = debug

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "node": self._node,
            "message": record.getMessage(),
            **_subjects(record),
        }
        trace = _trace(self, record) if self._debug else None
        if trace:
            line["traceback"] = trace
        return json.dumps(line, ensure_ascii=False)


def _subjects(record: logging.LogRecord) -> dict[str, object]:
    return {name: record.__dict__[name] for name in SUBJECTS if record.__dict__.get(name) is not None}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    return formatter.formatException(record.exc_info) if record.exc_info else None
