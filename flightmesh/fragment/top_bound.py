"""What a TopRows knows while it runs, for the scan below it: once it has all its rows, what comes after the last of them need
not be read.

Handed the kernel that keeps the rows; hands on the key of the last one. What always holds: too few rows have no bound.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.kernel.topk import TopRows as TopRowsKernel
from flightmesh.physical.operators import TopRows


class TopBound:
    """Shared by a TopRows and the scan below it, in one task."""

    def __init__(self, top: TopRows) -> None:
        self.ties = len(top.keys) > 1
        """Whether a row with the bound's first key may still come before it."""
        self._kept: TopRowsKernel | None = None

    def follow(self, kept: TopRowsKernel) -> None:
        """The rows that are kept from now on."""
        self._kept = kept

    @property
    def last(self) -> pa.Scalar | None:
        """The first key of the last row kept; None while there are too few rows."""
        return None if self._kept is None else self._kept.last_key()
