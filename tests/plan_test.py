#!/usr/bin/python3
"""Checks `lockstep plan` from outside: its answers, as text and as JSON, its errors, that every scenario it names
exists, that the Monte Carlo run agrees with the exact model, and that docs/planning.md shows what it prints."""

import json
import os
import re
import shlex
import subprocess
import unittest

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("LOCKSTEP_PROGRAM") or os.path.join(SOURCE, "build", "lockstep")
YEAR = 365.25 * 86400


def run(*arguments):
    return subprocess.run([PROGRAM, "plan", *arguments], capture_output=True, text=True, timeout=60)


def plan(*arguments):
    """The answer as JSON, and the exit status."""
    result = run("--json", *arguments)
    if result.stderr:
        raise AssertionError(f"{arguments}: {result.stderr}")
    return json.loads(result.stdout), result.returncode


def protocol(answer, name):
    return next(entry for entry in answer["protocols"] if entry["name"] == name)


class Feasibility(unittest.TestCase):
    def test_a_deployment(self):
        answer, status = plan()
        self.assertEqual(status, 0)
        self.assertEqual((answer["possible"]["can"], answer["possible"]["members"]), ("in time", 3))
        self.assertEqual((protocol(answer, "raft")["can"], protocol(answer, "raft")["members"]), ("in time", 3))
        self.assertEqual(protocol(answer, "two-phase-commit")["theorem"]["name"], "Skeen 1981")

    def test_the_table(self):
        """Cell by cell, through the options."""
        table = {("synchronous", "bounded"): "yyyy", ("synchronous", "unbounded"): "nnyy",
                 ("asynchronous", "bounded"): "nnny", ("asynchronous", "unbounded"): "nnny"}
        for (processes, delay), cells in table.items():
            for column, cell in enumerate(cells):
                messages, send = ("unordered", "ordered")[column // 2], ("unicast", "multicast")[column % 2]
                answer, _ = plan("--processes", processes, "--delay", delay, "--messages", messages, "--send", send)
                self.assertEqual(answer["possible"]["can"][0], cell, (processes, delay, messages, send))
                raft = protocol(answer, "raft")["can"]
                self.assertEqual(raft, "yes" if (processes, delay) == ("synchronous", "bounded") else "safe only")

    def test_who_says_no(self):
        for name, options in (("Fischer, Lynch", ["--processes", "asynchronous"]),
                              ("Dolev, Dwork", ["--processes", "asynchronous", "--delay", "bounded"]),
                              ("Akkoyunlu", ["--processes", "synchronous", "--links", "lossy", "--k", "0"]),
                              ("Pease", ["--processes", "synchronous", "--failures", "arbitrary", "--members", "3"]),
                              ("Dwork, Lynch", ["--failures", "arbitrary", "--members", "3"]),
                              ("Gilbert", ["--partition", "answer"])):
            answer, status = plan(*options)
            self.assertEqual((answer["possible"]["can"], status), ("no", 1), options)
            self.assertTrue(answer["possible"]["theorem"]["name"].startswith(name), answer["possible"])
            self.assertIn(answer["possible"]["theorem"]["name"], " ".join(run(*options).stdout.split()))

    def test_scenarios_exist(self):
        named = set()
        for options in ([], ["--partition", "answer"], ["--processes", "asynchronous"], ["--k", "0"],
                        ["--processes", "synchronous", "--links", "lossy"], ["--order", "none"],
                        ["--processes", "synchronous", "--delay", "unbounded"],
                        ["--processes", "synchronous", "--failures", "arbitrary", "--members", "3"]):
            answer, _ = plan(*options)
            theorems = [answer["possible"]["theorem"]] + [entry["theorem"] for entry in answer["protocols"]]
            named |= {theorem["scenario"] for theorem in theorems if theorem} - {None}
            named |= set(re.findall(r"lockstep run ([\w-]+)", run(*options).stdout))
        self.assertEqual({"byzantine-three-generals", "byzantine-three-signed", "cap-partition", "cap-partition-available",
                          "flooding-false-suspicion", "flooding-late-message", "flp-duelling-proposers",
                          "paxos-two-servers", "two-generals-last-messenger", "two-phase-commit-blocks"}, named)
        for name in named:
            self.assertTrue(os.path.exists(os.path.join(SOURCE, "scenarios", name + ".lua")), name)

    def test_cap(self):
        both = "The same cut both ways: lockstep run cap-partition, lockstep run cap-partition-available."
        said = lambda result: " ".join(result.stdout.split())
        self.assertIn("every other refuses. " + both, said(run("--partition", "refuse")))
        result = run("--partition", "answer")
        self.assertEqual(result.returncode, 1)
        self.assertIn("anti-entropy answers on every side of a cut and reconciles afterwards. " + both, said(result))
        answer, _ = plan("--partition", "answer", "--order", "fifo")
        self.assertEqual([entry["name"] for entry in answer["protocols"] if entry["can"] == "yes"], ["anti-entropy"])
        self.assertIn(both, said(run("--partition", "answer", "--order", "fifo")))


class Availability(unittest.TestCase):
    def test_one_member_is_the_quotient(self):
        answer, _ = plan("--k", "0", "--mttf", "351.25d", "--mttr", "2w")
        self.assertAlmostEqual(answer["exact"]["availability"], 351.25 / 365.25, 9)
        self.assertAlmostEqual(answer["exact"]["to_outage"], 351.25 * 86400, 3)

    def test_two_of_three(self):
        answer, _ = plan("--mttf", "4y", "--mttr", "2h")
        rate, repair = 1 / (4 * YEAR), 1 / 7200
        self.assertAlmostEqual(answer["exact"]["to_outage"] / ((5 * rate + repair) / (6 * rate ** 2)), 1, 9)
        self.assertIsNone(answer["exact"]["to_data_loss"])
        self.assertEqual((answer["group"]["members"], answer["group"]["quorum"]), (3, 2))

    def test_simulation_agrees(self):
        for options in (["--mttf", "4y", "--mttr", "2h", "--disk-mttf", "50y", "--disk-mttr", "1d"],
                        ["--mttf", "30d", "--mttr", "1d", "--k", "2", "--crews", "1"]):
            answer, _ = plan("--simulate", "200000", *options)
            for name in ("unavailability", "to_outage", "to_data_loss"):
                exact, seen = answer["exact"][name], answer["simulated"][name]
                if exact is None:
                    self.assertIsNone(seen["mean"])
                    continue
                self.assertLess(abs(seen["mean"] - exact), 1.5 * seen["half_width"], (options, name))
                self.assertLess(seen["half_width"], 0.05 * exact)

    def test_same_seed_same_numbers(self):
        options = ["--mttf", "1y", "--mttr", "1h", "--simulate", "1000"]
        self.assertEqual(run(*options).stdout, run(*options, "--seed", "1").stdout)
        self.assertNotEqual(run(*options).stdout, run(*options, "--seed", "2").stdout)

    def test_sizes(self):
        answer, _ = plan("--mttf", "1y", "--mttr", "1h", "--sizes")
        self.assertEqual([size["members"] for size in answer["sizes"]], [1, 3, 5, 7, 9, 11])
        shares = [size["exact"]["unavailability"] for size in answer["sizes"]]
        self.assertEqual(shares, sorted(shares, reverse=True))

    def test_without_repair(self):
        answer, _ = plan("--mttf", "30d", "--mttr", "never")
        self.assertAlmostEqual(answer["exact"]["to_outage"] / 86400, 30 * (1 / 2 + 1 / 3), 6)
        self.assertEqual((answer["exact"]["unavailability"], answer["exact"]["outage"]), (1, None))

    def test_nobody_can(self):
        result = run("--processes", "asynchronous", "--mttf", "1y", "--mttr", "1h")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no group was modelled", result.stdout)
        result = run("--processes", "asynchronous", "--mttf", "1y", "--mttr", "1h", "--protocol", "raft")
        self.assertEqual(result.returncode, 1)
        self.assertIn("availability of the group", result.stdout)


class Errors(unittest.TestCase):
    def test_errors_name_what_is_wrong(self):
        for words, arguments in (
                ("--k takes a whole number from 0 to 1000000, not 'x'", "--k x"),
                ("a value is missing after '--k'", "--k"),
                ("--mttf needs the time of repair too: '--mttr'", "--mttf 4y"),
                ("there is no '--mttf'", "--mttr 4y"), ("there is no '--mttf'", "--sizes"),
                ("longer than nothing and up to a billion years, not '0s'", "--mttf 0s --mttr 1h"),
                ("not 'never'", "--mttf never --mttr 1h"), ("or never, not '2x'", "--mttf 1y --mttr 2x"),
                ("not to 'partially-synchronous'", "--delay bounded"),
                ("crash, omission, timing, value or arbitrary, not 'melt'", "--failures melt"),
                ("there is no protocol 'rafft'", "--mttf 1y --mttr 1h --protocol rafft"),
                ("there is no option '--frob'", "--frob"),
                ("1 to 25 members can be modelled, and this one has 41", "--k 20 --mttf 1y --mttr 1h"),
                ("there is no '--disk-mttf'", "--disk-mttr 1h --mttf 1y --mttr 1h"),
                ("from 2 to 10000000, not '1'", "--mttf 1y --mttr 1h --simulate 1")):
            result = run(*arguments.split())
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertIn(words, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1)

    def test_help(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("--disk-mttf", result.stdout)


class Documentation(unittest.TestCase):
    """Blocks of docs/planning.md that begin with `$ lockstep plan`: a line of three dots stands for any lines."""

    def blocks(self):
        with open(os.path.join(SOURCE, "docs", "planning.md"), encoding="utf-8") as file:
            return re.findall(r"^```\n\$ lockstep plan(.*)\n((?:.*\n)*?)```$", file.read(), re.MULTILINE)

    def is_real(self, options, shown):
        pattern = "".join("(?:.*\n)*?" if line == "..." else re.escape(line) + " *\n" for line in shown.splitlines())
        return re.fullmatch(pattern, run(*shlex.split(options)).stdout) is not None

    def test_examples_are_real(self):
        blocks = self.blocks()
        self.assertGreaterEqual(len(blocks), 6)
        for options, shown in blocks:
            self.assertTrue(self.is_real(options, shown), f"lockstep plan{options} prints something else")

    def test_a_changed_digit_is_noticed(self):
        options, shown = self.blocks()[1]
        self.assertIn("152210", shown)
        self.assertFalse(self.is_real(options, shown.replace("152210", "152211")))


if __name__ == "__main__":
    unittest.main()
