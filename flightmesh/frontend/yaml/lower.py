"""Lowers one step in relational keys to a sqlglot query.

Handed a validated `Step` and its `Node`; hands on a SELECT or set operation built as a tree, whose nodes know their
place in the plan file. What always holds: a grouped step with `select` selects from its groups as from a table, and
values and counts are literals, never text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from flightmesh.frontend.sql.parameters import parameter_name
from flightmesh.frontend.yaml.document import Document, Node
from flightmesh.frontend.yaml.fragments import Fragments, is_name
from flightmesh.frontend.yaml.model import Join, SetInputs, Step

_REFERENCE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)(?:\s+as\s+([A-Za-z_][A-Za-z0-9_]*))?\s*", re.IGNORECASE)
_SETS: dict[str, type[exp.SetOperation]] = {"union": exp.Union, "intersect": exp.Intersect, "except": exp.Except}
_SIDES = {"left": "LEFT", "right": "RIGHT", "full": "FULL"}
_KINDS = {"inner": "INNER", "semi": "SEMI", "anti": "ANTI", "cross": "CROSS"}


class StepLowering:
    """Lowers the steps of one plan. `params` are the bound values: limits may name them."""

    def __init__(self, document: Document, fragments: Fragments, params: Mapping[str, Any]) -> None:
        self._document = document
        self._fragments = fragments
        self._params = params

    def lower(self, name: str, step: Step, node: Node) -> exp.Query:
        """The query of a step; tables in it are the names of steps and inputs."""
        sql = node.get("sql")
        if step.sql is not None and sql is not None:
            return self._fragments.query(sql)
        if self._is_bare_set(step):
            return self._finish(self._set(step, node), step, node)
        query = exp.Select(expressions=[exp.Star()])
        query.set("from_", exp.From(this=self._source(name, step, node)))
        joins = node.get("join")
        for join, place in zip(step.join or (), joins.parts() if joins else (), strict=True):
            query.append("joins", self._join(join, place))
        self._conditions(query, "where", exp.Where, node)
        if step.group_by is not None or step.aggregate is not None:
            query = self._grouped(name, query, step, node)
        if step.select is not None:
            query.set("expressions", self._items(node, "select"))
        if step.distinct:
            query.set("distinct", exp.Distinct())
        return self._finish(query, step, node)

    def _is_bare_set(self, step: Step) -> bool:
        return (
            not step.distinct
            and self._set_key(step) is not None
            and not any((step.where, step.group_by, step.aggregate, step.select))
        )

    def _set_key(self, step: Step) -> str | None:
        found = {"union": step.union, "intersect": step.intersect, "except": step.except_}
        return next((key for key, value in found.items() if value is not None), None)

    def _source(self, name: str, step: Step, node: Node) -> exp.Expr:
        if step.from_ is not None:
            return self._reference(node.get("from") or node)
        if step.values is not None:
            return self._values(name, step.values, node)
        return _derived(self._set(step, node), name)

    def _reference(self, node: Node) -> exp.Table:
        """A table for `name` or `name as alias`."""
        match = _REFERENCE.fullmatch(str(node.value))
        if match is None:
            message = f"{node.value!r} is not the name of a step or input"
            raise self._document.error(
                message, node, "write `name` or `name as alias`; a query goes under sql in a step of its own"
            )
        table = exp.Table(this=self._fragments.identifier(node, match[1]))
        if match[2]:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(match[2])))
        return table

    def _set(self, step: Step, node: Node) -> exp.SetOperation:
        key = self._set_key(step) or "union"
        value: SetInputs | None = step.union or step.intersect or step.except_
        place = node.get(key) or node
        distinct = value is not None and value.distinct is not None
        listed = place.get("distinct" if distinct else "all") if place.kind == "map" else place
        parts = [_select_all(self._reference(item)) for item in (listed or place).parts()]
        query: exp.Query = parts[0]
        for part in parts[1:]:
            query = _SETS[key](this=query, expression=part, distinct=distinct)
        assert isinstance(query, exp.SetOperation)
        return query

    def _values(self, name: str, rows: list[dict[str, Any]], node: Node) -> exp.Expr:
        columns = list(dict.fromkeys(column for row in rows for column in row))
        if not columns:
            raise self._document.error("values has no columns", node.get("values"), "write each row as {column: value, ...}")
        tuples = [exp.Tuple(expressions=[_constant(row.get(column)) for column in columns]) for row in rows]
        names = [exp.to_identifier(column, quoted=not is_name(column)) for column in columns]
        return exp.Values(expressions=tuples, alias=exp.TableAlias(this=exp.to_identifier(name), columns=names))

    def _join(self, join: Join, node: Node) -> exp.Join:
        tree = exp.Join(this=self._reference(node.get("with") or node))
        if join.how in _SIDES:
            tree.set("side", _SIDES[join.how])
        else:
            tree.set("kind", _KINDS[join.how])
        on = node.get("on")
        if join.on is None or on is None:
            return tree
        named = [is_name(text) for text in join.on]
        if all(named):
            tree.set("using", [self._fragments.identifier(part, str(part.value).strip()) for part in on.parts()])
        elif any(named):
            odd = on.parts()[named.index(True)]
            raise self._document.error(
                "on mixes column names and conditions", odd, "write all of them as conditions: a.x = b.x"
            )
        else:
            tree.set("on", _conjunction([self._fragments.condition(part) for part in on.parts()]))
        return tree

    def _conditions(self, query: exp.Select, key: str, clause: type[exp.Expr], node: Node) -> None:
        place = node.get(key)
        if place is not None:
            query.set(key, clause(this=_conjunction([self._fragments.condition(part) for part in place.parts()])))

    def _items(self, node: Node, key: str) -> list[exp.Expr]:
        place = node.get(key)
        found: list[exp.Expr] = []
        for part in place.parts() if place is not None else ():
            if part.kind == "map":
                for name, value in part.entries:
                    alias = self._fragments.identifier(name, str(name.value))
                    found.append(exp.Alias(this=self._fragments.expression(value), alias=alias))
            else:
                found.append(self._fragments.item(part))
        return found

    def _grouped(self, name: str, query: exp.Select, step: Step, node: Node) -> exp.Select:
        groups, aggregates = self._items(node, "group_by"), self._items(node, "aggregate")
        query.set("expressions", [*groups, *aggregates])
        if groups:
            query.set("group", exp.Group(expressions=[item.unalias().copy() for item in groups]))
        self._conditions(query, "having", exp.Having, node)
        having = query.args.get("having")
        if having is not None:
            named = {item.alias.casefold(): item.this for item in aggregates if isinstance(item, exp.Alias)}
            having.set("this", _with_aggregates(having.this, named))
        if step.select is None:
            return query
        return exp.Select(from_=exp.From(this=_derived(query, name)))

    def _finish(self, query: exp.Query, step: Step, node: Node) -> exp.Query:
        order = node.get("order_by")
        if order is not None:
            keys = [key for part in order.parts() for key in self._fragments.order(part)]
            query.set("order", exp.Order(expressions=keys))
        for key, clause in (("limit", exp.Limit), ("offset", exp.Offset)):
            place = node.get(key)
            if place is not None and place.value is not None:
                query.set(key, clause(expression=exp.Literal.number(self._count(place))))
        return query

    def _count(self, node: Node) -> int:
        if isinstance(node.value, int):
            return node.value
        value = self._params.get(parameter_name(self._fragments.expression(node)) or "")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._document.error(f"a count of rows must be an int parameter, not negative; it is {value!r}", node)
        return value


def _select_all(table: exp.Table) -> exp.Select:
    return exp.Select(expressions=[exp.Star()], from_=exp.From(this=table))


def _derived(query: exp.Query, name: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(name)))


def _conjunction(parts: list[exp.Expr]) -> exp.Expr:
    result = parts[0]
    for part in parts[1:]:
        result = exp.And(this=exp.Paren(this=result), expression=exp.Paren(this=part))
    return result


def _constant(value: Any) -> exp.Expr:
    match value:
        case None:
            return exp.Null()
        case bool():
            return exp.Boolean(this=value)
        case int() | float():
            number = exp.Literal.number(abs(value))
            return exp.Neg(this=number) if value < 0 else number
        case _:
            return exp.Literal.string(str(value))


def _with_aggregates(tree: exp.Expr, named: Mapping[str, exp.Expr]) -> exp.Expr:
    """The condition with the names of aggregates replaced by them, outside of aggregates and subqueries of its own."""
    if isinstance(tree, exp.AggFunc | exp.Query):
        return tree
    if isinstance(tree, exp.Column):
        found = named.get(tree.name.casefold()) if not tree.table else None
        return exp.Paren(this=found.copy()) if found is not None else tree
    for child in list(tree.iter_expressions()):
        changed = _with_aggregates(child, named)
        if changed is not child:
            child.replace(changed)
    return tree
