"""Real clusters with gateways, for gateway_test.py and malice_test.py: processes, keys, ports, patience."""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time

import redis

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("LOCKSTEP_PROGRAM") or os.path.join(SOURCE, "build", "lockstep")
TIMEOUT_S = 40


def free_ports(count):
    """The first of `count` ports in a row that are free, with those 10000 above."""
    while True:
        first = random.randrange(22000, 22990 - count)
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


def until(what, condition, seconds=TIMEOUT_S):
    end = time.time() + seconds
    while time.time() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def connect(port, patience_s=10):
    return redis.Redis("127.0.0.1", port, socket_timeout=patience_s, socket_connect_timeout=patience_s)


def works(port, key="works", patience_s=3):
    """Does a write and a read of it work there?"""
    try:
        with connect(port, patience_s) as client:
            value = str(random.random()).encode()
            return client.set(key, value) and client.get(key) == value
    except (redis.exceptions.RedisError, OSError):
        return False


def status(port):
    """What `lockstep status` says there; by node."""
    result = subprocess.run([PROGRAM, "status", "-p", str(port), "-o", "json"], capture_output=True, check=False, timeout=30)
    return {row["node"]: row for row in json.loads(result.stdout)} if result.stdout else {}


def run(*arguments):
    """A command that must work; what it printed."""
    result = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 0, f"lockstep {' '.join(arguments)}: {result.stderr}"
    return result.stdout.strip()


def refused(*arguments):
    """What a command says that must not work."""
    result = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode != 0, f"lockstep {' '.join(arguments)} was not refused"
    return result.stderr


class Process:
    """One `lockstep` process with its log."""

    def __init__(self, log, *arguments):
        self.log, self.arguments, self.process = log, arguments, None

    def start(self, *more):
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([PROGRAM, *self.arguments, *more], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        return self

    def said(self, text):
        with open(self.log, encoding="utf-8") as file:
            return text in file.read()

    def lines(self):
        """How many its log has."""
        with open(self.log, encoding="utf-8") as file:
            return len(file.readlines())

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None


class Up(Process):
    """A cluster of `lockstep up`."""

    def __init__(self, root, port, *options):
        super().__init__(os.path.join(root, "up.log"), "up", "--port", str(port), "--data", os.path.join(root, "data"),
                         *options)
        self.root, self.port = root, port
        if os.path.exists(self.log): # an earlier cluster of this test was ready, too
            os.remove(self.log)
        self.start()
        until("ready", lambda: self.said(f"ready: redis-cli -p {port}"))

    def pids(self):
        """By node, those that run, as they say themselves."""
        return {node: row["pid"] for node, row in status(self.port).items() if row["reachable"]}

    def primary(self):
        for node, row in status(self.port).items():
            for group in row.get("groups", []):
                if group["role"] in ("primary", "leader"):
                    return node
        return None

    def stop(self):
        pids = self.pids().values()
        self.signal(signal.SIGINT)
        assert self.process.wait(30) == 0
        self.process = None
        left = [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
        assert not left, f"processes were left behind: {left}"


class Servers:
    """A cluster whose nodes and gateway are started one by one, each with keys of its own."""

    def __init__(self, root, nodes, protocol, *options):
        self.root, self.count, self.protocol = root, nodes, protocol
        self.port = free_ports(nodes + 1)  # of the gateway; the nodes' follow
        self.peers = ",".join(f"{n}=127.0.0.1:{self.port + n + 10000}" for n in range(1, nodes + 1))
        self.options = options
        self.nodes, self.gateway = {}, None
        for node in range(1, nodes + 2):
            run("keys", "new", "--dir", self.keys(node), "--id", str(node))
        for owner in range(1, nodes + 2):
            for reader in range(1, nodes + 2):
                if owner != reader:
                    shutil.copy(os.path.join(self.keys(owner), f"node-{owner}"), self.keys(reader))

    def keys(self, node):
        return os.path.join(self.root, f"process-{node}", "keys")

    def common(self, node):
        return ["--id", str(node), "--peers", self.peers, "--data", os.path.join(self.root, f"process-{node}"),
                "--protocol", self.protocol, *self.options]

    def start(self, node, *more):
        process = Process(os.path.join(self.root, f"node-{node}.log"), "server", *self.common(node),
                          "--listen", f"127.0.0.1:{self.port + node}", "--peer-listen",
                          f"127.0.0.1:{self.port + node + 10000}", "--clients", str(self.count + 1))
        first = node not in self.nodes
        self.nodes[node] = process
        return process.start(*(["--init"] if first else []), *more)

    def start_gateway(self, *more):
        self.gateway = Process(os.path.join(self.root, "gateway.log"), "gateway", *self.common(self.count + 1),
                               "--listen", f"127.0.0.1:{self.port}")
        return self.gateway.start(*more)

    def end(self):
        for process in [*self.nodes.values(), self.gateway]:
            if process is not None and process.process is not None:
                process.signal(signal.SIGCONT)
                process.kill()
