#!/bin/sh
# Redo of single pages by both engines beside a pipe round trip: bench/redo_bench.cpp.
set -eu
exec "$(dirname "$0")/../tests/support/as_unprivileged.sh" "$BOUGH_BUILD_DIR/bin/redo_bench" "$@"
