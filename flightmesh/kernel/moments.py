"""Variances and standard deviations of groups, in two passes: the means first, then the squared distances from them.

Handed a grouping and a column of numbers; hands on one double a group, NULL where there are too few values. What always holds:
the result does not suffer from a mean that is large beside the deviations (as the difference of two sums of squares would);
the second pass corrects for the rounding of the mean (Chan, Golub, LeVeque 1983).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.kernel.group import Grouping
from flightmesh.kernel.values import Array, Int64s, buffer_view, validity

SPREADS = ("var_pop", "var_samp", "stddev_pop", "stddev_samp")
"""The aggregates computed here."""


def spread(function: str, grouping: Grouping, argument: Array) -> Array:
    """One of `SPREADS` of each group's values."""
    values = buffer_view(argument.cast(pa.float64()), np.dtype("<f8"))
    ids = grouping.ids
    valid = validity(argument)
    if valid is not None:
        values, ids = values[valid], ids[valid]
    counts = np.bincount(ids, minlength=grouping.count)
    with np.errstate(all="ignore"):
        squares = _squares(values, ids, counts)
        fewest = 2 if function.endswith("samp") else 1
        variance = np.maximum(squares / (counts - (fewest - 1)), 0.0)
        result = np.sqrt(variance) if function.startswith("stddev") else variance
    return pa.array(result, mask=counts < fewest)


def _squares(values: npt.NDArray[np.float64], ids: Int64s, counts: Int64s) -> npt.NDArray[np.float64]:
    """The sum of squared distances from the mean, group by group."""
    groups = len(counts)
    means = np.bincount(ids, weights=values, minlength=groups) / counts
    distances = values - means[ids]
    off = np.bincount(ids, weights=distances, minlength=groups)
    return np.bincount(ids, weights=distances * distances, minlength=groups) - off * off / counts
