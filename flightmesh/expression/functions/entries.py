"""Short ways to write down functions with plain signatures, for the files beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from flightmesh.expression.arrays import one_array
from flightmesh.expression.functions.declare import Datum, Failure, Kernel, Nulls, Request, ScalarFunction, Signature
from flightmesh.expression.types import INTERVAL, TIME, TIMESTAMP, TIMESTAMP_TZ

TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "blob": pa.binary(),
    "bool": pa.bool_(),
    "tiny": pa.int8(),
    "small": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "ulong": pa.uint64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "huge": pa.decimal128(38, 0),
    "date": pa.date32(),
    "time": TIME,
    "timestamp": TIMESTAMP,
    "timestamptz": TIMESTAMP_TZ,
    "interval": INTERVAL,
}
"""Words for types in `signature`."""


def signature(text: str) -> Signature:
    """A signature from its text: `text, long -> text`; a last argument with `...` repeats."""
    left, right = text.split("->")
    words = [word.strip() for word in left.split(",") if word.strip()]
    variadic = bool(words) and words[-1].endswith("...")
    args = tuple(TYPES[word.removesuffix("...")] for word in words)
    return Signature(args, TYPES[right.strip()], variadic)


def entry(
    category: str,
    name: str,
    doc: str,
    signatures: Iterable[str],
    kernel: Kernel,
    *,
    aliases: tuple[str, ...] = (),
    failure: Failure = Failure.NEVER,
    nulls: Nulls = Nulls.PROPAGATE,
) -> ScalarFunction:
    """A function with plain signatures."""
    return ScalarFunction(name, doc, category, tuple(signature(s) for s in signatures), kernel, (), aliases, failure, nulls)


def compute(function: Callable[..., Any], *options: Any) -> Kernel:
    """A kernel that is one pyarrow function, its result cast to the promised type where it is a narrower one."""

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        result = one_array(function(*args, *options))
        return result if result.type == request.type else result.cast(request.type)

    return kernel
