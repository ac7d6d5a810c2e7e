#!/usr/bin/env python3
"""Adds up what ctest, GoogleTest and pytest reported: test_totals.py RESULTS_DIRECTORY STATUS

Names every failed and every skipped test, ends with the line "N passed, N failed" and exits with 1 unless all is well: no failure,
STATUS (of the runs themselves) 0, and at least one test run.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    """The outcome of one <testcase>, in the dialect of any of the three."""
    if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
        return "failed"
    if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled") or case.get("result") == "skipped":
        return "skipped"
    return "passed"


def cases(path):
    """(name, outcome) of each test in a report; nothing if there is no report."""
    if path.exists() and path.stat().st_size > 0:
        for case in ElementTree.parse(path).iter("testcase"):
            names = [case.get("classname"), case.get("name")]
            yield ".".join(dict.fromkeys(name for name in names if name)), outcome(case)


def all_cases(results):
    """ctest knows programs, GoogleTest and pytest the cases in them. A program that failed counts as a failure even when its report,
    if there is one at all, shows none: it crashed, or was killed."""
    for program, program_outcome in cases(results / "ctest.xml"):
        reports = [results / framework / f"{program}.xml" for framework in ("gtest", "pytest")]
        inner = [(f"{program}: {name}", what) for report in reports for name, what in cases(report)]
        yield from inner
        if not inner or (program_outcome == "failed" and all(what != "failed" for _, what in inner)):
            yield program, program_outcome


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
        print("a test run ended badly without naming a failed test; see above")
    print(f"{len(names['passed'])} passed, {len(names['failed'])} failed")
    return 1 if status or names["failed"] or nothing_ran else 0


if __name__ == "__main__":
    sys.exit(main())
