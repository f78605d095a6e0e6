#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A client of redis that says what a copy must be able to follow; every answer is checked.

usage: kv_redis.py HOST:PORT SCENARIO [ARGUMENT...]

What is written does not depend on the order between connections, because a copy does not keep that.
Prints one line that says what was done; exit 0, or 1 with the answer that was not expected.
"""
import json
import sys
import threading
import time

from kv_client import Client, at_once, main


class Connection(Client):
    """Commands as arrays of bulk strings, answers as Python values (RESP 2)."""

    def say(self, *commands):
        """All of them in one write."""
        self.socket.sendall(b"".join(encode(command) for command in commands))

    def answer(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == "$":
            return None if rest == "-1" else self.take(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return None if rest == "-1" else [self.answer() for _ in range(int(rest))]
        if kind == ":":
            return int(rest)
        return rest if kind == "+" else Exception(rest)

    def ask(self, *command):
        self.say(command)
        return self.answer()

    def expect(self, wanted, *command):
        seen = self.ask(*command)
        if seen != wanted:
            raise AssertionError(f"{' '.join(map(str, command))[:80]}: {seen!r} not {wanted!r}")


def encode(command):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


# ---- scenarios --------------------------------------------------------------------------------

SCRIPT = """
local n = redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[2], n)
return n
"""


def transactions():
    """MULTI and WATCH, EVAL and EVALSHA, each connection on keys of its own."""
    def run(number):
        c = Connection()
        sha = c.ask("SCRIPT", "LOAD", SCRIPT)
        for n in range(1, 51):
            c.expect("OK", "WATCH", f"tx:{number}")
            c.expect("OK", "MULTI")
            c.expect("QUEUED", "INCR", f"tx:{number}")
            c.expect("QUEUED", "RPUSH", f"tx-list:{number}", n)
            c.expect([n, n], "EXEC")
            c.say(("MULTI",), ("INCR", f"piped:{number}"), ("EXEC",))
            if [c.answer() for _ in range(3)] != ["OK", "QUEUED", [n]]:
                raise AssertionError("MULTI in one write")
            c.expect(3 * (2 * n - 1), "EVAL", SCRIPT, 2, f"lua:{number}", f"lua-list:{number}", 3)
            c.expect(6 * n, "EVALSHA", sha, 2, f"lua:{number}", f"lua-list:{number}", 3)
        c.close()

    at_once(run, 10)
    return "10 connections, 50 rounds of WATCH, MULTI, EVAL, EVALSHA"


def blocking(consumers=4, values=200):
    """Producers and consumers of one queue; who gets which value is left open, and not written."""
    def consume(number):
        c = Connection()
        c.expect(None, "BLPOP", "never", 0.2)
        for _ in range(values):
            if c.ask("BLPOP" if number % 2 else "BRPOP", "queue", 0)[0] != "queue":
                raise AssertionError("popped from another queue")
            c.ask("INCR", f"popped:{number}")
        c.close()

    def produce(number):
        c = Connection()
        for n in range(values):
            c.ask("RPUSH", "queue", f"{number:02d}-{n:06d}")
            time.sleep(0.002)
        c.close()

    def leave(_):
        c = Connection()
        c.say(("BLPOP", "never", 0))
        time.sleep(0.3)
        c.close()

    def run(number):
        if number < consumers:
            consume(number)
        elif number < 2 * consumers:
            produce(number)
        else:
            leave(number)

    at_once(run, 2 * consumers + 1)
    return f"{consumers} consumers popped {values} values each, one left while it waited"


def pubsub(messages=2000, subscribers=3):
    """Subscribers that say nothing while the server pushes, and go on afterwards."""
    ready = threading.Barrier(subscribers + 1)

    def subscribe(number):
        c = Connection()
        pattern = number % 2
        word, channel = ("PSUBSCRIBE", "new*") if pattern else ("SUBSCRIBE", "news")
        c.expect([word.lower(), channel, 1], word, channel)
        ready.wait()
        expected = [f"{n:0100d}" for n in range(messages)]
        for _ in range(messages + 1):
            push = c.answer()
            if push[0] == "pong":  # somewhere between the pushes
                continue
            if push[-1] != expected.pop(0):
                raise AssertionError(f"push {messages - len(expected)}: {push}")
            if len(expected) == messages // 2:
                c.say(("PING",))
        time.sleep(2)  # nor the last: where the publisher's copy pauses, what was pushed may count as all
        leave = "PUNSUBSCRIBE" if pattern else "UNSUBSCRIBE"
        c.expect([leave.lower(), channel, 0], leave, channel)
        c.expect("OK", "SET", f"subscriber:{number}", messages)
        c.close()

    def publish():
        c = Connection()
        ready.wait()
        time.sleep(0.5)  # a copy may be late; it must not miss the first
        for n in range(messages):
            c.expect(subscribers, "PUBLISH", "news", f"{n:0100d}")
        c.close()

    at_once(lambda n: subscribe(n) if n < subscribers else publish(), subscribers + 1)
    return f"{messages} pushes to each of {subscribers} subscribers"


def deaf(commands=10000, silence_s=2):
    """10,000 commands in one go by a client that reads none of the answers meanwhile."""
    c = Connection()
    c.expect("OK", "SET", "text", "x" * 1000)
    burst = []
    for n in range(commands // 2):
        burst += [("RPUSH", "deaf", n), ("GET", "text")]
    writer = threading.Thread(target=c.say, args=burst)
    writer.start()
    time.sleep(silence_s)
    for n in range(commands // 2):
        if c.answer() != n + 1 or len(c.answer()) != 1000:
            raise AssertionError(f"answer {n}")
    writer.join()
    c.expect("OK", "SET", "heard", commands)
    c.close()
    return f"{commands} commands, {commands // 2} kB of answers read after {silence_s} s"


def big(values=8, size=1 << 20):
    """Values of 1 MB each, and one of 5 MB, written and read again."""
    def run(number):
        c = Connection()
        for n in range(values):
            value = f"{number}-{n:07d}" * (size // 9)
            c.expect("OK", "SET", f"big:{number}:{n}", value)
            c.expect(len(value), "STRLEN", f"big:{number}:{n}")
            c.expect(value, "GET", f"big:{number}:{n}")
        c.close()

    at_once(run, 2)
    c = Connection()
    c.expect("OK", "SET", "biggest", "y" * (5 << 20))
    c.close()
    return f"{2 * values} values of {size >> 20} MB, one of 5 MB"


def counters(prefix, connections, commands, depth, rate):
    """Each connection adds 1, 2, 3 ... to its stream: depth commands a write, rate writes a second.

    A stream takes an id only if it is above the last one, and answers with it: so the server itself
    refuses what comes twice or out of order, and an empty target answers as the online server does.
    """
    def run(number):
        c = Connection()
        begin = time.monotonic()
        for turn in range(commands // depth):
            ids = range(turn * depth + 1, (turn + 1) * depth + 1)
            c.say(*(("XADD", f"{prefix}:{number}", f"{n}-1", "n", n) for n in ids))
            for n in ids:
                if c.answer() != f"{n}-1":
                    raise AssertionError(f"{prefix}:{number} {n}")
            time.sleep(max(0.0, begin + (turn + 1) / rate - time.monotonic()))
        c.close()

    at_once(run, connections)
    return f"{connections} connections, {commands} commands each, {depth} a write"


def streams(database=0):
    """What counters wrote, as JSON: the ids of each stream in their order."""
    c = Connection()
    c.expect("OK", "SELECT", database)
    keys = [key for key in c.ask("KEYS", "*") if c.ask("TYPE", key) == "stream"]
    ids = {key: [entry[0] for entry in c.ask("XRANGE", key, "-", "+")] for key in keys}
    return json.dumps({key: [int(i.split("-")[0]) for i in ids[key]] for key in keys})


if __name__ == "__main__":
    sys.exit(main((transactions, blocking, pubsub, deaf, big, counters, streams)))
