"""`python nodes/lab up`: the laboratory by hand.

Handed a command line; hands on what was asked for. What always holds: `down` takes everything down that `up` built, whatever
happened since.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from nodes.lab.mesh import CLIENT, MESH, Lab, build, fill, places, remove
from nodes.lab.network import SWITCH, LabFailed, Network, folder_of, namespaces, tags

USE = """\
A LAN of {count} machines: a driver in n1, workers in {workers}; `client` is one without a node.

  {me} run client flightmesh nodes
  {me} run client flightmesh sql --mesh {mesh} "select 42"
  {me} cut n2         pull the cable of n2 out of the switch
  {me} mend n2        put it in again
  {me} logs n1        what the node in n1 writes: {folder}
  {me} down           take everything down
"""


def main() -> int:
    """The exit code."""
    arguments = _parser().parse_args()
    try:
        code: int = arguments.does(arguments)
        return code
    except LabFailed as failure:
        print(f"lab: {failure}", file=sys.stderr)
        return 1


def _up(arguments: argparse.Namespace) -> int:
    network, folder = Network(arguments.tag), folder_of(arguments.tag)
    if network.namespace(SWITCH) in namespaces():
        raise LabFailed(f"it is up already: `{_me(arguments)} down` takes it down")
    names = places(arguments.nodes)
    options = ["--insecure", "--listen", "{address}"] if arguments.insecure else []
    try:
        made = build(network, folder, [*names, CLIENT])
        fill(made, arguments.nodes, arguments.mesh, options, options)
        for place in names[1:]:
            made.nodes[place].wait_said(r"ready, registered")
    except BaseException:
        remove(arguments.tag)
        raise
    print(USE.format(count=len(names), workers=f"n2 to {names[-1]}", me=_me(arguments), folder=folder, mesh=arguments.mesh))
    return 0


def _down(arguments: argparse.Namespace) -> int:
    for tag in tags() if arguments.all else [arguments.tag]:
        remove(tag)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    ran = _lab(arguments).run(arguments.place, *arguments.line, seconds=3600.0)
    print(ran.stdout, end="")
    print(ran.stderr, end="", file=sys.stderr)
    return ran.returncode


def _cut(arguments: argparse.Namespace) -> int:
    _lab(arguments).network.cut(arguments.place)
    return 0


def _mend(arguments: argparse.Namespace) -> int:
    _lab(arguments).network.mend(arguments.place)
    return 0


def _logs(arguments: argparse.Namespace) -> int:
    for log in sorted(_lab(arguments).folder.glob(f"{arguments.place}-*.log")):
        print(log.read_text(errors="replace"), end="")
    return 0


def _lab(arguments: argparse.Namespace) -> Lab:
    network = Network(arguments.tag)
    if network.namespace(arguments.place) not in namespaces():
        raise LabFailed(f"there is no place {arguments.place!r}: `{_me(arguments)} up` builds a laboratory")
    return Lab(network, folder_of(arguments.tag))


def _me(arguments: argparse.Namespace) -> str:
    return f"python nodes/lab{'' if arguments.tag == 'lab' else f' --tag {arguments.tag}'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python nodes/lab", description="A mesh on a LAN of network namespaces. Needs root.")
    parser.add_argument("--tag", default="lab", help="which laboratory, where there are several (default: lab)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="build it and start the nodes")
    up.add_argument("--nodes", type=int, default=3, help="how many machines have a node (default: 3)")
    up.add_argument("--mesh", default=MESH, help="what the mesh is called")
    up.add_argument("--insecure", action="store_true", help="without TLS")
    up.set_defaults(does=_up)
    down = commands.add_parser("down", help="take everything down")
    down.add_argument("--all", action="store_true", help="every laboratory of this machine")
    down.set_defaults(does=_down)
    run = commands.add_parser("run", help="run a program in a place")
    run.add_argument("place")
    run.add_argument("line", nargs=argparse.REMAINDER, metavar="PROGRAM ...")
    run.set_defaults(does=_run)
    for name, does, help in (("cut", _cut, "pull a cable"), ("mend", _mend, "put it in again"), ("logs", _logs, "show logs")):
        command = commands.add_parser(name, help=help)
        command.add_argument("place")
        command.set_defaults(does=does)
    return parser


if __name__ == "__main__":
    sys.exit(main())
