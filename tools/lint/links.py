#!/usr/bin/env python3
"""Every relative link in a Markdown file leads to a file of the tree, and its #anchor to a heading there. So does every path in
backticks that begins with a top-level folder and ends in a file's suffix, and every test_name in backticks."""
import functools
import os
import re
import sys

from tree import ROOT, files, report, text

LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
NAMED_FILE = re.compile(r"`((?:docs|src|include|proto|tools|tests|bench|cmake|docker|packaging|pageserver|safekeeper|compute|control|cli)"
                        r"/[\w./-]+\.(?:md|hpp|h|cpp|c|py|sh|txt|cmake|yaml))`")
NAMED_TEST = re.compile(r"`(test_\w+)`")
FENCE = re.compile(r"^\s*```.*?^\s*```", re.M | re.S)


@functools.cache
def anchors(name):
    """The anchors of a file's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", FENCE.sub("", text(name)), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def main():
    problems = []
    tests = {test for name in files(".py") if "test" in name.rsplit("/", 1)[-1] for test in re.findall(r"def (test_\w+)", text(name))}
    for name in files(".md"):
        content = FENCE.sub("", text(name))
        folder = os.path.dirname(name)
        for target in LINK.findall(content):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            resolved = os.path.normpath(os.path.join(folder, path)) if path else name
            if not (ROOT / resolved).exists():
                problems.append(f"{name}: a link leads nowhere: {target}")
            elif anchor and resolved.endswith(".md") and anchor not in anchors(resolved):
                problems.append(f"{name}: {resolved} has no heading #{anchor}")
        for path in NAMED_FILE.findall(content):
            if not (ROOT / path).exists() and not (ROOT / folder / path).exists():
                problems.append(f"{name}: names a file that is not there: {path}")
        problems += [f"{name}: names a test that is not there: {test}" for test in NAMED_TEST.findall(content) if test not in tests]
    return report(problems)


if __name__ == "__main__":
    sys.exit(main())
