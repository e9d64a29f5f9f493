"""The runner itself: what it lets pass, what it does not, and what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flightmesh
from tests.slt.run import Suite, Verdict, run_file

NINE = "select * from (values (1), (2), (3), (4), (5), (6), (7), (8), (9)) t(x) order by x"


@pytest.fixture(scope="module")
def session() -> Iterator[flightmesh.Session]:
    with flightmesh.connect(threads=1) as made:
        yield made


def verdicts(session: flightmesh.Session, folder: Path, text: str, suite: Suite = Suite.FOREIGN) -> list[tuple[str, str]]:
    path = folder / "case.slt"
    path.write_text(text)
    return [(one.verdict.value, one.reason) for one in run_file(session, path, suite)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("query I\nselect 1\n----\n2\n", "row 1, column 1: '1', expected '2'"),
        ("query I\nselect 1\n----\n1\n1\n", "1 rows, expected 2"),
        ("query I\nselect 1\n----\n", "1 rows, expected 0"),
        ("query II\nselect 1\n----\n1\n", "1 columns, expected 2"),
        ("query II\nselect 1, 2\n----\n1\n2\n3\n", "3 lines are no rows of 2 columns"),
        ("query T\nselect 'a'\n----\nb\n", "row 1, column 1: 'a', expected 'b'"),
        ("query T\nselect null\n----\n(empty)\n", "row 1, column 1: 'NULL', expected '(empty)'"),
        ("query R\nselect 1.0 / 3\n----\n0.3\n", "row 1, column 1: '0.3333333333333333', expected '0.3'"),
        ("query T\nselect 'ab'\n----\n<REGEX>:b.*\n", "row 1, column 1: 'ab', expected '<REGEX>:b.*'"),
        ("query I nosort\nvalues (2), (1) order by 1 desc\n----\n1\n2\n", "row 1, column 1: '2', expected '1'"),
        ("query II rowsort\nvalues (1, 2), (3, 4)\n----\n1\t4\n3\t2\n", "row 1, column 2: '2', expected '4'"),
        (f"query I\n{NINE}\n----\n9 values hashing to {'0' * 32}\n", "9 values do not hash to"),
        (f"query I\n{NINE}\n----\n8 values hashing to {'0' * 32}\n", "9 values, expected 8"),
        ("query I nosort x\nselect 1\n\nquery I nosort x\nselect 2\n", "other rows than the first query labelled x"),
        ("statement error\nselect 1\n", "there is no error"),
        ("statement ok\nselect nothing\n", "nothing"),
    ],
)
def test_what_is_wrong_fails(session: flightmesh.Session, tmp_path: Path, text: str, reason: str) -> None:
    *before, (verdict, said) = verdicts(session, tmp_path, text)
    assert {one for one, _ in before} <= {"passed"}
    assert verdict == "failed"
    assert reason in said


def test_the_text_of_an_error_counts_where_it_is_ours(session: flightmesh.Session, tmp_path: Path) -> None:
    text = "statement error\nselect nothing\n----\nBinder Error\n"
    assert verdicts(session, tmp_path, text) == [("passed", "")]
    ((verdict, reason),) = verdicts(session, tmp_path, text, Suite.OURS)
    assert verdict == "failed"
    assert "Binder Error" in reason


def test_what_is_refused_by_name_is_unsupported_and_so_is_what_needs_it(session: flightmesh.Session, tmp_path: Path) -> None:
    text = "statement ok\ncreate table later(a uuid)\n\nquery I\nselect a from later\n----\n1\n\nquery I\nselect 1\n----\n1\n"
    first, second, third = verdicts(session, tmp_path, text)
    assert first == ("unsupported", "not supported yet: the type UUID")
    assert second == ("unsupported", "follows a statement of which: not supported yet: the type UUID")
    assert third == ("passed", "")


TABLES = """
statement ok
create table a(i integer primary key, j varchar default 'x', k decimal(10, 2), l integer[])

statement ok
insert into a values (1, 'a', 2.5, [1, 2]), (2, null, '3', null)

statement ok
insert into a(I) select 5 union all select 6

statement ok
update a set k = i + 1 where j = 'x'

statement ok
delete from a where j is null

query ITRT
select * from a
----
1	a	2.50	[1, 2]
5	x	6.00	NULL
6	x	7.00	NULL

statement error
insert into a values ('one', 'a', 1, null)

statement error
insert into a values (1)

statement error
insert into a(nothing) values (1)

statement error
create table a(i integer)

statement ok
create table if not exists a(i integer)

statement ok
create table b as select 1 as i, 'a' as j

statement ok
insert into b values ('2', 3)

query IT
select * from b order by i
----
1	a
2	3

statement ok
drop table a

statement error
select * from a
"""


def test_tables_are_created_filled_and_changed(session: flightmesh.Session, tmp_path: Path) -> None:
    assert set(verdicts(session, tmp_path, TABLES)) == {("passed", "")}


def test_constraints_are_not_kept(session: flightmesh.Session, tmp_path: Path) -> None:
    text = "statement ok\ncreate table c(i integer unique)\n\nstatement error\ninsert into c values (1), (1)\n"
    assert verdicts(session, tmp_path, text)[1] == ("unsupported", "this runner's tables keep no constraints")


@pytest.mark.parametrize(
    ("query", "theirs", "ours"),
    [
        ("values (2), (1)", "passed", "failed"),
        ("select * from (values (2), (1)) t(a) order by a desc", "failed", "failed"),
    ],
)
def test_order_counts_where_the_text_asks_for_it(
    session: flightmesh.Session, tmp_path: Path, query: str, theirs: str, ours: str
) -> None:
    text = f"query I\n{query}\n----\n1\n2\n"
    assert [verdicts(session, tmp_path, text, suite)[0][0] for suite in (Suite.FOREIGN, Suite.OURS)] == [theirs, ours]


def test_what_takes_too_long_is_given_up(session: flightmesh.Session, tmp_path: Path) -> None:
    path = tmp_path / "long.slt"
    path.write_text("query I\nselect count(*) from range(100000000) a, range(1000) b where a.range <> b.range\n----\n1\n")
    (ran,) = run_file(session, path, seconds=0.2)
    assert (ran.verdict, ran.reason) == (Verdict.UNSUPPORTED, "the query was cancelled")


@pytest.mark.parametrize(
    ("statement", "verdict"), [("set threads = 3", "failed"), ("set default_null_order = 'first'", "unsupported")]
)
def test_a_setting_may_explain_what_differs(session: flightmesh.Session, tmp_path: Path, statement: str, verdict: str) -> None:
    text = f"statement ok\n{statement}\n\nquery I\nvalues (2), (1) order by 1 desc\n----\n1\n2\n"
    assert [one for one, _ in verdicts(session, tmp_path, text)] == ["unsupported", verdict]


def test_what_the_runner_does_not_know_is_unsupported(session: flightmesh.Session, tmp_path: Path) -> None:
    text = "restart\n\nrequire spatial\n\nquery I\nselect 1\n----\n2\n"
    assert verdicts(session, tmp_path, text) == [
        ("unsupported", "this runner does not know 'restart'"),
        ("unsupported", "the file requires spatial"),
    ]


def test_loops_in_loops(session: flightmesh.Session, tmp_path: Path) -> None:
    text = "loop i 0 3\n\nforeach x 5 6\n\nquery I\nselect ${i} * ${x} - ${x} * ${i}\n----\n0\n\nendloop\n\nendloop\n"
    assert verdicts(session, tmp_path, text) == [("passed", "")] * 6
    ((verdict, reason),) = verdicts(session, tmp_path, "loop i 0 3\n\nquery I\nselect 1\n----\n1\n")
    assert (verdict, "without endloop" in reason) == (Verdict.UNSUPPORTED.value, True)


@pytest.mark.parametrize(
    "text",
    [
        "foreach x <signed>\n\nquery I\nselect 1::{x}\n----\n1\n\nendloop\n",
        "query TT\nselect 'a', 'b'\n----\na\t\tb\t\n",
        "query T\nselect 1 = 1\n----\nTrue\n",
        "query R\nselect 'nan'::double\n----\nNAN\n",
        "query TT\nselect interval '14' month, interval '-1' day\n----\n1 year 2 months\t-1 day\n",
        "query T\nselect interval '3725.5' second\n----\n01:02:05.5\n",
        "query T\nselect interval '0' second\n----\n00:00:00\n",
        "query T\nselect [1, null, 3]\n----\n[1, NULL, 3]\n",
        "query I nosort one\nselect 1\n----\n\nquery I nosort one\nselect 1\n----\n",
        "statement ok\ncreate table v(a integer, b text)\n\nstatement ok\ninsert into v (values (1, 'x'), (2, 'y'),)\n"
        "\nquery IT\nselect * from v\n----\n2\ty\n1\tx\n\nstatement ok\ndrop table v\n",
    ],
)
def test_what_other_suites_write(session: flightmesh.Session, tmp_path: Path, text: str) -> None:
    assert {verdict for verdict, _ in verdicts(session, tmp_path, text)} == {"passed"}


@pytest.mark.parametrize("text", ["select nosuch(1)", "select count(*) nosuch_clause over (", "select sum(1) over (order by)"])
def test_what_only_another_engine_knows_is_unsupported(session: flightmesh.Session, tmp_path: Path, text: str) -> None:
    text = f"query I\n{text}\n----\n1\n"
    assert [verdicts(session, tmp_path, text, suite)[0][0] for suite in Suite] == ["failed", "unsupported"]


def test_sqlite_writes_hashes_in_its_own_way(session: flightmesh.Session, tmp_path: Path) -> None:
    text = "query IR rowsort\nvalues (2, 1.25), (1, 0.5)\n----\n4 values hashing to b88755498b3abe0f7fd006f5e69a0841\n"
    assert verdicts(session, tmp_path, text) == [("passed", "")]


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "good.slt").write_text("query I\nselect 1\n----\n1\n\nstatement ok\nset threads = 2\n")
    (tmp_path / "bad.test").write_text("query I\nselect 1\n----\n2\n")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.slt", "--json", str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 1, ran.stderr
    said = json.loads(ran.stdout)
    assert (said["passed"], said["failed"], said["unsupported"]) == (1, 1, 1)
    assert said["reasons"] == {"not supported yet: the statement SET": 1}
    assert said["failures"] == [{"path": str(tmp_path / "bad.test"), "line": 1, "reason": "row 1, column 1: '1', expected '2'"}]


def test_several_statements_in_a_record(session: flightmesh.Session, tmp_path: Path) -> None:
    text = (
        "statement ok\ncreate table m(a text); insert into m values ('x;y'), ('z');\n\n"
        "query T\nselect a from m order by a\n----\nx;y\nz\n\nquery I\ndrop table m\n"
    )
    assert verdicts(session, tmp_path, text) == [("passed", "")] * 3
