"""What the front end may import: sqlglot's parser and nothing else of it, and that only when a statement comes."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_package_does_not_import_sqlglot() -> None:
    assert _run("import sys, flightmesh.frontend.sql; print('sqlglot' in sys.modules)") == "False"


def test_queries_bind_with_sqlglots_optimizer_and_executor_blocked() -> None:
    code = """
    import sys

    class Blocked:
        # Refuses all of sqlglot that is not its parser; the compiled parser itself imports the optimizer's `scope`.

        def find_spec(self, name, path=None, target=None):
            parts = name.split(".")
            if parts[0] in ("duckdb", "polars", "datafusion") or parts[:2] in (["sqlglot", "executor"], ["sqlglot", "planner"]):
                raise ImportError(f"blocked: {name}")
            if parts[:2] == ["sqlglot", "optimizer"] and parts[2:] not in ([], ["scope"]) and not name.endswith("__mypyc"):
                raise ImportError(f"blocked: {name}")

    sys.meta_path.insert(0, Blocked())
    from flightmesh.catalog.catalog import Catalog
    from flightmesh.frontend.sql import plan_statement
    text = '''with w as (select x, count(*) filter (where x > 1) n from (values (1), (2)) v(x) group by x)
        select *, (select max(n) from w u where u.x < w.x) from w where x in (select n from w) order by 1'''
    print(plan_statement(text, catalog=Catalog()).names[:2])
    """
    assert _run(code) == "('x', 'n')"


def test_files_do_not_import_each_other_in_circles() -> None:
    code = """
    import importlib, sys
    package = "flightmesh.frontend.sql"
    for name in ("operators", "subquery", "aggregate_calls", "table_source", "definitions", "values", "joins", "ordering"):
        for known in [k for k in sys.modules if k.startswith(package)]:
            del sys.modules[known]
        importlib.import_module(f"{package}.{name}")
    print("done")
    """
    assert _run(code) == "done"
