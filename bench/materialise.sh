#!/bin/sh
# Every page at the end of a log beside stock crash recovery of the same log: bench/materialise_bench.cpp.
# materialise [--scale N] [--transactions N] [--rounds N]
set -eu
exec "$(dirname "$0")/../tests/support/as_unprivileged.sh" "$BOUGH_BUILD_DIR/bin/materialise_bench" "$@"
