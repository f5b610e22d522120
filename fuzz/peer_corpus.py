#!/usr/bin/env python3
"""Writes the seeds of peer_fuzz.c and peer_paxos_fuzz.c into fuzz/corpus/peer and peer_paxos: a script of operations for
each way into the node."""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
RAW, SEALED, FORGED, FRAGMENTS, ECHO, OBLIGE, REQUEST, GREET, RECONNECT, WAIT = 0, 1, 2, 3, 4, 6, 7, 8, 9, 10
APPEND, VOTE, FORWARD, INSTALL, RECOVER_ACK = 0, 3, 5, 11, 13


def op(kind, how=0, data=b""):
    return bytes([kind, how, len(data)]) + data


def message(kind, data, sender=2):
    return op(SEALED, kind << 1 | (sender - 2), data)


def append(term, prev_index=0, prev_term=0, commit=0, records=b""):
    return struct.pack("<6QB", term, prev_index, prev_term, commit, 1, prev_index + 1, 1) + records


# A campaign that node 2 supports, twice over: the round before the vote, and the vote.
LEAD = op(WAIT, 200) + op(OBLIGE) + op(OBLIGE) + op(OBLIGE)
VALUES = b"".join(op(REQUEST, 0, b"v" * (40 * i)) + op(OBLIGE) for i in range(1, 6))

SEEDS = {
    "lead": b"\0" + LEAD + VALUES + op(REQUEST, 1) + op(OBLIGE) + op(WAIT, 20) + op(OBLIGE),
    "echo": b"\0" + op(WAIT, 200) + op(ECHO, 0, b"\0\1") + LEAD + VALUES + b"".join(
        op(ECHO, i, bytes([i, 1, 8 + i, 1])) for i in range(6)),
    "follow": b"\0" + message(APPEND, append(2)) + op(WAIT, 5) + message(APPEND, append(2)) + op(REQUEST, 0, b"x"),
    "vote": b"\0" + message(VOTE, struct.pack("<4QB", 9, 9, 9, 5, 0))
    + message(VOTE, struct.pack("<4QB", 10, 9, 9, 5, 1)),
    "forward": b"\0" + LEAD + message(FORWARD, struct.pack("<I", 40) + struct.pack("<IIQQQII", 2, 0, 5, 1, 1, 1, 0)),
    "install": b"\0" + message(APPEND, append(2)) + message(INSTALL, struct.pack("<5Q", 2, 9, 2, 0, 1)) + op(WAIT, 50),
    "recover": b"\1" + message(APPEND, append(2))
    + message(RECOVER_ACK, struct.pack("<3QB", 1, 2, 0, 1)) + op(WAIT, 50),
    "fragments": b"\0" + op(FRAGMENTS, VOTE, struct.pack("<4QB", 9, 9, 9, 5, 0)) + op(FRAGMENTS, 0x80, b"abc"),
    "raw": b"\0" + op(RAW, 0, b"GET / HTTP/1.1\r\n\r\n" * 5) + op(FORGED, 6, b"\3\0\0\1" + b"\0" * 20),
    "chunks": b"\0" + LEAD + VALUES * 4 + op(SEALED, 0x84, struct.pack("<2Q", 1, 0)),
    "greet": b"\0" + op(GREET, 255) + op(GREET, 1, b"\x08\1") + op(RECONNECT, 1, b"h") + op(GREET, 3, b"\x14\7"),
}

PREPARE, PROMISE, ACCEPT, ACCEPTED, NACK, PAXOS_FORWARD, PAXOS_INSTALL, PAXOS_RECOVER_ACK = 0, 1, 2, 3, 4, 6, 12, 14


def accept(round_number, commit=0, last=0, records=b""):
    return struct.pack("<4QB", round_number, commit, 1, last, 1) + records


def prepare(round_number, first=1, pre=0):
    return struct.pack("<3QB", round_number, first, 5, pre)


PAXOS_SEEDS = {
    "lead": SEEDS["lead"],
    "echo": SEEDS["echo"],
    "follow": b"\0" + message(ACCEPT, accept(2)) + op(WAIT, 5) + message(ACCEPT, accept(2)) + op(REQUEST, 0, b"x"),
    "prepare": b"\0" + message(PREPARE, prepare(9, pre=1)) + message(PREPARE, prepare(9)) + op(WAIT, 5)
    + message(PREPARE, prepare(8)) + message(ACCEPT, accept(8)),
    "promise": b"\0" + LEAD + VALUES + message(PREPARE, prepare(40)) + message(PREPARE, prepare(40, first=4)),
    "nack": b"\0" + LEAD + VALUES + message(NACK, struct.pack("<2QIB", 1, 77, 2, 0)) + op(WAIT, 200) + op(OBLIGE) * 3,
    "accepted": b"\0" + LEAD + VALUES + message(ACCEPTED, struct.pack("<3QB", 1, 3, 4, 1), sender=3),
    "forward": b"\0" + LEAD + message(PAXOS_FORWARD, struct.pack("<I", 40) + struct.pack("<IIQQQII", 2, 0, 5, 1, 1, 1, 0)),
    "install": b"\0" + message(ACCEPT, accept(2)) + message(PAXOS_INSTALL, struct.pack("<6Q", 2, 9, 9, 0, 1, 9))
    + op(WAIT, 50),
    "recover": b"\1" + message(ACCEPT, accept(2)) + message(PAXOS_RECOVER_ACK, struct.pack("<2QIQB", 1, 2, 2, 0, 1))
    + op(WAIT, 50),
    "fragments": b"\0" + op(FRAGMENTS, PREPARE, prepare(9)) + op(FRAGMENTS, 0x80, b"abc"),
    "raw": SEEDS["raw"],
    "chunks": SEEDS["chunks"],
    "greet": SEEDS["greet"],
}

for folder, seeds in ("peer", SEEDS), ("peer_paxos", PAXOS_SEEDS):
    (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    for name, seed in seeds.items():
        (CORPUS / folder / name).write_bytes(seed)
