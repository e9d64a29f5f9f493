"""Refuses relations that no rule may produce: an id made twice, a column that is not there, types that do not agree.

Handed a whole query; hands on nothing or raises InternalError naming the relation. Tests run it after every rule; that a
step of planning kept the query's columns is checked at run time too.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.expression.nodes import Call, Case, Column, Expression, Field, InList, walk
from flightmesh.ids import ColumnId, SharedId
from flightmesh.logical.expressions import produced
from flightmesh.logical.relations import Apply, Join, Reference, Relation, Scan, With
from flightmesh.logical.text import format_node
from flightmesh.logical.traversal import expressions, inputs
from flightmesh.logical.traversal import walk as walk_relations

COMPARISONS = frozenset(
    {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "is_distinct_from", "is_not_distinct_from"}
)


def validate(relation: Relation) -> None:
    """Raises InternalError when the query is ill-formed."""
    made: set[ColumnId] = set()
    for node in walk_relations(relation):
        for field in produced(node):
            if field.id in made:
                raise InternalError(f"column {field.name}#{field.id} is made twice, the second time in: {format_node(node)}")
            made.add(field.id)
        if isinstance(node, With) and node is not relation:
            raise InternalError("a With stands below the root")
    _check(relation, {}, {})


def require_same_columns(expected: tuple[Field, ...], found: tuple[Field, ...], where: str) -> None:
    """Raises InternalError unless these are the same columns, of the same types, in the same order."""
    if [(f.id, f.type) for f in expected] != [(f.id, f.type) for f in found]:
        raise InternalError(f"{where}: columns {_listed(found)} where {_listed(expected)} must be")


def _listed(fields: tuple[Field, ...]) -> str:
    return "(" + ", ".join(f"{f.name}#{f.id} {f.type}" for f in fields) + ")"


def _check(node: Relation, outer: dict[ColumnId, Field], shared: dict[SharedId, tuple[Field, ...]]) -> None:
    match node:
        case With(definitions=definitions, body=body):
            known = dict(shared)
            for definition in definitions:
                _check(definition.relation, {}, known)
                known[definition.id] = definition.relation.fields
            _check(body, {}, known)
            return
        case Reference():
            _check_reference(node, shared)
            return
        case Apply(left=left, right=right):
            _check(left, outer, shared)
            _check(right, outer | {f.id: f for f in left.fields}, shared)
        case _:
            for part in inputs(node):
                _check(part, outer, shared)
    visible = outer | _visible(node)
    for expression in expressions(node):
        for piece in walk(expression):
            _check_part(piece, visible, node)


def _visible(node: Relation) -> dict[ColumnId, Field]:
    if isinstance(node, Scan):
        return {f.id: f for f in (*node.fields, *node.filter_only)}
    found: dict[ColumnId, Field] = {}
    for part in inputs(node):
        for field in part.fields:
            if field.id in found and isinstance(node, Join | Apply):
                raise InternalError(f"both sides give column {field.name}#{field.id}: {format_node(node)}")
            found[field.id] = field
    return found


def _check_reference(node: Reference, shared: dict[SharedId, tuple[Field, ...]]) -> None:
    if node.shared not in shared:
        raise InternalError(f"nothing defines what is read here: {format_node(node)}")
    types = {f.id: f.type for f in shared[node.shared]}
    for field, source in zip(node.fields, node.sources, strict=True):
        if types.get(source) != field.type:
            raise InternalError(f"column {field.name}#{field.id} is not column #{source} of the shared relation")


def _check_part(part: Expression, visible: dict[ColumnId, Field], node: Relation) -> None:
    match part:
        case Column(id=id_, type=type_):
            field = visible.get(id_)
            if field is None:
                raise InternalError(f"column {part.name}#{id_} is not there: {format_node(node)}")
            if field.type != type_:
                raise InternalError(f"column {part.name}#{id_} is {field.type}, not {type_}: {format_node(node)}")
        case Call(function=name, args=args):
            if name in COMPARISONS and args[0].type != args[1].type:
                raise InternalError(f"{name} of {args[0].type} and {args[1].type}: {format_node(node)}")
            if name in ("and", "or", "not") and not all(pa.types.is_boolean(a.type) for a in args):
                raise InternalError(f"{name} of something that is not boolean: {format_node(node)}")
        case Case(whens=whens, otherwise=otherwise, type=type_):
            values = [when.value for when in whens] + ([] if otherwise is None else [otherwise])
            if any(value.type != type_ for value in values):
                raise InternalError(f"the arms of a CASE differ in type: {format_node(node)}")
        case InList(operand=operand, options=options):
            if any(option.type != operand.type for option in options):
                raise InternalError(f"an IN list of another type than its operand: {format_node(node)}")
        case _:
            pass
