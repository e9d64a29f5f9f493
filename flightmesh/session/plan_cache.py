"""Plans that are kept for statements that come again.

Handed a statement's key, its plan, and what the plan was made from; hands the plan on while all of that is as it was. What
always holds: names, files and configuration are looked at anew for whoever wants a plan, so that one engine can keep the plans
of all its sessions; a kept plan keeps no table in memory alive; all take at most so many bytes, and those that were used
longest ago go first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from flightmesh.catalog.lookups import Lookups, Seen
from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.frontend.sql.statements import Analyze
from flightmesh.session.plan import QueryPlan
from flightmesh.session.plan_key import Key, key_bytes
from flightmesh.session.value_size import value_size

MOST_PLANS = 1000


@dataclass(frozen=True, slots=True)
class KeptPlan:
    """The plan of a query, or of one below EXPLAIN (`analyze`), with what it was made from."""

    plan: QueryPlan
    analyze: Analyze | None
    config: Config
    seen: Seen


class PlanCache:
    """Plans by key. Any thread may call. `limit`: bytes that they may take; 0: none are kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Key, tuple[KeptPlan, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._bytes = 0
        self._used = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """What all plans take."""
        return self._bytes

    @property
    def used(self) -> int:
        """How often a statement has gone on with a plan that was kept."""
        return self._used

    def find(self, key: Key, config: Config, now: Lookups) -> KeptPlan | None:
        """The plan of a statement, if planning it anew would see nothing new. `now`: what it looks up, which remembers it."""
        with self._lock:
            known = self._kept.get(key)
            if known is None:
                return None
            self._kept.move_to_end(key)
        found = known[0]
        if found.config != config or not found.seen.holds(now):
            return None
        with self._lock:
            self._used += 1
        return found

    def keep(self, key: Key, kept: KeptPlan) -> None:
        """Keeps a plan, in the place of an earlier one of the same statement."""
        if not self._limit:
            return
        size = value_size(kept) + key_bytes(key)
        with self._lock:
            self._drop(key)
            if size > self._limit:
                return
            self._kept[key] = kept, size
            self._bytes += size
            while self._bytes > self._limit or len(self._kept) > MOST_PLANS:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._bytes -= gone[1]
