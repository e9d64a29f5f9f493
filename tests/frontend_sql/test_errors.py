"""Wrong queries and their errors: message, line, column and length, hint. The table is the specification."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from flightmesh.errors import FlightmeshError, InvalidQuery, Position, UnsupportedFeature
from tests.frontend_sql.tables import plan


class Case(NamedTuple):
    text: str
    message: str
    place: tuple[int, int, int]
    hint: str | None


# fmt: off
# ruff: noqa: E501
GROUPING_STANDS = "it stands in the select list, HAVING and ORDER BY of a query with GROUP BY"
WRONG: tuple[Case, ...] = (
    Case("selec a from t", "'selec' does not begin a statement", (1, 1, 5), "did you mean SELECT?"),
    Case("select a form t", "syntax error at 't'", (1, 15, 1), "did you mean FROM instead of form?"),
    Case("select a from t wher b = 1", "syntax error at 'b'", (1, 22, 1), "did you mean WHERE instead of wher?"),
    Case("select a from", "syntax error: the text ends too early", (1, 13, 1), None),
    Case("select (a from t", "syntax error at 'from': expected )", (1, 11, 4), None),
    Case("select 'abc", "a quote or comment is not closed", (1, 8, 1), None),
    Case("select a,\n  'it''s', \"b\nfrom t", "a quote or comment is not closed", (2, 12, 1), None),
    Case("select a b c from t", "syntax error at 'c'", (1, 12, 1), None),
    Case("select a\nfrom t\nwhere nope > 1", "there is no column 'nope'", (3, 7, 4), "columns are a, b, s, d, m, f"),
    Case("select t.nope from t", "t has no column 'nope'", (1, 10, 4), "its columns are a, b, s, d, m, f"),
    Case("select naem from (select e as name from u) x", "there is no column 'naem'", (1, 8, 4), "did you mean name?"),
    Case("select tt.a from t", "there is no table 'tt' in this query", (1, 8, 4), "did you mean t.a?"),
    Case("select a from tt", "no table or view is named 'tt'", (1, 15, 2), "did you mean t?"),
    Case("select a from t, u", "the column 'a' is ambiguous", (1, 8, 1), "write t.a or u.a"),
    Case("select t.a from t, t", "two tables are named 't'", (1, 20, 1), "give one of them an alias"),
    Case("select t.a from t x", "there is no table 't' in this query", (1, 8, 3), "did you mean x.a?"),
    Case("select e from t", "there is no column 'e'", (1, 8, 1), "columns are a, b, s, d, m, f"),
    Case("select a from t where count(*) > 1", "the aggregate count cannot stand in WHERE", (1, 23, 7), "use HAVING"),
    Case("select (select max(c) from u where max(u.a) > 1) from t", "the aggregate max cannot stand in WHERE", (1, 40, 3), "use HAVING"),
    Case("select sum(sum(a)) from t", "the aggregate sum cannot stand in an aggregate", (1, 12, 5), "compute the inner aggregate in a subquery"),
    Case("select sum(a) + b from t", "the column 'b' is neither grouped by nor inside an aggregate", (1, 17, 1), "add it to GROUP BY, or write any_value(b)"),
    Case("select * from t group by b", "the column 'a' is neither grouped by nor inside an aggregate", (1, 8, 1), "add it to GROUP BY, or write any_value(a)"),
    Case("select a from t having a > 1", "the column 'a' is neither grouped by nor inside an aggregate", (1, 24, 1), "add it to GROUP BY, or write any_value(a)"),
    Case("select b from t group by b having q > 1", "there is no column 'q'", (1, 35, 1), "columns are a, b, s, d, m, f"),
    Case("select a from t order by 3", "ORDER BY 3: the select list has 1 column", (1, 26, 1), None),
    Case("select a from t group by 0", "GROUP BY 0: the select list has 1 column", (1, 26, 1), None),
    Case("select a from t limit -1", "LIMIT takes a whole number of rows, not -1", (1, 24, 1), None),
    Case("select a from t limit a", "there is no column 'a'", (1, 23, 1), "there is no FROM clause; for text write 'a'"),
    Case("select a from t limit 1.5", "LIMIT takes a whole number of rows, not 1.5", (1, 23, 3), None),
    Case("select lowr(s) from t", "there is no function lowr", (1, 8, 6), "did you mean lower or power or or?"),
    Case("select sum(s) from t", "no aggregate sum(VARCHAR)", (1, 8, 5), "accepted: sum(number) -> HUGEINT, DECIMAL(38,s) or DOUBLE"),
    Case("select a from t where s", "WHERE must be a condition, not a value of type VARCHAR", (1, 23, 1), "compare it with something, such as x > 0"),
    Case("select a from t where d > 'nonsense'", "cannot cast 'nonsense' of type VARCHAR to DATE", (1, 23, 14), None),
    Case("select date 'nonsense'", "cannot cast 'nonsense' of type VARCHAR to DATE", (1, 13, 10), None),
    Case("select cast(a as foo) from t", "there is no type foo", (1, 18, 3), "types are INTEGER, BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, DATE, TIMESTAMP, ..."),
    Case("select a::decimal(50, 2) from t", "DECIMAL(50,2) is not a type", (1, 8, 16), "the width is 1 to 38, the scale 0 to the width"),
    Case("select a from t union select a, c from u", "UNION of 1 and 2 columns", (1, 30, 11), "both sides need the same number of columns"),
    Case("select a from t union select d from t", "UNION: the column 'a' is BIGINT on one side and DATE on the other", (1, 8, 30), "cast one of them"),
    Case("select (select a, b from t)", "the subquery gives 2 columns where 1 column must be", (1, 16, 11), None),
    Case("select a from t where a in (select a, c from u)", "the subquery gives 2 columns where 1 column must be", (1, 36, 11), None),
    Case("select a from t; select b from t", "the text holds more than one statement", (1, 18, 6), "send the statements one at a time"),
    Case("with w as (select nope from t) select * from w", "there is no column 'nope'", (1, 19, 4), "columns are a, b, s, d, m, f"),
    Case("with w as (select 1), w as (select 2) select 1", "the WITH clause has 'w' twice", (1, 23, 1), None),
    Case("with wide as (select 1) select * from wode", "no table or view is named 'wode'", (1, 39, 4), "did you mean wide?"),
    Case("with w(p, q, r) as (select a, b from t) select * from w", "w has 2 columns, but 3 names are given", (1, 14, 1), None),
    Case("select * from t join u", "a join needs ON or USING", (1, 22, 1), "for every pair of rows write CROSS JOIN"),
    Case("select * from t left join u", "a left join needs ON or USING", (1, 27, 1), None),
    Case("select * from t join u using (zz)", "the left side has no column 'zz'", (1, 31, 2), "its columns are a, b, s, d, m, f"),
    Case("select * from t natural join (select 1 as zzz) q", "the two sides of the NATURAL JOIN have no column in common", (1, 38, 11), None),
    Case("select * exclude (nope) from t", "* has no column 'nope'", (1, 19, 4), None),
    Case("select * replace (1 as nope) from t", "* has no column 'nope'", (1, 19, 9), None),
    Case("select a[1] from t", "a subscript is of a list or text, not of BIGINT", (1, 8, 3), None),
    Case("select a = any (b) from t", "ANY is of a query or a list, not of INTEGER", (1, 17, 1), None),
    Case("select unnest(1) from t", "unnest takes a list, not INTEGER", (1, 15, 1), None),
    Case("select a from t where unnest([a]) = 1", "unnest cannot stand in WHERE", (1, 23, 9),
         "unnest in a subquery, or in FROM: FROM t, unnest(t.xs) AS u(x)"),
    Case("select * from unnest([1], [2])", "unnest in FROM takes one list", (1, 23, 6), "write unnest(a), unnest(b) in a select list"),
    Case("select * from t, range(t.s) r", "no function fits range(INTEGER, VARCHAR)", (1, 18, 9),
         "accepted: range([BIGINT,] BIGINT[, BIGINT]) -> BIGINT[]; range(TIMESTAMP, TIMESTAMP, INTERVAL) -> TIMESTAMP[]; "
         "cast the arguments"),
    Case("select nope.* from t", "there is no table 'nope' in this query", (1, 8, 6), "tables here are t"),
    Case("select *", "* needs a FROM clause", (1, 8, 1), None),
    Case("select count(t.*) from t", "* stands for columns only in a select list and in count(*)", (1, 14, 3), None),
    Case("select * from (values (1), (1, 2)) w", "this row has 2 values, the first one 1", (1, 29, 4), None),
    Case("select a from t where (a, b) = (1, 2, 3)", "a row of 2 values is compared with one of 3", (1, 33, 7), None),
    Case("select interval 'abc' day from t", "'abc' is not a number of days", (1, 17, 5), None),
    Case("select case when b = 1 then a else s end from t", "cannot mix values of types BIGINT and VARCHAR in CASE", (1, 18, 19), "cast them to one type: CAST(x AS VARCHAR)"),
    Case("select t from t", "'t' is a table, not a column", (1, 8, 1), "name one of its columns, or t.*"),
    Case("select a from t union select a from u order by b", "there is no column 'b'", (1, 48, 1), "columns are a"),
    Case("select distinct a from t order by b", "ORDER BY of a SELECT DISTINCT must use columns of the select list", (1, 35, 1), "add the expression to the select list"),
    Case("select lower(s) filter (where a > 1) from t", "FILTER belongs to an aggregate", (1, 8, 28), None),
    Case("select :x", "the parameter 'x' has no value", (1, 8, 2), "pass params={...} or params=[...]"),
    Case("select * from read_csv(a)", "read_csv takes a path as constant text", (1, 24, 1), None),
    Case("select * from read_parquet()", "syntax error at ')': something is missing here", (1, 28, 1), None),
    Case("explain", "EXPLAIN needs a query", (1, 7, 1), None),
    Case("select lower(s, s) from t", "too many arguments for lower", (1, 18, 1), "accepted: lower(VARCHAR) -> VARCHAR"),
    Case("select 1 + 100000000000000000000000000000000000000", "an integer has at most 38 digits", (1, 12, 39), "for a DOUBLE, write it with an exponent: 1e40"),
    Case("select -100000000000000000000000000000000000000", "an integer has at most 38 digits", (1, 9, 39), "for a DOUBLE, write it with an exponent: 1e40"),
    Case("select a from t where a > all (select a, c from u)", "the subquery gives 2 columns where 1 column must be", (1, 39, 11), None),
    Case("select a from t where d < any (select a from u)", "no function fits DATE < BIGINT", (1, 23, 24), "accepted: any < any of a common type -> BOOLEAN; cast the arguments"),
    Case("select any (select 1) = a from t", "ANY stands on the right side of a comparison", (1, 20, 1), None),
    Case("select a, b as A from t union by name select a from u", "UNION BY NAME: one side has the column 'a' twice", (1, 8, 16), "give its columns different names"),
    Case("select a from t union by name select d as a from t", "UNION: the column 'a' is BIGINT on one side and DATE on the other", (1, 8, 43), "cast one of them"),
    Case("select a from t union by name select c from u order by t.a", "there is no table 't' in this query", (1, 56, 3), "did you mean the result.a?"),
    Case("select * from t right join lateral (select t.a) x on true", "the right side of a right join cannot read columns of the left side", (1, 44, 6), "use JOIN or LEFT JOIN"),
    Case("select * from range(1, 10, 0)", "the step of range is 0", (1, 15, 14), None),
    Case("select * from range('a', 2.5)", "range takes whole numbers, not VARCHAR", (1, 21, 3), "cast it to BIGINT"),
    Case("select * from range(9223372036854775807)", "range would give 9223372036854775807 rows", (1, 15, 25), "it gives at most 281474976710656"),
    Case("select * from generate_series()", "too few arguments for generate_series", (1, 31, 1),
         "accepted: generate_series([BIGINT,] BIGINT[, BIGINT]) -> BIGINT[]; generate_series(TIMESTAMP, TIMESTAMP, INTERVAL) -> TIMESTAMP[]"),
    Case("select lower() from t", "too few arguments for lower", (1, 14, 1), "accepted: lower(VARCHAR) -> VARCHAR"),
    Case("select nullif(a) from t", "too few arguments for nullif", (1, 16, 1), "accepted: nullif(any, any) -> any"),
    Case("select cast(a as integr) from t", "there is no type integr", (1, 18, 6), "did you mean INTEGER or INTERVAL or INT?"),
    Case("select a,, b from t", "syntax error at ',': something is missing here", (1, 10, 1), None),
    Case("select a from t group by order by a", "syntax error at 'ORDER BY': something is missing here", (1, 26, 8), None),
    Case("select a from t group a", "syntax error at 'a'", (1, 23, 1), "did you mean GROUP BY?"),
    Case("select a from t order a", "syntax error at 'a'", (1, 23, 1), "did you mean ORDER BY?"),
    Case("select a from t where exists select 1", "syntax error at 'select'", (1, 30, 6), "a subquery stands in parentheses: EXISTS (SELECT ...)"),
    Case("select a,\n\t'é', extract(yeer from current_date) from t", "yeer is no part of a date", (2, 15, 4), "did you mean year?"),
    Case("select * from t, lateral (select nope) x", "there is no column 'nope'", (1, 34, 4), "columns are a, b, s, d, m, f"),
    Case("select grouping(a) from t", "grouping cannot stand in a query without GROUP BY", (1, 8, 10), GROUPING_STANDS),
    Case("select a from t where grouping(a) = 0 group by a", "grouping cannot stand in WHERE", (1, 23, 10), GROUPING_STANDS),
    Case("select sum(grouping_id(a)) from t group by a", "grouping_id cannot stand in an aggregate", (1, 12, 13), GROUPING_STANDS),
    Case("select a from t group by a, grouping(a)", "grouping cannot stand in GROUP BY", (1, 29, 10), GROUPING_STANDS),
    Case("select grouping(a, b) from t group by rollup (a)", "grouping takes keys of GROUP BY, and this is none", (1, 20, 1), None),
    Case("select b from t group by rollup (a)", "the column 'b' is neither grouped by nor inside an aggregate", (1, 8, 1), "add it to GROUP BY, or write any_value(b)"),
    Case("select 1 from t group by cube (a, b), cube (a, b), cube (a, b), cube (a, b), cube (a, b), cube (a, b), cube (a, b)", "GROUP BY makes 16384 grouping sets, of 4096 at most", (1, 32, 82), "group by fewer keys, or list the sets that you need in GROUPING SETS"),
    Case("select 1 +", "syntax error at '+': something is missing here", (1, 10, 1), None),
    Case("select a from t qualify a > 1", "QUALIFY needs a window function, there or in the select list", (1, 25, 5), "use WHERE"),
    Case("select a from t where rank() over (order by a) = 1", "a window function cannot stand in WHERE", (1, 23, 23), "use QUALIFY"),
    Case("select b from t group by b having rank() over (order by b) = 1", "a window function cannot stand in HAVING", (1, 35, 23), "use QUALIFY"),
    Case("select sum(rank() over (order by a)) from t", "a window function cannot stand in an aggregate", (1, 12, 23), None),
    Case("select sum(rank() over ()) over () from t", "a window function cannot stand in a window function", (1, 12, 4), "compute the inner one in a subquery"),
    Case("select rank() over (order by a) as r, sum(r) over () from t", "a window function cannot stand in a window function", (1, 43, 1), "compute the inner one in a subquery"),
    Case("select b, rank() over (order by a) from t group by b", "the column 'a' is neither grouped by nor inside an aggregate", (1, 33, 1), "add it to GROUP BY, or write any_value(a)"),
    Case("select rank() from t", "rank is a window function", (1, 8, 4), "write rank(...) OVER (ORDER BY ...)"),
    Case("select lower(s) over () from t", "lower is neither an aggregate nor a window function", (1, 8, 7), "write it without OVER"),
    Case("select rank() over ww from t window w as (order by a)", "there is no window 'ww'", (1, 20, 2), "did you mean w?"),
    Case("select rank() over w from t window w as (order by a), W as (order by b)", "there are two windows 'W'", (1, 55, 1), None),
    Case("select rank() over (w order by b) from t window w as (order by a)", "the window 'w' has its own ORDER BY", (1, 21, 1), "write the window out"),
    Case("select sum(a) over (rows between 1 following and 1 preceding) from t", "the frame ends before it starts", (1, 34, 17), "write the bound that comes first first"),
    Case("select sum(a) over (rows between unbounded following and current row) from t", "the frame's start cannot be UNBOUNDED FOLLOWING", (1, 8, 5), None),
    Case("select ntile(0) over (order by a) from t", "ntile takes a number of buckets from 1 up", (1, 8, 7), None),
    Case("select distinct on (nope) a, b from t", "there is no column 'nope'", (1, 21, 4), "columns are a, b, s, d, m, f"),
    Case("select distinct on (3) a, b from t", "DISTINCT ON 3: the select list has 2 columns", (1, 21, 1), None),
    Case("select distinct on (s) max(a) from t group by b", "the column 's' is neither grouped by nor inside an aggregate", (1, 21, 1), "add it to GROUP BY, or write any_value(s)"),
    Case("select lag(a, s) over (order by a) from t", "no window function lag(BIGINT, VARCHAR)", (1, 8, 8), "accepted: lag(any[, BIGINT[, any]]) -> any"),
    Case("select sum(a) over (order by b groups -1 preceding) from t", "a frame's distance in groups is below 0", (1, 40, 1), "write PRECEDING for FOLLOWING or the reverse"),
    Case("select sum(a) over (order by b range between 1 preceding and -2 following) from t", "a frame's distance in RANGE is below 0", (1, 63, 1), "write PRECEDING for FOLLOWING or the reverse"),
    Case("select sum(a) over (order by b rows null preceding) from t", "a frame's distance cannot be NULL", (1, 8, 23), None),
    Case("select sum(a) over (order by b range null preceding) from t", "a frame's distance cannot be NULL", (1, 8, 23), None),
    Case("select sum(a) over (order by a, b range 1 preceding) from t", "RANGE with a distance needs one ORDER BY key, and here are 2", (1, 41, 1), "write one key in ORDER BY, or ROWS or GROUPS for the frame"),
    Case("select sum(a) over (order by s range 1 preceding) from t", "RANGE cannot reach over INTEGER from a key of type VARCHAR", (1, 38, 1), "the key is a number, or a date or time with an INTERVAL; ROWS and GROUPS take any key"),
    Case("select sum(a) over (order by b rows d preceding) from t", "a frame counts rows, not DATE", (1, 37, 1), "write a whole number, or RANGE for values"),
    Case("select rank() filter (where a > 1) over () from t", "FILTER belongs to an aggregate, and rank is none", (1, 8, 26), "filter the rows in a subquery"),
    Case("select first_value(distinct a) over () from t", "DISTINCT belongs to an aggregate, and first_value is none", (1, 8, 22), None),
    Case("select sum(a ignore nulls) over () from t", "an aggregate leaves NULLs out by itself", (1, 8, 5), "leave out IGNORE or RESPECT NULLS"),
    Case("select rank() ignore nulls over () from t", "rank reads no values that could be NULL", (1, 8, 4), "leave out IGNORE or RESPECT NULLS"),
)

UNSUPPORTED: tuple[Case, ...] = (
    Case("select * from t pivot (sum(a) for b in (0, 1))", "not supported yet: PIVOT", (1, 24, 21), None),
    Case("select a::int[3] from t", "not supported yet: the type INT[3] of lists of a fixed length", (1, 8, 8),
         "leave the length out: []"),
    Case("select {'a': b} from t", "not supported yet: structs", (1, 14, 1), None),
    Case("select a::struct(b int) from t", "not supported yet: the nested type STRUCT(b INT)", (1, 8, 11), None),
    Case("with recursive w(x) using key (x) as (select 1 union select x + 1 from w where x < 3) select * from w", "not supported yet: USING KEY", (1, 32, 1), None),
    Case("with recursive w as (select 1 x union by name select x + 1 as x from w) select * from w", "not supported yet: UNION BY NAME in the recursive query w", (1, 29, 42), None),
    Case("insert into t values (1)", "not supported yet: the statement INSERT", (1, 1, 6), "statements begin with SELECT, WITH, FROM, VALUES, CREATE, DROP, EXPLAIN, TABLE"),
    Case("update t set a = 1", "not supported yet: the statement UPDATE", (1, 1, 6), "statements begin with SELECT, WITH, FROM, VALUES, CREATE, DROP, EXPLAIN, TABLE"),
    Case("delete from t", "not supported yet: the statement DELETE", (1, 1, 6), "statements begin with SELECT, WITH, FROM, VALUES, CREATE, DROP, EXPLAIN, TABLE"),
    Case("summarize t", "not supported yet: the statement SUMMARIZE", (1, 1, 9), "statements begin with SELECT, WITH, FROM, VALUES, CREATE, DROP, EXPLAIN, TABLE"),
    Case("drop schema x", "not supported yet: DROP SCHEMA", (1, 13, 1), None),
    Case("create table x (a int)", "not supported yet: CREATE TABLE without AS", (1, 14, 4), "write CREATE TABLE name AS SELECT ..."),
    Case("select * from t tablesample 10%", "not supported yet: TABLESAMPLE", (1, 29, 2), None),
    Case("select * from t asof join u on t.a > u.a", "not supported yet: ASOF JOIN", (1, 27, 14), None),
    Case("select count(distinct a, b) from t", "not supported yet: count of several columns", (1, 8, 19), "count(DISTINCT (a, b)) counts distinct rows"),
    Case("select a from t where (select max(t.a)) > 1", "not supported yet: an aggregate over the columns of the query around it here", (1, 35, 3), None),
    Case("select a from t fetch first 5 rows with ties", "not supported yet: WITH TIES", (1, 29, 1), None),
    Case("select a from t limit 10%", "not supported yet: LIMIT with a percentage", (1, 23, 2), None),
    Case("select a from t limit (select 1)", "not supported yet: a subquery in LIMIT", (1, 31, 1), None),
    Case("select * from t positional join u", "not supported yet: POSITIONAL JOIN", (1, 33, 1), None),
    Case("select x -> 'a' from (select s as x from t)", "not supported yet: JSON paths", (1, 8, 1), None),
    Case("select s like any (select s from t) from t", "not supported yet: comparison with ANY", (1, 27, 8), None),
    Case("select columns('a.*') from t", "not supported yet: COLUMNS(...)", (1, 8, 13), None),
    Case("select a from t intersect by name select a from u", "not supported yet: INTERSECT BY NAME", (1, 8, 42), None),
    Case("select t.a from t full join u on t.a = u.a and exists (select 1 from v where v.a = t.a and v.a = u.a)", "not supported yet: a subquery in ON of a full join that reads both sides", (1, 34, 67), None),
    Case("explain analyze insert into t values (1)", "not supported yet: the statement INSERT", (1, 17, 6), "statements begin with SELECT, WITH, FROM, VALUES, CREATE, DROP, EXPLAIN, TABLE"),
)
# fmt: on


def _error(text: str) -> FlightmeshError:
    with pytest.raises(InvalidQuery) as caught:
        plan(text)
    return caught.value


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.text)
def test_wrong(case: Case) -> None:
    error = _error(case.text)
    assert not isinstance(error, UnsupportedFeature)
    assert (error.message, error.hint) == (case.message, case.hint)
    assert error.position == Position(*case.place)
    assert error.text == case.text


@pytest.mark.parametrize("case", UNSUPPORTED, ids=lambda case: case.text)
def test_not_supported_yet(case: Case) -> None:
    error = _error(case.text)
    assert isinstance(error, UnsupportedFeature)
    assert (error.message, error.hint) == (case.message, case.hint)
    assert error.position == Position(*case.place)


def test_the_caret_stands_under_the_word() -> None:
    lines = str(_error("select a\nfrom t\nwhere nope > 1")).splitlines()
    assert lines == [
        "there is no column 'nope' (at line 3, column 7)",
        "  where nope > 1",
        "        ^^^^",
        "hint: columns are a, b, s, d, m, f",
    ]


def test_an_unknown_dialect_is_named() -> None:
    with pytest.raises(InvalidQuery) as caught:
        plan("select 1", dialect="postgress")
    assert caught.value.message == "there is no SQL dialect 'postgress'"
    assert caught.value.hint is not None and "postgres" in caught.value.hint


@pytest.mark.parametrize("text", ["", "  ", ";", "-- nothing"])
def test_an_empty_text_is_refused(text: str) -> None:
    assert _error(text).message == "there is no statement"


@pytest.mark.parametrize("text", [None, 5, b"select 1"])
def test_a_text_that_is_none_is_refused(text: Any) -> None:
    assert _error(text).message == f"a statement is text (str), not {type(text).__name__}"


def test_deep_nesting_is_an_error_of_the_query() -> None:
    assert _error("select " + "(" * 3000 + "1" + ")" * 3000).message == "the query is nested too deeply"


def test_a_long_chain_of_conditions_binds() -> None:
    plan("select a from t where " + " or ".join(f"a = {i}" for i in range(300)))
