#!/usr/bin/env python3
"""What must not stay in the tree: notes of unfinished work, paths of one machine, and file names that say nothing."""
import re
import sys

from tree import ROOT, files, report, text

UNFINISHED = re.compile(r"\b(FIX" r"ME|TO" r"DO|XX" r"X)\b")
# The folder this working tree happens to lie in, and anybody's home.
PLACES = re.compile("|".join([r"/ho" r"me/\w+/", r"(?<![\w.$])/ro" r"ot/"] +
                             ([re.escape(str(ROOT.parent)) + "/"] if len(ROOT.parts) > 2 and str(ROOT.parent) not in ("/tmp", "/var/tmp") else [])))
EMPTY_NAMES = re.compile(r"(^|[/_.-])(utils?|helpers?|managers?|misc)([/_.-]|$)")


def main():
    problems = []
    for name in files():
        if EMPTY_NAMES.search(name) and not name.endswith(".md"):
            problems.append(f"{name}: name the thing, not \"util\", \"helper\", \"manager\" or \"misc\"")
        for number, line in enumerate(text(name).splitlines(), 1):
            if UNFINISHED.search(line):
                problems.append(f"{name}:{number}: unfinished: {line.strip()[:100]}")
            if PLACES.search(line) and name != "LICENSE":
                problems.append(f"{name}:{number}: a path of one machine: {line.strip()[:100]}")
    return report(problems)


if __name__ == "__main__":
    sys.exit(main())
