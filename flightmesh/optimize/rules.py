"""The optimizer: RULES in their order, and the one loop that applies them.

Handed the query that a front end made; hands on an equal one for the physical planner: without Applies, UNION ALL as the
only set operation, filters in the scans, joins in order of cost, only the columns that are needed. What always holds: the
columns of the result are those of the query, in order; each rule is a pure function and may be applied alone.
"""

from __future__ import annotations

from collections.abc import Callable

from flightmesh.dataclass import dataclass
from flightmesh.logical.relations import Relation
from flightmesh.optimize.blind_joins import joins_to_semi_joins
from flightmesh.optimize.context import Context
from flightmesh.optimize.decorrelate import decorrelate
from flightmesh.optimize.derive import derive_predicates
from flightmesh.optimize.early_groups import group_early
from flightmesh.optimize.empty_inputs import remove_empty_inputs
from flightmesh.optimize.exists_to_extremes import exists_to_extremes
from flightmesh.optimize.fuse_single_rows import fuse_single_rows
from flightmesh.optimize.late_columns import fetch_late
from flightmesh.optimize.limits import push_limits
from flightmesh.optimize.list_keys import key_lists
from flightmesh.optimize.marks import marks_to_semi_joins
from flightmesh.optimize.narrow_shared import narrow_shared
from flightmesh.optimize.null_safe import simplify_null_safe
from flightmesh.optimize.order_joins import order_joins
from flightmesh.optimize.outer_joins import simplify_outer_joins
from flightmesh.optimize.place_shared import place_shared
from flightmesh.optimize.projects import merge_projects
from flightmesh.optimize.prune import prune_columns
from flightmesh.optimize.push_filters import push_filters
from flightmesh.optimize.redundant_aggregates import remove_aggregates
from flightmesh.optimize.set_operations import rewrite_set_operations
from flightmesh.optimize.share_equal import share_equal
from flightmesh.optimize.shared import inline_shared
from flightmesh.optimize.simplify import simplify
from flightmesh.optimize.single_joins import simplify_single_joins
from flightmesh.optimize.single_row_groups import ungroup_single_rows
from flightmesh.optimize.single_rows import merge_single_rows
from flightmesh.optimize.sink_single_joins import sink_single_joins
from flightmesh.optimize.sorts import remove_sorts
from flightmesh.optimize.split_unions import split_shared_unions
from flightmesh.optimize.window_aggregates import aggregates_to_windows

Rule = Callable[[Relation, Context], Relation]

RULES: tuple[Rule, ...] = (
    simplify,
    inline_shared,
    marks_to_semi_joins,
    decorrelate,
    inline_shared,
    rewrite_set_operations,
    key_lists,
    remove_sorts,
    simplify_single_joins,
    merge_projects,
    simplify_outer_joins,
    push_filters,
    sink_single_joins,
    simplify,
    prune_columns,
    split_shared_unions,
    place_shared,
    simplify,
    remove_empty_inputs,
    simplify_null_safe,
    merge_single_rows,
    fuse_single_rows,
    derive_predicates,
    push_filters,
    simplify,
    remove_aggregates,
    prune_columns,
    aggregates_to_windows,
    joins_to_semi_joins,
    share_equal,
    exists_to_extremes,
    fetch_late,
    prune_columns,
    order_joins,
    group_early,
    ungroup_single_rows,
    prune_columns,
    merge_projects,
    narrow_shared,
    push_limits,
)
"""A rule may stand more than once: folding and push-down have new work after decorrelation and derivation."""


@dataclass(frozen=True, slots=True)
class Optimized:
    """The optimized query and the rules that changed it, in order."""

    relation: Relation
    fired: tuple[str, ...]


def optimize(relation: Relation, context: Context) -> Relation:
    """The query in the form that the physical planner takes."""
    return optimize_with_trace(relation, context).relation


def optimize_with_trace(relation: Relation, context: Context) -> Optimized:
    """The same, saying which rules fired."""
    fired: list[str] = []
    context.remember(relation)
    for rule in RULES:
        changed = apply(rule, relation, context)
        if changed is not relation:
            fired.append(rule.__name__)
            relation = changed
    return Optimized(relation, tuple(fired))


def apply(rule: Rule, relation: Relation, context: Context) -> Relation:
    """One step: what the rule makes of the query, its shared relations remembered for the next."""
    changed = rule(relation, context)
    if changed is not relation:
        context.remember(changed)
    return changed
