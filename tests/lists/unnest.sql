select unnest([1,2,3])
select unnest(xs) from t
select a, unnest(xs) from t
select a, unnest(xs), unnest(ys) from t
select unnest(xs)+1 as y, a from t order by y desc nulls last, a limit 3
select unnest(NULL), 1
select unnest([]), 1
select unnest(n) from t
select unnest(n, recursive:=true) from t
select unnest([[[1,2]],[[3]]], max_depth:=2)
select distinct unnest(xs) from t
select unnest(xs) x from t union all select a from t
select * from t, unnest(xs) u(x)
select t.a, u.x from t, unnest(t.xs) as u(x)
select t.a, x, y from t, unnest(t.xs) as u(x), unnest(t.ys) as v(y)
select t.a, x, i from t cross join lateral unnest(t.xs) with ordinality as u(x,i)
select t.a, x, i from t cross join unnest(t.xs) with ordinality as u(x,i) where i > 1
select a, x from t left join unnest(xs) u(x) on true
select a, x from t left join lateral (select unnest(xs) x) u on x>1
select a, x from t join lateral (select unnest(xs) x) u on x>1
select a, x from t left join unnest(xs) u(x) on x > 1
select * from unnest([1,2])
select * from unnest(['a','b']) with ordinality
select * from unnest([1,2]) u(x) join t on t.a = u.x
select a, (select sum(x) from unnest(xs) u(x)) from t
select a, (select count(*) from unnest(xs) u(x) where x > g) from t
select a from t where 2 in (select unnest(xs))
select a from t where exists (select 1 from unnest(xs) u(x) where x=3)
select a from t where not exists (select 1 from unnest(xs) u(x) where x=a)
select a from t where a in (select x from unnest(ys) u(x))
select unnest(range(3)), unnest(generate_series(1,2))
select a, i from t, generate_series(1,t.a) g(i) where i>2
select a, i from t, range(t.a) g(i) where a<3
select a, i from t, range(t.k, t.a, 2) g(i)
select range(k), range(k, a), range(a, k, -1), generate_series(k,a,3), generate_series(a,k,-2) from t
select range(dt, timestamp '2020-01-05', interval 1 day) from t
select generate_series(dt, date '2019-12-01', interval '-10 days') from t
select generate_series(dt, date '2020-06-01', interval '1 month 3 days') from t
select generate_series(date '2020-01-31', date '2021-01-01', interval 1 month)
select * from range(date '2020-01-01', date '2020-01-03', interval 1 day) r(d)
select * from generate_series(timestamp '2020-01-01', timestamp '2020-01-02', interval 12 hour)
select range(3), range(1,3), range(5,1,-2), generate_series(1,3), range(NULL), range(1,NULL), range(3,1), range(1,10,0), generate_series(1,1), generate_series(5,1), range(0), range(-3)
select a, unnest(xs) from t where a > 2 order by a, 2
select a, unnest(xs), row_number() over (order by a) from t
select case when a>1 then unnest(xs) end from t
select * from (select a, unnest(xs) x from t) where x = 1 and a > 1
select x from (select a, unnest(xs) x from t) where a = 1
select count(*) from t, unnest(xs)
select count(*) from (select unnest(xs), unnest(ss) from t)
select u.unnest from t, unnest(xs) u
select unnest from t, unnest(xs)
select * from t, (select unnest(xs)) u(x)
select * from t, lateral (select x, x*2 y from unnest(xs) u(x) where x is not null) v
select a, y from t, lateral (select sum(x) y from unnest(xs) u(x)) v
select a, x from t, lateral (select x from unnest(xs) u(x) order by x desc limit 1) v
select flatten(n), flatten([[1],[2,3]]), flatten([]), flatten([NULL]), flatten(NULL) from t
with r as (select unnest(xs) x from t) select r1.x, r2.x from r r1 join r r2 on r1.x = r2.x
select t1.a, t2.a from t t1 join t t2 on t1.a in (select unnest(t2.xs))
select flatten(NULL)
select unnest(xs) x, x+1 from t
select (select max(u) from (select unnest(t.xs) u)) from t
select * from t where a = (select max(x) from unnest(xs) u(x))
select * from (select 1 a) q, unnest([q.a, 2]) u(x), unnest([u.x, 5]) v(y)
select a, x from t, unnest(case when a > 3 then xs else [] end) u(x)
select a, x from t, unnest(xs) u(x) where a > 3 and x is not null
select distinct on (x) x, a from (select unnest(xs) x, a from t) order by x, a
select a, x, y from t, unnest(n) u(x), unnest(u.x) v(y)
select x from unnest([3,1,2]) u(x) order by x
select a, list_x from (select a, xs as list_x from t), unnest(list_x)
select sum(x) from (select unnest(generate_series(1, a)) x from t)
select g, count(*), unnest([1,2]) from t group by g
select x, count(*) from (select unnest(xs) x from t) group by x
select a, (select max(x) from unnest(d) u(x)), (select min(x) from unnest(d) u(x)), (select count(*) from unnest(d) u(x)) from t
select a, (select min(x) || '!' from unnest(ss) u(x)), (select max(x) from unnest(ss) u(x)), (select count(x) + a from unnest(ss) u(x)) from t
select a, (select sum(x) from unnest(ys) u(x)), (select avg(x) from unnest(ys) u(x)), (select product(x) from unnest(ys) u(x)) from t
select a, (select max(x) from unnest([dt, date '2020-01-04']) u(x)), (select bool_or(x) from unnest([a > 3, k > 1]) u(x)), (select bool_and(x) from unnest([a > 3, k > 1]) u(x)) from t
select a, (select max(x) from unnest(n) u(x)), (select count(*) from unnest(n) u(x)) from t
select a, (select sum(x * a) from unnest(xs) u(x)), (select sum(x) from unnest(xs) u(x) where x > 1), (select count(distinct x) from unnest(xs) u(x)) from t
select a, m, c from t, lateral (select max(x) m, count(*) c from unnest(xs) u(x)) v where c > 0 and m is not null
select a, (select sum(x) from unnest(xs) u(x) having count(*) > 1) from t
