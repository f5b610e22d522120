#!/usr/bin/python3
"""A node that really lies, on real sockets and disks: one of four is masked, two of four are seen.

Each kind of malice is a script for `lockstep server --adversary` (src/host/real/adversary.h). Four nodes and a gateway
run under clients while one node, the first primary too, equivocates, withholds, forges, lies to clients or hastens views:
every operation goes into a history, for which `lockstep check` must find an order that explains every answer, all
acknowledged writes must be there, and there must be progress. With two nodes that lie together something of this breaks.

usage: malice_test.py [--seconds N] [--seed N] [--only NAME] [--keep]
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import redis

import failure_test
from gateway_cluster import PROGRAM, Servers, connect, refused, status, until, works

# Of node 1, the first primary, or of a backup; in the language of adversary.h.
MALICE = {
    "equivocates about order": (1, "one in 2 change PRE_PREPARE.time to 2\none in 3 change PRE_PREPARE.digest0 to 3"),
    "equivocates in votes": (3, "one in 2 change PREPARE.digest0 to 1\none in 2 change COMMIT.time to 4"),
    "equivocates about numbers": (1, "one in 5 change PRE_PREPARE.number to 2,3"),
    "withholds everything": (1, "after 1s withhold *"),
    "withholds orders from one": (1, "withhold PRE_PREPARE to 4"),
    "withholds answers and votes": (2, "withhold CLIENT_ANSWERS\none in 2 withhold COMMIT"),
    "forges": (4, "one in 3 forge PREPARE as 2\none in 3 forge COMMIT as 3\none in 4 forge CLIENT_ANSWERS as 1\n"
                  "one in 3 change REQUEST.bundle"),
    "lies to clients": (2, "change CLIENT_ANSWERS.answers"),
    "lies about its state": (2, "one in 3 lie\nchange CHECKPOINT.digest0"),
    "lies about views": (3, "one in 40 hasten\nchange VIEW_CHANGE.body\nchange NEW_VIEW.changes\nchange STATUS.executed"),
}
OPERATIONS_LEAST = 30  # a second; healthy clusters do hundreds on a busy machine

# They tell the same lies, since lies are no drawing of lots.
TOGETHER = ([2, 3], "change CLIENT_ANSWERS.answers\nlie")

WRONG_ANSWERS = ("lies to clients", "wrong values of a leader or follower")
# There must have been a checkpoint to lie about, which takes some thousand numbers of the order.
ABOUT_STATE = ("lies about its state",)
# Of a cluster that masks crashes alone, whose gateway votes.
VALUES = {"wrong values of a leader or follower": (1, "one in 2 lie")}


class Malice:
    """A cluster with liars and the clients' history of it."""

    def __init__(self, folder, liars, script, seed, protocol="pbft"):
        self.folder, self.seed = folder, seed
        self.errors, self.complaints = [], []
        path = os.path.join(folder, "adversary")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script + "\n")
        self.cluster = Servers(folder, 4 if protocol == "pbft" else 3, protocol)
        for node in range(1, self.cluster.count + 1):
            self.cluster.start(node, *(["--adversary", path] if node in liars else []))
        self.cluster.start_gateway(*(["--vote", "3"] if protocol == "raft" else []))
        self.history = failure_test.History(os.path.join(folder, "history.jsonl"))
        self.clients = [failure_test.Client(number, seed, [self.cluster.port], self.history, self.errors)
                        for number in range(failure_test.CLIENTS)]

    def load(self, seconds):
        """How many operations succeeded."""
        for client in self.clients:
            client.start()
        time.sleep(seconds)
        for client in self.clients:
            client.ending.set()
        for client in self.clients:
            client.join(timeout=15)
        return self.history.counts["ok"]

    def fill(self, node):
        """Writes that nobody looks at, until that node has made a checkpoint."""
        command = [PROGRAM, "bench", "-p", str(self.cluster.port), "-c", "4", "-s", "60", "-t", "set", "-k", "100", "-q"]
        bench = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with connect(self.cluster.port + node) as client:
                until("a checkpoint", lambda: json.loads(client.execute_command("LOCKSTEP", "STATUS"))
                      ["counters"]["checkpoints"] > 0, 60)
        finally:
            bench.kill()
            bench.wait()

    def judge(self):
        """What was broken."""
        complaints = self.errors[:5]
        try:
            values = self.read_all()
            failure_test.check_counters(self.clients, values, complaints)
            self.check_acknowledged(complaints)
        except (redis.exceptions.RedisError, OSError) as error:
            complaints.append(f"the last reads: {error}")
        self.history.close()
        failure_test.check_history(self.history.path, complaints)
        for node, process in [*self.cluster.nodes.items(), ("gateway", self.cluster.gateway)]:
            if process.process.poll() is not None:
                complaints.append(f"{node} ended by itself, status {process.process.returncode}")
        return complaints

    def read_all(self):
        values = {}
        with connect(self.cluster.port) as client:
            for key in [f"r{n}" for n in range(failure_test.REGISTERS)] + [f"c{n}" for n in range(failure_test.COUNTERS)]:
                self.history.add(1000, "invoke", "get", key)
                value = client.get(key)
                values[key] = value.decode() if value is not None else None
                self.history.add(1000, "ok", "get", key, values[key])
        return values

    def check_acknowledged(self, complaints):
        written = {key: value for client in self.clients for key, value in client.acknowledged.items()}
        keys = sorted(written)
        with connect(self.cluster.port) as client:
            for at in range(0, len(keys), 500):
                for key, value in zip(keys[at:at + 500], client.mget(keys[at:at + 500])):
                    if value is None or value.decode() != written[key]:
                        complaints.append(f"acknowledged write {key} is lost")
                        return

    def end(self):
        self.cluster.end()


def one_liar_is_masked(folder, name, seconds, seed):
    liar, script = {**MALICE, **VALUES}[name]
    malice = Malice(folder, [liar], script, seed, "raft" if name in VALUES else "pbft")
    try:
        until("the cluster serves", lambda: works(malice.cluster.port))
        if name in ABOUT_STATE:
            malice.fill(liar)
        done = malice.load(seconds)
        until("it still serves", lambda: works(malice.cluster.port))
        complaints = malice.judge()
        if done < OPERATIONS_LEAST * seconds:
            complaints.append(f"only {done} operations succeeded in {seconds} s")
        if not malice.cluster.nodes[liar].said("lies as"):
            complaints.append("the adversary did not say that it is one")
        if name in WRONG_ANSWERS:
            complaints += is_reported(malice.cluster, liar)
        counts = malice.history.counts
        print(f"{name} (node {liar}): {counts['ok']} ok, {counts['fail']} refused, {counts['info']} unknown", flush=True)
        return [f"{name}: {complaint}" for complaint in complaints]
    finally:
        malice.end()


def is_reported(cluster, liar):
    """Who answered wrong is named: in the gateway's log, in its status, and nobody else."""
    wrong = status(cluster.port)[cluster.count + 1]["wrong_answers_of"]
    complaints = []
    if list(wrong) != [str(liar)]:
        complaints.append(f"wrong answers are told of {wrong}")
    until("the gateway's log names the liar", lambda: cluster.gateway.said(f"node {liar} gave a wrong answer to"))
    with connect(cluster.port) as client:
        if client.info("lockstep")[f"peer{liar}"]["wrong_answers"] == 0:
            complaints.append("INFO does not show them")
    return complaints


def two_liars_are_too_many(folder, seconds, seed):
    """With k+1 liars, whom nothing promises to mask, the tests above must be able to see it."""
    liars, script = TOGETHER
    malice = Malice(folder, liars, "after 1s " + script.replace("\n", "\nafter 1s "), seed)
    try:
        until("the cluster serves", lambda: works(malice.cluster.port, patience_s=1) or malice.cluster.gateway.said("wrong"))
        done = malice.load(seconds)
        complaints = malice.judge()
        print(f"two liars: {done} ok; {complaints[:2] or 'nothing was seen'}", flush=True)
        return [] if complaints or done < OPERATIONS_LEAST * seconds else ["two liars of four: nothing was seen"]
    finally:
        malice.end()


def scripts_are_checked(folder):
    """Mistakes in a script are named with their line; a build for production takes none."""
    path = os.path.join(folder, "script")
    cluster = Servers(folder, 4, "pbft")
    command = ["server", *cluster.common(1), "--listen", f"127.0.0.1:{cluster.port}", "--init", "--adversary", path]
    text = refused(*command)
    if "this build takes no --adversary" in text:
        return False
    assert "cannot read" in text, text
    for sentence, part in [("wihthold *", "not 'wihthold'"), ("change NOTHING.time", "no message 'NOTHING.time'"),
                           ("change PREPARE.colour", "no field 'colour'"), ("change PREPARE", "MESSAGE.FIELD"),
                           ("withhold * to nobody", "'nobody'"), ("forge PREPARE", "`as`"), ("lie to 2", "'to'"),
                           ("after noon lie", "'noon'")]:
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"# a mistake\n\n{sentence}\n")
        text = refused(*command)
        assert f"{path}:3: " in text and part in text, f"{sentence}: {text}"
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=6, help="of load, for each kind of malice (6)")
    parser.add_argument("--seed", type=int, default=None, help="default: LOCKSTEP_SEED, else drawn")
    parser.add_argument("--only", default="", help="kinds whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep data, logs and histories")
    options = parser.parse_args()
    failure_test.PROGRAM = PROGRAM
    seed = options.seed or int(os.environ.get("LOCKSTEP_SEED") or random.SystemRandom().randrange(1, 1 << 31))
    print(f"seed {seed}; replay with: LOCKSTEP_SEED={seed} tests/malice_test.py", flush=True)
    root = tempfile.mkdtemp(prefix="lockstep-malice-")
    complaints = []

    def folder(name):
        path = os.path.join(root, name.replace(" ", "-"))
        os.mkdir(path)
        return path

    try:
        if not scripts_are_checked(folder("scripts")):
            print(f"malice_test: {PROGRAM} is a build for production (LOCKSTEP_ADVERSARY is off)")
            shutil.rmtree(root)
            sys.exit(77)
        for name in [*MALICE, *VALUES]:
            if options.only in name:
                complaints += one_liar_is_masked(folder(name), name, options.seconds, seed)
        if options.only in "two liars":
            complaints += two_liars_are_too_many(folder("two liars"), options.seconds, seed)
    except AssertionError as error:
        complaints.append(str(error))
    for complaint in complaints:
        print(f"malice_test: {complaint}")
    if complaints or options.keep:
        print(f"histories, logs and data: {root}")
    else:
        shutil.rmtree(root, ignore_errors=True)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
