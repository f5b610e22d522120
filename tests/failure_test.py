#!/usr/bin/python3
"""Real processes, real faults: three nodes under six Redis clients, while nodes are killed, stopped and restarted.

Every operation goes into a history. At the end all acknowledged writes must be there, counters must lie between what
was acknowledged and what may have happened beside, `lockstep check` must find an order that explains every answer, and
the nodes must agree.

usage: failure_test.py [--protocol NAME] [--seconds N] [--seed N] [--keep]

The seed decides the schedule of faults and the clients' choices; the timing of real processes it cannot decide.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import redis

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("LOCKSTEP_PROGRAM") or os.path.join(SOURCE, "build", "lockstep")

NODES = 3
CLIENTS = 6
REGISTERS = 6
COUNTERS = 2
PATIENCE_S = 1.5  # of a client, for one answer
HEALED_S = 30  # within which a healed cluster must serve again

# Refusals: the command certainly never happens.
REFUSALS = ("CLUSTERDOWN", "LOADING", "READONLY", "OOM", "BUSY", "TRYAGAIN", "MASTERDOWN")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Node:
    """One `lockstep server` process and its data directory."""

    def __init__(self, number, ports, peer_ports, folder, protocol):
        self.number = number
        self.protocol = protocol
        self.port = ports[number - 1]
        self.peers = ",".join(f"{n}=127.0.0.1:{port}" for n, port in enumerate(peer_ports, 1))
        self.peer_port = peer_ports[number - 1]
        self.folder = folder
        self.process = None
        self.starts = 0
        self.stopped = False

    @property
    def log(self):
        return os.path.join(self.folder, f"node-{self.number}.log")

    def start(self):
        command = [PROGRAM, "server", "--id", str(self.number), "--listen", f"127.0.0.1:{self.port}"]
        command += ["--peer-listen", f"127.0.0.1:{self.peer_port}", "--peers", self.peers]
        command += ["--data", os.path.join(self.folder, f"node-{self.number}")]
        command += ["--protocol", self.protocol]
        if self.starts == 0:
            command.append("--init")
        self.starts += 1
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.stopped = False
        self.process = None

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)
        self.stopped = True

    def resume(self):
        if self.process is not None and self.stopped:
            self.process.send_signal(signal.SIGCONT)
        self.stopped = False

    def died(self):
        return self.process is not None and self.process.poll() is not None


class History:
    """Events in the order in which they happened: an invocation is added before its bytes leave, an end after its
    answer came."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.begin = time.monotonic_ns()
        self.file = open(path, "w", encoding="utf-8")
        self.counts = {"invoke": 0, "ok": 0, "fail": 0, "info": 0}

    def add(self, process, kind, function, key, value=None):
        event = {"process": process, "type": kind, "f": function, "key": key}
        if value is not None or kind == "ok":
            event["value"] = value
        with self.lock:
            event["time"] = time.monotonic_ns() - self.begin
            self.file.write(json.dumps(event) + "\n")
            self.counts[kind] += 1

    def close(self):
        self.file.close()


class Client(threading.Thread):
    """Operates on one node after the other; never sends a command twice."""

    WORDS = {"get": "GET", "set": "SET", "setnx": "SETNX", "getset": "GETSET", "del": "DEL", "incr": "INCR"}

    def __init__(self, number, seed, ports, history, errors):
        super().__init__(daemon=True)
        self.number = number
        self.random = random.Random(seed * 1000 + number)
        self.ports = ports
        self.history = history
        self.errors = errors
        self.ending = threading.Event()
        self.connection = None
        self.written = 0
        self.acknowledged = {}  # own keys, each written once
        self.added = dict.fromkeys((f"c{n}" for n in range(COUNTERS)), (0, 0))  # acknowledged, unknown

    def connect(self):
        port = self.random.choice(self.ports)
        connection = redis.connection.Connection(
            "127.0.0.1", port, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S, decode_responses=True)
        try:
            connection.connect()
        except (redis.exceptions.RedisError, OSError):
            time.sleep(0.05)
            return
        self.connection = connection

    def disconnect(self):
        if self.connection is not None:
            self.connection.disconnect()
        self.connection = None

    def ask(self, function, key, value):
        """One operation, with its events. Returns its outcome and answer."""
        words = [self.WORDS[function], key]
        if value is not None:
            words.append(value)
        self.history.add(self.number, "invoke", function, key, value)
        outcome, answer = "info", None
        try:
            self.connection.send_command(*words)
            answer = self.connection.read_response()
            outcome = "ok"
        except redis.exceptions.ResponseError as error:
            outcome = self.outcome_of(error, words)
        except (redis.exceptions.RedisError, OSError):
            self.disconnect()
        self.history.add(self.number, outcome, function, key, answer)
        return outcome, answer

    def outcome_of(self, error, words):
        text = f"{type(error).__name__} {error}"
        # redis-py cuts the code off the errors that it knows.
        if isinstance(error, redis.exceptions.BusyLoadingError) or any(code in text for code in REFUSALS):
            time.sleep(0.02)
            return "fail"
        if "INDETERMINATE" not in text:
            self.errors.append(f"{' '.join(words)}: unexpected error: {text}")
        return "info"

    def step(self):
        draw = self.random.random()
        self.written += 1
        value = f"{self.number}.{self.written}"
        if draw < 0.15:
            key = f"w:{value}"
            outcome, _ = self.ask("set", key, value)
            if outcome == "ok":
                self.acknowledged[key] = value
        elif draw < 0.35:
            key = f"c{self.random.randrange(COUNTERS)}"
            outcome, _ = self.ask("incr", key, None)
            sure, unknown = self.added[key]
            self.added[key] = (sure + (outcome == "ok"), unknown + (outcome == "info"))
        else:
            function = self.random.choice(["get", "get", "get", "get", "set", "set", "getset", "setnx", "del"])
            key = f"r{self.random.randrange(REGISTERS)}"
            self.ask(function, key, None if function in ("get", "del") else value)

    def run(self):
        try:
            while not self.ending.is_set():
                if self.connection is None:
                    self.connect()
                    continue
                self.step()
                if self.random.random() < 0.002:
                    self.disconnect()
                time.sleep(self.random.random() * 0.01)
        except Exception as error:  # a thread's exception would vanish, and the test pass
            self.errors.append(f"client {self.number}: {type(error).__name__}: {error}")
        self.disconnect()


class Cluster:
    def __init__(self, folder, protocol):
        ports = free_ports(2 * NODES)
        self.ports, peer_ports = ports[:NODES], ports[NODES:]
        self.nodes = [Node(n, self.ports, peer_ports, folder, protocol) for n in range(1, NODES + 1)]

    def leader(self):
        """The node that says it leads, as `lockstep status` shows it; None when none does."""
        for node in self.nodes:
            if node.process is None or node.stopped:
                continue
            command = [PROGRAM, "status", "-p", str(node.port), "-o", "json"]
            try:
                run = subprocess.run(command, capture_output=True, text=True, timeout=10)
                rows = json.loads(run.stdout)
            except (subprocess.TimeoutExpired, ValueError):
                continue
            terms = [(group["term"], row["node"]) for row in rows if row.get("reachable")
                     for group in row.get("groups", []) if group["role"] == "leader"]
            if terms:
                return self.nodes[max(terms)[1] - 1]
        return None

    def wait_ready(self, what):
        """Until a fresh write through each node succeeds."""
        deadline = time.monotonic() + HEALED_S
        for node in self.nodes:
            while True:
                if node.died():
                    raise AssertionError(f"{what}: node {node.number} ended by itself")
                try:
                    client = redis.Redis("127.0.0.1", node.port, socket_timeout=2, socket_connect_timeout=2)
                    client.set(f"ready:{node.number}", "1")
                    client.close()
                    break
                except (redis.exceptions.RedisError, OSError) as error:
                    if time.monotonic() > deadline:
                        raise AssertionError(f"{what}: no write through node {node.number} within {HEALED_S} s: "
                                             f"{error}") from error
                    time.sleep(0.05)

    def end(self):
        for node in self.nodes:
            node.resume()
            node.kill()


class Faults:
    """Strikes the cluster until the time is over; leaves it healed."""

    KINDS = ["kill leader", "kill follower", "stop leader", "stop follower", "kill all", "kill two", "stop and kill"]

    def __init__(self, cluster, chooser):
        self.cluster = cluster
        self.random = chooser
        self.struck = []
        self.begin = time.monotonic()

    def pause(self, low, high):
        time.sleep(self.random.uniform(low, high))

    def targets(self, kind):
        leader = self.cluster.leader() or self.random.choice(self.cluster.nodes)
        others = [node for node in self.cluster.nodes if node is not leader]
        self.random.shuffle(others)
        return {"leader": [leader], "follower": others[:1], "all": [leader] + others, "two": [leader, others[0]],
                "kill": [leader, others[0]]}[kind.split()[-1]]

    def strike(self, kind):
        targets = self.targets(kind)
        numbers = ",".join(str(node.number) for node in targets)
        print(f"{time.monotonic() - self.begin:6.1f} s  {kind} (node {numbers})", flush=True)
        self.struck.append(kind)
        if kind == "stop and kill":
            targets[0].stop()
            self.pause(0.2, 0.8)
            targets[1].kill()
        else:
            for node in targets:
                node.stop() if kind.startswith("stop") else node.kill()
        self.pause(0.3, 2.5)
        for node in targets:
            if node.process is None:
                node.start()
            node.resume()
        self.pause(0.5, 2)

    def run(self, seconds):
        # Each kind once in a drawn order, then whatever is drawn.
        order = self.random.sample(self.KINDS, len(self.KINDS))
        while time.monotonic() - self.begin < seconds:
            for node in self.cluster.nodes:
                if node.died():
                    raise AssertionError(f"node {node.number} ended by itself, status {node.process.returncode}")
            self.strike(order.pop() if order else self.random.choice(self.KINDS))


def final_reads(cluster, history, chooser):
    """Reads every register and counter through every node, into the history; returns the counters."""
    values = {}
    keys = [f"r{n}" for n in range(REGISTERS)] + [f"c{n}" for n in range(COUNTERS)]
    for node in cluster.nodes:
        client = redis.Redis("127.0.0.1", node.port, socket_timeout=5, decode_responses=True)
        chooser.shuffle(keys)
        for key in keys:
            history.add(1000, "invoke", "get", key)
            values[key] = client.get(key)
            history.add(1000, "ok", "get", key, values[key])
        client.close()
    return values


def check_counters(clients, values, complaints):
    for number in range(COUNTERS):
        key = f"c{number}"
        sure = sum(client.added[key][0] for client in clients)
        unknown = sum(client.added[key][1] for client in clients)
        value = int(values[key] or 0)
        if not sure <= value <= sure + unknown:
            complaints.append(f"{key} is {value}: {sure} increments were acknowledged, {unknown} more are unknown")


def check_acknowledged(cluster, clients, complaints):
    """Every acknowledged write is to be seen through every node."""
    written = {key: value for client in clients for key, value in client.acknowledged.items()}
    keys = sorted(written)
    for node in cluster.nodes:
        client = redis.Redis("127.0.0.1", node.port, socket_timeout=10, decode_responses=True)
        seen = []
        for at in range(0, len(keys), 500):
            pipeline = client.pipeline(transaction=False)
            for key in keys[at:at + 500]:
                pipeline.get(key)
            seen += pipeline.execute()
        client.close()
        lost = [key for key, value in zip(keys, seen) if value != written[key]]
        if lost:
            complaints.append(f"node {node.number}: {len(lost)} of {len(keys)} acknowledged writes are lost, the first "
                              f"is {lost[0]}")
    return len(keys)


def check_history(path, complaints):
    run = subprocess.run([PROGRAM, "check", "--model", "kv", path], capture_output=True, text=True, timeout=120)
    print(run.stdout + run.stderr, end="")
    if run.returncode != 0:
        complaints.append(f"lockstep check: {run.stdout.strip() or run.stderr.strip()}")


def run_test(folder, protocol, seconds, seed):
    """Returns the complaints."""
    chooser = random.Random(seed)
    cluster = Cluster(folder, protocol)
    errors = []
    history = History(os.path.join(folder, "history.jsonl"))
    clients = [Client(number, seed, cluster.ports, history, errors) for number in range(CLIENTS)]
    try:
        for node in cluster.nodes:
            node.start()
        cluster.wait_ready("at first")
        for client in clients:
            client.start()
        faults = Faults(cluster, chooser)
        faults.run(seconds)
        cluster.wait_ready("healed")
        time.sleep(1)
        for client in clients:
            client.ending.set()
        for client in clients:
            client.join(timeout=10)
        values = final_reads(cluster, history, chooser)
        history.close()
        complaints = errors[:5]
        check_counters(clients, values, complaints)
        acknowledged = check_acknowledged(cluster, clients, complaints)
        check_history(history.path, complaints)
    finally:
        cluster.end()
    counts = history.counts
    print(f"{counts['invoke']} operations: {counts['ok']} ok, {counts['fail']} refused, {counts['info']} unknown; "
          f"{acknowledged} keys written once; {len(faults.struck)} faults")
    if counts["ok"] < 10 * seconds:
        complaints.append(f"only {counts['ok']} operations succeeded in {seconds} s")
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--protocol", default="raft", help="by which the nodes agree (raft)")
    parser.add_argument("--seconds", type=float, default=40, help="of faults (40)")
    parser.add_argument("--seed", type=int, default=None, help="default: LOCKSTEP_SEED, else drawn")
    parser.add_argument("--keep", action="store_true", help="keep data, logs and history")
    options = parser.parse_args()
    if not os.access(PROGRAM, os.X_OK):
        sys.exit(f"failure_test: there is no program {PROGRAM}; set LOCKSTEP_PROGRAM")
    seed = options.seed
    if seed is None:
        seed = int(os.environ.get("LOCKSTEP_SEED") or random.SystemRandom().randrange(1, 1 << 31))
    print(f"seed {seed}; replay with: LOCKSTEP_SEED={seed} tests/failure_test.py "
          f"--protocol {options.protocol}", flush=True)
    folder = tempfile.mkdtemp(prefix="lockstep-failure-")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    complaints = ["it was interrupted"]
    try:
        complaints = run_test(folder, options.protocol, options.seconds, seed)
    except AssertionError as error:
        complaints = [str(error)]
    finally:
        for complaint in complaints:
            print(f"failure_test: {complaint}")
        if complaints or options.keep:
            print(f"history, logs and data: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
