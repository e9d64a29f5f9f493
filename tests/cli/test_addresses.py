"""Where a node listens, as people write it."""

from __future__ import annotations

import pytest
import typer

from flightmesh.cli.addresses import listen_uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        (None, "grpc://127.0.0.1:7"),
        ("127.0.0.1", "grpc://127.0.0.1:7"),
        ("127.0.0.1:9", "grpc://127.0.0.1:9"),
        ("localhost:0", "grpc://localhost:0"),
        ("[::1]:9", "grpc://[::1]:9"),
    ],
)
def test_a_host_with_or_without_a_port(text: str | None, uri: str) -> None:
    assert listen_uri(text, True, 7) == uri


@pytest.mark.parametrize("text", ["9700", "127.0.0.1:", ":9700", "127.0.0.1:70000", "0.0.0.0:9700", "256.1.1.1", "10.1:9"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"HOST:PORT|no address|neither an address"):
        listen_uri(text, True)
