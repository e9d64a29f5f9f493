"""The options of CSV tables: what a person may give, and what was sniffed of the rest.

Handed pairs of strings (from `read_csv(...)`, YAML or Python, DuckDB's spellings too); hands on `CsvOptions`. What always
holds: a resolved set of options (delimiter and header known) survives `to_pairs` and `parse_options` unchanged, so it can
travel in a table.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidInput
from flightmesh.expression.types import sql_type_name, type_from_name

_NAMES = {
    "delimiter": "delimiter",
    "delim": "delimiter",
    "sep": "delimiter",
    "separator": "delimiter",
    "quote": "quote",
    "escape": "escape",
    "header": "header",
    "nulls": "nulls",
    "null": "nulls",
    "nullstr": "nulls",
    "na": "nulls",
    "skip": "skip",
    "types": "types",
    "dtypes": "types",
    "column_types": "types",
    "columns": "columns",
    "all_varchar": "all_varchar",
}
_SPELLED = {"\\t": "\t", "tab": "\t"}
_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """`delimiter`, `header`: None means sniffed. `nulls`: None means '' for text, '' and 'NA' for the rest.

    `types` fixes the types of some columns; `columns` names (and types) all of them, whatever a header says.
    """

    delimiter: str | None = None
    quote: str = '"'
    escape: str = ""
    header: bool | None = None
    nulls: tuple[str, ...] | None = None
    skip: int = 0
    types: tuple[tuple[str, pa.DataType], ...] = ()
    columns: tuple[str, ...] = ()
    all_varchar: bool = False

    def to_pairs(self) -> tuple[tuple[str, str], ...]:
        """The options as sorted pairs of strings that `parse_options` reads."""
        pairs = {"quote": self.quote, "escape": self.escape, "skip": str(self.skip), "all_varchar": str(self.all_varchar)}
        if self.delimiter is not None:
            pairs["delimiter"] = self.delimiter
        if self.header is not None:
            pairs["header"] = str(self.header)
        if self.nulls is not None:
            pairs["nulls"] = json.dumps(self.nulls)
        if self.types:
            pairs["types"] = json.dumps({name: sql_type_name(kind) for name, kind in self.types})
        if self.columns:
            known = dict(self.types)
            pairs["columns"] = json.dumps({name: sql_type_name(known[name]) for name in self.columns})
        return tuple(sorted(pairs.items()))


def parse_options(pairs: Iterable[tuple[str, str]]) -> CsvOptions:
    """The options that pairs of strings spell. Raises InvalidInput for unknown names and values that make no sense."""
    options = CsvOptions()
    for given, text in pairs:
        if given == "hive_partitioning":
            continue
        name = _NAMES.get(given.lower())
        if name is None:
            near = difflib.get_close_matches(given.lower(), _NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"options are {', '.join(sorted(set(_NAMES.values())))}"
            raise InvalidInput(f"CSV has no option {given!r}", hint=hint)
        options = _set(options, name, text)
    return options


def _set(options: CsvOptions, name: str, text: str) -> CsvOptions:
    match name:
        case "delimiter":
            return replace(options, delimiter=_character(name, _SPELLED.get(text, text)))
        case "quote":
            return replace(options, quote=text and _character(name, text))
        case "escape":
            return replace(options, escape=text and _character(name, text))
        case "header":
            return replace(options, header=_flag(name, text))
        case "all_varchar":
            return replace(options, all_varchar=_flag(name, text))
        case "nulls":
            return replace(options, nulls=_texts(text))
        case "skip":
            if not text.isdigit():
                raise InvalidInput(f"skip={text!r} is not a number of lines", hint="skip=1 leaves out the first line")
            return replace(options, skip=int(text))
        case "columns":
            types = _types(text)
            return replace(options, columns=tuple(column for column, _ in types), types=(*options.types, *types))
        case _:
            return replace(options, types=(*options.types, *_types(text)))


def _character(name: str, text: str) -> str:
    if len(text) != 1 or len(text.encode()) != 1:
        raise InvalidInput(f"{name}={text!r} is not one ASCII character", hint="write one character, such as ; or |, or tab")
    return text


def _flag(name: str, text: str) -> bool:
    lowered = text.lower()
    if lowered not in _YES | _NO:
        raise InvalidInput(f"{name}={text!r} is neither true nor false", hint=f"write {name}=true or {name}=false")
    return lowered in _YES


def _texts(text: str) -> tuple[str, ...]:
    """A JSON list of texts, or one text."""
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            return (text,)
        return tuple(str(item) for item in found)
    return (text,)


def _types(text: str) -> tuple[tuple[str, pa.DataType], ...]:
    """A JSON map of column to type name, or `column=TYPE; column=TYPE`."""
    if text.lstrip().startswith("{"):
        try:
            pairs = [(str(column), str(kind)) for column, kind in json.loads(text).items()]
        except ValueError:
            raise InvalidInput(f"types={text!r} is not a map", hint='write {"column": "BIGINT"}') from None
    else:
        pairs = [(column.strip(), kind.strip()) for column, _, kind in (part.partition("=") for part in text.split(";"))]
    return tuple((column, _named_type(column, kind)) for column, kind in pairs)


def _named_type(column: str, name: str) -> pa.DataType:
    kind = type_from_name(name)
    if kind is None:
        raise InvalidInput(
            f"column {column!r}: no type is named {name!r}", hint="BIGINT, DOUBLE, DECIMAL(15,2), DATE, VARCHAR, ..."
        )
    return kind
