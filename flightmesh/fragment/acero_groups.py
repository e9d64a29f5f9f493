"""Grouping by Acero's aggregate node: a micro-plan over one batch, for the shapes where it beats this engine's kernels.

Those are long string keys: on TPC-H's, at 131,072 rows a batch, Acero took 16 to 216 ns a row where the row-hash kernel took
22 to 420; on integer keys the kernels are two to four times faster than Acero. What always holds: the result is what the
kernels would give. So shapes where Acero differs stay with them: float keys (NaN, -0.0), float extremes (NaN), sums that could
wrap, dictionaries.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import acero

from flightmesh.compute import pc
from flightmesh.expression.nodes import Field
from flightmesh.fragment.encoded_columns import Plain
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.values import Array
from flightmesh.physical.operators import Measure

LONG_BYTES = 8
"""Strings longer than this on average are grouped faster by Acero: shorter ones pack into integers."""
EXACT_DIGITS = 28
"""Decimals of so many digits cannot pass 38 in a sum, however many rows a batch has."""

_FUNCTIONS = {
    "count": ("hash_count", pc.CountOptions("only_valid")),
    "count_star": ("hash_count_all", None),
    "sum": ("hash_sum", None),
    "sum_count": ("hash_sum", pc.ScalarAggregateOptions(min_count=0)),
    "min": ("hash_min", None),
    "max": ("hash_max", None),
}


class AceroGroups:
    """The micro-plan of one grouping."""

    def __init__(self, keys: tuple[Field, ...], measures: tuple[Measure, ...]) -> None:
        self._fields = (*keys, *(measure.field for measure in measures))
        self._measures = measures
        self._plain = Plain([*keys, *(column for measure in measures for column in measure.columns)])
        self._strings = [key.key for key in keys if _is_string(key.type)]
        self._suits = bool(self._strings) and all(_suits_key(k.type) for k in keys) and all(_suits(m) for m in measures)
        targets = [_target(measure) for measure in measures]
        options = acero.AggregateNodeOptions(targets, [key.key for key in keys]) if self._suits else None
        self._aggregate = acero.Declaration("aggregate", options) if options is not None else None

    def suits(self, batch: pa.RecordBatch) -> bool:
        """Whether this batch's groups are better found by Acero, with the same result."""
        return (
            self._suits
            and batch.num_rows > 0
            and all(not pa.types.is_dictionary(batch.column(name).type) for name in self._strings)
            and any(_mean_bytes(batch.column(name)) > LONG_BYTES for name in self._strings)
            and all(_cannot_wrap(measure, batch) for measure in self._measures)
        )

    def groups(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """One row for each group of the batch's rows, in no order."""
        plain = self._plain.apply(batch)
        source = acero.Declaration("table_source", acero.TableSourceNodeOptions(pa.Table.from_batches([plain])))
        found = acero.Declaration.from_sequence([source, self._aggregate]).to_table(use_threads=False)
        columns = []
        for field in self._fields:
            column = found.column(field.key).combine_chunks()
            columns.append(column if column.type == field.type else column.cast(field.type))
        return make_batch(columns, [field.key for field in self._fields], found.num_rows)


def _target(measure: Measure) -> tuple[object, str, pc.FunctionOptions | None, str]:
    function, options = _FUNCTIONS.get(measure.function, ("", None))
    argument = [] if measure.argument is None else measure.argument.key
    return argument, function, options, measure.field.key


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _suits_key(kind: pa.DataType) -> bool:
    plain = pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal128(kind)
    return bool(_is_string(kind) or plain or pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _suits(measure: Measure) -> bool:
    if measure.distinct or measure.function not in _FUNCTIONS:
        return False
    if measure.argument is None:
        return True
    kind = measure.argument.type
    if measure.function in ("min", "max"):
        return _suits_key(kind) and not pa.types.is_boolean(kind)
    if measure.function == "sum":
        exact = pa.types.is_decimal128(kind) and kind.precision <= EXACT_DIGITS
        return bool(exact or pa.types.is_floating(kind) or pa.types.is_signed_integer(kind))
    return True


def _mean_bytes(column: Array) -> float:
    offsets = column.buffers()[1]
    if offsets is None or len(column) == 0:
        return 0.0
    ends = np.frombuffer(offsets, np.int32, count=len(column) + 1, offset=4 * column.offset)
    return float(ends[-1] - ends[0]) / len(column)


def _cannot_wrap(measure: Measure, batch: pa.RecordBatch) -> bool:
    """Whether an integer sum stays in int64: by its type, or by the values."""
    if measure.function not in ("sum", "sum_count") or measure.argument is None:
        return True
    column = batch.column(measure.argument.key)
    if not pa.types.is_int64(column.type):
        return True
    ends = pc.min_max(column).as_py()
    largest = max(abs(ends["min"] or 0), abs(ends["max"] or 0))
    return bool(largest * len(column) < 1 << 63)
