# shellcheck shell=bash
# Runs the fast tests of a build and ends with one line: "N passed, N failed". Sourced by ./dev; needs $root and fail().

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
    mkdir -p "$results/gtest"
    chmod 1777 "$results/gtest" # unit tests that run Postgres do so as an unprivileged user

    # ctest's patterns are regular expressions, pytest's are expressions over names.
    local ctest_filter=() pytest_filter=() IFS='|'
    if [ ${#patterns[@]} -gt 0 ]; then
        ctest_filter=(-R "${patterns[*]}")
        pytest_filter=(-k "$(printf ' or %s' "${patterns[@]}" | cut -c 5-)")
    fi
    unset IFS

    GTEST_OUTPUT="xml:$results/gtest/" ctest --test-dir "$build" --label-exclude 'slow|e2e' "${ctest_filter[@]}" \
        --output-on-failure --parallel "$(nproc)" --output-junit "$results/ctest.xml" || status=1
    (cd "$root/tests" && BOUGH_BUILD_DIR=$build PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -m 'not slow' \
        "${pytest_filter[@]}" --junitxml "$results/pytest.xml") || {
        # 5: no test has that name.
        [ $? = 5 ] && [ ${#patterns[@]} -gt 0 ] || status=1
    }
    /usr/bin/python3 "$root/tools/dev/test_totals.py" "$results" "$status"
}
