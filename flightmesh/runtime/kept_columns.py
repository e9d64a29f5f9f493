"""Columns of files that a process keeps in memory, within its budget.

Handed the budget and a limit; hands on the cache. What always holds: whatever else needs the memory gets it.
"""

from __future__ import annotations

from functools import partial

from flightmesh.catalog.column_cache import ColumnCache
from flightmesh.exchange.budget import NO_JOB, MemoryBudget

KEPT = "columns of files kept for later queries"


def kept_columns(budget: MemoryBudget, limit: int) -> ColumnCache | None:
    """A cache of at most `limit` bytes; None where there is to be none."""
    if not limit:
        return None
    cache = ColumnCache(limit, partial(budget.take_free, NO_JOB, KEPT), partial(budget.give, NO_JOB, KEPT))
    budget.reclaim, budget.reclaimable = cache.shrink, lambda: cache.used
    return cache
