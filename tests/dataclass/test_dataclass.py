"""A class that is declared quickly is the class that the standard decorator makes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
import typing
from collections.abc import Callable
from dataclasses import FrozenInstanceError, InitVar, field, fields, is_dataclass, replace
from functools import partial
from typing import Any, ClassVar, get_type_hints

import cattrs
import pytest

from flightmesh.dataclass import dataclass

frozen = partial(dataclass, frozen=True, slots=True)


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
    assert _said(*_declare(dataclass)) == _said(*_declare(_standard))


@pytest.mark.parametrize(
    "look", [fields, is_dataclass, get_type_hints, lambda kind: cattrs.Converter().structure({"first": 1}, kind)]
)
def test_whoever_looks_first_sees_a_dataclass(look: Callable[[type], Any]) -> None:
    base, _ = _declare(dataclass)
    standard, _ = _declare(_standard)
    assert str(look(base)) == str(look(standard))
    assert base(4).double == 8


def test_a_class_compiles_nothing_that_another_with_as_many_fields_has_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compile_it = compile
    monkeypatch.setattr("builtins.compile", lambda text, *rest: compiled.append(text) or compile_it(text, *rest))

    @frozen()
    class One:
        first: int
        second: list[int] = field(default_factory=list)

    before = len(compiled)

    @frozen()
    class Other:
        left: str
        right: dict[str, int] = field(default_factory=dict)

    assert len(compiled) == before
    assert (One(1), Other("a")) == (One(1, []), Other("a", {}))
    assert (repr(Other("a")), Other("a") == Other("b"), One(1) == Other("a")) == (
        f"{Other.__qualname__}(left='a', right={{}})",
        False,
        False,
    )


def test_the_signature_is_that_of_the_standard_decorator() -> None:
    quick, standard = _declare(dataclass), _declare(_standard)
    assert [str(inspect.signature(kind)) for kind in quick] == [str(inspect.signature(kind)) for kind in standard]


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
    @dataclass(slots=True)
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
        "import pickle, sys; from tests.dataclass.test_dataclass import Named;"
        " found = pickle.loads(bytes.fromhex(sys.argv[1])); print(found, found == Named('a', 5))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, pickle.dumps(Named("a", 5)).hex()], capture_output=True, text=True, check=True
    )
    assert found.stdout == "Named(name='a', size=5) True\n"


def test_a_subclass_that_is_no_dataclass_may_have_attributes_of_its_own() -> None:
    class Own(Named):
        pass

    own = Own("a")
    own.other = 1  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'size'"):
        del own.size
    del own.other  # type: ignore[attr-defined]
    assert vars(own) == {}


def test_recursive_instances_have_a_text() -> None:
    @dataclass(slots=True)
    class Linked:
        next: Any = None

    linked = Linked()
    linked.next = linked
    assert repr(linked) == f"{Linked.__qualname__}(next=...)"


def test_what_is_not_done_is_refused_when_a_class_is_declared() -> None:
    with pytest.raises(TypeError, match="slots"):
        dataclass(slots=False)
    with pytest.raises(TypeError, match=r"Derived\.value"):

        @dataclass(slots=True)
        class Derived:
            value: int = field(init=False)

    with pytest.raises(TypeError, match=r"Given\.value"):

        @dataclass(slots=True)
        class Given:
            value: InitVar[int]

    with pytest.raises(TypeError, match="after one with a default"):

        @dataclass(slots=True)
        class Disordered:
            first: int = 1
            second: int

    with pytest.raises(ValueError, match=r"Shared\.values"):

        @dataclass(slots=True)
        class Shared:
            values: Any = dict.fromkeys("a")

    with pytest.raises(TypeError, match="`__init__` is made here"):

        @dataclass(slots=True)
        class Written:
            value: int

            def __init__(self) -> None:
                self.value = 1

    @dataclass(slots=True)
    class Loose:
        value: int

    with pytest.raises(TypeError, match="a frozen class and one that is not"):

        @frozen()
        class Fixed(Loose):  # type: ignore[misc]
            other: int


def test_what_is_of_the_class_is_no_field() -> None:
    @frozen()
    class Known:
        one: typing.ClassVar[int] = 1
        two: ClassVar[int] = 2
        value: int

    assert [entry.name for entry in fields(Known)] == ["value"]
    assert (Known.one, Known.two, Known(3).value) == (1, 2, 3)
