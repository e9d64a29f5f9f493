select * from t
select a, a from t
select * from (select a, a from t) s
select t.*, u.c from t join u on t.a = u.a
select * from t join u using (a)
select a, t.a, u.a from t left join u using (a)
select a, t.a, u.a from t right join u using (a)
select a, t.a, u.a from t full join u using (a)
select * from t full join u using (a)
select * from t natural join u
select * from t semi join u using (a)
select * from t anti join u on t.a = u.a
select * from t, u where t.a = u.a
select * from t cross join v
select * from t, u left join v on u.a = v.a where t.a = 1
select * from t, u right join v on u.a = v.a where t.a < 3
select count(*) from t, u right join v on u.a = v.a
select * from (t join u using (a)) join v using (a)
select a from t where b in (select 0)
select a from t where a in (select a from u)
select a from t where a not in (select a from u)
select a from t where a not in (select a from u where a is not null)
select a, a in (select a from u) from t
select a, exists (select 1 from u where u.a = t.a) e from t
select a, (select max(c) from u where u.a = t.a) m from t
select a, (select count(*) from u where u.a = t.a) m from t
select a, (select sum(c) from u where u.a > t.a) m from t order by m, a
select a from t where (a, b) in (select a, c - 10 from u)
select a from t where (a,b) in ((1,0),(2,1))
select a from t where (a,b) = (1,0)
select (select 1), (select null)
select b, count(*), sum(a), avg(m), min(s), max(d) from t group by b
select b, count(*) from t group by 1 order by 2, 1
select a % 2 as p, count(*) from t group by p
select a % 2 as p, count(*) n from t group by p having n > 1
select a % 2 as p, count(*) n from t group by all order by all
select b from t group by b having count(*) > 2 order by count(*) desc, b
select b, (select max(c) from u where u.a > t.b) from t group by b
select (select max(c) from u where u.a = t.a) as top, count(*) from t group by top
select count(*), count(a), count(distinct b), sum(distinct b), sum(a) filter (where b = 0), count(*) filter (b = 1) from t
select sum(a) + 1 as x, x * 2 as y from t
select a + 1 as x, x + 1 as y from t where y > 4 order by y
select distinct b from t order by b
select distinct b, a % 2 as q from t order by q desc, b
select distinct b from t order by b + 1
select -a as a from t order by a limit 3
select -a as a from t order by a + 0, d limit 3
select s from t order by m desc nulls first limit 3 offset 1
select a from t order by b, a desc
select a from t order by b desc nulls first, d
select a as x, b from t order by x + b, d
select b, sum(a) from t group by b order by sum(a) + 1 desc, b
select * from (values (1, 'a'), (2, null), (null, 'c')) w(x, y)
values (1, 2.5), (3, null)
values (1), (2) order by 1 desc limit 1
select x from (values (1), (2)) w(x) where x > 1
with w as (select a, b from t) select * from w
with w as (select a, b from t) select * from w x join w y on x.a = y.a
with w(p, q) as (select a, b from t), z as (select p from w where q = 0) select count(*) from z, w
with w as (select a from t) select a, (select max(a) from w x where x.a < w.a) from w
with w as materialized (select a from t) select * from w
with recursive w as (select a from t) select * from w
select a from t union select a from u
select a from t union all select c from u
select a from t intersect select a from u
select a from t except select a from u
select a from t except all select a from u
select a from u intersect all select a from t
select a from t union all select a from u union all select a from v order by 1 desc limit 4
select a from t union select a from u order by a desc limit 3
(select a from t order by a limit 2) union all (select c from u order by c limit 1)
select 1 as x union all select 'a'
select null as x union all select 1.5
select a, m from t union all select c, a from u
select null as x, 1 as y
select case when a > 2 then 'big' when a is null then 'none' else 'small' end c from t
select case b when 0 then a else -a end from t
select s like 'x%', s not like 'x%', s ilike 'X%', s like 'x!_1' escape '!', s similar to '[xy].*', s ~ 'x.', regexp_matches(s, '[0-9]') from t
select a is null, b is not null, (a > 2) is true, (a > 2) is not false, a is distinct from b, a is not distinct from b from t
select extract(year from d), extract(month from d), date_part('day', d), year(d), d + interval 1 month, d - interval '3' day, d + 3, date_trunc('month', d) from t
select d + interval (a) day from t
select date '2020-01-01' + interval '1 day 2 hours', timestamp '2020-01-01 10:00:00', interval 90 minute
select cast(a as varchar), a::double, try_cast(s as int), m::int, cast('2020-02-03' as date) from t
select coalesce(a, 0), nullif(b, 0), greatest(a, b), least(a, 3), ifnull(a, -1), if(b = 0, 1, 2) from t
select s || '!', concat(s, a, '-'), concat_ws(',', s, 'b'), upper(s), length(s), substring(s, 1, 1), substr(s, 2), left(s, 1), right(s, 1), trim('  x '), replace(s, 'x', 'y'), position('1' in s), lpad(s, 4, '0'), reverse(s) from t
select a / 2, a // 2, a % 2, a ** 2, -a, +a, abs(-a), round(m, 1), floor(f), ceil(f), sqrt(a), ln(a) from t where a > 0
select a & 3, a | 8, xor(a, 1), a << 1, a >> 1, ~a from t
select * exclude (s) from t
select * replace (a + 1 as a) from t
select * rename (a as q) from t
select t.* exclude (s, d) from t
select "A", "Name", name, V.a from v
select A from t where B = 0
select 1 where exists (select 1 from t where false)
select count(*) from t where not exists (select * from u where u.a = t.a and u.c > t.b)
select a from t where a > (select avg(a) from t)
select a from t where a = (select max(a) from u where u.a <= t.a) or b = 1
select a from t t1 where exists (select 1 from t t2 where t2.b = t1.b and exists (select 1 from u where u.a = t2.a and u.a = t1.a))
select t.a, u.c from t left join u on t.a = u.a and u.c > (select min(c) from u)
select t.a, u.c from t join u on t.a = u.a and u.c > (select min(x.c) from u x where x.a = t.a)
select t.a, u.c from t join u on t.a = u.a and u.c > (select min(x.c) from u x where x.a = t.a and x.a = u.a)
select a from t limit 1 + 1
select a from t order by a limit null
select a from t order by a offset 6
select sum(a), (select count(*) from u) from t
select sum(a) from t having sum(a) > 100
select count(*) from t having count(*) > 1
select 'it''s', 1e3, 1.50, .5, 123456789012, 12345678901234567890, true, null
select a from t where s in ('x1', 'z5', null)
select a from t where s not in ('x1', 'z5')
select a in (1, b, 3) from t
select d from t where d in ('2020-01-01', '2020-01-03')
select d from t where d >= '2020-01-06'
select a from t where m > 2 and m < 7.05
select max(a), min(b) from t where false
select b, max(a) from t where false group by b
from t
from t select a where a > 3
select avg(f), sum(f), max(f) from t where a < 5
select 1 as "Weird Name", 2 as "sel""ect"
select a as order_by from t order by order_by limit 1
table v
select (select b from t where a = 1) + 1
select count(*) from (select a from t union all select a from u) x
select x.a, y.n from t x join (select b, count(*) n from t group by b) y on x.b = y.b
select a from t where exists (select a from u group by a having count(*) > 1 and u.a = t.a)
select a, (select string from (values ('q')) w(string)) from t
select sum((select max(c) from u where u.a = t.a)) from t
select b, sum(a) filter (where a in (select a from u)) from t group by b
select a from t group by a having a in (select a from u)
select b, count(*) from t where a > 1 group by b having count(*) > (select min(c) / 20 from u) order by b
select b from t group by b order by (select max(c) from u where u.a = b), b
select a, b, a + b as ab from t where ab > 3 and a < 8
select date_add(d, interval 1 day), date_diff('day', d, date '2020-02-01'), last_day(d), dayofweek(d), strftime(d, '%Y/%m') from t
select * from t full join u using (a) full join v using (a)
select a from t full join u using (a) left join v using (a)
select * from t right join u using (a) join v using (a)
select count(*) from t natural full join u
select t.a, (with w as (select c from u where u.a = t.a) select sum(c) from w) x from t
select t.a, (with w as (select c from u where u.a = t.a) select sum(x.c) from w x, w y) z from t
with w as (select a, c from u) select t.a, (select count(*) from w where w.a = t.a) x, (select max(c) from w) y from t
select t.a from t where exists (with w as (select * from u) select 1 from w where w.a = t.a)
with w as (select 1 as x), y as (with w as (select 2 as x) select * from w) select w.x, y.x as z from w, y
with t as (select a from t where a > 3) select count(*) from t
select (select count(*) from (select distinct b from t) q)
select a, case when exists (select 1 from u where u.a = t.a) then 'y' else 'n' end z from t
select a, coalesce((select min(c) from u where u.a = t.a), -1) z from t
select a from t where not (a in (select a from u where a is not null))
select a from t where (a in (select a from u)) is null
select a from t where a in (select a from u where u.c > t.b * 10)
select t.a, x.n from t join (select a, count(*) n from u group by a) x using (a)
select sum(n) from (select count(*) n from t group by b) q
select distinct on_ from (select b as on_ from t) q
select b, sum(a) over_ from t group by b
select * from (select a from t order by a desc limit 2) q order by a
select a + b as c, c * 2 as e, e - c as g from t where c > 3
select a as b, b as a from t
select b as x, count(*) from t group by x having x = 0
select b as a, sum(a) as s from t group by b
select count(*) c, b from t group by b order by c, b
select upper(s) as s from t group by s having s > 'x'
select upper(s) as u, count(*) from t group by u order by u
select a from t order by (select max(c) from u where u.a = t.a) nulls first, a
select max(a) from t order by max(b)
select 1 from t group by b
select count(*) from t group by ()
select * from t where (select true)
select * from t where null
select a from t where b in (0) and (b = 1 or s like 'x%' or m is null)
select 1 where 1 = 0
select 1 having 1 = 0
select count(*) having count(*) = 1
select count(*) where false
select t1.a, t2.a from t t1 left join t t2 on t1.a = t2.b + 1 left join u on u.a = t2.a and u.c > 10
select x.* from t x where x.d between date '2020-01-02' and date '2020-01-04'
select a || b from t
select m * a, m + 1, m / 2, m - a, -m, m * m, sum(m) over_ from t group by all
select sum(m * (1 - a / 100)), sum(m) / count(*), avg(a) from t
select date '2020-01-31' + interval 1 month, date '2020-03-31' - interval '1' month, timestamp '2020-01-01' + interval 1 hour
select d - date '2020-01-01', d > '2020-01-03', extract(dow from d), d::varchar from t
select case when a is null then null when a > 3 then 1.5 else 2 end from t
select greatest(a, 2.5), least(b, a), coalesce(b, a, m) from t
select a in (1, 2.0), a in ('1', '2'), s in ('x1', null) from t
select a = '1', '3' < a from t
select not b = 1, not (b = 1 and a > 2) from t
select b is distinct from 1, b is not distinct from null from t
select count(distinct s), count(distinct a + b) from t
select min(s), max(d), any_value(1) from t
(select a from t where a = 1) union all (select a from u where a = 9) order by a
select a from t union all (select a from u order by c desc limit 2)
select a, b from t except select a, c - 10 from u
select a from t intersect select a from u union select 99
select a from t union select a from u intersect select 2
select 1 as x union select 2 union all select 2 order by x
select null union select 1 union select 2.5
select * from (values (1, 'a'), (2, 'b')) w(x) 
select x + 1 from (values (1), (null), (3)) w(x) where x is not null
select * from (select * from t) q join (select * from u) r on q.a = r.a
select q.a from (select t.a, u.c from t, u where t.a = u.a) q where c > 10
select * from t where a in (select a from u union select 3)
select (select a from t where a = 1 union all select a from u where a = 77)
select array_agg from (select 1 as array_agg) q
select "a" from "t" where "t"."a" = 1
select T.a, U.C from t as T inner join u as U on T.A = U.A
select a + 1 as x, (select count(*) from u where u.a = t.a + 1) as y from t group by a + 1, a
select b, count(*) filter (where exists (select 1 from u where u.a = t.a)) n from t group by b
select t.b, x.c from t, (select b, count(*) c from t group by b having count(*) > 1) x where x.b = t.b
select * from t where a = (select min(a) from t t2 where t2.b = t.b and t2.a > (select min(u.a) from u where u.a <= t.a))
select (select (select max(v.a) from v where v.a < t.a and v.a < u.c) from u where u.a = t.a and u.c < 21) from t where t.a < 3
select b from t group by b having sum(a) > (select avg(s) from (select sum(a) s from t group by b) q)
select sum(a) filter (where a > (select avg(a) from t)) from t
select count(*) from t where a in (select a from u where c in (select c from u where a = t.a))
select x.b, y.b from (select distinct b from t) x full join (select distinct c / 10 as b from u) y on x.b = y.b
select a from t where (select count(*) from u where u.a = t.a) = 2
select a from t where (select c from u where u.a = t.a and c < 21) between 5 and 30
select a, (select a) from t
select a, (select t.a + x.q from (select 1 as q) x) from t
select (values (1))
select a from (values (1, 2)) as q(a, b) where exists (values (1))
select count(*) from (select * from t limit 3) q, (select * from u limit 2) r
select case when count(*) > 3 then 'many' else 'few' end as size, b from t group by b
with big as (select a, b from t where a > 2), small as (select a, b from t where a <= 2) select count(*) from (select * from big union all select * from small union all select * from big) q
with w as (select b, count(*) n from t group by b) select w1.b, w1.n, (select sum(n) from w) total from w w1 where n = (select max(n) from w)
select 1e9+1, 1e9-1, (1e9+1), 1e2+1e1-1, -1e3-1, 1.5e3+2.5
select a from t where a > 1e0+1
select date '2024-01-31'::varchar, timestamp '2024-01-31 01:02:03'::varchar, time '10:00:00'::varchar
select interval '1 day'::varchar, interval '3' day::varchar, decimal(3, 1) '2'::varchar, date '2024-01-31'::varchar::date
select date '2024-01-31'::timestamp, (date '2024-01-31')::varchar, '2024-01-31'::varchar::date
select e'a\nb\tc\\', E'it\'s', $$x$$, $tag$it's $$ here$tag$
select sum(b) as a from t having a > 2
select sum(b) as a from t group by a having a > 2
select b, sum(a) as a from t group by b having a > 5 and sum(a) < 100
select a as b from t group by a having b > 2
select a + 1 as a from t group by a having a > 2
select a, a = any (select a from u), a <> all (select a from u), a < any (select c from u), a >= all (select b from t) from t
select a from t where a = some (select a from u)
select a from t where a < all (select c from u where u.a > t.a)
select a from t where a <= any (select c - 10 from u where u.a <> t.a)
select a, a > all (select c from u where c is null), a < any (select a from u where false), a <> any (select a from u), a = all (select a from u) from t
select a from t where not (a = any (select a from u))
select a from t where not a <> all (select a from u)
select a, (a, c) = any (select a, c from u where a > 1), (a, c) <> all (select a, c + 1 from u where a > 0) from u where a is not null
select b, count(*) from t group by b having count(*) >= all (select count(*) from t group by b)
select a from t where a = any (values (1), (2)) or a > all (select a from u)
select null = any (select a from u), null < all (select a from u where false), 1 = all (select 1), 2 = all (values (2), (3))
select a from t where a = any (select a from u union select c from u)
select f, f >= all (select f from t), f > all (select f from t where f < 5) from t
select u.a, u.c from t join u using (a) where u.c > any (select u.c from u v where v.a = t.b)
select * exclude (a, s), 1 as one from t
select t.* exclude b replace (a + 1 as a, upper(s) as s) from t
select * exclude (b, d) rename (a as z) from t where a > 2
select u.* exclude (c), t.* replace (t.a * 2 as a) from t join u on t.a = u.a
select a, c from u union by name select a, b from t
select a, c from u union all by name select b, A from t
select 1 as x union all by name select 'z' as y union all by name select 2.5 as x, 7 as z
select a from t union by name select a from u order by a
select a as p, b as q from t union all by name select c as q from u order by q, p
select 1 as x union all by name select null as y
select * from v union all by name select * from u
select * from (select a, s from t union by name select e as s, 1 as one from u) w where one is null and a > 2
select count(*), count(a), count(c) from (select * from t union all by name select * from u)
(select a from t union all select c from u) union all by name select b, a from t
select a from t where a = any (select a from u union by name select c as a from u)
select t.a, t.b from t where exists (select t.a as a, 1 as z union all by name select u.c as a from u where u.a = t.a)
select * from t, lateral (select t.a + 1 as z) x
select t.a, x.c from t, lateral (select c from u where u.a = t.a) x
select t.a, x.c from t left join lateral (select c from u where u.a = t.a) x on true
select t.a, x.c from t left join lateral (select c from u where u.a = t.a) x on x.c > 20
select t.a, x.c from t cross join lateral (select c from u where u.a < t.a order by c desc limit 2) as x
select t.a, x.c from t left join lateral (select c from u where u.a <= t.a order by c limit 1) x on true
select t.a, x.n, x.m from t, lateral (select count(*) n, max(c) m from u where u.a >= t.a) x
select t.a, x.n from t left join lateral (select count(*) n from u where u.a = t.a) x on x.n > 0
select t.a, x.* from t, (select t.a * 2 as y, t.b) x where y > 4
select t.a, y.w from t, lateral (select t.a + 1 as z) x, lateral (select x.z * t.a as w) y
select t.a, x.z, y.c from t join lateral (select t.b + 1 as z) x on x.z = t.a left join lateral (select c from u where u.a = x.z) y on true
select t.a, x.a from t join lateral (select u.a, u.c from u where u.c > t.a * 5) x using (a)
select t.a, v.x from t, (values (t.a), (t.b)) v(x)
select t.a, x.q from t, lateral (select t.a union all select t.b union all select c from u where u.a = t.a) x(q)
select t.a, x.k from t, lateral (select b as k, count(*) from t i where i.a > t.a group by b) x
select t.a, x.d from t, lateral (select distinct e as d from u where u.c > t.a) x
select u.a, x.n from u, v left join lateral (select count(*) n from t where t.a > u.a and t.a < v.a + 3) x on true
select t.a, x.z from t, lateral (select y.z from u, lateral (select u.c + t.a as z) y where u.a = t.b) x
select t.a, (select max(z) from u, lateral (select u.c + t.a as z) y where u.a = t.b) m from t
select t.a, x.c from t, lateral (with w as (select * from u where u.a = t.a) select w.c from w, w z) x
select b, sum(x.c) from t, lateral (select c from u where u.a = t.a) x group by b
select t.a, x.a from t, lateral (select a from u where exists (select 1 from v where v.a = t.a and v.a = u.a)) x
select t.a, x.f from t, lateral (select t.f from u where u.a is null and t.f > 2) x
select * from range(3)
select * from range(2, 11, 3) r(i)
select * from generate_series(5, 1, -2) g
select count(*), sum(range), min(range), max(range) from range(100000)
select count(*), sum(x), min(x), max(x) from generate_series(-70000, 20000000, 7) g(x) where x % 1000 = 1
select t.a, r.i from t join range(5) r(i) on t.a = r.i
select * from range(null)
select * from range(4, 1)
select i from range(20000) r(i) order by i desc limit 3 offset 2
select * from t, range(2) x, generate_series(1, 2) y where t.a < 3
select range, generate_series from range(2 + 1), generate_series(-1, 1)
select a, b, grouping(a, b), grouping_id(b), count(*), count(distinct s), sum(a), max(d) from t group by rollup (a, b)
select count(*), sum(a) from t where a > 1000 group by grouping sets ((), (b), ())
select t.a, (select count(*) from u where u.a = t.a group by rollup (c) order by 1 desc limit 1) from t
select a from t where exists (select 1 from u where u.a = t.a group by cube (c) having grouping(c) = 1 and count(*) > 1)
select a, n from (select a, b, count(*) as n from t group by b, rollup (a)) where b > 1 and a is null
select distinct on (b) b, a from t order by b, a
select distinct on (b) b, a, s from t order by b nulls first, a desc
select distinct on (b) a from t order by b, m desc nulls last, a
select distinct on (a % 3, b) a, d from t order by a % 3, b, d desc
select distinct on (z) a % 2 as z, a from t order by z, a limit 2
select distinct on (2) a, b from t order by 2, 1 desc
select distinct on (e) u.a, t.s from t join u on t.s = u.e order by e, u.a
select distinct on (b) b, count(*) as n from t group by b, s order by b, n, s
select distinct on (b > 0) sum(a) from t group by b order by b > 0, b
select count(*) from (select distinct on (b, s) * from t)
select t.a, x.c from t, lateral (select distinct on (u.a) c from u where u.a <= t.a order by u.a, c desc) x
select a, (select max(c) from (select distinct on (u.a) c from u where u.a <= t.a order by u.a, c desc)) from t
select distinct on (b) b, max(a) over (partition by b) from t order by b, a
