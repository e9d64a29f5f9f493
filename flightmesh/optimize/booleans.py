"""AND, OR and NOT made smaller, three-valued: NULL AND FALSE is FALSE, NULL OR TRUE is TRUE, NULL otherwise stays.

Handed a boolean call whose arguments are already simple; hands on an equal expression. What always holds: AND and OR come
out flat, all operands in one call.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.nodes import Call, Expression, InList, Literal, conjuncts
from flightmesh.expression.properties import is_volatile

TRUE = Literal(pa.scalar(True))
FALSE = Literal(pa.scalar(False))
NULL = Literal(pa.scalar(None, pa.bool_()))

FEW = 12
"""Up to so many parts are compared with each other; more are hashed, which costs more a part."""

OPPOSITE = {
    "equal": "not_equal",
    "not_equal": "equal",
    "less": "greater_equal",
    "less_equal": "greater",
    "greater": "less_equal",
    "greater_equal": "less",
    "is_null": "is_not_null",
    "is_not_null": "is_null",
    "is_distinct_from": "is_not_distinct_from",
    "is_not_distinct_from": "is_distinct_from",
}


def is_true(node: Expression) -> bool:
    """The constant TRUE."""
    return isinstance(node, Literal) and node.value.as_py() is True


def is_false(node: Expression) -> bool:
    """The constant FALSE."""
    return isinstance(node, Literal) and node.value.as_py() is False


def is_null(node: Expression) -> bool:
    """A constant NULL."""
    return isinstance(node, Literal) and node.is_null


def disjuncts(node: Expression) -> tuple[Expression, ...]:
    """The operands of nested ORs, flattened."""
    if isinstance(node, Call) and node.function == "or":
        return tuple(leaf for part in node.args for leaf in disjuncts(part))
    return (node,)


def joined(function: str, parts: list[Expression]) -> Expression:
    """At least one part, put together with AND or OR."""
    return parts[0] if len(parts) == 1 else Call(function, tuple(parts), pa.bool_())


def distinct(parts: tuple[Expression, ...]) -> list[Expression]:
    """The parts without repetitions, in order."""
    if len(parts) > FEW:
        return list(dict.fromkeys(parts))
    found: list[Expression] = []
    for part in parts:
        if part not in found:
            found.append(part)
    return found


def simplify_and(node: Call) -> Expression:
    """Without TRUEs and repetitions; FALSE where a part is."""
    flat = conjuncts(node)
    parts = [p for p in distinct(flat) if not is_true(p)]
    if any(is_false(p) for p in parts):
        return FALSE
    if not parts:
        return TRUE
    return node if len(parts) == len(flat) == len(node.args) else joined("and", parts)


def simplify_or(node: Call) -> Expression:
    """Without FALSEs and repetitions; TRUE where a part is; equalities become an IN list; common conjuncts come out."""
    flat = disjuncts(node)
    parts = [p for p in distinct(flat) if not is_false(p)]
    if any(is_true(p) for p in parts):
        return TRUE
    if not parts:
        return FALSE
    if len(parts) == 1:
        return parts[0]
    merged = factor(_merge_equalities(parts))
    if merged is not None:
        return merged
    parts = _merge_equalities(parts)
    return node if len(parts) == len(flat) == len(node.args) else joined("or", parts)


def factor(parts: list[Expression]) -> Expression | None:
    """(a AND b) OR (a AND c) as a AND (b OR c): exact in three-valued logic. None where nothing is common."""
    if len(parts) < 2:
        return parts[0] if parts else None
    branches = [list(conjuncts(p)) for p in parts]
    shared = [c for c in branches[0] if all(c in other for other in branches[1:])]
    if not shared:
        return None
    rests = [[c for c in branch if c not in shared] for branch in branches]
    if any(not rest for rest in rests):
        return joined("and", shared)
    inner = simplify_or_parts([joined("and", rest) for rest in rests])
    return joined("and", [*shared, inner])


def simplify_or_parts(parts: list[Expression]) -> Expression:
    """At least one part under OR."""
    merged = joined("or", parts)
    return simplify_or(merged) if isinstance(merged, Call) and merged.function == "or" else merged


def _merge_equalities(parts: list[Expression]) -> list[Expression]:
    """x = 1 OR x = 2 OR x IN (3) as x IN (1, 2, 3), where x stands first."""
    found: list[tuple[Expression, dict[Literal, None]]] = []
    result: list[Expression | int] = []
    for part in parts:
        pair = _membership(part)
        if pair is None:
            result.append(part)
            continue
        place = next((i for i, (operand, _) in enumerate(found) if operand == pair[0]), None)
        if place is None:
            found.append((pair[0], dict.fromkeys(pair[1])))
            result.append(len(found) - 1)
        else:
            found[place][1].update(dict.fromkeys(pair[1]))
    made: list[Expression] = []
    for item in result:
        if not isinstance(item, int):
            made.append(item)
            continue
        operand, options = found[item]
        first, *rest = options
        made.append(InList(operand, tuple(options)) if rest else Call("equal", (operand, first), pa.bool_()))
    return made


def _membership(part: Expression) -> tuple[Expression, tuple[Literal, ...]] | None:
    match part:
        case Call(function="equal", args=(operand, Literal() as option)) if not isinstance(operand, Literal):
            return None if is_volatile(operand) or option.is_null else (operand, (option,))
        case InList(operand=operand, options=options):
            return None if is_volatile(operand) or any(map(is_null, options)) else (operand, options)
        case _:
            return None


def simplify_not(operand: Expression, node: Call) -> Expression:
    """NOT pushed inwards: comparisons turn around (their order is total, NaN being the largest), De Morgan for AND and OR."""
    match operand:
        case Literal():
            return NULL if operand.is_null else FALSE if is_true(operand) else TRUE
        case Call(function="not", args=(inner,)):
            return inner
        case Call(function=name, args=args, at=at) if name in OPPOSITE:
            return Call(OPPOSITE[name], args, pa.bool_(), at)
        case Call(function="or"):
            return simplify_and_parts([_negated(p) for p in disjuncts(operand)])
        case _:
            return node


def simplify_and_parts(parts: list[Expression]) -> Expression:
    """At least one part under AND."""
    merged = joined("and", parts)
    return simplify_and(merged) if isinstance(merged, Call) and merged.function == "and" else merged


def _negated(part: Expression) -> Expression:
    return simplify_not(part, Call("not", (part,), pa.bool_()))
