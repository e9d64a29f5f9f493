"""Checks a document against the models and says what is wrong in words, at the place in the file.

Handed a `Document`; hands on a `Plan`. What always holds: the first problem in the file is the one reported, and an
unknown key comes with the nearest one that is known.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from flightmesh.errors import InvalidPlan
from flightmesh.frontend.yaml.document import Document, Node
from flightmesh.frontend.yaml.model import FORMATS, TAGS, Input, Join, Model, Param, Plan, SetInputs, Settings, Step, Write

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_COMMA = re.compile(r"\s*,")
_TEXT_ERRORS = ("string_type", "string_sub_type")


def validate(document: Document) -> Plan:
    """The plan that a document holds. Raises InvalidPlan, with position, for whatever does not fit the models."""
    if document.root.kind != "map":
        raise document.error(f"a plan is a map of keys, not {document.root.described}", document.root, "begin with steps:")
    steps = document.root.get("steps")
    if steps is not None:
        _refuse_split_expressions(document, steps)
    try:
        return Plan.model_validate(document.root.plain())
    except ValidationError as error:
        problems = [_translate(document, problem) for problem in _causes(error)]
    raise min(problems, key=_place) from None


def _causes(error: ValidationError) -> list[Any]:
    """The problems without the missing keys that another of the same map explains: one that is misspelt."""
    problems = error.errors(include_url=False)
    misspelt = {problem["loc"][:-1] for problem in problems if problem["type"] == "extra_forbidden"}
    return [problem for problem in problems if problem["type"] != "missing" or problem["loc"][:-1] not in misspelt]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """A hint that names what was probably meant, or lists what there is; None when there is nothing."""
    names = list(known)
    folded = {item.casefold(): item for item in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=2, cutoff=0.5 if len(name) < 4 else 0.6)
    if near:
        return f"did you mean {' or '.join(folded[item] for item in near)}?"
    return f"there is {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}" if names else None


def _place(error: InvalidPlan) -> tuple[int, int]:
    return (error.position.line, error.position.column) if error.position else (0, 0)


def _translate(document: Document, problem: Any) -> InvalidPlan:
    location = tuple(part for part in problem["loc"] if part not in TAGS)
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "plan":
        node = _find(document, (*location, context["key"])) if context["key"] else _find(document, location)
        return document.error(f"{_where(location)}{context['text']}", node, context["hint"] or None)
    if kind == "extra_forbidden":
        return _unknown_key(document, location)
    if kind == "missing":
        hint = _STEPS_HINT if location == ("steps",) else None
        return document.error(
            f"{_where(location[:-1])}the key {location[-1]!r} is missing", _find(document, location[:-1]), hint
        )
    node = _find(document, location)
    if location and location[-1] == "[key]":
        return document.error(f"{location[-2]!r} cannot be a name", _key_node(document, location[:-1]), _NAME_HINT)
    if kind in _TEXT_ERRORS and node is not None:
        return document.error(
            f"{_where(location)}expected text, found {node.described}", node, _quoting(document, node, location)
        )
    if kind == "literal_error":
        options = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        written = str(node.value) if node is not None else ""
        return document.error(
            f"{_where(location)}{written!r} is not one of {', '.join(options)}", node, nearest(written, options)
        )
    if kind in _BOUNDS:
        expected, written = _BOUNDS[kind].format(**context), f", not {node.value}" if node is not None else ""
        return document.error(f"{_where(location)}{expected}{written}", node)
    if kind == "too_short":
        least, what = context["min_length"], "entry" if context["min_length"] == 1 else "entries"
        found = f"found {context['actual_length'] or 'none'}"
        return document.error(f"{_where(location)}expected at least {least} {what}, {found}", node, _ENTRY_HINTS.get(location))
    found = f", found {node.described}" if node is not None else ""
    expected = _EXPECTED.get(kind, problem["msg"])
    return document.error(f"{_where(location)}{expected}{found}", node, _form(location, node))


def _form(location: tuple[Any, ...], node: Node | None) -> str | None:
    """The right form of what was written as plain text where a map belongs."""
    written = node.parts()[0].value if node is not None and node.parts() else None
    if node is None or node.kind == "map" or not isinstance(written, str):
        return None
    text = '"select ..."' if re.match(r"(select|with)\b", written, re.IGNORECASE) else None
    match location:
        case ("inputs",) | ("inputs", _) | ("write",):
            kind = next((kind for kind in FORMATS if f".{kind}" in written.lower()), "parquet")
            form = f"{{{kind}: {written}}}"
            return f"write {'inputs: {name: ' + form + '}' if location == ('inputs',) else form}"
        case ("steps", _):
            return f"write {{sql: {text}}}" if text else f"write {{from: {written}}}"
    return None


_NAME_HINT = "a name is letters, digits and underscores, and does not begin with a digit"
_EXPECTED = {
    "dict_type": "expected a map",
    "model_type": "expected a map",
    "model_attributes_type": "expected a map",
    "list_type": "expected a list",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "string_too_short": "expected some text",
}
_BOUNDS = {"greater_than_equal": "must be at least {ge}", "less_than_equal": "must be at most {le}"}
_STEPS_HINT = "a plan has steps: {name: {from: ...}}"
_ENTRY_HINTS = {("steps",): _STEPS_HINT}


def _where(location: tuple[Any, ...]) -> str:
    """The beginning of a message: which step or input it is about, and which key."""
    match location:
        case ("steps", name, *rest) | ("inputs", name, *rest) | ("params", name, *rest):
            kind = {"steps": "step", "inputs": "input", "params": "parameter"}[location[0]]
            keys = [str(part) for part in rest if not isinstance(part, int)]
            return f"{kind} {name!r}{', ' + '.'.join(keys) if keys else ''}: "
        case (first, *rest) if isinstance(first, str):
            return f"{'.'.join([first, *(str(part) for part in rest if not isinstance(part, int))])}: "
    return ""


def _unknown_key(document: Document, location: tuple[Any, ...]) -> InvalidPlan:
    key, node = str(location[-1]), _key_node(document, location)
    value = _find(document, location)
    if node is not None and node.in_flow and value is not None and value.kind == "scalar" and value.value is None:
        hint = "YAML has split this at a comma or a colon: write the expression before it in quotes"
    else:
        hint = nearest(key, _known_keys(location)) or ""
    return document.error(f"{_where(location[:-1])}the key {key!r} is unknown", node, hint)


def _known_keys(location: tuple[Any, ...]) -> Iterator[str]:
    model: type[Model]
    match location:
        case (_,):
            model = Plan
        case ("params", *_):
            model = Param
        case ("inputs", *_):
            model = Input
        case ("write", *_):
            model = Write
        case ("settings", *_):
            model = Settings
        case ("steps", _, _):
            model = Step
        case ("steps", _, "join", *_):
            model = Join
        case _:
            model = SetInputs
    for name, field in model.model_fields.items():
        yield field.alias or name


def _find(document: Document, location: tuple[Any, ...]) -> Node | None:
    """The node at a location; a part that the file does not have (a one-item list written as the item) is stepped over."""
    node = document.root
    for part in location:
        below = None
        if node.kind == "map":
            below = node.get(str(part))
        elif node.kind == "list" and isinstance(part, int) and part < len(node.items):
            below = node.items[part]
        node = below or node
    return node


def _key_node(document: Document, location: tuple[Any, ...]) -> Node | None:
    parent = _find(document, location[:-1])
    return (parent.key(str(location[-1])) if parent else None) or parent


def _quoting(document: Document, node: Node, location: tuple[Any, ...]) -> str | None:
    if node.kind == "scalar" and node.value is not None:
        return f'put it in quotes: "{document.text[node.start : node.end]}"'
    if node.kind == "scalar":
        return "write an expression, in quotes if YAML would read it otherwise"
    if location and location[0] == "steps":
        return "YAML has read braces, brackets or a colon as its own: put the expression in quotes"
    return None


def _refuse_split_expressions(document: Document, node: Node) -> None:
    """Finds the unquoted scalars in braces or brackets that YAML has ended at a comma inside parentheses."""
    if node.kind == "scalar":
        is_split = node.in_flow and node.style is None and _COMMA.match(document.text, node.end)
        if is_split and _left_open(str(node.value)):
            whole = _whole_expression(document.text, node.start)
            raise document.error(
                f"YAML has split this expression at a comma: {node.value!r}", node, f'put it in quotes: "{whole}"'
            )
        return
    for part in (*node.items, *(value for _, value in node.entries)):
        _refuse_split_expressions(document, part)


def _left_open(text: str) -> bool:
    """Whether parentheses or a quote that the text opens are not closed in it."""
    expected, quote = _scan(text)
    return bool(expected) or quote is not None


def _scan(text: str) -> tuple[list[str], str | None]:
    expected: list[str] = []
    quote: str | None = None
    for letter in text:
        if quote is not None:
            quote = None if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in _CLOSING:
            expected.append(_CLOSING[letter])
        elif expected and letter == expected[-1]:
            expected.pop()
    return expected, quote


def _whole_expression(text: str, start: int) -> str:
    """What the person probably wrote: the text up to a comma or bracket that stands outside its own parentheses."""
    line = text[start:].split("\n", 1)[0]
    for end in range(1, len(line) + 1):
        rest = line[end : end + 1]
        if (rest in (",", "}", "]") or not rest) and not _left_open(line[:end]):
            return line[:end].strip()
    return line.strip()
