"""Lists put in order, and one value of each list: its sum, its least, its first, ...

NULLs among the elements are left out of what a list comes to, as aggregates leave them out, and stand last in its order. A list
of no values comes to NULL, and to 0 where it is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression.arrays import boolean_mask, numeric_values, valid_mask
from flightmesh.expression.functions.declare import Binding, Datum, Failure, Kernel, Request, ScalarFunction
from flightmesh.expression.functions.listaccess import row_by_row
from flightmesh.expression.listkeys import sort_codes
from flightmesh.expression.lists import Int64s, Lists, kept_elements, put_together, taken_apart
from flightmesh.expression.nodes import Expression, Literal
from flightmesh.expression.scaled import as_int64
from flightmesh.expression.types import HUGEINT, INT64_PRECISION, MAX_PRECISION, Family, family

_DOUBLE = pa.float64()
_ORDERS = {"ASC": False, "DESC": True}
_PLACES = {"NULLS FIRST": True, "NULLS LAST": False}


def _ordered(lists: Lists, descending: bool, nulls_first: bool) -> Int64s:
    """The elements' numbers, each list's in order."""
    codes = sort_codes(lists.values)
    table = pa.RecordBatch.from_arrays([pa.array(lists.rows), codes.is_null(), codes], ["row", "none", "value"])
    keys = [("row", "ascending"), ("none", "descending" if nulls_first else "ascending")]
    keys.append(("value", "descending" if descending else "ascending"))
    return np.asarray(pc.sort_indices(table, sort_keys=keys)).astype(np.int64)


def _sorted_type(args: Sequence[Expression]) -> Binding | None:
    if not 1 <= len(args) <= 3 or family(args[0].type) not in (Family.LIST, Family.NULL):
        return None
    if any(not isinstance(arg, Literal) or family(arg.type) is not Family.STRING for arg in args[1:]):
        return None
    kind = pa.list_(pa.null()) if family(args[0].type) is Family.NULL else args[0].type
    return Binding((kind, *((pa.string(),) * (len(args) - 1))), kind)


def _sort(backwards: bool) -> Kernel:
    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        words = [arg.as_py() for arg in args[1:] if isinstance(arg, pa.Scalar)]
        descending, rest = (True, words) if backwards else (_chosen(_ORDERS, words[:1], "ASC or DESC"), words[1:])
        nulls_first = _chosen(_PLACES, rest, "NULLS FIRST or NULLS LAST")
        if isinstance(args[0], pa.Scalar):
            return _in_order(pa.repeat(args[0], 1), descending, nulls_first)[0]
        return _in_order(args[0], descending, nulls_first)

    return kernel


def _chosen(known: dict[str, bool], words: list[str], what: str) -> bool:
    found = [known.get(" ".join(word.upper().split())) for word in words] or [False]
    if found[0] is None or len(found) > 1:
        raise DataError(f"{words[0]!r} is no order of a list", hint=f"write {what}")
    return found[0]


def _in_order(array: pa.Array, descending: bool, nulls_first: bool) -> pa.Array:
    lists = taken_apart(array)
    return put_together(lists.offsets, lists.values.take(pa.array(_ordered(lists, descending, nulls_first))), lists.valid)


def _first_of(lists: Lists, order: Int64s | None, last: bool = False) -> pa.Array:
    """The first (last) element of each list, in an order of all elements if one is given; NULL of an empty list."""
    filled = lists.lengths > 0
    place = np.where(filled, lists.offsets[1:] - 1 if last else lists.offsets[:-1], 0)
    if order is not None and len(order):
        place = order[np.minimum(place, len(order) - 1)]
    return lists.values.take(pa.array(place, mask=~filled))


def _least(array: pa.Array) -> pa.Array:
    lists = taken_apart(array)
    return _first_of(lists, _ordered(lists, False, False))


def _greatest(array: pa.Array) -> pa.Array:
    lists = taken_apart(array)
    return _first_of(lists, _ordered(lists, True, False))


def _without_nulls(lists: Lists) -> Lists:
    offsets, values = kept_elements(lists, valid_mask(lists.values))
    return Lists(offsets, values, None)


def _any_value(array: pa.Array) -> pa.Array:
    return _first_of(_without_nulls(taken_apart(array)), None)


def _first(array: pa.Array) -> pa.Array:
    return _first_of(taken_apart(array), None)


def _last(array: pa.Array) -> pa.Array:
    return _first_of(taken_apart(array), None, last=True)


def _counted(array: pa.Array) -> pa.Array:
    return pa.array(_without_nulls(taken_apart(array)).lengths, mask=~valid_mask(array))


def _sums(values: npt.NDArray[Any], lists: Lists, by: np.ufunc = np.add) -> npt.NDArray[Any]:
    """What the values of each list add up to; 0 for none."""
    filled = lists.lengths > 0
    result = np.zeros(len(filled), values.dtype)
    if filled.any():
        result[filled] = by.reduceat(values, lists.offsets[:-1][filled])
    return result


def _limbs(lists: Lists) -> tuple[Int64s, Int64s]:
    """Sums of the high and of the low 32 bits of the integers, or unscaled decimals, which cannot pass 64 bits."""
    values = as_int64(lists.values) if pa.types.is_decimal(lists.values.type) else None
    whole = numeric_values(lists.values.cast(pa.int64())) if values is None else np.asarray(values)
    return _sums(whole >> 32, lists), _sums(whole & 0xFFFFFFFF, lists)


def _total(array: pa.Array) -> pa.Array:
    lists = _without_nulls(taken_apart(array))
    none = lists.lengths == 0
    if family(lists.values.type) is Family.FLOAT:
        return pa.array(_sums(numeric_values(lists.values), lists), mask=none)
    high, low = _limbs(lists)
    shifted = pc.multiply(
        pa.array(high, mask=none).cast(pa.decimal128(19, 0)), pa.scalar(Decimal(1 << 32), pa.decimal128(10, 0))
    )
    total = pc.add(shifted, pa.array(low, mask=none).cast(pa.decimal128(19, 0))).cast(HUGEINT)
    scale = lists.values.type.scale if pa.types.is_decimal(lists.values.type) else 0
    return pa.Array.from_buffers(pa.decimal128(MAX_PRECISION, scale), len(total), total.buffers())


def _mean(array: pa.Array) -> pa.Array:
    lists = _without_nulls(taken_apart(array))
    counts = lists.lengths
    if family(lists.values.type) is Family.FLOAT:
        total = _sums(numeric_values(lists.values), lists)
    else:
        high, low = _limbs(lists)
        scale = lists.values.type.scale if pa.types.is_decimal(lists.values.type) else 0
        total = (high.astype(np.float64) * 2.0**32 + low) / 10.0**scale
    return pa.array(total / np.maximum(counts, 1), mask=counts == 0)


def _product(array: pa.Array) -> pa.Array:
    lists = _without_nulls(taken_apart(array))
    return pa.array(_sums(numeric_values(lists.values), lists, np.multiply), mask=lists.lengths == 0)


def _truths(every: bool) -> Callable[[pa.Array], pa.Array]:
    def run(array: pa.Array) -> pa.Array:
        lists = _without_nulls(taken_apart(array))
        hits = boolean_mask(lists.values) ^ every
        found = np.bincount(lists.rows[hits], minlength=len(array)) > 0
        return pa.array(found ^ every, mask=lists.lengths == 0)

    return run


def _elements(*families: Family) -> Callable[[Sequence[Expression]], pa.DataType | None]:
    """The element type of one list of such elements."""

    def found(args: Sequence[Expression]) -> pa.DataType | None:
        if len(args) != 1 or family(args[0].type) is not Family.LIST:
            return None
        kind = args[0].type.value_type
        return kind if not families or family(kind) in families else None

    return found


def _sum_type(args: Sequence[Expression]) -> Binding | None:
    kind = _elements(*_NUMBERS, Family.BOOLEAN)(args)
    if kind is None:
        return None
    if family(kind) is Family.FLOAT:
        return Binding((pa.list_(_DOUBLE),), _DOUBLE)
    if family(kind) is Family.BOOLEAN:
        return Binding((pa.list_(pa.int64()),), HUGEINT)
    if family(kind) is Family.DECIMAL:
        result = pa.decimal128(MAX_PRECISION, kind.scale)
        return Binding((pa.list_(kind),), result) if kind.precision <= INT64_PRECISION else None
    return Binding((pa.list_(pa.int64()),), HUGEINT) if kind != pa.uint64() else None


def _mean_type(args: Sequence[Expression]) -> Binding | None:
    found = _sum_type(args)
    return None if found is None else Binding(found.args, _DOUBLE)


def _as(element: pa.DataType | None, result: pa.DataType | None, *families: Family) -> Callable[[Sequence[Expression]], Any]:
    """A rule: a list of such elements, as `element` if that is given; the result's type, or that of the elements."""

    def rule(args: Sequence[Expression]) -> Binding | None:
        kind = _elements(*families)(args)
        if kind is None:
            return None
        taken = element or (pa.int32() if family(kind) is Family.NULL else kind)
        return Binding((pa.list_(taken),), result or taken)

    return rule


def _named(args: Sequence[Expression]) -> Binding | None:
    return None  # bound as the function that the second argument names


def _fold(name: str, doc: str, types: Any, kernel: Callable[[pa.Array], pa.Array], usage: str) -> ScalarFunction:
    return ScalarFunction(f"list_{name}", doc, "list", types, row_by_row(kernel), (f"list_{name}({usage}",))


_NUMBERS = (Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.NULL)
_TRUTHS = (Family.BOOLEAN, Family.NULL)
_SORTED = "(any[][, 'ASC' or 'DESC'[, 'NULLS FIRST' or 'NULLS LAST']]) -> any[]"

FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("list_aggregate", "What an aggregate, named by a text, makes of the elements.", "list", _named,
                   row_by_row(_first), ("list_aggregate(any[], 'sum' or another aggregate, ...) -> any",),
                   ("list_aggr", "array_aggregate", "array_aggr", "aggregate")),
    ScalarFunction("list_sort", "The elements in order, NULLs last.", "list", _sorted_type, _sort(False),
                   (f"list_sort{_SORTED}",), ("array_sort",), failure=Failure.MAY),
    ScalarFunction("list_reverse_sort", "The elements in descending order, NULLs last.", "list", _sorted_type, _sort(True),
                   ("list_reverse_sort(any[][, 'NULLS FIRST' or 'NULLS LAST']) -> any[]",), ("array_reverse_sort",),
                   failure=Failure.MAY),
    _fold("min", "The least element; NaN is the greatest.", _as(None, None), _least, "any[]) -> any"),
    _fold("max", "The greatest element; NaN is the greatest.", _as(None, None), _greatest, "any[]) -> any"),
    _fold("first", "The first element, possibly NULL.", _as(None, None), _first, "any[]) -> any"),
    _fold("last", "The last element, possibly NULL.", _as(None, None), _last, "any[]) -> any"),
    _fold("any_value", "The first element that is not NULL.", _as(None, None), _any_value, "any[]) -> any"),
    _fold("count", "How many elements are not NULL.", _as(None, pa.int64()), _counted, "any[]) -> BIGINT"),
    _fold("sum", "The sum of the elements.", _sum_type, _total, "number[]) -> HUGEINT, DECIMAL(38,s) or DOUBLE"),
    _fold("avg", "The mean of the elements.", _mean_type, _mean, "number[]) -> DOUBLE"),
    _fold("product", "The product of the elements.", _as(_DOUBLE, _DOUBLE, *_NUMBERS), _product, "number[]) -> DOUBLE"),
    _fold("bool_and", "Whether all elements are true.", _as(pa.bool_(), pa.bool_(), *_TRUTHS), _truths(True),
          "BOOLEAN[]) -> BOOLEAN"),
    _fold("bool_or", "Whether any element is true.", _as(pa.bool_(), pa.bool_(), *_TRUTHS), _truths(False),
          "BOOLEAN[]) -> BOOLEAN"),
)  # fmt: skip
