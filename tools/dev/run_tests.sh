# shellcheck shell=bash
# Runs the fast tests of a build and ends with one line: "N passed, N failed". Sourced by ./dev; needs $root and fail().
#
# ctest runs them all: GoogleTest programs, and files of pytest. Both leave reports of their cases in build/<preset>/test-results.

# run_tests PRESET [-k PATTERN]...
run_tests() {
    local preset=$1 patterns=() build results status=0
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        -k) patterns+=("${2:?-k wants a pattern}") && shift 2 ;;
        -k*) patterns+=("${1#-k}") && shift ;;
        *) fail "test: unknown argument $1" "usage: ./dev test [-k PATTERN]..." ;;
        esac
    done
    build=$(cd "$root/build/$preset" && pwd -P)
    results=$build/test-results
    rm -rf "$results"
    mkdir -p "$results/gtest" "$results/pytest"
    chmod 1777 "$results/gtest" # unit tests that run Postgres do so as an unprivileged user

    local which=(--label-exclude slow)
    [ ${#patterns[@]} = 0 ] || which+=(--tests-regex "$(matching_tests "$build" "${patterns[@]}")")
    GTEST_OUTPUT="xml:$results/gtest/" ctest --test-dir "$build" "${which[@]}" --output-on-failure --parallel "$(nproc)" \
        --output-junit "$results/ctest.xml" --test-output-truncation head || status=1
    /usr/bin/python3 "$root/tools/dev/test_totals.py" "$results" "$status"
}

# matching_tests BUILD PATTERN...: a regular expression for the ctest tests whose names match or, where there is none, for those with
# a case of such a name.
matching_tests() {
    local build=$1 pattern
    shift
    pattern=$(IFS='|' && echo "$*")
    # No grep -q: it stops reading at the first match, and a writer that dies of that fails the pipe.
    if ctest --test-dir "$build" --show-only --tests-regex "$pattern" | grep 'Test *#' > /dev/null; then
        echo "$pattern"
        return
    fi
    local found program
    found=$(
        for program in "$build"/tests/*_test; do
            if "$program" --gtest_list_tests | grep -E "$pattern" > /dev/null; then basename "$program"; fi
        done
        grep -rlE "def test_\w*($pattern)" --include='*_test.py' "$root/tests" | sed -E 's,.*/(.*)_test\.py$,e2e_\1,'
    )
    [ -n "$found" ] || fail "no test has a name with $pattern"
    echo "^($(echo "$found" | paste -s -d '|'))\$"
}
