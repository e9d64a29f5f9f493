"""Reading a plan file: YAML 1.2, places, what is refused."""

from __future__ import annotations

import pytest

from flightmesh.errors import InvalidPlan
from flightmesh.frontend.yaml.document import Document, Node, read_document


def document(text: str) -> Document:
    return read_document(text, "p.yaml")


def node(read: Document, *keys: str) -> Node:
    found = read.root
    for key in keys:
        below = found.get(key)
        assert below is not None, key
        found = below
    return found


def test_scalars_follow_yaml_1_2() -> None:
    text = "{on: off, y: yes, n: 012, o: 0o17, h: 0x1F, f: 1.5, e: 1e3, t: true, z: ~, d: 2013-06-01, s: '7', c: 1:30}"
    assert document(text).root.plain() == {
        "on": "off",
        "y": "yes",
        "n": 12,
        "o": 15,
        "h": 31,
        "f": 1.5,
        "e": 1000.0,
        "t": True,
        "z": None,
        "d": "2013-06-01",
        "s": "7",
        "c": "1:30",
    }


def test_a_key_is_what_is_written() -> None:
    assert document("{1: a, null: b, on: c}").root.plain() == {"1": "a", "null": "b", "on": "c"}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert document("{'<<': 1}").root.plain() == {"<<": 1}


def test_a_hundred_levels_are_read() -> None:
    assert document("[" * 100 + "1" + "]" * 100).root.kind == "list"


def test_anchors_are_resolved() -> None:
    assert document("a: &x [1, 2]\nb: *x\n").root.plain() == {"a": [1, 2], "b": [1, 2]}


STYLES = {
    "plain": ("a: one two three\n", 1, 8),
    "flow": ("{b: 1, a: one two three}\n", 1, 15),
    "single quoted": ("a: 'it''s two three'\n", 1, 11),
    "double quoted": ('a: "\\tone \\"two\\" three"\n', 1, 13),
    "literal block": ("a: |\n  one\n  two three\n", 3, 3),
    "literal block, indented line": ("a: |\n  one\n    two three\n", 3, 5),
    "literal block, kept end": ("a: |+\n  one two\n\n", 2, 7),
    "folded block": ("a: >\n    one\n    two\n    three\n", 3, 5),
    "folded block, stripped": ("a: >-\n  one\n\n  two\n", 4, 3),
    "plain over lines": ("a: one\n  two\n  three\n", 2, 3),
    "non-ASCII before": ("a: é\u4e2d two\n", 1, 7),
}


@pytest.mark.parametrize("name", STYLES)
def test_characters_of_a_scalar_know_their_place(name: str) -> None:
    text, line, column = STYLES[name]
    read = document(text)
    scalar = node(read, "a")
    offset = read.offsets(scalar)[str(scalar.value).index("two")]
    assert text[offset : offset + 3] == "two"
    place = read.position(offset)
    assert (place.line, place.column) == (line, column)


@pytest.mark.parametrize("name", STYLES)
def test_offsets_never_go_back(name: str) -> None:
    read = document(STYLES[name][0])
    scalar = node(read, "a")
    offsets = read.offsets(scalar)
    assert len(offsets) == len(str(scalar.value)) + 1
    assert offsets == sorted(offsets)


LAUGHS = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 7)
)
REFUSED = {
    "two keys": ("a: 1\nb: 2\na: 3\n", "the key 'a' is here twice; first at p.yaml:1:1", 3, 1),
    "two keys inside": ("s:\n  x: {k: 1, k: 2}\n", "the key 'k' is here twice; first at p.yaml:2:7", 2, 13),
    "two documents": ("a: 1\n---\nb: 2\n", "another document", 2, 1),
    "tab": ("a:\n\t- b\n", "'\\t' that cannot start any token", 2, 1),
    "star": ("a: [*]\n", "while scanning an alias", 1, 6),
    "text after a quote": ("a: 'x' = 3\n", "expected <block end>", 1, 8),
    "colon": ("a: b: c\n", "mapping values are not allowed here", 1, 5),
    "brace": ("a: {b: c\n", "expected ',' or '}'", 2, 1),
    "map as key": ("? {a: 1}\n: 2\n", "a key must be text, not a map", 1, 3),
    "control character": ("a: \x01\n", "this is not YAML", 1, 1),
    "empty": ("# nothing\n", "the plan is empty", 1, 1),
    "merge key": ("a: &x {b: 1}\nc: {<<: *x}\n", "merge keys (<<) are not part of YAML 1.2", 2, 5),
    "many brackets": ("a: " + "[" * 3000 + "]" * 3000, "nested too deeply: more than 100 lists and maps", 1, 104),
    "deep by anchors": ("a: &x " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*x" + "]" * 60, "nested too deeply", 1, 47),
    "many anchors": (LAUGHS, "the plan has more than 100,000 values", 1, 25),
    "circle": ("a: &x [*x]\n", "an anchor contains itself", 1, 4),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_a_plan_file_is_refused_with_its_place(name: str) -> None:
    text, message, line, column = REFUSED[name]
    with pytest.raises(InvalidPlan) as caught:
        document(text)
    assert message in caught.value.message
    assert caught.value.position is not None
    assert (caught.value.position.source, caught.value.position.line, caught.value.position.column) == ("p.yaml", line, column)
