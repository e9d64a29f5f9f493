select list(a order by a), array_agg(xs order by a) from t
select g, list(a order by a desc) from t group by g
select g, array_agg(k order by a) filter (where k > 0) from t group by g
select g, list(k order by a) filter (where k > 100) from t group by g
select g, list(distinct k order by k) from t group by g
select list(x) filter (where x > 5) from (values (1)) v(x)
select list(x), list(x order by x desc) from (select 1 x where false)
select g, list(x) from (select 1 g, 1 x where false) group by g
select list(NULL), list(1) from t
select list(s order by s nulls first, a), list(dt order by a), list(d order by a), list(n order by a) from t
select quantile_cont(a, [0.1,0.5]), quantile_disc(a,[0.5]), quantile_cont(a,[]) from t
select g, quantile_cont(a, [0.1,0.5]), quantile_disc(s,[0.5]), count(*) from t group by g
select quantile_cont(a, [0.5]) from t where false
select percentile_cont([0.1,0.5]) within group (order by a) from t
select percentile_cont([0.1,0.5,0]) within group (order by a desc), percentile_disc([0.25]) within group (order by a desc) from t
select quantile(a,[0.5, 0.9]) filter (where a > 3) from t
select g, list([a,k] order by a) from t group by rollup(g)
select unnest(list(a order by a desc)) from t
select x, list(a order by a) from t, unnest(xs) u(x) group by x
select count(distinct a), list(distinct g order by g), list(g order by a) from t
select g, list(a order by a) l, count(*) c from t group by g having count(*) > 1 order by l desc
select (select list(a order by a) from t u where u.g = t.g) from t
select a, (select list(x*2 order by x) from unnest(xs) u(x)) from t
select list(a order by k desc nulls last, a), list(a order by k, a desc) from t
select a, list(a) over (order by a) from t
