#!/usr/bin/env python3
"""A *_test.cpp or *_fuzz.cpp that no CMakeLists.txt names would never run."""
import re
import sys

from tree import files, report, text


def named_sources(build):
    """The sources that a CMakeLists.txt names, as a list of regular expressions over paths: a variable stands for any word."""
    folder = build.rpartition("/")[0]
    for word in re.findall(r"[^\s()\"]+\.cpp", text(build)):
        path = word.replace("${CMAKE_CURRENT_SOURCE_DIR}/", "")
        if path.startswith("${CMAKE_SOURCE_DIR}/"):
            path = path.removeprefix("${CMAKE_SOURCE_DIR}/")
        else:
            path = f"{folder}/{path}".lstrip("/")
        yield r"\w+".join(re.escape(part) for part in re.split(r"\$\{\w+\}", path))


def main():
    named = [re.compile(pattern) for build in files("CMakeLists.txt") for pattern in named_sources(build)]
    return report([f"{test}: is in no CMakeLists.txt, so it never runs" for test in files("_test.cpp", "_fuzz.cpp")
                   if not any(pattern.fullmatch(test) for pattern in named)])


if __name__ == "__main__":
    sys.exit(main())
