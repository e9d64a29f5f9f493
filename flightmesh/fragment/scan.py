"""Runs a TableScan: asks for splits until there are none, filters their rows, keeps the fields.

Repeated strings may come as dictionaries, decimals in 64 bits: filters look at entries and integers, and what is kept leaves as
planned, but for what the operators above take as it is. Batches
that lose most of their rows are gathered into morsels again. Dynamic filters spare splits, or parts of them, from
being read, and drop rows before the other filters see them; the bound of a TopRows above spares splits. With a limit the scan
asks for no further split once it has enough rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.table import FileSplit, Split
from flightmesh.expression.nodes import Field
from flightmesh.fragment.bounded_scan import BoundedScan, bounded
from flightmesh.fragment.coalesce import coalesce
from flightmesh.fragment.dynamic_filters import ScanFilters
from flightmesh.fragment.encoded_columns import Plain
from flightmesh.fragment.scan_filter import compile_scan_filter
from flightmesh.fragment.site import Site
from flightmesh.kernel.batches import make_batch
from flightmesh.physical.operators import TableScan


def run_scan(node: TableScan, site: Site) -> Iterator[pa.RecordBatch]:
    """The rows of this task's splits that pass the filters."""
    keys = [f.key for f in node.fields]
    plain = Plain(node.fields, site.encoded)
    bound = bounded(node, site)
    batches: Iterator[pa.RecordBatch]
    if not node.filters and not node.dynamic and bound is None:
        batches = (plain.apply(b.select(keys)) for b in _read(node, None, None, site) if b.num_rows)
    else:
        scan_filter, dynamic = compile_scan_filter(node.filters), ScanFilters(node, site)
        read = _read(node, dynamic, bound, site)
        passed = (plain.apply(scan_filter.apply(b, keys, dynamic.mask(b))) for b in read)
        # The bound is only as good as what has come of the rows before.
        batches = coalesce(passed, site.context.morsel_rows) if bound is None else (b for b in passed if b.num_rows)
    yield from batches if node.limit is None else _limited(batches, node.limit)


def _read(node: TableScan, dynamic: ScanFilters | None, bound: BoundedScan | None, site: Site) -> Iterator[pa.RecordBatch]:
    """The splits' rows, all columns of the scan, named by id."""
    naming = _Naming(node.columns)
    context = site.context
    if dynamic is not None:
        dynamic.wait()
    while (granted := context.next_split(node.source)) is not None:
        site.metrics.count("splits")
        split: Split | None = granted if dynamic is None else dynamic.narrowed(granted)
        if split is not None and bound is not None:
            split = bound.narrowed(split)
        if split is None:
            continue
        if isinstance(split, FileSplit):
            site.metrics.count("row_groups", len(split.pieces))
        read = ReadMetrics()
        for batch in context.read_table(node.table, split, naming.names, read):
            context.check()
            site.metrics.count("rows_read", batch.num_rows)
            site.metrics.count("bytes_read", batch.nbytes)
            yield naming.apply(batch)
        if read.kept_bytes:
            site.metrics.count("kept_bytes", read.kept_bytes)


class _Naming:
    """Gives a scan's columns, named as the table names them, the names that they have in the query. `names`: those to read."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.names = tuple(dict.fromkeys(f.name for f in fields))
        self._columns = [f.name for f in fields]
        self._keys = [f.key for f in fields]
        self._plain: pa.Schema | None = None

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of `names` (of anything, if there are none) with the columns of the scan."""
        if self._plain is not None and batch.schema.equals(self._plain, check_metadata=True):
            return batch.rename_columns(self._keys)
        made = make_batch([batch.column(name) for name in self._columns], self._keys, batch.num_rows)
        if batch.schema.names == self._columns:
            # Where other names are all that is needed, a batch like this one need not be taken apart again.
            renamed = batch.rename_columns(self._keys).schema
            self._plain = batch.schema if renamed.equals(made.schema, check_metadata=True) else None
        return made


def _limited(batches: Iterator[pa.RecordBatch], limit: int) -> Iterator[pa.RecordBatch]:
    left = limit
    for batch in batches:
        if left <= 0:
            return
        yield batch.slice(0, left)
        left -= batch.num_rows
        if left <= 0:
            return
