#!/usr/bin/env python3
"""Compiles every header of the tree by itself: each must include what it needs. Headers in proto/ must be C as well as C++, those
of the extension follow Postgres's rule that postgres.h came first."""
import concurrent.futures
import os
import subprocess
import sys

from tree import ROOT, files, report

INCLUDES = [f"-I{ROOT}/include", f"-I{ROOT}/src", f"-I{ROOT}", "-isystem/usr/include/postgresql"]
CXX = ["g++", "-std=c++20", "-x", "c++", *INCLUDES]
C = ["gcc", "-std=gnu11", "-x", "c", *INCLUDES]


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
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return report([problem for problems in pool.map(check, files(".h", ".hpp")) for problem in problems])


if __name__ == "__main__":
    sys.exit(main())
