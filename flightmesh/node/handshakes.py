"""TLS handshakes that fail: gRPC says so on the process's stderr and nowhere else, so it is read there and logged.

What always holds: what is not gRPC's own chatter comes out of stderr as it went in; a flood of failures makes one line of the
log a second for each reason; what the log itself writes does not go through here.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time

LOG = logging.getLogger(__name__)
VERBOSITY = "GRPC_VERBOSITY"
LEVEL = "INFO"
"""From this level on gRPC says why a handshake failed."""
EVERY_SECONDS = 1.0
MOST_REASONS = 64
_FAILED = re.compile(r"ssl_transport_security\.cc:\d+\] Handshake failed with error (?P<why>.*)")
_OF_GRPC = re.compile(r"^[IWE]\d{4} [0-9:.]+\s+\d+ \S+\.(?:cc|h):\d+\] |^WARNING: All log messages before absl::InitializeLog")
_WORDS = (
    ("peer did not return a certificate", "it showed no certificate"),
    ("certificate has expired", "its certificate has expired"),
    ("certificate is not yet valid", "its certificate is not good yet: do the clocks agree?"),
    ("certificate signature failure", "its certificate is not of this mesh"),
    ("unable to get local issuer", "its certificate is not of this mesh"),
    ("self-signed certificate", "its certificate is not of this mesh"),
    ("self signed certificate", "its certificate is not of this mesh"),
    ("certificate verify failed", "its certificate is not of this mesh"),
    ("wrong version number", "it does not speak TLS"),
    ("http request", "it does not speak TLS"),
    ("unknown ca", "it does not trust this mesh's certificate"),
    ("alert bad certificate", "it does not trust this mesh's certificate"),
)


def words_of(failure: str) -> str:
    """What gRPC says of a failed handshake, for people."""
    lower = failure.lower()
    found = next((words for sign, words in _WORDS if sign in lower), None)
    return found or failure.rpartition("error:")[2].strip() or failure


def log_refused_handshakes() -> None:
    """From now on. To be called once, before the log begins and before the first listener is made."""
    os.environ[VERBOSITY] = LEVEL
    reading, writing = os.pipe()
    real = os.dup(2)
    os.dup2(writing, 2)
    os.close(writing)
    sys.stderr = os.fdopen(os.dup(real), "w", buffering=1, errors="backslashreplace")
    threading.Thread(target=_read, args=(reading, real), name="flightmesh-stderr", daemon=True).start()


def _read(reading: int, real: int) -> None:
    last: dict[str, float] = {}
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            text = line.decode(errors="replace").rstrip("\n")
            failed = _FAILED.search(text)
            if failed is not None:
                words, now = words_of(failed["why"]), time.monotonic()
                if now - last.get(words, 0.0) >= EVERY_SECONDS:
                    LOG.warning("refused a connection: %s", words)
                    last = {**last, words: now} if len(last) < MOST_REASONS else {words: now}
            elif not _OF_GRPC.search(text):
                os.write(real, line)
