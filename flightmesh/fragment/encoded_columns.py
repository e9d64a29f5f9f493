"""Which columns may pass between a fragment's operators otherwise than planned: texts as dictionaries, decimals in 64 bits.

A grouping by texts needs to know which are equal, not what they are, and a number is cheaper to gather, keep and compare than a
text; so do the least and the greatest need no more than the order of a few entries. So a column that goes to the keys of a
GroupBy, or to its min or max, past operators that only hand it on, stays a dictionary from where it was read, or from the build
side of a join, where it is made one. Decimals are computed with as 64-bit integers, and files store them so: they stay
decimal64 past what hands them on, and in what computes with them. Handed a fragment's tree; hands on what may leave each
operator so. What always holds: it *may*; each batch comes with plain columns where that was better, and everything else that
looks at a column gets it plain, as does what reads the fragment's output. Entries of such dictionaries are distinct, and none
is NULL.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.nodes import Column, Field, columns_of
from flightmesh.expression.scaled import widened
from flightmesh.ids import ColumnId
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.values import Array, is_byte_string
from flightmesh.logical.relations import Item, JoinKind
from flightmesh.physical.measures import need_all_rows
from flightmesh.physical.operators import (
    ExpandSets,
    FilterRows,
    GroupBy,
    HashJoin,
    LimitRows,
    Operator,
    ProjectColumns,
    UnionRows,
    operator_inputs,
)

Columns = frozenset[ColumnId]
_NONE: Columns = frozenset()

ROWS_PER_ENTRY = 2
"""A dictionary is handed on where it has so many rows for each entry, or the build side of a join so many results for each."""

BY_NUMBERS = frozenset({"count", "min", "max", "any_value"})
"""Aggregates of texts whose kernels take dictionaries: entries are put in order, not each row."""
COMPUTED_SHORT = frozenset({"sum", "count", "min", "max", "any_value"})
"""Aggregates whose kernels take decimal64."""


def encoded_columns(root: Operator) -> list[Columns]:
    """For each operator, in pre-order, the columns of its output that may be dictionaries or decimal64. Of the root, decimals:
    who reads the fragment's output makes them plain."""
    found: list[Columns] = []
    _visit(root, _of_decimals(root), found)
    return found


def _visit(node: Operator, accepted: Columns, found: list[Columns]) -> None:
    found.append(accepted)
    inputs = operator_inputs(node)
    for child, texts, decimals in zip(inputs, _texts(node, accepted), _decimals(node, accepted), strict=True):
        byte_strings = {f.id for f in child.fields if is_byte_string(f.type)}
        _visit(child, texts & byte_strings | decimals & _of_decimals(child), found)


def _of_decimals(node: Operator) -> Columns:
    return frozenset(f.id for f in node.fields if pa.types.is_decimal128(f.type))


def _texts(node: Operator, above: Columns) -> tuple[Columns, ...]:
    """The columns of each input that may be dictionaries, `above` being those of the output that may."""
    match node:
        case GroupBy():
            if need_all_rows(node.measures):
                return (_NONE,)
            compared, looked_at = _read_by_measures(node, BY_NUMBERS)
            return ((frozenset(key.id for key in node.keys) | compared) - looked_at,)
        case ProjectColumns():
            return (_handed_on(node.items, above),)
        case FilterRows():
            return (above - columns_of(node.predicate),)
        case ExpandSets():
            others = {f.id for f in node.input.fields if f in node.fields} - above
            return (_handed_on(node.keys, above) - others,)
        case HashJoin():
            return (_of_join(node, above) if node.kind not in (JoinKind.RIGHT, JoinKind.FULL) else _NONE, _NONE)
        case _:
            return (_NONE,) * len(operator_inputs(node))


def _decimals(node: Operator, above: Columns) -> tuple[Columns, ...]:
    """The columns of each input that may be decimal64, `above` being those of the output that may. Programs take them."""
    inputs = operator_inputs(node)
    columns = [{f.id for f in child.fields} for child in inputs]
    match node:
        case GroupBy():
            return (_computed_short(node),)
        case ProjectColumns():
            read_plain = {i.expression.id for i in node.items if isinstance(i.expression, Column) and i.field.id not in above}
            return (frozenset(columns[0] - read_plain),)
        case FilterRows() | LimitRows():
            return (above,)
        case UnionRows():
            return tuple(_by_position(node, child, above) for child in inputs)
        case HashJoin(kind=kind) if kind not in (JoinKind.RIGHT, JoinKind.FULL):
            plain = _compared(node) | ({f.id for f in node.fields} - above)
            return tuple(frozenset(each - plain) for each in columns)
        case _:
            return (_NONE,) * len(inputs)


def _by_position(node: UnionRows, child: Operator, above: Columns) -> Columns:
    """The columns of one input of a union that stand only for columns of `above`, and have their types."""
    pairs = [
        (mine.id, mine.type == given.type and given.id in above) for mine, given in zip(child.fields, node.fields, strict=True)
    ]
    return frozenset(id for id, _ in pairs) - {id for id, fits in pairs if not fits}


def _computed_short(node: GroupBy) -> Columns:
    """The columns that a grouping only adds up, counts, or takes the least or greatest of."""
    if need_all_rows(node.measures):
        return _NONE
    computed, looked_at = _read_by_measures(node, COMPUTED_SHORT)
    return computed - looked_at - {key.id for key in node.keys}


def _read_by_measures(node: GroupBy, functions: frozenset[str]) -> tuple[Columns, Columns]:
    """The columns that are the argument of one of these functions, and those that measures read otherwise."""
    arguments = {m.argument.id for m in node.measures if m.argument is not None and m.function in functions}
    others = {c.id for m in node.measures for c in (m.columns[1:] if m.function in functions else m.columns)}
    return frozenset(arguments), frozenset(others)


def _handed_on(items: Iterable[Item], above: Columns) -> Columns:
    """The columns that items only hand on, each time to a field that may be a dictionary."""
    items = tuple(items)
    plain = {item.expression.id for item in items if isinstance(item.expression, Column) and item.field.id in above}
    for item in items:
        if item.field.id not in above:
            plain -= columns_of(item.expression)
    return frozenset(plain)


def _of_join(node: HashJoin, above: Columns) -> Columns:
    """The output columns that may be dictionaries and that the join does not look at itself."""
    return above - _compared(node) - (frozenset() if node.residual is None else columns_of(node.residual))


def _compared(node: HashJoin) -> Columns:
    """The columns that a join looks at for every row: its keys, and those that it makes filters of."""
    return frozenset(c.id for k in node.keys for c in (k.probe, k.build)) | {f.column.id for f in node.dynamic}


def encode_build(rows: pa.RecordBatch, node: HashJoin, accepted: Columns) -> pa.RecordBatch:
    """The build side of a join; its texts that may leave it so as dictionaries, if it is expected to give its rows often."""
    columns = _of_join(node, accepted) & {f.id for f in node.build.fields}
    if not columns or node.estimate is None or node.estimate < ROWS_PER_ENTRY * rows.num_rows:
        return rows
    keys = {f.key for f in node.build.fields if f.id in columns}
    made = [
        pc.dictionary_encode(column) if name in keys and pa.types.is_string(column.type) else column
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
    ]
    return make_batch(made, rows.schema.names, rows.num_rows)


class Plain:
    """Makes the columns of `fields` plain, but for those of `accepted` columns that are worth another form."""

    def __init__(self, fields: Iterable[Field | Column], accepted: Columns = _NONE) -> None:
        self._types = {f.key: f.type for f in fields}
        self._accepted = {f"c{id}" for id in accepted}

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch with some or all of the fields as columns."""
        types = batch.schema.types
        if not any(pa.types.is_dictionary(t) or pa.types.is_decimal64(t) for t in types):
            return batch
        names = batch.schema.names
        columns = [self._column(*named) for named in zip(names, batch.columns, strict=True)]
        return make_batch(columns, names, batch.num_rows)

    def _column(self, name: str, column: Array) -> Array:
        if pa.types.is_decimal64(column.type):
            return column if name in self._accepted else widened(column, self._types[name])
        return _decoded(column, name in self._accepted) if pa.types.is_dictionary(column.type) else column


def _decoded(column: pa.DictionaryArray, is_accepted: bool) -> Array:
    """The texts; where they stay a dictionary, its numbers have 32 bits, so that it can be united with others (files keep those
    of 8 bits where a table had them)."""
    if not (is_accepted and _stays(column)):
        return column.dictionary_decode()
    wide = pa.dictionary(pa.int32(), column.type.value_type)
    return column if column.type == wide else column.cast(wide)


def _stays(column: pa.DictionaryArray) -> bool:
    entries = column.dictionary
    if len(entries) * ROWS_PER_ENTRY > len(column) or entries.null_count:
        return False
    return bool(pc.count_distinct(entries).as_py() == len(entries))
