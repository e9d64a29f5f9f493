"""Every row of a probe batch beside every row of a build, a block of pairs at a time, with the columns that a condition reads.

Handed the build's columns once and probe batches one by one; hands on blocks in order of probe rows. What always holds: in a
block the build rows run fastest, so a pair's two rows follow from its place, and nothing is looked up: the build's columns,
repeated, are made once and serve every block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.values import Int64s

BLOCK_BYTES = 16 << 20
"""Bytes of a block's columns, about."""


@dataclass(frozen=True, slots=True)
class PairBlock:
    """`pairs` holds the columns; pair i is of probe row `probe` + i // `width` and build row `build` + i % `width`."""

    pairs: pa.RecordBatch
    probe: int
    build: int
    width: int

    def rows(self, places: npt.NDArray[np.intp]) -> tuple[Int64s, Int64s]:
        """The probe rows and the build rows of some of the pairs."""
        nth, build = np.divmod(places, self.width)
        return nth + self.probe, build + self.build


class PairBlocks:
    """Pairs with the rows of `build`, at most `limit` a block. Used by one task."""

    def __init__(self, build: pa.RecordBatch, limit: int) -> None:
        self._build = build
        self._limit = limit
        self._repeated = build
        self._nth = pa.array(np.zeros(build.num_rows, np.int64))

    def of(self, probe: pa.RecordBatch) -> Iterator[PairBlock]:
        """All pairs of a probe batch."""
        count = self._build.num_rows
        if count == 0 or probe.num_rows == 0:
            return
        size = self._build.nbytes // count + probe.nbytes // probe.num_rows
        limit = max(1, min(self._limit, BLOCK_BYTES // max(1, size)))
        rows = max(1, min(limit // count, probe.num_rows))
        self._repeat(rows)
        for first in range(0, probe.num_rows, rows):
            part = probe.slice(first, rows)
            if rows > 1 or count <= limit:
                yield self._block(part, first, 0, count)
                continue
            for start in range(0, count, limit):
                yield self._block(part, first, start, min(limit, count - start))

    def _block(self, part: pa.RecordBatch, first: int, start: int, width: int) -> PairBlock:
        pairs = part.num_rows * width
        left = part.take(self._nth.slice(0, pairs))
        right = self._repeated.slice(start, pairs)
        columns = [*left.columns, *right.columns]
        return PairBlock(make_batch(columns, [*left.schema.names, *right.schema.names], pairs), first, start, width)

    def _repeat(self, times: int) -> None:
        """Has the build's rows `times` times one after the other, at least, and beside each which time it is."""
        count = self._build.num_rows
        if len(self._nth) < times * count:
            nth, row = np.divmod(np.arange(times * count), count)
            self._repeated = self._build.take(pa.array(row))
            self._nth = pa.array(nth)
