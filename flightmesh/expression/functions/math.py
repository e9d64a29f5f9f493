"""Scalar functions: math."""

from __future__ import annotations

from flightmesh.expression.functions.declare import ScalarFunction

FUNCTIONS: tuple[ScalarFunction, ...] = ()
