#!/usr/bin/python3
"""Checks by their symbols that the cores are pure.

A protocol or a service may call only what cannot reach the world outside its member: the functions of memory and
strings in ALLOWED, other cores, the contract, and base without its door to the system. None of these may have a
writable global either. usage: purity_test.py [--self-test]
"""

import os
import re
import subprocess
import sys
import tempfile

BUILD = os.environ.get("LOCKSTEP_BUILD", "build")
COMPILER = os.environ.get("CC", "gcc")

CORES = ["protocol", "service"]
BELOW = ["contract", "base"]

# Objects of base that are not for cores: memory from the system, and the way a broken invariant stops the process.
# Of the latter, cores may call panic_at, which never comes back.
IMPURE_OBJECTS = {"heap_system.c.o", "panic.c.o"}

# What any core may need from outside. The compiler calls the memory functions by itself, and those after them are its
# own helpers: for the stack protector, for position-independent code, and for arithmetic on wide integers.
ALLOWED = {
    "memcpy", "memmove", "memset", "memcmp", "memchr", "strlen", "strcmp",
    "panic_at",
    "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
    "__udivti3", "__umodti3", "__divti3", "__modti3", "__multi3", "__popcountdi2",
}

# What only the named object may need: a pure function of ISA-L.
ALLOWED_FOR = {"crc32c.c.o": {"crc32_iscsi"}}

WRITABLE_TYPES = set("DdBbCGgSs")


class Object:
    """The symbols of one object file."""

    def __init__(self, name):
        self.name = name
        self.defined = set()
        self.undefined = set()
        self.writable = set()


def read_objects(archive):
    """The objects of an archive, or one object file, by nm."""
    run = subprocess.run(["nm", "--format=sysv", archive], check=True, capture_output=True, text=True)
    objects = []
    for line in run.stdout.splitlines():
        heading = re.match(r"(?:Undefined symbols|Symbols) from (?:.*\[)?([^\]]+?)\]?:$", line)
        if heading:
            objects.append(Object(os.path.basename(heading[1])))
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 7 or fields[0] == "Name":
            continue
        name, kind, section = fields[0], fields[2], fields[6]
        if kind in "Uwv":
            objects[-1].undefined.add(name)
            continue
        if kind.isupper():
            objects[-1].defined.add(name)
        # Constants with pointers in them are relocated once, before main, and read-only from then on.
        if kind in WRITABLE_TYPES and not section.startswith(".data.rel.ro"):
            objects[-1].writable.add(name)
    return objects


def complaints(archives):
    """One line for each symbol that is not allowed. `archives` maps a module's name to its archive."""
    objects = {module: read_objects(path) for module, path in archives.items()}
    pure = [(module, each) for module, list_ in objects.items() for each in list_
            if not (module == "base" and each.name in IMPURE_OBJECTS)]
    provided = set().union(*(each.defined for _, each in pure)) if pure else set()
    for module, each in pure:
        place = f"{module}: {each.name}"
        for name in sorted(each.undefined - provided - ALLOWED - ALLOWED_FOR.get(each.name, set())):
            yield f"{place} needs {name}, which a core must not call"
        for name in sorted(each.writable):
            yield f"{place} has the writable global {name}; a core keeps its state in its member"


def archives_of_build():
    """The archives that were built; a module that has no source yet has none."""
    paths = {module: os.path.join(BUILD, f"liblockstep_{module}.a") for module in CORES + BELOW}
    return {module: path for module, path in paths.items() if os.path.exists(path)}


def compile_text(folder, text):
    source = os.path.join(folder, "case.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    target = os.path.join(folder, "case.c.o")
    subprocess.run([COMPILER, "-std=c17", "-O2", "-fPIC", "-c", source, "-o", target], check=True)
    return target


def self_test():
    """Impure code must be noticed, and pure code must not."""
    good = """
        #include <string.h>
        _Noreturn void panic_at(const char *, int, const char *);
        static int step(int x) { return x + 1; }
        struct protocol { const char *name; int (*step)(int); };
        extern const struct protocol card;
        const struct protocol card = {"raft", step};
        int copy(char *to, const char *from, int size);
        int copy(char *to, const char *from, int size)
        { if (size < 0) panic_at("", 0, ""); memcpy(to, from, (unsigned)size); return step(size); }
        """
    bad = [
        '#include <time.h>\nlong f(void);\nlong f(void) { return time(0); }',
        '#include <stdlib.h>\nvoid *f(void);\nvoid *f(void) { return malloc(9); }',
        '#include <stdio.h>\nint f(int);\nint f(int x) { return printf("%d", x); }',
        '#include <errno.h>\nint f(void);\nint f(void) { return errno; }',
        'int f(void);\nint f(void) { static int count; return ++count; }',
        'extern int count;\nint count = 7;',
        'extern const char *names[];\nconst char *names[] = {"a", "b"};',
        'extern _Thread_local int count;\n_Thread_local int count;',
    ]
    with tempfile.TemporaryDirectory() as folder:
        for index, text in enumerate([good] + bad):
            found = list(complaints({"protocol": compile_text(folder, text)}))
            if bool(found) != (index > 0):
                sys.exit(f"purity_test: self-test: {text} gave {found}")
    print(f"purity_test: self-test: {len(bad)} impure files were noticed")


def main():
    if "--self-test" in sys.argv[1:]:
        self_test()
        return
    archives = archives_of_build()
    if not archives:
        sys.exit(f"purity_test: no archives in {BUILD}")
    found = list(complaints(archives))
    for line in found:
        print(line)
    if found:
        sys.exit(f"purity_test: {len(found)} symbols are not allowed")
    print("purity_test: checked " + ", ".join(archives))


if __name__ == "__main__":
    main()
