#!/usr/bin/python3
"""Histories whose verdicts are known from the definitions, checked by `lockstep check` as its users would: the
anomalies of Adya's thesis (1999), of Fekete, O'Neil and O'Neil (2004), of figure 3 of Bouajjani, Enea, Guerraoui and
Hamza (2017) and the session guarantees of Terry and others (1994); single objects; banks against all orders; notations;
and what is no history."""

import itertools
import json
import os
import random
import subprocess
import tempfile
import unittest

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("LOCKSTEP_PROGRAM") or os.path.join(SOURCE, "build", "lockstep")
STATUS = {"ok": 0, "illegal": 1, "unknown": 2}


def check(text, *options):
    result = subprocess.run([PROGRAM, "check", *options, "-"], input=text, capture_output=True, text=True, timeout=60)
    return result.returncode, result.stdout.strip() + result.stderr.strip()


def lines(events):
    """process, type, f, value and perhaps key"""
    return "".join(json.dumps(dict(zip(("process", "type", "f", "value", "key"), event))) + "\n" for event in events)


def after_another(*operations):
    """Each operation, (process, f, argument, answer[, end]), ends before the next begins."""
    events = []
    for process, function, argument, answer, *end in operations:
        events += [(process, "invoke", function, argument), (process, (end or ["ok"])[0], function, answer)]
    return lines(events)


def sessions(*programs):
    """Processes side by side, step by step; a step is "wx1", "rx1", or "rx_" for a read of nothing."""
    events = []
    for step in range(max(map(len, programs))):
        for end in (False, True):
            for process, program in enumerate(programs):
                if step < len(program):
                    function, key, value = program[step]
                    value = None if value == "_" or (function == "r" and not end) else int(value)
                    name = {"r": "read", "w": "write"}[function]
                    events.append((process, "ok" if end else "invoke", name, value, key))
    return lines(events)


def transactions(*transactions_given, together=True):
    """Transactions at the same time, or one after another; one is a list of (f, key, value), or (end, list)."""
    begins, ends = [], []
    for process, given in enumerate(transactions_given):
        end, micros = given if isinstance(given, tuple) else ("ok", given)
        asked = [[function, key, None if function in ("r", "get") else value] for function, key, value in micros]
        begins.append((process, "invoke", "txn", asked))
        ends.append((process, end, "txn", micros))
    if together:
        return lines(begins + ends)
    return lines([event for pair in zip(begins, ends) for event in pair])


def a(key, value):
    return ["append", key, value]


def r(key, value):
    return ["r", key, value]


def w(key, value):
    return ["w", key, value]


LEVELS = ("read-uncommitted", "read-committed", "repeatable-read", "snapshot-isolation", "serializable",
          "strict-serializable")
# Of each the verdicts at LEVELS: o is ok, i illegal, u unknown.
LISTS = (
    ("G0", "iiiiii", [[a("x", 1), a("y", 1)], [a("x", 2), a("y", 2)], [r("x", [1, 2])], [r("y", [2, 1])]]),
    ("G1a", "oiiiii", [("fail", [a("x", 1)]), [r("x", [1])]]),
    ("dirty update", "oiiiii", [("fail", [a("x", 1)]), [a("x", 2)], [r("x", [1, 2])]]),
    ("G1b", "oiiiii", [[a("x", 1), a("x", 2)], [r("x", [1])], [r("x", [1, 2])]]),
    ("G1c", "oiiiii", [[a("x", 1), r("y", [1])], [a("y", 1), r("x", [1])]]),
    ("G-single", "ooiiii", [[r("x", []), r("y", [1])], [a("x", 1), a("y", 1)]]),
    ("G-single", "ooiiii", [("info", [a("x", 1), a("y", 1)]), [r("x", [1]), r("y", None)]]),
    ("lost update", "ooiiii", [[r("x", []), a("x", 1)], [r("x", []), a("x", 2)], [r("x", [1, 2])]]),
    ("G2-item", "ooioii", [[r("x", []), a("y", 1)], [r("y", []), a("x", 1)]]),
    ("G", "ooiiii", [[a("x", 1)], [a("y", 1)], [r("x", [1]), r("y", [])], [r("x", []), r("y", [1])]]),
    ("internal", "iiiiii", [[a("x", 1), r("x", [])]]),
    ("internal", "ooiiii", [[r("x", []), r("x", [1])], [a("x", 1)]]),
    ("duplicate elements", "iiiiii", [[r("x", [1, 1])], [a("x", 1)]]),
    ("garbage read", "iiiiii", [[r("x", [7])], [a("x", 1)]]),
    ("incompatible order", "iiiiii", [[r("x", [1, 2])], [r("x", [2])], [a("x", 1)], [a("x", 2)]]),
    ("", "oooooo", [("info", [a("x", 1)]), [r("x", [1])]]),
    ("", "oooooo", [("info", [a("x", 1)]), [r("x", [])]]),
    ("", "oooooo", [[a("x", 1)], [a("x", 2)], [r("x", [2, 1])]]),
)
REGISTERS = (
    ("G1a", "oiiiii", [("fail", [w("x", 1)]), [r("x", 1)]]),
    ("G1b", "oiiiii", [[w("x", 1), w("x", 2)], [r("x", 1)]]),
    ("G1c", "oiiiii", [[w("x", 1), r("y", 1)], [w("y", 1), r("x", 1)]]),
    # Adya's H1 and H2: inconsistent reads of x + y = 10
    ("G-single", "ooiiii", [[w("x", 5), w("y", 5)], [r("x", 5), w("x", 1), r("y", 5), w("y", 9)],
                            [r("x", 1), r("y", 5)]]),
    ("G-single", "ooiiii", [[w("x", 5), w("y", 5)], [r("x", 5), w("x", 1), r("y", 5), w("y", 9)],
                            [r("x", 5), r("y", 9)]]),
    ("lost update", "ooiiii", [[w("x", 0)], [r("x", 0), w("x", 1)], [r("x", 0), w("x", 2)]]),
    ("G2-item", "ooioii", [[w("x", 0), w("y", 0)], [r("x", 0), r("y", 0), w("x", 1)],
                           [r("x", 0), r("y", 0), w("y", 1)]]),
    # Fekete, O'Neil and O'Neil: a transaction that only reads sees the anomaly
    ("G2-item", "ooioii", [[r("x", None), r("y", None), w("x", -11)], [r("y", None), w("y", 20)],
                           [r("x", None), r("y", 20)]]),
    ("garbage read", "iiiiii", [[r("x", 1)]]),
    ("internal", "iiiiii", [[w("x", 1), r("x", 2)], [w("x", 2)]]),
    ("", "uuuuuu", [[w("x", 1)], [w("x", 1)]]),
)
MAPS = (
    ("", "ooioii", [[["get", "x", None], ["put", "y", 1]], [["get", "y", None], ["put", "x", 1]]]),
    ("", "uuouoo", [[["append", "x", "a"]], [["append", "x", "b"]], [["get", "x", "ab"]]]),
    ("", "uuouoo", [[["append", "x", 1]], [["append", "x", 23]], [["get", "x", "231"]]]),
    ("no serial order", "uuiuii", [[["append", "x", "a"]], [["append", "x", "b"]], [["get", "x", "abb"]]]),
    ("no serial order", "uuiuii", [[["append", "x", "a"]], [["append", "x", "b"]],
                                   [["get", "x", "b"], ["get", "x", "a"]]]),
    ("", "uuouoo", [[["put", "x", "a"]], [["append", "x", "b"]], [["get", "x", "ab"]]]),
    ("no serial order", "uuiuii", [[["put", "x", "a"]], [["append", "x", "b"]], [["get", "x", "ba"]]]),
)


class Transactions(unittest.TestCase):
    def compare(self, model, table):
        for anomaly, verdicts, given in table:
            for level, letter in zip(LEVELS, verdicts):
                status, text = check(transactions(*given), "--model", model, "--consistency", level)
                self.assertEqual(status, "oiu".index(letter), (given, level, text))
                if letter == "i":
                    self.assertIn("illegal " + anomaly, text, (given, level))

    def test_list_append(self):
        self.compare("list-append", LISTS)

    def test_rw_register(self):
        self.compare("rw-register", REGISTERS)

    def test_kv(self):
        self.compare("kv", MAPS)

    def test_real_time(self):
        for model, given in (("list-append", ([a("x", 1)], [r("x", [])])),
                             ("list-append", (("info", [a("x", 1)]), [r("x", [1])], [r("x", [])])),
                             ("list-append", ([a("x", 1)], [a("x", 2)], [r("x", [2, 1])])),
                             ("rw-register", ([w("x", 1)], [r("x", None)]))):
            text = transactions(*given, together=False)
            self.assertEqual(check(text, "--model", model, "--consistency", "serializable"), (0, "-: ok"), given)
            status, said = check(text, "--model", model)
            self.assertEqual((status, "-realtime: " in said), (1, True), said)


class WeakConsistency(unittest.TestCase):
    def compare(self, levels, verdicts, *programs):
        for level, letter in zip(levels, verdicts):
            status, text = check(sessions(*(program.split() for program in programs)), "--model", "register",
                                 "--consistency", level)
            self.assertEqual(status, "oi".index(letter), (programs, level, text))

    def test_figure_3(self):
        levels = ("causal", "causal-memory", "causal-convergence", "sequential")
        self.compare(levels, "ooii", "wx1 rx2", "wx2 rx1")
        self.compare(levels, "oioi", "wz1 wx1 wy1", "wx2 rz_ ry1 rx2")
        self.compare(levels, "oiii", "wx1", "wx2 rx1 rx2")
        self.compare(levels, "oooi", "wx1 ry_ wy1 rx1", "wx2 ry_ wy2 rx2")
        self.compare(levels, "iiii", "wx1 wy1", "ry1 wx2", "rx2 rx1")

    def test_sessions(self):
        levels = ("read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads", "pram", "causal")
        self.compare(levels, "ioooii", "wx1 rx_")
        self.compare(levels, "oiiiii", "wx1", "rx1 rx_")  # the last guarantees come with monotonic reads
        self.compare(levels, "ooioii", "wx1 wy1", "ry1 rx_")
        self.compare(levels, "oooioi", "wx1", "rx1 wy1", "ry1 rx_")
        self.compare(levels, "oooooo", "wx1 ry_", "wy1 rx_")
        self.compare(levels, "oooooo", "wx1", "wy1", "rx1 ry_", "ry1 rx_")

    def test_not_sequential(self):
        self.compare(("sequential",), "i", "wx1 ry_", "wy1 rx_")
        self.compare(("sequential",), "i", "wx1", "wy1", "rx1 ry_", "ry1 rx_")


# model, what is said ("" of an ok history), operations one after another
OBJECTS = (
    ("register", "", ((0, "write", 1, 1), (0, "write", None, None), (1, "read", None, None))),
    ("register", "", ((0, "write", 1, 1, "info"), (1, "write", 2, 2), (1, "read", None, 2), (1, "read", None, 1))),
    ("register", "", ((0, "read", None, 9, "info"), (1, "read", None, None))),
    ("register", "reads in no order", ((0, "write", 1, 1, "info"), (1, "read", None, 1), (1, "read", None, None))),
    ("register", "aborted read", ((0, "write", 1, 1, "fail"), (1, "read", None, 1))),
    ("register", "", ((0, "write", 1, 1, "fail"), (2, "write", 1, 1), (1, "read", None, 1))),
    ("register", "read from the future", ((1, "read", None, 5), (0, "write", 5, 5))),
    ("register", "nobody wrote", ((0, "write", "1", "1"), (1, "read", None, 1))),
    ("cas-register", "", ((0, "write", 1, 1), (0, "cas", [1, 2], [1, 2], "fail"), (1, "read", None, 1))),
    ("cas-register", "", ((0, "cas", [None, 2], [None, 2]), (0, "cas", [3, 4], False), (1, "read", None, 2))),
    ("cas-register", "lost update", ((0, "write", 1, 1), (1, "cas", [1, 2], [1, 2]), (2, "cas", [1, 3], [1, 3]))),
    ("set", "element twice in one read", ((0, "add", 1, 1), (1, "read", None, [1, 1]))),
    ("set", "reads in no order", ((0, "add", 1, 1, "info"), (1, "read", None, [1]), (1, "read", None, []))),
    ("set", "", ((0, "add", 1, 1), (0, "remove", 1, 1), (0, "contains", 1, False), (1, "read", None, []))),
    ("queue", "", ((0, "enqueue", 1, 1), (0, "enqueue", 2, 2), (1, "dequeue", None, None, "info"),
                   (2, "dequeue", None, 2))),
    ("queue", "duplicate dequeue", ((0, "enqueue", 1, 1), (1, "dequeue", None, 1), (1, "dequeue", None, 1))),
    ("queue", "missed an element", ((0, "enqueue", 1, 1), (1, "dequeue", None, None))),
    ("queue", "", ((0, "enqueue", 1, 1), (1, "dequeue", None, None, "fail"))),
    ("stack", "", ((0, "push", 1, 1), (0, "push", 2, 2), (1, "pop", None, None, "info"), (2, "pop", None, 1))),
    ("mutex", "release of what nobody held",
     ((0, "acquire", None, None), (0, "release", None, None), (0, "release", None, None))),
    ("mutex", "", ((0, "acquire", None, None), (0, "release", None, None, "info"), (1, "acquire", None, None))),
    ("mutex", "", ((0, "acquire", None, None, "info"), (1, "acquire", None, None))),
    ("fenced-mutex", "token", ((0, "acquire", None, 5), (0, "release", None, None), (1, "acquire", None, 4))),
    ("counter", "reads in no order", ((0, "add", 1, 1, "info"), (1, "read", None, 1), (1, "read", None, 0))),
    ("counter", "wrong count", ((0, "add", 2**63 - 1, 0), (0, "add", 1, 1), (1, "read", None, -2**63))),
    ("kv", "", ((0, "put", "a", None), (0, "append", "b", None), (0, "append", "c", "c"), (1, "get", None, "abc"))),
    ("kv", "stale or lost", ((0, "put", "a", None), (0, "append", "b", None), (1, "get", None, "a"))),
    ("kv", "stale or lost", ((0, "put", "a", None), (0, "append", "b", 3))),
    ("bank", "no serial order",
     ((0, "read", None, {"a": 9, "b": 0}), (0, "transfer", {"from": "a", "to": "b", "amount": 5}, None),
      (1, "read", None, {"a": 9, "b": 0}))),
)


class Objects(unittest.TestCase):
    def test_table(self):
        for model, said, operations in OBJECTS:
            status, text = check(after_another(*operations), "--model", model)
            self.assertEqual(status, 1 if said else 0, (operations, text))
            self.assertIn(said, text, operations)

    def test_keys_are_named_when_there_is_one(self):
        text = sessions(("wx1", "ry_"), ("wy1", "rx_"))
        self.assertNotIn("illegal key", check(text, "--model", "register", "--consistency", "sequential")[1])


def bank_history(chance):
    """A random bank of two accounts that hold 4: events, and operations with what they must explain."""
    events, operations, at_work = [], [], {}
    wanted = chance.randrange(2, 7)
    while len(operations) < wanted or at_work:
        process = chance.randrange(3)
        if process in at_work:
            operation = at_work.pop(process)
            operation["end"] = chance.choice(["ok"] * 8 + ["info", "fail"])
            operation["ended"] = len(events) if operation["end"] == "ok" else float("inf")
            answer = dict(zip("ab", operation["seen"])) if operation["seen"] else operation["argument"]
            events.append((process, operation["end"], operation["f"], answer))
        elif len(operations) < wanted:
            operation = {"began": len(events), "f": chance.choice(("read", "transfer")), "argument": None, "seen": None}
            if operation["f"] == "read":
                there = chance.randrange(5)
                operation["seen"] = [there, 4 - there]
            else:
                there = chance.choice(("ab", "ba"))
                operation["argument"] = {"from": there[0], "to": there[1], "amount": chance.randrange(1, 4)}
            at_work[process] = operation
            operations.append(operation)
            events.append((process, "invoke", operation["f"], operation["argument"]))
    return events, operations


def bank_fits(order, balance):
    held = {"a": balance, "b": 4 - balance}
    for operation in order:
        if operation["seen"]:
            if list(held.values()) != operation["seen"]:
                return False
            continue
        move = operation["argument"]
        held[move["from"]] -= move["amount"]
        held[move["to"]] += move["amount"]
        if held[move["from"]] < 0:
            return False
    return True


def bank_has_order(operations, real_time):
    """Tries everything: what may have happened, all orders, all balances at first."""
    certain = [operation for operation in operations if operation["end"] == "ok"]
    perhaps = [operation for operation in operations if operation["end"] == "info" and operation["f"] == "transfer"]
    if not any(operation["seen"] for operation in certain):
        return True
    for count in range(len(perhaps) + 1):
        for chosen in itertools.combinations(perhaps, count):
            for order in itertools.permutations(certain + list(chosen)):
                late = any(after["ended"] < before["began"] for before, after in itertools.combinations(order, 2))
                if not (real_time and late) and any(bank_fits(order, balance) for balance in range(5)):
                    return True
    return False


class Banks(unittest.TestCase):
    def test_against_all_orders(self):
        chance = random.Random(3)
        seen = set()
        for _ in range(150):
            events, operations = bank_history(chance)
            for level in ("strict-serializable", "serializable"):
                expected = 0 if bank_has_order(operations, level[:6] == "strict") else 1
                status, text = check(lines(events), "--model", "bank", "--consistency", level)
                self.assertEqual(status, expected, (level, events, text))
                seen.add((level, status))
        self.assertEqual(len(seen), 4)


GOOD = after_another((0, "write", 3, 3))


class Notations(unittest.TestCase):
    def compare(self, verdict, said, text):
        status, answer = check(text, "--model", "register")
        self.assertEqual((status, said in answer), (STATUS[verdict], True), (text, answer))

    def test_no_history(self):
        for said, text in (
                ("no history: line 1: an event is an object", "<a/>"),
                ("no history: line 1: an event is an object", "hello"),
                ("line 2: process 0 invokes while", lines([(0, "invoke", "write", 1), (0, "invoke", "write", 2)])),
                ("line 1: process 0 ends what it did not invoke", lines([(0, "ok", "write", 1)])),
                ("line 2: process 0 ends another function", lines([(0, "invoke", "write", 1), (0, "ok", "read", 1)])),
                ("line 2: process 0 ends an operation on another key",
                 lines([(0, "invoke", "write", 1, "x"), (0, "ok", "write", 1, "y")])),
                ("line 1: a client's process is an integer", lines([("client", "invoke", "write", 1)])),
                ("line 1: a client's process is an integer", lines([(1.5, "invoke", "write", 1)])),
                ("no number of 64 bits", lines([(0, "invoke", "write", 2**70)])),
                ("nested more than 64", lines([(0, "invoke", "write", 1)]).replace("1", "[" * 70 + "]" * 70)),
                ("line 1: a string does not end", '{"process":0,"type":"inv\n' + GOOD)):
            self.compare("unknown", said, text)

    def test_nothing(self):
        for text in ("", "\n\n", "[]", '{"process":0,"type":"inv'):
            self.compare("ok", "-: ok (it holds no operations)", text)

    def test_cut_ends(self):
        self.compare("ok", "ok", GOOD + '{"process":0,"type":"inv')
        edn = "{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value %s}\n{:process 0, :ty"
        self.compare("ok", "ok", edn % "nil")
        self.compare("illegal", "nobody wrote", edn % 4)
        self.compare("unknown", "line 2", (edn % "[4")[:-len("{:process 0, :ty")])  # damaged, and not cut

    def test_nemesis(self):
        for event in (("nemesis", "info", "start", None), ("nemesis", "invoke", "start", None),
                      ("clock", "info", "bump", 1)):
            self.compare("ok", "ok", lines([event]) + GOOD)

    def test_edn(self):
        good = ("{:process 0 :type :invoke :f :write :value %s} #_{:process 0} #_ignored "
                "{:process 0 :type :ok :f :write :value %s}")
        read = ("; a comment\n#jepsen.history.Op{:process 1 :type :invoke :f :read} "
                "{:process 1 :type :ok :f :read :value %s}")
        for value, same, other in ((":a", '"a"', ":b"), ("3", "3N", "4"), ('#inst "2020"', '"2020"', "nil"),
                                   ("#{1 2}", "#{2 1}", "#{1}"), ("[1 nil]", "[1 nil]", "[1 2]"), ("\\a", ":a", "\\b")):
            both = good % (value, value) + read
            self.compare("ok", "ok", both % same)
            self.compare("illegal", "read", both % other)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("good", GOOD), ("bad", GOOD + after_another((1, "read", None, 4))), ("cut", "[{")):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            for names, status in ((("good", "good"), 0), (("good", "cut"), 2), (("cut", "bad", "good"), 1),
                                  (("good", "."), 2), (("good", "missing"), 2)):
                result = subprocess.run([PROGRAM, "check", "--model", "register", *names], cwd=folder, timeout=60,
                                        capture_output=True, text=True)
                self.assertEqual((result.returncode, len(result.stdout.splitlines())), (status, len(names)), names)


if __name__ == "__main__":
    unittest.main()
