"""A class made in two steps is the class that the standard decorator makes, whoever looks at it first."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, is_dataclass, replace
from functools import partial
from typing import Any, ClassVar, get_type_hints

import cattrs
import pytest

from flightmesh import lazy_dataclass

frozen = partial(lazy_dataclass.dataclass, frozen=True, slots=True)


@frozen()
class Named:
    """Pickled by its name, so it is declared here."""

    name: str
    size: int = 3


def _declare(decorate: Callable[..., Any]) -> tuple[type, type]:
    @decorate(frozen=True, slots=True)
    class Base:
        KNOWN: ClassVar[int] = 7
        first: int
        second: list[int] = field(default_factory=list, compare=False)
        hidden: str = field(default="x", repr=False)

        def __post_init__(self) -> None:
            if self.first < 0:
                raise ValueError("negative")

        @property
        def double(self) -> int:
            return self.first * 2

    @decorate(frozen=True, slots=True, order=True)
    class Sub(Base):
        third: float = 1.5

    return Base, Sub


def _standard(**options: Any) -> Any:
    return dataclasses.dataclass(**options)


def _said(base: Any, sub: Any) -> dict[str, Any]:
    """All that can be seen of the two, the subclass first."""
    one, two = sub(1, [2], third=2.5), sub(1)
    with pytest.raises(TypeError) as wrong:
        base()
    with pytest.raises(FrozenInstanceError) as assigned:
        one.first = 2
    with pytest.raises(ValueError, match="negative"):
        base(-1)
    return {
        "text": [repr(one), repr(two), repr(base(5))],
        "equal": [one == two, two == sub(1, [9]), base(1) == base(1), base(1) == two],
        "hash": [hash(two) == hash(sub(1)), hash(base(1)) == hash(base(2))],
        "order": [two < one, sorted([one, two]) == [two, one]],
        "fields": [(f.name, f.type, f.default, f.compare) for kind in (base, sub) for f in fields(kind)],
        "slots": [base.__slots__, sub.__slots__, hasattr(one, "__dict__")],
        "match": [base.__match_args__, sub.__match_args__],
        "replaced": repr(replace(one, first=9)),
        "copied": [copy.copy(one) == one, copy.deepcopy(one) == one],
        "errors": [str(wrong.value).split(".")[-1], str(assigned.value)],
        "known": [base.KNOWN, one.double, sub.__name__, sub.__mro__[1] is base],
        "default": two.second is not sub(1).second,
        "names": sorted(name for name in dir(base) if name not in ("__getstate__", "__setstate__")),
    }


def test_a_class_is_what_the_standard_decorator_makes() -> None:
    assert _said(*_declare(lazy_dataclass.dataclass)) == _said(*_declare(_standard))


@pytest.mark.parametrize(
    "look", [fields, is_dataclass, get_type_hints, lambda kind: cattrs.Converter().structure({"first": 1}, kind)]
)
def test_whoever_looks_first_sees_a_dataclass(look: Callable[[type], Any]) -> None:
    base, _ = _declare(lazy_dataclass.dataclass)
    standard, _ = _declare(_standard)
    assert str(look(base)) == str(look(standard))
    assert base(4).double == 8


def test_methods_are_made_by_the_first_use_alone() -> None:
    base, sub = _declare(lazy_dataclass.dataclass)
    assert "__eq__" not in vars(base)
    assert "__eq__" not in vars(sub)
    base(1)
    assert "__eq__" in vars(base)
    assert "__eq__" not in vars(sub)


def test_a_class_keeps_the_methods_that_it_has() -> None:
    @frozen()
    class Own:
        value: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 1

    assert (repr(Own(1)), Own(1) == Own(2), hash(Own(3))) == ("own", True, 1)


def test_a_class_that_is_not_frozen_is_assigned_to_and_has_no_hash() -> None:
    @lazy_dataclass.dataclass(slots=True)
    class Counted:
        count: int = 0

    counted = Counted()
    counted.count += 1
    assert counted == Counted(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counted)
    with pytest.raises(AttributeError):
        counted.other = 1  # type: ignore[attr-defined]


def test_a_pickle_is_read_where_the_class_has_not_been_used() -> None:
    program = (
        "import pickle, sys; from tests.lazy_dataclass.test_lazy_dataclass import Named;"
        " found = pickle.loads(bytes.fromhex(sys.argv[1])); print(found, found == Named('a', 5))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, pickle.dumps(Named("a", 5)).hex()], capture_output=True, text=True, check=True
    )
    assert found.stdout == "Named(name='a', size=5) True\n"


def test_threads_that_make_the_first_instances_at_once_all_get_whole_ones() -> None:
    for _ in range(50):
        base, sub = _declare(lazy_dataclass.dataclass)
        start = threading.Barrier(4)
        made: list[Any] = []

        def make(kind: type, start: threading.Barrier = start, made: list[Any] = made) -> None:
            start.wait()
            made.append(kind(1))

        threads = [threading.Thread(target=make, args=(kind,)) for kind in (base, sub, base, sub)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(repr, made)) == sorted(map(repr, [base(1), base(1), sub(1), sub(1)]))


def test_a_class_without_slots_is_refused() -> None:
    with pytest.raises(TypeError, match="slots"):
        lazy_dataclass.dataclass(slots=False)
