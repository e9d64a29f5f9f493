from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 1000


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two Parquet files: 1,000 orders, every seventh without a status."""
    folder = tmp_path_factory.mktemp("orders")
    table = pa.table(
        {
            "id": range(ROWS),
            "total": pa.array([Decimal(number) / 4 for number in range(ROWS)], pa.decimal128(15, 2)),
            "status": [None if number % 7 == 0 else "open" if number % 2 else "shipped" for number in range(ROWS)],
        }
    )
    pq.write_table(table.slice(0, 600), folder / "part-0.parquet", row_group_size=200)
    pq.write_table(table.slice(600), folder / "part-1.parquet", row_group_size=200)
    return folder


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One Parquet file of 100,000 numbers."""
    path = tmp_path_factory.mktemp("numbers") / "n.parquet"
    pq.write_table(pa.table({"i": range(100_000)}), path, row_group_size=10_000)
    return path
