#!/usr/bin/python3
"""Gateways on real processes: a cluster that masks nodes that lie, its keys, and a voting gateway of one that does not.

What a gateway acknowledged is there whatever happens to any one node; with two of four gone it says nothing rather than
something wrong.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import redis

from gateway_cluster import PROGRAM, Process, Servers, Up, connect, free_ports, refused, run, status, until, works

ERRORS = (redis.exceptions.RedisError, OSError)


def what_clients_do(port):
    """Commands of every kind through a gateway."""
    client = connect(port)
    client.flushall()
    assert client.set("a", "1") and client.get("a") == b"1"
    assert client.get("absent") is None
    assert [client.incr("n") for _ in range(5)] == [1, 2, 3, 4, 5]
    assert client.append("a", "23") == 3 and client.getrange("a", 1, -1) == b"23"
    assert client.mset({"x": "1", "y": "2"}) and client.mget("x", "absent", "y") == [b"1", None, b"2"]
    assert client.delete("x", "y", "absent") == 2

    large = os.urandom(1 << 20)
    assert client.set("large", large) and client.get("large") == large

    with client.pipeline(transaction=True) as transaction:
        transaction.set("m", "1").incr("m").get("m").get("absent")
        assert transaction.execute() == [True, 2, b"2", None]
    try:
        client.execute_command("INCR", "large")
        raise AssertionError("a value that is no number was incremented")
    except redis.exceptions.ResponseError as error:
        assert "not an integer" in str(error), error

    with client.pipeline(transaction=False) as pipeline:
        for number in range(2000):
            pipeline.set(f"p:{number}", number)
            pipeline.get(f"p:{number}")
        answers = pipeline.execute()
    assert answers[::2] == [True] * 2000
    assert [int(answer) for answer in answers[1::2]] == list(range(2000))
    assert sorted(int(key[2:]) for key in client.scan_iter("p:*", count=100)) == list(range(2000))

    assert client.set("brief", "1", px=300) and 0 < client.pttl("brief") <= 300
    until("expiry", lambda: client.get("brief") is None, 5)
    assert client.set("kept", "1", ex=1000) and client.persist("kept") and client.ttl("kept") == -1
    client.close()


class Writer(threading.Thread):
    """Writes keys of its own, one after another, and notes which were acknowledged."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name, self.sure, self.wrong, self.ending = port, name, [], [], threading.Event()

    def run(self):
        number, client = 0, connect(self.port, 2)
        while not self.ending.is_set():
            number += 1
            key = f"{self.name}:{number}"
            try:
                if client.set(key, number):
                    self.sure.append(key)
                value = client.get(key)
                if value is not None and int(value) != number or value is None and self.sure[-1:] == [key]:
                    self.wrong.append((key, value))
            except ERRORS:
                time.sleep(0.05)
        client.close()

    def finish(self):
        self.ending.set()
        self.join(20)
        assert not self.wrong, f"wrong answers: {self.wrong[:5]}"
        return self.sure


def all_there(port, keys):
    with connect(port) as client:
        for at in range(0, len(keys), 500):
            values = client.mget(keys[at:at + 500])
            lost = [key for key, value in zip(keys[at:at + 500], values) if value is None]
            assert not lost, f"{len(lost)} acknowledged writes are lost: {lost[:3]}"


def any_one_node_may_die(cluster):
    writer = Writer(cluster.port, "killed")
    writer.start()
    primary = cluster.primary()
    for node in [primary] + [n for n in (1, 2, 3, 4) if n != primary]:
        before = len(writer.sure)
        os.kill(cluster.pids()[node], signal.SIGKILL)
        until(f"writes without node {node}", lambda: len(writer.sure) > before + 20)
        until("the report", lambda: cluster.said(f"node {node} (process"))
        until("the node is back", lambda: node in cluster.pids() and status(cluster.port)[node].get("groups"))
    sure = writer.finish()
    all_there(cluster.port, sure)
    return len(sure)


def any_one_node_may_stop(cluster):
    node = cluster.primary()
    pid = cluster.pids()[node]
    writer = Writer(cluster.port, "stopped")
    writer.start()
    os.kill(pid, signal.SIGSTOP)
    try:
        until("writes while the primary is stopped", lambda: len(writer.sure) > 20)
    finally:
        os.kill(pid, signal.SIGCONT)
    all_there(cluster.port, writer.finish())


def a_disk_may_be_lost(cluster):
    """The node is filled by the others, and then counts again: another one may die."""
    node = next(n for n in (1, 2, 3, 4) if n != cluster.primary())
    pid = cluster.pids()[node]
    os.kill(pid, signal.SIGSTOP)
    shutil.rmtree(os.path.join(cluster.root, "data", f"node-{node}"))
    os.kill(pid, signal.SIGKILL)
    writer = Writer(cluster.port, "lost")
    writer.start()

    def votes():
        row = status(cluster.port)[node]
        return row["reachable"] and row["pid"] != pid and row["groups"][0]["voter"]

    # It votes when it has seen the low water mark pass, for which some thousand numbers have to be ordered.
    until("the node without a disk votes again", votes, 120)
    other = next(n for n in (1, 2, 3, 4) if n not in (node, cluster.primary()))
    before = len(writer.sure)
    other_pid = cluster.pids()[other]
    os.kill(other_pid, signal.SIGSTOP)
    try:
        until("writes with its vote", lambda: len(writer.sure) > before + 20)
    finally:
        os.kill(other_pid, signal.SIGCONT)
    all_there(cluster.port, writer.finish())


def two_nodes_are_too_many(cluster):
    """Nothing is answered that is not so; and afterwards all goes on."""
    pids = cluster.pids()
    with connect(cluster.port) as client:
        client.set("settled", "before")
    for node in (2, 3):
        os.kill(pids[node], signal.SIGSTOP)
    try:
        time.sleep(1)
        with connect(cluster.port, 8) as client:
            answers = []
            for _ in range(2):
                try:
                    answers.append(client.set("unsettled", "1"))
                except ERRORS as error:
                    answers.append(f"{type(error).__name__} {error}")
            assert not any(answer is True for answer in answers), f"acknowledged by two nodes: {answers}"
            try:
                assert client.get("settled") == b"before"
            except ERRORS as error:
                answers.append(str(error))
            print(f"  two of four nodes: {answers}")
    finally:
        for node in (2, 3):
            os.kill(pids[node], signal.SIGCONT)
    until("four nodes serve again", lambda: works(cluster.port))
    with connect(cluster.port) as client:
        assert client.get("settled") == b"before"


def a_gateway_may_die(cluster):
    with connect(cluster.port) as client:
        client.set("held", "by the nodes")
    os.kill(status(cluster.port)[5]["pid"], signal.SIGKILL)
    until("the report", lambda: cluster.said("gateway 5 (process"))
    until("another gateway", lambda: works(cluster.port))
    with connect(cluster.port) as client:
        assert client.get("held") == b"by the nodes"


def peers_of(cluster):
    return ",".join(f"{n}=127.0.0.1:{cluster.port + n + 10000}" for n in (1, 2, 3, 4))


def make_gateway(cluster, node, port, keys):
    data = os.path.join(cluster.root, f"gateway-{node}")
    return Process(data + ".log", "gateway", "--id", str(node), "--protocol", "pbft", "--peers", peers_of(cluster),
                   "--data", data, "--keys", keys, "--listen", f"127.0.0.1:{port}", "--request-timeout", "3s")


def make_keys(cluster, node):
    """Its own, and the public ones of the members."""
    keys = os.path.join(cluster.root, f"keys-{node}")
    run("keys", "new", "--dir", keys, "--id", str(node))
    for member in (1, 2, 3, 4):
        shutil.copy(os.path.join(cluster.root, "data", "keys", f"node-{member}", f"node-{member}"), keys)
    return keys


def said_by_a_node(cluster, text):
    for node in (1, 2, 3, 4):
        with open(os.path.join(cluster.root, "data", f"node-{node}.log"), encoding="utf-8") as file:
            if text in file.read():
                return True
    return False


def refused_as_a_stranger(cluster, gateway, port):
    """It says why, now and then, and serves nobody; the nodes name it."""
    until("a stranger is told", lambda: gateway.said("refuses this gateway, because 101 is not enrolled: enrol it by "
                                                     "GROUP.ENROL 101"))
    until("a node says what to do with a stranger", lambda: said_by_a_node(cluster, "it is node 101, which is neither"))
    before = gateway.lines()
    with connect(port) as client:
        try:
            raise AssertionError(f"a stranger was served: {client.set('stranger', '1')}")
        except redis.exceptions.ResponseError as error:
            assert "CLUSTERDOWN too few nodes" in str(error), error
    time.sleep(1)
    assert gateway.lines() - before <= 8, "it says the same again and again"


def gateways_come_and_go(cluster):
    port = free_ports(1)
    keys = make_keys(cluster, 101)
    second = make_gateway(cluster, 101, port, keys).start()
    try:
        refused_as_a_stranger(cluster, second, port)
        assert not second.said("connected with node"), "a stranger was connected"

        with connect(cluster.port) as client:
            assert client.execute_command("GROUP.ENROL", "101", run("keys", "show", "--dir", keys)) in (b"OK", True)
        until("the enrolled gateway serves", lambda: works(port))
        with connect(port) as client, connect(cluster.port) as other:
            client.set("by", "101")
            assert other.get("by") == b"101"

        with connect(cluster.port) as client:
            assert client.execute_command("GROUP.EXPEL", "101") in (b"OK", True)
        until("it was expelled", lambda: said_by_a_node(cluster, "client 101 was expelled"))
        until("the expelled gateway serves no more", lambda: not works(port, "expelled"))
        refused_as_a_stranger(cluster, second, port)
        assert works(cluster.port)
    finally:
        second.kill()


def wrong_keys_are_told(cluster):
    """A gateway that is enrolled with other keys than it has: refused by what it cannot prove, and both sides say so."""
    port = free_ports(1)
    keys, others = make_keys(cluster, 102), make_keys(cluster, 103)
    with connect(cluster.port) as client:
        client.execute_command("GROUP.ENROL", "102", run("keys", "show", "--dir", others))
    gateway = make_gateway(cluster, 102, port, keys).start()
    try:
        until("the gateway is connected", lambda: gateway.said("connected with node"))
        assert not works(port, patience_s=5), "it was believed with the wrong keys"
        until("a node says so", lambda: said_by_a_node(cluster, "messages of gateway 102 whose proof is not their sender's"))
        until("the gateway says so", lambda: gateway.said("node 4 has answered nothing since it was connected"), 10)
        assert gateway.said("gateway 102"), "it does not say whom the nodes' logs name"
    finally:
        gateway.kill()
    with connect(cluster.port) as client:
        client.execute_command("GROUP.EXPEL", "102")
    assert works(cluster.port)


def signatures_that_differ_are_told(cluster):
    port = free_ports(1)
    keys = make_keys(cluster, 104)
    with connect(cluster.port) as client:
        client.execute_command("GROUP.ENROL", "104", run("keys", "show", "--dir", keys))
    gateway = make_gateway(cluster, 104, port, keys).start("--signatures", "yes")
    try:
        until("a node says so", lambda: said_by_a_node(cluster, "messages of gateway 104 whose proof is not their sender's"))
        until("the gateway says so", lambda: gateway.said("node 1 has answered nothing since it was connected"), 10)
        assert not works(port), "it was believed without the proofs that the nodes expect"
        assert gateway.lines() < 40, "it says the same again and again"
    finally:
        gateway.kill()
    with connect(cluster.port) as client:
        client.execute_command("GROUP.EXPEL", "104")


def mistakes_are_named(root):
    port = free_ports(5)
    peers = ",".join(f"{n}=127.0.0.1:{port + n + 10000}" for n in (1, 2, 3, 4))
    data = os.path.join(root, "mistakes")
    server = ["server", "--protocol", "pbft", "--peers", peers, "--listen", f"127.0.0.1:{port + 1}"]
    text = refused(*server, "--data", data)
    assert "lockstep keys new" in text and "there is no directory of keys" in text, text
    assert not os.path.exists(os.path.join(data, "identity")), "a start that was refused made an identity"
    run("keys", "new", "--dir", os.path.join(data, "keys"), "--id", "1")
    assert "never overwritten" in refused("keys", "new", "--dir", os.path.join(data, "keys"), "--id", "1")
    text = refused("keys", "new", "--dir", os.path.join(data, "keys"), "--id", "8")
    assert "is another node's" in text and "a directory of its own" in text, text
    text = refused("keys", "show", "--dir", os.path.join(root, "nowhere"))
    assert "there is none; `lockstep keys new` makes one" in text, text
    text = refused(*server, "--data", data)
    assert "node-2" in text, text
    text = refused("server", "--protocol", "pbft", "--data", data, "--peers", peers.rsplit(",", 1)[0], *server[-2:])
    assert "3k+1 = 4" in text, text
    text = refused("up", "--protocol", "pbft", "--data", os.path.join(root, "three"), "--port", str(port))
    assert "3k+1 = 4" in text, text
    gateway = ["gateway", "--data", data, "--peers", peers, "--listen", f"127.0.0.1:{port}"]
    assert "--vote" in refused(*gateway, "--id", "101")
    assert "--vote" in refused(*gateway, "--id", "101", "--protocol", "pbft", "--vote", "3")
    for vote in "4", "5":
        text = refused(*gateway, "--id", "101", "--vote", vote)
        assert f"--vote {vote}: expected an odd number from 3 on, and no more than the 4 nodes" in text, text
    assert "an --id of its own" in refused(*gateway, "--id", "2", "--vote", "3")
    assert "`lockstep server`" in refused(*gateway, "--id", "101", "--lab", "yes")
    assert "`lockstep gateway`" in refused(*server, "--data", data, "--vote", "3")
    assert "--keys is for" in refused("server", "--data", data, "--keys", data, "--listen", f"127.0.0.1:{port + 1}")


def a_gateway_that_reaches_too_few_says_so(root):
    """What was certainly not executed is refused as such, and all goes on when enough nodes are there."""
    cluster = Servers(root, 4, "pbft", "--request-timeout", "2s")
    try:
        cluster.start(1)
        cluster.start(2)
        cluster.start_gateway()
        until("two nodes", lambda: cluster.gateway.said("connected with node 1") and cluster.gateway.said("connected with node 2"))
        with connect(cluster.port) as client:
            for command in ("SET", "lonely", "1"), ("GET", "lonely"):
                try:
                    raise AssertionError(f"two of four answered {client.execute_command(*command)}")
                except redis.exceptions.ResponseError as error:
                    assert "CLUSTERDOWN" in str(error), error
        arguments = [word.replace("process-5", "process-6") for word in cluster.gateway.arguments]
        stranger = Process(os.path.join(root, "stranger.log"), *arguments[:-1], f"127.0.0.1:{cluster.port + 3}",
                           "--cluster-name", "other", "--keys", cluster.keys(5))
        stranger.start()
        try:
            until("both sides name the cluster", lambda: stranger.said("it belongs to another cluster") and
                  cluster.nodes[1].said("it belongs to another cluster"))
        finally:
            stranger.kill()

        cluster.start(4)
        until("three nodes serve", lambda: works(cluster.port))
        with connect(cluster.port) as client:
            assert client.get("lonely") is None
            assert client.execute_command("GROUP.CLIENTS") == []
            assert client.execute_command("GROUP.LIST")
            try:
                raise AssertionError(client.execute_command("GROUP.CREATE", "x", "PROTOCOL", "pbft"))
            except redis.exceptions.ResponseError as error:
                assert "a gateway creates no groups" in str(error), error
    finally:
        cluster.end()


def card_of(client, group):
    words = client.execute_command("GROUP.INFO", group)
    return words if isinstance(words, dict) else dict(zip(words[::2], words[1::2]))


def groups_are_served_too(port):
    """A gateway learns which groups there are, and asks each by its own protocol."""
    with connect(port + 1) as node:
        assert node.execute_command("GROUP.CREATE", "quick", "PROTOCOL", "raft", "K", "1", "MEMBERS", "2,3,4", "PREFIX",
                                    "quick:") in (b"OK", True)
        assert node.execute_command("GROUP.CREATE", "sure", "PROTOCOL", "pbft", "PREFIX", "sure:") in (b"OK", True)

    def written(client):
        try:
            return all(client.set(key, "there") and client.get(key) == b"there" for key in ("sure:1", "quick:1"))
        except redis.exceptions.ResponseError as error:
            assert "TRYAGAIN" in str(error), error
            return False

    with connect(port) as client, connect(port + 2) as member:
        until("the gateway serves the new groups", lambda: written(client), 5)
        assert member.get("quick:1") == b"there"
        assert client.get("held") == b"by the nodes" and b"quick" in client.execute_command("GROUP.LIST")
        for group, protocol, masks in ("default", b"pbft", b"arbitrary"), ("quick", b"raft", b"timing"):
            card = card_of(client, group)
            assert card[b"protocol"] == protocol and card[b"masks"] == masks and card[b"k"] == 1, card
            assert card[b"order"] == b"total" and card[b"answered-by"].startswith(b"gateway "), card
        assert client.execute_command("WAIT", 0, 100) == 2, "the quorum of quick, where it wrote last"
        assert client.set("waited", "1") and client.execute_command("WAIT", 3, 100) == 3
        assert card_of(member, "default")[b"answered-by"] == b"node 2"
        try:
            raise AssertionError(client.mset({"quick:1": "1", "a": "2"}))
        except redis.exceptions.ResponseError as error:
            assert "CROSSGROUP" in str(error), error
        client.execute_command("GROUP.DROP", "quick")
        client.execute_command("GROUP.DROP", "sure")


def failure(client, key):
    """What a read of that key is refused with."""
    try:
        raise AssertionError(f"not refused: {client.get(key)}")
    except redis.exceptions.ResponseError as error:
        return str(error)


def a_voter_of_a_cluster_that_masks_crashes(root):
    port = free_ports(4)
    cluster = Up(root, port + 1)
    peers = ",".join(f"{n}=127.0.0.1:{port + n + 10000}" for n in (1, 2, 3))
    gateway = Process(os.path.join(root, "voter.log"), "gateway", "--id", "101", "--vote", "3", "--peers", peers,
                      "--data", os.path.join(root, "voter"), "--listen", f"127.0.0.1:{port}")
    try:
        with connect(port + 1) as client:
            assert client.execute_command("GROUP.ENROL", "101") in (b"OK", True)
        gateway.start()
        until("a voter serves", lambda: works(port))
        what_clients_do(port)
        with connect(port) as client, connect(port + 1) as node:
            begin = time.time()
            for number in range(60):
                client.set("alone", number)
            assert time.time() - begin < 2, "a lone client waits for a heartbeat (50 ms) at each write"
            assert client.execute_command("WAIT", 0, 100) == 2
            assert node.execute_command("GROUP.CREATE", "solo", "PROTOCOL", "raft", "MEMBERS", "1", "PREFIX", "solo:")
            until("what cannot be compared is refused", lambda: "compares the answers of 3" in failure(client, "solo:1"), 5)
            node.execute_command("GROUP.DROP", "solo")
        os.kill(cluster.pids()[cluster.primary()], signal.SIGKILL)
        until("a voter serves without the leader", lambda: works(port))
        other = subprocess.run([PROGRAM, "gateway", "--id", "102", "--vote", "3", "--peers", peers.replace("1=", "4=", 1),
                                "--data", os.path.join(root, "other"), "--listen", f"127.0.0.1:{port}"],
                               capture_output=True, text=True, check=False, timeout=20)
        assert "in use" in other.stderr, other.stderr
        gateway.signal(signal.SIGTERM)
        assert gateway.process.wait(20) == 0
    finally:
        gateway.kill()
        cluster.stop()


def check(root):
    mistakes_are_named(root)
    port = free_ports(5)
    cluster = Up(root, port, "--nodes", "4", "--protocol", "pbft")
    steps = [("commands", lambda: what_clients_do(port)), ("commands through a node", lambda: what_clients_do(port + 2)),
             ("kill -9", lambda: any_one_node_may_die(cluster)), ("SIGSTOP", lambda: any_one_node_may_stop(cluster)),
             ("lost disk", lambda: a_disk_may_be_lost(cluster)),
             ("two nodes", lambda: two_nodes_are_too_many(cluster)), ("gateway", lambda: a_gateway_may_die(cluster)),
             ("enrolment", lambda: gateways_come_and_go(cluster)), ("keys", lambda: wrong_keys_are_told(cluster)),
             ("signatures", lambda: signatures_that_differ_are_told(cluster))]
    try:
        for name, step in steps:
            begin = time.time()
            step()
            print(f"{name}: {time.time() - begin:.1f} s", flush=True)
        cluster.stop()

        # All of it is there after a restart, by whose keys the nodes still know one another.
        cluster = Up(root, port, "--nodes", "4", "--protocol", "pbft")
        with connect(port) as client:
            assert client.get("held") == b"by the nodes"
        groups_are_served_too(port)
        cluster.stop()

        cluster = Up(root, port, "--nodes", "4", "--protocol", "pbft", "--signatures", "yes", "--fresh")
        until("the status", lambda: cluster.said("primary node"))
        with connect(port) as client:
            assert client.get("held") is None and client.set("signed", "1") and client.get("signed") == b"1"
    finally:
        if cluster.process is not None:
            cluster.stop()
    second = os.path.join(root, "voted")
    os.mkdir(second)
    begin = time.time()
    a_voter_of_a_cluster_that_masks_crashes(second)
    print(f"voter of raft: {time.time() - begin:.1f} s", flush=True)
    third = os.path.join(root, "few")
    os.mkdir(third)
    a_gateway_that_reaches_too_few_says_so(third)


def main():
    os.environ.setdefault("LOCKSTEP_REQUEST_TIMEOUT", "4s")
    root = tempfile.mkdtemp(prefix="lockstep-gateway-")
    try:
        check(root)
    except BaseException:
        for folder, _, names in os.walk(root):
            for name in names:
                if name.endswith(".log"):
                    with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                        print(f"--- {name}\n{file.read()[-3000:]}", file=sys.stderr)
        raise
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print("gateway_test: well")


if __name__ == "__main__":
    main()
