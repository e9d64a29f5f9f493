"""All benchmarks, in the order in which they are told of."""

from __future__ import annotations

from flightmesh.bench.benchmarks.benchmark import Benchmark
from flightmesh.bench.benchmarks.h2o import H2O
from flightmesh.bench.benchmarks.shuffle import SHUFFLE
from flightmesh.bench.benchmarks.small import SMALL
from flightmesh.bench.benchmarks.tpc import TPCDS, TPCH
from flightmesh.bench.benchmarks.wide import WIDE

BENCHMARKS: tuple[Benchmark, ...] = (TPCH, TPCDS, H2O, WIDE, SMALL, SHUFFLE)
