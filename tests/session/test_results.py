"""Results: lazily run, read in every way, named as the user named them, cancelled when left."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time

import pandas as pd
import pyarrow as pa
import pytest

from flightmesh.driver.record import JobState
from flightmesh.errors import Cancelled, DataError, FlightmeshError, InvalidQuery
from flightmesh.session import Session
from tests.mesh.cluster import is_idle
from tests.session.conftest import ROWS, AnySession
from tests.waiting import wait_until

ENDLESS = "select count(*) from t a, t b, t c where a.v + b.v + c.v = -1"
"""A query that nobody will see the end of."""


def test_names_and_types_are_the_users(session: AnySession) -> None:
    result = session.sql('select k, k, v + 1 as "v plus", count(*) as k from t group by all order by 3 limit 1')
    assert result.schema.names == ["k", "k", "v plus", "k"]
    table = result.to_arrow()
    assert table.schema == result.schema
    assert [column[0].as_py() for column in table.columns] == [0, 0, 1, 1]


def test_nothing_runs_before_the_first_use(session: AnySession) -> None:
    result = session.sql("select sum(v) as s from t")
    assert result.metrics is None
    assert result.progress().tasks == 0
    assert "not run yet" in repr(result)
    assert result.to_arrow().to_pydict()["s"] == [ROWS * (ROWS - 1) // 2]
    record = result.metrics
    assert record is not None
    assert record.state is JobState.SUCCEEDED
    assert result.progress() == record.progress
    assert result.progress().rows == ROWS
    assert "1 row>" in repr(result)


def test_to_arrow_is_kept(session: AnySession) -> None:
    result = session.sql("from p")
    assert result.to_arrow() is result.to_arrow()
    assert len(result) == 5
    assert sum(batch.num_rows for batch in result) == 5
    assert result.to_reader().read_all().equals(result.to_arrow())


LINES = """select k,
\tcast(name || '!' as int) + 1 as n
from p"""
EXCERPT = """ in [CAST(name || '!' AS INTEGER)] (at line 2, column 7)
   cast(name || '!' as int) + 1 as n
        ^^^^^^^^^^^"""


@pytest.mark.parametrize("before", ["", "explain analyze ", "create table made as "])
def test_an_error_of_the_data_shows_its_place_in_the_text(plain: AnySession, before: str) -> None:
    """The second time, too, when the plan is kept."""
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            plain.sql(before + LINES).to_arrow()
        assert EXCERPT in str(caught.value)


def test_a_place_in_a_view_is_not_shown_in_another_text(plain: AnySession) -> None:
    plain.sql("create view w as select cast(name || '!' as int) as n from p")
    for text in (
        "select n from w",
        "with c as (select * from w) select n + 1 as n from c",
        "select cast(k || 'x' as int) from p, w",
    ):
        with pytest.raises(DataError) as caught:
            plain.sql(text).to_arrow()
        assert "(at line 1, column " in str(caught.value) and "^" not in str(caught.value)


def test_a_planning_error_comes_at_once(session: AnySession) -> None:
    with pytest.raises(InvalidQuery, match="nothere") as caught:
        session.sql("select nothere from p")
    assert caught.value.position is not None


def test_an_error_of_a_run_comes_with_the_rows(session: AnySession) -> None:
    result = session.sql("select cast(name as integer) from p")
    for _ in range(2):
        with pytest.raises(DataError):
            result.to_arrow()
    with pytest.raises(DataError):
        result.to_reader().read_all()
    assert result.metrics is not None
    assert result.metrics.state is JobState.FAILED
    wait_idle(session)


def test_the_reader_streams(session: AnySession) -> None:
    with session.sql("select v from t").to_reader() as reader:
        first = reader.read_next_batch()
        assert 0 < first.num_rows < ROWS
        rest = sum(batch.num_rows for batch in reader)
        assert first.num_rows + rest == ROWS
        with pytest.raises(StopIteration):
            reader.read_next_batch()


def test_closing_the_reader_early_cancels(session: AnySession) -> None:
    result = session.sql("select t.v from t, p")
    reader = result.to_reader()
    reader.read_next_batch()
    reader.close()
    reader.close()
    wait_idle(session)
    assert result.metrics is not None
    assert result.metrics.progress.tasks_done <= result.metrics.progress.tasks
    assert list(reader) == []


def test_dropping_the_reader_early_cancels(session: AnySession) -> None:
    reader = session.sql("select t.v from t, p").to_reader()
    reader.read_next_batch()
    del reader
    gc.collect()
    wait_idle(session)


def test_other_libraries_read_the_stream(session: AnySession) -> None:
    result = session.sql("select * from p order by name")
    assert pa.table(result).column("name").to_pylist() == ["deux", "none", "one", "three", "two"]
    assert pa.RecordBatchReader.from_stream(session.sql("from p").to_reader()).read_all().num_rows == 5
    frame = result.to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert frame["name"].tolist() == ["deux", "none", "one", "three", "two"]


def test_empty_results_have_their_schema(session: AnySession) -> None:
    table = session.sql("select k, name from p where k > 100").to_arrow()
    assert table.num_rows == 0
    assert table.schema.types == [pa.int64(), pa.string()]
    assert bool(session.sql("select 1 where false"))


def test_show_counts_what_it_leaves_out(session: AnySession, capsys: pytest.CaptureFixture[str]) -> None:
    session.sql("select v from t order by v").show(limit=4)
    shown = capsys.readouterr().out
    assert "999999" in shown.replace(",", "")
    assert "1,000,000 rows" in shown


def test_cancel_from_another_thread(session: AnySession) -> None:
    result = session.sql(ENDLESS)
    failed: list[FlightmeshError] = []

    def read() -> None:
        try:
            result.to_arrow()
        except FlightmeshError as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: result.progress().rows > 0)
    result.cancel()
    reader.join(10)
    assert [type(error) for error in failed] == [Cancelled]
    wait_idle(session)


def test_an_interrupt_in_the_main_thread_cancels(session: AnySession) -> None:
    result = session.sql(ENDLESS)

    def interrupt() -> None:
        wait_until(lambda: result.progress().rows > 0)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        result.to_arrow()
    assert time.monotonic() - started < 10
    wait_idle(session)
    assert session.sql("select 1 as one").to_arrow().to_pydict() == {"one": [1]}


def test_queries_of_several_threads(session: AnySession) -> None:
    found: list[object] = []

    def client(key: int) -> None:
        text = "select count(*) as n, sum(v) as s from t where k = ?"
        found.append(session.sql(text, params=[key]).to_arrow().to_pydict()["n"][0])

    clients = [threading.Thread(target=client, args=(key,)) for key in range(10)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(60)
    assert found == [ROWS // 10] * 10


def test_one_result_read_by_several_threads(session: AnySession) -> None:
    result = session.sql("select v from t")
    found: list[int] = []
    clients = [threading.Thread(target=lambda: found.append(len(result))) for _ in range(4)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(60)
    assert found == [ROWS] * 4


def test_a_limit_reads_few_splits(session: AnySession) -> None:
    chunk = pa.chunked_array([range(131_072)] * 100)
    session.register("long", pa.table({"v": chunk, "w": chunk}))
    result = session.sql("select v, w from long limit 10")
    assert len(result) == 10
    record = result.metrics
    assert record is not None
    assert sum(task.splits for task in record.stages[0].tasks) < 30


def wait_idle(session: AnySession) -> None:
    """Until nothing of a job that was left is there any more."""
    if isinstance(session, Session):
        runtime = session.runtime
        wait_until(lambda: runtime.is_idle and not runtime.store.held())
        assert runtime.budget.used == 0
    else:
        address = session.address
        wait_until(lambda: is_idle(address))
