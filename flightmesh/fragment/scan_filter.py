"""A scan's filters over batches as they are read, where repeated strings may still stand as dictionaries.

Handed conjuncts; hands on the rows for which all are true. A conjunct over one string column is evaluated once for each entry
of a dictionary instead of once for each row; rows that fall out there are not looked at again. Conjuncts that may fail, or
whose value is not fixed by their arguments, are evaluated together on whole rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flightmesh.expression.nodes import Column, Expression, columns_of, conjunction, walk
from flightmesh.expression.properties import is_volatile, may_fail
from flightmesh.fragment.portions import Portions
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.masks import both, count_rows, keep_rows
from flightmesh.kernel.values import Array, Mask, integers, unpack_bits, validity

WORTH_CUTTING = 0.5
"""Rows are cut before the rest of the filters runs when at most this share of them is left."""


@dataclass(frozen=True, slots=True)
class ScanFilter:
    """`texts` are conjuncts over one string column each, by its key; `rest` computes the conjunction of the others.
    Used by one task."""

    texts: tuple[tuple[str, Portions], ...]
    rest: Portions | None

    def apply(self, batch: pa.RecordBatch, kept: list[str], mask: Mask | None = None) -> pa.RecordBatch:
        """The rows of those in `mask` that pass, with the columns `kept`; dictionaries stay."""
        texts = self._texts_mask(batch)
        whole = texts if mask is None else mask if texts is None else both(mask, texts)
        left: int | None = None
        if whole is not None:
            left = count_rows(whole)
            if left == 0:
                return batch.slice(0, 0).select(kept)
            if self.rest is not None and left <= WORTH_CUTTING * batch.num_rows:
                batch, whole = keep_rows(batch, whole, left), None
        if self.rest is not None:
            passed = _verdicts(self.rest, batch)
            whole, left = passed if whole is None else both(whole, passed), None
        rows = batch.select(kept)
        return rows if whole is None else keep_rows(rows, whole, left)

    def _texts_mask(self, batch: pa.RecordBatch) -> Mask | Array | None:
        mask: Mask | Array | None = None
        for key, verdicts in self.texts:
            passed = _passed(batch, key, verdicts)
            mask = passed if mask is None else both(mask, passed)
        return mask


def compile_scan_filter(filters: tuple[Expression, ...]) -> ScanFilter:
    """The filter for these conjuncts."""
    texts: list[tuple[str, Portions]] = []
    rest: list[Expression] = []
    for conjunct in filters:
        columns = columns_of(conjunct)
        if len(columns) == 1 and _is_text(conjunct) and not may_fail(conjunct) and not is_volatile(conjunct):
            texts.append((f"c{next(iter(columns))}", Portions((conjunct,))))
        else:
            rest.append(conjunct)
    whole = conjunction(tuple(rest))
    return ScanFilter(tuple(texts), None if whole is None else Portions((whole,)))


def _passed(batch: pa.RecordBatch, key: str, portions: Portions) -> Mask | Array:
    column = batch.column(key)
    if not pa.types.is_dictionary(column.type) or len(column.dictionary) >= len(column):
        return _verdicts(portions, batch)
    entries = pa.concat_arrays([column.dictionary, pa.nulls(1, column.dictionary.type)])
    verdicts = _verdicts(portions, make_batch([entries], [key], len(entries)))
    return np.take(unpack_bits(verdicts), _entry_numbers(column), mode="clip")


def _verdicts(portions: Portions, batch: pa.RecordBatch) -> Array:
    verdicts = [values[0] for _, values in portions.run(batch)]
    return verdicts[0] if len(verdicts) == 1 else pa.concat_arrays([pa.array([], pa.bool_()), *verdicts])


def _entry_numbers(column: Array) -> np.ndarray:
    """Each row's entry; the one after the last for NULL."""
    numbers = integers(column.indices)
    valid = validity(column.indices)
    return numbers if valid is None else np.where(valid, numbers, len(column.dictionary))


def _is_text(conjunct: Expression) -> bool:
    return all(
        pa.types.is_string(node.type) or pa.types.is_binary(node.type) for node in walk(conjunct) if isinstance(node, Column)
    )
