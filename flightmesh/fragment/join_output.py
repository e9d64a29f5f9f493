"""Output rows of a join from pairs of row numbers."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.kernel.batches import make_batch, take_rows
from flightmesh.kernel.values import Array
from flightmesh.physical.operators import HashJoin

Rows: TypeAlias = npt.NDArray[np.integer[Any]]


class JoinOutput:
    """Makes batches of `node.fields` of rows of a probe batch and of the build."""

    def __init__(self, node: HashJoin, build: pa.RecordBatch) -> None:
        in_probe = {f.id for f in node.probe.fields}
        in_build = {f.id for f in node.build.fields}
        self._names = [f.key for f in node.fields]
        self._probe = [f for f in node.fields if f.id in in_probe]
        self._build = [f for f in node.fields if f.id in in_build and f.id not in in_probe]
        self._build_rows = build.select([f.key for f in self._build])
        types = dict(zip(build.schema.names, build.schema.types, strict=True))
        self._build_schema = pa.schema([(f.key, given_type(types[f.key], f.type)) for f in self._build])
        self._mark = None if node.mark is None else node.mark.key

    def pairs(self, batch: pa.RecordBatch, probe: Rows, build: Rows) -> pa.RecordBatch:
        """One row a pair. Probe rows come in order, so as many pairs as rows without repeats are all rows."""
        return self._put(self._probe_columns(batch, probe), self._build_columns(pa.array(build)), len(probe))

    def every_probe_row(self, batch: pa.RecordBatch, build: Rows) -> pa.RecordBatch:
        """Every row of a probe batch beside one build row; NULLs beside -1."""
        none = build < 0
        indices = pa.array(build, mask=none if none.any() else None)
        return self._put(self._probe_columns(batch, None), self._build_columns(indices), batch.num_rows)

    def probe_only(self, batch: pa.RecordBatch, probe: Rows) -> pa.RecordBatch:
        """Probe rows beside NULLs."""
        return self._put(self._probe_columns(batch, probe), self._no_build(len(probe)), len(probe))

    def build_only(self, build: Rows) -> pa.RecordBatch:
        """Build rows beside NULLs."""
        nulls = {f.key: pa.nulls(len(build), f.type) for f in self._probe}
        return self._put(nulls, self._build_columns(pa.array(build)), len(build))

    def marked(self, batch: pa.RecordBatch, mark: Array) -> pa.RecordBatch:
        """Every row of a probe batch with its mark."""
        return self._put(self._probe_columns(batch, None), {str(self._mark): mark}, batch.num_rows)

    def _put(self, probe: dict[str, Array], build: dict[str, Array], rows: int) -> pa.RecordBatch:
        columns = [probe[name] if name in probe else build[name] for name in self._names]
        return make_batch(columns, self._names, rows)

    def _probe_columns(self, batch: pa.RecordBatch, rows: Rows | None) -> dict[str, Array]:
        names = [f.key for f in self._probe]
        part = batch.select(names)
        if rows is not None and not _is_every_row(rows, batch.num_rows):
            part = part.take(pa.array(rows))
        return dict(zip(names, part.columns, strict=True))

    def _build_columns(self, rows: Array) -> dict[str, Array]:
        if not self._build:
            return {}
        taken = take_rows(self._build_rows, rows, self._build_schema)
        return dict(zip(self._build_schema.names, taken.columns, strict=True))

    def _no_build(self, rows: int) -> dict[str, Array]:
        return {f.name: pa.nulls(rows, f.type) for f in self._build_schema}


def given_type(held: pa.DataType, planned: pa.DataType) -> pa.DataType:
    """Dictionaries of texts and decimal64 leave as they are held, all else as planned (texts past 2 GiB are held as large
    ones)."""
    return held if pa.types.is_dictionary(held) or pa.types.is_decimal64(held) else planned


def _is_every_row(rows: Rows, count: int) -> bool:
    return len(rows) == count and bool((rows == np.arange(count)).all())
