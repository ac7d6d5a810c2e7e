# shellcheck shell=bash
# Runs the fuzz targets one after another. Sourced by ./dev; needs $root, say(), fail() and build().
#
# A target's corpus stays in build/fuzz/corpus/NAME from run to run and begins with the seeds in tests/fuzz/corpus/, where there are
# any; an input that makes it crash, hang or swell is kept in build/fuzz/crashes.

# run_fuzz [NAME]... [--seconds N]
run_fuzz() {
    local names=() seconds=60 name
    while [ $# -gt 0 ]; do
        case $1 in
        --seconds) seconds=${2:?--seconds wants a number} && shift 2 ;;
        --seconds=*) seconds=${1#*=} && shift ;;
        -*) fail "fuzz: unknown argument $1" "usage: ./dev fuzz [NAME]... [--seconds N]" ;;
        *) names+=("$1") && shift ;;
        esac
    done
    build fuzz fuzz_targets
    local programs=$root/build/fuzz/fuzz crashes=$root/build/fuzz/crashes
    if [ ${#names[@]} = 0 ]; then
        for name in "$programs"/*; do
            if [ -f "$name" ] && [ -x "$name" ]; then names+=("${name##*/}"); fi
        done
    fi
    [ ${#names[@]} -gt 0 ] || fail "there is no fuzz target"

    mkdir -p "$crashes"
    local failed=() seeds
    for name in "${names[@]}"; do
        [ -x "$programs/$name" ] || fail "there is no fuzz target $name" "known: $(cd "$programs" && echo ./* | sed 's,\./,,g')"
        mkdir -p "$root/build/fuzz/corpus/$name"
        seeds=()
        if [ -d "$root/tests/fuzz/corpus/${name%_fuzz}" ]; then seeds=("$root/tests/fuzz/corpus/${name%_fuzz}"); fi
        say "fuzz: $name for $seconds seconds"
        "$programs/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=3000 -print_final_stats=1 -verbosity=1 \
            -artifact_prefix="$crashes/$name-" "$root/build/fuzz/corpus/$name" "${seeds[@]}" || failed+=("$name")
    done
    [ ${#failed[@]} = 0 ] || fail "crashed: ${failed[*]}" "the inputs are in $crashes; run build/fuzz/fuzz/NAME FILE"
    say "${#names[@]} fuzz targets ran clean for $seconds seconds each"
}
