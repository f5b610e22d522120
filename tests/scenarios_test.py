#!/usr/bin/python3
"""Scenarios from outside: all agree, some disagree without the rule that they show, errors say where they are, the
folder of scenarios is found in the build tree and where the program is installed, and the documentation's example is
real."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = os.environ["LOCKSTEP_PROGRAM"]
SOURCE = os.environ["LOCKSTEP_SOURCE"]

# Those that the laboratory promises.
PROMISED = [
    "byzantine-four-generals", "byzantine-majority-of-vectors", "byzantine-three-generals", "byzantine-three-oral",
    "byzantine-three-signed", "flooding-chain-of-crashes", "flooding-early-decision", "flooding-false-suspicion",
    "flooding-late-message", "flp-duelling-proposers", "two-generals-last-messenger",
    "tmr-one-liar", "tmr-two-liars", "pbft-lying-replica",
    "pbft-stale-look",
    "cap-partition", "cap-partition-available", "chandy-lamport-tokens", "paxos-highest-ballot",
    "paxos-hole", "paxos-late-accept",
    "paxos-leader-crashes", "paxos-lost-messages", "paxos-stale-leader", "paxos-two-servers",
    "pbft-equivocating-primary", "pbft-forged-requests", "pbft-ignored-client", "pbft-normal-case",
    "pbft-prepared-is-kept", "pbft-proof-for-one", "pbft-state-transfer", "pbft-three-replicas", "pbft-water-marks",
    "raft-duplicated-messages", "raft-figure-8",
    "raft-leader-crash-after-replication", "raft-leader-crash-before-replication", "raft-lost-messages",
    "raft-split-vote", "raft-stale-leader", "two-phase-commit-asks-others", "two-phase-commit-blocks",
    "two-phase-commit-votes-no", "synod-duelling-proposers", "synod-forgotten-promise",
]

# A rule switched off, and what the scenario says then.
BROKEN = [
    ("byzantine-four-generals", "no-second-round", "BV-2"),
    ("byzantine-three-generals", "no-second-round", "BV-2"),
    ("byzantine-three-oral", "one-round-less", "IC1"),
    ("byzantine-three-oral", "last-word", "IC2"),
    ("byzantine-three-signed", "accept-forged", "IC2"),
    ("flooding-chain-of-crashes", "one-round-less", "FLD-2"),
    ("flooding-early-decision", "decide-at-once", "P3 has decision=none"),
    ("tmr-one-liar", "believe-first", "INCR n with 12"),
    ("pbft-lying-replica", "believe-first", "INCR n with 11"),
    ("pbft-stale-look", "looks-by-k+1", "EXISTS x with 1"),
    ("flooding-false-suspicion", "choose-own", "FLD-2"),
    ("flooding-late-message", "one-round-less", "FLD-2"),
    ("flp-duelling-proposers", "accept-lower-ballot", "PAX-2"),
    ("flp-duelling-proposers", "quorum-too-small", "delivers with index>=1"),
    ("paxos-two-servers", "quorum-too-small", "PAX-D"),
    ("cap-partition-available", "wait-for-others", "CAP-AP"),
    ("cap-partition-available", "digest-not-exchanged", "4 has from2=2"),
    ("raft-stale-leader", "read-without-round", "GET x"),
    ("raft-figure-8", "commit-old-term", "S1 has commit=0"),
    ("raft-figure-8", "vote-any-log", "S3 sends VOTE_ACK to S5"),
    ("paxos-highest-ballot", "choose-first-seen", "GET x"),
    ("paxos-hole", "no-gap-filling", "applied>=3"),
    ("paxos-late-accept", "accept-lower-ballot", "NACK"),
    ("paxos-leader-crashes", "choose-own-value", "GET x"),
    ("paxos-stale-leader", "read-without-round", "GET x"),
    ("synod-duelling-proposers", "no-back-off", "P1 notes decided"),
    ("synod-forgotten-promise", "promise-forgotten-on-restart", "PAX-4"),
    ("synod-forgotten-promise", "promise-not-stored", "PAX-4"),
    ("synod-forgotten-promise", "amnesiac-votes", "PAX-4"),
    ("pbft-normal-case", "no-prepare-phase", "never S2 sends COMMIT"),
    ("pbft-normal-case", "commit-quorum-2k", "never S2 delivers"),
    ("pbft-equivocating-primary", "no-prepare-phase", "never any stores PREPARED with view=1"),
    ("pbft-forged-requests", "request-unproven", "INCR n"),
    ("pbft-ignored-client", "view-change-without-certificates", "never S2 sends NEW_VIEW"),
    ("pbft-prepared-is-kept", "view-change-without-certificates", "never S2 sends NEW_VIEW"),
    ("pbft-state-transfer", "checkpoint-without-proof", "never S4 notes adopts the state after"),
    ("pbft-three-replicas", "no-prepare-phase", "PBFT-1"),
    ("pbft-water-marks", "checkpoint-without-proof", "never any notes stable"),
    ("two-phase-commit-blocks", "decide-alone", "blocked: asks for the decision"),
    ("two-phase-commit-asks-others", "decide-alone", "AC1"),
    ("chandy-lamport-tokens", "channel-not-recorded", "CL-2"),
    ("chandy-lamport-tokens", "marker-not-first", "CL-1"),
]

failures = []


def check(so, what):
    if not so:
        failures.append(what)


def run(*arguments, program=PROGRAM, folder=None):
    done = subprocess.run([program, "run", *arguments], capture_output=True, text=True, cwd=folder, timeout=120)
    return done.returncode, done.stdout, done.stderr


def all_agree():
    status, out, err = run("--all", "--quiet")
    check(status == 0 and err == "", f"--all ends with {status}: {out}{err}")
    files = sorted(os.path.basename(path) for path in glob.glob(os.path.join(SOURCE, "scenarios", "*.lua")))
    names = [name[:-4] for name in files]
    told = [os.path.basename(line.split(":")[0])[:-4] for line in out.splitlines() if line.endswith(": agrees")]
    check(told == names, f"--all tells of {told}, and there is {names}")
    check(out.splitlines()[-1] == f"{len(names)} scenarios, {len(names)} agree", "the last line of --all")
    for name in PROMISED:
        check(name in names, f"there is no scenario {name}")


def what_is_not_there_is_said():
    for arguments, text in [
        (["no-such-story"], "nor did a scenario of that name come with the program"),
        (["/dev/null"], "/dev/null: the script sets up no group"),
        (["raft-split-vote", "--run", "2", "--diagram", "/dev/null"], "sets up 1 groups"),
        (["--break=", "raft-split-vote"], "a value is missing after '--break'"),
    ]:
        status, _, err = run(*arguments)
        check(status == 2 and text in err, f"{arguments} ends with {status} and says {err!r}, not {text!r}")
    status, out, _ = run("raft-split-vote", "--help")
    check(status == 0 and out.startswith("usage: lockstep run"), "--help behind a file is not understood")


def each_is_a_story():
    for path in glob.glob(os.path.join(SOURCE, "scenarios", "*.lua")):
        text = open(path, encoding="utf-8").read()
        check(text.startswith("--"), f"{path} does not say what it shows")
        check(re.search(r'^scenario "', text, re.M) is not None, f"{path} has no title")
        check(max(map(len, text.splitlines())) <= 120, f"{path} has long lines")
        check(text.count("\n") <= 90, f"{path} is too long for a story")


def same_twice():
    for name in PROMISED:
        first, second = run(name), run(name)
        check(first == second, f"{name} is not the same twice")
        check("  NO  " not in first[1] and "agrees: " in first[1], f"{name} says {first[1]}")


def seeds_do_not_matter():
    """A story forces what it tells: it holds whatever is drawn."""
    for seed in range(2, 12):
        status, out, err = run("--quiet", "--seed", str(seed), *PROMISED)
        check(status == 0, f"with seed {seed}: {out}{err}")


def disagree_when_broken():
    for name, rule, says in BROKEN:
        status, out, err = run("--quiet", "--break", rule, name)
        check(status == 1, f"{name} without {rule} ends with {status}: {out}{err}")
        check("DISAGREES" in out and says in out, f"{name} without {rule} says: {out}")


def errors_say_where(folder):
    def write(name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def refuses(says, *arguments):
        status, out, err = run(*arguments, folder=folder)
        check(status == 2 and says in err, f"run {' '.join(arguments)} ends with {status}: {out}{err}")

    write("syntax.lua", "group { protocol = 'raft' }\nwait '1 leads\n")
    write("word.lua", "group { protocol = 'raft' }\n\nwait '1 reigns'\n")
    write("loop.lua", "group { protocol = 'raft' }\nwhile true do end\n")
    write("good.lua", "group { protocol = 'raft' }\nwait '1 leads'\n")
    write("bad.lua", "group { protocol = 'raft' }\nwait '2 leads'\n")
    refuses("syntax.lua:2:", "syntax.lua")
    refuses("word.lua:3: \"1 reigns\": 'reigns' is nothing that a node does", "word.lua")
    refuses("loop.lua:2: the script has taken more than 10000000 steps", "loop.lua")
    refuses("cannot read none.lua: No such file", "none.lua")
    refuses("there is no option '--fast'", "--fast", "good.lua")
    refuses("a value is missing after '--break'", "good.lua", "--break")
    refuses("raft has no rule 'gravity' to switch off; it has", "--break", "gravity", "good.lua")
    refuses("--all runs every scenario", "--all", "good.lua")
    refuses("a picture shows one scenario", "--diagram", "x.svg", "good.lua", "bad.lua")
    refuses("--run takes a number", "--run", "0", "good.lua")
    write("attack.lua", "group { protocol = 'pbft', nodes = 4 }\nattack(1, 'bribe')\n")
    refuses("attack.lua:2: nobody knows the attack 'bribe' on pbft; there is equivocate,", "attack.lua")
    write("no-attack.lua", "group { protocol = 'raft' }\nattack(1, 'equivocate')\n")
    refuses("no-attack.lua:2: nobody knows the attack 'equivocate' on raft; there is none", "no-attack.lua")
    refuses("--seed takes a number", "--seed", "x", "good.lua")
    refuses("a file is missing", "--quiet")
    check(run("good.lua", folder=folder)[0] == 0, "good.lua")
    check(run("bad.lua", folder=folder)[0] == 1, "bad.lua")
    check(run("good.lua", "bad.lua", "word.lua", folder=folder)[0] == 2, "the worst of several files")
    check(run("good.lua", "bad.lua", folder=folder)[0] == 1, "the worse of two files")
    status, _, _ = run("good.lua", "--diagram", "good.svg", folder=folder)
    check(status == 0 and "<svg" in open(os.path.join(folder, "good.svg"), encoding="utf-8").read(), "a diagram")


def found_where_installed(folder):
    os.makedirs(os.path.join(folder, "bin"))
    os.makedirs(os.path.join(folder, "share", "lockstep"))
    program = shutil.copy(PROGRAM, os.path.join(folder, "bin", "lockstep"))
    status, _, err = run("--all", program=program)
    check(status == 2 and "neither beside the program nor" in err, f"no folder: {status} {err}")
    shutil.copytree(os.path.join(SOURCE, "scenarios"), os.path.join(folder, "share", "lockstep", "scenarios"))
    status, out, err = run("raft-split-vote", program=program)
    check(status == 0 and "agrees: " in out, f"installed: {status} {out}{err}")


def documentation_is_real():
    text = open(os.path.join(SOURCE, "docs", "scenarios.md"), encoding="utf-8").read()
    name = "raft-leader-crash-before-replication"
    script = open(os.path.join(SOURCE, "scenarios", name + ".lua"), encoding="utf-8").read()
    check(f"```lua\n{script}```" in text, "docs/scenarios.md does not show the script as it is")
    output = "\n".join(line.rstrip() for line in run(name)[1].splitlines())
    # Up to its numbers: what is drawn from the seed may change with the world.
    masked = [re.sub(r"[0-9]+", "0", part) for part in (f"```\n{output}\n```", text)]
    check(masked[0] in masked[1], f"docs/scenarios.md does not show the output as it is:\n{output}")
    plan = open(os.path.join(SOURCE, "src", "host", "world", "world_plan.h"), encoding="utf-8").read()
    for kind in re.findall(r'^    X\([A-Z_]+, "([a-z-]+)"', plan, re.M):
        if kind not in ("request", "leave"):
            check(kind.replace("-", "_") in text, f"docs/scenarios.md does not tell of {kind}")


def main():
    all_agree()
    each_is_a_story()
    what_is_not_there_is_said()
    same_twice()
    seeds_do_not_matter()
    disagree_when_broken()
    documentation_is_real()
    with tempfile.TemporaryDirectory() as folder:
        errors_say_where(folder)
    with tempfile.TemporaryDirectory() as folder:
        found_where_installed(folder)
    for failure in failures:
        print("scenarios:", failure, file=sys.stderr)
    print("scenarios are as documented" if not failures else f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
