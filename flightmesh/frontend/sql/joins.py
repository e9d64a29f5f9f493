"""Binds one JOIN: its kind, and its condition from ON, USING or NATURAL.

Handed the left side and a join node; hands on the joined rows with their names. What always holds: a column merged by
USING is the side's that is never padded (FULL: the first that is not NULL), a subquery in ON is computed on the one
side whose columns it reads (or over the pairs), and a right side that reads columns of the left makes an Apply.
"""

from __future__ import annotations

from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Expression, Field, columns_of
from flightmesh.expression.registry import bind_call
from flightmesh.frontend.sql.clause import Clause, Dependent, Site
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.expressions import ExpressionBinder
from flightmesh.frontend.sql.joined import Joined, side_by_side, visible
from flightmesh.frontend.sql.predicates import predicate
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.frontend.sql.scope import Scope, Tables, nearest, some_of
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import free_columns
from flightmesh.logical.relations import Apply, Filter, Item, Join, JoinKind, Project, Reference, Relation, Scan, passes

_SIDES = {"LEFT": JoinKind.LEFT, "RIGHT": JoinKind.RIGHT, "FULL": JoinKind.FULL}
_KINDS = {
    "": JoinKind.INNER,
    "INNER": JoinKind.INNER,
    "CROSS": JoinKind.INNER,
    "OUTER": JoinKind.INNER,
    "SEMI": JoinKind.SEMI,
    "ANTI": JoinKind.ANTI,
}


@dataclass(frozen=True, slots=True)
class JoinContext:
    """What the condition of a join may read besides its two sides."""

    context: Context
    environment: Environment
    parent: Scope | None


def bind_join(within: JoinContext, left: Joined, right: Joined, node: exp.Expr) -> Joined:
    """`left` joined with `right` as `node` says."""
    kind = _kind(within, node)
    if kind in (JoinKind.RIGHT, JoinKind.FULL) and _dependent(left, right):
        raise within.context.source.error(
            f"the right side of a {kind.value} join cannot read columns of the left side", node, "use JOIN or LEFT JOIN"
        )
    names = _using(within, left, right, node)
    if names is not None:
        return _merged(within, left, right, kind, names, node)
    on = node.args.get("on")
    if on is None and kind is not JoinKind.INNER:
        raise within.context.source.error(f"a {kind.value} join needs ON or USING", node)
    if on is None:
        return paired(left, right, kind, None)
    return _on(within, left, right, kind, on)


def paired(left: Joined, right: Joined, kind: JoinKind, condition: Expression | None) -> Joined:
    """The join of two sides; a dependent one where the right side reads columns of the left."""
    relation: Join | Apply
    if _dependent(left, right):
        relation = Apply(left.relation, right.relation, kind, condition)
    else:
        relation = Join(left.relation, right.relation, kind, condition)
    tables = left.tables if kind in (JoinKind.SEMI, JoinKind.ANTI) else side_by_side(left, right)
    return Joined(relation, tables.refreshed(relation.fields))


def _dependent(left: Joined, right: Joined) -> bool:
    if isinstance(right.relation, Scan | Reference):
        return False
    return bool(free_columns(right.relation) & {f.id for f in left.relation.fields})


def _kind(within: JoinContext, node: exp.Expr) -> JoinKind:
    source = within.context.source
    refuse_clauses(node, ("this", "side", "kind", "method", "on", "using", "hint", "global"), source)
    method = str(node.args.get("method") or "").upper()
    if method not in ("", "NATURAL", "HASH", "LOOP", "MERGE"):
        raise source.unsupported(f"{method} JOIN", node)
    side, kind = str(node.args.get("side") or "").upper(), str(node.args.get("kind") or "").upper()
    if kind not in _KINDS:
        raise source.unsupported(f"{kind} JOIN", node)
    if kind in ("SEMI", "ANTI") and side == "RIGHT":
        raise source.unsupported(f"RIGHT {kind} JOIN", node)
    return _KINDS[kind] if kind in ("SEMI", "ANTI") else _SIDES.get(side, _KINDS[kind])


def _on(within: JoinContext, left: Joined, right: Joined, kind: JoinKind, on: exp.Expr) -> Joined:
    site = Site()
    scope = Scope(side_by_side(left, right), within.parent, within.environment)
    condition = predicate(ExpressionBinder(within.context, scope, Clause("ON", site)), on, "ON")
    across = []
    sides = [left.relation, right.relation]
    for part in site.pending:
        side = _side_of(part, left.relation, right.relation)
        if side is None:
            across.append(part)
        else:
            sides[side] = part.beside(sides[side])
    left, right = Joined(sides[0], left.tables), Joined(sides[1], right.tables)
    if not across:
        return paired(left, right, kind, condition)
    if kind is JoinKind.INNER:
        joined = paired(left, right, kind, None)
        return Joined(Filter(Site(across).attach(joined.relation), condition), joined.tables)
    if kind is JoinKind.FULL:
        raise within.context.source.unsupported("a subquery in ON of a full join that reads both sides", on)
    return _matching(left, right, kind, Site(across), condition)


def _matching(left: Joined, right: Joined, kind: JoinKind, across: Site, condition: Expression) -> Joined:
    """An outer, semi or anti join whose condition has subqueries over both sides: for each row of the side that is kept,
    the rows of the other that meet the condition."""
    kept, other = (right, left) if kind is JoinKind.RIGHT else (left, right)
    met = Filter(across.attach(other.relation), condition)
    matches = Project(met, tuple(passes(f.column()) for f in other.relation.fields))
    joined = Apply(kept.relation, matches, JoinKind.LEFT if kind is JoinKind.RIGHT else kind)
    tables = left.tables if kind in (JoinKind.SEMI, JoinKind.ANTI) else side_by_side(left, right)
    return Joined(joined, tables.refreshed(joined.fields))


def _side_of(part: Dependent, left: Relation, right: Relation) -> int | None:
    """The one side (0: left, 1: right) whose columns a subquery and its comparison read; None where they read both."""
    read = set(free_columns(part.right))
    if part.condition is not None:
        read |= columns_of(part.condition) - {f.id for f in part.right.fields}
    mine, other = {f.id for f in left.fields}, {f.id for f in right.fields}
    if read & mine and read & other:
        return None
    return 1 if read & other else 0


def _using(within: JoinContext, left: Joined, right: Joined, node: exp.Expr) -> list[exp.Expr | str] | None:
    """The names that USING lists, or that NATURAL finds on both sides; None for a join without either."""
    using = node.args.get("using")
    if using:
        return list(using)
    if str(node.args.get("method") or "").upper() != "NATURAL":
        return None
    mine = {f.name.casefold() for f in left.tables.star}
    shared: list[exp.Expr | str] = [f.name for f in right.tables.star if f.name.casefold() in mine]
    if not shared:
        raise within.context.source.error("the two sides of the NATURAL JOIN have no column in common", node)
    return shared


def _merged(
    within: JoinContext, left: Joined, right: Joined, kind: JoinKind, names: list[exp.Expr | str], node: exp.Expr
) -> Joined:
    pairs = [(_one(within, left, name, node, "left"), _one(within, right, name, node, "right")) for name in names]
    at = within.context.source.position(node)
    equalities = [bind_call("equal", (a.column(), b.column()), at) for a, b in pairs]
    condition = equalities[0] if len(equalities) == 1 else bind_call("and", equalities, at)
    joined = paired(left, right, kind, condition)
    if kind in (JoinKind.SEMI, JoinKind.ANTI):
        return joined
    if kind is JoinKind.FULL:
        return _coalesced(within, joined, pairs)
    kept, dropped = (1, 0) if kind is JoinKind.RIGHT else (0, 1)
    return Joined(
        joined.relation,
        _shown(joined, {pair[0].id: pair[kept].id for pair in pairs}, pairs, frozenset(p[dropped].id for p in pairs)),
    )


def _shown(
    joined: Joined, star: dict[ColumnId, ColumnId], pairs: list[tuple[Field, Field]], hidden: frozenset[ColumnId]
) -> Tables:
    """The tables with merged columns shown once, where the left one stood."""
    tables = joined.tables
    known = {f.id: f for f in (*tables.star, *tables.merged, *(f for owner in tables.ranges for f in owner.fields))}
    right = frozenset(b.id for _, b in pairs)
    shown = tuple(known[star.get(f.id, f.id)] for f in tables.star if f.id not in right)
    return Tables(tables.ranges, shown, tables.hidden | hidden, tables.merged)


def _coalesced(within: JoinContext, joined: Joined, pairs: list[tuple[Field, Field]]) -> Joined:
    known = {f.id: f for f in joined.relation.fields}
    items = [passes(f.column()) for f in joined.relation.fields]
    made: dict[ColumnId, Field] = {}
    for a, b in pairs:
        value = bind_call("coalesce", (known[a.id].column(), known[b.id].column()))
        made[a.id] = Field(within.context.state.ids.fresh(), a.name, value.type)
        items.append(Item(made[a.id], value))
    both = frozenset(f.id for pair in pairs for f in pair)
    tables = joined.tables
    right = frozenset(b.id for _, b in pairs)
    star = tuple(made.get(f.id, f) for f in tables.star if f.id not in right)
    merged = (*tables.merged, *made.values())
    return Joined(Project(joined.relation, tuple(items)), Tables(tables.ranges, star, tables.hidden | both, merged))


def _one(within: JoinContext, side: Joined, name: exp.Expr | str, node: exp.Expr, which: str) -> Field:
    text = name if isinstance(name, str) else name.name
    place = node if isinstance(name, str) else name
    found = visible(side.tables, text)
    if len(found) == 1:
        return found[0]
    if found:
        raise within.context.source.error(f"the {which} side has the column {text!r} {len(found)} times", place, "use ON")
    near = nearest(text, {f.name: f.name for f in side.tables.star})
    hint = f"did you mean {near}?" if near else f"its columns are {some_of([f.name for f in side.tables.star])}"
    raise within.context.source.error(f"the {which} side has no column {text!r}", place, hint)
