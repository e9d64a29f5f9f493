"""Reads a plan file as YAML 1.2 and remembers where everything stands.

Handed text; hands on a tree of `Node`s that know their place in the file, and errors that point there. What always
holds: keys are text and unique, scalars follow the core schema of YAML 1.2 (`on` and dates are text), and offsets
count characters.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidPlan, Position

Scalar: TypeAlias = str | int | float | bool | None

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Scalar] = {"": None, "~": None}
_WORDS.update(dict.fromkeys(("null", "Null", "NULL")))
_WORDS.update(dict.fromkeys(("true", "True", "TRUE"), True))
_WORDS.update(dict.fromkeys(("false", "False", "FALSE"), False))
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r?\n|.)")
_DEEPEST = 100
_MOST_NODES = 100_000
"""More values than any plan has, and few enough to look at: anchors in anchors make a small file billions of them."""


@dataclass(frozen=True, slots=True)
class Node:
    """One YAML value. A scalar has `value`, a list `items`, a map `entries`; `start` up to `end` is its text in the file."""

    kind: str
    start: int
    end: int
    value: Scalar = None
    style: str | None = None
    in_flow: bool = False
    items: tuple[Node, ...] = ()
    entries: tuple[tuple[Node, Node], ...] = ()

    def plain(self) -> Any:
        """The value as Python has it: str, int, float, bool, None, list, dict."""
        if self.kind == "map":
            return {str(key.value): value.plain() for key, value in self.entries}
        return [item.plain() for item in self.items] if self.kind == "list" else self.value

    def get(self, key: str) -> Node | None:
        """The value of a key of a map, or None."""
        return next((value for name, value in self.entries if name.value == key), None)

    def key(self, key: str) -> Node | None:
        """The key itself, or None."""
        return next((name for name, _ in self.entries if name.value == key), None)

    def parts(self) -> tuple[Node, ...]:
        """The items of a list; anything else is its own only part ("one or a list")."""
        return self.items if self.kind == "list" else (self,)

    @property
    def described(self) -> str:
        """What a person would call this value."""
        if self.kind != "scalar":
            return f"a {self.kind}"
        match self.value:
            case None:
                return "nothing"
            case bool():
                return f"the boolean {str(self.value).lower()}"
            case int() | float():
                return f"the number {self.value}"
            case text:
                return f"the text {text!r}"


@dataclass(frozen=True, slots=True)
class Document:
    """A plan file: its name for messages, its text, its tree."""

    name: str
    text: str
    root: Node

    def position(self, offset: int, end: int | None = None) -> Position:
        """The place of a character offset; `end` gives the length on that line."""
        return place_of(self.text, self.name, offset, end)

    def error(self, message: str, node: Node | None, hint: str | None = None) -> InvalidPlan:
        """An error that points at `node`, to be raised."""
        node = node or self.root
        return self.error_at(message, node.start, node.end, hint)

    def error_at(self, message: str, offset: int, end: int | None = None, hint: str | None = None) -> InvalidPlan:
        """An error that points at a character offset, to be raised."""
        return InvalidPlan(message, hint=hint, position=self.position(offset, end), text=self.text)

    def offsets(self, node: Node) -> list[int]:
        """For each character of a scalar's value, and one past the last, its offset in the file.

        Values are shorter than their text only by indentation, folding, quotes and escapes, so a greedy walk aligns the two.
        """
        value, at, found = str(node.value), self._body_start(node), []
        for letter in value:
            probe = at
            while probe < node.end and not (self._escaped(node, probe) or _same(self.text[probe], letter)):
                probe = self._next(node, probe)
            at = probe if probe < node.end else at
            found.append(min(at, max(node.start, node.end - 1)))
            at = self._next(node, at)
        return [*found, min(at, max(node.start, node.end))]

    def _escaped(self, node: Node, at: int) -> bool:
        """Whether an escape that stands for one character begins here."""
        return node.style == '"' and self.text[at] == "\\" and self.text[at + 1 : at + 2] not in ("\n", "\r")

    def _next(self, node: Node, at: int) -> int:
        escape = _ESCAPE.match(self.text, at) if node.style == '"' else None
        return escape.end() if escape else at + 1

    def _body_start(self, node: Node) -> int:
        if node.style in ("|", ">"):
            return self.text.find("\n", node.start) + 1
        return node.start + (1 if node.style in ("'", '"') else 0)


def _same(raw: str, letter: str) -> bool:
    return raw.isspace() if letter.isspace() else raw == letter


def place_of(text: str, name: str, offset: int, end: int | None = None) -> Position:
    """The line and column of a character offset of a text."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    line = bisect.bisect_right(starts, max(0, min(offset, len(text)))) - 1
    stop = starts[line + 1] - 1 if line + 1 < len(starts) else len(text)
    length = max(1, min(stop, end) - offset) if end is not None else 1
    return Position(line + 1, offset - starts[line] + 1, length, name)


def read_document(text: str, name: str) -> Document:
    """The tree of a plan file.

    Raises InvalidPlan for what is not YAML 1.2, for two documents, for duplicate keys and for anchors in a circle.
    """
    reader = YAML(typ="safe", pure=True)
    reader.Composer = _ShallowComposer
    try:
        root = reader.compose(text)
    except _TooDeep as error:
        raise InvalidPlan(_TOO_DEEP, position=place_of(text, name, error.offset), text=text) from None
    except MarkedYAMLError as error:
        raise _syntax_error(text, name, error) from None
    except YAMLError as error:
        first = str(error).splitlines()[0]
        raise InvalidPlan(f"this is not YAML: {first}", position=Position(1, 1, 1, name)) from None
    if root is None:
        raise InvalidPlan("the plan is empty", hint="a plan has at least steps", position=Position(1, 1, 1, name))
    return _Reader(text, name).document(root)


_TOO_DEEP = f"the plan is nested too deeply: more than {_DEEPEST} lists and maps in one another"


class _TooDeep(Exception):
    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class _ShallowComposer(Composer):
    """Composes nodes down to a depth, as composing calls itself and a hostile file would use up the stack."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > _DEEPEST + 1:
            raise _TooDeep(self.parser.peek_event().start_mark.index)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Reader:
    """Turns ruamel's nodes into ours."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._nodes = 0

    def document(self, root: Any) -> Document:
        return Document(self._name, self._text, self._node(root, False, 0))

    def _node(self, node: Any, in_flow: bool, depth: int) -> Node:
        start, end = node.start_mark.index, node.end_mark.index
        if depth > _DEEPEST:
            raise self._error(f"{_TOO_DEEP}, or an anchor contains itself", start, end)
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise self._error(
                f"the plan has more than {_MOST_NODES:,} values, those of its anchors counted each time", start, end
            )
        if isinstance(node, ScalarNode):
            return Node("scalar", start, end, _scalar(node), node.style, in_flow)
        inside = in_flow or bool(node.flow_style)
        if isinstance(node, SequenceNode):
            return Node("list", start, end, items=tuple(self._node(n, inside, depth + 1) for n in node.value), in_flow=in_flow)
        assert isinstance(node, MappingNode)
        pairs = [(self._node(k, inside, depth + 1), self._node(v, inside, depth + 1)) for k, v in node.value]
        return Node("map", start, end, entries=tuple(self._unique(pairs)), in_flow=in_flow)

    def _unique(self, pairs: list[tuple[Node, Node]]) -> Sequence[tuple[Node, Node]]:
        seen: dict[str, Node] = {}
        named = []
        for key, value in pairs:
            if key.kind != "scalar":
                raise self._error(f"a key must be text, not a {key.kind}", key.start, key.end)
            # A key is what is written, so that `1:` and `null:` are names like any other.
            text = str(key.value) if isinstance(key.value, str) else self._text[key.start : key.end]
            if text == "<<" and key.style is None:
                raise self._error(
                    "merge keys (<<) are not part of YAML 1.2",
                    key.start,
                    key.end,
                    "write the keys out, or let a step read another",
                )
            before = seen.get(text)
            if before is not None:
                first = place_of(self._text, self._name, before.start)
                raise self._error(
                    f"the key {text!r} is here twice; first at {first}", key.start, key.end, "remove one of the two"
                )
            seen[text] = key
            named.append((Node("scalar", key.start, key.end, text, key.style, key.in_flow), value))
        return named

    def _error(self, message: str, start: int, end: int, hint: str | None = None) -> InvalidPlan:
        return InvalidPlan(message, hint=hint, position=place_of(self._text, self._name, start, end), text=self._text)


def _scalar(node: Any) -> Scalar:
    text = str(node.value)
    if node.style is not None or not str(node.tag).startswith("tag:yaml.org,2002:"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


_QUOTE = 'an expression that begins with a quote, *, &, !, %, @ or `, or contains ": " or " #", must be quoted as a whole'


def _syntax_error(text: str, name: str, error: MarkedYAMLError) -> InvalidPlan:
    mark = error.problem_mark or error.context_mark
    offset = min(mark.index, len(text)) if mark is not None else 0
    problem = (error.problem or "cannot be read").replace("'\\x00'", "the end")
    context = f" {error.context}" if error.context and error.context != "while scanning for the next token" else ""
    hint = "indent with spaces" if "'\\t'" in problem else _QUOTE
    if "another document" in problem:
        hint = "a plan file holds one plan: remove the --- line"
    return InvalidPlan(f"this is not YAML:{context} {problem}", hint=hint, position=place_of(text, name, offset), text=text)
