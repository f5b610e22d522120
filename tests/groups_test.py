"""Groups on a real cluster: three nodes, a group of three and a group of two; prefixes choose the group, the longest one
first; enrolled clients; kill -9 and a wiped disk; dropping; a group that answers where default cannot; and each refusal with its reason.

Talks RESP by hand, so it needs nothing but Python.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = os.environ["LOCKSTEP_PROGRAM"]
TIMEOUT_S = 40
NODES = (1, 2, 3)


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


def value(file):
    """One answer: errors are strings that begin with a minus, arrays lists."""
    line = file.readline().decode().rstrip("\r\n")
    if not line:
        raise OSError("closed")
    kind, rest = line[0], line[1:]
    if kind == "$":
        return None if rest == "-1" else file.read(int(rest) + 2)[:-2].decode()
    if kind == "*":
        return None if rest == "-1" else [value(file) for _ in range(int(rest))]
    return int(rest) if kind == ":" else line if kind == "-" else rest


def encoded(words):
    return b"".join([b"*%d\r\n" % len(words)] + [b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words])


def talk(port, *commands):
    """The answers to commands on one connection, sent at once; None if nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=8) as connection:
            connection.sendall(b"".join(encoded(words) for words in commands))
            file = connection.makefile("rb")
            return [value(file) for _ in commands]
    except OSError:
        return None


def ask(port, *words):
    answers = talk(port, words)
    return answers[0] if answers else None


def until(what, condition):
    end = time.time() + TIMEOUT_S
    while time.time() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {TIMEOUT_S} s: {what}")


class Cluster:
    def __init__(self, root):
        self.root, self.first = root, free_ports(len(NODES))
        self.peers = ",".join(f"{node}=127.0.0.1:{self.port(node) + 10000}" for node in NODES)
        self.processes = {}

    def port(self, node):
        return self.first + node - 1

    def data(self, node):
        return os.path.join(self.root, f"node-{node}")

    def start(self, node, *options):
        with open(os.path.join(self.root, f"node-{node}.log"), "a", encoding="utf-8") as log:
            self.processes[node] = subprocess.Popen(
                [PROGRAM, "server", "--id", str(node), "--listen", f"127.0.0.1:{self.port(node)}", "--data",
                 self.data(node), "--peers", self.peers, *options], stdout=log, stderr=subprocess.STDOUT)

    def kill(self, node):
        self.processes[node].send_signal(signal.SIGKILL)
        self.processes[node].wait()

    def stop(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            assert process.wait(20) == 0

    def ask(self, node, *words):
        return ask(self.port(node), *words)

    def same_lists(self, names):
        return all(self.ask(node, "GROUP.LIST") == names for node in NODES)

    def info(self, node, name):
        answer = self.ask(node, "GROUP.INFO", name)
        return dict(zip(answer[::2], answer[1::2])) if isinstance(answer, list) else answer


def refused(answer, *texts):
    assert isinstance(answer, str) and answer.startswith("-") and all(text in answer for text in texts), (answer, texts)


def refusals(cluster):
    create = lambda *words: cluster.ask(1, "GROUP.CREATE", *words)
    refused(create("x", "PROTOCOL", "nosuch"), "no protocol 'nosuch'", "raft")
    refused(create("x", "PROTOCOL", "raft", "K", "2"), "needs 2k+1 = 5 members to mask k = 2", "there are 3")
    refused(create("x", "PROTOCOL", "raft", "K", "1", "MEMBERS", "1,2"), "= 3 members")
    refused(create("x", "PROTOCOL", "two-phase-commit"), "lab maturity", "--lab yes")
    refused(create("x", "PROTOCOL", "raft", "SERVICE", "nosuch"), "no service 'nosuch'", "kv")
    refused(create("x", "PROTOCOL", "raft", "SERVICE", "kv+groups"), "no service")
    refused(create("x", "PROTOCOL", "raft", "MEMBERS", "1,9"), "node 9 is no node of this cluster")
    refused(create("x", "PROTOCOL", "raft", "MEMBERS", "1,1"), "ascend and differ")
    refused(create("x", "PROTOCOL", "raft", "MEMBERS", "1,2,"), "node ids with commas")
    refused(create("x", "PROTOCOL", "raft", "PREFIX", "p" * 33), "at most 32 bytes")
    refused(create("bad name", "PROTOCOL", "raft"), "letters, digits")
    refused(create("x" * 32, "PROTOCOL", "raft"), "31 letters")
    refused(create("default", "PROTOCOL", "raft"), "already")
    refused(create("x", "PROTOCOL", "raft", "COLOUR", "red"), "syntax error")
    refused(create("x", "K", "1"), "syntax error")
    refused(cluster.ask(1, "GROUP.DROP", "default"), "cannot be dropped")
    refused(cluster.ask(1, "GROUP.DROP", "nosuch"), "no group of that name")
    refused(cluster.ask(1, "GROUP.INFO", "nosuch"), "no group of that name")
    assert cluster.same_lists(["default"])


def routing(cluster):
    for node in NODES:
        until(f"a write to the group of three through node {node}",
              lambda n=node: cluster.ask(n, "SET", f"t:{n}", str(n)) == "OK")
    until("a write to the group of two", lambda: cluster.ask(2, "SET", "w:a", "1") == "OK")
    assert [cluster.ask(1, "GET", f"t:{node}") for node in NODES] == ["1", "2", "3"]
    assert cluster.ask(1, "DBSIZE") == 1, "the keys of groups are not default's"
    # Node 3 has no member of the group of two, and says who has.
    answer = cluster.ask(3, "GET", "w:a")
    assert answer.startswith("-MOVED 2 127.0.0.1:") and int(answer.rsplit(":", 1)[1]) in (
        cluster.port(1), cluster.port(2)), answer
    refused(cluster.ask(1, "MSET", "t:x", "1", "plain", "2"), "CROSSGROUP", "three", "default")
    refused(cluster.ask(1, "MGET", "t:1", "w:a"), "CROSSGROUP", "three", "two")
    assert cluster.ask(1, "MSET", "t:x", "1", "t:y", "2") == "OK"
    # Transactions stay within a group, watched keys too.
    answers = talk(cluster.port(1), ("WATCH", "t:x"), ("MULTI",), ("SET", "t:x", "7"), ("INCR", "t:x"), ("EXEC",),
                   ("GET", "t:x"))
    assert answers == ["OK", "OK", "QUEUED", "QUEUED", ["OK", 8], "8"], answers
    answers = talk(cluster.port(1), ("MULTI",), ("SET", "t:x", "9"), ("SET", "w:a", "9"), ("EXEC",), ("GET", "t:x"))
    assert answers[2].startswith("-CROSSGROUP") and answers[3].startswith("-EXECABORT") and answers[4] == "8", answers
    answers = talk(cluster.port(1), ("WATCH", "w:a"), ("MULTI",), ("SET", "t:x", "9"), ("EXEC",))
    assert answers[2].startswith("-CROSSGROUP") and answers[3].startswith("-EXECABORT"), answers
    # A pipeline over several groups keeps its order.
    answers = talk(cluster.port(2), *[(verb, f"{prefix}pipe") for _ in range(20) for prefix in ("t:", "w:", "")
                                      for verb in ("INCR", "GET")])
    expected = [each for i in range(1, 21) for _ in range(3) for each in (i, str(i))]
    assert answers == expected, answers
    assert talk(cluster.port(1), ("SET", "t:z", "1"), ("WAIT", "3", "5000")) == ["OK", 3]


def create(cluster):
    assert cluster.ask(1, "SET", "plain", "1") == "OK"
    assert cluster.ask(1, "SET", "old:key", "1") == "OK"
    refused(cluster.ask(1, "GROUP.CREATE", "three", "PROTOCOL", "raft", "PREFIX", "old:"), "default holds keys")
    assert cluster.ask(1, "DEL", "old:key") == 1
    assert cluster.ask(1, "GROUP.CREATE", "three", "PROTOCOL", "raft", "K", "1", "MEMBERS", "3,1,2", "PREFIX",
                       "t:", "SERVICE", "kv") == "OK"
    assert cluster.ask(3, "GROUP.CREATE", "two", "PROTOCOL", "raft", "MEMBERS", "1,2", "PREFIX", "w:") == "OK"
    refused(cluster.ask(2, "GROUP.CREATE", "two", "PROTOCOL", "raft"), "there is a group 'two' already")
    refused(cluster.ask(2, "GROUP.CREATE", "x", "PROTOCOL", "raft", "PREFIX", "t:"), "is that of group 'three' already")
    assert cluster.same_lists(["default", "three", "two"])
    card = cluster.info(3, "two")
    assert card["members"] == [1, 2] and card["k"] == 0 and card["prefix"] == "w:" and card["masks"] == "timing", card
    assert card["role"] == "no member on this node" and card["order"] == "total", card
    assert cluster.info(1, "default")["service"] == "kv+groups"


def crashes(cluster):
    names = ["default", "three", "two"]
    cluster.kill(3)
    for node in (1, 2):
        until("a write with node 3 down", lambda n=node: cluster.ask(n, "SET", "t:1", f"down-{n}") == "OK")
    cluster.start(3)
    until("node 3 is back", lambda: cluster.ask(3, "GET", "t:1") == "down-2")
    for node in NODES:
        cluster.kill(node)
    for node in NODES:
        cluster.start(node)
    until("all have the same list again", lambda: cluster.same_lists(names))
    until("the groups' data", lambda: cluster.ask(1, "GET", "w:a") == "1" and cluster.ask(3, "GET", "t:x") == "8")
    # A wiped node is filled in every group that it was in; it may not count before.
    cluster.kill(2)
    shutil.rmtree(cluster.data(2))
    cluster.start(2)
    until("the wiped node knows the groups", lambda: cluster.ask(2, "GROUP.LIST") == names)
    until("the wiped node has its data", lambda: cluster.ask(2, "GET", "t:x") == "8")
    # Two members mask no fault. If the one that is left orders, it fills the other; else nobody can be elected, and the
    # group waits for people. It never answers wrongly.
    answer = cluster.ask(1, "GET", "w:a")
    assert answer is None or answer == "1" or answer.startswith("-CLUSTERDOWN"), answer


def nested(cluster):
    """A prefix inside another: the longest one owns a key, and what the shorter one's group holds comes back with it."""
    create = lambda *words: cluster.ask(2, "GROUP.CREATE", *words)
    assert cluster.ask(1, "SET", "t:in:a", "outer") == "OK"
    assert create("inner", "PROTOCOL", "raft", "MEMBERS", "1,2,3", "PREFIX", "t:in:") == "OK"
    until("the list", lambda: cluster.same_lists(["default", "three", "two", "inner"]))
    for node in NODES:
        until("a write to the inner group", lambda n=node: cluster.ask(n, "SET", f"t:in:{n}", "inner") == "OK")
    assert cluster.ask(1, "GET", "t:in:a") is None, "the outer group's key is out of reach"
    assert cluster.info(1, "inner")["within"] == "three" and cluster.info(1, "three")["within"] == "default"
    refused(cluster.ask(1, "MSET", "t:x", "1", "t:in:x", "2"), "CROSSGROUP", "three", "inner")
    assert cluster.ask(1, "GET", "t:x") == "8"
    # Around a group that is there: default gives up the rest, once it holds none of it.
    assert create("deep", "PROTOCOL", "raft", "MEMBERS", "1,2,3", "PREFIX", "d:e:") == "OK"
    assert cluster.ask(1, "SET", "d:1", "plain") == "OK"
    refused(create("around", "PROTOCOL", "raft", "PREFIX", "d:"), "default holds keys")
    assert cluster.ask(1, "DEL", "d:1") == 1
    assert create("around", "PROTOCOL", "raft", "MEMBERS", "1,2,3", "PREFIX", "d:") == "OK"
    until("the list", lambda: cluster.same_lists(["default", "three", "two", "inner", "deep", "around"]))
    for key in ("d:1", "d:e:1"):
        until("a write", lambda k=key: cluster.ask(3, "SET", k, k) == "OK")
    for node in NODES:
        cluster.kill(node)
    for node in NODES:
        cluster.start(node)
    until("the inner group's key after a restart", lambda: cluster.ask(2, "GET", "t:in:1") == "inner")
    until("a key of each", lambda: [cluster.ask(1, "GET", key) for key in ("d:1", "d:e:1")] == ["d:1", "d:e:1"])
    for name in ("inner", "deep", "around"):
        assert cluster.ask(1, "GROUP.DROP", name) == "OK"
    until("the list", lambda: cluster.same_lists(["default", "three", "two"]))
    assert cluster.ask(2, "GET", "t:in:a") == "outer" and cluster.ask(2, "GET", "t:in:1") is None
    assert cluster.ask(2, "DEL", "t:in:a") == 1


def voter_everywhere(cluster, node, groups):
    answer = cluster.ask(node, "LOCKSTEP", "STATUS")
    listed = json.loads(answer)["groups"] if answer else []
    return len(listed) == groups and all(group["voter"] for group in listed)


def clients(cluster):
    """Enrolled clients are the same on all nodes, and there after a restart and on a wiped node."""
    key, other = "0123456789abcdef" * 8, "f" * 128
    enrol = lambda *words: cluster.ask(2, "GROUP.ENROL", *words)
    assert cluster.ask(3, "GROUP.CLIENTS") == []
    assert enrol("500", key.upper()) == "OK" and enrol("500", key) == "OK"
    assert enrol("40") == "OK"
    refused(enrol("500", other), "client 500 is enrolled with another key", "GROUP.EXPEL")
    refused(enrol("500"), "another key")
    refused(enrol("3", key), "node 3 is a node of this cluster")
    refused(enrol("501", key[1:]), "128 hexadecimal digits")
    refused(enrol("zero"), "1 to 999999999")
    refused(cluster.ask(1, "GROUP.EXPEL", "501"), "no enrolled client of that number")
    listed = [[40, ""], [500, key]]
    same = lambda: all(cluster.ask(node, "GROUP.CLIENTS") == listed for node in NODES)
    until("the same clients everywhere", same)
    for node in NODES:
        cluster.kill(node)
    for node in NODES:
        cluster.start(node)
    until("the same clients after a restart", same)
    assert cluster.ask(1, "GROUP.EXPEL", "40") == "OK"
    assert cluster.ask(1, "GROUP.EXPEL", "500") == "OK"
    refused(cluster.ask(1, "GROUP.EXPEL", "500"), "no enrolled client")
    assert enrol("500", other) == "OK", "expelled, it may come with another key"
    for number in range(1000, 1015):
        assert enrol(str(number), key) == "OK"
    refused(enrol("2000", key), "at most 16 enrolled clients")
    listed = [[500, other]] + [[number, key] for number in range(1000, 1015)]
    cluster.kill(3)
    shutil.rmtree(cluster.data(3))
    cluster.start(3)
    until("the same clients on a wiped node", same)
    until("the wiped node counts again in its groups", lambda: voter_everywhere(cluster, 3, 2))
    for number, _ in listed:
        assert cluster.ask(2, "GROUP.EXPEL", str(number)) == "OK"
    assert cluster.ask(2, "GROUP.CLIENTS") == []


def byzantine(cluster):
    """A group that masks malicious members is refused while default masks crashes only: it decides what groups there are."""
    for node in NODES:
        cluster.kill(node)
    for node in NODES:
        cluster.start(node, "--lab", "yes")
    until("a leader", lambda: cluster.ask(1, "SET", "plain", "1") == "OK")
    refused(cluster.ask(1, "GROUP.CREATE", "b", "PROTOCOL", "pbft"), "protocol pbft masks arbitrary failures",
            "group default", "runs raft", "lockstep up --protocol pbft")
    assert cluster.ask(1, "GROUP.CREATE", "p", "PROTOCOL", "paxos", "PREFIX", "p:") == "OK", "one that masks as much is taken"
    until("a write", lambda: cluster.ask(1, "SET", "p:1", "1") == "OK")
    assert cluster.ask(1, "GROUP.DROP", "p") == "OK"


def available(cluster):
    """An available group on the servers of byzantine(): it answers while default cannot, and both sides' answers meet."""
    assert cluster.ask(1, "GROUP.CREATE", "tills", "PROTOCOL", "anti-entropy", "SERVICE", "till", "PREFIX",
                       "till:") == "OK"
    until("the first deposit", lambda: cluster.ask(1, "INCRBY", "till:anna", "100") == 100)
    same = lambda value: all(cluster.ask(node, "GET", "till:anna") == value for node in NODES)
    until("all have it", lambda: same("100"))
    refused(cluster.ask(2, "DECRBY", "till:anna", "101"), "insufficient funds: the balance here is 100")
    refused(cluster.ask(2, "SET", "till:anna", "5"), "tills know INCRBY, DECRBY and GET only")
    refused(cluster.ask(2, "GROUP.CREATE", "x", "PROTOCOL", "anti-entropy", "SERVICE", "kv"), "service kv needs total order")
    # Node 1 alone: default has no quorum, the tills go on.
    cluster.kill(2)
    cluster.kill(3)
    assert cluster.ask(1, "DECRBY", "till:anna", "70") == 30
    assert cluster.ask(1, "GET", "till:anna") == "30"
    refused(cluster.ask(1, "SET", "plain", "2"), "") # CLUSTERDOWN, or INDETERMINATE while node 1 still leads
    # The others without node 1, of whose payment they have heard nothing.
    cluster.kill(1)
    for node in (2, 3):
        cluster.start(node, "--lab", "yes")
    until("node 2 answers", lambda: cluster.ask(2, "GET", "till:anna") == "100")
    assert cluster.ask(2, "DECRBY", "till:anna", "80") == 20
    until("node 3 has it", lambda: cluster.ask(3, "GET", "till:anna") == "20")
    # They meet: 100 cover one of the two, and all agree which; the other is reversed, and made good by later money.
    cluster.start(1, "--lab", "yes")
    books = lambda node: tuple(cluster.ask(node, "GET", key) for key in ("till:anna", "till:anna/reversed"))
    until("all are the same again", lambda: {books(node) for node in NODES} in ({("20", "70")}, {("30", "80")}))
    assert cluster.ask(3, "INCRBY", "till:anna", "50") == 0
    until("it is made good", lambda: same("0"))
    assert cluster.ask(2, "GET", "till:anna/reversed") == "0"
    until("default orders again", lambda: cluster.ask(1, "SET", "plain", "2") == "OK")
    assert cluster.ask(1, "GROUP.DROP", "tills") == "OK"


def drop(cluster):
    assert cluster.ask(1, "GROUP.DROP", "two") == "OK"
    cluster.kill(3)
    cluster.start(3)
    until("the list without it", lambda: cluster.same_lists(["default", "three"]))
    assert cluster.ask(3, "SET", "w:a", "plain") == "OK", "the keys are default's again"
    assert cluster.ask(2, "GET", "w:a") == "plain"
    # The same name and prefix make another group, with nothing of the old one.
    assert cluster.ask(2, "DEL", "w:a") == 1
    assert cluster.ask(2, "GROUP.CREATE", "two", "PROTOCOL", "raft", "MEMBERS", "1,3", "PREFIX", "w:") == "OK"
    until("the new group", lambda: cluster.ask(1, "SET", "w:b", "1") == "OK")
    assert cluster.ask(1, "GET", "w:a") is None
    assert cluster.info(1, "two")["number"] == 6
    assert cluster.ask(1, "GROUP.DROP", "three") == "OK"
    until("the list", lambda: cluster.same_lists(["default", "two"]))
    until("the key is nobody's", lambda: cluster.ask(2, "GET", "t:x") is None)


def limit(cluster):
    answers = [cluster.ask(1, "GROUP.CREATE", f"g{i}", "PROTOCOL", "raft", "MEMBERS", "1", "PREFIX", f"g{i}:")
               for i in range(10, 26)]
    assert answers[:15] == ["OK"] * 15, answers
    refused(answers[15], "at most 16 groups")
    for i in range(10, 25):
        until("each of them takes writes", lambda k=i: cluster.ask(1, "SET", f"g{k}:a", str(k)) == "OK")
        assert cluster.ask(1, "GROUP.DROP", f"g{i}") == "OK"
    until("the list", lambda: cluster.same_lists(["default", "two"]))
    assert cluster.ask(1, "GET", "w:b") == "1"


def check(root):
    cluster = Cluster(root)
    try:
        for node in NODES:
            cluster.start(node, "--init", "--request-timeout", "2s")
        until("a leader", lambda: cluster.ask(1, "SET", "plain", "1") == "OK")
        for node in NODES:
            until("every node answers", lambda n=node: cluster.ask(n, "GET", "plain") == "1")
        for step in (refusals, create, routing, nested, clients, crashes, drop, limit, byzantine, available):
            began = time.time()
            step(cluster)
            print(f"{step.__name__}: {time.time() - began:.1f} s", flush=True)
        cluster.stop()
    finally:
        for process in cluster.processes.values():
            process.kill()


def main():
    root = tempfile.mkdtemp(prefix="lockstep-groups-")
    try:
        check(root)
    except BaseException:
        for node in NODES:
            path = os.path.join(root, f"node-{node}.log")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    print(f"--- node-{node}.log\n{file.read()[-3000:]}", file=sys.stderr)
        raise
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print("groups_test: well")


if __name__ == "__main__":
    main()
