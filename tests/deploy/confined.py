"""Runs a command under the restrictions of a unit that the kernel can put on a process: system calls, address families, memory.

Started as a program: `confined.py UNIT COMMAND...`. What always holds: what a unit asks for and this cannot do is an error.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EPERM, EQUAL = 1, 4
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 38, 65
UNKNOWN = -1


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("more", ctypes.c_uint64),
    )


def read_unit(path: Path) -> list[tuple[str, str]]:
    """Its settings, in order; some are there several times."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    return [(key, value) for key, equals, value in (line.partition("=") for line in lines if line[:1] != "#") if equals]


def values(unit: list[tuple[str, str]], key: str) -> list[str]:
    return [value for name, value in unit if name == key]


def allowed_calls(unit: list[tuple[str, str]]) -> set[str]:
    """The system calls of SystemCallFilter, with those that systemd always permits."""
    allowed = set(_calls("@default"))
    for line in values(unit, "SystemCallFilter"):
        named = {call for word in line.removeprefix("~").split() for call in _calls(word)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def _calls(word: str) -> Iterator[str]:
    if not word.startswith("@"):
        yield word
        return
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", word], capture_output=True, text=True, check=True
    ).stdout
    for line in listed.splitlines()[1:]:
        if (name := line.strip()) and not name.startswith("#"):
            yield from _calls(name)


def _require(code: int, what: str) -> None:
    if code < 0:
        sys.exit(f"confined: {what}: {os.strerror(-code)}")


def confine(unit: list[tuple[str, str]]) -> None:
    """This process and all that it starts, from now on."""
    calls = allowed_calls(unit)
    libc, seccomp = ctypes.CDLL(None, use_errno=True), ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    made = ctypes.c_void_p(seccomp.seccomp_init(ERRNO | EPERM))
    for call in sorted(calls - {"socket"}):
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number != UNKNOWN:
            _require(seccomp.seccomp_rule_add_array(made, ALLOW, number, 0, None), call)
    number = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in values(unit, "RestrictAddressFamilies")[0].split():
        wanted = _Comparison(0, EQUAL, getattr(socket, family), 0)
        _require(seccomp.seccomp_rule_add_array(made, ALLOW, number, 1, ctypes.byref(wanted)), family)
    _require(-libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    if values(unit, "MemoryDenyWriteExecute") == ["yes"]:
        _require(libc.prctl(PR_SET_MDWE, 1, 0, 0, 0) and -ctypes.get_errno(), "memory that is written and executed")
    _require(seccomp.seccomp_load(made), "the filter")


if __name__ == "__main__":
    confine(read_unit(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])
