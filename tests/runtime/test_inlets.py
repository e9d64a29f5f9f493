"""What a task reads of an edge whose rows lie at several workers: as they come, within its window, and no longer than it
wants them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from flightmesh.errors import Cancelled, FlightmeshError, InternalError, StreamBroken
from flightmesh.ids import AttemptId, EdgeId, JobId, StageId, TaskId
from flightmesh.physical.partitioning import Broadcast, RoundRobin
from flightmesh.protocol.messages import ExchangeMode, PlanStage, Source
from flightmesh.protocol.tickets import ExchangeTicket, sign
from flightmesh.runtime.inlet import Inlet
from flightmesh.runtime.task_context import OutputUnread
from flightmesh.stage.graph import Stage
from flightmesh.worker.events import DropJob, NoteSources, OpenEdge, SealLog
from tests.runtime.edge_plays import EDGE, JOB, KIB, LINES, MODES, Play, numbers, playing, reader, reading, rows, wide, writer
from tests.runtime.twin import KEY, Twin, until
from tests.waiting import again_if_slow, assert_within


@LINES
@MODES
def test_a_batch_is_there_before_its_writer_has_ended(mode: ExchangeMode, line: str) -> None:
    with playing(mode, line) as play, reading(play, 0) as task:
        play.place(0, 1)
        play.place_readers(0)
        batches = task.read_edge(EDGE)
        for turn in range(5):
            play.put(1, 1, rows(10 * turn))
            assert next(batches).column(0)[0].as_py() == 10 * turn
        play.put(0, 0, rows(100))
        assert next(batches).column(0)[0].as_py() == 100, "what is written here comes by reference"
        play.seal()
        assert list(batches) == []
        assert task.read()[0].rows == 24


@LINES
def test_a_stream_ends_before_the_seal_once_its_worker_knows_that_no_more_comes(line: str) -> None:
    with playing(ExchangeMode.GET, line) as play, reading(play, 0) as task:
        play.place(0, 1)
        batches = task.read_edge(EDGE)
        play.put(1, 1, rows(0))
        assert next(batches).column(0).to_pylist() == [0, 1, 2, 3]
        play.put(1, 1, rows(10))
        play.written(1, 1)
        (inlet,) = task._readers[EDGE]
        assert isinstance(inlet, Inlet)
        (feed,) = inlet._feeds.values()
        until(lambda: feed.is_complete)
        play.put(0, 0, rows(100))
        play.seal()
        assert sorted(numbers(batches)) == [10, 11, 12, 13, 100, 101, 102, 103]


def test_no_more_comes_of_a_worker_when_all_tasks_are_placed_and_those_there_have_ended() -> None:
    with playing(ExchangeMode.GET, producers=3) as play:
        there = play.mesh.workers[1]
        state = there.board._edges.state(JOB, EDGE)
        assert state is not None
        play.place(0, 1)
        play.written(1, 1)
        assert not state.is_written_at(there.worker), "the third task may be placed there"
        play.place(0, 1, 1)
        assert not state.is_written_at(there.worker), "it runs"
        play.written(1, 2)
        assert state.is_written_at(there.worker)


@LINES
@MODES
def test_a_reader_before_anything_is_placed(mode: ExchangeMode, line: str) -> None:
    with playing(mode, line, workers=3, producers=3) as play, reading(play, 0) as task:
        got: list[int] = []
        thread = threading.Thread(target=lambda: got.extend(numbers(task.read_edge(EDGE))))
        thread.start()
        until(lambda: task._readers.get(EDGE) is not None)
        play.place(1)
        play.place_readers(0)
        play.put(1, 0, rows(0))
        until(lambda: not play.log(1).held)
        play.place(1, 2)
        play.put(2, 1, rows(10))
        play.place(1, 2, 0)
        play.put(0, 2, rows(20))
        play.seal()
        thread.join(10)
        assert sorted(got) == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]


@LINES
@MODES
def test_a_reader_after_everything_has_ended(mode: ExchangeMode, line: str) -> None:
    with playing(mode, line) as play:
        play.place(1, 1)
        play.put(1, 0, rows(0))
        play.put(1, 1, rows(10))
        play.seal()
        play.place_readers(0)
        with reading(play, 0) as task:
            assert sorted(numbers(task.read_edge(EDGE))) == [0, 1, 2, 3, 10, 11, 12, 13]


@LINES
@MODES
def test_a_slow_reader_has_a_window_ahead_of_it_and_the_writer_goes_on(mode: ExchangeMode, line: str) -> None:
    with playing(mode, line, window=256 * KIB, producers=1) as play, reading(play, 0) as task:
        play.place(1)
        play.place_readers(0)
        batches = task.read_edge(EDGE)
        play.put(1, 0, wide(0))
        next(batches)
        for turn in range(1, 401):
            play.put(1, 0, wide(turn))  # 25 MiB, and no put waits
        left = play.log(1).held
        quiet(lambda: play.log(1).held)
        assert play.log(1).held > 15 * KIB * KIB, "most of it stays where it was written"
        assert play.log(1).held <= left
        feeds = list(task._readers[EDGE][0]._feeds.values())  # type: ignore[union-attr]
        assert sum(feed.held for feed in feeds) <= (256 + 64) * KIB
        play.seal()
        assert sum(batch.num_rows for batch in batches) == 400 * 8 * KIB
        assert task.intakes(EDGE)[0].waited_ns > 0, "a stream that stood still with a full window says so"


def quiet(figure: Callable[[], int], seconds: float = 10.0) -> None:
    """Waits until a figure has not moved for a fifth of a second."""
    end = time.monotonic() + seconds
    seen, since = figure(), time.monotonic()
    while time.monotonic() < since + 0.2:
        assert time.monotonic() < end
        threading.Event().wait(0.01)
        if figure() != seen:
            seen, since = figure(), time.monotonic()


@LINES
@MODES
@pytest.mark.parametrize("ending", ["cancel", "stop"])
@again_if_slow
def test_an_end_wakes_a_waiting_reader_and_its_streams(mode: ExchangeMode, line: str, ending: str) -> None:
    with playing(mode, line) as play, reading(play, 0) as task:
        play.place(1, 1)
        play.place_readers(0)
        failed: list[BaseException] = []

        def read() -> None:
            try:
                numbers(task.read_edge(EDGE))
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        until(lambda: play.mesh.workers[0].slots.free == 2)  # it waits, without a slot
        started = time.monotonic()
        task.cancel() if ending == "cancel" else task.stop()
        thread.join(10)
        assert_within(1, started, "waking the reader")
        assert [type(error) for error in failed] == [Cancelled if ending == "cancel" else OutputUnread]
        play.put(1, 0, rows(0))  # the writer goes on
        play.seal()


@LINES
@MODES
def test_a_reader_that_has_enough_ends_its_streams(mode: ExchangeMode, line: str) -> None:
    with playing(mode, line, producers=1) as play, reading(play, 0) as task:
        play.place(1)
        play.place_readers(0)
        batches = task.read_edge(EDGE)
        for turn in range(60):
            play.put(1, 0, wide(turn))
        next(batches)
        batches.close()  # type: ignore[attr-defined]
        for twin, node in zip(play.mesh.workers, play.mesh.nodes, strict=False):
            until(lambda node=node: node.streams == 0)
            assert twin.store is not None
        for turn in range(60):
            play.put(1, 0, wide(turn))
        play.close(0, 1)
        assert play.log(1).held == 0
        play.seal()


@MODES
def test_a_stream_that_breaks_names_its_peer(mode: ExchangeMode) -> None:
    with playing(mode) as play, reading(play, 0) as task:
        play.place(1, 1)
        play.place_readers(0)
        batches = task.read_edge(EDGE)
        play.put(1, 0, rows(0))
        next(batches)
        if mode is ExchangeMode.GET:
            assert play.mesh.network is not None
            play.mesh.network.is_down.set()
            play.put(1, 0, rows(0), rows(4))
        else:
            play.mesh.workers[1].board._pushers.drop(JOB)  # type: ignore[union-attr]
        with pytest.raises(StreamBroken, match=r"edge 3 from worker w1-abcd .* broke"):
            numbers(batches)


def test_a_worker_that_is_gone_breaks_the_stream_over_flight() -> None:
    with playing(ExchangeMode.GET, "flight") as play, reading(play, 0) as task:
        play.place(1, 1)
        batches = task.read_edge(EDGE)
        play.put(1, 0, rows(0))
        next(batches)
        play.mesh.nodes[1].close(1)
        with pytest.raises(StreamBroken, match="worker w1-abcd"):
            numbers(batches)


def test_a_writer_that_never_pushes_is_named() -> None:
    with playing(ExchangeMode.PUT, patience=0.2) as play, reading(play, 0) as task:
        play.place(1, 1)
        with pytest.raises(StreamBroken, match=r"worker w1-abcd .* has not begun to push edge 3"):
            numbers(task.read_edge(EDGE))


@MODES
def test_an_old_incarnation_is_not_read(mode: ExchangeMode) -> None:
    with playing(mode) as play, reading(play, 0) as task:
        there = play.mesh.workers[1]
        play.tell(NoteSources(JOB, EDGE, (Source(type(there.worker)("w1-0000"), there.address, (0,)),)))
        if mode is ExchangeMode.GET:
            with pytest.raises(StreamBroken, match="w1-0000 is gone"):
                numbers(task.read_edge(EDGE))
        else:
            play.seal()
            play.tell(SealLog(JOB, EDGE, (), ()))
            assert numbers(task.read_edge(EDGE)) == [], "the seal names it no more"


@MODES
def test_a_loser_that_was_read_is_an_error_and_one_that_was_not_is_left_out(mode: ExchangeMode) -> None:
    with playing(mode) as play:
        play.place(1, 1)
        play.place_readers(0)
        play.put(1, 0, rows(0), number=0)
        with reading(play, 0) as task:
            batches = task.read_edge(EDGE)
            next(batches)
            play.put(1, 0, rows(0), number=1)
            play.seal(writer(0, 1), writer(1))
            with pytest.raises((InternalError, StreamBroken), match=r"1\.0\.0/0, which did not win|1-abcd .* broke"):
                numbers(batches)
    with playing(mode) as play:
        play.place(1, 1)
        play.put(1, 0, rows(0), number=0)
        play.put(1, 0, rows(50), number=1)
        play.seal(writer(0, 1), writer(1))
        play.place_readers(0)
        with reading(play, 0) as task:
            assert numbers(task.read_edge(EDGE)) == [50, 51, 52, 53]


@LINES
@MODES
def test_ordered_runs_come_one_iterator_a_writer(mode: ExchangeMode, line: str) -> None:
    with playing(mode, line, workers=3, producers=4, ordered=True) as play, reading(play, 0) as task:
        play.place_readers(0)
        runs = task.read_edge_runs(EDGE)
        assert len(runs) == 4
        play.place(0, 1, 2, 1)
        start_writers(play)
        for index, worker in play.placed.items():
            for turn in range(3):
                play.put(worker, index, rows(100 * index + 10 * turn))
        for index in (3, 1, 0, 2):  # a run is read without its neighbours' being read
            assert next(runs[index]).column(0)[0].as_py() == 100 * index
        play.seal()
        for index in range(4):
            assert len(numbers(runs[index])) == 8
        assert task.read()[0].rows == 4 * 12


def start_writers(play: Play) -> None:
    """What the board hears of tasks that write an ordered edge."""
    for index, worker in play.placed.items():
        twin = play.mesh.workers[worker]
        stage = Stage(StageId(0), None, 4, (), (EDGE,), ())  # type: ignore[arg-type]
        assert twin.board._pushers is not None
        twin.board._pushers.note_producer(JOB, PlanStage(JOB, stage, (), (play.plan,)), index)


def test_a_run_whose_writer_was_never_placed_is_empty() -> None:
    with playing(ExchangeMode.GET, producers=2, ordered=True) as play, reading(play, 0) as task:
        runs = task.read_edge_runs(EDGE)
        play.place(1)
        play.put(1, 0, rows(0))
        play.seal()
        assert [numbers(run) for run in runs] == [[0, 1, 2, 3], []]


@MODES
def test_buckets_go_to_their_readers_only(mode: ExchangeMode) -> None:
    with playing(mode, partitioning=RoundRobin(4), consumers=2) as play:
        play.place(0, 1)
        play.place_readers(0, 1)
        for bucket in range(4):
            play.put(0, 0, rows(100 * bucket), bucket=bucket)
            play.put(1, 1, rows(100 * bucket + 10), bucket=bucket)
        play.seal()
        for index in range(2):
            with reading(play, index, index) as task:
                first = {value // 100 for value in numbers(task.read_edge(EDGE))}
                assert first == {2 * index, 2 * index + 1}


def test_a_broadcast_edge_is_read_at_each_worker() -> None:
    with playing(ExchangeMode.GET, workers=3, partitioning=Broadcast(), consumers=3) as play:
        play.place(0, 1)
        play.put(0, 0, rows(0))
        play.put(1, 1, rows(10))
        play.seal()
        for index in range(3):
            with reading(play, index, index) as task:
                assert sorted(numbers(task.read_edge(EDGE))) == [0, 1, 2, 3, 10, 11, 12, 13]


@LINES
@MODES
def test_many_edges_at_once(mode: ExchangeMode, line: str) -> None:
    """Forty readers of one edge at two workers, half of the rows each at the other: more streams than slots or pools have."""
    with playing(mode, line, partitioning=RoundRobin(40), consumers=40) as play:
        play.place(0, 1)
        play.place_readers(*[index % 2 for index in range(40)])
        got: dict[int, list[int]] = {}

        def read(index: int) -> None:
            with reading(play, index % 2, index) as task:
                got[index] = sorted(numbers(task.read_edge(EDGE)))

        threads = [threading.Thread(target=read, args=(index,)) for index in range(40)]
        for thread in threads:
            thread.start()
        for bucket in range(40):
            for worker in range(2):
                play.put(worker, worker, rows(100 * bucket + 10 * worker), bucket=bucket)
        play.seal()
        for thread in threads:
            thread.join(30)
        assert len(got) == 40
        assert all(values == [*range(100 * i, 100 * i + 4), *range(100 * i + 10, 100 * i + 14)] for i, values in got.items())


def test_a_push_to_a_reader_that_is_over_is_refused_and_the_writer_goes_on() -> None:
    with playing(ExchangeMode.PUT) as play:
        play.place(1, 1)
        with reading(play, 0):
            pass
        play.place_readers(0)
        for turn in range(20):
            play.put(1, 0, wide(turn))
        play.seal()


def test_tickets_for_another_worker_bucket_or_edge_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightmesh.runtime.edge_news.EDGE_SECONDS", 0.2)
    with playing(ExchangeMode.GET) as play:
        there = play.mesh.workers[1]
        for wrong, words in (
            (ExchangeTicket(JOB, EDGE, play.mesh.workers[0].worker, 0, 1, reader(0)), "is gone"),
            (ExchangeTicket(JOB, EDGE, there.worker, 0, 2, reader(0)), "no buckets 0 to 2"),
            (ExchangeTicket(JOB, EdgeId(9), there.worker, 0, 1, reader(0)), "not known here"),
            (ExchangeTicket(JobId(9), EDGE, there.worker, 0, 1, reader(0)), "not known here"),
        ):
            stream = there.peers.get(there.address, sign(wrong, KEY))
            with pytest.raises(FlightmeshError, match=words):
                stream.next()


def test_a_stream_asked_for_before_its_edge_is_opened_waits_for_it() -> None:
    with playing(ExchangeMode.GET) as play:
        there: Twin = play.mesh.workers[1]
        early = ExchangeTicket(JobId(2), EDGE, there.worker, 0, 1, AttemptId(TaskId(JobId(2), StageId(1), 0), 0))
        stream = there.peers.get(there.address, sign(early, KEY))
        got: list[int] = []
        thread = threading.Thread(target=lambda: got.append(stream.next()[0].num_rows))  # type: ignore[index]
        thread.start()
        play.tell(OpenEdge(JobId(2), play.plan))
        there.store.log(JobId(2), EDGE).append(writer(0), [(0, rows(0))])
        thread.join(10)
        assert got == [4]
        play.tell(DropJob(JobId(2)))


def test_rows_held_back_go_on_while_their_task_waits_for_more() -> None:
    with playing(ExchangeMode.GET) as play, reading(play, 0) as task:
        play.place(1, 1)
        flushed = threading.Event()
        task.flush_output = flushed.set
        waiting = threading.Thread(target=lambda: numbers(task.read_edge(EDGE)))
        waiting.start()
        assert flushed.wait(5)
        play.seal()
        waiting.join(5)
        assert not waiting.is_alive()
