"""Options that all tests share."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.meshes import Meshes


def pytest_configure() -> None:
    """Ctrl-C is a signal that tests send to what they start. Where a shell runs the tests in the background it has them ignore
    it, and so would every process that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _state_of_their_own()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the hundreds of processes that tests start would compile all of it anew


def _state_of_their_own() -> None:
    """Meshes that tests start keep their authorities and tokens here, not where this user's own are."""
    folder = tempfile.TemporaryDirectory(prefix="flightmesh-state-")
    atexit.register(folder.cleanup)
    os.environ["XDG_STATE_HOME"] = folder.name
    os.environ.pop("STATE_DIRECTORY", None)
    os.environ["FLIGHTMESH_NODE_INTERFACES"] = "127.0.0.1"  # what looks for meshes looks here alone


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end: looking through it for garbage again and again is a twentieth of a run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens", action="store_true", help="write the golden texts anew; read them before you commit them"
    )


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-goldens"))


@pytest.fixture(scope="session")
def meshes() -> Iterator[Meshes]:
    """Meshes of processes that tests share."""
    from tests.meshes import Meshes  # most tests need none, and not what they are made of

    made = Meshes()
    yield made
    made.close()
