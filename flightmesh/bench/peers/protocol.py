"""What a runner speaks with the command that started it: a line of JSON for each request on stdin, one for each answer on
stdout.

Handed an engine; answers requests until stdin ends. Requests: `{"do": "load", "tables": {NAME: PATH}}`, `{"do": "run", "sql":
TEXT, "rows": FILE or null}`, and what else the engine offers by name. Answers: an object; one with `error` says what failed.
The first answer, before any request, is `{"version": ...}`. What always holds: only answers are written to stdout, whatever
the engine prints goes to stderr; a time counts from the text to the last row in Arrow; when the command is gone, this process
and those that it started end.

Only the standard library and pyarrow are imported: every engine has an environment of its own.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import IO, Any, Protocol

import pyarrow as pa

END_SECONDS = 5.0
"""How long what runs may take to end when the command is gone."""


class Engine(Protocol):
    """An engine that answers queries over files."""

    version: str

    def load(self, tables: dict[str, str]) -> None:
        """Gives files names: a path or a glob of Parquet files for each table."""

    def run(self, sql: str) -> pa.Table:
        """All rows of a query in DuckDB's dialect. Raises whatever the engine has to say."""

    def close(self) -> None:
        """Ends what it started."""

    # It may also have `prepare(sql) -> text`, which is outside the time, and `figures() -> dict` of the run before.


def serve(opened: Callable[[dict[str, Any]], Engine]) -> None:
    """Opens an engine with the options in the first argument (JSON) and answers until the command is gone.

    `cores` among the options: the cores that this process and its children may use; on systems that cannot say so, all.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    options = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, options["cores"])
    requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    try:
        engine = opened(options)
    except Exception as failure:
        traceback.print_exc()
        _say(answers, {"error": said(failure)})
        return
    try:
        _say(answers, {"version": engine.version})
        while (request := requests.get()) is not None:
            _say(answers, _answer(engine, request))
    finally:
        engine.close()


def _read(requests: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    requests.put(None)
    time.sleep(END_SECONDS)  # still here: a query runs for which nobody waits any more
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _answer(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    what = request.pop("do")
    try:
        if what == "run":
            return _run(engine, **request)
        answer: dict[str, Any] | None = getattr(engine, what)(**request)
        return answer or {}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as failure:  # a panic of a library in Rust is no Exception
        return {"error": said(failure)}


def _run(engine: Engine, sql: str, rows: str | None) -> dict[str, Any]:
    prepare: Callable[[str], str] = getattr(engine, "prepare", str)
    text = prepare(sql)
    start = time.perf_counter()
    table = engine.run(text)
    answer: dict[str, Any] = {"seconds": time.perf_counter() - start}
    answer.update(getattr(engine, "figures", dict)())
    if rows is not None:
        write(table, rows)
    return answer


def write(table: pa.Table, path: str) -> None:
    """Writes a table as an Arrow IPC file."""
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def said(failure: BaseException) -> str:
    """What a failure says, on one line of bounded length."""
    return f"{type(failure).__name__}: {' '.join(str(failure).split())[:300]}"


def _say(answers: IO[str], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
