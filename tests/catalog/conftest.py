from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tpch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TPC-H at scale factor 0.01 as the stock generator writes it: string_view columns, four files for most tables."""
    folder = tmp_path_factory.mktemp("tpch")
    tool = Path(sys.executable).parent / "tpcgen-cli"
    command = [str(tool), "tpch", "parquet", "-s", "0.01", "--parts=4", "-o", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder
