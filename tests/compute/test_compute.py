"""`pc` is pyarrow.compute, loaded by its first use."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pyarrow.compute
import pytest

from flightmesh.compute import pc


def test_it_has_what_pyarrow_compute_has() -> None:
    assert pc.add is pyarrow.compute.add
    assert pc.add(pa.array([1]), 2) == pa.array([3])
    assert "add" in vars(pc)
    with pytest.raises(AttributeError, match="no_such_function"):
        pc.no_such_function()


def test_the_first_use_loads_it() -> None:
    code = (
        "import sys; from flightmesh.compute import pc; before = 'pyarrow.compute' in sys.modules; pc.add;"
        " print(before, 'pyarrow.compute' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "False True\n"
