#!/usr/bin/python3
"""Records three real nodes, kills and restarts one, and replays and draws what was recorded.

Every recording must replay without a difference, also that of the node that was killed; the diagram of all of them must
show the messages between nodes as received, and the time in which the node was down. A recording that was changed must
be noticed.
"""

import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import redis

PROGRAM = os.environ["LOCKSTEP_PROGRAM"]


def free_ports(count):
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Three nodes that record into one directory."""

    def __init__(self, directory):
        self.directory = directory
        ports = free_ports(6)
        self.clients, self.peer_ports = ports[:3], ports[3:]
        self.peers = ",".join(f"{i + 1}=127.0.0.1:{port}" for i, port in enumerate(self.peer_ports))
        self.processes = [None] * 3
        for node in range(3):
            self.start(node)

    def start(self, node):
        """Starts a node, for the first time or again."""
        self.processes[node] = subprocess.Popen(
            [PROGRAM, "server", "--init", "--id", str(node + 1), "--listen", f"127.0.0.1:{self.clients[node]}",
             "--peer-listen", f"127.0.0.1:{self.peer_ports[node]}", "--peers", self.peers, "--data", f"{self.directory}/data{node}", "--record", f"{self.directory}/recorded"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def until(self, node, command, *arguments):
        """Asks until there is an answer."""
        for _ in range(100):
            try:
                client = redis.Redis(port=self.clients[node], socket_timeout=5)
                return client.execute_command(command, *arguments)
            except redis.RedisError:
                time.sleep(0.1)
        sys.exit(f"recording_test: node {node + 1} gave no answer to {command}")

    def stop(self):
        """Ends all nodes cleanly."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(20)


def run(*arguments):
    """The exit status and output of a subcommand."""
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def record(directory):
    """A short life of a cluster; the recordings that it left."""
    cluster = Cluster(directory)
    try:
        for i in range(50):
            cluster.until(i % 3, "SET", f"key{i % 5}", i)
        cluster.processes[1].kill()
        cluster.processes[1].wait(20)
        for i in range(20):
            cluster.until(2 * (i % 2), "INCR", "counter")
        cluster.start(1)
        if cluster.until(1, "GET", "counter") != b"20":
            sys.exit("recording_test: the restarted node has another counter")
    finally:
        cluster.stop()
    return sorted(glob.glob(f"{directory}/recorded/*.rec"))


def check_replays(recordings):
    """Each replays as it was."""
    if len(recordings) != 4:
        sys.exit(f"recording_test: four starts left {len(recordings)} recordings")
    for recording in recordings:
        status, output = run("replay", recording)
        if status != 0 or "no difference" not in output:
            sys.exit(f"recording_test: {output}")


def check_diagram(directory):
    """All recordings in one trace."""
    trace = f"{directory}/trace.jsonl"
    status, output = run("diagram", f"{directory}/recorded", "-o", trace)
    if status != 0:
        sys.exit(f"recording_test: {output}")
    sent = received = downs = leaders = 0
    with open(trace, encoding="utf-8") as file:
        for line in file:
            item = json.loads(line)
            received += item.get("event") == "MESSAGE"
            downs += item.get("mark") == "down"
            for effect in item.get("effects", []):
                sent += effect["kind"] == "SEND"
                leaders += effect.get("name") == "CANDIDATE -> LEADER"
    if received < 50 or sent < 50 or downs != 1 or leaders < 1:
        sys.exit(f"recording_test: {received} messages received, {sent} sent, {downs} times down, {leaders} leaders")
    status, output = run("diagram", f"{directory}/recorded", "-o", f"{directory}/all.svg")
    if status != 0 or os.path.getsize(f"{directory}/all.svg") < 1000:
        sys.exit(f"recording_test: {output}")
    return received


def check_damaged_diagram(directory):
    """What came before the damage is drawn, and the damage is marked."""
    trace = f"{directory}/damaged.jsonl"
    status, output = run("diagram", f"{directory}/changed", "-o", trace)
    with open(trace, encoding="utf-8") as file:
        items = [json.loads(line) for line in file]
    marked = any("damaged" in item.get("text", "") for item in items)
    if status != 0 or not marked or len(items) < 10:
        sys.exit(f"recording_test: a damaged recording gave {len(items)} items, status {status}: {output}")


def check_changes_are_noticed(directory, recording):
    """A flipped bit, a lost end, something else."""
    with open(recording, "rb") as file:
        whole = bytearray(file.read())
    cases = [("damaged", 2, lambda b: b.__setitem__(len(b) // 2, b[len(b) // 2] ^ 1)),
             ("being written", 0, lambda b: b.__delitem__(slice(len(b) - 3, None))),
             ("no recording", 2, lambda b: b.__setitem__(slice(0, None), b"something else"))]
    os.mkdir(f"{directory}/changed")
    for expected, expected_status, change in cases:
        changed = bytearray(whole)
        change(changed)
        path = f"{directory}/changed/changed.rec"
        with open(path, "wb") as file:
            file.write(changed)
        status, output = run("replay", path)
        if status != expected_status or expected not in output:
            sys.exit(f"recording_test: '{expected}' gave status {status}: {output}")
        if expected == "damaged":
            check_damaged_diagram(directory)


def main():
    directory = tempfile.mkdtemp(prefix="lockstep-recording-")
    try:
        recordings = record(directory)
        check_replays(recordings)
        received = check_diagram(directory)
        check_changes_are_noticed(directory, recordings[0])
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"recording_test: {len(recordings)} recordings replay as they were, {received} messages drawn")


if __name__ == "__main__":
    main()
