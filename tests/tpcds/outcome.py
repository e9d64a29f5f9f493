"""What becomes of a TPC-DS query here: right, refused by name, or wrong; and the record of what became of each so far.

What always holds: right means equal to DuckDB on the same files (see tests/ties.py); refused means an InvalidQuery before any
row was read. Everything else, a wrong answer or any other failure, is wrong and can never be recorded.
"""

from __future__ import annotations

import fcntl
from functools import cache
from pathlib import Path

import pyarrow as pa

from flightmesh.errors import InvalidQuery
from tests.meshes import AnySession
from tests.ties import Answer, answer_of, assert_answers
from tests.tpcds.data import reference

RIGHT = "right"
RECORD = Path(__file__).with_name("outcomes.txt")


@cache
def answer(folder: Path, sql: str) -> Answer:
    """DuckDB's answer over the files of a folder."""
    return answer_of(reference(folder), sql)


def outcome(session: AnySession, folder: Path, sql: str) -> str:
    """`right`, or the first line of the refusal, without its place in the text. Raises whatever makes an answer wrong."""
    try:
        result = session.sql(sql)
    except InvalidQuery as refusal:
        return refusal.message.splitlines()[0]
    assert_answers(result.to_arrow(), answer(folder, sql))
    return RIGHT


def is_trivial(table: pa.Table) -> bool:
    """Whether an answer has no value but NULL and 0."""
    return not any(value for column in table.columns for value in column.to_pylist())


def recorded() -> dict[int, str]:
    """What became of each query when the record was last written."""
    lines = (line.partition(" ") for line in RECORD.read_text().splitlines())
    return {int(number): what for number, _, what in lines}


def record(number: int, what: str) -> None:
    """Writes the line of one query anew; tests of several processes may do so."""
    with RECORD.with_name("data.py").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        every = {**recorded(), number: what}
        RECORD.write_text("".join(f"{known:02} {every[known]}\n" for known in sorted(every)))
