"""A node that another process started: the command line, ended when its parent is gone.

Started as `python -m flightmesh.cli.child --parent-pipe FD ARGUMENTS...`, with the reading end of a pipe whose other end
only the parent holds. What always holds: when the parent ends, however it does, the system closes the pipe, and this process
ends too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

OPTION = "--parent-pipe"
IN_ORDER_SECONDS = 3.0
AT_ONCE_SECONDS = 2.0


def main() -> None:
    """Watches the pipe and runs the command line."""
    if len(sys.argv) < 3 or sys.argv[1] != OPTION or not sys.argv[2].isdigit():
        sys.exit(f"usage: python -m flightmesh.cli.child {OPTION} FD ARGUMENTS...")
    pipe = int(sys.argv[2])
    threading.Thread(target=_end_with_parent, args=(pipe,), name="flightmesh-parent", daemon=True).start()
    sys.argv[1:] = sys.argv[3:]
    from flightmesh.cli.main import main as run

    run()


def _end_with_parent(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    never = threading.Event()
    os.kill(os.getpid(), signal.SIGTERM)  # in order,
    never.wait(IN_ORDER_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)  # then at once: what a node leaves on the disk still goes,
    never.wait(AT_ONCE_SECONDS)
    os._exit(1)  # then without asking


if __name__ == "__main__":
    main()
