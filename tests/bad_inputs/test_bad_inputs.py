"""Bad inputs and the error that each gets, word for word, as a person sees it. `{folder}` is the folder of the case's files."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.errors import DataError, InvalidInput, InvalidPlan, InvalidQuery, UnsupportedFeature
from tests.meshes import ANYWHERE, AnySession, session_anywhere

NOBODY = 65534
IN_FULL = (
    "a path on a mesh is the nodes': write it in full, or send a file of yours with session.upload(...) or, in a plan, "
    "`file: local`"
)


@dataclass(frozen=True, slots=True)
class Case:
    """What is done, and the error: its class and its whole text, which is the same at a mesh unless said otherwise."""

    act: Callable[[AnySession, Path], object]
    error: type[flightmesh.FlightmeshError]
    text: str
    at_a_mesh: str | None = None


def sql(text: str, dialect: str = "duckdb") -> Callable[[AnySession, Path], object]:
    return lambda session, _: session.sql(text, dialect=dialect).to_arrow()


def register(name: str, **options: object) -> Callable[[AnySession, Path], object]:
    return lambda session, folder: session.register("bad", folder / name, **options)


def read(name: str, **options: object) -> Callable[[AnySession, Path], object]:
    """Registers and reads: an error that only reading can find."""

    def act(session: AnySession, folder: Path) -> None:
        session.register("bad", folder / name, **options)
        session.sql("select * from bad").to_arrow()

    return act


def plan(text: str, **params: object) -> Callable[[AnySession, Path], object]:
    def act(session: AnySession, folder: Path) -> None:
        path = folder / "plan.yaml"
        path.write_text(text)
        session.run_plan(path, params=params).to_arrow()

    return act


def unreadable(session: AnySession, folder: Path) -> None:
    locked = folder / "locked"
    locked.mkdir()
    (locked / "a.csv").write_text("a\n1\n")
    locked.chmod(0)
    try:
        with as_somebody_else(folder):
            session.register("bad", locked)
    finally:
        locked.chmod(0o700)
        shutil.rmtree(locked)


@contextmanager
def as_somebody_else(folder: Path) -> Iterator[None]:
    """Not as root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    for part in (folder, *folder.parents[:2]):
        part.chmod(0o755)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


CASES: dict[str, Case] = {
    "missing file": Case(
        register("order.parquet"),
        InvalidInput,
        "{folder}/order.parquet does not exist\n"
        "hint: did you mean {folder}/orders.parquet or {folder}/broken.parquet or {folder}/text.parquet?",
    ),
    "missing file in SQL": Case(
        sql("select *\nfrom 'nothing/here.parquet'"),
        InvalidInput,
        "nothing/here.parquet does not exist (at line 2, column 6)\n"
        "  from 'nothing/here.parquet'\n"
        "       ^^^^^^^^^^^^^^^^^^^^^^\n"
        "hint: the working directory has nothing named 'nothing'",
        "nothing/here.parquet is relative (at line 2, column 6)\n"
        "  from 'nothing/here.parquet'\n"
        "       ^^^^^^^^^^^^^^^^^^^^^^\n"
        f"hint: {IN_FULL}",
    ),
    "empty glob": Case(
        register("*.arrow"),
        InvalidInput,
        "no file matches {folder}/*.arrow\nhint: {folder} has broken.jsonl, broken.parquet, empty, mixed, notes.txt, ...",
    ),
    "empty folder": Case(
        register("empty"),
        InvalidInput,
        "{folder}/empty has no data files\nhint: hidden files and names that start with _ do not count",
    ),
    "truncated Parquet": Case(
        register("truncated.parquet"),
        InvalidInput,
        "{folder}/truncated.parquet is a truncated Parquet file: its footer is missing\nhint: write or copy it again",
    ),
    "Parquet broken inside": Case(
        read("broken.parquet"),
        InvalidInput,
        "{folder}/broken.parquet is a damaged Parquet file: Couldn't deserialize thrift: "
        "TProtocolException: Invalid data\n"
        "Deserializing page header failed.\n"
        "\n"
        "hint: write or copy it again",
    ),
    "not Parquet": Case(
        register("text.parquet"),
        InvalidInput,
        "{folder}/text.parquet is not a Parquet file\nhint: if it has another format, give format= (csv, json or arrow)",
    ),
    "ragged CSV": Case(
        register("ragged.csv"),
        InvalidInput,
        "{folder}/ragged.csv, line 3: 3 fields where 2 are expected\n"
        "hint: is a quote or a delimiter missing? delimiter, quote and escape can be given as options",
    ),
    "CSV of another type": Case(
        read("typed.csv", types="a=BIGINT"),
        InvalidInput,
        "{folder}/typed.csv, line 3, column 'a': 'two' is not a BIGINT\n"
        'hint: the type was told from the first lines: give another, types=\'{"a": "VARCHAR"}\'',
    ),
    "broken JSON": Case(
        read("broken.jsonl"),
        InvalidInput,
        "{folder}/broken.jsonl, line 2, column 7: not JSON: Expecting value\n"
        "hint: write one object a line, or one array of objects",
    ),
    "unknown format": Case(
        register("notes.txt"),
        InvalidInput,
        "{folder}/notes.txt: the name does not tell the format\n"
        "hint: give format= (parquet, csv, json or arrow), or one of the extensions .parquet, .parq, "
        ".pq, .csv, .tsv, .json, .jsonl, .ndjson, .arrow, .arrows, .feather, .ipc",
    ),
    "unknown option": Case(
        register("ragged.csv", delimitr=";"),
        InvalidInput,
        "CSV has no option 'delimitr'\nhint: did you mean delimiter?",
    ),
    "schemas that do not fit": Case(
        register("mixed"),
        InvalidInput,
        "column 'a' is int64 in {folder}/mixed/1.parquet but string in {folder}/mixed/2.parquet\n"
        "hint: files of one table need columns of the same or of compatible types; register them as "
        "tables of their own",
    ),
    "unknown table": Case(
        sql("select * from order"),
        InvalidQuery,
        "no table or view is named 'order' (at line 1, column 15)\n"
        "  select * from order\n"
        "                ^^^^^\n"
        "hint: did you mean orders?",
    ),
    "near table": Case(
        sql("select * from order_s"),
        InvalidQuery,
        "no table or view is named 'order_s' (at line 1, column 15)\n"
        "  select * from order_s\n"
        "                ^^^^^^^\n"
        "hint: did you mean orders?",
    ),
    "unknown column": Case(
        sql("select o_id,\n  totl + 1\nfrom orders"),
        InvalidQuery,
        "there is no column 'totl' (at line 2, column 3)\n    totl + 1\n    ^^^^\nhint: did you mean total?",
    ),
    "unknown qualified column": Case(
        sql("select o.totl from orders as o"),
        InvalidQuery,
        "o has no column 'totl' (at line 1, column 10)\n"
        "  select o.totl from orders as o\n"
        "           ^^^^\n"
        "hint: did you mean total?",
    ),
    "unknown function": Case(
        sql("select uper(status) from orders"),
        InvalidQuery,
        "there is no function uper (at line 1, column 8)\n"
        "  select uper(status) from orders\n"
        "         ^^^^^^^^^^^\n"
        "hint: did you mean upper or power?",
    ),
    "type mismatch": Case(
        sql("select status + 1 from orders"),
        InvalidQuery,
        "no function fits VARCHAR + INTEGER (at line 1, column 8)\n"
        "  select status + 1 from orders\n"
        "         ^^^^^^^^^^\n"
        "hint: accepted: number + number -> common type (decimals: by the precision rules); DATE + "
        "INTEGER -> DATE; DATE|TIMESTAMP + INTERVAL -> TIMESTAMP; TIME + INTERVAL -> TIME; DATE + TIME "
        "-> TIMESTAMP; INTERVAL + INTERVAL -> INTERVAL; cast the arguments",
    ),
    "condition that is none": Case(
        sql("select 1 from orders where status"),
        InvalidQuery,
        "WHERE must be a condition, not a value of type VARCHAR (at line 1, column 28)\n"
        "  select 1 from orders where status\n"
        "                             ^^^^^^\n"
        "hint: compare it with something, such as x > 0",
    ),
    "wrong number of arguments": Case(
        sql("select upper(status, total) from orders"),
        InvalidQuery,
        "too many arguments for upper (at line 1, column 27)\n"
        "  select upper(status, total) from orders\n"
        "                            ^\n"
        "hint: accepted: upper(VARCHAR) -> VARCHAR",
    ),
    "ambiguous name": Case(
        sql("select o_id from orders a join orders b on a.o_id = b.o_id"),
        InvalidQuery,
        "the column 'o_id' is ambiguous (at line 1, column 8)\n"
        "  select o_id from orders a join orders b on a.o_id = b.o_id\n"
        "         ^^^^\n"
        "hint: write a.o_id or b.o_id",
    ),
    "not grouped": Case(
        sql("select status, total from orders group by status"),
        InvalidQuery,
        "the column 'total' is neither grouped by nor inside an aggregate (at line 1, column 16)\n"
        "  select status, total from orders group by status\n"
        "                 ^^^^^\n"
        "hint: add it to GROUP BY, or write any_value(total)",
    ),
    "aggregate in where": Case(
        sql("select 1 from orders where sum(total) > 1"),
        InvalidQuery,
        "the aggregate sum cannot stand in WHERE (at line 1, column 28)\n"
        "  select 1 from orders where sum(total) > 1\n"
        "                             ^^^^^^^^^\n"
        "hint: use HAVING",
    ),
    "syntax": Case(
        sql("select o_id\nfrm orders"),
        InvalidQuery,
        "syntax error at 'orders' (at line 2, column 5)\n"
        "  frm orders\n"
        "      ^^^^^^\n"
        "hint: did you mean ORDER instead of orders?",
    ),
    "open quote": Case(
        sql("select 'abc from orders"),
        InvalidQuery,
        "a quote or comment is not closed (at line 1, column 8)\n  select 'abc from orders\n         ^",
    ),
    "two statements": Case(
        sql("select 1; select 2"),
        InvalidQuery,
        "the text holds more than one statement (at line 1, column 11)\n"
        "  select 1; select 2\n"
        "            ^^^^^^\n"
        "hint: send the statements one at a time",
    ),
    "not supported yet": Case(
        sql("select * from orders positional join orders o"),
        UnsupportedFeature,
        "not supported yet: POSITIONAL JOIN (at line 1, column 38)\n"
        "  select * from orders positional join orders o\n"
        "                                       ^^^^^^^^",
    ),
    "unknown dialect": Case(
        sql("select 1", dialect="duckbd"), InvalidQuery, "there is no SQL dialect 'duckbd'\nhint: did you mean duckdb?"
    ),
    "missing parameter": Case(
        sql("select * from orders where total > :floor"),
        InvalidQuery,
        "the parameter 'floor' has no value (at line 1, column 36)\n"
        "  select * from orders where total > :floor\n"
        "                                     ^^^^^^\n"
        "hint: pass params={...} or params=[...]",
    ),
    "unused parameter": Case(
        lambda session, _: session.sql("select o_id + :floor as f from orders", params={"floor": 1, "flor": 2}),
        InvalidQuery,
        "the query has no parameter 'flor'\nhint: did you mean floor?",
    ),
    "division by zero": Case(
        sql("select total / (o_id - o_id) from orders", dialect="postgres"),
        DataError,
        "division by zero in [total / CAST(o_id - o_id AS DOUBLE)] (at line 1, column 8)",
    ),
    "overflow": Case(
        sql("select big * 2 from orders"), DataError, "overflow in multiplication in [big * 2] (at line 1, column 8)"
    ),
    "overflow of a sum": Case(
        sql("select sum(huge) from orders"),
        DataError,
        "sum(huge): a sum overflows decimal128(38, 0)\nhint: cast the argument to double for an approximate sum",
    ),
    "cast that does not fit": Case(
        sql("select cast(status as integer) from orders"),
        DataError,
        "cannot cast 'open' of type VARCHAR to INTEGER in [CAST(status AS INTEGER)] (at line 1, column 13)",
    ),
    "two rows of a scalar subquery": Case(
        sql("select (select o_id from orders) as x"),
        DataError,
        "a subquery used as a value gave more than one row (at line 1, column 16)\n"
        "hint: add LIMIT 1, or an aggregate such as any_value(...)",
    ),
    "YAML syntax": Case(
        plan("steps:\n  a: {from: t\n  b: {from: a}\n"),
        InvalidPlan,
        "this is not YAML: while parsing a flow mapping expected ',' or '}', but got ':' (at "
        "{folder}/plan.yaml:3:4)\n"
        "    b: {from: a}\n"
        "     ^\n"
        'hint: an expression that begins with a quote, *, &, !, %, @ or `, or contains ": " or " #", '
        "must be quoted as a whole",
    ),
    "YAML with a tab": Case(
        plan("steps:\n\ta: {from: t}\n"),
        InvalidPlan,
        "this is not YAML: found character '\\t' that cannot start any token (at {folder}/plan.yaml:2:1)\n"
        "   a: {from: t}\n"
        "  ^\n"
        "hint: indent with spaces",
    ),
    "YAML with a key twice": Case(
        plan("steps:\n  a: {sql: select 1}\n  a: {sql: select 2}\n"),
        InvalidPlan,
        "the key 'a' is here twice; first at {folder}/plan.yaml:2:3 (at {folder}/plan.yaml:3:3)\n"
        "    a: {sql: select 2}\n"
        "    ^\n"
        "hint: remove one of the two",
    ),
    "YAML with an unknown key": Case(
        plan("steps:\n  a: {form: orders}\n"),
        InvalidPlan,
        "step 'a': the key 'form' is unknown (at {folder}/plan.yaml:2:7)\n"
        "    a: {form: orders}\n"
        "        ^^^^\n"
        "hint: did you mean from?",
    ),
    "YAML that splits an expression": Case(
        plan("inputs: {o: {table: orders}}\nsteps:\n  a: {from: o, where: o_id in (1, 2)}\n"),
        InvalidPlan,
        "YAML has split this expression at a comma: 'o_id in (1' (at {folder}/plan.yaml:3:23)\n"
        "    a: {from: o, where: o_id in (1, 2)}\n"
        "                        ^^^^^^^^^^\n"
        'hint: put it in quotes: "o_id in (1, 2)"',
    ),
    "unknown column in a plan": Case(
        plan("inputs: {o: {table: orders}}\nsteps:\n  a:\n    from: o\n    where: >\n      o_id > 0\n      and totl > 1\n"),
        InvalidPlan,
        "there is no column 'totl' (at {folder}/plan.yaml:7:11)\n"
        "        and totl > 1\n"
        "            ^^^^\n"
        "hint: did you mean total?",
    ),
    "type mismatch in a plan": Case(
        plan("inputs: {o: {table: orders}}\nsteps:\n  a: {from: o, select: [o_id, status * 2 as s]}\n"),
        InvalidPlan,
        "no function fits VARCHAR * INTEGER (at {folder}/plan.yaml:3:31)\n"
        "    a: {from: o, select: [o_id, status * 2 as s]}\n"
        "                                ^^^^^^^^^^\n"
        "hint: accepted: number * number -> common type (decimals: by the precision rules); INTERVAL * "
        "number -> INTERVAL; cast the arguments",
    ),
    "unknown param": Case(
        plan("params: {month: 6}\nsteps: {a: {sql: 'select :month as m'}}\n", mnth=7),
        InvalidPlan,
        "the plan has no parameter 'mnth' (at {folder}/plan.yaml:1:9)\n"
        "  params: {month: 6}\n"
        "          ^^^^^^^^^^\n"
        "hint: did you mean month?",
    ),
    "param of another type": Case(
        plan("params: {month: 6}\nsteps: {a: {sql: 'select :month as m'}}\n", month="June"),
        InvalidPlan,
        "the parameter 'month' is of type int, and 'June' is not (at {folder}/plan.yaml:1:17)\n"
        "  params: {month: 6}\n"
        "                  ^\n"
        "hint: for instance 7",
    ),
    "missing param": Case(
        plan("params: {day: {type: date, required: true}}\nsteps: {a: {sql: 'select :day as d'}}\n"),
        InvalidPlan,
        "the parameter 'day' needs a value (at {folder}/plan.yaml:1:10)\n"
        "  params: {day: {type: date, required: true}}\n"
        "           ^^^\n"
        "hint: give one: --set day=... or params={'day': ...}",
    ),
    "missing input of a plan": Case(
        plan("inputs: {o: {csv: order.csv}}\nsteps: {a: {from: o}}\n"),
        InvalidInput,
        "{folder}/order.csv does not exist (at {folder}/plan.yaml:1:19)\n"
        "  inputs: {o: {csv: order.csv}}\n"
        "                    ^^^^^^^^^\n"
        "hint: did you mean {folder}/ragged.csv or {folder}/typed.csv or {folder}/orders.parquet?",
        "order.csv is relative (at {folder}/plan.yaml:1:19)\n"
        "  inputs: {o: {csv: order.csv}}\n"
        "                    ^^^^^^^^^\n"
        f"hint: {IN_FULL}",
    ),
    "missing input of a plan, of who runs it": Case(
        plan("inputs: {o: {csv: order.csv, file: local}}\nsteps: {a: {from: o}}\n"),
        InvalidInput,
        "{folder}/order.csv does not exist (at {folder}/plan.yaml:1:19)\n"
        "  inputs: {o: {csv: order.csv, file: local}}\n"
        "                    ^^^^^^^^^\n"
        "hint: did you mean {folder}/ragged.csv or {folder}/typed.csv or {folder}/orders.parquet?",
    ),
    "damaged input of a plan, of who runs it": Case(
        plan("inputs: {o: {parquet: truncated.parquet, file: local}}\nsteps: {a: {from: o}}\n"),
        InvalidInput,
        "{folder}/truncated.parquet is a truncated Parquet file: its footer is missing (at {folder}/plan.yaml:1:23)\n"
        "  inputs: {o: {parquet: truncated.parquet, file: local}}\n"
        "                        ^^^^^^^^^^^^^^^^^\n"
        "hint: write or copy it again",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are all wrong in their own way, and one that is right."""
    made = tmp_path_factory.mktemp("inputs")
    table = pa.table({"a": list(range(10_000)), "b": [f"text {n}" for n in range(10_000)]})
    pq.write_table(table, made / "orders.parquet")
    whole = (made / "orders.parquet").read_bytes()
    (made / "truncated.parquet").write_bytes(whole[: len(whole) // 2])
    (made / "broken.parquet").write_bytes(whole[:4] + b"\x00" * 2000 + whole[2004:])
    (made / "text.parquet").write_text("this is not a Parquet file, it only says so\n")
    (made / "ragged.csv").write_text("a,b\n1,2\n3,4,5\n")
    (made / "typed.csv").write_text("a,b\n1,x\ntwo,y\n")
    (made / "broken.jsonl").write_text('{"a": 1}\n{"a": \n')
    (made / "notes.txt").write_text("a\n")
    (made / "empty").mkdir()
    (made / "mixed").mkdir()
    pq.write_table(pa.table({"a": [1]}), made / "mixed" / "1.parquet")
    pq.write_table(pa.table({"a": ["x"]}), made / "mixed" / "2.parquet")
    return made


@pytest.fixture(scope="module", params=ANYWHERE)
def session(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    with session_anywhere(request.param, request) as made:
        made.register(
            "orders",
            pa.table(
                {
                    "o_id": [1, 2, 3],
                    "status": ["open", "paid", "open"],
                    "total": [10.5, 20.0, 3.25],
                    "big": [2**62, 2**63 - 1, 1],
                    "huge": pa.array([10**37 * 9, 10**37 * 9, 1], pa.decimal128(38, 0)),
                }
            ),
        )
        yield made


UNREADABLE = Case(
    unreadable,
    InvalidInput,
    "{folder}/locked cannot be read: permission denied\nhint: check who may read it, or run as its owner",
)
"""Not at a mesh: where its nodes are root's, they may read everything."""


def test_an_unreadable_folder(folder: Path) -> None:
    with flightmesh.connect() as session:
        check(UNREADABLE, session, folder)


@pytest.mark.parametrize("name", CASES)
def test_the_error_says_what_is_wrong(session: AnySession, folder: Path, name: str) -> None:
    check(CASES[name], session, folder)


def check(case: Case, session: AnySession, folder: Path) -> None:
    """What a case does fails as it says."""
    with pytest.raises(flightmesh.FlightmeshError) as caught:
        case.act(session, folder)
    # The numbers of columns in an expression are its query's own business.
    shown = re.sub(r"#\d+", "", caught.value.render()).replace(str(folder), "{folder}")
    at_a_mesh = not isinstance(session, flightmesh.Session)
    assert shown == (case.at_a_mesh if at_a_mesh and case.at_a_mesh is not None else case.text)
    assert type(caught.value) is case.error
    assert not caught.value.retryable
