"""The typed parameters of a plan.

Handed what the plan declares and what the caller gives (Python values, or text from a command line); hands on one
Python value of the declared type for each parameter. What always holds: a value is never pasted into SQL, and one
that does not fit its type is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from flightmesh.errors import InvalidPlan
from flightmesh.frontend.yaml.document import Document, Node
from flightmesh.frontend.yaml.model import Param, ParamType
from flightmesh.frontend.yaml.validation import nearest

_SAMPLES: dict[str, Any] = {
    "int": 1,
    "float": 1.0,
    "string": "x",
    "path": ".",
    "bool": True,
    "decimal": Decimal(1),
    "date": date(2000, 1, 1),
    "timestamp": datetime(2000, 1, 1),
}


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def type_of(param: Param) -> ParamType:
    """The declared type, or the one that the default tells: text that is an ISO date or timestamp is one."""
    if param.type is not None:
        return param.type
    match param.default:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case text:
            return _type_of_text(str(text))


def _type_of_text(text: str) -> ParamType:
    for kind, read, least in (("date", _date, 10), ("timestamp", datetime.fromisoformat, 16)):
        try:
            read(text)
        except ValueError:
            continue
        if len(text) >= least and "-" in text:
            return "date" if kind == "date" else "timestamp"
    return "string"


def bind_params(
    document: Document, declared: Mapping[str, Param], given: Mapping[str, Any], here: Path | None
) -> dict[str, Any]:
    """A value for every declared parameter. Raises InvalidPlan for unknown, missing, ill-typed and out-of-range ones.

    `here`: what relative paths among the given values are relative to. None for a plan from another machine: there all relative
    paths stay as they are.
    """
    section = document.root.get("params")
    for name in given:
        if name not in declared:
            hint = nearest(name, declared) or "the plan has no parameters"
            raise document.error(f"the plan has no parameter {name!r}", section, hint)
    values = {}
    for name, param in declared.items():
        node = section.get(name) if section is not None else None
        if name in given and given[name] is not None:
            values[name] = _checked(document, node, name, param, given[name], here)
        elif param.default is not None:
            default = node.get("default") or node if node is not None else None
            written = _as_written(document, default, param)
            folder = None if here is None else Path(document.name).absolute().parent
            values[name] = _checked(document, default, name, param, written, folder)
        elif param.required:
            key = section.key(name) if section is not None else None
            raise document.error(
                f"the parameter {name!r} needs a value", key, f"give one: --set {name}=... or params={{{name!r}: ...}}"
            )
        else:
            values[name] = None
    return values


def _as_written(document: Document, node: Node | None, param: Param) -> Any:
    """The default; that of a decimal with the digits that the file has, which the float that YAML makes of it would lose."""
    if param.type == "decimal" and isinstance(param.default, float) and node is not None and node.kind == "scalar":
        return document.text[node.start : node.end]
    return param.default


def sample_params(document: Document, declared: Mapping[str, Param], chosen: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values with which a plan can be checked: those chosen, else defaults, else stand-ins of the right type."""
    given = dict(chosen or {})
    for name, param in declared.items():
        if param.default is None and name not in given:
            sample = _SAMPLES[type_of(param)]
            given[name] = param.enum[0] if param.enum else next((v for v in (param.min, param.max) if v is not None), sample)
    return bind_params(document, declared, given, Path.cwd())


def _checked(document: Document, node: Node | None, name: str, param: Param, value: Any, folder: Path | None) -> Any:
    kind = type_of(param)
    converted = _convert(document, node, name, kind, value, folder)
    allowed = [_convert(document, node, name, kind, option, folder) for option in param.enum or ()]
    if allowed and converted not in allowed:
        options = [str(option) for option in param.enum or ()]
        raise document.error(f"the parameter {name!r} cannot be {value!r}", node, nearest(str(value), options))
    for bound, least in ((param.min, True), (param.max, False)):
        if bound is None:
            continue
        limit = _convert(document, node, name, kind, bound, folder)
        if (converted < limit) if least else (converted > limit):
            raise document.error(f"the parameter {name!r} must be at {'least' if least else 'most'} {bound}, not {value}", node)
    return converted


def _convert(document: Document, node: Node | None, name: str, kind: ParamType, value: Any, folder: Path | None) -> Any:
    try:
        return _converted(kind, value, folder)
    except (ValueError, TypeError, InvalidOperation):
        raise _misfit(document, node, name, kind, value) from None


def _misfit(document: Document, node: Node | None, name: str, kind: ParamType, value: Any) -> InvalidPlan:
    example = {
        "int": "7",
        "float": "0.5",
        "date": "2013-06-30",
        "timestamp": "2013-06-30 12:00:00",
        "bool": "true",
        "decimal": "12.50",
        "string": "some text",
        "path": "data/files",
    }[kind]
    return document.error(f"the parameter {name!r} is of type {kind}, and {value!r} is not", node, f"for instance {example}")


def _converted(kind: ParamType, value: Any, folder: Path | None) -> Any:
    match kind:
        case "int":
            return _whole(value)
        case "float":
            if isinstance(value, bool):
                raise TypeError
            return float(value)
        case "decimal":
            if isinstance(value, bool):
                raise TypeError
            return _decimal(str(value))
        case "bool":
            return _boolean(value)
        case "date":
            if isinstance(value, datetime):
                raise TypeError
            return value if isinstance(value, date) else _date(value)
        case "timestamp":
            if isinstance(value, date) and not isinstance(value, datetime):
                return datetime(value.year, value.month, value.day)
            return value if isinstance(value, datetime) else datetime.fromisoformat(value)
        case "string":
            if not isinstance(value, str):
                raise TypeError
            return value
        case "path":
            return _path(os.fspath(value), folder)


def _date(text: str) -> date:
    # fromisoformat also takes 20130601 and 2013-W22-6, which a person who writes them rarely means as dates.
    if not _DATE.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text)


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError
    return int(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise TypeError


def _path(text: str, folder: Path | None) -> str:
    if not text.strip():
        raise ValueError
    if "://" in text or folder is None:
        return text
    return os.path.normpath(folder / Path(text).expanduser())
