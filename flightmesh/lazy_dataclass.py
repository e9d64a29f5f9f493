"""`dataclass` with slots, whose methods are made when the class is first used: for files with many, of which few are used.

The standard one writes the source of each method and compiles it when the class is declared: 0.3 ms a class, most of what a
file of messages costs to import. Here a declaration makes the class with its slots; the first instance, or the first look at
its fields, has the standard one make the rest. What always holds: from then on the class is what the standard one would have
made, and whoever asks about a class before (`fields`, `is_dataclass`, a subclass) cannot tell.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass

T = TypeVar("T")

_COMPLETING = threading.RLock()  # one for all: a class has its bases completed first


class _Fields:
    """Stands for `__dataclass_fields__` until somebody asks for it."""

    __slots__ = ("_class",)

    def __init__(self, unfinished: _Unfinished) -> None:
        self._class = unfinished

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._class.completed().__dataclass_fields__


class _Unfinished:
    """A class as it was written, and the one with slots that stands for it and wants the written one's methods."""

    __slots__ = ("_done", "_options", "_slotted", "_written")

    def __init__(self, written: type, options: dict[str, bool]) -> None:
        self._written, self._options, self._done = written, options, False
        self._slotted = self._with_slots()

    @property
    def slotted(self) -> Any:
        """The class that takes the place of the written one."""
        return self._slotted

    def completed(self) -> Any:
        """The same, with all its methods. Several threads may ask at once."""
        with _COMPLETING:
            if not self._done:
                self._complete()
                self._done = True
        return self._slotted

    def _with_slots(self) -> type:
        written = self._written
        body = dict(written.__dict__)
        names = [name for name, kind in body.get("__annotations__", {}).items() if not kind.startswith("ClassVar")]
        inherited = {name for base in written.__mro__[1:] for name in base.__dict__.get("__slots__", ())}
        for name in (*names, "__dict__", "__weakref__"):
            body.pop(name, None)
        body |= {"__slots__": tuple(name for name in names if name not in inherited)}
        body |= {"__init__": self._first_init(), "__dataclass_fields__": _Fields(self)}
        if self._options.get("frozen"):
            body |= {"__getstate__": _state, "__setstate__": self._set_state()}
        slotted = type(written)(written.__name__, written.__bases__, body)
        slotted.__qualname__ = written.__qualname__
        return slotted

    def _complete(self) -> None:
        before = dict(self._written.__dict__)
        made: Any = dataclasses.dataclass(**self._options)(self._written)
        fields = made.__dataclass_fields__
        new = {k: v for k, v in vars(made).items() if k not in fields and before.get(k, dataclasses.MISSING) is not v}
        last = {name: new.pop(name) for name in ("__init__", "__dataclass_fields__")}  # what others wait for comes last
        for name, value in (new | last).items():
            setattr(self._slotted, name, value)

    def _first_init(self) -> Any:
        def first_init(self: Any, *args: Any, **kwargs: Any) -> None:
            unfinished.completed().__init__(self, *args, **kwargs)

        unfinished = self
        return first_init

    def _set_state(self) -> Any:
        """As the standard one has it for frozen classes with slots, for copies and pickles."""

        def set_state(self: Any, state: list[Any]) -> None:
            for field, value in zip(dataclasses.fields(unfinished.completed()), state, strict=True):
                object.__setattr__(self, field.name, value)

        unfinished = self
        return set_state


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


if not TYPE_CHECKING:

    def dataclass(*, slots: bool, **options: bool) -> Any:
        """The standard `dataclass`, for a class with slots in a file whose annotations are texts."""
        if not slots:
            raise TypeError("only a class with slots is made in two steps")
        return lambda written: _Unfinished(written, options).slotted
