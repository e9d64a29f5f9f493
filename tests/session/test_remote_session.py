"""The client of a mesh by itself: what it asks, how it reads, what it makes of broken streams and silent drivers."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config
from flightmesh.driver.record import JobState
from flightmesh.errors import (
    Cancelled,
    DataError,
    FlightmeshError,
    InvalidConfig,
    InvalidInput,
    InvalidQuery,
    NodeUnavailable,
    ResourceExhausted,
    StreamBroken,
    WorkerLost,
)
from flightmesh.session import remote_job
from flightmesh.session.driver_access import split_address
from tests.session.stand_in import StandIn
from tests.waiting import wait_until

ROWS = 1000


@pytest.fixture
def driver() -> Iterator[StandIn]:
    with flightmesh.connect(threads=2) as session:
        session.register("n", {"i": range(ROWS)})
        stand_in = StandIn(session)
        yield stand_in
        stand_in.node.close(5)


@pytest.fixture
def client(driver: StandIn) -> Iterator[flightmesh.RemoteSession]:
    with flightmesh.connect(driver.node.uri) as session:
        yield session


def test_rows_of_all_partitions(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    driver.partitions = 3
    result = client.sql("select i from n")
    assert not driver.jobs, "nothing runs before the first use"
    assert result.progress().tasks == 0
    assert sorted(result.to_arrow()["i"].to_pylist()) == list(range(ROWS))
    assert result.to_arrow() is result.to_arrow()
    assert result.metrics is not None
    assert result.metrics.state is JobState.SUCCEEDED
    assert result.progress() == result.metrics.progress
    assert "cancel" not in driver.calls
    assert driver.calls.count("record") == 1


def test_every_reader_runs_the_query(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    result = client.sql("select i from n")
    assert sum(batch.num_rows for batch in result) == sum(batch.num_rows for batch in result) == ROWS
    assert len(driver.jobs) == 2


def test_names_may_repeat(client: flightmesh.RemoteSession) -> None:
    assert client.sql("select i, i from n").to_arrow().column_names == ["i", "i"]


def test_what_runs_at_once_has_no_job(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    assert client.sql("create table made as select 1 as x").to_arrow().num_columns == 0
    assert client.sql("from made").to_arrow().to_pydict() == {"x": [1]}
    assert len(driver.jobs) == 1


def test_a_mistake_is_raised_at_once_with_its_place(client: flightmesh.RemoteSession) -> None:
    with pytest.raises(InvalidQuery, match="nothere") as caught:
        client.sql("select nothere\nfrom n")
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == (1, 8)
    assert "^^^^^^^" in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [1, -(2**40), 2**70, 1.5, True, None, "it's", b"\x00\xff", Decimal("12.340"), datetime.date(2024, 2, 29),
     datetime.datetime(2024, 2, 29, 1, 2, 3, 4), datetime.time(1, 2, 3)],
    ids=repr,
)  # fmt: skip
def test_values_of_parameters_arrive(client: flightmesh.RemoteSession, value: object) -> None:
    assert client.sql("select :v as v", params={"v": value}).to_arrow().to_pydict() == {"v": [value]}
    assert client.sql("select ? as v, $1 as w", params=[value]).to_arrow().to_pydict() == {"v": [value], "w": [value]}


def test_values_that_are_none(client: flightmesh.RemoteSession) -> None:
    with pytest.raises(InvalidQuery, match="the parameter 'v' is an object"):
        client.sql("select :v", params={"v": object()})
    with pytest.raises(InvalidQuery, match="at most 38 digits"):
        client.sql("select :v", params={"v": 10**50})
    with pytest.raises(InvalidQuery, match="mapping of names or a list"):
        client.sql("select :v", params="v")


def test_an_upload_arrives_normalised(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    texts = pa.array(["a", "b", "a"]).dictionary_encode()
    client.register("d", pa.table({"t": texts, "v": pa.array(["x", None, "z"], pa.string_view())}))
    assert driver.session.sql("select t, v from d").to_arrow().to_pydict() == {"t": ["a", "b", "a"], "v": ["x", None, "z"]}
    many = pa.chunked_array([[number] for number in range(5000)])
    client.upload("many", pa.table({"x": many}))
    assert driver.session.sql("select sum(x) as s from many").to_arrow().to_pydict() == {"s": [12_497_500]}
    client.upload("empty", {"x": pa.array([], pa.int16())})
    assert driver.session.sql("from empty").to_arrow().schema == pa.schema([("x", pa.int16())])
    with pytest.raises(InvalidInput, match="two columns are named 'x'"):
        client.upload("twice", pa.table([[1], [2]], ["x", "x"]))
    with pytest.raises(InvalidInput):
        client.upload("nothing", 42)
    with pytest.raises(InvalidQuery, match="takes no options, but got delimiter"):
        client.upload("wrong", {"x": [1]}, delimiter=";")


def test_an_order_is_kept(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    driver.partitions, driver.ordered = 2, True
    first, second = client.sql("select i from n order by i").to_arrow()["i"].to_pylist(), driver.jobs[1].partitions
    assert first == [i for batches in second for batch in batches for i in batch["i"].to_pylist()]


def test_a_stream_that_breaks_is_an_error_and_never_fewer_rows(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    def fail(partition: int, number: int) -> None:
        if (partition, number) == (1, 2):
            raise StreamBroken("the worker has gone")

    driver.before = fail
    with pytest.raises(StreamBroken, match="gone") as caught:
        client.sql("select i from n").to_arrow()
    assert caught.value.retryable
    assert driver.jobs[1].cancelled.wait(5), "nothing is to run on for nobody"


def test_the_drivers_reason_goes_before_a_broken_stream(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    def fail(partition: int, number: int) -> None:
        if partition == 0 and number == 1:
            job = driver.jobs[1]
            job.error, job.state = WorkerLost("worker w1 was lost while it ran task 1.0.0"), "failed"
            raise StreamBroken("the worker has gone")

    driver.before = fail
    with pytest.raises(WorkerLost, match=r"task 1\.0\.0"):
        client.sql("select i from n").to_arrow()


def test_a_job_that_fails_elsewhere_ends_a_silent_stream(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    """A worker that was stopped says nothing; the driver knows."""
    held = threading.Event()

    def hold(partition: int, number: int) -> None:
        if number == 1:
            driver.jobs[1].error, driver.jobs[1].state = WorkerLost("worker w1 is silent"), "failed"
            held.wait(30)

    driver.before = hold
    started = time.monotonic()
    with pytest.raises(WorkerLost, match="w1 is silent"):
        client.sql("select i from n").to_arrow()
    assert time.monotonic() - started < 10
    held.set()


def test_an_error_of_the_data_has_its_type(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    def fail(partition: int, number: int) -> None:
        raise DataError("division by zero")

    driver.before = fail
    for _ in range(2):
        with pytest.raises(DataError, match="division"):
            client.sql("select i from n").to_arrow()


def test_leaving_early_cancels(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    held = threading.Event()
    driver.before = lambda partition, number: None if number < 2 else wait_for(held)
    with client.sql("select i from n").to_reader() as reader:
        assert reader.read_next_batch().num_rows
    assert driver.jobs[1].cancelled.wait(5)
    held.set()


def test_cancelling_from_another_thread(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    held = threading.Event()
    driver.before = lambda partition, number: wait_for(held)
    result = client.sql("select i from n")
    failed: list[FlightmeshError] = []

    def read() -> None:
        try:
            result.to_arrow()
        except FlightmeshError as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: result.progress().tasks == 2)
    result.cancel()
    reader.join(10)
    assert [type(error) for error in failed] == [Cancelled]
    assert driver.jobs[1].cancelled.wait(5)
    held.set()


@pytest.mark.parametrize("moment", ["placing", "reading"])
def test_an_interrupt_cancels(client: flightmesh.RemoteSession, driver: StandIn, moment: str) -> None:
    held, there = threading.Event(), threading.Event()

    def hold(*_: int) -> None:
        there.set()
        wait_for(held)

    if moment == "placing":
        driver.placing = hold
    else:
        driver.before = hold

    def interrupt() -> None:
        assert there.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        client.sql("select i from n").to_arrow()
    assert time.monotonic() - started < 5
    held.set()
    wait_until(lambda: 1 in driver.jobs)
    assert driver.jobs[1].cancelled.wait(5), "also what was placed after the interrupt"


def test_a_driver_that_goes_is_noticed(client: flightmesh.RemoteSession, driver: StandIn) -> None:
    held = threading.Event()
    driver.before = lambda partition, number: wait_for(held)
    result = client.sql("select i from n")
    failed: list[FlightmeshError] = []

    def read() -> None:
        try:
            result.to_arrow()
        except FlightmeshError as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: result.progress().tasks == 2)
    started = time.monotonic()
    driver.node.close(1)
    reader.join(10)
    assert time.monotonic() - started < 5
    assert len(failed) == 1
    assert isinstance(failed[0], NodeUnavailable | StreamBroken)
    held.set()
    with pytest.raises(NodeUnavailable):
        client.sql("select 1")


def test_a_session_that_nobody_uses_is_kept(driver: StandIn) -> None:
    driver.lease = 0.3
    before = set(threading.enumerate())
    with flightmesh.connect(driver.node.uri):
        wait_until(lambda: driver.calls.count("ping") >= 2, 5)
    wait_until(lambda: not [t for t in set(threading.enumerate()) - before if t.name == "flightmesh-lease"])
    assert driver.calls.count("close-session") == 1


def test_a_closed_session_refuses(client: flightmesh.RemoteSession) -> None:
    result = client.sql("select i from n")
    assert "open" in repr(client)
    client.close()
    client.close()
    assert "closed" in repr(client)
    uses = (lambda: client.sql("select 1"), lambda: client.register("x", {"x": [1]}), client.tables, result.to_arrow)
    for use in uses:
        with pytest.raises(Cancelled, match="closed"):
            use()


def test_a_gathered_result_counts_against_the_budget_here(driver: StandIn) -> None:
    with flightmesh.connect(driver.node.uri, memory=4000) as client:
        with pytest.raises(ResourceExhausted, match="budget") as caught:
            client.sql("select i from n").to_arrow()
        assert "to_reader" in (caught.value.hint or "")
        assert sum(batch.num_rows for batch in client.sql("select i from n")) == ROWS


def test_nobody_there() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(NodeUnavailable, match=f"no driver answers at grpc://127.0.0.1:{port}") as caught:
            flightmesh.connect(f"grpc://127.0.0.1:{port}")
        assert time.monotonic() - started < 5
        assert "flightmesh driver" in (caught.value.hint or "")


def test_somebody_there_who_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        started = time.monotonic()
        with pytest.raises(NodeUnavailable, match="no driver answers"):
            flightmesh.connect(f"grpc://127.0.0.1:{server.getsockname()[1]}")
        assert time.monotonic() - started < 8


@pytest.mark.parametrize("wrong", ["", "here", "grpc://", "http://a:1", "a:0", "a:70000", "a:b", "u@h:1", 5])
def test_addresses_that_are_none(wrong: object) -> None:
    with pytest.raises(InvalidConfig, match="driver"):
        flightmesh.connect(wrong)  # type: ignore[call-overload]


def test_addresses() -> None:
    assert split_address("localhost:8815") == (None, "localhost:8815")
    assert split_address("grpc://localhost:8815/") == ("grpc", "localhost:8815")
    assert split_address("grpc+tls://[::1]:1") == ("grpc+tls", "[::1]:1")


@pytest.mark.parametrize("wrong", [{"threads": 2}, {"config": Config(threads=77)}, {"config": Config(morsel_rows=5)}])
def test_settings_of_the_nodes_are_not_the_clients(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidConfig, match="a setting of the nodes of a mesh"):
        flightmesh.connect("grpc://127.0.0.1:1", **wrong)  # type: ignore[call-overload]


def test_ways_of_results_that_are_none() -> None:
    with pytest.raises(InvalidConfig, match="results is 'workers' or 'through-driver', not 'by post'"):
        flightmesh.connect("grpc://127.0.0.1:1", results="by post")
    with pytest.raises(InvalidConfig, match="sessions at a mesh"):
        flightmesh.connect(delivery="complete")  # type: ignore[call-overload]


def test_a_result_that_stays_away_after_the_job_has_ended(
    client: flightmesh.RemoteSession, driver: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_job, "SILENT_SECONDS", 1.5)
    held = threading.Event()

    def hold(partition: int, number: int) -> None:
        driver.jobs[1].state = "succeeded"
        wait_for(held)

    driver.before = hold
    with pytest.raises(StreamBroken, match="though it has ended"):
        client.sql("select i from n").to_arrow()
    held.set()


def test_rows_may_come_some_time_after_the_end_of_a_job_that_was_silent_for_long(
    client: flightmesh.RemoteSession, driver: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_job, "SILENT_SECONDS", 1.5)
    monkeypatch.setattr(remote_job, "STALL_SECONDS", 0.1)

    def hold(partition: int, number: int) -> None:
        if number == 0:
            threading.Event().wait(2.5)  # longer than a result may stay away, but the job runs
            driver.jobs[1].state = "succeeded"
            threading.Event().wait(0.5)

    driver.before = hold
    assert client.sql("select i from n").to_arrow().num_rows > 0


def wait_for(event: threading.Event) -> None:
    assert event.wait(30)
