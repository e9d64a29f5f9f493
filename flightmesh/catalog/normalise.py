"""The types that the engine computes with, and how files of other types are brought to them.

Handed Arrow schemas as files have them; hands on the normalised schema of a table (see `catalog.table`) and batches cast to it.
What always holds: `conform` gives exactly the wanted fields, in order, whatever a file leaves out or spells with another type.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError, InvalidInput
from flightmesh.expression.scaled import is_short_decimal, short_decimal, widened
from flightmesh.expression.types import MAX_PRECISION, normal_type

_SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}


def normalise_type(kind: pa.DataType) -> pa.DataType:
    """The type that columns of `kind` have in the engine; null stays null until files are unified."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return normalise_type(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return normalise_type(kind.value_type)
    if types.is_nested(kind):
        return _normalise_nested(kind)
    # Arrow cannot cast a duration to an interval; it stays what it is, and functions refuse it by name.
    return kind if types.is_duration(kind) else normal_type(kind)


def _normalise_nested(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_struct(kind):
        return pa.struct([pa.field(f.name, _without_null(normalise_type(f.type)), f.nullable) for f in kind])
    if types.is_map(kind):
        return pa.map_(normalise_type(kind.key_type), _without_null(normalise_type(kind.item_type)))
    if (
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    ):
        return pa.list_(_without_null(normalise_type(kind.value_type)))
    return kind


def _without_null(kind: pa.DataType) -> pa.DataType:
    return pa.int32() if pa.types.is_null(kind) else kind


def normalise_schema(schema: pa.Schema) -> pa.Schema:
    """The schema of a table in memory that has `schema`."""
    return pa.schema([pa.field(f.name, _without_null(normalise_type(f.type)), f.nullable) for f in schema])


def unify_types(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """The type that holds the values of two normalised types, or None where there is none.

    Integers widen, integers and decimals meet in a decimal, anything numeric with a float is a double, dates widen to
    timestamps. Nothing becomes a string: a column that is text in one file and a number in another is a mistake to report.
    """
    types = pa.types
    if left == right or types.is_null(right):
        return left
    if types.is_null(left):
        return right
    if _is_number(left) and _is_number(right):
        return _unify_numbers(left, right)
    if types.is_date32(left) and types.is_timestamp(right):
        return right if right.tz is None else None
    if types.is_timestamp(left) and types.is_date32(right):
        return left if left.tz is None else None
    return None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal128(kind))


def _unify_numbers(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_floating(left) or types.is_floating(right):
        return pa.float64()
    if types.is_integer(left) and types.is_integer(right):
        return _unify_integers(left, right)
    (left_digits, left_scale), (right_digits, right_scale) = _decimal_shape(left), _decimal_shape(right)
    scale = max(left_scale, right_scale)
    precision = max(left_digits, right_digits) + scale
    return pa.decimal128(precision, scale) if precision <= MAX_PRECISION else pa.float64()


def _unify_integers(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    wide = max(left.bit_width, right.bit_width)
    if pa.types.is_signed_integer(left) == pa.types.is_signed_integer(right):
        return left if left.bit_width == wide else right
    unsigned = left if pa.types.is_unsigned_integer(left) else right
    signed = right if unsigned is left else left
    need = max(signed.bit_width, 2 * unsigned.bit_width)
    return _SIGNED[need] if need <= 64 else pa.decimal128(_INTEGER_DIGITS[64], 0)


def _decimal_shape(kind: pa.DataType) -> tuple[int, int]:
    if pa.types.is_integer(kind):
        return _INTEGER_DIGITS[kind.bit_width], 0
    exact = cast("pa.Decimal128Type[int, int]", kind)
    return exact.precision - exact.scale, exact.scale


@dataclass(frozen=True, slots=True)
class Described:
    """A file (or any source, by the name that errors use) and its schema as found."""

    name: str
    schema: pa.Schema


@dataclass(slots=True)
class _Merged:
    type: pa.DataType
    nullable: bool
    first: str
    seen: int = 1


class Mixture(enum.Enum):
    """What a column is that has types in two files which do not fit: an error, or (formats of text) a string."""

    REFUSE = "refuse"
    STRING = "string"


def unify_schemas(sources: Sequence[Described], mixture: Mixture = Mixture.REFUSE) -> pa.Schema:
    """The normalised schema of a table made of all `sources`; columns that some leave out are NULL there.

    Columns without any value are int32, with Mixture.STRING strings. Raises InvalidInput naming the column and the two files
    when types do not fit, or when a file names a column twice.
    """
    merged: dict[str, _Merged] = {}
    for number, source in enumerate(sources):
        names = source.schema.names
        if len(set(names)) != len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise InvalidInput(f"{source.name}: two columns are named {twice!r}", hint="give each column its own name")
        for entry in source.schema:
            _merge_column(merged, entry, source.name, number, mixture)
    empty = pa.string() if mixture is Mixture.STRING else pa.int32()
    fields = []
    for name, column in merged.items():
        kind = empty if pa.types.is_null(column.type) else column.type
        fields.append(pa.field(name, kind, column.nullable or column.seen < len(sources)))
    return pa.schema(fields)


def _merge_column(merged: dict[str, _Merged], entry: pa.Field, source: str, number: int, mixture: Mixture) -> None:
    kind = normalise_type(entry.type)
    nullable = entry.nullable or pa.types.is_null(kind)
    known = merged.get(entry.name)
    if known is None:
        merged[entry.name] = _Merged(kind, nullable or number > 0, source)
        return
    joint = unify_types(known.type, kind)
    if joint is None and mixture is Mixture.STRING:
        joint = pa.string()
    if joint is None:
        raise InvalidInput(
            f"column {entry.name!r} is {known.type} in {known.first} but {kind} in {source}",
            hint="files of one table need columns of the same or of compatible types; register them as tables of their own",
        )
    if joint != known.type:
        known.first = source if joint == kind else known.first
    known.type = joint
    known.nullable = known.nullable or nullable
    known.seen += 1


class Form(enum.Enum):
    """How columns leave a reader: PLAIN, of the table's types, or COMPACT where they were read so: texts that repeat as
    dictionaries, decimals of up to 18 digits as decimal64."""

    PLAIN = "plain"
    COMPACT = "compact"


def conform(batch: pa.RecordBatch, schema: pa.Schema, form: Form = Form.PLAIN) -> pa.RecordBatch:
    """`batch` with exactly the columns of `schema`, cast; columns that it lacks are NULL. `schema` has at least one column.

    With Form.COMPACT a dictionary of texts of the right type stays, and a decimal64 for a decimal128 of the same digits. Raises
    DataError when a value does not fit.
    """
    present = {name: number for number, name in enumerate(batch.schema.names)}
    columns: list[pa.Array] = []
    for entry in schema:
        number = present.get(entry.name)
        if number is None:
            columns.append(pa.nulls(batch.num_rows, entry.type))
        elif form is Form.COMPACT and _is_compact(batch.column(number).type, entry.type):
            columns.append(batch.column(number))
        else:
            columns.append(cast_array(batch.column(number), entry.type, entry.name))
    return pa.RecordBatch.from_arrays(columns, names=schema.names)


@dataclass(frozen=True, slots=True)
class _Fitting:
    """A schema whose columns need no cast: which of them are unscaled decimals, of which type, and what the schema is then."""

    given: pa.Schema
    decimals: tuple[tuple[int, pa.DataType], ...]
    made: pa.Schema


class Conforming:
    """`conform` for one batch after the other, which finds out once that they have the right types already. `decimals` says
    which integer columns of the batches are unscaled decimals, and of which type (a decimal64). For one thread."""

    def __init__(self, schema: pa.Schema, form: Form, decimals: Mapping[str, pa.DataType] | None = None) -> None:
        self._schema = schema
        self._form = form
        self._decimals = decimals or {}
        self._fitting: _Fitting | None = None

    def makes(self, schema: pa.Schema, form: Form) -> bool:
        """Whether this is what brings batches to that schema."""
        return self._form is form and self._schema.equals(schema)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """As `conform`."""
        given, fitting = batch.schema, self._fitting
        if fitting is not None and given.equals(fitting.given):
            return pa.RecordBatch.from_arrays(_scaled(batch, fitting.decimals), schema=fitting.made)
        kinds = ((place, self._decimals.get(name)) for place, name in enumerate(given.names))
        decimals = tuple((place, kind) for place, kind in kinds if kind is not None)
        scaled = pa.RecordBatch.from_arrays(_scaled(batch, decimals), names=given.names) if decimals else batch
        made = conform(scaled, self._schema, self._form)
        if given.names == made.schema.names and scaled.schema.types == made.schema.types:
            self._fitting = _Fitting(given, decimals, made.schema)
        return made


def _scaled(batch: pa.RecordBatch, decimals: Sequence[tuple[int, pa.DataType]]) -> list[pa.Array]:
    """The columns of a batch, those at these places as the decimals that they are the unscaled values of."""
    columns: list[pa.Array] = batch.columns
    for place, kind in decimals:
        column = columns[place]
        whole = column if column.type == pa.int64() else column.cast(pa.int64())
        columns[place] = whole.view(kind)
    return columns


def _is_compact(kind: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a column of `kind` stands for one of the type `wanted`."""
    if pa.types.is_dictionary(kind):
        return bool(pa.types.is_string(wanted) and kind.value_type == wanted)
    return is_short_decimal(wanted) and bool(kind == short_decimal(wanted))


def drops_only_time(kind: pa.DataType) -> bool:
    """Whether a cast to the normal type may only cut off nanoseconds (or, of a date in milliseconds, a time of day)."""
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        return bool(getattr(kind, "unit", None) == "ns")
    return bool(pa.types.is_date64(kind))


def cast_array(array: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    """The array as the normalised type `kind`; `name` is the column's, for the error."""
    if array.type == kind:
        return array
    try:
        if isinstance(array, pa.ExtensionArray):
            return cast_array(array.storage, kind, name)
        if pa.types.is_dictionary(array.type):
            return cast_array(cast("pa.DictionaryArray[Any, Any]", array).dictionary_decode(), kind, name)
        if pa.types.is_run_end_encoded(array.type):
            return cast_array(pc.call_function("run_end_decode", [array]), kind, name)
        if pa.types.is_decimal64(array.type):
            return cast_array(widened(array, pa.decimal128(array.type.precision, array.type.scale)), kind, name)
        return pc.cast(array, kind, safe=not drops_only_time(array.type))
    except pa.ArrowException as error:
        problem = f"column {name!r}: a value of type {array.type} does not fit {kind}: {error}"
        raise DataError(
            problem, hint="is the file whole, and do its columns have the types of the table's other files?"
        ) from None
