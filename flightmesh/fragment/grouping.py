"""Keys and measures of a GroupBy bound to the kernels: batches of rows in, batches of groups out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.expression.nodes import Field
from flightmesh.fragment.acero_groups import AceroGroups
from flightmesh.fragment.encoded_columns import Columns
from flightmesh.kernel.aggregate import aggregate, aggregate_distinct, aggregate_several, distinct_values
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.distinct_keys import distinct_keys
from flightmesh.kernel.group import Grouping, group_each, group_rows, one_group
from flightmesh.kernel.joined_text import joined_text
from flightmesh.kernel.quantiles import continuous_quantile, discrete_quantile
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.text_codes import TextCodes
from flightmesh.kernel.values import Array, unpack_bits
from flightmesh.physical.measures import merged
from flightmesh.physical.operators import ColumnOrder, Measure

OF_ONE = frozenset({"sum", "min", "max", "any_value", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor", "first", "last"})
"""Aggregates that give of one value that value."""

FEW_GROUPS = 256
"""Rows of so many groups are put in their order fast: by one pass over bytes."""
SEVERAL_SUMS = 3
"""For so many sums that pays: 2.5 ns a row, and for each sum 0.8 instead of 2 to 5.5."""


class Aggregation:
    """Groups batches by `keys` and computes `measures` of each group. Texts of `encoded` keys that came as dictionaries leave
    as such."""

    def __init__(self, keys: tuple[Field, ...], measures: tuple[Measure, ...], encoded: Columns = frozenset()) -> None:
        self._keys = keys
        self._encoded = encoded
        self._measures = measures
        self._whole_sums = sum(map(_is_whole_sum, measures))
        self.key_names = [key.key for key in keys]
        self._names = [*self.key_names, *(measure.field.key for measure in measures)]
        self._acero = AceroGroups(keys, measures)
        self._texts: TextCodes | None = None

    @classmethod
    def of_copies(cls, keys: tuple[Field, ...], measures: tuple[Measure, ...], encoded: Columns = frozenset()) -> Aggregation:
        """One whose batches are copies for grouping sets: the same key columns come several times."""
        made = cls(keys, measures, encoded)
        made._texts = TextCodes()
        return made

    def merging(self) -> Aggregation:
        """The aggregation that brings this one's results together."""
        return Aggregation(self._keys, merged(self._measures), self._encoded)

    def groups(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """One row for each group of the batch's rows; without keys exactly one row."""
        if not self._keys:
            return self._finish(batch, one_group(batch.num_rows), [])
        keys = [batch.column(name) for name in self.key_names]
        if self._texts is not None:
            return self._found(batch, group_rows(self._texts.encoded(keys), batch.num_rows), keys)
        if any(pa.types.is_dictionary(key.type) for key in keys):
            return self._found(batch, group_rows([_numbers(key) for key in keys], batch.num_rows), keys)
        if self._acero.suits(batch):
            return self._acero.groups(batch)
        only = None if self._measures or not batch.num_rows else distinct_keys(keys)
        if only is not None:
            columns = [key.cast(field.type) for key, field in zip(only, self._keys, strict=True)]
            return make_batch(columns, self._names, len(columns[0]))
        return self._found(batch, group_rows(keys, batch.num_rows), keys)

    def _found(self, batch: pa.RecordBatch, grouping: Grouping, keys: list[Array]) -> pa.RecordBatch:
        """The groups, with their keys taken from a row of each."""
        rows = pa.array(grouping.rows)
        return self._finish(batch, grouping, self._given([key.take(rows) for key in keys]))

    def _given(self, keys: list[Array]) -> list[Array]:
        """Keys as they leave."""
        return [
            key
            if key.type == field.type or (field.id in self._encoded and pa.types.is_dictionary(key.type))
            else key.cast(field.type)
            for key, field in zip(keys, self._keys, strict=True)
        ]

    def each_row(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Every row as if it were a group of its own."""
        keys = self._given([batch.column(name) for name in self.key_names])
        each = group_each(batch.num_rows)
        results = [_of_each(measure, each, batch) for measure in self._measures]
        return make_batch([*keys, *results], self._names, each.count)

    def no_rows(self) -> pa.RecordBatch:
        """The one row that a grouping without keys gives for no rows at all."""
        columns = {c.key: pa.array([], c.type) for m in self._measures for c in m.columns}
        return self.groups(make_batch(list(columns.values()), list(columns), 0))

    def _finish(self, batch: pa.RecordBatch, grouping: Grouping, keys: list[Array]) -> pa.RecordBatch:
        if self._whole_sums >= SEVERAL_SUMS and 1 < grouping.count <= FEW_GROUPS:
            grouping.order()  # which sums use once it is there
        results = [measured(measure, grouping, batch) for measure in self._measures]
        return make_batch([*keys, *results], self._names, grouping.count)


def _is_whole_sum(measure: Measure) -> bool:
    """Whether whole numbers or decimals of all rows are added up."""
    if (
        measure.function not in ("sum", "sum_count")
        or measure.where is not None
        or measure.distinct
        or measure.argument is None
    ):
        return False
    return bool(pa.types.is_integer(measure.argument.type) or pa.types.is_decimal(measure.argument.type))


def _of_each(measure: Measure, each: Grouping, batch: pa.RecordBatch) -> Array:
    """A measure of every row by itself; many give back the value."""
    if measure.function in OF_ONE and measure.argument is not None and measure.where is None:
        values = batch.column(measure.argument.key)
        if values.type == measure.field.type:
            return values
    return measured(measure, each, batch)


def _numbers(key: Array) -> Array:
    """The entries' numbers of a dictionary, whose entries are distinct (see `encoded_columns`)."""
    return key.indices if pa.types.is_dictionary(key.type) else key


def measured(measure: Measure, grouping: Grouping, batch: pa.RecordBatch) -> Array:
    """A measure of each group of the batch's rows."""
    type_ = measure.field.type
    function = "mode_in_order" if measure.order and measure.function == "mode" else measure.function
    try:
        if measure.argument is None:
            return aggregate(measure.function, grouping, None, type_)
        if measure.where is not None:
            batch, grouping = _kept(batch, grouping, batch.column(measure.where.key))
        if measure.order:
            batch, grouping = _ordered(batch, grouping, measure.order)
        values = batch.column(measure.argument.key)
        if measure.constant is not None:
            return _with_constant(measure, grouping, values)
        columns = [values, *(batch.column(column.key) for column in measure.more)]
        if measure.distinct:
            return aggregate_distinct(function, grouping, columns, type_)
        if measure.more:
            return aggregate_several(measure.function, grouping, columns, type_)
        return aggregate(function, grouping, values, type_)
    except DataError as error:
        raise DataError(f"{measure.function}({_argument(measure)}): {error.message}", hint=error.hint) from error


def _kept(batch: pa.RecordBatch, grouping: Grouping, where: Array) -> tuple[pa.RecordBatch, Grouping]:
    """The rows where a condition is true, in the same groups."""
    rows = np.flatnonzero(unpack_bits(where))
    return batch.take(pa.array(rows)), Grouping(grouping.ids[rows], grouping.count, rows)


def _ordered(batch: pa.RecordBatch, grouping: Grouping, order: tuple[ColumnOrder, ...]) -> tuple[pa.RecordBatch, Grouping]:
    """The rows in an order, in the same groups."""
    keys = [SortKey(key.column.key, key.descending, key.nulls_first) for key in order]
    rows = sort_indices(batch, keys)
    return batch.take(rows), Grouping(grouping.ids[rows.to_numpy()], grouping.count, grouping.rows)


def _with_constant(measure: Measure, grouping: Grouping, values: Array) -> Array:
    """Quantiles and joined text; of distinct values where asked."""
    constant: Any = None if measure.constant is None else measure.constant.value.as_py()
    if measure.distinct:
        grouping, values = distinct_values(grouping, values)
    if measure.function == "string_agg":
        return joined_text(grouping, values, constant)
    quantile = continuous_quantile if measure.function == "quantile_cont" else discrete_quantile
    return quantile(grouping, values, constant)


def _argument(measure: Measure) -> str:
    return "*" if measure.argument is None else measure.argument.name
