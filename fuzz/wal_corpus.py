#!/usr/bin/env python3
"""Writes the seeds of wal_fuzz.c into fuzz/corpus/wal: one script of operations for each kind of damage."""
import pathlib

OUT = pathlib.Path(__file__).resolve().parent / "corpus" / "wal"
WRITE, RELEASE, FLIP, FORGE, UNREADABLE, TRUNCATE, REMOVE, REOPEN, SET = 3, 4, 5, 6, 7, 8, 9, 10, 11


def op(kind, which=0, a=0, b=0):
    return bytes([kind, which, a, b])


def fill(count):
    """Records of three groups, every third a write; enough of them fill several segments."""
    return b"".join(op(0, i, i % 9, i * 37 % 256) + (op(WRITE) if i % 3 == 2 else b"") for i in range(count))


SEEDS = {
    "fill": fill(60) + op(REOPEN),
    "release": fill(30) + op(RELEASE, 0, 8) + op(RELEASE, 1, 8) + fill(30) + op(REOPEN) + fill(9),
    "flip": fill(40) + op(FLIP, 1, 20, 9) + op(FLIP, 2, 200, 3) + fill(9),
    "forge": fill(40) + b"".join(op(FORGE, 9 + 8 * i, 28 + i, 200) for i in range(16)) + fill(9),
    "head": fill(40) + b"".join(op(FORGE, i, 36 + 8 * i, 1) for i in range(4)),
    "unreadable": fill(40) + op(UNREADABLE, 0, 17, 1) + op(UNREADABLE, 2, 60, 1) + fill(9) + op(REOPEN),
    "truncate": fill(40) + op(TRUNCATE, 1, 33, 0) + fill(9),
    "remove": fill(60) + op(REMOVE, 1) + fill(9) + op(REMOVE, 2) + op(REOPEN),
    "set": fill(9) + op(SET, 0, 200) + fill(9) + op(REOPEN) + op(SET, 1, 5) + fill(9),
}

OUT.mkdir(parents=True, exist_ok=True)
for name, data in SEEDS.items():
    (OUT / name).write_bytes(data)
