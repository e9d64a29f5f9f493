"""Log lines of nodes: for people, and as JSON."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from flightmesh.errors import InvalidConfig
from flightmesh.ids import AttemptId, JobId, StageId, TaskId
from flightmesh.node.logs import start_logging
from flightmesh.runtime.subjects import about

LOG = logging.getLogger("flightmesh.node.something")
TASK = AttemptId(TaskId(JobId(3), StageId(1), 2), 0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("FLIGHTMESH_LOG", "FLIGHTMESH_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    top = logging.getLogger("flightmesh")
    before = top.handlers[:], top.level, top.propagate, logging.raiseExceptions
    yield
    top.handlers[:], top.level, top.propagate, logging.raiseExceptions = before


def test_people_get_lines_to_read() -> None:
    stream = Terminal()
    start_logging("one", stream)
    LOG.info("task %s began", TASK, extra=about(task=TASK))
    LOG.warning("job gone", extra=about(job=JobId(3)))
    LOG.debug("not shown")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"one \| \d\d:\d\d:\d\d task 3\.1\.2/0 began  job=3 stage=1 task=3\.1\.2/0", lines[0])
    assert re.fullmatch(r"one \| \d\d:\d\d:\d\d warning: job gone  job=3", lines[1])


def test_programs_get_json() -> None:
    stream = io.StringIO()
    start_logging("one", stream)
    LOG.info("task %s\nbegan", "ä", extra=about(task=TASK))
    LOG.warning("plain")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first.pop("time"))
    assert first == {"level": "info", "node": "one", "message": "task ä\nbegan", "job": 3, "stage": 1, "task": "3.1.2/0"}
    assert {name: second[name] for name in second if name != "time"} == {
        "level": "warning",
        "node": "one",
        "message": "plain",
    }


def test_the_form_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setenv("FLIGHTMESH_LOG", "json")
    start_logging("one", stream)
    LOG.info("x")
    assert json.loads(stream.getvalue())["message"] == "x"
    monkeypatch.setenv("FLIGHTMESH_LOG", "xml")
    with pytest.raises(InvalidConfig, match="FLIGHTMESH_LOG is 'xml'"):
        start_logging("one", stream)


@pytest.mark.parametrize("form", ["text", "json"])
def test_tracebacks_are_for_debugging(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("FLIGHTMESH_LOG", form)

    def logged() -> str:
        stream = io.StringIO()
        start_logging("one", stream)
        try:
            raise ValueError("inner")
        except ValueError as error:
            LOG.error("outer", exc_info=error)
        return stream.getvalue()

    assert "Traceback" not in logged()
    monkeypatch.setenv("FLIGHTMESH_DEBUG", "1")
    assert "Traceback" in logged()
    assert "inner" in logged()


def test_a_reader_that_is_gone_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    start_logging("one", stream)
    stream.close()
    LOG.warning("nobody reads this")
    assert capsys.readouterr().err == ""
