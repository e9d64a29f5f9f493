"""The steps of a compiled program and how they run.

A `Block` is a list of steps that each fill one register from registers before it. A block inside another (an arm of a CASE, the
guarded side of an AND) runs on a selection of the outer rows and imports the outer registers it needs, taken for that
selection. What always holds: a register is an array of the frame's rows or a scalar.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError, FlightmeshError, InternalError, Position
from flightmesh.expression.arrays import boolean_mask, broadcast, null_of, one_array, scattered
from flightmesh.expression.casts import cast_datum
from flightmesh.expression.decimals import choose, to_double
from flightmesh.expression.functions.declare import Datum, DecimalForm, Kernel, Request
from flightmesh.expression.nodes import CastMode, Expression
from flightmesh.expression.scaled import Held, ScaledDecimals, arrow, held
from flightmesh.expression.text import format_expression, format_for_people

Rows = npt.NDArray[np.int64]


@dataclass(slots=True)
class Frame:
    """Where a block runs: columns of a batch, all rows of it or those of `selection`."""

    batch: pa.RecordBatch
    rows: int
    selection: Rows | None = None

    def column(self, key: str, type: pa.DataType) -> Held:
        """A column of the batch for the frame's rows, dictionaries decoded; `type`: what a decimal64 stands for."""
        array = self.batch.column(key)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if self.selection is not None:
            array = array.take(pa.array(self.selection))
        return held(array, type) if pa.types.is_decimal64(array.type) else array

    def narrowed(self, chosen: Rows) -> Frame:
        """The frame of some of these rows."""
        selection = chosen if self.selection is None else self.selection[chosen]
        return Frame(self.batch, len(chosen), selection)


Registers = list[Held]
Step = Callable[[Registers, Frame], Held]


def arrow_at(registers: Registers, index: int) -> Datum:
    """A register's content as Arrow has it; converted at most once."""
    content = registers[index]
    if isinstance(content, ScaledDecimals):
        content = registers[index] = content.to_array()
    return content


def short_at(registers: Registers, index: int) -> Datum:
    """A register's content as decimal64, where it is held so, else as Arrow has it."""
    content = registers[index]
    found = content.to_short() if isinstance(content, ScaledDecimals) else None
    return arrow_at(registers, index) if found is None else found


@dataclass(frozen=True, slots=True)
class Block:
    """Steps over registers 0..imports-1, which the caller fills, then one register a step; `outputs` name the results."""

    imports: tuple[int, ...]
    """Registers of the enclosing block, in the order of this block's first registers."""
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def run(self, frame: Frame, imported: Registers | None = None, short: Collection[int] = ()) -> list[Datum]:
        """The outputs for the frame's rows; those with the numbers `short` may come as decimal64."""
        registers: Registers = list(imported or ())
        for step in self.steps:
            registers.append(step(registers, frame))
        return [
            short_at(registers, index) if number in short else arrow_at(registers, index)
            for number, index in enumerate(self.outputs)
        ]

    def run_inside(self, outer: Registers, frame: Frame, chosen: Rows | None) -> Datum:
        """The one output for some rows of the enclosing frame (None: all), as a scalar or an array of that many values."""
        if chosen is None:
            return self.run(frame, [outer[index] for index in self.imports])[0]
        picked = pa.array(chosen)
        imported = [d if isinstance(d, pa.Scalar) else d.take(picked) for d in (arrow_at(outer, i) for i in self.imports)]
        return self.run(frame.narrowed(chosen), imported)[0]


def load(key: str, type: pa.DataType) -> Step:
    """Reads a column."""
    return lambda registers, frame: frame.column(key, type)


def constant(value: pa.Scalar) -> Step:
    """A literal."""
    return lambda registers, frame: value


@dataclass(frozen=True, slots=True)
class Apply:
    """Calls a function's kernel; any failure of the data becomes a DataError that names the expression."""

    kernel: Kernel
    form: DecimalForm
    args: tuple[int, ...]
    type: pa.DataType
    source: Expression
    at: Position | None

    def __call__(self, registers: Registers, frame: Frame) -> Held:
        """The call's result."""
        if self.form is DecimalForm.SCALED:
            args: tuple[Any, ...] = tuple(registers[index] for index in self.args)
        else:
            args = tuple(arrow_at(registers, index) for index in self.args)
        try:
            result: Held = one_array(self.kernel(args, Request(self.type, frame.rows)))
        except FlightmeshError as error:
            raise located(error, self.source, self.at) from error
        except pa.ArrowInvalid as error:
            raise located(DataError(str(error)), self.source, self.at) from error
        except pa.ArrowCapacityError as error:
            raise too_large(error, frame, self.source, self.at) from error
        if result.type != self.type:
            raise InternalError(f"{format_expression(self.source)} gave {result.type} where {self.type} was promised")
        return result


@dataclass(frozen=True, slots=True)
class Convert:
    """A cast."""

    operand: int
    type: pa.DataType
    mode: CastMode
    source: Expression
    at: Position | None

    def __call__(self, registers: Registers, frame: Frame) -> Datum:
        """The operand as the type."""
        try:
            content = registers[self.operand]
            if isinstance(content, ScaledDecimals) and self.type == pa.float64():
                return to_double(content)
            return cast_datum(arrow_at(registers, self.operand), self.type, self.mode)
        except FlightmeshError as error:
            raise located(error, self.source, self.at) from error
        except pa.ArrowInvalid as error:
            raise located(DataError(str(error)), self.source, self.at) from error
        except pa.ArrowCapacityError as error:
            raise too_large(error, frame, self.source, self.at) from error


def too_large(error: pa.ArrowCapacityError, frame: Frame, source: Expression, at: Position | None) -> Exception:
    """What to raise where texts pass the 2 GiB of an array: a DataError for one value; of more rows fewer may fit, which is for
    the caller to try."""
    return error if frame.rows > 1 else located(DataError("a value is larger than 2 GiB"), source, at)


_LOCATED = re.compile(r" in \[.*\]$", re.DOTALL)


def located(error: FlightmeshError, source: Expression, at: Position | None) -> FlightmeshError:
    """A DataError with the expression's text and position; other errors unchanged."""
    if not isinstance(error, DataError) or error.text is not None or _LOCATED.search(error.message):
        return error
    return DataError(f"{error.message} in [{format_for_people(source)}]", hint=error.hint, position=error.position or at)


_FEW_OPTIONS = 4
"""Up to so many texts are compared one by one, which is cheaper than hashing."""


def one_pattern(array: pa.Array) -> pa.Array:
    """Floats with one zero and one NaN, which `is_in` tells apart by their bits; other types as they are."""
    if not pa.types.is_floating(array.type):
        return array
    nan = pa.scalar(float("nan"), array.type)
    return pc.if_else(pc.is_nan(array), nan, pc.add(array, pa.scalar(0.0, array.type)))


@dataclass(frozen=True, slots=True)
class Membership:
    """operand IN (constants): NULL where the operand is NULL, or where nothing matches and a constant is NULL."""

    operand: int
    options: pa.Array
    has_null: bool

    def __call__(self, registers: Registers, frame: Frame) -> Datum:
        """True, false or NULL a row."""
        operand = arrow_at(registers, self.operand)
        if isinstance(operand, pa.Scalar):
            if not operand.is_valid:
                return null_of(pa.bool_())
            return self._found(pa.array([operand], operand.type))[0]
        return self._found(operand)

    def _found(self, operand: pa.Array) -> pa.Array:
        if 0 < len(self.options) <= _FEW_OPTIONS and pa.types.is_string(operand.type):
            found = reduce(pc.or_, (pc.equal(operand, option) for option in self.options))
        else:
            found = pc.is_in(one_pattern(operand), value_set=self.options)
        if self.has_null:
            return pc.if_else(found, found, null_of(pa.bool_()))
        return found if operand.null_count == 0 else pc.if_else(operand.is_valid(), found, null_of(pa.bool_()))


@dataclass(frozen=True, slots=True)
class Guarded:
    """AND (`stop` false) or OR (`stop` true) whose right side runs only where the left side leaves it open."""

    left: int
    right: Block
    stop: bool

    def __call__(self, registers: Registers, frame: Frame) -> Datum:
        """The three-valued result."""
        combine = pc.or_kleene if self.stop else pc.and_kleene
        left = arrow_at(registers, self.left)
        if isinstance(left, pa.Scalar):
            if left.is_valid and left.as_py() is self.stop:
                return left
            return combine(left, self.right.run_inside(registers, frame, None))
        decided = boolean_mask(left if self.stop else pc.invert(left))
        if not decided.any():
            return combine(left, self.right.run_inside(registers, frame, None))
        chosen = np.flatnonzero(~decided)
        if len(chosen) == 0:
            return left
        inner = broadcast(self.right.run_inside(registers, frame, chosen), len(chosen))
        opened = scattered(
            ((np.flatnonzero(decided), pa.repeat(pa.scalar(self.stop), len(left) - len(chosen))), (chosen, inner)),
            len(left),
            left.type,
        )
        return combine(left, opened)


@dataclass(frozen=True, slots=True)
class Choose:
    """CASE whose arms are already computed."""

    conditions: tuple[int, ...]
    values: tuple[int, ...]
    otherwise: int | None
    type: pa.DataType

    def __call__(self, registers: Registers, frame: Frame) -> Held:
        """The first arm whose condition is true, a row."""
        result: Held = null_of(self.type) if self.otherwise is None else registers[self.otherwise]
        for condition, value in zip(reversed(self.conditions), reversed(self.values), strict=True):
            mask = arrow_at(registers, condition)
            if isinstance(mask, pa.Scalar):
                result = registers[value] if mask.is_valid and mask.as_py() else result
            else:
                result = self._merged(mask, value, result, registers)
        return result

    def _merged(self, mask: pa.Array, value: int, otherwise: Held, registers: Registers) -> Held:
        if pa.types.is_decimal(self.type):
            quick = choose(boolean_mask(mask), registers[value], otherwise, self.type)
            if quick is not None:
                return quick
        filled = pc.fill_null(mask, False) if mask.null_count else mask
        return one_array(pc.if_else(filled, arrow_at(registers, value), arrow(otherwise)))


@dataclass(frozen=True, slots=True)
class LazyCase:
    """CASE with an arm that may fail: each condition and value runs on the rows that reach it."""

    arms: tuple[tuple[Block, Block], ...]
    otherwise: Block | None
    type: pa.DataType

    def __call__(self, registers: Registers, frame: Frame) -> Datum:
        """The first arm whose condition is true, a row."""
        open_rows = np.arange(frame.rows, dtype=np.int64)
        parts: list[tuple[Rows, pa.Array]] = []
        for condition, value in self.arms:
            if len(open_rows) == 0:
                break
            everything = open_rows if len(open_rows) < frame.rows else None
            mask = condition.run_inside(registers, frame, everything)
            if isinstance(mask, pa.Scalar):
                taken = np.full(len(open_rows), bool(mask.is_valid and mask.as_py()))
            else:
                taken = boolean_mask(mask)
            chosen, open_rows = open_rows[taken], open_rows[~taken]
            self._collect(parts, value, registers, frame, chosen)
        if len(open_rows):
            if self.otherwise is None:
                parts.append((open_rows, pa.nulls(len(open_rows), self.type)))
            else:
                self._collect(parts, self.otherwise, registers, frame, open_rows)
        if len(parts) == 1:
            return parts[0][1]
        return scattered(parts, frame.rows, self.type)

    def _collect(
        self, parts: list[tuple[Rows, pa.Array]], block: Block, registers: Registers, frame: Frame, chosen: Rows
    ) -> None:
        if len(chosen) == 0:
            return
        rows = chosen if len(chosen) < frame.rows else None
        parts.append((chosen, broadcast(block.run_inside(registers, frame, rows), len(chosen))))


@dataclass(frozen=True, slots=True)
class LazyCoalesce:
    """coalesce with arguments that may fail: each runs on the rows still NULL."""

    first: int
    rest: tuple[Block, ...]
    type: pa.DataType

    def __call__(self, registers: Registers, frame: Frame) -> Datum:
        """The first value that is not NULL, a row."""
        result: Datum = arrow_at(registers, self.first)
        for block in self.rest:
            if isinstance(result, pa.Scalar):
                if result.is_valid:
                    return result
                result = block.run_inside(registers, frame, None)
                continue
            if result.null_count == 0:
                return result
            chosen = np.flatnonzero(boolean_mask(result.is_null()))
            rows = chosen if len(chosen) < frame.rows else None
            values = broadcast(block.run_inside(registers, frame, rows), len(chosen))
            kept = np.flatnonzero(boolean_mask(result.is_valid()))
            result = scattered(((kept, result.take(pa.array(kept))), (chosen, values)), frame.rows, self.type)
        return result
