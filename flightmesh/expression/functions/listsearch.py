"""What is in lists: elements looked for, compared with ANY, told apart, and lists compared as sets.

Elements are equal as values are: NaN equals NaN, lists by their elements. NULLs among the elements are equal to nothing, but
where a function says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.arrays import boolean_mask, valid_mask
from flightmesh.expression.functions.comparison import compare
from flightmesh.expression.functions.declare import Binding, Nulls, ScalarFunction
from flightmesh.expression.functions.listaccess import list_and_element, row_by_row
from flightmesh.expression.listkeys import sort_codes
from flightmesh.expression.lists import Lists, Mask, kept_elements, places_of, put_together, taken_apart
from flightmesh.expression.nodes import Expression
from flightmesh.expression.types import Family, common_type, family

_BOOL = pa.bool_()
QUANTIFIED = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
"""Comparisons with ANY element of a list: `equal_any(x, xs)`."""


def _found_type(result: pa.DataType) -> Callable[[Sequence[Expression]], Binding | None]:
    def rule(args: Sequence[Expression]) -> Binding | None:
        found = list_and_element(args)
        return None if found is None else Binding(found, result)

    return rule


def _equal(lists: Lists, values: pa.Array) -> Mask:
    """For each element whether it equals its row's value."""
    return boolean_mask(compare("equal", lists.values, values.take(pa.array(lists.rows))))


def _in_any(lists: Lists, hits: Mask) -> Mask:
    """For each list whether an element hits."""
    return np.bincount(lists.rows[hits], minlength=len(lists.offsets) - 1) > 0


def _contains(array: pa.Array, values: pa.Array) -> pa.Array:
    lists = taken_apart(array)
    return pa.array(_in_any(lists, _equal(lists, values)), mask=~(valid_mask(array) & valid_mask(values)))


def _position(array: pa.Array, values: pa.Array) -> pa.Array:
    """The first place of the value; of NULL that of the first NULL."""
    lists = taken_apart(array)
    sought = ~valid_mask(values)[lists.rows] & ~valid_mask(lists.values)
    hits = np.flatnonzero(_equal(lists, values) | sought)[::-1]
    found = np.zeros(len(array), np.int32)
    found[lists.rows[hits]] = places_of(lists.offsets)[hits] + 1  # the last write stays: the first place
    return pa.array(found, mask=(found == 0) | ~valid_mask(array))


def _any_type(args: Sequence[Expression]) -> Binding | None:
    found = list_and_element(tuple(reversed(args)))
    return None if found is None else Binding((found[1], found[0]), _BOOL)


def _with_any(name: str) -> Callable[[pa.Array, pa.Array], pa.Array]:
    """Whether a comparison holds with any element: unknown where only an unknown one stands between, false of no elements."""

    def run(values: pa.Array, array: pa.Array) -> pa.Array:
        lists = taken_apart(array)
        met = compare(name, values.take(pa.array(lists.rows)), lists.values)
        hits = _in_any(lists, boolean_mask(met))
        return pa.array(hits, mask=~hits & _in_any(lists, ~valid_mask(met)))

    return run


def _sets(result: pa.DataType | None) -> Callable[[Sequence[Expression]], Binding | None]:
    def rule(args: Sequence[Expression]) -> Binding | None:
        if len(args) != 2 or any(family(arg.type) not in (Family.LIST, Family.NULL) for arg in args):
            return None
        shared = common_type(args[0].type, args[1].type)
        if shared is None or family(shared) is Family.NULL:
            return None
        return Binding((shared, shared), shared if result is None else result)

    return rule


def _coded(*parts: Lists) -> list[npt.NDArray[np.int64]]:
    """For each element a number that says its row and its value; -1 for NULL."""
    codes = sort_codes(pa.concat_arrays([part.values for part in parts]))
    encoded = codes.dictionary_encode()
    valid = valid_mask(codes)
    numbers = np.asarray(encoded.indices.fill_null(0) if encoded.indices.null_count else encoded.indices).astype(np.int64)
    rows = np.concatenate([part.rows for part in parts])
    pairs = np.where(valid, rows * max(len(encoded.dictionary), 1) + numbers, -1)
    return np.split(pairs, np.cumsum([len(part.values) for part in parts])[:-1])


def _is_in(pairs: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> Mask:
    """Which of the values stand in the other list of their row; NULL stands in none."""
    return boolean_mask(pc.is_in(pa.array(pairs), value_set=pa.array(others))) & (pairs >= 0)


def _firsts(pairs: npt.NDArray[np.int64]) -> Mask:
    """Which elements are the first of their value in their list, NULLs not."""
    seen = np.asarray(pa.array(pairs).dictionary_encode().indices).astype(np.int64)
    before = np.concatenate((np.full(1, -1), np.maximum.accumulate(seen)[:-1])) if len(seen) else seen
    return (seen > before) & (pairs >= 0)


def _has_any(left: pa.Array, right: pa.Array) -> pa.Array:
    one, other = taken_apart(left), taken_apart(right)
    mine, theirs = _coded(one, other)
    return pa.array(_in_any(one, _is_in(mine, theirs)), mask=~(valid_mask(left) & valid_mask(right)))


def _has_all(left: pa.Array, right: pa.Array) -> pa.Array:
    """NULLs among what is looked for are left out."""
    one, other = taken_apart(left), taken_apart(right)
    mine, theirs = _coded(one, other)
    missing = ~_is_in(theirs, mine) & (theirs >= 0)
    return pa.array(~_in_any(other, missing), mask=~(valid_mask(left) & valid_mask(right)))


def _intersect(left: pa.Array, right: pa.Array) -> pa.Array:
    one, other = taken_apart(left), taken_apart(right)
    mine, theirs = _coded(one, other)
    return put_together(*kept_elements(one, _firsts(mine) & _is_in(mine, theirs)), one.valid)


def _one_list(result: pa.DataType | None) -> Callable[[Sequence[Expression]], Binding | None]:
    def rule(args: Sequence[Expression]) -> Binding | None:
        if len(args) != 1 or family(args[0].type) is not Family.LIST:
            return None
        return Binding((args[0].type,), args[0].type if result is None else result)

    return rule


def _distinct(array: pa.Array) -> pa.Array:
    lists = taken_apart(array)
    return put_together(*kept_elements(lists, _firsts(_coded(lists)[0])), lists.valid)


def _unique(array: pa.Array) -> pa.Array:
    lists = taken_apart(array)
    counts = np.bincount(lists.rows[_firsts(_coded(lists)[0])], minlength=len(array)).astype(np.uint64)
    return pa.array(counts, mask=~valid_mask(array))


FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("list_contains", "Whether an element equals the value; `value IN list` too.", "list", _found_type(_BOOL),
                   row_by_row(_contains), ("list_contains(any[], any) -> BOOLEAN",),
                   ("list_has", "array_contains", "array_has")),
    ScalarFunction("list_position", "The first place of the value in the list, of NULL too; NULL where it is not.", "list",
                   _found_type(pa.int32()), row_by_row(_position), ("list_position(any[], any) -> INTEGER",),
                   ("list_indexof", "array_position", "array_indexof"), nulls=Nulls.OWN),
    *(
        ScalarFunction(f"{name}_any", f"Whether `{name}` holds with any element, as `x = ANY(xs)`; false of no list.", "list",
                       _any_type, row_by_row(_with_any(name)), (f"{name}_any(any, any[]) -> BOOLEAN",), nulls=Nulls.OWN)
        for name in QUANTIFIED
    ),
    ScalarFunction("list_has_any", "Whether the lists share a value.", "list", _sets(_BOOL), row_by_row(_has_any),
                   ("list_has_any(any[], any[]) -> BOOLEAN",), ("array_has_any", "&&")),
    ScalarFunction("list_has_all", "Whether every value of the second list is in the first.", "list", _sets(_BOOL),
                   row_by_row(_has_all), ("list_has_all(any[], any[]) -> BOOLEAN",), ("array_has_all", "@>")),
    ScalarFunction("list_intersect", "The first list's values, each once, that are in the second.", "list", _sets(None),
                   row_by_row(_intersect), ("list_intersect(any[], any[]) -> any[]",), ("array_intersect",), nulls=Nulls.OWN),
    ScalarFunction("list_distinct", "The values of the list, each once, without NULLs; in the order in which they came first.",
                   "list", _one_list(None), row_by_row(_distinct), ("list_distinct(any[]) -> any[]",), ("array_distinct",)),
    ScalarFunction("list_unique", "How many values the list has, without NULLs.", "list", _one_list(pa.uint64()),
                   row_by_row(_unique), ("list_unique(any[]) -> UBIGINT",), ("array_unique",)),
)  # fmt: skip
