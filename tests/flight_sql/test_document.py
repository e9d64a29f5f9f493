"""docs/flight-sql.md: its example as a program of its own, and the commands that it lists."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

from flightmesh.protocol import flight_sql as messages
from tests.node.loopback import Loopback

TEXT = (Path(__file__).parents[2] / "docs" / "flight-sql.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"<!-- example -->\n```python\n(.*?)```\n<!-- end -->", re.DOTALL)


def test_the_example_runs_without_flightmesh(mesh: Loopback, tmp_path: Path) -> None:
    found = EXAMPLE.search(TEXT)
    assert found is not None
    program = found[1].replace("grpc://127.0.0.1:8815", mesh.driver.client_uri)
    assert program != found[1]
    checked = f"{program}\nimport sys\nassert not [name for name in sys.modules if name.startswith('flightmesh')]\n"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", checked],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    first, *middle, last = ran.stdout.splitlines()
    assert ast.literal_eval(first) == [{"customer": "ann", "total": 99.0}, {"customer": "bob", "total": 7.25}]
    assert "line 1, column 8" in middle[0]
    assert "hint: did you mean customer?" in middle[-1]
    assert ast.literal_eval(last) == ["id", "customer", "total"]


def test_every_command_is_documented() -> None:
    documented = set(re.findall(r"`(Command\w+)`", "\n".join(line for line in TEXT.splitlines() if line.startswith("| `"))))
    assert documented == {name for name in vars(messages) if name.startswith("Command") and name != "Command"}
