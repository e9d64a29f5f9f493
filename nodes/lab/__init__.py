"""A laboratory: a mesh on a LAN of network namespaces, on one machine. `python nodes/lab --help` says how it is used by
hand."""

from nodes.lab.mesh import CLIENT, Lab, Node, empty_lab, lab
from nodes.lab.network import LabFailed, Network, lan

__all__ = ["CLIENT", "Lab", "LabFailed", "Network", "Node", "empty_lab", "lab", "lan"]
