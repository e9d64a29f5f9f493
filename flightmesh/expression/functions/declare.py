"""How a scalar function is declared: its names, the types it takes and gives, its array kernel, what it may do.

Handed to the registry by the files beside this one. What always holds: a kernel is pure (unless `volatile`), takes arrays of
one length or scalars, keeps scalars scalar where it can, and gives exactly the Arrow type that its rule told the binder.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import TypeAlias

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Expression

Datum: TypeAlias = pa.Array | pa.Scalar


@dataclass(frozen=True, slots=True)
class Request:
    """What a kernel is asked for besides its arguments: the type of the result, and the rows of the batch."""

    type: pa.DataType
    rows: int


Kernel: TypeAlias = Callable[[tuple[Datum, ...], Request], Datum]


class Failure(enum.Enum):
    """NEVER: total over its argument types. MAY: some values raise DataError, so laziness must be kept."""

    NEVER = "never"
    MAY = "may"


class Nulls(enum.Enum):
    """PROPAGATE: NULL in any argument gives NULL. OWN: the function has its own rule (coalesce, and, concat, ...)."""

    PROPAGATE = "propagate"
    OWN = "own"


class DecimalForm(enum.Enum):
    """ARROW: the kernel takes Arrow's decimals. SCALED: it takes `ScaledDecimals` too, and may give them."""

    ARROW = "arrow"
    SCALED = "scaled"


@dataclass(frozen=True, slots=True)
class Signature:
    """Argument types, exactly as the kernel takes them, and the result's. With `variadic` the last argument repeats."""

    args: tuple[pa.DataType, ...]
    result: pa.DataType
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    """What a type rule decides: the type each argument is to be cast to, and the result's."""

    args: tuple[pa.DataType, ...]
    result: pa.DataType


Rule: TypeAlias = Callable[[Sequence[Expression]], Binding | None]
"""A type rule that no list of signatures can say; None where the arguments do not fit."""


@dataclass(frozen=True, slots=True)
class ScalarFunction:
    """One function of the registry. `types` is a list of signatures or a rule; `usage` says a rule in words for errors and
    docs.
    """

    name: str
    doc: str
    category: str
    types: tuple[Signature, ...] | Rule
    kernel: Kernel
    usage: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    failure: Failure = Failure.NEVER
    nulls: Nulls = Nulls.PROPAGATE
    volatile: bool = False
    operator: str | None = None
    form: DecimalForm = DecimalForm.ARROW
