"""Rule: one-row relations that aggregate the same rows under different filters are one.

Scalar subqueries over parts of one table, or of one join of tables (counts by the hour, averages by the bracket), read it once.
Handed a query without Applies whose filters are pushed down; hands on one in which such factors of a product are one
grouping (`fused`). What always holds: only groupings without keys are fused, which give one row of any rows; nothing volatile
is; and only where reading once is expected to save more than telling the branches apart costs.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import AggregateCall, Expression, SortKey, substitute
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import call_expressions
from flightmesh.logical.relations import Aggregate, AggregateItem, Item, Project, Relation, Scan, With, passes
from flightmesh.logical.traversal import inputs, rebuilt, walk
from flightmesh.optimize.column_estimate import table_rows
from flightmesh.optimize.context import Context
from flightmesh.optimize.derive import derive_predicates
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.fused import Branch, by_masks, by_number, common_of
from flightmesh.optimize.merging import merge
from flightmesh.optimize.order_of_fields import in_order
from flightmesh.optimize.prune import prune_columns
from flightmesh.optimize.push_filters import push_filters
from flightmesh.optimize.shared import inline_shared
from flightmesh.optimize.simplify import simplify
from flightmesh.optimize.single_rows import factors, is_product, multiplied
from flightmesh.optimize.unfiltered import unfiltered
from flightmesh.optimize.work import GROUP, READ, work

CALL, MASK, NUMBER = 0.1, 0.5, 1.0
"""Of an aggregate and a row, in the measure of `work`; of one under FILTER; of a row that is grouped by its branch's number.
Measured over 2.9 million rows of TPC-DS Q9: fifteen masks took 1.3 s of CPU, grouping by number with three aggregates 0.3 s."""
STAGE = 20_000.0
"""Of the second grouping that the numbers need."""
UNREAD = 0.5
"""How much of what a scan filters out it is expected not to read at all."""


def fuse_single_rows(relation: Relation, context: Context) -> Relation:
    """The query with one-row relations over the same rows fused."""
    changed = _fuse(relation, context)
    return inline_shared(changed, context) if changed is not relation and isinstance(changed, With) else changed


def _fuse(node: Relation, context: Context) -> Relation:
    if is_product(node):
        return _product(node, context)
    old = inputs(node)
    if not old:
        return node
    return rebuilt(node, tuple(_fuse(part, context) for part in old))


@dataclass(slots=True)
class _Factor:
    """A factor that aggregates rows: its columns over the aggregates' results, and the aggregates over `rows`."""

    place: int
    aggregate: Aggregate
    items: tuple[Item, ...]
    branch: Branch


@dataclass(slots=True)
class _Class:
    """Factors over the same rows, whose filters may differ."""

    rows: Relation
    members: list[_Factor]


def _product(root: Relation, context: Context) -> Relation:
    old = [_fuse(factor, context) for factor in factors(root)]
    classes: list[_Class] = []
    for place, factor in enumerate(old):
        _take(factor, place, classes)
    made = {one.members[0].place: fused for one in classes if (fused := _fused(one, context)) is not None}
    if not made:
        same = all(a is b for a, b in zip(old, factors(root), strict=True))
        return root if same else in_order(multiplied(old), root.fields)
    gone = {m.place for one in classes if one.members[0].place in made for m in one.members[1:]}
    kept = [made.get(place, f) for place, f in enumerate(old) if place not in gone]
    return in_order(multiplied(kept), root.fields)


def _take(factor: Relation, place: int, classes: list[_Class]) -> None:
    """Puts a factor that is a grouping without keys to those over the same rows."""
    items = tuple(passes(f.column()) for f in factor.fields)
    while isinstance(factor, Project):
        made = {i.field.id: i.expression for i in factor.items}
        items = tuple(Item(i.field, substitute(i.expression, made)) for i in items)
        factor = factor.input
    if not isinstance(factor, Aggregate) or factor.groups or any(is_volatile(i.expression) for i in items):
        return
    if any(is_volatile(e) for item in factor.aggregates for e in call_expressions(item.call)):
        return
    apart = unfiltered(factor.input)
    branch = _over(Branch(factor.aggregates, apart.predicates), apart.columns)
    for one in classes:
        merged = merge(one.rows, apart.relation)
        if merged is None:
            continue
        one.rows, names = merged
        known = {f.id: f.column() for f in one.rows.fields}
        columns: dict[ColumnId, Expression] = {f.id: known[names[f.id]] for f in apart.relation.fields}
        one.members.append(_Factor(place, factor, items, _over(branch, columns)))
        return
    classes.append(_Class(apart.relation, [_Factor(place, factor, items, branch)]))


def _over(branch: Branch, columns: dict[ColumnId, Expression]) -> Branch:
    """The branch with columns replaced."""
    if not columns:
        return branch

    def of(part: Expression) -> Expression:
        return substitute(part, columns)

    def call(old: AggregateCall) -> AggregateCall:
        order = tuple(SortKey(of(key.expression), key.descending, key.nulls_first) for key in old.order)
        kept = None if old.filter is None else of(old.filter)
        return replace(old, args=tuple(map(of, old.args)), filter=kept, order=order)

    items = tuple(AggregateItem(item.field, call(item.call)) for item in branch.aggregates)
    return Branch(items, tuple(map(of, branch.predicates)))


def _fused(one: _Class, context: Context) -> Relation | None:
    """All members as one relation with the columns of all, where that is possible and pays."""
    if len(one.members) < 2:
        return None
    branches = [member.branch for member in one.members]
    common = common_of(branches)
    forms = (by_masks(one.rows, branches, common), by_number(one.rows, branches, common, context))
    possible = [(_cost(form, context), form) for form in (_settled(f, context) for f in forms if f is not None)]
    apart = sum(_cost(_settled(member.aggregate, context), context) for member in one.members)
    cost, form = min(possible, key=lambda pair: pair[0], default=(apart, None))
    if form is None or cost >= apart:
        return None
    return Project(form, tuple(item for member in one.members for item in member.items))


def _settled(relation: Relation, context: Context) -> Relation:
    """As the rules to come will leave it, about: with derived filters, all pushed down, and the columns that are needed."""
    return prune_columns(simplify(push_filters(derive_predicates(relation, context), context), context), context)


def _cost(relation: Relation, context: Context) -> float:
    """What it costs to compute a grouping without keys, or a branch-wise one under it."""
    match relation:
        case Project(input=child):
            return _cost(child, context)
        case Aggregate(input=Aggregate(groups=groups) as child) if groups:
            return STAGE + _cost(child, context)
        case Aggregate(input=child, groups=groups, aggregates=items):
            calls = sum(_call_cost(item.call) for item in items) + (NUMBER if groups else 0.0)
            return _reading(child, context) + calls * estimate(child, context).rows
        case _:
            return work(relation, context)


def _call_cost(call: AggregateCall) -> float:
    return GROUP if call.distinct else CALL if call.filter is None else MASK


def _reading(relation: Relation, context: Context) -> float:
    """The work of a relation, less what its scans will not read because statistics show that it is filtered out."""
    spared = 0.0
    for node in walk(relation):
        if isinstance(node, Scan) and node.filters:
            rows = table_rows(context.statistics(node.table), node.table)
            columns = 1 + len(node.fields) + len(node.filter_only)
            spared += UNREAD * READ * columns * max(0.0, rows - estimate(node, context).rows)
    return work(relation, context) - spared
