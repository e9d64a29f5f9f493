import gc
import threading

import pytest

from flightmesh.config import Config, MeshConfig
from flightmesh.driver.actor import Driver
from flightmesh.driver.events import DriverEffect, DriverEvent, JobSubmitted
from flightmesh.driver.record import JobRecord
from flightmesh.errors import (
    Cancelled,
    InternalError,
    InvalidInput,
    NodeUnavailable,
    ResourceExhausted,
    UnknownJob,
    UnsupportedFeature,
    WorkerLost,
)
from flightmesh.ids import JobId
from flightmesh.node.driver_node import DriverNode
from flightmesh.protocol.client_messages import AskJob, Done, DrainWorker, Jobs, JobStatus, Nodes, Stages, Tasks
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.messages import PlanStage, ReleaseJob, RunTask
from flightmesh.protocol.node_messages import MeshListener
from tests.hand_made import constant
from tests.node.driving import FROM_WORKERS, SECONDS, PlayedWorker, driver_node, played_worker
from tests.waiting import wait_until

NOTHING = constant(0)
"""One task that gives no rows."""


def submit(driver: DriverNode) -> JobId:
    return driver.mesh.submit(NOTHING, FROM_WORKERS)


def ask(worker: PlayedWorker, driver: DriverNode, action: str, question: object, kind: type) -> object:
    body = b"" if question is None else encode(question)
    (answer,) = worker.peers.call(driver.client_uri, action, body, SECONDS)
    return decode(answer, kind)


def test_a_job_is_placed_at_its_worker_before_it_has_run() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        worker.register()
        job = submit(driver)
        (place,) = driver.mesh.wait_placed(job, SECONDS)
        assert (place.worker, place.mesh, place.client) == (worker.id, worker.node.uri, "grpc://127.0.0.1:9")
        worker.wait_ordered(PlanStage)
        worker.wait_ordered(RunTask)
        status = driver.mesh.status(job)
        assert (status.state, status.tasks, status.tasks_done) == ("running", 1, 0)
        assert status.started is not None


def test_a_job_that_is_read_is_forgotten_everywhere_and_remembered_as_a_summary() -> None:
    with driver_node() as driver, played_worker(driver, obeys=True) as worker:
        worker.register()
        job = submit(driver)
        assert driver.mesh.wait_forgotten(job, SECONDS)
        assert driver.mesh.is_idle
        assert len(worker.wait_ordered(ReleaseJob)) == 1
        status = driver.mesh.status(job)
        assert (status.state, status.tasks_done, status.error) == ("succeeded", 1, None)
        assert [stage.done for stage in driver.mesh.stages(job).stages] == [1]
        assert [task.worker for task in driver.mesh.tasks(job).tasks] == ["w"]
        assert driver.mesh.record(job).job == job


def test_a_job_ends_with_its_worker_and_says_which() -> None:
    with driver_node() as driver, played_worker(driver, "lonely") as worker:
        worker.register()
        job = submit(driver)
        worker.wait_ordered(RunTask)
        worker.node.close(1.0)
        assert driver.mesh.wait_ended(job, SECONDS)
        with pytest.raises(WorkerLost, match="lonely"):
            driver.mesh.wait_placed(job, SECONDS)
        assert driver.mesh.wait_forgotten(job, SECONDS)
        assert driver.mesh.status(job).state == "failed"


def test_without_workers_a_job_waits_and_then_says_why_it_cannot_run() -> None:
    with driver_node() as driver:
        job = submit(driver)
        assert driver.mesh.status(job).state == "queued"
        assert driver.mesh.try_placed(job, 0.01) is None
        with pytest.raises(NodeUnavailable, match="waits for its turn"):
            driver.mesh.wait_placed(job, 0.01)
        with pytest.raises(NodeUnavailable, match="no worker"):
            driver.mesh.wait_placed(job, SECONDS)


def test_a_job_that_waits_for_workers_runs_when_one_comes() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        job = submit(driver)
        worker.register()
        assert [place.worker for place in driver.mesh.wait_placed(job, SECONDS)] == [worker.id]


def test_jobs_past_the_limit_queue_in_order_and_past_the_next_are_refused() -> None:
    config = Config(mesh=MeshConfig(running_jobs=1, queued_jobs=2))
    with driver_node(config) as driver, played_worker(driver) as worker:
        worker.register()
        first, second, third, refused = (submit(driver) for _ in range(4))
        with pytest.raises(ResourceExhausted):
            driver.mesh.wait_placed(refused, SECONDS)
        states = {status.job: (status.state, status.place) for status in driver.mesh.jobs()}
        assert states[first] == ("running", 0)
        assert states[second] == ("queued", 1)
        assert states[third] == ("queued", 2)
        assert [task.state for task in driver.mesh.tasks(third).tasks] == ["pending"]
        assert [stage.pending for stage in driver.mesh.stages(third).stages] == [1]
        driver.mesh.cancel(second, "not wanted")
        wait_until(lambda: driver.mesh.status(third).place == 1)
        with pytest.raises(Cancelled):
            driver.mesh.wait_placed(second, SECONDS)


def test_closing_the_driver_ends_its_jobs_with_a_reason() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        worker.register()
        job = submit(driver)
        worker.wait_ordered(RunTask)
        driver.close()
        with pytest.raises(Cancelled, match="the driver went down"):
            driver.mesh.wait_placed(job, SECONDS)
        with pytest.raises(Cancelled, match="going down"):
            submit(driver)


def test_people_ask_for_nodes_and_jobs() -> None:
    with driver_node() as driver, played_worker(driver, obeys=True) as worker:
        worker.register()
        job = submit(driver)
        driver.mesh.wait_forgotten(job, SECONDS)
        listener = ask(worker, driver, "mesh-address", None, MeshListener)
        assert listener == MeshListener(driver.mesh.incarnation, driver.mesh_uri)
        nodes = ask(worker, driver, "nodes", None, Nodes)
        assert isinstance(nodes, Nodes)
        assert [(node.role, node.name) for node in nodes.nodes] == [("driver", "driver"), ("worker", "w")]
        jobs = ask(worker, driver, "jobs", None, Jobs)
        assert isinstance(jobs, Jobs)
        assert [found.job for found in jobs.jobs] == [job]
        assert ask(worker, driver, "status", AskJob(job), JobStatus) == jobs.jobs[0]
        stages, tasks = ask(worker, driver, "stages", AskJob(job), Stages), ask(worker, driver, "tasks", AskJob(job), Tasks)
        assert isinstance(stages, Stages)
        assert isinstance(tasks, Tasks)
        assert len(stages.stages) == len(tasks.tasks) == 1
        assert ask(worker, driver, "record", AskJob(job), JobRecord) == driver.mesh.record(job)
        with pytest.raises(UnsupportedFeature, match="no action 'dance'"):
            ask(worker, driver, "dance", None, Done)


def test_people_cancel_a_job_and_drain_a_worker() -> None:
    with driver_node() as driver, played_worker(driver) as worker:
        worker.register()
        job = submit(driver)
        worker.wait_ordered(RunTask)
        assert ask(worker, driver, "cancel", AskJob(job), Done) == Done()
        wait_until(lambda: driver.mesh.status(job).state == "cancelled")
        assert ask(worker, driver, "drain", DrainWorker("w"), Done) == Done()
        wait_until(lambda: driver.mesh.workers()[0].state == "draining")


def test_what_is_not_known_is_said_with_a_hint() -> None:
    with driver_node() as driver, played_worker(driver, "only") as worker:
        worker.register()
        for action in ("status", "stages", "tasks", "record", "cancel"):
            with pytest.raises(UnknownJob, match="no job 77") as caught:
                ask(worker, driver, action, AskJob(JobId(77)), Done)
            assert "flightmesh jobs" in (caught.value.hint or "")
        with pytest.raises(InvalidInput, match="no worker 'other'") as missing:
            ask(worker, driver, "drain", DrainWorker("other"), Done)
        assert "only" in (missing.value.hint or "")


class _Faulty(Driver):
    """An actor with a bug: the second job that is submitted makes it raise."""

    def step(self, event: DriverEvent, now: float) -> list[DriverEffect]:
        if isinstance(event, JobSubmitted) and event.job == 2:
            raise KeyError("a bug")
        return super().step(event, now)


def test_a_bug_in_the_loop_ends_all_jobs_with_an_error_and_the_driver_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightmesh.runtime.mesh_driver.Driver", _Faulty)
    with driver_node() as driver, played_worker(driver) as worker:
        worker.register()
        before = submit(driver)
        worker.wait_ordered(RunTask)
        broken = submit(driver)
        for job in (before, broken):
            with pytest.raises(InternalError, match="the driver broke down: KeyError"):
                driver.mesh.wait_placed(job, SECONDS)
                driver.mesh.wait_ended(job, SECONDS)
                driver.mesh.wait_placed(job, SECONDS)
        assert driver.mesh.status(before).state == "failed"
        worker.register()
        after = submit(driver)
        assert [place.worker for place in driver.mesh.wait_placed(after, SECONDS)] == [worker.id]


def test_a_thousand_jobs_leave_nothing_but_a_bounded_history() -> None:
    config = Config(mesh=MeshConfig(history=20, silent_seconds=600.0, lost_seconds=600.0))  # its worker says nothing of itself
    with driver_node(config) as driver, played_worker(driver, obeys=True) as worker:
        worker.register()

        def serve(count: int) -> None:
            for _ in range(count // 20):
                jobs = [submit(driver) for _ in range(20)]
                assert all(driver.mesh.wait_forgotten(job, SECONDS) for job in jobs)
                assert {driver.mesh.status(job).state for job in jobs} == {"succeeded"}
            worker.orders.clear()

        serve(100)
        threads, before = threading.active_count(), _objects()
        serve(1000)
        assert len(driver.mesh.jobs()) == 20
        assert driver.mesh.is_idle
        assert threading.active_count() <= threads
        assert _objects() - before < 20_000, "a job leaves a few hundred bytes for late questions, and no entries"


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())
