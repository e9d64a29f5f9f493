"""Window functions over sorted rows: one column a function.

Handed a function's name, its layout, its frames' extent and its arguments in the layout's order; hands on one value a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from flightmesh.kernel.values import Array
from flightmesh.kernel.window_aggregates import window_aggregate
from flightmesh.kernel.window_layout import Extent, Layout, ranges
from flightmesh.kernel.window_ranks import RANKS, ntile
from flightmesh.kernel.window_values import first_value, last_value, nth_value, shifted


def window_function(function: str, layout: Layout, extent: Extent, arguments: Sequence[Array], result: pa.DataType) -> Array:
    """The function's value for every row. Raises DataError for a sum past 38 digits and an ntile below 1."""
    ranked = RANKS.get(function)
    if ranked is not None:
        return ranked(layout)
    match function:
        case "ntile":
            return ntile(layout, arguments[0])
        case "lag" | "lead":
            return shifted(function, layout, arguments)
        case "first_value":
            return first_value(ranges(extent, layout), arguments[0])
        case "last_value":
            return last_value(ranges(extent, layout), arguments[0])
        case "nth_value":
            return nth_value(ranges(extent, layout), arguments[0], arguments[1])
        case _:
            return window_aggregate(function, ranges(extent, layout), arguments[0] if arguments else None, result)
