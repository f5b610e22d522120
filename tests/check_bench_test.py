#!/usr/bin/python3
"""Checks `lockstep check` with histories whose verdict is known, and `lockstep bench` against a server of this script's
own, which answers errors, splits its answers and hangs up."""

import json
import os
import re
import socketserver
import subprocess
import tempfile
import threading
import unittest

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("LOCKSTEP_PROGRAM") or os.path.join(SOURCE, "build", "lockstep")


def run(*arguments, text=None):
    return subprocess.run([PROGRAM, *arguments], input=text, capture_output=True, text=True, timeout=60)


def lines(*events):
    """process, type, f, key, value"""
    names = ("process", "type", "f", "key", "value")
    return "".join(json.dumps(dict(zip(names, event))) + "\n" for event in events)


GOOD = lines((0, "invoke", "set", "x", "1"), (0, "ok", "set", "x", "OK"),
             (1, "invoke", "get", "x", None), (1, "ok", "get", "x", "1"))
STALE = lines((0, "invoke", "set", "x", "1"), (0, "ok", "set", "x", "OK"),
              (1, "invoke", "get", "x", None), (1, "ok", "get", "x", None))


class Check(unittest.TestCase):
    def verdict(self, text, *options):
        result = run("check", *options, "-", text=text)
        self.assertEqual(result.stderr, "")
        return result.returncode, result.stdout.strip()

    def test_good_and_illegal(self):
        self.assertEqual(self.verdict(GOOD), (0, "-: ok"))
        status, text = self.verdict(STALE)
        self.assertEqual(status, 1)
        self.assertRegex(text, r'^-: illegal key "x": .*process 0: set "x" "1" .*process 1: get "x" -> null')

    def test_the_worst_file_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for name, text in (("good", GOOD), ("stale", STALE), ("damaged", '{"process": 1\n')):
                paths.append(os.path.join(folder, name))
                with open(paths[-1], "w", encoding="utf-8") as file:
                    file.write(text)
            self.assertEqual(run("check", paths[0], paths[0]).returncode, 0)
            self.assertEqual(run("check", paths[0], paths[2]).returncode, 2)
            result = run("check", *paths, os.path.join(folder, "missing"))
            self.assertEqual(result.returncode, 1)
            self.assertEqual(len(result.stdout.splitlines()), 4)
            self.assertIn("damaged: unknown it is no history: line 1", result.stdout)
            self.assertIn("missing: unknown it cannot be read", result.stdout)

    def test_answers_of_all_functions(self):
        events = []
        for function, value, answer in (
                ("setnx", "a", 1), ("setnx", "b", 0), ("setxx", "5", "OK"), ("incr", None, 6), ("incr", 4, 10),
                ("append", "0", 3), ("strlen", None, 3), ("getset", "z", "100"), ("exists", None, 1),
                ("cas", ["z", "y"], True), ("cas", ["z", "x"], None), ("getdel", None, "y"), ("del", None, 0),
                ("get", None, None), ("exists", None, 0), ("setxx", "1", None)):
            events += [(0, "invoke", function, "k", value), (0, "ok", function, "k", answer)]
        self.assertEqual(self.verdict(lines(*events)), (0, "-: ok"))
        for at in range(1, len(events), 2):
            wrong = list(events[at])
            wrong[4] = 77
            if wrong[2] != "setxx":
                self.assertEqual(self.verdict(lines(*events[:at], wrong))[0], 1, wrong)

    def test_an_error_is_an_answer(self):
        text = lines((0, "invoke", "set", "x", "a"), (0, "ok", "set", "x", "OK"), (0, "invoke", "incr", "x", None))
        self.assertEqual(self.verdict(text + '{"process":0,"type":"ok","f":"incr","key":"x","error":"no integer"}\n')[0], 0)
        self.assertEqual(self.verdict(text + '{"process":0,"type":"ok","f":"incr","key":"x","value":1}\n')[0], 1)

    def test_register_model(self):
        text = lines((0, "invoke", "write", 0, 3), (0, "ok", "write", 0, 3), (0, "invoke", "cas", 0, [3, 4]),
                     (0, "info", "cas", 0, [3, 4]), (1, "invoke", "read", 0, None), (1, "ok", "read", 0, 4))
        self.assertEqual(self.verdict(text, "--model", "register"), (0, "-: ok"))
        self.assertEqual(self.verdict(text.replace('"info"', '"fail"'), "--model", "register")[0], 1)
        self.assertEqual(self.verdict(GOOD, "--model", "register")[0], 2)

    def test_models(self):
        """Of each model a good history and one that is wrong, with the name of what is wrong."""
        for model, anomaly, events in (
                ("register", "stale read",
                 (("write", 1, 1), ("write", 2, 2), ("read", None, 2), ("read", None, 1))),
                ("cas-register", "stale compare-and-set",
                 (("write", 1, 1), ("cas", [1, 2], [1, 2]), ("read", None, 2), ("cas", [1, 3], [1, 3]))),
                ("multi-register", "never were so together",
                 (("write", {"x": 1, "y": 1}, {"x": 1, "y": 1}), ("read", {"x": None}, {"x": 1}),
                  ("txn", [["r", "x", None], ["w", "y", 2]], [["r", "x", 1], ["w", "y", 2]]),
                  ("read", {"x": None, "y": None}, {"x": 1, "y": 1}))),
                ("set", "stale read", (("add", 1, 1), ("add", 2, 2), ("read", None, [2, 1]), ("read", None, [1]))),
                ("queue", "duplicate dequeue",
                 (("enqueue", 1, 1), ("dequeue", None, 1), ("dequeue", None, None), ("dequeue", None, 1))),
                ("stack", "not in the order of a stack",
                 (("push", 1, 1), ("push", 2, 2), ("push", 3, 3), ("pop", None, 3), ("pop", None, 1))),
                ("mutex", "two holders", (("acquire", None, None), ("acquire", None, None))),
                ("fenced-mutex", "token",
                 (("acquire", None, 7), ("release", None, None), ("acquire", None, 7))),
                ("counter", "reads in no order", (("add", 3, 3), ("add", -1, -1), ("read", None, 2), ("read", None, 3))),
                ("kv", "stale or lost", (("put", "a", None), ("append", "b", 2), ("get", None, "ab"), ("get", None, "a")))):
            history = []
            for process, (function, value, answer) in enumerate(events):
                history += [(process, "invoke", function, "k", value), (process, "ok", function, "k", answer)]
            for level in ("linearizable", "sequential"):
                options = ("--model", model, "--consistency", level)
                self.assertEqual(self.verdict(lines(*history[:-2]), *options), (0, "-: ok"), model)
            status, text = self.verdict(lines(*history), "--model", model)
            self.assertEqual(status, 1, model)
            self.assertRegex(text, '^-: illegal key "k": .*' + anomaly, model)

    def test_sequential_is_weaker(self):
        text = lines((0, "invoke", "write", 0, 1), (0, "ok", "write", 0, 1),
                     (1, "invoke", "read", 0, None), (1, "ok", "read", 0, None))
        self.assertEqual(self.verdict(text, "--model", "register")[0], 1)
        self.assertEqual(self.verdict(text, "--model", "register", "--consistency", "sequential")[0], 0)

    def test_edn_and_json_arrays(self):
        edn = ('[{:process 0, :type :invoke, :f :write, :value [7 1]}\n{:process 0, :type :ok, :f :write, :value [7 1]}\n'
               '{:process :nemesis, :type :info, :f :kill, :value nil}\n'
               '{:process 1, :type :invoke, :f :read, :value [7 nil]}\n{:process 1, :type :ok, :f :read, :value [7 %s]}]')
        self.assertEqual(self.verdict(edn % "1", "--model", "register"), (0, "-: ok"))
        self.assertRegex(self.verdict(edn % "nil", "--model", "register")[1], "illegal key 7: stale read")
        array = "[" + GOOD.replace("\n", ",\n").rstrip(",\n") + "]"
        self.assertEqual(self.verdict(array), (0, "-: ok"))
        self.assertEqual(self.verdict(array, "--format", "json"), (0, "-: ok"))
        self.assertEqual(self.verdict(array, "--format", "jsonl")[0], 2)

    def test_witness(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "witness")
            self.assertEqual(self.verdict(GOOD, "--witness", path)[0], 0)
            with open(path, encoding="utf-8") as file:
                self.assertEqual(file.read(), '1\tprocess 0: set "x" "1" -> "OK"\n3\tprocess 1: get "x" -> "1"\n')

    def test_bounds(self):
        events = [(process, "invoke", "write", 0, process % 7) for process in range(40)]
        events += [(process, "ok", "write", 0, process % 7) for process in range(40)]
        for process, value in ((50, 3), (51, 4)):
            events += [(process, "invoke", "read", 0, None), (process, "ok", "read", 0, value)]
        for option, what in (("--work", "work"), ("--memory", "memory")):
            status, text = self.verdict(lines(*events), "--model", "register", option, "1")
            self.assertEqual((status, what in text), (2, True), text)

    def test_a_cut_last_line_is_no_error(self):
        self.assertEqual(self.verdict(GOOD + '{"process":')[0], 0)

    def test_usage(self):
        self.assertEqual(run("check").returncode, 2)
        for arguments in (("--model", "heap", "x"), ("--consistency", "eventually", "x"), ("--format", "xml", "x"),
                          ("--work", "0", "x"), ("--time", "-1", "x"), ("--model", "queue", "--consistency", "causal", "x")):
            result = run("check", *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertIn("lockstep check: ", result.stderr)
        self.assertIn("register cas-register multi-register set queue", run("check", "--model", "heap", "x").stderr)
        self.assertIn("usage:", run("check", "--help").stdout)


class Handler(socketserver.StreamRequestHandler):
    """Counts commands; answers by the server's mode."""

    disable_nagle_algorithm = True

    def handle(self):
        answered = 0
        while True:
            head = self.rfile.readline()
            if not head:
                return
            words = []
            for _ in range(int(head[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            with self.server.lock:
                self.server.commands.append(words)
            answered += 1
            if self.server.mode == "hang up" and answered > 3:
                return
            if self.server.mode == "errors" and answered % 2 == 0:
                self.wfile.write(b"-CLUSTERDOWN no leader\r\n")
            elif words[0] == b"GET":
                # In three pieces, so that answers end anywhere in what is read.
                for piece in (b"$1", b"1\r\nab\r\n+OK\r\n", b"ab\r\n"):
                    self.wfile.write(piece)
                    self.wfile.flush()
            else:
                self.wfile.write(b":1\r\n" if words[0] == b"INCR" else b"+OK\r\n")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Bench(unittest.TestCase):
    def setUp(self):
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.mode, self.server.commands, self.server.lock = "", [], threading.Lock()
        self.port = str(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def bench(self, *options, status=0):
        result = run("bench", "-p", self.port, "-q", *options)
        self.assertEqual(result.returncode, status, result.stderr)
        return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", result.stdout)}

    def test_counts_and_keys(self):
        figures = self.bench("-t", "set", "-n", "700", "-c", "3", "-P", "7", "-k", "50", "-d", "10")
        self.assertEqual((figures["replies"], figures["errors"], figures["lost"]), (700, 0, 0))
        self.assertEqual(len(self.server.commands), 700)
        keys = {words[1] for words in self.server.commands}
        self.assertTrue(keys <= {b"key:%012d" % n for n in range(50)})
        self.assertGreater(len(keys), 40)
        self.assertEqual({(words[0], len(words[2])) for words in self.server.commands}, {(b"SET", 10)})

    def test_fill_sets_each_key_once(self):
        self.bench("-t", "fill", "-k", "321", "-c", "4", "-P", "5")
        self.assertEqual(sorted(words[1] for words in self.server.commands), [b"key:%012d" % n for n in range(321)])

    def test_answers_in_pieces(self):
        figures = self.bench("-t", "get", "-n", "500", "-c", "5", "-P", "4")
        self.assertEqual((figures["replies"], figures["errors"]), (500, 0))

    def test_mixed(self):
        self.bench("-t", "mixed", "-n", "400", "-c", "2")
        gets = sum(words[0] == b"GET" for words in self.server.commands)
        self.assertTrue(100 < gets < 300, gets)

    def test_errors_are_counted(self):
        self.server.mode = "errors"
        figures = self.bench("-n", "100", "-c", "1", "-t", "incr")
        self.assertEqual((figures["replies"], figures["errors"]), (100, 50))

    def test_nothing_there(self):
        self.server.mode = "hang up"
        figures = self.bench("-c", "2", "-s", "5", status=1)
        self.assertEqual(figures["lost"], 2)

    def test_failover_goes_on(self):
        self.server.mode = "hang up"
        figures = self.bench("--failover", "-s", "0.5")
        self.assertGreater(figures["replies"], 10)
        self.assertLess(figures["gap_ms"], 400)
        self.assertGreater(figures["lost"], 2)

    def test_usage(self):
        for arguments in (("-p", "0"), ("-t", "sleep"), ("-c",), ("-c", "x"), ("--nonsense",)):
            self.assertEqual(run("bench", *arguments).returncode, 2, arguments)


if __name__ == "__main__":
    unittest.main()
