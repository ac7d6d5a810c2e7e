#!/usr/bin/env python3
"""Checks every #include of the tree against layers.txt."""
import re
import sys

from tree import ROOT, files, report, text

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def declarations():
    """(layer -> all layers it may include, third-party prefix -> layers that may include it)"""
    direct, owners = {}, {}
    for line in (ROOT / "tools/lint/layers.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            name, _, below = line.partition(":")
            (owners if name.startswith("<") else direct)[name] = below.split()

    def closure(layer):
        return {layer}.union(*(closure(below) for below in direct.get(layer, [])))

    return {layer: closure(layer) for layer in direct}, owners


def inside(path, folder):
    return path.startswith(folder + "/")


def layer_of(path, layers):
    return max((layer for layer in layers if inside(path, layer)), key=len, default=None)


def resolve(name, includer):
    """The tree's file that `#include "name"` means, as the compiler looks it up; None for a header from elsewhere."""
    for folder in (includer.rpartition("/")[0], "include", "src", ""):
        if (ROOT / folder / name).is_file():
            return (ROOT / folder / name).resolve().relative_to(ROOT).as_posix()
    return None


def main():
    layers, owners = declarations()
    problems = []
    for path in files(".h", ".hpp", ".c", ".cpp"):
        layer = layer_of(path, layers)
        if layer is None:
            problems.append(f"{path}: belongs to no layer of tools/lint/layers.txt")
            continue
        for quote, name in INCLUDE.findall(text(path)):
            target = resolve(name, path) if quote == '"' else None
            if target:
                if not any(inside(target, below) for below in layers[layer]):
                    problems.append(f"{path}: {layer} may not include {target}")
            else:
                for prefix, allowed in owners.items():
                    if name.startswith(prefix[1:]) and not any(inside(path, folder) for folder in allowed):
                        problems.append(f"{path}: only {' and '.join(allowed)} may include <{name}>")
    return report(problems)


if __name__ == "__main__":
    sys.exit(main())
