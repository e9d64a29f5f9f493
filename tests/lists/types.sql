select * from t
select a, xs from t order by a desc
select t.xs, u.xs from t join t u on t.a=u.a
select xs from t union all select xs from t
select distinct xs from t
select distinct xs, ss from t
select a from t order by xs, a
select a from t order by xs desc, a
select a from t order by n, a
select a from t order by d desc nulls first, a
select a from t order by ss limit 3
select count(xs), count(distinct xs), count(distinct ss) from t
select xs from t where xs is null
select coalesce(xs,[9]) from t
select a, xs=[1,2], xs<>[1,2], xs<[1,2], xs>=ys, xs is distinct from ys, xs in ([1,2],[1]), xs between [1] and [2] from t
select first(xs order by a), last(xs order by a) from t
select g, max(xs), min(xs), any_value(n) from t group by g
select case when a>1 then xs end from t
select case when a>1 then xs else [] end from t
select a, xs::varchar, ss::varchar, n::varchar, d::varchar from t
select try_cast(ss as int[]) from t
select xs, count(*), sum(a) from t group by xs
select xs, n, count(*) from t group by xs, n
select xs, count(*) from t group by xs having count(*)>1 order by xs
select g, xs, count(*) from t group by rollup(g, xs)
select xs, ss, count(*) from t group by grouping sets ((xs),(ss),())
select lag(xs) over (order by a), first_value(ss) over (partition by xs order by a) from t
select a, row_number() over (partition by xs order by a), rank() over (order by xs) from t
select a from t where xs in (select ys from t)
select a from t where xs not in (select ys from t where ys is not null)
select t.a, u.a from t join t u on t.xs=u.ys
select t.a, u.a from t left join t u on t.n=u.n
select xs from t intersect select ys from t
select xs from t except select ys from t
select xs from t union select ys from t
select xs from t intersect all select xs from t
select [1,2,3], [], [NULL], [1,2.5], ['a',NULL], [[]], [[1],NULL]
select [a,g], [xs,ys], [s,'q'] from t
select null::int[], []::varchar[], [1,2]::bigint[]
select typeof([1,2]), typeof(xs), typeof(n), typeof([1,2.5]) from t limit 1
select greatest(xs, ys), least(xs,ys), nullif(xs,[1,2]) from t
select * from (values (1,[1]),(2,[2,3])) v(a,b)
select * from (values ([1]),([2.5]),(NULL)) v(a)
with c as (select xs from t) select count(*) from c x join c y on x.xs=y.xs
select distinct on (xs) xs, a from t order by xs, a
select count(*) from t where xs = any(select ys from t)
select max(n), min(ss), max(d) from t
select xs from t where xs > [1] order by xs limit 2
select entropy(xs) from t
select g, arg_min(xs, a) from t group by g
select [1,2] = [1,2], [1.5]=[1.50], [] = [], [[1]] < [[2]]
select a, max(xs) over () from t order by a
select a, min(xs) over (order by a) from t order by a
select a, count(distinct xs) over (partition by g) from t order by a
select a, first_value(xs) over (order by a), nth_value(xs, 2) over (order by a), lead(xs, 1, [0]) over (order by a) from t order by a
