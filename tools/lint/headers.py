#!/usr/bin/env python3
"""Every header must include what it needs. Where a source file includes it first, the build has shown that; the others are compiled by
themselves here. Headers in proto/ must be C as well as C++; those of the extension follow Postgres's rule that postgres.h came
first."""
import concurrent.futures
import os
import re
import subprocess
import sys

from tree import ROOT, files, report, text

INCLUDES = [f"-I{ROOT}/include", f"-I{ROOT}/src", f"-I{ROOT}", "-isystem/usr/include/postgresql"]
CXX = ["g++", "-std=c++20", "-x", "c++", *INCLUDES]
C = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-x", "c", *INCLUDES]


def first_include(source):
    """The path of the tree's header that a source file includes before anything else."""
    included = [name for name in re.findall(r'^\s*#\s*include\s*["<]([^">]+)', text(source), re.M) if name != "postgres.h"]
    for folder in (os.path.dirname(source), "include", "src", ""):
        path = os.path.join(folder, included[0]) if included else ""
        if path and (ROOT / path).is_file():
            return os.path.normpath(path)
    return None


def compilers(header):
    if header.startswith("compute/extension/"):
        server = subprocess.run(["/usr/lib/postgresql/15/bin/pg_config", "--includedir-server"], capture_output=True, text=True,
                                check=True).stdout.strip()
        return [[*C, f"-isystem{server}", "-include", "postgres.h"]]
    return [CXX, C] if header.startswith("proto/") else [CXX]


def check(header):
    problems = []
    for compiler in compilers(header):
        done = subprocess.run([*compiler, "-fsyntax-only", "-Wall", "-Wextra", "-"], input=f'#include "{ROOT / header}"\n',
                              capture_output=True, text=True)
        if done.returncode != 0:
            problems.append(f"{header}: does not compile by itself\n{done.stderr[:2000]}")
    return problems


def main():
    shown = {first_include(source) for source in files(".c", ".cpp")}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return report([problem for problems in pool.map(check, [h for h in files(".h", ".hpp") if h not in shown])
                       for problem in problems])


if __name__ == "__main__":
    sys.exit(main())
