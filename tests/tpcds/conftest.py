"""Data for the TPC-DS tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tpcds.data import SMALL, tpcds_folder


@pytest.fixture(scope="session")
def small() -> Path:
    """TPC-DS at the scale of CI."""
    return tpcds_folder(SMALL)
