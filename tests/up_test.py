"""lockstep up: a local cluster of real processes comes up, survives kill -9 and a wiped disk, stops cleanly, keeps its data.

Talks RESP by hand, so it needs nothing but Python.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = os.environ["LOCKSTEP_PROGRAM"]
TIMEOUT_S = 40


def free_ports(count):
    """The first of `count` ports in a row that are free, with those 10000 above."""
    while True:
        first = random.randrange(20000, 40000)
        sockets = []
        try:
            for port in range(first, first + count):
                for each in (port, port + 10000):
                    listener = socket.socket()
                    sockets.append(listener)
                    listener.bind(("127.0.0.1", each))
            return first
        except OSError:
            continue
        finally:
            for listener in sockets:
                listener.close()


def ask(port, *words):
    """The first line of the answer, and the rest; None if nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"".join([b"*%d\r\n" % len(words)] + [b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words]))
            file = connection.makefile("rb")
            line = file.readline().decode().strip()
            if line.startswith("$") and line != "$-1":
                return file.read(int(line[1:])).decode()
            return line or None
    except OSError:
        return None


def until(what, condition):
    end = time.time() + TIMEOUT_S
    while time.time() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {TIMEOUT_S} s: {what}")


class Cluster:
    def __init__(self, root, port, *options):
        self.root, self.port = root, port
        self.log = open(os.path.join(root, "up.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [PROGRAM, "up", "--port", str(port), "--data", os.path.join(root, "data"), *options],
            stdout=self.log, stderr=subprocess.STDOUT)
        until("ready", lambda: f"ready: redis-cli -p {port}" in self.output())

    def output(self):
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def status(self):
        result = subprocess.run([PROGRAM, "status", "-p", str(self.port), "-o", "json"], capture_output=True, check=False)
        return json.loads(result.stdout) if result.stdout else []

    def leader(self):
        for node in self.status():
            for group in node.get("groups", []):
                if group["role"] == "leader":
                    return node
        return None

    def all_well(self):
        nodes = self.status()
        return len(nodes) == 3 and all(n["reachable"] and n["groups"][0]["voter"] and n["groups"][0]["leader"] for n in nodes)

    def stop(self):
        pids = [node["pid"] for node in self.status() if node["reachable"]]
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.output()
        for pid in pids:
            assert not os.path.exists(f"/proc/{pid}"), f"process {pid} was left behind"
        self.log.close()


def check(root):
    port = free_ports(3)
    cluster = Cluster(root, port)
    until("a write", lambda: ask(port, "SET", "a", "1") == "+OK")
    for each in range(port, port + 3):
        assert ask(each, "GET", "a") == "1", each
    until("all nodes vote", cluster.all_well)

    # kill -9 of the leader: reported, restarted, nothing lost.
    leader = cluster.leader()
    os.kill(leader["pid"], signal.SIGKILL)
    until("a write after the leader was killed",
          lambda: any(ask(each, "SET", "a", "2") == "+OK" for each in range(port, port + 3)))
    until("the report", lambda: re.search(rf"node {leader['node']} \(process {leader['pid']}\) was ended by signal 9", cluster.output()))
    until("all nodes are back", cluster.all_well)
    assert ask(port + leader["node"] - 1, "GET", "a") == "2"

    # A node whose directory was wiped is filled from the others, and not told that it is new.
    victim = next(node for node in cluster.status() if node["groups"][0]["role"] != "leader")
    os.kill(victim["pid"], signal.SIGSTOP)
    shutil.rmtree(os.path.join(root, "data", f"node-{victim['node']}"))
    os.kill(victim["pid"], signal.SIGKILL)
    until("the wiped node votes again", lambda: cluster.all_well() and
          any(n["node"] == victim["node"] and n["pid"] != victim["pid"] for n in cluster.status()))
    assert ask(port + victim["node"] - 1, "GET", "a") == "2"
    cluster.stop()

    # Another number of nodes is refused, and the same number finds the data again.
    refused = subprocess.run([PROGRAM, "up", "--nodes", "5", "--port", str(port), "--data", os.path.join(root, "data")],
                             capture_output=True, text=True, check=False, timeout=20)
    assert refused.returncode == 1 and "holds a cluster of 3 nodes" in refused.stderr, refused.stderr
    cluster = Cluster(root, port)
    until("the data", lambda: ask(port, "GET", "a") == "2")

    # A killed `up` takes its nodes along. It is ready when a majority serves, and all of them are to be there.
    until("all nodes are there", cluster.all_well)
    pids = [node["pid"] for node in cluster.status()]
    cluster.process.kill()
    cluster.process.wait()
    until("the nodes are gone", lambda: not any(os.path.exists(f"/proc/{pid}") and alive(pid) for pid in pids))

    cluster = Cluster(root, port, "--fresh")
    assert ask(port, "GET", "a") in ("$-1", "_"), "--fresh kept data"
    cluster.stop()


def up(root, port, *options):
    """An `up` that is to end by itself: its status, and what it said."""
    result = subprocess.run([PROGRAM, "up", "--port", str(port), "--data", os.path.join(root, "refused"), *options],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=20)
    return result.returncode, result.stdout


def nonsense_is_refused_at_once(root, port):
    for sentence, *options in [
            ("3k+1 = 4", "--nodes", "3", "--protocol", "pbft"), ("there is no protocol 'nonsense'", "--protocol", "nonsense"),
            ("--signatures is for protocols that mask nodes that lie", "--signatures", "yes"),
            ("needs total order", "--protocol", "anti-entropy"), ("a number from 1 to 9, and '99'", "--nodes", "99"),
            ("there is no option '--foo';", "--foo"), ("--data expects a directory", "--data", "")]:
        status, text = up(root, port, *options)
        assert status == 2 and text.count("\n") == 1 and sentence in text, (options, status, text)
    assert not os.path.exists(os.path.join(root, "refused")), "what was refused left data"


def a_foreign_cluster_is_not_its_own(root):
    """Whether all of its ports are somebody else's, or one: it says so, and is never ready."""
    port = free_ports(5) + 2 # those before it are free, too
    other = Cluster(root, port, "--nodes", "1")
    for first, nodes in (port, "3"), (port, "1"), (port - 1, "3"), (port - 2, "3"):
        status, text = up(root, first, "--nodes", nodes)
        assert status == 1 and "ready:" not in text, text
        assert f"does not come up: port {port} of 127.0.0.1:{port} is in use" in text, text
        shutil.rmtree(os.path.join(root, "refused"))
    assert ask(port, "SET", "a", "1") == "+OK"
    other.stop()
    shutil.rmtree(os.path.join(root, "data"))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def main():
    root = tempfile.mkdtemp(prefix="lockstep-up-")
    try:
        nonsense_is_refused_at_once(root, free_ports(3))
        a_foreign_cluster_is_not_its_own(root)
        check(root)
    except BaseException:
        for name in ("up.log", "data/node-1.log", "data/node-2.log", "data/node-3.log"):
            path = os.path.join(root, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    print(f"--- {name}\n{file.read()[-3000:]}", file=sys.stderr)
        raise
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print("up_test: well")


if __name__ == "__main__":
    main()
