"""Sessions for tests: small, closed at the end, and checked to have left nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.config import Config
from flightmesh.session import Session, connect

ROWS = 1_000_000


@pytest.fixture(params=[1, 2, 7], ids=lambda n: f"{n} partitions")
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session whose messages go through the codec, with a large table `t` and a small one `p`."""
    with connect(config=Config(threads=2, partitions=request.param, encode_messages=True)) as opened:
        register_tables(opened)
        yield opened
        runtime = opened.runtime
        assert runtime.store.held() == {}
        assert runtime.budget.accounts() == {}
        assert runtime.is_idle


@pytest.fixture
def plain() -> Iterator[Session]:
    """A session as a user gets it."""
    with connect(threads=2) as opened:
        register_tables(opened)
        yield opened


def register_tables(session: Session) -> None:
    """`t`: a million rows; `p`: five."""
    session.register("t", pa.table({"k": np.arange(ROWS) % 10, "v": np.arange(ROWS)}))
    session.register("p", {"k": [1, 2, 3, None, 2], "name": ["one", "two", "three", "none", "deux"]})
