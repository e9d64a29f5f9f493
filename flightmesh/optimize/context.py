"""What a rule may look at besides the relation: fresh ids, table statistics, the configuration.

Handed on by the session to `optimize` and to the physical planner, one for each query. What always holds: the same context
gives the same plan (no clock, no randomness), apart from the ids it hands out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

from flightmesh.catalog.table import Table, TableStatistics
from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Expression
from flightmesh.ids import ColumnIds, SharedId
from flightmesh.logical.relations import Relation, With


def _unproved(table: Table, column: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Context:
    """One query's planning. `statistics` answers for every table of the plan, with unknowns left None; `is_unique` says of a
    table and a column whether it is proved that no two rows agree in it and none has NULL, which may take reading it."""

    ids: ColumnIds
    statistics: Callable[[Table], TableStatistics]
    config: Config
    is_unique: Callable[[Table, str], bool] = _unproved
    memo: dict[int, Any] = field(default_factory=dict, compare=False, repr=False)
    """Estimates by `id()` of their relation, beside the relation itself so that its id cannot be taken anew."""
    shared: dict[SharedId, Relation] = field(default_factory=dict, compare=False, repr=False)
    """The relations that `Reference`s read, for their estimates; filled while a `With` is optimized."""
    folded: dict[int, Expression] = field(default_factory=dict, compare=False, repr=False)
    """Expressions that folding has left as they are, by `id()`: most stay the same objects from rule to rule."""

    def remember(self, relation: Relation) -> None:
        """Takes note of a query's shared relations. Later versions of one mean the same, so the last is as good as any."""
        if isinstance(relation, With):
            self.shared.update((d.id, d.relation) for d in relation.definitions)
