#!/usr/bin/env python3
"""Adds up what ctest, GoogleTest and pytest reported: test_totals.py RESULTS_DIRECTORY STATUS

Names every failed and every skipped test, ends with the line "N passed, N failed" and exits with 1 unless all is well: no failure,
STATUS (of the run itself) 0, and at least one test run.
"""
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    """The outcome of one <testcase>, in the dialect of any of the three."""
    if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
        return "failed"
    reason = case.find("skipped")
    if reason is not None and "Unable to find executable" in reason.get("message", ""):
        return "failed"  # ctest: it was not built
    if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled") or case.get("result") == "skipped":
        return "skipped"
    return "passed"


def report_of(path):
    """The <testcase> elements of a report; none if it was never written, or not to its end."""
    try:
        return list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []


def reported_cases(path):
    """(name, outcome) of each case in a report of GoogleTest or pytest."""
    for case in report_of(path):
        yield f"{case.get('classname')}.{case.get('name')}", outcome(case)


def summarised_cases(output):
    """The same from the last line of a pytest that wrote no report, such as "2 failed, 8 passed, 1 skipped in 3.21s"."""
    lines = [line for line in (output or "").strip().splitlines() if re.search(r"\d+ \w+.* in [\d.]+s", line)]
    for count, what in re.findall(r"(\d+) (passed|failed|errors?|skipped)", lines[-1] if lines else ""):
        yield from ((f"case {number + 1} {what}", "failed" if what.startswith("error") else what) for number in range(int(count)))


def all_cases(results):
    """ctest knows programs, GoogleTest and pytest the cases in them. A program that failed counts as a failure even when its cases, if
    it told of any, show none: it crashed, or was killed."""
    for program in report_of(results / "ctest.xml"):
        name, program_outcome = program.get("name"), outcome(program)
        inner = [case for framework in ("gtest", "pytest") for case in reported_cases(results / framework / f"{name}.xml")]
        inner = inner or list(summarised_cases(program.findtext("system-out")))
        yield from ((f"{name}: {case}", what) for case, what in inner)
        if not inner or (program_outcome == "failed" and all(what != "failed" for _, what in inner)):
            yield name, program_outcome


def main():
    results, status = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    names = {"passed": [], "failed": [], "skipped": []}
    for name, what in all_cases(results):
        names[what].append(name)

    for what in ("skipped", "failed"):
        for name in names[what]:
            print(f"{what}: {name}")
    nothing_ran = not names["passed"] and not names["failed"]
    if nothing_ran:
        print("no test ran")
    elif status and not names["failed"]:
        print("the test run ended badly without naming a failed test; see above")
    print(f"{len(names['passed'])} passed, {len(names['failed'])} failed")
    return 1 if status or names["failed"] or nothing_ran else 0


if __name__ == "__main__":
    sys.exit(main())
