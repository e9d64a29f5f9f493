select a from t order by a desc nulls last
select a, b from t order by b desc, a
select -a as a from t order by a
select -a as a from t order by a + 0 nulls first
select b, sum(a) as n from t group by b order by n desc, b
select s from t order by m desc nulls first limit 3 offset 1
select a from t union select a from u order by 1 desc nulls last limit 3
select a as x, b from t order by x + b, d
select distinct b, a % 2 as q from t order by q desc, b
select b from t group by b order by count(*) desc, b
select b, a from t order by all
select a, sum(a) from t group by a order by (select max(c) from u where u.a = t.a) nulls last, a
select b, min(a) as lo, max(a) as hi from t group by b order by hi - lo desc, b
select substring(s, 1, 1) as first, count(*) from t group by 1 having count(*) >= 1 order by 2 desc, 1
select a, b from t where a > 1 union all select a, c from u where c > 10 order by 2 desc, 1 limit 3
(select a, b from t union all select a, c from u) order by t.a, t.b
(select b as k, a from t union all select c, a from u where a > 1) order by u.c, t.a desc
select a from t union select a from u order by u.a
select a, b, count(*) from t group by cube (1, 2) order by all desc nulls last
select b, a, grouping(a) as g, count(*) from t group by rollup (b), cube (a) order by grouping(b), g desc, a, b, 4
select distinct on (b) b, a from t order by b, a
select distinct on (b) b, a, s from t order by b nulls first, a desc
select distinct on (b) a from t order by b, m desc nulls last, a
