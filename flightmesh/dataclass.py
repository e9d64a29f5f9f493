"""`dataclass` with slots, declared in a tenth of the time: hundreds of classes are declared before a command does anything.

The standard one writes the source of each method of each class and compiles it, 0.4 ms a class. Methods of classes with as many
fields differ only in names, so here the source is compiled once for each number of fields, and a class gets a copy that has
its names. What always holds: the class is what the standard one would have made (`fields`, `replace`, `is_dataclass`, copies
and pickles work as ever), and whatever is not done here is refused when the class is declared.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, Field, FrozenInstanceError
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass

_FIELDS, _PARAMETERS, _KIND = "__dataclass_fields__", "__dataclass_params__", "_field_type"
_CLASS_VARIABLE = re.compile(r"(\w+\.)?ClassVar\b")
_ORDERS = ("__lt__", "__le__", "__gt__", "__ge__")
_OPERATORS = dict(zip(("__eq__", *_ORDERS), ("==", "<", "<=", ">", ">="), strict=True))


class _FactoryType:
    """Stands for a default that is made for each instance."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _FactoryType()


@functools.cache
def _standard(**options: bool) -> Any:
    """A class that the standard decorator made with these options: it lends what only says which they were."""

    @dataclasses.dataclass(slots=True, **options)
    class Standard:
        field: int

    return Standard


def _own_fields(written: type) -> dict[str, Any]:
    """The fields that are declared in this very class."""
    fields = {}
    kind = getattr(dataclasses.fields(_standard())[0], _KIND)
    for name, annotation in inspect.get_annotations(written).items():
        if _CLASS_VARIABLE.match(annotation):
            continue
        if "InitVar" in annotation or "KW_ONLY" in annotation or name == "self":
            raise TypeError(f"{written.__name__}.{name}: only plain fields are made here")
        default = written.__dict__.get(name, MISSING)
        field: Any = default if isinstance(default, Field) else dataclasses.field(default=default)
        if not field.init or field.hash is not None or field.kw_only is True:
            raise TypeError(f"{written.__name__}.{name}: only default, default_factory, compare and repr are known here")
        if field.default.__class__.__hash__ is None:
            raise ValueError(f"{written.__name__}.{name}: instances would share their default: use default_factory")
        field.name, field.type, field.kw_only = name, annotation, False
        setattr(field, _KIND, kind)
        fields[name] = field
    return fields


def _inherited_fields(written: type) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for base in written.__mro__[:0:-1]:
        fields |= base.__dict__.get(_FIELDS, {})
    return fields


@functools.cache
def _source(text: str) -> Any:
    """The function `make` that `text` defines."""
    defined: dict[str, Any] = {}
    exec(compile(text, "<dataclass>", "exec"), {}, defined)
    return defined["make"]


def _named(function: FunctionType, owner: str, names: list[str]) -> FunctionType:
    """`function`, whose `v0`, `v1`, ... are now called by `names`."""
    code, called = function.__code__, {f"v{i}": name for i, name in enumerate(names)}
    function.__qualname__ = f"{owner}.{function.__name__}"
    function.__code__ = code.replace(
        co_names=tuple(called.get(name, name) for name in code.co_names),
        co_varnames=tuple(called.get(name, name) for name in code.co_varnames),
        co_qualname=function.__qualname__,
    )
    return function


def _init(made: Any, fields: list[Any], frozen: bool) -> FunctionType:
    """`__init__`. Of a frozen class it stores by the slots, which is quicker than `object.__setattr__` finding them by name."""
    parameters = ["self", *(f"v{i}" for i in range(len(fields)))]
    lines: list[str] = []
    given: dict[str, Any] = {"factory": _FACTORY}
    for i, field in enumerate(fields):
        value = f"v{i}"
        if field.default_factory is not MISSING:
            given[f"f{i}"] = field.default_factory
            value = f"f{i}() if v{i} is factory else v{i}"
        if frozen:
            given[f"s{i}"] = getattr(made, field.name).__set__
        lines.append(f"s{i}(self, {value})" if frozen else f"self.v{i} = {value}")
    if hasattr(made, "__post_init__"):
        lines.append("self.__post_init__()")
    body = "\n  ".join(lines or ["pass"])
    names = [field.name for field in fields]
    if not given.keys().isdisjoint(names):
        raise TypeError(f"{made.__name__}: {given.keys() & names} are the names of what makes the fields")
    make = _source(f"def make({', '.join(given)}):\n def __init__({', '.join(parameters)}):\n  {body}\n return __init__")
    init = _named(make(**given), made.__qualname__, names)
    init.__defaults__ = _defaults(made, fields)
    init.__annotations__ = {field.name: field.type for field in fields} | {"return": None}
    return init


def _defaults(made: type, fields: list[Any]) -> tuple[Any, ...]:
    found = [field.default if field.default_factory is MISSING else _FACTORY for field in fields]
    defaults = [value for value in found if value is not MISSING]
    if any(value is MISSING for value in found[len(found) - len(defaults) :]):
        raise TypeError(f"{made.__name__}: a field without a default after one with a default")
    return tuple(defaults)


def _values(names: list[str], of: str) -> str:
    """The text of a tuple of the values of `of`."""
    return "(" + "".join(f"{of}.v{i}, " for i in range(len(names))) + ")"


def _compared(made: type, fields: list[Any], methods: Iterable[str]) -> Iterator[tuple[str, FunctionType]]:
    names = [field.name for field in fields if field.compare]
    for name in methods:
        condition = f"{_values(names, 'self')} {_OPERATORS[name]} {_values(names, 'other')}"
        body = f"return {condition} if other.__class__ is self.__class__ else NotImplemented"
        make = _source(f"def make():\n def {name}(self, other):\n  {body}\n return {name}")
        yield name, _named(make(), made.__qualname__, names)


def _hash(made: type, fields: list[Any]) -> FunctionType:
    names = [field.name for field in fields if field.compare]
    body = f"return hash({_values(names, 'self')})"
    make = _source(f"def make():\n def __hash__(self):\n  {body}\n return __hash__")
    return _named(make(), made.__qualname__, names)


def _repr(shown: list[str]) -> Callable[[Any], str]:
    @reprlib.recursive_repr()
    def __repr__(self: Any) -> str:  # noqa: N807
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    return __repr__


def _refusing(made: Any, fields: Iterable[str], what: str) -> Callable[..., None]:
    """`__setattr__` or `__delattr__` of a frozen class; subclasses that are none may have attributes of their own."""
    names = frozenset(fields)
    allowed = "__setattr__" if what == "assign to" else "__delattr__"

    def refusing(self: Any, name: str, *value: Any) -> None:
        if type(self) is made or name in names:
            raise FrozenInstanceError(f"cannot {what} field {name!r}")
        getattr(super(made, self), allowed)(name, *value)

    refusing.__name__ = allowed
    return refusing


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


def _with_slots(written: type, own: dict[str, Any]) -> Any:
    """The class again, its fields slots and no longer defaults."""
    body = {name: value for name, value in written.__dict__.items() if name not in (*own, "__dict__", "__weakref__")}
    taken = {name for base in written.__mro__[1:] for name in base.__dict__.get("__slots__", ())}
    body["__slots__"] = tuple(name for name in own if name not in taken)
    made = type(written)(written.__name__, written.__bases__, body)
    made.__qualname__ = written.__qualname__
    return made


def _made(written: type, frozen: bool, eq: bool, order: bool) -> Any:
    own, said = _own_fields(written), written.__dict__
    if "__init__" in said:
        raise TypeError(f"{written.__name__}: `__init__` is made here, not written")
    for base in written.__mro__[1:]:
        if _FIELDS in base.__dict__ and getattr(base, _PARAMETERS).frozen != frozen:
            raise TypeError(f"{written.__name__}: a frozen class and one that is not cannot inherit from each other")
    made = _with_slots(written, own)
    fields = _inherited_fields(written) | own
    every = list(fields.values())
    members: dict[str, Any] = {
        _FIELDS: fields,
        _PARAMETERS: getattr(_standard(frozen=frozen, eq=eq, order=order), _PARAMETERS),
        "__match_args__": tuple(fields),
        "__repr__": _repr([field.name for field in every if field.repr]),
    }
    members |= dict(_compared(made, every, ("__eq__",) * eq + _ORDERS * order))
    if eq:
        members["__hash__"] = _hash(made, every) if frozen else None
    if frozen:
        members |= {"__getstate__": _state, "__setstate__": _set_state}
    for name, member in members.items():
        if said.get(name) is None:  # `__hash__` is None, too, where only `__eq__` is written
            setattr(made, name, member)
    made.__init__ = _init(made, every, frozen)
    if frozen:
        made.__setattr__, made.__delattr__ = _refusing(made, fields, "assign to"), _refusing(made, fields, "delete")
    return made


if not TYPE_CHECKING:

    def dataclass(*, slots: bool, frozen: bool = False, eq: bool = True, order: bool = False) -> Any:
        """The standard `dataclass`, for a class with slots in a file whose annotations are texts."""
        if not slots:
            raise TypeError("only classes with slots are made here")
        return lambda written: _made(written, frozen, eq, order)
