#!/usr/bin/python3
"""Checks that every header compiles alone: include/ as strict C99 and as C++17, src/ as C17.

A header that compiles only after another one makes the order of includes matter. The public ones are for users'
compilers, so they must be clean in both languages. usage: headers_test.py [--self-test]
"""

import concurrent.futures
import os
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMPILER = os.environ.get("CC", "gcc")

WARNINGS = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
PUBLIC = [
    ["-x", "c", "-std=c99", "-pedantic-errors", "-Wstrict-prototypes"],
    ["-x", "c++", "-std=c++17", "-pedantic-errors"],
]
PRIVATE = [["-x", "c", "-std=c17", "-Wpedantic", "-Wstrict-prototypes", "-D_DEFAULT_SOURCE"]]


def headers_below(folder):
    for place, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            if file.endswith(".h"):
                yield os.path.join(place, file)


def languages_here(languages):
    """Without a C++ compiler, which building lockstep does not need, only C is checked."""
    probe = subprocess.run([COMPILER, "-x", "c++", "-fsyntax-only", "-"], input="", capture_output=True, text=True)
    return [flags for flags in languages if probe.returncode == 0 or "c++" not in flags]


def compile_alone(root, header, flags):
    """Compiles a file that holds nothing but the include, twice, since headers must guard themselves. Returns the
    complaint, or None."""
    text = f'#include "{header}"\n#include "{header}"\n'
    command = [COMPILER, *flags, *WARNINGS, f"-I{root}/src", f"-I{root}/include", "-"]
    run = subprocess.run(command, input=text, capture_output=True, text=True)
    if run.returncode == 0:
        return None
    name = os.path.relpath(header, root)
    return f"{name} does not compile alone ({' '.join(flags)}):\n{run.stderr}"


def complaints(root):
    public = languages_here(PUBLIC)
    jobs = [(header, flags) for header in headers_below(f"{root}/include") for flags in public]
    jobs += [(header, flags) for header in headers_below(f"{root}/src") for flags in PRIVATE]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: compile_alone(root, *job), jobs))
    return [result for result in results if result], len(jobs)


def self_test():
    """Headers that lean on others, that are no C99 or no C++, must be noticed; good ones must not."""
    guard = "#ifndef CASE_H\n#define CASE_H\n{}\n#endif\n"
    good = {"include/case.h": guard.format("#include <stddef.h>\nsize_t f(void *p);"),
            "src/base/case.h": guard.format("#include <stdint.h>\n_Static_assert(sizeof(uint8_t) == 1, \"\");")}
    bad = [
        {"src/base/case.h": guard.format("uint64_t f(void);")},
        {"src/base/case.h": "struct twice { int x; };\n"},
        {"include/case.h": guard.format("_Static_assert(1, \"no C99\");")},
        {"include/case.h": guard.format("int f(int class);")},
    ]
    for index, tree in enumerate([good] + bad):
        with tempfile.TemporaryDirectory() as root:
            for path, text in tree.items():
                os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            found, _ = complaints(root)
            # The last case is wrong only in C++, so it shows nothing where there is no C++ compiler.
            only_in_cpp = index == len(bad)
            expected = index > 0 and not (only_in_cpp and len(languages_here(PUBLIC)) == 1)
            if bool(found) != expected:
                sys.exit(f"headers_test: self-test: {tree} gave {found}")
    print(f"headers_test: self-test: {len(bad)} bad headers were noticed")


def main():
    if "--self-test" in sys.argv[1:]:
        self_test()
        return
    found, count = complaints(SOURCE)
    for text in found:
        print(text)
    if found:
        sys.exit(f"headers_test: {len(found)} headers do not compile alone")
    print(f"headers_test: compiled {count} times")


if __name__ == "__main__":
    main()
