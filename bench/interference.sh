#!/bin/sh
# What others' load does to those who read a branch: bench/interference_bench.cpp.
# interference [--rounds N] [--seconds N] [--rate N] [--load-reads N] [--load-wal N]
set -eu
exec "$(dirname "$0")/../tests/support/as_unprivileged.sh" "$BOUGH_BUILD_DIR/bin/interference_bench" "$@"
