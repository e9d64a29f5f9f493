"""One planner for all tests of plans."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.golden.plans import Planner, planner


@pytest.fixture(scope="session")
def plans() -> Iterator[Planner]:
    with planner() as made:
        yield made
