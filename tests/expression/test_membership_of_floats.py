"""`x IN (...)` over floats: one zero, one NaN, whatever their bits."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.expression.lower import compile_expressions
from flightmesh.expression.nodes import Field, InList, Literal
from flightmesh.ids import ColumnId

NAN = float("nan")


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([0.0], [True, True, False, False, False, None]),
        ([-0.0, 7.0], [True, True, False, False, False, None]),
        ([NAN], [False, False, True, True, False, None]),
        ([-NAN, 1.0], [False, False, True, True, True, None]),
        ([1.0, None], [None, None, None, None, True, None]),
    ],
)
def test_in(kind: pa.DataType, options: list[float | None], found: list[bool | None]) -> None:
    values = pa.array([0.0, -0.0, NAN, float(np.copysign(NAN, -1.0)), 1.0, None], kind)
    field = Field(ColumnId(1), "x", kind)
    member = InList(field.column(), tuple(Literal(pa.scalar(option, kind)) for option in options))
    program = compile_expressions([member])
    assert program.run(pa.record_batch([values], names=[field.key]))[0].to_pylist() == found
