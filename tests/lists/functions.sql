select [1,2,3,4,5][-4:-2], [1,2,3][-10:2], [1,2,3][2:100], [1,2,3][-10:-5], [1,2,3][4:5], [1,2,3][-2:-10], [1,2,3][3:-3], [1,2,3][-1:-1], [1,2,3][1:0], [1,2,3][0:0], [1,2,3][-3:-3], [1,2,3][-4:-4], [1,2,3][2:-4]
select list_slice([1,2,3,4,5],5,1,-1), list_slice([1,2,3,4,5],1,5,-1), list_slice([1,2,3,4,5],-1,-5,-2), list_slice([1,2,3,4,5],2,5,3), list_slice([1,2,3,4,5],4,2,1), list_slice([1,2,3,4,5],4,2,-1),list_slice([1,2,3,4,5],10,-10,-2)
select [1,2,3,4,5][:-:2], [1,2,3,4,5][2:-:2]
select 'hello'[0], 'hello'[10], 'hello'[-10], 'hello'[2:], 'hello'[:-2], 'hello'[-3:-2], 'hello'[0:2], 'hello'[NULL]
select list_string_agg([]), list_string_agg([NULL]), array_to_string([NULL,NULL],','), array_to_string([]::varchar[],','), array_to_string(['a'],''), array_to_string([[1],[2]],';')
select regexp_extract_all('a1b22','[0-9]+'), regexp_extract_all('a1b22','([a-z])([0-9]+)',2), regexp_extract_all('abc','x'), regexp_extract_all(NULL,'x'), regexp_extract_all('a1','([a-z])(x)?',2), regexp_extract_all('aaa','a*'), regexp_extract_all('baac','a*'), regexp_split_to_array('abc',''), regexp_extract_all('abc','')
select list_contains([1,2],1.5), list_contains([1,2],'1'), list_contains([1.5,2],2), list_position(['a','b'],'b'), list_contains([[1],[2]],[2]), list_contains(['nan'::double],'nan'::double)
select list_sort(['b',NULL,'a'], 'desc', 'nulls first'), list_reverse_sort(['b',NULL,'a'],'nulls first'), list_sort([2.5,'nan'::double,1]), list_sort([true,false]), list_sort([[2],NULL,[1,2]])
select list_min([NULL]), list_max([1.5,'nan'::double]), list_min(['b','a',NULL]), list_max([date '2020-01-01', date '2021-01-01']), list_max([[1],[2]]), list_min([true,false])
select [1,2] = any([[1,2],[3]]), 1 = any([1,NULL]), 3 = any([1,NULL]), 'a' < any(['b']), 2 >= all([1,2,NULL]), 0 >= all([1,NULL]), 1 <> any([1,2]), 1 = all([1,1]), 1 = some([1]), 1 > any(select 0)
select a in xs, a not in xs from t
select a = any(xs), a > all(xs), a <> all(xs) from t
select list_has_any([1,NULL],[NULL]), list_has_all([1,NULL],[NULL]), list_has_all([NULL],[1]), list_has_any(['a'],['a','b']), list_intersect([3,1,1,2],[1,3])
select list_extract([1,2],1), list_element(['a'],-1), array_extract([1],2), list_extract('abc',2), list_slice('abc',2,3)
select list_concat([1],[2]), list_concat([1],NULL), [1]||[2]
select [1]||NULL
select NULL::int[] || [1]
select list_append([1],2), list_append(NULL::int[],2), list_append([1],NULL), list_prepend(1,[2]), list_prepend(1,NULL::int[]), list_prepend(NULL,[1])
select list_concat([1],[2],[3]), list_concat([1],[2.5])
select list_sort([3,1,NULL,2]), list_sort([3,1,NULL,2],'DESC'), list_sort([3,1,NULL,2],'ASC','NULLS FIRST'), list_sort([3,1,NULL,2],'DESC','NULLS LAST'), list_reverse_sort([3,1,NULL,2]), list_reverse_sort([3,1,NULL,2],'NULLS LAST'), list_sort(['b','a']), list_sort([[2],[1]]), list_sort(NULL), list_sort([])
select array_sort([3,1,NULL]), array_reverse_sort([3,1,NULL])
select list_sort([3,1,NULL]), list_sort([3,1,NULL],'desc'), list_reverse_sort([3,1,NULL])
select list_aggregate([1,2],'sum'), list_aggregate([1,2],'string_agg','|'), array_aggregate([1,2],'max'), list_aggr([1,2],'min'), aggregate([1,2],'sum')
select flatten([[1,2],[3],NULL,[]]), flatten(NULL::int[][]), flatten([[[1]],[[2]]]), flatten([]), flatten([NULL])
select array_to_string([1,2,NULL],','), array_to_string(['a',NULL,'b'],','), array_to_string([]::int[],','), array_to_string(NULL::int[],','), array_to_string([1,2],NULL), list_string_agg([1,2]), array_to_string([NULL],','), array_to_string([1.5,2],'-')
select string_split('a,b,,c',','), string_split('abc',''), string_split('',','), string_split(NULL,','), string_split('a',NULL), str_split('a b',' '), string_to_array('a,b',','), split('a,b',','), string_split_regex('a1b22c','[0-9]+'), regexp_split_to_array('a1b','[0-9]'), str_split_regex('a b','\s'), string_split('aäbä','ä'), string_split('äöü','')
select list_slice([1,2,3],2,3), array_slice([1,2,3],1,2), list_slice([1,2,3],NULL,2), list_slice([1,2,3],1,NULL), list_slice(NULL::int[],1,2), list_slice([1,2,3,4],1,4,2)
select list_has_any([1,2],[2,3]), list_has_all([1,2],[2]), list_has_all([1,2],[2,3]), [1]&&[1], [1,2] @> [1], [1] <@ [1,2], list_has_any([1],NULL), list_has_any([NULL],[NULL]), list_has_all([1],[NULL]), list_has_all([1],[]), list_has_any([],[])
select list_intersect([1,2,2,3],[2,3,3]), list_intersect([1],NULL::int[]), list_intersect([1,NULL],[NULL])
select range(3), range(1,3), range(5,1,-2), generate_series(1,3), range(NULL), range(1,NULL), range(3,1), range(date '2020-01-01', date '2020-01-03', interval 1 day), generate_series(timestamp '2020-01-01', timestamp '2020-03-01', interval 1 month), range(1,10,0)
select range(1,10,0)
select range(timestamp '2020-01-01', timestamp '2020-01-03', interval 0 day)
select range(date '2020-01-31', date '2020-06-03', interval 1 month), generate_series(date '2020-03-03', date '2020-01-01', interval '-1' month), range(3::tinyint)
select * from range(date '2020-01-01', date '2020-01-03', interval 1 day) r(d)
select * from generate_series(timestamp '2020-01-01', timestamp '2020-01-02', interval 12 hour)
select * from t, generate_series(1,t.a) g(i) where i>2
select * from t, range(t.a) g where a<3
select * from t, unnest(xs) u(x)
select * from t left join unnest(xs) u(x) on true
select * from t left join lateral (select unnest(xs) x) u on x>1
select * from t, unnest(xs) with ordinality u(x,i)
select * from t, lateral unnest(xs) with ordinality
select * from unnest([1,2])
select unnest([1,2]), unnest([3,4,5]), a from t where a<3
select unnest(xs) from t
select unnest(xs)+1 as y, a from t order by y desc nulls last limit 2
select unnest(NULL), unnest([]), 1
select unnest(list(a)) from t
select distinct unnest([1,1,2])
select unnest(xs), row_number() over (order by a) from t
select case when a>1 then unnest(xs) end from t
select a, (select sum(x) from unnest(xs) u(x)) from t
select a, (select list(x*2) from unnest(xs) u(x)) from t
select a from t where 2 in (select unnest(xs))
select a from t where exists (select 1 from unnest(xs) u(x) where x=3)
select unnest(range(3)), unnest(generate_series(1,2))
select * from t, (select unnest(xs)) u(x)
select u.unnest from t, unnest(xs) u
select unnest from t, unnest(xs)
select xs, count(*) from t group by xs order by 1
select distinct xs from t union select [9]
select a, xs[1], xs[-1], xs[k], xs[0], ss[1], n[1][1], n[-1] from t
select a, xs[1:2], xs[k:], xs[:k], xs[k:a], xs[-2:], xs[2:1], xs[a:k:-1], ss[2:], xs[NULL:1] from t
select a, s[1], s[-1], s[k], s[2:3], s[k:], s[:-2], s[-3:-2] from t
select a, len(xs), array_length(ss), length(n), len(s) from t
select a, list_contains(xs, a), list_contains(xs, 1), list_contains(ss,'a'), list_contains(n,[1]), list_contains(d, 'nan'::double), list_contains(xs, NULL), list_contains(xs, 1.0) from t
select a, list_position(xs, 2), list_position(xs, k), list_position(xs, NULL), list_position(ss,'a'), list_position(d, 0.0) from t
select a, a in xs, a not in xs, 1 in xs, k in ys, 'a' in ss from t
select a, 3 in [1,NULL], 3 in (1,NULL), 3 not in [1,NULL], a in [1,2], a in [xs[1], 7], NULL in [1], (a) in [1] from t
select a, a = any(xs), a > any(xs), a <> all(xs), k >= all(xs), k < all(ys), k = all(xs), NULL = any(xs), xs = any(n), 's' = any(ss), a = any([1,2,NULL]) from t
select a from t where a = any(xs) or a in ys
select a, xs || ys, list_concat(xs, ys), xs || [a], list_concat(xs, NULL, ys), ss || ['z'], xs || NULL from t
select a, list_append(xs, a), list_append(xs, k), list_prepend(a, xs), list_append(ss, s), list_append(NULL, a), list_prepend(NULL, xs), list_append(n, xs) from t
select a, list_sort(xs), list_sort(xs,'DESC'), list_sort(xs, 'ASC','NULLS FIRST'), list_reverse_sort(xs), list_sort(ss), list_sort(d), list_sort(n), list_reverse_sort(ss,'NULLS FIRST') from t
select a, list_sort(list_distinct(xs)), list_unique(xs), list_unique(ss), list_sort(list_distinct(d)), list_unique(n) from t
select a, list_reverse(xs), list_reverse(ss), array_reverse(n) from t
select a, list_sum(xs), list_avg(xs), list_min(xs), list_max(xs), list_count(xs), list_first(xs), list_last(xs), list_any_value(xs), list_product(xs) from t
select a, list_sum(d), list_max(d), list_min(d), list_avg(d), list_min(ss), list_max(n), list_min(n) from t where a <> 1
select list_sum([1.25,2.5]), list_avg([1.25,2.5]), list_sum([true]), list_sum([9223372036854775807,9223372036854775807]), list_avg([9223372036854775807,9223372036854775807]), list_bool_and([true,NULL]), list_bool_or([false,NULL]), list_bool_or([]), list_sum([-1,-2])
select a, list_aggregate(xs,'sum'), list_aggregate(ss,'string_agg','|'), array_aggregate(xs,'max'), list_aggr(xs,'count') from t
select a, list_has_any(xs, ys), list_has_all(xs, ys), xs && ys, xs @> ys, ys <@ xs, list_sort(list_intersect(xs, ys)), list_has_any(d, [0.0]) from t
select a, string_split(s, ','), string_split(s, ''), str_split(s, 'x'), string_to_array(s, NULL), split(s,','), string_split(s, s[1]) from t
select a, regexp_split_to_array(s, '[0-9,]'), string_split_regex(s, ','), regexp_extract_all(s, '[a-z]'), regexp_extract_all(s, '([a-z])([0-9]+)', 2), regexp_extract_all(s, '[a-z]*'), regexp_extract_all(s,'([a-z])(x)?',2) from t
select [1,2][1], ['a'][2], [[1]][1][1]
select xs[1] as x, count(*) from t group by xs[1]
select xs[1], count(*) from t group by xs[1]
select a from t order by xs[1] nulls first, a
select [1,2,3,4,5][:-:2], [1,2,3,4,5][2:-:2], [1,2][:-1]
select typeof(list_position([1],1)), typeof(len([1])), typeof(list_avg([1])), typeof(list_count([1])), typeof(list_unique([1])), typeof(list_sum([1.5])), typeof(list_sum([1.5::double])), typeof(list_product([1])), typeof(list_concat([1],[2::bigint])), typeof(list_append([1],2::bigint)), typeof([1] || [1.5])
select list_sort(list_distinct([3,1,2,1,3])), list_sort(list_distinct(['b','a','b',NULL]))
select list_any_value([NULL,NULL]), list_first([]), list_last([1,2]), list_bool_or([NULL,false]), list_bool_and([])
select regexp_split_to_array('a,b;c','[,;]'), regexp_split_to_array('','x'), regexp_split_to_array(NULL,'x'), regexp_split_to_array('a',NULL), regexp_split_to_array('a1','[0-9]')
select a, array_to_string(xs, ','), array_to_string(ss, '-'), list_string_agg(ss), array_to_string(n, ';'), array_to_string(ss, NULL) from t
select list_sum([1,2,NULL]), list_avg([1,2]), list_min([1,2]), list_max(['a','b']), list_count([1,NULL]), list_sum([]), list_count([]), list_count(NULL::int[]), list_sum(NULL::int[]), list_product([2,3]), list_string_agg(['a',NULL,'b'])
select array_unique([1,1]), array_has([1],1), array_contains([1],1), list_has([1],1), list_element([1],1), list_extract([1],1), array_extract([1],1), list_indexof([1],1), array_indexof([1],1), array_position([1],1), contains([1],1), concat([1],[2]), list_cat([1],[2]), array_cat([1],[2])
select a, list_concat(xs, ys), list_concat(xs, NULL), list_concat(NULL::bigint[], NULL::bigint[]) from t
