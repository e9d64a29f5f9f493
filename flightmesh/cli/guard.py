"""What went wrong becomes a message on stderr and an exit code.

Handed the body of a command; hands on its result, or ends the process. What always holds: a user sees no traceback, unless
FLIGHTMESH_DEBUG is set, and output that nobody reads any more is no error.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

from flightmesh.cli import collector
from flightmesh.errors import Cancelled, Fault, FlightmeshError, without_secrets

QUERY_FAILED = 1
BUG = 3
CANCELLED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + signal.SIGPIPE

P = ParamSpec("P")
R = TypeVar("R")


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """The command with its failures turned into exit codes."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        collector.resume()
        try:
            result = command(*args, **kwargs)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _discard_stdout()
            raise typer.Exit(BROKEN_PIPE) from None
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends the process at once
            raise typer.Exit(report_cancelled()) from None
        except typer.Exit:
            raise
        except Exception as failure:
            if isinstance(failure, typer.BadParameter):  # it shows what was given
                failure.message = without_secrets(failure.message)
            if _is_usage(failure):
                raise
            raise typer.Exit(report(failure)) from None

    return run


def report(failure: BaseException) -> int:
    """Prints what a person needs to know of `failure` and returns the exit code."""
    if os.environ.get("FLIGHTMESH_DEBUG"):
        traceback.print_exception(failure)
    if isinstance(failure, Cancelled):  # by somebody else: Ctrl-C here is a KeyboardInterrupt
        _print_plain("cancelled", failure.message)
        return QUERY_FAILED
    if isinstance(failure, FlightmeshError):
        print_error(failure)
        return BUG if failure.fault is Fault.INTERNAL else QUERY_FAILED
    if isinstance(failure, OSError):
        where = f": {failure.filename}" if failure.filename else ""
        _print_plain("error", f"{failure.strerror or failure}{where}")
        return QUERY_FAILED
    _print_plain("internal error", f"{type(failure).__name__}: {failure}")
    _print_plain("hint", "this is a bug in flightmesh; FLIGHTMESH_DEBUG=1 shows where it happened")
    return BUG


def report_cancelled() -> int:
    """Says so."""
    print("cancelled", file=sys.stderr)
    return CANCELLED


def print_error(failure: FlightmeshError) -> None:
    """The error with its place, the line with a caret, and the hint; in colour on a terminal."""
    if not sys.stderr.isatty():
        print(f"error: {failure.render()}", file=sys.stderr)
        return
    from rich.console import Console
    from rich.text import Text

    first, *others = failure.render().split("\n")
    text = Text.assemble(("error: ", "bold red"), (first, "bold"))
    for line in others:
        caret = bool(line.strip()) and not line.strip().strip("^")
        style = "bold red" if caret else "cyan" if line.startswith("hint: ") else ""
        text.append("\n").append(line, style)
    Console(stderr=True, highlight=False).print(text, soft_wrap=True)


def _print_plain(label: str, message: str) -> None:
    print(f"{label}: {message}", file=sys.stderr)


def _is_usage(failure: Exception) -> bool:
    """Typer's own errors: it prints them with the usage line and exits 2."""
    return hasattr(failure, "exit_code") and hasattr(failure, "format_message")


def _discard_stdout() -> None:
    """The interpreter flushes stdout when it ends; into a closed pipe that would print a complaint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
