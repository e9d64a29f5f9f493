import itertools
import time
from dataclasses import replace

import msgpack
import pytest

from flightmesh.catalog.table import Copy
from flightmesh.config import Config, MeshConfig
from flightmesh.errors import Fenced, InvalidConfig, InvalidMessage, UnsupportedFeature
from flightmesh.ids import JobId
from flightmesh.kernel.hash import VERSION as HASH_VERSION
from flightmesh.node.driver_node import DriverNode
from flightmesh.protocol.client_messages import Done, NodeStatus
from flightmesh.protocol.codec import encode
from flightmesh.protocol.messages import JobReleased
from flightmesh.protocol.node_messages import PROTOCOL_VERSION, Drain, Leave, NodeAddress, Reports, Serving
from tests.node.driving import IDLE, SECONDS, driver_node, played_worker
from tests.waiting import wait_until

QUICK = Config(mesh=MeshConfig(silent_seconds=0.3, lost_seconds=1.0))


def node(driver: DriverNode, name: str) -> NodeStatus:
    return next(found for found in driver.mesh.nodes() if found.name == name)


def test_a_worker_that_registers_is_listed_with_what_it_said() -> None:
    with driver_node() as driver, played_worker(driver, "left") as worker:
        registered = worker.register(slots=3, memory=5 << 20, pid=4711)
        (found,) = driver.mesh.workers()
        assert (found.id, found.name, found.role, found.state) == (registered.worker, "left", "worker", "alive")
        assert (found.slots, found.memory, found.pid, found.mesh) == (3, 5 << 20, 4711, worker.node.uri)
        assert registered.driver == driver.mesh.incarnation
        assert registered.key == driver.mesh.key
        assert len(registered.key) == 32
        assert registered.heartbeat_seconds == MeshConfig().heartbeat_seconds


def test_workers_of_one_name_are_told_apart() -> None:
    with driver_node() as driver, played_worker(driver) as one, played_worker(driver) as other:
        ids = {one.register().worker, other.register().worker}
        assert len(ids) == 2
        assert {found.name for found in driver.mesh.workers()} == {"w", "w-2"}


def test_a_worker_that_registers_again_keeps_its_name_and_gets_another_id() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        first = worker.register().worker
        second = worker.register().worker
        assert first != second
        wait_until(lambda: [found.id for found in driver.mesh.workers()] == [second])
        assert driver.mesh.workers()[0].name == "w"
        with pytest.raises(Fenced):
            worker.call("leave", Leave(first, ""), Done)


@pytest.mark.parametrize(
    ("field", "words", "ours"),
    [("protocol", "protocol", PROTOCOL_VERSION), ("hash_version", "partitioning hash", HASH_VERSION)],
    ids=["protocol", "hash"],
)
def test_a_worker_of_another_release_is_refused_with_both_versions(field: str, words: str, ours: int) -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        with pytest.raises(InvalidConfig, match=words) as caught:
            worker.register(**{field: 99})
        assert "99" in caught.value.message
        assert f"version {ours}" in caught.value.message
        assert "same release" in (caught.value.hint or "")
        assert driver.mesh.workers() == ()


@pytest.mark.parametrize(
    "said",
    [
        {"slots": 0},
        {"slots": -1},
        {"slots": 10**9},
        {"memory": 0},
        {"disk": -1},
        {"name": ""},
        {"name": "\x1b[31mred"},
        {"name": "two\nlines"},
        {"name": "x" * 64},
        {"host": "\x1b[2J"},
        {"address": NodeAddress("", "grpc://127.0.0.1:9")},
        {"address": NodeAddress("grpc://127.0.0.1:9", "no address")},
        {"address": NodeAddress("grpc+unix:///tmp/socket", "grpc://127.0.0.1:9")},
        {"address": NodeAddress("grpc://127.0.0.1:9", "grpc://127.0.0.1:9/\n")},
        {"serves": (Serving("a b", Copy.PART),)},
        {"serves": (Serving("t", Copy.PART, "x" * 65),)},
    ],
    ids=repr,
)
def test_what_no_worker_is_is_refused_and_harms_nobody(said: dict[str, object]) -> None:
    """A driver that believed in no slots broke down, and all its workers with it."""
    with driver_node() as driver, played_worker(driver, "good") as good, played_worker(driver, "bad") as bad:
        good.register()
        with pytest.raises(InvalidConfig) as caught:
            bad.register(**said)
        assert caught.value.message.isprintable()
        good.beat()
        assert [found.name for found in driver.mesh.workers()] == ["good"]


def test_a_registration_of_a_later_protocol_is_known_by_its_version_whatever_its_other_fields() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        body = msgpack.packb({"protocol": PROTOCOL_VERSION + 1, "name": "w", "colour": "blue"})
        with pytest.raises(InvalidConfig, match=f"version {PROTOCOL_VERSION + 1} of the protocol, and this driver version"):
            worker.peers.call(driver.mesh_uri, "register", body, SECONDS)


@pytest.mark.parametrize("body", [b"", b"garbage", msgpack.packb([1, 2]), msgpack.packb({"protocol": PROTOCOL_VERSION})])
def test_garbage_is_refused_and_harms_nothing(body: bytes) -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        for action in ("register", "heartbeat", "reports", "leave", "task-report"):
            with pytest.raises(InvalidMessage):
                worker.peers.call(driver.mesh_uri, action, body, SECONDS)
        worker.register()
        assert len(driver.mesh.workers()) == 1


def test_a_worker_that_is_not_known_is_fenced_in_all_it_says() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        worker.register()
        registered = worker.registered
        worker.leave()
        wait_until(lambda: not driver.mesh.workers())
        with pytest.raises(Fenced, match="declared lost, or has left"):
            worker.beat()
        with pytest.raises(Fenced):
            worker.report(JobReleased(JobId(1)))
        assert registered is not None
        with pytest.raises(Fenced, match="earlier driver"):
            worker.call("reports", Reports("another", registered.worker, 0, ()), Done)


def test_a_worker_that_left_is_listed_as_such() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        worker.register()
        worker.leave("it was told to")
        wait_until(lambda: not driver.mesh.workers())
        assert node(driver, "w").state == "left"


def test_a_silent_worker_is_lost_at_its_time_though_somebody_listens() -> None:
    with driver_node(QUICK) as driver, played_worker(driver) as worker:
        worker.register()
        waited = wait_until(lambda: not driver.mesh.workers())
        assert waited >= 0.7, "its time is one second"
        assert node(driver, "w").state == "lost"
        with pytest.raises(Fenced):
            worker.beat()
        again = worker.register().worker
        assert [found.id for found in driver.mesh.workers()] == [again]


def test_a_worker_where_nobody_listens_is_lost_before_its_time() -> None:
    config = replace(QUICK, mesh=replace(QUICK.mesh, lost_seconds=60.0))
    with driver_node(config) as driver, played_worker(driver) as worker:
        worker.register()
        worker.node.close(1.0)
        wait_until(lambda: not driver.mesh.workers())
        assert node(driver, "w").state == "lost"


def test_heartbeats_keep_a_worker_and_its_load_is_shown() -> None:
    seconds = 3.0  # longer than a busy machine keeps a test from its next beat
    config = replace(QUICK, mesh=replace(QUICK.mesh, lost_seconds=seconds))
    with driver_node(config) as driver, played_worker(driver) as worker:
        worker.register()
        started, beats = time.monotonic(), itertools.count(1)

        def heard_for_long() -> bool:
            worker.beat(load=replace(IDLE, running_tasks=next(beats)))
            return time.monotonic() - started > 1.5 * seconds

        wait_until(heard_for_long)
        sent = next(beats) - 1
        wait_until(lambda: [found.load.running_tasks for found in driver.mesh.workers() if found.load] == [sent])


def test_a_drained_worker_may_leave_when_nothing_is_left() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        worker.register()
        driver.mesh.drain("w")
        wait_until(lambda: worker.beat().may_leave)
        assert driver.mesh.workers()[0].state == "draining"
        worker.leave()
        wait_until(lambda: not driver.mesh.workers())


def test_a_worker_that_drains_itself_may_leave() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        worker.register()
        wait_until(lambda: worker.beat(Drain.DRAINING).may_leave)


def test_clients_find_nothing_on_the_mesh_listener_and_workers_nothing_on_the_other() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        with pytest.raises(UnsupportedFeature, match="no action 'nodes'"):
            worker.peers.call(driver.mesh_uri, "nodes", b"", SECONDS)
        for action in ("register", "heartbeat", "reports", "leave"):
            with pytest.raises(UnsupportedFeature):
                worker.peers.call(driver.client_uri, action, encode(worker.description()), SECONDS)
        stream = worker.peers.get(driver.mesh_uri, b"ticket")
        with pytest.raises(UnsupportedFeature, match="mesh listener does not answer DoGet"):
            stream.next()
