"""What each kernel leaves to other threads: how long a third thread waits while two run it, and what two make of two cores.

The figures are printed (`pytest -s`); the wait is asserted with a wide margin, as a kernel that kept the GIL for a whole call
over four million rows would stand out by far. Scaling depends on what else the machine does, so it is only printed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.kernel.aggregate import aggregate
from flightmesh.kernel.allocation import keep_freed_memory
from flightmesh.kernel.batches import concat_batches
from flightmesh.kernel.equality import rows_equal
from flightmesh.kernel.group import group_rows
from flightmesh.kernel.hash import hash_columns
from flightmesh.kernel.join_index import build_join_index
from flightmesh.kernel.merge import merge_runs
from flightmesh.kernel.partition import partition_batch
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.topk import TopRows

MORSEL = 131_072
MORSELS = 16
LONGEST_WAIT = 0.25
RNG = np.random.default_rng(7)

BATCH = pa.record_batch(
    {
        "dense": RNG.integers(0, 50_000, MORSEL),
        "sparse": RNG.integers(0, 1 << 40, MORSEL),
        "clustered": np.arange(MORSEL) // 5,
        "text": pa.array([f"customer {i * 7919 % 5000:>{4 + i % 20}}" for i in range(MORSEL)]),
        "amount": pa.array(RNG.integers(0, 10**6, MORSEL)).cast(pa.decimal128(19, 0)),
        "price": RNG.random(MORSEL),
        "maybe": pa.array(RNG.integers(0, 100, MORSEL), mask=RNG.random(MORSEL) < 0.1),
    }
)
DENSE, SPARSE, CLUSTERED, TEXT, AMOUNT, PRICE, MAYBE = BATCH.columns
GROUPS = group_rows([DENSE], MORSEL)
BUILD = pa.array(RNG.permutation(1 << 18))
DENSE_INDEX = build_join_index([BUILD], [False])
HASH_INDEX = build_join_index([SPARSE], [False])
TEXT_INDEX = build_join_index([TEXT], [False])
SORTED = BATCH.take(sort_indices(BATCH, [SortKey("sparse")]))


def probe(index: object, keys: pa.Array) -> None:
    for _ in index.lookup([keys], MORSEL).pairs(MORSEL):  # type: ignore[attr-defined]
        pass


def top() -> None:
    kept = TopRows([SortKey("price", descending=True)], 100, MORSEL)
    kept.add(BATCH)
    kept.result(BATCH.schema)


KERNELS: dict[str, Callable[[], object]] = {
    "hash integers": lambda: hash_columns([SPARSE]),
    "hash strings": lambda: hash_columns([TEXT]),
    "hash decimals": lambda: hash_columns([AMOUNT]),
    "hash nullable and float": lambda: hash_columns([MAYBE, PRICE]),
    "partition": lambda: partition_batch(BATCH, ["sparse"], 64),
    "compare rows": lambda: rows_equal([TEXT, MAYBE], [TEXT, MAYBE]),
    "build a dense index": lambda: build_join_index([BUILD], [False]),
    "build a hash index": lambda: build_join_index([SPARSE], [False]),
    "probe a dense index": lambda: probe(DENSE_INDEX, DENSE),
    "probe a hash index": lambda: probe(HASH_INDEX, SPARSE),
    "probe strings, many matches": lambda: probe(TEXT_INDEX, TEXT.slice(0, 4000)),
    "group dense": lambda: group_rows([DENSE], MORSEL),
    "group sparse": lambda: group_rows([SPARSE], MORSEL),
    "group clustered": lambda: group_rows([CLUSTERED], MORSEL),
    "group strings": lambda: group_rows([TEXT], MORSEL),
    "sum decimals": lambda: aggregate("sum", GROUPS, AMOUNT, pa.decimal128(38, 0)),
    "sum floats": lambda: aggregate("sum", GROUPS, PRICE, pa.float64()),
    "count nullable": lambda: aggregate("count", GROUPS, MAYBE, pa.int64()),
    "least decimal": lambda: aggregate("min", GROUPS, AMOUNT, AMOUNT.type),
    "greatest string": lambda: aggregate("max", GROUPS, TEXT, TEXT.type),
    "any value": lambda: aggregate("any_value", GROUPS, MAYBE, MAYBE.type),
    "sort": lambda: sort_indices(BATCH.slice(0, MORSEL // 4), [SortKey("text"), SortKey("price", True)]),
    "merge": lambda: list(merge_runs([iter([SORTED.slice(i, MORSEL // 8)]) for i in (0, 99, 5000)], [SortKey("sparse")])),
    "top": top,
    "concatenate": lambda: concat_batches([BATCH, BATCH], BATCH.schema),
}


class Ticker:
    """A thread that only wants to run once a millisecond; `longest` is the longest it had to wait, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Ticker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._stop.wait(0.001):
            now = time.perf_counter()
            self.longest = max(self.longest, now - last)
            last = now


def repeat(kernel: Callable[[], object]) -> None:
    for _ in range(MORSELS):
        kernel()


def measure(kernel: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds for one thread alone, for two threads with as many morsels each, and the ticker's longest wait beside the two."""
    kernel()
    started = time.perf_counter()
    repeat(kernel)
    alone = time.perf_counter() - started
    workers = [threading.Thread(target=repeat, args=(kernel,)) for _ in range(2)]
    with Ticker() as ticker:
        started = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        together = time.perf_counter() - started
    return alone, together, ticker.longest


@pytest.mark.parametrize("name", list(KERNELS))
def test_other_threads_keep_running_beside_a_kernel(name: str, record_property: Callable[[str, object], None]) -> None:
    keep_freed_memory(2)
    for _ in range(3):  # a busy machine may take a core away for longer than any kernel does
        alone, together, wait = measure(KERNELS[name])
        if wait < LONGEST_WAIT:
            break
    scaling = 2 * alone / together
    print(
        f"\n{name:28} {alone / MORSELS / MORSEL * 1e9:7.1f} ns/row, "
        f"two threads x{scaling:.2f}, longest wait {wait * 1e3:.1f} ms"
    )
    record_property("two_thread_scaling", round(scaling, 2))
    record_property("longest_wait_ms", round(wait * 1e3, 1))
    assert wait < LONGEST_WAIT


def test_the_ticker_notices_a_call_that_keeps_the_interpreter() -> None:
    numbers = RNG.permutation(3_000_000).tolist()
    with Ticker() as ticker:
        started = time.perf_counter()
        numbers.sort()
        length = time.perf_counter() - started
    assert ticker.longest > length / 2
