#!/usr/bin/env bash
# Checks the systemd units: their syntax and references (systemd-analyze verify), and that their exposure stays low (systemd-analyze
# security). Programs are replaced by one that exists, since Bough need not be built or installed for this.
set -uo pipefail
cd "$(dirname "$0")/../../packaging/systemd" || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for unit in *; do
    sed -E 's,^ExecStart=\S+,ExecStart=/bin/true,' "$unit" >"$scratch/$unit"
done
cd "$scratch" || exit 1
status=0
complaints=$(SYSTEMD_UNIT_PATH="$scratch:" systemd-analyze verify --man=no --recursive-errors=one \
    bough.target bough-pageserver.service bough-control.service bough-safekeeper@1.service 2>&1) || status=1
# Anything said about our units is a fault of theirs; what is said of the machine's own is not ours to mend.
if complaints=$(grep bough <<<"$complaints"); then
    echo "$complaints"
    status=1
fi
# Exposure runs from 0 (closed) to 100 (open).
for unit in bough-pageserver bough-control bough-safekeeper@; do
    systemd-analyze security --no-pager --offline=true --threshold=25 "$scratch/$unit.service" >"$scratch/report" 2>&1 || {
        tail -n 1 "$scratch/report"
        status=1
    }
done
exit $status
