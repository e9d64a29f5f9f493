"""A scan's filters over batches as they are read, where repeated strings may still stand as dictionaries.

Handed conjuncts; hands on the rows for which all are true. A conjunct over one string column is evaluated once for each entry
of a dictionary instead of once for each row; rows that fall out there are not looked at again, unless taking the others would
cost more than looking. Conjuncts that may fail, or whose value is not fixed by their arguments, are evaluated together on whole
rows, and never on those that fall out before.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Column, Expression, InList, Literal, children, columns_of, conjunction, walk
from flightmesh.expression.properties import is_volatile, may_fail
from flightmesh.expression.scaled import is_short_decimal
from flightmesh.fragment.portions import Portions
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.masks import both, count_rows, keep_rows
from flightmesh.kernel.values import Array, Int64s, Mask, integers, stored_integers, unpack_bits, validity

CUT = 3.5
"""What it costs to take a value of a row that is left, in ns;"""
COMPARED = 0.4
"""to compare two numbers or dates;"""
COMPUTED = 1.0
"""to compute with them, or find one in a list;"""
OTHER = 30.0
"""and for texts, and all else."""
ONE_BY_ONE = 2
"""Up to so many entries that pass are looked for one by one, which is cheaper than asking a table for each row."""

_BITWISE = frozenset({"and", "or", "not", "is_null", "is_not_null"})
_COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})
_ARITHMETIC = frozenset({"add", "subtract", "multiply", "negate"})


@dataclass(frozen=True, slots=True)
class ScanFilter:
    """`texts` are conjuncts over one string column each, by its key; `rest` computes the conjunction of the others, which costs
    `rest_cost` ns a row. Used by one task."""

    texts: tuple[tuple[str, Portions], ...]
    rest: Portions | None
    rest_cost: float

    def apply(self, batch: pa.RecordBatch, kept: list[str], mask: Mask | None = None) -> pa.RecordBatch:
        """The rows of those in `mask` that pass, with the columns `kept`; dictionaries stay."""
        texts = self._texts_mask(batch)
        whole = texts if mask is None else mask if texts is None else both(mask, texts)
        left: int | None = None
        if whole is not None:
            left = count_rows(whole)
            if left == 0:
                return batch.slice(0, 0).select(kept)
            if self.rest is not None and self._worth_cutting(batch, left):
                batch, whole = keep_rows(batch, whole, left), None
        if self.rest is not None:
            passed = _verdicts(self.rest, batch)
            whole, left = passed if whole is None else both(whole, passed), None
        rows = batch.select(kept)
        return rows if whole is None else keep_rows(rows, whole, left)

    def _worth_cutting(self, batch: pa.RecordBatch, left: int) -> bool:
        """Whether taking the rows that are left costs less than looking at the others, too."""
        return bool(self.rest_cost * (batch.num_rows - left) > CUT * left * batch.num_columns)

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
    if whole is None:
        return ScanFilter(tuple(texts), None, 0.0)
    # What may fail is asked of no row that is known to fall out.
    cost = math.inf if may_fail(whole) else sum(map(_cost, walk(whole)))
    return ScanFilter(tuple(texts), Portions((whole,)), cost)


def _cost(node: Expression) -> float:
    """What a node costs a row, in ns, roughly; what it is made of not included."""
    if isinstance(node, Column | Literal):
        return 0.0
    if not all(_is_number(part.type) for part in children(node)):
        return OTHER
    match node:
        case Call(function=function) if function in _BITWISE:
            return 0.0
        case Call(function=function) if function in _COMPARISONS:
            return COMPARED
        case Call(function=function) if function in _ARITHMETIC:
            return COMPUTED
        case InList():
            return COMPUTED
        case _:
            return OTHER


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind)) or is_short_decimal(kind)


def _passed(batch: pa.RecordBatch, key: str, portions: Portions) -> Mask | Array:
    column = batch.column(key)
    if not pa.types.is_dictionary(column.type) or len(column.dictionary) >= len(column):
        return _verdicts(portions, batch)
    entries = pa.concat_arrays([column.dictionary, pa.nulls(1, column.dictionary.type)])
    verdicts = unpack_bits(_verdicts(portions, make_batch([entries], [key], len(entries))))
    if not column.indices.null_count:
        passing = np.flatnonzero(verdicts[:-1])  # there is no row of the last, which stands for NULL
        if len(passing) <= ONE_BY_ONE:
            return _among(column, passing)
    return np.take(verdicts, _entry_numbers(column), mode="clip")


def _among(column: Array, entries: Int64s) -> Mask:
    """Which rows of a dictionary array without NULLs have one of these few entries."""
    numbers = stored_integers(column.indices)
    mask: Mask = np.zeros(len(numbers), np.bool_)
    for place, entry in enumerate(entries.astype(numbers.dtype)):
        mask = numbers == entry if place == 0 else mask | (numbers == entry)
    return mask


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
