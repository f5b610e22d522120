#!/usr/bin/python3
"""Checks that every file under src/ includes only what stands on its own floor or below.

usage: layout_test.py [--self-test]
"""

import os
import re
import sys
import tempfile

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# From the ground up. What stands in one line shares a floor.
FLOORS = [
    ["base"],
    ["contract"],
    ["protocol", "service"],
    ["storage"],
    ["node"],
    ["front"],
    ["host"],
    ["lab"],
    ["cli"],
]
HEIGHT = {name: height for height, names in enumerate(FLOORS) for name in names}

# Neighbours on one floor that must not know each other: else a service could depend on a protocol, or the simulated
# host on the real one.
STRANGERS = [
    ["protocol", "service"],
    ["host/world", "host/real", "host/replay", "host/explore"],
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def stranger_of(path, group):
    """The member of a group of strangers that a path below src/ belongs to."""
    for member in group:
        if path.startswith(member + "/"):
            return member
    return None


def resolve(root, path, quote, name):
    """The path below src/ that an include names, or None when it is no header of ours."""
    if quote == '"':
        beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if os.path.exists(os.path.join(root, beside)):
            return beside
    below = os.path.normpath(name)
    if below.split("/")[0] in HEIGHT:
        return below
    return None


def complaints_about(root, path):
    """One line for each include of the file that breaks the layout."""
    floor = path.split("/")[0]
    if floor not in HEIGHT or "/" not in path:
        yield f"src/{path}: stands on no floor; the floors are {', '.join(HEIGHT)}"
        return
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = file.read()
    for match in INCLUDE.finditer(text):
        place = f"src/{path}:{text.count(chr(10), 0, match.start()) + 1}"
        target = resolve(root, path, match[1], match[2])
        if target is None:
            continue
        target_floor = target.split("/")[0]
        if target_floor not in HEIGHT:
            yield f"{place}: includes {match[2]}, which lies outside the floors of src/"
        elif HEIGHT[target_floor] > HEIGHT[floor]:
            yield f"{place}: {floor} must not include {match[2]}, because {target_floor} stands above it"
        for group in STRANGERS:
            mine, its = stranger_of(path, group), stranger_of(target, group)
            if mine and its and mine != its:
                yield f"{place}: {mine} and {its} must not include each other, but {match[2]} is included"


def complaints(root):
    """All complaints about the tree, in order of path."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for file in sorted(files):
            if file.endswith((".c", ".h")):
                yield from complaints_about(root, os.path.relpath(os.path.join(folder, file), root))


def self_test():
    """Every rule must be broken by some tree, and a good tree must pass."""
    header = {"base/a.h": "", "node/n.h": "", "service/kv/kv.h": "", "host/real/r.h": "", "lab/l.h": ""}
    good = {"node/n.c": '#include "base/a.h"\n#include <stdio.h>\n#include "n.h"\n'}
    bad = [
        {"base/b.c": '#include "node/n.h"\n'},
        {"base/b.c": '#  include <node/n.h>\n'},
        {"base/b.c": '#include "../node/n.h"\n'},
        {"protocol/consensus/raft.c": '#include "service/kv/kv.h"\n'},
        {"host/world/w.c": '#include "host/real/r.h"\n'},
        {"host/world/w.h": '#include "lab/l.h"\n'},
        {"misc/m.c": ""},
        {"main.c": ""},
    ]
    for index, tree in enumerate([good] + bad):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**header, **tree}.items():
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            found = list(complaints(root))
            if bool(found) != (index > 0) or len(found) > 1:
                sys.exit(f"layout_test: self-test: {tree} gave {found}")
    print(f"layout_test: self-test: {len(bad)} bad trees were noticed")


def main():
    if "--self-test" in sys.argv[1:]:
        self_test()
        return
    found = list(complaints(os.path.join(SOURCE, "src")))
    for line in found:
        print(line)
    if found:
        sys.exit(f"layout_test: {len(found)} broken rules")


if __name__ == "__main__":
    main()
