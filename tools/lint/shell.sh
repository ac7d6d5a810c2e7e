#!/usr/bin/env bash
# Runs shellcheck over every shell script (files that ./dev sources are checked as part of it), and a syntax check of every Python file.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
status=0
mapfile -t tracked < <(git -c 'safe.directory=*' ls-files --cached --others --exclude-standard | while read -r f; do [ -f "$f" ] && echo "$f"; done)
scripts=()
for file in "${tracked[@]}"; do
    if head -c 30 "$file" | head -n 1 | tr -d "\0" | grep -E '^#!.*\b(ba)?sh\b' > /dev/null; then scripts+=("$file"); fi
done
shellcheck --external-sources "${scripts[@]}" || status=1
for file in "${tracked[@]}"; do
    if [[ $file == *.py ]]; then
        /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" || status=1
    fi
done
exit $status
