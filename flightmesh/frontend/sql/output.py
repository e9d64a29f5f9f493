"""The top of a SELECT: its columns, DISTINCT, DISTINCT ON, and ORDER BY.

Handed bound select items and keys over one relation; hands on the ordered query with exactly the items' columns. What
always holds: a column that is only passed on keeps its id (once), and a key that the output does not give rides along
as a hidden column and is dropped.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.expression.frames import DEFAULT_FRAME
from flightmesh.expression.nodes import Call, Column, Expression, Field, Literal, children, columns_of, with_children
from flightmesh.expression.windows import bind_window
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ordering import Key
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Aggregate, Filter, Item, Project, Relation, Sort, Window, WindowItem, passes


@dataclass(frozen=True, slots=True)
class Output:
    """One column to be: its name and its expression over the relation below."""

    name: str
    expression: Expression


def project(relation: Relation, outputs: list[Output], keys: list[Key], distinct: exp.Expr | None, context: Context) -> Bound:
    """The relation of the outputs, distinct and in order."""
    items = _items(relation, outputs, context)
    fields = tuple(item.field for item in items)
    hidden: list[Item] = []
    sort_keys = []
    for key in keys:
        expression = _key(key, items)
        if not columns_of(expression) <= frozenset(f.id for f in fields):
            if distinct is not None:
                raise context.source.error(
                    "ORDER BY of a SELECT DISTINCT must use columns of the select list",
                    key.node,
                    "add the expression to the select list",
                )
            expression = _hidden(expression, relation, items, hidden, context)
        sort_keys.append(key.sort_key(expression))
    result: Relation = _projection(relation, [*items, *hidden])
    if distinct is not None:
        result = Aggregate(result, tuple(passes(f.column()) for f in fields), ())
    if sort_keys:
        result = Sort(result, tuple(sort_keys))
    if hidden:
        result = Project(result, tuple(passes(f.column()) for f in fields))
    return Bound(result, fields)


def project_first(relation: Relation, outputs: list[Output], keys: list[Key], on: list[Key], context: Context) -> Bound:
    """The outputs, in order, of the row that comes first in that order among those that agree in `on` (DISTINCT ON)."""
    items = _items(relation, outputs, context)
    fields = tuple(item.field for item in items)
    hidden: list[Item] = []

    def column(key: Key) -> Expression:
        expression = _key(key, items)
        inside = columns_of(expression) <= frozenset(f.id for f in fields)
        return expression if inside else _hidden(expression, relation, items, hidden, context)

    sort_keys = tuple(key.sort_key(column(key)) for key in keys)
    groups = tuple(dict.fromkeys(column(key) for key in on))
    call = bind_window("row_number", (), DEFAULT_FRAME)
    place = Field(context.state.ids.fresh(), "place", call.type, False)
    rows = _projection(relation, [*items, *hidden])
    numbered = Window(rows, groups, sort_keys, (WindowItem(place, call, len(sort_keys)),))
    one = Literal(pa.scalar(1, call.type))
    result: Relation = Filter(numbered, Call("equal", (place.column(), one), pa.bool_()))
    if sort_keys:
        result = Sort(result, sort_keys)
    return Bound(Project(result, tuple(passes(f.column()) for f in fields)), fields)


def _key(key: Key, items: list[Item]) -> Expression:
    return items[key.output].field.column() if key.output is not None else _over_output(key, items)


def _projection(relation: Relation, items: list[Item]) -> Relation:
    """The projection, left out where it would hand on exactly the columns below under their names."""
    below = relation.fields
    if len(items) == len(below) and all(item.field == field for item, field in zip(items, below, strict=True)):
        return relation
    return Project(relation, tuple(items))


def _items(relation: Relation, outputs: list[Output], context: Context) -> list[Item]:
    below = frozenset(f.id for f in relation.fields)
    taken: set[ColumnId] = set()
    items = []
    for output in outputs:
        expression = output.expression
        if isinstance(expression, Column) and expression.id in below and expression.id not in taken:
            id = expression.id
        else:
            id = context.state.ids.fresh()
        taken.add(id)
        items.append(Item(Field(id, output.name, expression.type, _nullable(expression)), expression))
    return items


def _nullable(expression: Expression) -> bool:
    match expression:
        case Column(nullable=nullable):
            return nullable
        case Literal():
            return expression.is_null
        case _:
            return True


def _over_output(key: Key, items: list[Item]) -> Expression:
    """A key's expression with what the select list computes already read from there."""

    def change(expression: Expression) -> Expression:
        for item in items:
            if expression == item.expression:
                return item.field.column()
        parts = children(expression)
        return with_children(expression, tuple(change(part) for part in parts)) if parts else expression

    assert key.expression is not None
    changed = change(key.expression)
    return changed if columns_of(changed) <= {item.field.id for item in items} else key.expression


def _hidden(expression: Expression, relation: Relation, items: list[Item], hidden: list[Item], context: Context) -> Expression:
    """The column of a key that rides along; equal keys ride once. A column of a query outside is one of this query by then."""
    for item in hidden:
        if item.expression == expression:
            return item.field.column()
    known = {item.field.id for item in (*items, *hidden)}
    is_own = isinstance(expression, Column) and expression.id in {field.id for field in relation.fields} - known
    id = expression.id if isinstance(expression, Column) and is_own else context.state.ids.fresh()
    made = Item(Field(id, "order", expression.type), expression)
    hidden.append(made)
    return made.field.column()
