"""Sessions for tests: small, closed at the end, and checked to have left nothing behind.

`session` and `plain` are a session in this process, or one at a mesh: what a test that takes one says holds for both.
`embedded` is of this process, for tests that look inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import pytest

import flightmesh
from flightmesh.config import Config
from flightmesh.session import Session, connect
from tests.meshes import AT_MESHES, Meshes, session_at, tables
from tests.meshes import ROWS as ROWS

AnySession: TypeAlias = Session | flightmesh.RemoteSession

PARTITIONS = [pytest.param(count, id=f"{count} partitions") for count in (1, 2, 7)]


@pytest.fixture(params=[*PARTITIONS, *AT_MESHES])
def session(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    """A session here whose messages go through the codec, or at a mesh; with a large table `t` and a small one `p`."""
    if isinstance(request.param, int):
        with _session_here(request.param) as opened:
            yield opened
    else:
        meshes: Meshes = request.getfixturevalue("meshes")
        with session_at(meshes.of(request.param)) as remote:
            yield remote


@pytest.fixture(params=[pytest.param(None, id="here"), *AT_MESHES[:1]])
def plain(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    """A session as a user gets it, here or at a mesh."""
    if request.param is None:
        yield request.getfixturevalue("embedded")
    else:
        meshes: Meshes = request.getfixturevalue("meshes")
        with session_at(meshes.of(request.param)) as remote:
            yield remote


@pytest.fixture
def embedded() -> Iterator[Session]:
    """A session as a user gets it, always here."""
    with connect(threads=2) as opened:
        register_tables(opened)
        yield opened


@contextmanager
def _session_here(partitions: int) -> Iterator[Session]:
    with connect(config=Config(threads=2, partitions=partitions, encode_messages=True)) as opened:
        register_tables(opened)
        yield opened
        runtime = opened.runtime
        assert runtime.store.held() == {}
        assert runtime.budget.accounts() == {}
        assert runtime.is_idle


def register_tables(session: Session) -> None:
    """`t`: a million rows; `p`: five."""
    for name, table in tables().items():
        session.register(name, table)
