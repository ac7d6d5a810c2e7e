#!/bin/sh
# What ingest and compaction do to those who read: bench/mixed_bench.cpp.
# mixed [--scale N] [--transactions N] [--rounds N] [--seconds N] [--rate N]
set -eu
exec "$(dirname "$0")/../tests/support/as_unprivileged.sh" "$BOUGH_BUILD_DIR/bin/mixed_bench" "$@"
