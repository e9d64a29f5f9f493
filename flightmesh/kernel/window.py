"""Ranking and value window functions over sorted rows: one column a function.

Handed a function's name, its layout or its frames, and its arguments in the layout's order; hands on one value a row.
"""

from __future__ import annotations

from collections.abc import Sequence

from flightmesh.errors import InternalError
from flightmesh.kernel.values import Array
from flightmesh.kernel.window_frames import Frames
from flightmesh.kernel.window_layout import Layout
from flightmesh.kernel.window_ranks import RANKS, ntile
from flightmesh.kernel.window_values import Nulls, counted, first_value, last_value, nth_value, shifted

PARTITION_FUNCTIONS = frozenset({*RANKS, "ntile", "lag", "lead"})
"""The functions that see the whole partition."""

FRAME_VALUES = frozenset({"first_value", "last_value", "nth_value"})
"""The functions that give a value of their frame."""


def partition_function(function: str, layout: Layout, arguments: Sequence[Array], nulls: Nulls) -> Array:
    """The function's value for every row. Raises DataError for an ntile below 1."""
    ranked = RANKS.get(function)
    if ranked is not None:
        return ranked(layout)
    match function:
        case "ntile":
            return ntile(layout, arguments[0])
        case "lag" | "lead":
            return shifted(function, layout, arguments, nulls)
        case _:
            raise InternalError(f"there is no window kernel named {function}")


def frame_value(function: str, frames: Frames, arguments: Sequence[Array], nulls: Nulls) -> Array:
    """The function's value for every row."""
    held, values = counted(frames.by_row(), arguments[0], nulls)
    match function:
        case "first_value":
            return first_value(held, values)
        case "last_value":
            return last_value(held, values)
        case "nth_value":
            return nth_value(held, values, arguments[1])
        case _:
            raise InternalError(f"there is no window kernel named {function}")
