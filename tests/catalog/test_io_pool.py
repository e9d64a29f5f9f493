"""Reading goes on while every thread of Arrow's IO pool is blocked (a query with many blocked sources does that)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import flightmesh

_SCRIPT = """
import sys, threading, os
import pyarrow as pa
from pyarrow.acero import Declaration
from pyarrow.acero import RecordBatchReaderSourceNodeOptions as Source

pa.set_io_thread_count(2)
opened = threading.Semaphore(0)
never = threading.Event()

def blocked():
    opened.release()
    never.wait()
    yield pa.record_batch({"v": [1]})

def hold():
    reader = pa.RecordBatchReader.from_batches(pa.schema([("v", pa.int64())]), blocked())
    Declaration("record_batch_reader_source", Source(reader)).to_table(use_threads=False)

for _ in range(2):
    threading.Thread(target=hold, daemon=True).start()
for _ in range(2):
    opened.acquire()

from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import read_split, splits
for source in sys.argv[1:]:
    table = open_table("t", source)
    print(sum(b.num_rows for s in splits(table) for b in read_split(table, s, table.schema.names, morsel_rows=1000)))
sys.stdout.flush()
os._exit(0)
"""


def test_a_blocked_io_pool_does_not_stop_a_reader(tmp_path: Path) -> None:
    pq.write_table(pa.table({"v": range(3000), "t": ["x"] * 3000}), tmp_path / "a.parquet", row_group_size=1000)
    (tmp_path / "a.csv").write_text("v,t\n" + "1,x\n" * 3000)
    (tmp_path / "a.jsonl").write_text('{"v": 1}\n' * 3000)
    with pa.ipc.new_file(tmp_path / "a.arrow", pa.schema([("v", pa.int64())])) as writer:
        writer.write_table(pa.table({"v": range(3000)}), max_chunksize=500)
    names = [str(tmp_path / name) for name in ("a.parquet", "a.csv", "a.jsonl", "a.arrow")]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *names],
        env={"PYTHONPATH": str(Path(flightmesh.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["3000"] * 4
