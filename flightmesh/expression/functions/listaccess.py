"""Lists read by place, cut and joined: length, subscripts and slices, concatenation.

Places count from 1, negative ones from the end, as DuckDB's do; a place outside the list gives NULL, a slice outside it no
elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression.arrays import broadcast, numeric_values, valid_mask
from flightmesh.expression.functions.declare import Binding, Datum, Failure, Kernel, Nulls, Request, ScalarFunction
from flightmesh.expression.functions.vary import with_constants
from flightmesh.expression.lists import Int64s, Lists, offsets_of, places_of, put_together, rows_of, taken_apart
from flightmesh.expression.nodes import Expression, Literal
from flightmesh.expression.signatures import shared_type
from flightmesh.expression.types import Family, common_type, family

_LONG = pa.int64()
_TEXT = pa.string()


def row_by_row(function: Callable[..., pa.Array]) -> Kernel:
    """A kernel of arrays of one length as one of arrays and scalars."""

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        lone = all(isinstance(arg, pa.Scalar) for arg in args)
        made = function(*(broadcast(arg, 1 if lone else request.rows) for arg in args))
        return made[0] if lone else made

    return kernel


def list_and_element(args: Sequence[Expression]) -> tuple[pa.DataType, pa.DataType] | None:
    """The types of a list and of something that may be in it: the element's, and the list's of such; None where none fits."""
    if len(args) != 2 or family(args[0].type) not in (Family.LIST, Family.NULL):
        return None
    inside = pa.null() if family(args[0].type) is Family.NULL else args[0].type.value_type
    shared = shared_type((Literal(pa.scalar(None, inside)), args[1]))
    return None if shared is None else (pa.list_(shared), shared)


def _length_type(args: Sequence[Expression]) -> Binding | None:
    if not args or family(args[0].type) is not Family.LIST or len(args) > 2:
        return None
    if len(args) == 2 and not (isinstance(args[1], Literal) and args[1].value.as_py() == 1):
        return None
    return Binding((args[0].type, pa.int32())[: len(args)], _LONG)


def _length(args: tuple[Datum, ...], request: Request) -> Datum:
    return pc.list_value_length(args[0]).cast(_LONG)


def _place(args: Sequence[Expression], index: Expression) -> bool:
    return family(index.type) in (Family.INTEGER, Family.NULL)


def _extract_type(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2 or not _place(args, args[1]):
        return None
    if family(args[0].type) is Family.STRING:
        return Binding((_TEXT, _LONG), _TEXT)
    return Binding((args[0].type, _LONG), args[0].type.value_type) if family(args[0].type) is Family.LIST else None


def _extract(array: pa.Array, index: pa.Array) -> pa.Array:
    lists = taken_apart(array)
    wanted = numeric_values(index)
    place = np.where(wanted > 0, wanted - 1, lists.lengths + wanted)
    found = valid_mask(index) & (wanted != 0) & (place >= 0) & (place < lists.lengths)
    return lists.values.take(pa.array(np.where(found, lists.offsets[:-1] + place, 0), mask=~found))


def _character(text: pa.Array, index: int) -> pa.Array:
    if index == 0:
        return pc.utf8_slice_codeunits(text, 0, 0)
    if index > 0:
        return pc.utf8_slice_codeunits(text, index - 1, index)
    last = pc.utf8_slice_codeunits(text, index, index + 1 or None)
    there = pc.greater_equal(pc.utf8_length(text), pa.scalar(-index, pa.int32()))
    return pc.if_else(there, last, pa.scalar("", _TEXT))


def _of_list_or_text(of_lists: Callable[..., pa.Array], of_text: Callable[..., Any]) -> Kernel:
    lists, texts = row_by_row(of_lists), with_constants(1, of_text)

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        return (lists if family(args[0].type) is Family.LIST else texts)(args, request)

    return kernel


def _slice_type(args: Sequence[Expression]) -> Binding | None:
    if len(args) not in (3, 4) or not all(_place(args, arg) for arg in args[1:]):
        return None
    if family(args[0].type) is Family.STRING and len(args) == 3:
        return Binding((_TEXT, _LONG, _LONG), _TEXT)
    if family(args[0].type) is not Family.LIST:
        return None
    return Binding((args[0].type, *((_LONG,) * (len(args) - 1))), args[0].type)


def _slice(array: pa.Array, begin: pa.Array, end: pa.Array, step: pa.Array | None = None) -> pa.Array:
    lists = taken_apart(array)
    bounds = [begin, end] if step is None else [begin, end, step]
    valid = np.logical_and.reduce([valid_mask(array), *(valid_mask(bound) for bound in bounds)])
    first, last = numeric_values(begin), numeric_values(end)
    by = np.ones(len(array), np.int64) if step is None else numeric_values(step)
    if (valid & (by == 0)).any():
        raise DataError("the step of a slice is 0")
    back = by < 0
    low = _from_start(np.where(back, last, first), lists.lengths)
    high = _to_end(np.where(back, first, last), lists.lengths)
    counts = np.where(valid & (low <= high), (high - low) // np.maximum(np.abs(by), 1) + 1, 0)
    offsets = offsets_of(counts)
    row = rows_of(offsets)
    place = np.where(back, high, low)[row] + places_of(offsets) * by[row]
    return put_together(offsets, lists.values.take(pa.array(lists.offsets[row] + place - 1)), valid)


def _from_start(bound: Int64s, lengths: Int64s) -> Int64s:
    return np.maximum(np.where(bound < 0, lengths + bound + 1, bound), 1)


def _to_end(bound: Int64s, lengths: Int64s) -> Int64s:
    return np.where(bound < 0, lengths + bound + 1, np.minimum(bound, lengths))


def _text_slice(text: pa.Array, begin: int, end: int) -> pa.Array:
    start = begin - 1 if begin > 0 else begin
    stop = end if end >= 0 else (end + 1 or None)
    return pc.utf8_slice_codeunits(text, start=start, stop=stop)


def _lists(args: Sequence[Expression]) -> Binding | None:
    """Lists of one type; at least one that is not NULL."""
    if not args or any(family(arg.type) not in (Family.LIST, Family.NULL) for arg in args):
        return None
    shared: pa.DataType | None = pa.null()
    for arg in args:
        shared = None if shared is None else common_type(shared, arg.type)
    return None if shared is None or family(shared) is Family.NULL else Binding((shared,) * len(args), shared)


def joined(parts: Sequence[Lists]) -> tuple[Int64s, pa.Array]:
    """Offsets and elements of the lists of each row one after the other."""
    lengths = np.stack([part.lengths for part in parts], axis=1).reshape(-1)
    bases = offsets_of(np.array([len(part.values) for part in parts]))
    starts = np.stack([part.offsets[:-1] + base for part, base in zip(parts, bases, strict=False)], axis=1).reshape(-1)
    offsets = offsets_of(lengths)
    wanted = starts[rows_of(offsets)] + places_of(offsets)
    values = pa.concat_arrays([part.values for part in parts]).take(pa.array(wanted))
    return offsets[:: len(parts)], values


def _concat(*arrays: pa.Array) -> pa.Array:
    return put_together(*joined([taken_apart(a) for a in arrays]))


def _concat_operator(*arrays: pa.Array) -> pa.Array:
    valid = np.logical_and.reduce([valid_mask(a) for a in arrays])
    if not valid.all():
        kept = pa.array(valid)
        arrays = tuple(pc.if_else(kept, a, pa.scalar(None, a.type)) for a in arrays)
    return put_together(*joined([taken_apart(a) for a in arrays]), valid)


def _appended_type(args: Sequence[Expression]) -> Binding | None:
    found = list_and_element(args)
    return None if found is None else Binding(found, found[0])


def _prepended_type(args: Sequence[Expression]) -> Binding | None:
    found = list_and_element(tuple(reversed(args)))
    return None if found is None else Binding((found[1], found[0]), found[0])


def _alone(values: pa.Array) -> Lists:
    return Lists(np.arange(len(values) + 1), values, None)


def _append(array: pa.Array, values: pa.Array) -> pa.Array:
    return put_together(*joined([taken_apart(array), _alone(values)]))


def _prepend(values: pa.Array, array: pa.Array) -> pa.Array:
    return put_together(*joined([_alone(values), taken_apart(array)]))


def _same(args: Sequence[Expression]) -> Binding | None:
    return Binding((args[0].type,), args[0].type) if len(args) == 1 and family(args[0].type) is Family.LIST else None


def _reverse(array: pa.Array) -> pa.Array:
    lists = taken_apart(array)
    wanted = lists.offsets[1:][lists.rows] - 1 - places_of(lists.offsets)
    return put_together(lists.offsets, lists.values.take(pa.array(wanted)), lists.valid)


FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("array_length", "How many elements a list has; `len` too.", "list", _length_type, _length,
                   ("array_length(any[][, 1]) -> BIGINT",)),
    ScalarFunction("list_extract", "The element at a place, as `xs[1]`; NULL where there is none.", "list", _extract_type,
                   _of_list_or_text(_extract, _character), ("list_extract(any[], BIGINT) -> any",
                                                            "list_extract(VARCHAR, BIGINT) -> VARCHAR"),
                   ("list_element", "array_extract")),
    ScalarFunction("list_slice", "The elements from one place to another, both included, as `xs[2:3]`.", "list", _slice_type,
                   _of_list_or_text(_slice, _text_slice), ("list_slice(any[], BIGINT, BIGINT[, BIGINT]) -> any[]",
                                                           "list_slice(VARCHAR, BIGINT, BIGINT) -> VARCHAR"),
                   ("array_slice",), failure=Failure.MAY),
    ScalarFunction("list_concat", "The elements of all lists; a NULL list has none.", "list", _lists,
                   row_by_row(_concat), ("list_concat(any[], ...) -> any[]",), ("list_cat", "array_concat", "array_cat"),
                   nulls=Nulls.OWN),
    ScalarFunction("list_joined", "The elements of both lists, as `xs || ys`; NULL where either is.", "list", _lists,
                   row_by_row(_concat_operator), ("any[] || any[] -> any[]",)),
    ScalarFunction("list_append", "The list with one more element at its end.", "list", _appended_type, row_by_row(_append),
                   ("list_append(any[], any) -> any[]",), ("array_append", "array_push_back"), nulls=Nulls.OWN),
    ScalarFunction("list_prepend", "The list with one more element before it.", "list", _prepended_type, row_by_row(_prepend),
                   ("list_prepend(any, any[]) -> any[]",), ("array_prepend",), nulls=Nulls.OWN),
    ScalarFunction("list_reverse", "The elements from the last to the first.", "list", _same, row_by_row(_reverse),
                   ("list_reverse(any[]) -> any[]",), ("array_reverse",)),
)  # fmt: skip
