#!/bin/sh
# Single pages, random ones, of several kinds of history: bench/getpage_bench.cpp.
# getpage [--pages N] [--requests N] [--rounds N] [--only KIND]
set -eu
exec "$(dirname "$0")/../tests/support/as_unprivileged.sh" "$BOUGH_BUILD_DIR/bin/getpage_bench" "$@"
