#!/usr/bin/python3
"""Compares lockstep with a real redis-server, answer by answer.

    redis_compare.py [LOCKSTEP] [--seed N] [--steps N]    starts both servers itself
    redis_compare.py --ports REDIS LOCKSTEP [...]         uses two that run already (they are flushed)

The same stream of commands, first a script that covers every command with its errors, then a random one, goes to both
over RESP2. Answers must be equal byte for byte, but for the permitted deviations, each of which has a name below and is
counted. LOCKSTEP is the program's path, by default LOCKSTEP_PROGRAM of the environment. Exit code 0: nothing else
differed; 77: there is no redis-server to compare with (ctest counts that as skipped).
"""
import argparse
import collections
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time


SKIPPED = 77
SHOWN_MAX = 60  # differences printed; all are counted


class Error(str):
    """An error reply."""


class Status(str):
    """A simple string reply."""


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def send(self, words):
        self.socket.sendall(encode(words))

    def call(self, words):
        self.send(words)
        return self.read()

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("connection closed")
        return line[:-2]

    def read(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Status(rest.decode("latin-1"))
        if kind == b"-":
            return Error(rest.decode("latin-1"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            return self.file.read(size + 2)[:-2]
        if kind == b"*":
            count = int(rest)
            return None if count < 0 else [self.read() for _ in range(count)]
        raise ValueError("unexpected reply %r" % line)


def encode(words):
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        out.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(out)


def words_of(line):
    """A line of the script as words; "" is an empty one, \\x.. are bytes."""
    words = []
    for word in line.split():
        if word == '""':
            word = ""
        words.append(re.sub(rb"\\x(..)", lambda m: bytes([int(m.group(1), 16)]), word.encode()))
    return words


# --- permitted deviations: name -> predicate(words, redis, lockstep); each states why ---

def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)


def time_passes(words, redis, ours):
    """What is left of a time to live depends on when each server looked."""
    name = words[0].upper()
    tolerance = {b"TTL": 1, b"PTTL": 1500, b"EXPIRETIME": 2, b"PEXPIRETIME": 2000, b"TIME": 0}.get(name)
    if tolerance is None or not is_number(redis) or not is_number(ours):
        return False
    return redis >= 0 and abs(redis - ours) <= tolerance


def float_digits(words, redis, ours):
    """INCRBYFLOAT computes in IEEE double, Redis in long double with 17 digits."""
    if words[0].upper() not in (b"INCRBYFLOAT", b"GET") or not words[1:]:
        return False
    if words[0].upper() == b"INCRBYFLOAT" and isinstance(redis, Error) != isinstance(ours, Error):
        return True  # the range of a double is smaller
    try:
        a, b = float(redis), float(ours)
    except (TypeError, ValueError):
        return False
    return b"float" in words[1] and abs(a - b) <= 1e-14 * max(abs(a), abs(b), 1e-300)


def order_of_keys(words, redis, ours):
    """Keys come in the order of another hash."""
    if words[0].upper() != b"KEYS" or not isinstance(redis, list) or not isinstance(ours, list):
        return False
    return sorted(redis) == sorted(ours)


def one_database(words, redis, ours):
    """There is only database 0."""
    return words[0].upper() == b"SELECT" and words[1] != b"0" and isinstance(ours, Error)


def unknown_command_text(words, redis, ours):
    """The text behind an unknown command's name may differ."""
    return (isinstance(redis, Error) and isinstance(ours, Error) and redis.startswith("ERR unknown command")
            and ours.startswith("ERR unknown command"))


def latest_deadline(words, redis, ours):
    """The last millisecond that 64 bits can name means no expiry."""
    return words[0].upper() in (b"PEXPIRETIME", b"EXPIRETIME") and redis in (2**63 - 1, 9223372036854776) and ours == -1


def draw(words, redis, ours):
    """A random key is drawn by another generator."""
    return words[0].upper() == b"RANDOMKEY" and isinstance(redis, bytes) and isinstance(ours, bytes)


def about_the_server(words, redis, ours):
    """Names, versions, lists of connections and figures are the server's own; their type must be the same."""
    name = words[0].upper()
    own = (b"INFO", b"HELLO", b"CLIENT", b"COMMAND", b"CONFIG", b"TIME", b"ROLE", b"WAIT")
    return name in own and type(redis) is type(ours)


def expired_but_counted(words, redis, ours):
    """Redis counts keys that have expired until it comes across them; here they go with the next update."""
    return words[0].upper() == b"DBSIZE" and is_number(redis) and is_number(ours) and redis - 8 <= ours < redis


def long_error_text(words, redis, ours):
    """A client's word is quoted in an error only up to a length."""
    both = isinstance(redis, Error) and isinstance(ours, Error)
    return both and len(ours) > 100 and redis.startswith(ours)


DEVIATIONS = [time_passes, float_digits, order_of_keys, one_database, unknown_command_text, latest_deadline, draw,
              about_the_server, expired_but_counted, long_error_text]

# --- the script ---

SCRIPT = r"""
FLUSHALL
PING
PING hello
PING a b
ECHO hello
ECHO
SELECT 0
SELECT 1
SELECT x
NOSUCH a b
GET
GET a b
GET a
SET a
SET a 1
GET a
set a 2
get a
SET a ""
GET a
SET "" x
GET ""
DEL ""
SET b\x00\xff v\x00\x0d\x0a\xfe
GET b\x00\xff
SET a 1 NX
SET a 1 XX
SET none 1 XX
SET a 2 GET
SET a 2 NX GET
SET none 2 XX GET
SET new 2 GET
SET a 1 NX XX
SET a 1 XX NX
SET a 1 EX
SET a 1 EX 0
SET a 1 EX -1
SET a 1 EX x
SET a 1 EX 1.5
SET a 1 EX 9223372036854775807
SET a 1 EX 9223372036854775
SET a 1 PX 9223372036854775807
SET a 1 PX 0
SET a 1 EXAT 0
SET a 1 EXAT -5
SET a 1 EXAT 9223372036854775807
SET a 1 PXAT 9223372036854775807
PEXPIRETIME a
EXPIRETIME a
SET a 1 EX 10 PX 10
SET a 1 EX 10 EX 100
TTL a
SET a 1 EX 100 KEEPTTL
SET a 1 KEEPTTL EX 100
SET a 1 KEEPTTL
TTL a
SET a 1 PERSIST
SET a 1 FOO
SET a 1 NX NX
SET a 1 EXAT 1
GET a
EXISTS a
SET a 1 PXAT 99999999999999
PEXPIRETIME a
EXPIRETIME a
SETNX a 5
SETNX nx 5
SETNX nx
SETEX a 100 v
TTL a
SETEX a 0 v
SETEX a -1 v
SETEX a x v
SETEX a 9223372036854775807 v
SETEX a 100
PSETEX a 100000 v
PTTL a
PSETEX a 0 v
GETSET a w
TTL a
GETSET nokey w
GETSET a
GETDEL a
GETDEL a
GETEX a
SET a 1
GETEX a EX 100
TTL a
GETEX a PX 100000
GETEX a
TTL a
GETEX a PERSIST
TTL a
GETEX a PERSIST EX 10
GETEX a EX 10 PERSIST
GETEX a EX 10 PX 10
GETEX a KEEPTTL
GETEX a NX
GETEX a EX
GETEX a EX 0
GETEX a EX x
GETEX nothing EX 0
GETEX nothing EX x
GETEX a EXAT 1
EXISTS a
SET a 1
GETEX a PXAT 99999999999999
PEXPIRETIME a
MSET a 1 b 2 a 3
MGET a b c a
MGET
MSET a
MSET a 1 b
MSETNX a 1 q 2
EXISTS q
MSETNX q 1 r 2
MSETNX s 1 s 2
GET s
MSETNX q 1 r
APPEND ap Hello
APPEND ap World
APPEND ap ""
APPEND ap2 ""
EXISTS ap2
APPEND ap
STRLEN ap
STRLEN nothing
STRLEN
GETRANGE ap 0 4
GETRANGE ap 0 -1
GETRANGE ap -5 -1
GETRANGE ap -100 100
GETRANGE ap 5 2
GETRANGE ap -1 -5
GETRANGE ap 100 200
GETRANGE ap -100 -50
GETRANGE ap x 1
GETRANGE ap 1 x
GETRANGE ap -9223372036854775808 9223372036854775807
GETRANGE ap 9223372036854775807 -9223372036854775808
GETRANGE nothing 0 -1
GETRANGE ap 0
SUBSTR ap 0 3
SETRANGE ap 5 Redis
GET ap
SETRANGE ap 20 end
GET ap
SETRANGE sr 5 x
GET sr
SETRANGE sr 0 ""
SETRANGE nothing 0 ""
SETRANGE nothing 10 ""
EXISTS nothing
SETRANGE ap -1 x
SETRANGE ap x x
SETRANGE ap 536870912 x
SETRANGE ap 536870912 ""
SETRANGE ap 9223372036854775807 x
SETRANGE ap 9223372036854775807 ""
INCR n
INCR n
DECR n
INCRBY n 40
DECRBY n 1
INCRBY n x
INCRBY n 1.5
INCRBY n ""
INCRBY n 01
INCRBY n +1
INCRBY n 9223372036854775808
DECRBY n -9223372036854775808
DECRBY n x
SET n 9223372036854775807
INCR n
INCRBY n -1
SET n -9223372036854775808
DECR n
DECRBY n 1
DECRBY n -1
SET n abc
INCR n
INCRBY n x
SET n 1\x20
INCR n
SET n ""
INCR n
SET n 00
INCR n
SET n -0
INCR n
SET n 10
EXPIRE n 100
INCR n
TTL n
INCRBYFLOAT float:a 10.5
INCRBYFLOAT float:a 0.1
INCRBYFLOAT float:a -5
INCRBYFLOAT float:b 5.0e3
INCRBYFLOAT float:b 200
INCRBYFLOAT float:c 3.0
INCRBYFLOAT float:c 1.23
INCRBYFLOAT float:c x
INCRBYFLOAT float:c ""
INCRBYFLOAT float:c inf
INCRBYFLOAT float:c nan
INCRBYFLOAT float:c 1e400
INCRBYFLOAT float:c
SET float:x abc
INCRBYFLOAT float:x 1
INCRBYFLOAT float:x x
SET float:x \x201
INCRBYFLOAT float:x 1
DEL
DEL a b c nothing
DEL a a
UNLINK ap sr
UNLINK
EXISTS
MSET a 1 b 2
EXISTS a b a nothing
TOUCH a b nothing
TOUCH
TYPE a
TYPE nothing
TYPE
RENAME a
RENAME nothing x
RENAME a z
GET z
EXISTS a
RENAME z z
RENAME nothing nothing
RENAMENX z b
RENAMENX z y
RENAMENX y y
RENAMENX nothing y
EXPIRE y 100
RENAME y t
TTL t
RENAME b t
TTL t
GET t
EXPIRE t
EXPIRE t x
EXPIRE t 100 NX
EXPIRE t 200 NX
EXPIRE t 200 XX
EXPIRE t 100 GT
EXPIRE t 300 GT
EXPIRE t 400 LT
EXPIRE t 200 LT
EXPIRE t 150 XX GT
EXPIRE t 250 XX GT
EXPIRE t 100 XX LT
EXPIRE t 1 NX XX
EXPIRE t 1 NX GT
EXPIRE t 1 NX LT
EXPIRE t 1 GT LT
EXPIRE t 1 FOO
EXPIRE t x FOO
EXPIRE t x NX
EXPIRE t 9223372036854775807
EXPIRE t -9223372036854775808
EXPIRE t 9223372036854775
PEXPIRE t 9223372036854775807
EXPIRE nothing 10
EXPIRE nothing x
PERSIST t
PERSIST t
PERSIST nothing
EXPIRE t 100 GT
EXPIRE t 100 XX
EXPIRE t 100 LT
PEXPIRE t 100000
PTTL t
EXPIREAT t 99999999999
EXPIRETIME t
PEXPIRETIME t
PEXPIREAT t 99999999999999
EXPIRETIME t
PEXPIRETIME t
EXPIREAT t 9223372036854775807
PEXPIREAT t 9223372036854775807
PEXPIRETIME t
EXPIRETIME t
PEXPIREAT t 9223372036854775800
PEXPIRETIME t
EXPIRETIME t
TTL nothing
PTTL nothing
EXPIRETIME nothing
PEXPIRETIME nothing
SET t 1
TTL t
PTTL t
EXPIRETIME t
PEXPIRETIME t
TTL
EXPIRE t 0
EXISTS t
SET t 1
PEXPIREAT t 1
EXISTS t
SET t 1
EXPIRE t -1
GET t
FLUSHALL
DBSIZE
MSET one 1 two 2 three 3 four 4 [x] 5 a\x5cb 6
DBSIZE
KEYS *
KEYS
KEYS t*
KEYS ?n?
KEYS *o*
KEYS [ot]*
KEYS [^o]*
KEYS [a-o]*
KEYS [z-a]*
KEYS [
KEYS [o
KEYS \x5c[x\x5c]
KEYS \x5c
KEYS a\x5cb
KEYS a\x5c\x5cb
KEYS **
KEYS *w*o
KEYS ""
RANDOMKEY
RANDOMKEY x
SCAN
SCAN x
SCAN -
SCAN 0 COUNT
SCAN 0 COUNT x
SCAN 0 COUNT 0
SCAN 0 COUNT -1
SCAN 0 FOO
SCAN 0 FOO 1
SCAN 0 MATCH
SCAN 0 TYPE
FLUSHDB x
FLUSHALL x
FLUSHALL ASYNC SYNC
FLUSHDB ASYNC
DBSIZE
RANDOMKEY
FLUSHALL SYNC
DBSIZE x
MULTI
SET a 1
INCR a
GET a
EXEC
MULTI
MULTI
SET a
EXEC
MULTI
INCR a
DISCARD
GET a
EXEC
DISCARD
MULTI
SET s x
INCR s
SET s y
EXEC
GET s
MULTI
WATCH a
EXEC
MULTI
EXEC
WATCH
UNWATCH
WATCH a
SET a 9
MULTI
SET a 10
EXEC
GET a
WATCH a
MULTI
SET a 11
EXEC
GET a
WATCH a
SET a 12
UNWATCH
MULTI
SET a 13
EXEC
GET a
WATCH nothing a
MULTI
PING
ECHO x
TYPE a
STRLEN a
EXEC
MULTI
NOSUCH
PING
EXEC
MULTI
EXPIRE a 100
TTL a
PERSIST a
DEL a a
MGET a a
DBSIZE
EXEC
UNWATCH x
EXEC x
READONLY x
READWRITE x
CLIENT SETNAME compare
CLIENT GETNAME
CLIENT SETNAME a\x20b
CLIENT ID
CLIENT NOSUCH
CLIENT
COMMAND COUNT
COMMAND NOSUCH
COMMAND GETKEYS SET a b
COMMAND GETKEYS MSET a b c d
COMMAND GETKEYS PING
CONFIG GET
CONFIG NOSUCH x
TIME
TIME x
ROLE
WAIT 0 0
WAIT x 0
WAIT 0
RESET
"""

# --- random commands ---

VALUES = ["0", "1", "-1", "10", "3.5", "x", "hello world", "9223372036854775807", "-9223372036854775808", "",
          "a" * 100, "b" * 600, "c" * 5000, "+1", "007", "1e3"]
NUMBERS = ["0", "1", "-1", "5", "-3", "100", "x", "", "9223372036854775807", "-9223372036854775808", "2.5", "20"]
FAR = ["1000", "2000", "100000", "x", "0", "-1", "9223372036854775807", ""]


def random_command(rng):
    def key():
        return "key:%d" % rng.randrange(60)

    def value():
        return rng.choice(VALUES)

    def number():
        return rng.choice(NUMBERS)

    def far():
        return rng.choice(FAR)

    def options(choices, count):
        out = []
        for _ in range(rng.randrange(count + 1)):
            out += rng.choice(choices)
        return out

    at = str(int(time.time()) + 5000)
    at_ms = str((int(time.time()) + 5000) * 1000)
    expiry = [["EX", far()], ["PX", str(rng.randrange(100000, 10000000))], ["EXAT", rng.choice([at, "1", "x", "-1"])],
              ["PXAT", rng.choice([at_ms, "1", "0"])]]
    makers = [
        lambda: ["SET", key(), value()] + options(expiry + [["NX"], ["XX"], ["GET"], ["KEEPTTL"], ["FOO"]], 2),
        lambda: ["SET", key(), value()],
        lambda: ["GET", key()],
        lambda: ["GETEX", key()] + options(expiry + [["PERSIST"], ["NX"]], 1),
        lambda: [rng.choice(["SETNX", "GETSET", "APPEND", "INCRBY", "DECRBY"]), key(), value()],
        lambda: ["INCRBYFLOAT", "float:%d" % rng.randrange(5), rng.choice(["1", "0.5", "-2.25", "x", "1e5"])],
        lambda: [rng.choice(["SETEX", "PSETEX"]), key(), rng.choice(["1000000", "0", "x", "-5"]), value()],
        lambda: [rng.choice(["INCR", "DECR", "STRLEN", "TYPE", "GETDEL", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME",
                             "PERSIST"]), key()],
        lambda: [rng.choice(["DEL", "UNLINK", "EXISTS", "TOUCH", "MGET"])] + [key() for _ in range(rng.randrange(4))],
        lambda: [rng.choice(["MSET", "MSETNX"])] + [f() for _ in range(rng.randrange(4)) for f in (key, value)],
        lambda: [rng.choice(["GETRANGE", "SUBSTR"]), key(), number(), number()],
        lambda: ["SETRANGE", key(), rng.choice(["0", "1", "10", "1000", "-1", "x"]), value()],
        lambda: [rng.choice(["RENAME", "RENAMENX"]), key(), key()],
        lambda: [rng.choice(["EXPIRE", "PEXPIRE"]), key(), rng.choice(["1000000", "2000000", "-1", "0", "x"])]
        + options([["NX"], ["XX"], ["GT"], ["LT"], ["FOO"]], 2),
        lambda: [rng.choice(["EXPIREAT", "PEXPIREAT"]), key(), rng.choice([at, at_ms, "1", "x"])]
        + options([["NX"], ["XX"], ["GT"], ["LT"]], 2),
        lambda: ["KEYS", rng.choice(["*", "key:1*", "key:[1-3]", "key:?", "*[^5]", "key:\\1"])],
        lambda: ["DBSIZE"],
        lambda: [rng.choice(["GET", "SET", "INCR", "EXPIRE", "MSET", "SETRANGE", "RENAME"])]
        + [value() for _ in range(rng.randrange(5))],
    ]
    weights = [6, 10, 10, 4, 6, 3, 3, 14, 6, 4, 4, 4, 4, 6, 4, 2, 2, 2]
    return [word.encode() for word in rng.choices(makers, weights)[0]()]


def scan_all(client, options):
    """All keys by SCAN, as a set, and whether a key came twice."""
    keys, cursor = [], b"0"
    while True:
        reply = client.call([b"SCAN", cursor] + options)
        cursor, part = reply
        keys += part
        if cursor == b"0":
            return sorted(keys)


class Comparison:
    def __init__(self, redis_port, our_port):
        self.redis, self.ours = Client(redis_port), Client(our_port)
        self.deviations = collections.Counter()
        self.failures = 0
        self.commands = 0

    def step(self, words):
        self.commands += 1
        redis, ours = self.redis.call(words), self.ours.call(words)
        self.judge(words, redis, ours)

    def judge(self, words, redis, ours):
        if type(redis) is type(ours) and redis == ours:
            return
        for deviation in DEVIATIONS:
            if deviation(words, redis, ours):
                self.deviations[deviation.__name__] += 1
                return
        self.failures += 1
        if self.failures <= SHOWN_MAX:
            print("DIFFERS: %s\n    redis:    %.200r\n    lockstep: %.200r" % (b" ".join(words)[:200], redis, ours))

    def scans(self):
        for options in ([], [b"COUNT", b"3"], [b"MATCH", b"key:1*"], [b"TYPE", b"string"], [b"TYPE", b"list"]):
            self.commands += 1
            self.judge([b"SCAN"] + options, scan_all(self.redis, options), scan_all(self.ours, options))

    def pipeline(self, commands):
        """The same with all commands sent before the first answer is read."""
        for client in (self.redis, self.ours):
            client.socket.sendall(b"".join(encode(words) for words in commands))
        for words in commands:
            self.commands += 1
            self.judge(words, self.redis.read(), self.ours.read())

    def transactions(self, rng):
        queue = [random_command(rng) for _ in range(rng.randrange(6))]
        for words in [[b"MULTI"]] + queue + [[b"EXEC"]]:
            self.commands += 1
            redis, ours = self.redis.call(words), self.ours.call(words)
            if words != [b"EXEC"] or not isinstance(redis, list) or not isinstance(ours, list):
                self.judge(words, redis, ours)
            else:
                self.judge([b"EXEC"], len(redis), len(ours))
                for inner, a, b in zip(queue, redis, ours):
                    self.judge(inner, a, b)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError("the server on port %d ended with code %d" % (port, process.returncode))
        try:
            client = Client(port)
            if not isinstance(client.call([b"SET", b"ready", b"1"]), Error):
                return
        except (OSError, ConnectionError):
            pass
        time.sleep(0.1)
    raise RuntimeError("the server on port %d does not answer" % port)


def compare(redis_port, our_port, seed, steps):
    comparison = Comparison(redis_port, our_port)
    for line in SCRIPT.strip().splitlines():
        comparison.step(words_of(line))
    comparison.step([b"FLUSHALL"])
    rng = random.Random(seed)
    print("random commands: --seed %d --steps %d" % (seed, steps))
    for step in range(steps):
        if step % 500 == 499:
            comparison.scans()
        elif step % 50 == 49:
            comparison.transactions(rng)
        elif step % 20 == 19:
            comparison.pipeline([random_command(rng) for _ in range(30)])
        else:
            comparison.step(random_command(rng))
    print("%d commands, %d differ" % (comparison.commands, comparison.failures))
    for name, count in sorted(comparison.deviations.items()):
        print("    permitted: %-22s %6d" % (name, count))
    return 1 if comparison.failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lockstep", nargs="?", default=os.environ.get("LOCKSTEP_PROGRAM"))
    parser.add_argument("--ports", nargs=2, type=int, metavar=("REDIS", "LOCKSTEP"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5000)
    options = parser.parse_args()
    if options.ports:
        return compare(*options.ports, options.seed, options.steps)
    if not options.lockstep:
        parser.error("name the lockstep program, or two ports")
    redis_server = shutil.which("redis-server")
    if redis_server is None:
        print("there is no redis-server here")
        return SKIPPED
    directory = tempfile.mkdtemp(prefix="redis-compare-")
    redis_port, our_port = free_port(), free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    processes = []
    try:
        processes.append(subprocess.Popen([redis_server, "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "",
                                           "--appendonly", "no", "--dir", directory], **quiet))
        processes.append(subprocess.Popen([options.lockstep, "server", "--listen", "127.0.0.1:%d" % our_port, "--data",
                                           os.path.join(directory, "data")], **quiet))
        wait_for(redis_port, processes[0])
        wait_for(our_port, processes[1])
        return compare(redis_port, our_port, options.seed, options.steps)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
