"""Errors of GetSchema, which pyarrow's server, alone of all methods, does not carry as Flight errors.

It sends any exception as an unknown error with the traceback in its detail, and drops the extra info. So the exception that
leaves a handler here is one that no traceback can be made of, and what other methods have as extra info goes as a trailer of
the call, under the key that Flight itself uses. What always holds: no traceback goes out; a client of ours gets the typed error
all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.flight as flight

DETAILS = "grpc-status-details-bin"


class SchemaError(Exception):
    """Its formatting fails on purpose: pyarrow then tells only its type."""

    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]
        """No cause, and no text of one."""
        raise AttributeError("this error is not formatted")


def refuse_schema(context: flight.ServerCallContext, error: flight.FlightError) -> SchemaError:
    """What to raise instead of `error`; its extra info is in the trailers."""
    context.add_trailer(DETAILS, error.extra_info)
    return SchemaError(str(error))


class _Trailers(flight.ClientMiddleware):  # type: ignore[misc]
    def __init__(self, found: list[bytes]) -> None:
        super().__init__()
        self._found = found

    def received_headers(self, headers: Mapping[str, list[Any]]) -> None:
        self._found.extend(value for value in headers.get(DETAILS, ()) if isinstance(value, bytes))


class TrailerFactory(flight.ClientMiddlewareFactory):  # type: ignore[misc]
    """Keeps the extra info that came as a trailer of any call of its client."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[bytes] = []

    def start_call(self, info: Any) -> flight.ClientMiddleware:
        """The middleware of one call."""
        return _Trailers(self.found)
