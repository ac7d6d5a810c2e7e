#!/usr/bin/env bash
# Depth: what a page costs through 1, 10, 100 and 500 ancestors.
set -euo pipefail
exec "$BOUGH_BUILD_DIR/bin/depth_bench" "$@"
