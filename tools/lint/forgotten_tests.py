#!/usr/bin/env python3
"""A *_test.cpp or *_fuzz.cpp that no CMakeLists.txt names would never run."""
import re
import sys

from tree import files, report, text


def main():
    named = {(build.rpartition("/")[0], word) for build in files("CMakeLists.txt") for word in re.findall(r"[\w./-]+\.cpp", text(build))}
    built = {f"{folder}/{word}".lstrip("/") for folder, word in named}
    return report([f"{test}: is in no CMakeLists.txt, so it never runs"
                   for test in files("_test.cpp", "_fuzz.cpp") if test not in built])


if __name__ == "__main__":
    sys.exit(main())
