"""Scans of one wide table: what people ask of the log of a web site, over a hundred columns of which a query reads a few.

The kinds of questions (counts, distinct counts, top-k groupings by texts, searches in texts, rows by their time) are those that
ClickBench (https://github.com/ClickHouse/ClickBench) has made known; table, data and texts are our own.
"""

from __future__ import annotations

from pathlib import Path

from flightmesh.bench.benchmarks.benchmark import Benchmark, Query


def _make(folder: Path, scale: str) -> None:
    from flightmesh.bench.benchmarks.wide_data import make

    make(folder, float(scale))


_TOTALS = (
    Query("select count(*) as n from visits", "all rows counted"),
    Query("select count(*) as n from visits where is_download = 1", "rows with a rare flag"),
    Query(
        "select sum(clicks) as clicks, avg(window_width) as width, max(load_ms) as load, count(*) as n from visits",
        "totals of three numbers",
    ),
    Query("select avg(user_id) as mean from visits", "the mean of large numbers"),
    Query("select count(distinct user_id) as users from visits", "distinct numbers, many"),
    Query("select count(distinct search_phrase) as phrases from visits", "distinct texts, many"),
    Query(
        "select count(distinct browser) as browsers, count(distinct country) as countries from visits", "distinct texts, few"
    ),
    Query("select min(visited_at) as earliest, max(visited_at) as latest, min(day) as day from visits", "first and last times"),
    Query("select sum(revenue) as revenue, avg(revenue) as mean from visits where revenue > 0", "the sum of decimals"),
    Query(
        "select "
        + ", ".join(f"sum(screen_width + {number}) as s{number}" for number in range(0, 60, 3))
        + ", sum(screen_height) as height from visits",
        "many sums of one number",
    ),
)
_FILTERS = (
    Query("select user_id, url, visited_at from visits where visit_id = 4099", "one row by its number"),
    Query("select count(*) as n from visits where url like '%garden%'", "a word in long texts"),
    Query(
        "select count(*) as n from visits where url like 'https://www.s1%' and title not like '%market%'",
        "a beginning in one text, and no word in another",
    ),
    Query(
        "select count(*) as n, sum(revenue) as revenue from visits where is_mobile = 1 and is_bounce = 0 and is_new_user = 1"
        " and has_cookies = 1 and screen_width between 700 and 1400",
        "several flags and a range",
    ),
    Query(
        "select count(*) as n from visits where country in ('NO', 'PT', 'KE', 'PE') and browser <> 'Firefox'",
        "texts of a list",
    ),
    Query(
        "select * from visits where url like '%harbour%' and search_phrase <> '' order by visited_at, visit_id limit 10",
        "all columns of the first rows with a word",
    ),
    Query(
        "select search_phrase, visited_at from visits where search_phrase <> '' order by visited_at, visit_id limit 10",
        "the first rows by time",
    ),
    Query("select search_phrase from visits where search_phrase <> '' order by search_phrase limit 10", "the first by a text"),
    Query(
        "select visit_id, load_ms, url from visits order by load_ms desc, visit_id limit 20",
        "the last by a number, with a text",
    ),
)
_FEW_GROUPS = (
    Query("select traffic_source, count(*) as n from visits group by traffic_source order by n desc", "by a small number"),
    Query(
        "select browser, os, count(*) as n from visits group by browser, os order by n desc, browser, os", "by two short texts"
    ),
    Query(
        "select region_id, count(*) as n, avg(load_ms) as load, sum(clicks) as clicks, count(distinct user_id) as users"
        " from visits group by region_id order by n desc limit 10",
        "four aggregates by a number, one of them distinct",
    ),
    Query(
        "select device_model, count(distinct user_id) as users from visits where device_model <> '' group by device_model"
        " order by users desc limit 10",
        "distinct numbers by a text",
    ),
    Query(
        "select campaign, count(*) as n, sum(revenue) as revenue, sum(case when is_order = 1 then 1 else 0 end) as orders"
        " from visits where campaign <> '' group by campaign order by revenue desc limit 15",
        "sums of decimals and of a condition by a text",
    ),
    Query(
        "select country, median(load_ms) as middle, max(load_ms) as longest from visits group by country order by country",
        "medians by a text",
    ),
    Query(
        "select date_trunc('hour', visited_at) as h, count(*) as n, count(distinct session_id) as sessions from visits"
        " group by date_trunc('hour', visited_at) order by h",
        "by hours, distinct numbers",
    ),
    Query(
        "select extract(hour from visited_at) as h, sum(page_height) as height, count(*) as n from visits"
        " group by extract(hour from visited_at) order by h",
        "by the hour of the day",
    ),
    Query(
        "select day, language, count(*) as n from visits where day between date '2026-05-05' and date '2026-05-11'"
        " and is_mobile = 1 group by day, language order by day, n desc, language",
        "a week, by days and a text",
    ),
)
_MANY_GROUPS = (
    Query("select user_id, count(*) as n from visits group by user_id order by n desc limit 10", "the users with most rows"),
    Query(
        "select search_phrase, count(*) as n from visits where search_phrase <> '' group by search_phrase"
        " order by n desc limit 10",
        "the texts with most rows",
    ),
    Query(
        "select search_phrase, count(distinct user_id) as users from visits where search_phrase <> '' group by search_phrase"
        " order by users desc limit 10",
        "the texts with most users",
    ),
    Query(
        "select search_engine, search_phrase, count(*) as n from visits where search_phrase <> ''"
        " group by search_engine, search_phrase order by n desc limit 10",
        "by a number and a text",
    ),
    Query(
        "select user_id, search_phrase, count(*) as n from visits group by user_id, search_phrase order by n desc limit 10",
        "by a large number and a text",
    ),
    Query(
        "select user_id, date_trunc('minute', visited_at) as m, search_phrase, count(*) as n from visits"
        " group by user_id, date_trunc('minute', visited_at), search_phrase order by n desc, user_id, m limit 10",
        "by user, minute and text: nearly as many groups as rows",
    ),
    Query("select url, count(*) as n from visits group by url order by n desc limit 10", "by long texts"),
    Query("select title, url, count(*) as n from visits group by title, url order by n desc limit 10", "by two long texts"),
    Query(
        "select client_ip, client_ip - 1 as a, client_ip - 2 as b, count(*) as n from visits"
        " group by client_ip, client_ip - 1, client_ip - 2 order by n desc limit 10",
        "by a number and what follows from it",
    ),
    Query(
        "select visit_id, client_ip, count(*) as n, sum(is_bounce) as bounces, avg(window_width) as width from visits"
        " group by visit_id, client_ip order by n desc, visit_id limit 10",
        "by two numbers: as many groups as rows",
    ),
    Query(
        "select regexp_replace(regexp_replace(referrer, '^https?://(www[.])?', ''), '/.*$', '') as host, count(*) as n,"
        " avg(length(referrer)) as mean_length, min(referrer) as lowest from visits where referrer <> ''"
        " group by regexp_replace(regexp_replace(referrer, '^https?://(www[.])?', ''), '/.*$', '')"
        " having count(*) > 20 order by mean_length desc, host limit 25",
        "hosts, by regular expressions",
    ),
    Query(
        "select regexp_replace(url, '[?].*$', '') as page, count(*) as n from visits where url like '%?%'"
        " group by regexp_replace(url, '[?].*$', '') order by n desc limit 10",
        "pages, by a regular expression",
    ),
    Query(
        "select site_id, avg(length(url)) as mean_length, count(*) as n from visits group by site_id having count(*) > 10"
        " order by mean_length desc, site_id limit 25",
        "lengths of texts by a number",
    ),
    Query(
        "select url, count(*) as n from visits where site_id = 7 and day >= date '2026-05-10' and is_refresh = 0"
        " group by url order by n desc limit 10",
        "one site's pages",
    ),
    Query(
        "select search_phrase, min(url) as lowest, min(title) as title, count(*) as n, count(distinct user_id) as users"
        " from visits where title like '%market%' and url not like '%garden%' and search_phrase <> ''"
        " group by search_phrase order by n desc limit 10",
        "first texts of each text, where a word is in a third",
    ),
    Query(
        "select case when traffic_source = 0 then referrer else '' end as source, url, count(*) as n from visits"
        " where site_id < 50 group by case when traffic_source = 0 then referrer else '' end, url order by n desc limit 10",
        "by a conditional text and another",
    ),
)
_ALL = (*_TOTALS, *_FILTERS, *_FEW_GROUPS, *_MANY_GROUPS)
WIDE = Benchmark(
    "wide",
    f"{len(_ALL)} scans and groupings of a table of 100 columns, as of a web site's log",
    "10 million rows",
    _make,
    dict(enumerate(_ALL, 1)),
)
