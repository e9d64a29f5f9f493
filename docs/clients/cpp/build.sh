#!/bin/sh
# Builds client.cc against the headers and libraries of a pyarrow wheel: build.sh [PYTHON] [OUTPUT]
set -eu
python="${1:-python3}"
include="$("$python" -c 'import pyarrow; print(pyarrow.get_include())')"
libraries="$("$python" -c 'import pyarrow; print(pyarrow.get_library_dirs()[0])')"
exec g++ -std=c++20 -O1 -pthread -I"$include" "$(dirname "$0")/client.cc" -o "${2:-client}" \
    "$libraries"/libarrow_flight.so.* "$libraries"/libarrow.so.* -Wl,-rpath,"$libraries"
