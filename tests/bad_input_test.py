#!/usr/bin/python3
"""Bad input from every side at three real nodes: each piece of it gets a clear answer and is counted, and meanwhile
another client's writes and reads go on undisturbed. Then lost and damaged data directories, and a full disk.

usage: bad_input_test.py [--keep] [--only WORD]

Filling a disk needs root, for a small tmpfs; without, that part is skipped with a message.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import redis

SOURCE = os.environ.get("LOCKSTEP_SOURCE") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("LOCKSTEP_PROGRAM") or os.path.join(SOURCE, "build", "lockstep")
HEADER_SIZE = 56


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(what, condition, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            value = condition()
        except (redis.exceptions.RedisError, OSError):
            value = None
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds} s")


class Node:
    def __init__(self, cluster, number):
        self.cluster, self.number = cluster, number
        self.port, self.peer_port = cluster.ports[number - 1], cluster.peer_ports[number - 1]
        self.data = os.path.join(cluster.folder, f"node-{number}")
        self.log = os.path.join(cluster.folder, f"node-{number}.log")
        self.process = None

    def command(self, *more):
        command = [PROGRAM, "server", "--id", str(self.number), "--listen", f"127.0.0.1:{self.port}"]
        command += ["--data", self.data, "--segment-size", "1mb"]
        if len(self.cluster.ports) > 1:
            peers = ",".join(f"{n}=127.0.0.1:{port}" for n, port in enumerate(self.cluster.peer_ports, 1))
            command += ["--peer-listen", f"127.0.0.1:{self.peer_port}", "--peers", peers]
        return command + list(more)

    def start(self, *more):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(*more), stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def client(self, timeout=8):
        return redis.Redis(port=self.port, socket_timeout=timeout, socket_connect_timeout=2, decode_responses=True)

    def status(self):
        return json.loads(self.client().execute_command("LOCKSTEP", "STATUS"))

    def wait_served(self):
        wait_for(f"node {self.number} serves", lambda: self.client(2).set(f"up:{self.number}", "1"))

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()


class Cluster:
    def __init__(self, folder, count):
        self.folder = folder
        ports = free_ports(2 * count)
        self.ports, self.peer_ports = ports[:count], ports[count:]
        self.nodes = [Node(self, number) for number in range(1, count + 1)]

    def start(self):
        for node in self.nodes:
            node.start("--init")
        for node in self.nodes:
            node.wait_served()

    def kill(self):
        for node in self.nodes:
            node.kill()


class Bystander(threading.Thread):
    """Writes and reads back all the time, and must never notice anything."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.connection = node.client(5)
        self.ending = threading.Event()
        self.operations, self.slowest, self.error = 0, 0.0, None

    def run(self):
        try:
            while not self.ending.is_set():
                began = time.monotonic()
                self.connection.set("bystander", self.operations)
                check(self.connection.get("bystander") == str(self.operations), "a read returns what was written")
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.operations += 1
                time.sleep(0.002)
        except Exception as error:  # anything at all is a failure
            self.error = error

    def end(self):
        # What is done to the node may take a moment only: then it is asked on, until enough is known.
        deadline = time.monotonic() + 10
        while self.is_alive() and self.operations <= 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        self.ending.set()
        self.join()
        check(self.error is None, f"the bystander was disturbed: {self.error!r}")
        check(self.operations > 20 and self.slowest < 4.0,
              f"the bystander was slowed: {self.operations} operations, slowest {self.slowest:.2f} s")


def exchange(port, data, seconds=5.0):
    """Sends bytes and returns all that comes back until the other side closes, or until it is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        answer = b""
        try:
            connection.sendall(data)
            connection.settimeout(seconds)
            while True:
                piece = connection.recv(65536)
                if not piece:
                    return answer, True
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            return answer, True
        except socket.timeout:
            return answer, False


# ---- clients ----


def malformed_resp(cluster):
    node = cluster.nodes[0]
    before = node.status()["clients"]["protocol_errors"]
    cases = [
        (b"*1\r\n!3\r\nfoo\r\n", b"expected '$', got '!'"),
        (b"*x\r\n", b"invalid multibulk length"),
        (b"*1048577\r\n", b"invalid multibulk length"),
        (b"*99999999999999999999\r\n", b"invalid multibulk length"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$99999999999\r\n", b"invalid bulk length"),
        (b"*2\r\n$3\r\nGET\r\n$-7\r\n", b"invalid bulk length"),
        (b"*1\r\n$4\r\nPINGxx", b"Protocol error"),
        (b"a" * (1 << 20), b"too big inline request"),
    ]
    for data, words in cases:
        answer, closed = exchange(node.port, data)
        clear = words in answer and answer.startswith(b"-ERR Protocol error")
        check(clear, f"{data[:30]!r}: answered {answer[:100]!r}")
        check(closed, f"{data[:30]!r}: the connection stays open")
    counted = node.status()["clients"]["protocol_errors"] - before
    check(counted == len(cases), f"{counted} of {len(cases)} protocol errors are counted")


def too_large_values(cluster):
    """What is declared over the limit is refused at its declaration, and costs no memory."""
    node = cluster.nodes[1]
    answer, closed = exchange(node.port, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$67108865\r\n")
    check(b"proto-max-bulk-len 67108864" in answer and closed, f"answered {answer[:100]!r}")
    connection = node.client()
    for words, text in ((("SET", "k"), "wrong number of arguments"), (("NOSUCH", "x"), "unknown command"),
                        (("SET", "k", "v", "EX", "no"), "integer"), (("GETRANGE", "k", "a", "b"), "integer")):
        try:
            connection.execute_command(*words)
            check(False, f"{words} was accepted")
        except redis.exceptions.ResponseError as error:
            check(text in str(error), f"{words}: {error}")


def never_reads(cluster):
    """A client that asks for much and never reads: it is made to wait or closed, and nobody else notices."""
    node = cluster.nodes[0]
    node.client().set("large", "x" * (4 << 20))
    sockets = []
    for _ in range(4):
        connection = socket.create_connection(("127.0.0.1", node.port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        try:
            connection.sendall(b"*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n" * 200)
        except BlockingIOError:
            pass
        sockets.append(connection)
    time.sleep(1.0)
    with open(f"/proc/{node.process.pid}/statm", encoding="ascii") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    check(resident < 1500 << 20, f"{resident >> 20} MiB are held for clients that never read")
    for connection in sockets:
        connection.close()
    node.client().delete("large")


def half_open(cluster):
    """Many connections that say nothing, or half a command, and some that go in its middle."""
    node = cluster.nodes[2]
    sockets = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(200)]
    for place, connection in enumerate(sockets):
        connection.sendall(b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$100\r\nabc"[: place % 40])
        if place % 4 == 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    check(node.client().get("half") is None, "half a command was executed")
    for connection in sockets:
        connection.close()
    wait_for("connections are forgotten", lambda: node.status()["clients"]["connected"] < 10)


# ---- strangers on the peers' port ----


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def greeting(sender, cluster=1, version=1, oldest=1):
    rest = struct.pack("<IHBBHBBIIQQQQ", 0, 0x4B4C, version, 0, 1, 3, 0, 0, sender, 5, oldest, cluster, 0)
    check(len(rest) == HEADER_SIZE - 4, "a header has 56 bytes")
    return struct.pack("<I", crc32c(rest)) + rest


def strangers(cluster):
    cases = [
        (cluster.nodes[0], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"y" * 100, "no lockstep greeting"),
        (cluster.nodes[1], greeting(2), "belongs to another cluster"),
        (cluster.nodes[2], greeting(2, version=9, oldest=9), "no version of the peer protocol"),
    ]
    for node, data, words in cases:
        _, closed = exchange(node.peer_port, data)
        check(closed, f"{words}: the connection stays open")
        wait_for(f"node {node.number} says '{words}'", lambda n=node, w=words: w in n.log_text(), 3)
    for node in cluster.nodes:  # one more of each, and rubbish
        for data in (b"\0" * 300, greeting(77)[:40], greeting(1) + b"z" * 70000, os.urandom(1000)):
            exchange(node.peer_port, data, 0.2)
    for node in cluster.nodes:
        check(all(peer["connected"] for peer in node.status()["peers"]), "strangers cost a peer its connection")


# ---- starting ----


def fails_to_start(command, words, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False,
                          env={**os.environ, **(environment or {})})
    said = done.stdout + done.stderr
    check(done.returncode != 0, f"{words}: it started")
    check(done.returncode > 0, f"{words}: it died of signal {-done.returncode}: {said}")
    for word in words:
        check(word in said, f"expected '{word}', got: {said.strip()}")


def refused_starts(cluster):
    folder, node = cluster.folder, cluster.nodes[0]
    port, other = free_ports(2)
    spare = os.path.join(folder, "spare")
    base = [PROGRAM, "server", "--data", spare, "--listen", f"127.0.0.1:{port}"]
    peers = f"1=127.0.0.1:{node.peer_port},2=127.0.0.1:{other}"
    fails_to_start(base + ["--listen", f"127.0.0.1:{node.port}"], [str(node.port), "in use"])
    fails_to_start(base + ["--data", spare + "-2", "--peers", peers, "--peer-listen", f"127.0.0.1:{node.peer_port}"],
                   [str(node.peer_port), "in use", "--peer-listen"])
    fails_to_start([PROGRAM, "server", "--data", node.data, "--listen", f"127.0.0.1:{port}"],
                   ["in use by process", str(node.process.pid)])
    fails_to_start(base + ["--listen", "0.0.0.0:0"], ["--protected-mode no"])
    fails_to_start(base + ["--no-such-flag", "1"], ["no option --no-such-flag", "lockstep help server"])
    fails_to_start(base + ["--heartbeat", "soon"], ["--heartbeat", "50ms", "soon"])
    fails_to_start(base + ["--id", "0"], ["--id", "0"])
    fails_to_start(base + ["--peers", "nonsense"], ["--peers", "nonsense"])
    fails_to_start(base + ["--config", os.path.join(folder, "absent")], ["configuration file", "absent"])
    config = os.path.join(folder, "config")
    with open(config, "w", encoding="utf-8") as file:
        file.write("# a comment\nheartbeat 50ms\nhartbeat 60ms\n")
    fails_to_start(base + ["--config", config], [f"{config}:3", "hartbeat"])
    fails_to_start(base, ["LOCKSTEP_MAXCLIENTS", "many"], {"LOCKSTEP_MAXCLIENTS": "many"})
    fails_to_start([PROGRAM, "server", "--listen", f"127.0.0.1:{port}"], ["--data"])
    fails_to_start([PROGRAM, "server", "--data", config, "--listen", f"127.0.0.1:{port}"], [config])


# ---- data directories ----


def wrong_directories(cluster):
    first, second = cluster.nodes[0], cluster.nodes[1]
    third = cluster.nodes[2]
    third.kill()
    command = first.command()
    command[command.index("--listen") + 1] = f"127.0.0.1:{third.port}"
    command[command.index("--peer-listen") + 1] = f"127.0.0.1:{third.peer_port}"
    command[command.index("--data") + 1] = third.data
    fails_to_start(command, ["belongs to node 3, this is node 1"])
    fails_to_start(third.command("--cluster-name", "another"), ["belongs to another cluster"])
    third.start()
    third.wait_served()
    check(second.client().ping(), "the others serve")


def keys_of(node):
    return {key: value for key, value in ((key, node.client().get(key)) for key in [f"key:{n}" for n in range(300)])}


def wiped(cluster):
    """A node that lost everything is filled from the others before it counts again."""
    node = cluster.nodes[0]
    with node.client() as connection:
        for n in range(300):
            connection.set(f"key:{n}", f"value {n}")
    node.kill()
    shutil.rmtree(node.data)
    node.start()
    node.wait_served()
    wait_for("the wiped node counts again", lambda: node.status()["groups"][0]["voter"])
    check(all(value == f"value {key[4:]}" for key, value in keys_of(node).items()), "the wiped node has everything")
    for other in cluster.nodes[1:]:  # it can replace each of the others
        other.kill()
        cluster.nodes[0].wait_served()
        other.start()
        other.wait_served()


def flipped_byte(cluster):
    """Damage in the synced middle of a log is noticed, said, and repaired from the peers."""
    node = cluster.nodes[1]
    writer = cluster.nodes[0].client()
    for n in range(300):
        writer.set(f"key:{n}", f"newer {n}")
    node.kill()
    logs = sorted(name for name in os.listdir(node.data) if name.startswith("log-"))
    done = False
    for name in logs:
        path = os.path.join(node.data, name)
        with open(path, "r+b") as file:
            content = file.read()
            place = content.find(b"newer 150")
            if place < 0:
                continue
            file.seek(place)
            file.write(b"N")
            done = True
    check(done, "the value to damage lies in the log")
    before = len(node.log_text())
    node.start()
    node.wait_served()
    wait_for("the damaged node counts again", lambda: node.status()["groups"][0]["voter"])
    check("damaged" in node.log_text()[before:], "the node says that its log is damaged")
    check(all(value == f"newer {key[4:]}" for key, value in keys_of(node).items()), "the repaired node has everything")
    for other in (cluster.nodes[0], cluster.nodes[2]):
        other.kill()
        wait_for("served by the repaired node and one more", lambda: node.client(2).set("k", "v"))
        check(node.client().get("key:150") == "newer 150", "the repaired value is right")
        other.start()
        other.wait_served()


# ---- a full disk ----


def refused_for_space(node):
    """The documented refusal, or None."""
    try:
        node.client().set("full", "y" * 2000)
    except redis.exceptions.ResponseError as error:
        check("disk full" in str(error), f"unexpected refusal: {error}")
        return str(error)
    return None


def full_disk(cluster):
    folder = os.path.join(cluster.folder, "small")
    os.makedirs(folder)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "lockstep-test", folder], capture_output=True,
                             text=True, check=False)
    if mounted.returncode != 0:
        print(f"skipped: a full disk (mount: {mounted.stderr.strip()})")
        return
    alone = Cluster(cluster.folder, 1)
    node = alone.nodes[0]
    node.data, node.log = os.path.join(folder, "data"), os.path.join(cluster.folder, "small.log")
    ballast = os.path.join(folder, "ballast")
    try:
        node.start("--init")
        node.wait_served()
        node.client().set("before", "1")
        node.client().set("short", "1", px=300)
        fill(ballast)
        some = range(100)
        text = wait_for("writes are refused", lambda: next(filter(None, (refused_for_space(node) for _ in some)), None))
        check("disk full" in text, f"the refusal says why: {text}")
        check(node.client().get("before") == "1", "reads go on")
        time.sleep(0.5)
        before = cpu_seconds(node)
        time.sleep(1.0)
        check(cpu_seconds(node) - before < 0.5, "the node spins while its disk is full")
        node.kill()
        node.start()  # and it can be restarted as it is
        wait_for("reads after a restart", lambda: node.client(2).get("before") == "1")
        check(node.process.poll() is None, "the node goes on with a full disk")
        os.remove(ballast)
        wait_for("writes are taken again", lambda: refused_for_space(node) is None and node.client().set("after", "1"))
        check(node.client().get("before") == "1" and node.client().get("after") == "1", "nothing is lost")
    finally:
        node.kill()
        subprocess.run(["umount", folder], check=False)


def fill(path):
    with open(path, "wb", buffering=0) as file:
        block = b"\xff" * 4096
        try:
            while True:
                file.write(block)
        except OSError:
            pass


def cpu_seconds(node):
    with open(f"/proc/{node.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="lockstep-bad-input-")
    cluster = Cluster(folder, 3)
    failures = []
    undisturbed = [malformed_resp, too_large_values, never_reads, half_open, strangers, refused_starts]
    alone = [wrong_directories, wiped, flipped_byte, full_disk]
    try:
        cluster.start()
        for part in undisturbed + alone:
            if arguments.only not in part.__name__:
                continue
            began = time.monotonic()
            bystander = Bystander(cluster.nodes[0]) if part in undisturbed else None
            try:
                if bystander is not None:
                    bystander.start()
                    time.sleep(0.1)
                part(cluster)
                if bystander is not None:
                    bystander.end()
                print(f"passed: {part.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
            except (AssertionError, redis.exceptions.RedisError, OSError, subprocess.TimeoutExpired) as error:
                failures.append(part.__name__)
                print(f"FAILED: {part.__name__}: {type(error).__name__}: {error}", flush=True)
                if bystander is not None:
                    bystander.ending.set()
            for node in cluster.nodes:
                if node.process is None or node.process.poll() is not None:
                    check(part in alone, f"node {node.number} died in {part.__name__}: {node.log_text()[-500:]}")
                    node.start()
                    node.wait_served()
    finally:
        cluster.kill()
        if failures or arguments.keep:
            print(f"logs and data: {folder}")
        else:
            shutil.rmtree(folder)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    main()
