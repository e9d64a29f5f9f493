"""ORDER BY and LIMIT.

Handed ORDER BY nodes with the names of the output columns, and limits; hands on keys, and relations in order and cut
short. What always holds: a key is an output column (by ordinal or name) or an expression, and its place of NULLs is
what the dialect says where the query does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Expression, Literal, SortKey
from flightmesh.frontend.sql.clause import Clause, Site
from flightmesh.frontend.sql.constants import constant_value
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.expressions import ExpressionBinder
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.frontend.sql.scope import Range, Scope, Tables
from flightmesh.logical.relations import Limit, Relation, Sort, passes
from flightmesh.logical.relations import Project as Projection


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the index of an output column, or an expression over the rows below the select list."""

    node: exp.Expr
    descending: bool
    nulls_first: bool
    output: int | None = None
    expression: Expression | None = None

    def changed(self, expression: Expression) -> Key:
        """The key by another expression."""
        return replace(self, expression=expression)

    def sort_key(self, expression: Expression) -> SortKey:
        """The logical key by an expression over the output."""
        return SortKey(expression, self.descending, self.nulls_first)


def bind_keys(order: exp.Expr, names: list[str], binder: ExpressionBinder, inputs: Sequence[exp.Select] = ()) -> list[Key]:
    """The keys of an ORDER BY. A bare name means an output column first; inside an expression, a column of the rows first.

    `inputs` are those of a set operation: `t.a` means the output column that one of them takes from its table t.
    """
    refuse_clauses(order, ("expressions",), binder.context.source)
    keys: list[Key] = []
    for ordered in order.expressions:
        node = ordered.this if isinstance(ordered, exp.Ordered) else ordered
        descending = bool(ordered.args.get("desc"))
        nulls_first = bool(ordered.args.get("nulls_first"))
        if ordered.args.get("with_fill"):
            raise binder.context.source.unsupported("WITH FILL", ordered)
        if isinstance(node, exp.Var) and node.name.upper() == "ALL":
            keys += [Key(node, descending, nulls_first, output=i) for i in range(len(names))]
            continue
        number = ordinal(node, len(names), binder.clause.name, binder.context)
        if number is None and isinstance(node, exp.Column):
            number = _named(node.name, names) if len(node.parts) == 1 else _of_input(node, names, inputs)
        if number is not None:
            keys.append(Key(node, descending, nulls_first, output=number))
            continue
        bound = binder.bind(node)
        if not isinstance(bound, Literal):
            keys.append(Key(node, descending, nulls_first, expression=bound))
    return keys


def ordinal(node: exp.Expr, count: int, clause: str, context: Context) -> int | None:
    """The index of the column that an integer in GROUP BY or ORDER BY names, in parentheses too; None for anything else."""
    node = node.unnest()
    if not isinstance(node, exp.Literal) or node.is_string or not node.this.isdigit():
        return None
    number = int(node.this)
    if not 1 <= number <= count:
        raise context.source.error(f"{clause} {number}: the select list has {count} column{'' if count == 1 else 's'}", node)
    return number - 1


def _named(name: str, names: list[str]) -> int | None:
    wanted = name.casefold()
    return next((i for i, known in enumerate(names) if known.casefold() == wanted), None)


def _of_input(node: exp.Column, names: list[str], inputs: Sequence[exp.Select]) -> int | None:
    """The output column that an input of a set operation takes from the column that a qualified name means."""
    wanted, table = node.name.casefold(), node.parts[-2].name.casefold()
    for select in inputs:
        source = select.args.get("from_")
        read = [] if source is None else [source.this, *(join.this for join in select.args.get("joins") or ())]
        if table not in [part.alias_or_name.casefold() for part in read]:
            continue
        for number, item in enumerate(select.expressions):
            if isinstance(item, exp.Star):
                return _named(node.name, names)
            column = item.unalias()
            if isinstance(column, exp.Column) and column.name.casefold() == wanted and column.table.casefold() in ("", table):
                return number
    return None


def _inputs(node: exp.Expr) -> list[exp.Select]:
    """The SELECTs of a set operation, also within parentheses; none of one BY NAME, nor of any other query."""
    found: list[exp.Select] = []
    rest = [node.unnest()]
    while rest and isinstance(node.unnest(), exp.SetOperation):
        part = rest.pop().unnest()
        if isinstance(part, exp.SetOperation) and part.args.get("by_name"):
            return []
        if isinstance(part, exp.SetOperation):
            rest += [part.args["expression"], part.this]
        elif isinstance(part, exp.Select):
            found.append(part)
    return found


def order_and_limit(node: exp.Expr, bound: Bound, context: Context, environment: Environment, parent: Scope | None) -> Bound:
    """ORDER BY and LIMIT of a set operation, VALUES or parentheses: keys read the output columns only."""
    order = node.args.get("order")
    if order is None:
        return limited(node, bound, context)
    site = Site()
    scope = Scope(Tables((Range("the result", bound.fields),), bound.fields), parent, environment)
    keys = bind_keys(order, list(bound.names), ExpressionBinder(context, scope, Clause("ORDER BY", site)), _inputs(node))
    if not keys:
        return limited(node, bound, context)
    sort_keys = []
    for key in keys:
        expression = bound.fields[key.output].column() if key.output is not None else key.expression
        assert expression is not None
        sort_keys.append(key.sort_key(expression))
    relation: Relation = Sort(site.attach(bound.relation), tuple(sort_keys))
    if site.pending:
        relation = Projection(relation, tuple(passes(f.column()) for f in bound.fields))
    return limited(node, Bound(relation, bound.fields), context)


def limited(node: exp.Expr, bound: Bound, context: Context) -> Bound:
    """The query cut by LIMIT and OFFSET, or FETCH, if it has them."""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    count = None if limit is None else _limit(limit, context)
    skip = 0 if offset is None else _count(offset.expression, "OFFSET", context) or 0
    if limit is not None and limit.args.get("offset") is not None:
        skip = _count(limit.args["offset"], "OFFSET", context) or 0
    if count is None and skip == 0:
        return bound
    return Bound(Limit(bound.relation, count, skip), bound.fields)


def _limit(node: exp.Expr, context: Context) -> int | None:
    options = node.args.get("limit_options")
    if options is not None:
        for key, what in (("percent", "LIMIT with a percentage"), ("with_ties", "WITH TIES")):
            if options.args.get(key):
                raise context.source.unsupported(what, node)
    if isinstance(node, exp.Fetch):
        count = node.args.get("count")
        return 1 if count is None else _count(count, "FETCH", context)
    if node.expressions:
        raise context.source.unsupported("LIMIT BY", node)
    return _count(node.expression, "LIMIT", context)


def _count(node: exp.Expr, what: str, context: Context) -> int | None:
    """A constant number of rows; None for ALL or NULL."""
    if isinstance(node, exp.Column | exp.Var) and node.name.upper() == "ALL":
        return None
    if node.find(exp.Query) is not None:
        raise context.source.unsupported(f"a subquery in {what}", node)
    value = constant_value(node, what, context)
    if value is None:
        raise context.source.error(f"{what} takes a constant", node)
    if not value.is_valid:
        return None
    number = value.as_py()
    if not (pa.types.is_integer(value.type) or pa.types.is_decimal(value.type)) or number != int(number) or number < 0:
        raise context.source.error(f"{what} takes a whole number of rows, not {number}", node)
    return int(number)
