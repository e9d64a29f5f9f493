"""A listener in a process of its own, for tests that stop or kill one, or measure it. Started with `started`.

`python -m tests.transport.node_process` prints its URI and serves until its input ends: the actions `echo` and `sent` (batches
that went out); for any ticket, as many batches of 1 MiB as it says (b"-1": endless); a put that is acknowledged batch by batch.
With `read URI N` it reads N endless streams of another one instead, and prints a line once all of them flow; with `put URI` it
puts a batch and prints a line, and never finishes; with `line URI` it opens a line for the action `log`, and prints one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import psutil
import pyarrow as pa

from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.service import Asked, Call, InStream, OutStream
from tests.transport.serving import NUMBERS, Told, rows
from tests.waiting import wait_until

BATCH_BYTES = 1 << 20


@dataclass
class NodeProcess:
    """One that runs."""

    uri: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """Stopped when this returns: the signal takes a moment."""
        self.process.send_signal(signal.SIGSTOP)
        process = psutil.Process(self.process.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, 5, "the process to be stopped")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


@contextmanager
def started(*arguments: str) -> Iterator[NodeProcess]:
    """A node, or a reader of one, that ends with the test. `uri` is the line that it printed."""
    command = [sys.executable, "-m", "tests.transport.node_process", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            yield NodeProcess(process.stdout.readline().strip(), process)
        finally:
            process.kill()


def read(uri: str, streams: int) -> None:
    """Reads until this process ends."""
    peers = FlightPeers(8 << 20)
    flowing = threading.Barrier(streams + 1)

    def drain() -> None:
        stream = peers.get(uri, b"-1")
        assert stream.next() is not None
        flowing.wait(60)
        while stream.next() is not None:
            pass

    for _ in range(streams):
        threading.Thread(target=drain, daemon=True).start()
    flowing.wait(60)
    print("reading", flush=True)
    sys.stdin.read()
    os._exit(0)


def put(uri: str) -> None:
    """Puts until this process ends."""
    stream = FlightPeers().put(uri, b"c", NUMBERS)
    stream.write(rows(0, 8), b"a")
    assert stream.acknowledged() == b"a"
    print("putting", flush=True)
    sys.stdin.read()
    os._exit(0)


def line(uri: str) -> None:
    """Has a line open until this process ends."""
    answered = threading.Event()
    kept = FlightPeers().line(uri, "log", b"hello", lambda _: answered.set(), lambda: None)
    assert answered.wait(60)
    print("open", flush=True)
    sys.stdin.read()
    kept.cancel()
    os._exit(0)


def serve() -> None:
    batch = pa.record_batch({"n": pa.array(np.arange(BATCH_BYTES // 8))}, schema=NUMBERS)
    state = {"sent": 0}

    def endless(left: int, call: Call) -> Iterator[tuple[pa.RecordBatch, bytes]]:
        while left and not call.is_cancelled():
            left -= 1
            yield batch, b"m"
            state["sent"] += 1

    def get(ticket: bytes, call: Call) -> OutStream:
        return OutStream(NUMBERS, endless(int(ticket), call), lambda: None)

    def put(asked: Asked, stream: InStream, call: Call) -> None:
        for _, metadata in stream.batches:
            stream.acknowledge(metadata)

    def echo(body: bytes, call: Call) -> Iterable[bytes]:
        return [body]

    def sent(body: bytes, call: Call) -> Iterable[bytes]:
        return [str(state["sent"]).encode()]

    node = FlightNode(Told(acts={"echo": echo, "sent": sent}, gets=get, puts=put), lines=("echo",))
    node.start()
    print(node.uri, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["read", address, count]:
            read(address, int(count))
        case ["put", address]:
            put(address)
        case ["line", address]:
            line(address)
        case _:
            serve()
