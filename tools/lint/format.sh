#!/usr/bin/env bash
# Lays out C++ by .clang-format: format.sh [--check] [--all | FILE...]. Without files: those that differ from the last commit.
# C follows Postgres's own layout and is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
git() { command git -c 'safe.directory=*' "$@"; }

mode=(-i) files=()
all=no
for argument in "$@"; do
    case $argument in
    --check) mode=(--dry-run --Werror) ;;
    --all) all=yes ;;
    -*) echo "usage: ./dev fmt [--check] [--all | FILE...]" >&2 && exit 2 ;;
    *) files+=("$argument") ;;
    esac
done
if [ $all = yes ]; then
    mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp')
elif [ ${#files[@]} = 0 ]; then
    mapfile -t files < <(git diff --name-only --diff-filter=d HEAD -- '*.cpp' '*.hpp' &&
        git ls-files --others --exclude-standard '*.cpp' '*.hpp')
fi
[ ${#files[@]} -gt 0 ] || exit 0
clang-format-14 "${mode[@]}" "${files[@]}"
