"""From expressions to blocks of steps: value numbering, and the decision what runs lazily.

Handed expressions, hands on a `Block`. What always holds: two equal sub-expressions of one block share a register; a lazy block
imports what its enclosing blocks have already computed and computes the rest itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import field

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError
from flightmesh.expression.nodes import Call, Case, Cast, Column, Expression, InList, Literal, children
from flightmesh.expression.plain import plain
from flightmesh.expression.properties import may_fail
from flightmesh.expression.registry import scalar_function
from flightmesh.expression.steps import (
    Apply,
    Block,
    Choose,
    Convert,
    Guarded,
    LazyCase,
    LazyCoalesce,
    Membership,
    Step,
    constant,
    load,
    one_pattern,
)

_LAZY_CHOICES = ("coalesce", "ifnull")


def compile_block(exprs: Sequence[Expression]) -> Block:
    """The block whose outputs are the values of `exprs`."""
    builder = _Builder(None)
    outputs = tuple(builder.register(expr) for expr in exprs)
    return builder.finish(outputs)


class _Builder:
    """Grows one block; `outer` is the builder of the enclosing block, whose registers so far may be imported."""

    def __init__(self, outer: _Builder | None) -> None:
        self.outer = outer
        self.numbering: _Numbering = _Numbering() if outer is None else outer.numbering
        self.imports: list[int] = []
        self.slots: dict[int, int] = {}
        self.steps: list[Step] = []

    def finish(self, outputs: tuple[int, ...]) -> Block:
        """The block. Imported registers come first, so steps are renumbered only by having reserved them."""
        return Block(tuple(self.imports), tuple(self.steps), outputs)

    def register(self, expr: Expression) -> int:
        """The register that will hold the value of `expr`."""
        key = self.numbering.number(expr)
        if key not in self.slots:
            self.slots[key] = self._add(self._step(expr))
        return self.slots[key]

    def _add(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.imports) + len(self.steps) - 1

    def _step(self, expr: Expression) -> Step:
        match expr:
            case Column():
                return load(expr.key, expr.type)
            case Literal(value=value):
                return constant(value)
            case Cast(operand=operand, type=type, mode=mode, at=at):
                return Convert(self.register(operand), type, mode, expr, at)
            case InList():
                return self._membership(expr)
            case Case():
                return self._case(expr)
            case Call():
                return self._call(expr)

    def _membership(self, expr: InList) -> Step:
        values = [option.value for option in expr.options if option.value.is_valid]
        options = pa.array(values, expr.operand.type) if values else pa.nulls(0, expr.operand.type)
        return Membership(self.register(expr.operand), one_pattern(options), len(values) < len(expr.options))

    def _case(self, expr: Case) -> Step:
        later = [arm.condition for arm in expr.whens[1:]] + [arm.value for arm in expr.whens]
        if expr.otherwise is not None:
            later.append(expr.otherwise)
        if not any(may_fail(part) for part in later):
            conditions = tuple(self.register(arm.condition) for arm in expr.whens)
            values = tuple(self.register(arm.value) for arm in expr.whens)
            otherwise = None if expr.otherwise is None else self.register(expr.otherwise)
            return Choose(conditions, values, otherwise, expr.type)
        self.register(expr.whens[0].condition)
        arms = tuple((self._inner(arm.condition), self._inner(arm.value)) for arm in expr.whens)
        return LazyCase(arms, None if expr.otherwise is None else self._inner(expr.otherwise), expr.type)

    def _call(self, call: Call) -> Step:
        if call.function in ("and", "or") and any(may_fail(arg) for arg in call.args[1:]):
            return self._guarded(call)
        if call.function in _LAZY_CHOICES and any(may_fail(arg) for arg in call.args[1:]):
            return LazyCoalesce(self.register(call.args[0]), tuple(self._inner(arg) for arg in call.args[1:]), call.type)
        function = scalar_function(call.function)
        args = tuple(self.register(arg) for arg in call.args)
        return Apply(function.kernel, function.form, args, call.type, call, call.at)

    def _guarded(self, call: Call) -> Step:
        """Operands left to right; the last one is the guarded side, those before it are one nested call."""
        head, last = call.args[:-1], call.args[-1]
        first = head[0] if len(head) == 1 else Call(call.function, head, call.type, call.at)
        left = self.register(first)
        if not may_fail(last):
            function = scalar_function(call.function)
            return Apply(function.kernel, function.form, (left, self.register(last)), call.type, call, call.at)
        return Guarded(left, self._inner(last), call.function == "or")

    def _inner(self, expr: Expression) -> Block:
        inner = _Builder(self)
        inner.reserve(expr)
        return inner.finish((inner.register(expr),))

    def reserve(self, expr: Expression) -> None:
        """Imports the outermost parts of `expr` that the enclosing block already has."""
        if self.outer is None:
            raise InternalError("only a block inside another imports registers")
        key = self.numbering.number(expr)
        if key in self.slots:
            return
        found = self.outer.slots.get(key)
        if found is not None:
            self.slots[key] = len(self.imports)
            self.imports.append(found)
            return
        for part in children(expr):
            self.reserve(part)


@dataclass(slots=True)
class _Numbering:
    """Numbers for expressions: equal numbers, equal expressions. Each node is looked at once, however deep it stands.

    Literals are told apart by how they print, as Arrow's scalars do not always tell -0.0 from 0.0; a volatile call equals
    nothing.
    """

    known: dict[int, tuple[Expression, int]] = field(default_factory=dict)
    """By identity of the node, which is kept, so that no other node takes its identity."""
    table: dict[Hashable, int] = field(default_factory=dict)

    def number(self, expr: Expression) -> int:
        """The expression's number."""
        found = self.known.get(id(expr))
        if found is None:
            found = self.known[id(expr)] = (expr, self.table.setdefault(self._key(expr), len(self.table)))
        return found[1]

    def _key(self, expr: Expression) -> Hashable:
        parts = tuple(self.number(part) for part in children(expr))
        match expr:
            case Column(id=id):
                return ("column", id)
            case Literal(value=value):
                return ("literal", value.type, repr(plain(value)))
            case Call(function=function, type=type):
                if scalar_function(function).volatile:
                    return ("volatile", len(self.table))
                return ("call", function, type, parts)
            case Cast(type=type, mode=mode):
                return ("cast", mode, type, parts)
            case InList(options=options):
                return ("in", parts, tuple(self.number(option) for option in options))
            case Case(type=type, otherwise=otherwise):
                return ("case", type, otherwise is None, parts)
