#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A client of memcached, whose every answer is checked; and what a server holds.

usage: kv_memcached.py HOST:PORT text|meta|binary|quiet|large   says that to the server
       kv_memcached.py HOST:PORT numbers COUNT RATE             likewise: 10 connections, each stores COUNT
                                                                numbers, RATE a second, text or binary
       kv_memcached.py HOST:PORT dump|counts                    what it holds, what it has done
       kv_memcached.py HOST:PORT streams                        the numbers that it holds, for kv_joined.py

Each connection writes keys of its own, because a copy does not keep the order between connections.
Exit 0, or 1 with the answer that was not expected.
"""
import hashlib
import json
import struct
import sys
import time
import urllib.parse

from kv_client import Client, at_once, main

KEYS_AT_ONCE = 100
COUNTS = ("cmd_get", "cmd_set", "cmd_touch", "get_hits", "get_misses", "incr_hits", "decr_hits",
          "delete_hits", "touch_hits", "curr_items")


class Text(Client):
    def say(self, *lines):
        """All of them in one write."""
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())

    def ask(self, *lines):
        """The first line of the answer."""
        self.say(*lines)
        return self.line()

    def expect(self, wanted, *lines):
        seen = self.ask(*lines)
        if seen != wanted:
            raise AssertionError(f"{lines[0][:60]}: {seen!r} not {wanted!r}")

    def store(self, verb, key, value, wanted="STORED", flags=0):
        self.expect(wanted, f"{verb} {key} {flags} 0 {len(value)}", value)

    def get(self, key):
        """The value, or None."""
        line = self.ask(f"get {key}")
        if line == "END":
            return None
        value = self.take(int(line.split()[3]) + 2)[:-2].decode()
        self.line()
        return value


# The binary protocol: the header (magic, opcode, length of key and of extras, data type, status,
# length of the body, opaque, cas), opcodes, status.
HEAD = ">BBHBBHIIQ"
GET, SET, ADD, DELETE, INCREMENT, DECREMENT, NOOP, APPEND = 0, 1, 2, 4, 5, 6, 10, 14
GETQ, SETQ, ADDQ, DELETEQ, INCREMENTQ, APPENDQ = 0x09, 0x11, 0x12, 0x14, 0x15, 0x19
DONE, KEY_EXISTS = 0, 2


def packet(opcode, key="", value="", extras=b""):
    body = extras + key.encode() + value.encode()
    head = (0x80, opcode, len(key), len(extras), 0, 0, len(body), 0, 0)
    return struct.pack(HEAD, *head) + body


def store_extras(flags=0, expires=0):
    return struct.pack(">II", flags, expires)


def count_extras(by, initial):
    return struct.pack(">QQI", by, initial, 0)


def number_value(number):
    return struct.pack(">Q", number)


class Binary(Client):
    def answer(self):
        """Opcode, status and value."""
        head = struct.unpack(HEAD, self.take(struct.calcsize(HEAD)))
        _, opcode, key_len, extras_len, _, status, body_len, _, _ = head
        return opcode, status, self.take(body_len)[extras_len + key_len:]

    def expect(self, status, opcode, *what, value=None):
        self.socket.sendall(packet(opcode, *what))
        seen = self.answer()
        if seen[:2] != (opcode, status) or value not in (None, seen[2]):
            raise AssertionError(f"opcode {opcode} {what[:1]}: {seen}")


# ---- scenarios --------------------------------------------------------------------------------

def text(number):
    c = Text()
    key = f"text:{number}"
    c.store("set", f"{key}:n", "0")
    c.store("set", f"{key}:log", "-")
    for n in range(1, 101):
        c.store("set", f"{key}:{n}", f"{n:050d}", flags=n)
        c.expect(str(2 * n), f"incr {key}:n 2")
        c.store("append", f"{key}:log", f"{n},")
        c.store("prepend", f"{key}:log", f"{n},")
        c.store("add", f"{key}:{n}", "x", wanted="NOT_STORED")
        # These two are not answered; what follows shows that they were read.
        c.say(f"set {key}:quiet 0 0 3 noreply", f"{n:03d}", f"incr {key}:n 0 noreply")
        if c.get(f"{key}:quiet") != f"{n:03d}" or c.get(f"{key}:none") is not None:
            raise AssertionError(f"{key}: get")
        c.expect("TOUCHED", f"touch {key}:{n} {n % 2 * 1000}")
        if n % 10 == 0:
            c.expect("DELETED", f"delete {key}:{n}")
    c.expect("100", f"decr {key}:n 100")
    c.close()


def meta(number):
    c = Text()
    for n in range(100):
        c.expect("HD", f"ms meta:{number}:{n} 5 F{n}", f"{n:05d}")
        c.say(f"ms meta:{number}:{n} 1 MA q", "+", f"mg meta:{number}:{n} v q", "mn")
        if [c.line() for _ in range(3)] != ["VA 6", f"{n:05d}+", "MN"]:
            raise AssertionError(f"meta:{number}:{n}")
    c.close()


def binary(number):
    c = Binary()
    key = f"binary:{number}"
    for n in range(1, 101):
        value = f"{n:050d}"
        c.expect(DONE, SET, f"{key}:{n}", value, store_extras(flags=n))
        c.expect(DONE, GET, f"{key}:{n}", value=value.encode())
        c.expect(DONE, INCREMENT, f"{key}:n", "", count_extras(3, 3), value=number_value(3 * n))
        c.expect(DONE, APPEND, f"{key}:{n}", "+")
        c.expect(KEY_EXISTS, ADD, f"{key}:{n}", "x", store_extras())
        if n % 10 == 0:
            c.expect(DONE, DELETE, f"{key}:{n}")
    c.expect(DONE, DECREMENT, f"{key}:n", "", count_extras(100, 0), value=number_value(200))
    c.close()


def quiet(number):
    """Pipelines of commands that are answered only if they fail, with a NOOP at the end."""
    c = Binary()
    key = f"quiet:{number}"
    for turn in range(50):
        burst = []
        for n in range(20):
            burst += [packet(SETQ, f"{key}:{turn}:{n}", f"{n:0200d}", store_extras()),
                      packet(INCREMENTQ, f"{key}:n", "", count_extras(1, 1)),
                      packet(APPENDQ, f"{key}:{turn}:{n}", f"{turn}"),
                      packet(GETQ, f"{key}:none")]
        burst += [packet(DELETEQ, f"{key}:{turn}:0"),
                  packet(ADDQ, f"{key}:{turn}:1", "x", store_extras())]
        c.socket.sendall(b"".join(burst) + packet(NOOP))
        if (c.answer()[:2], c.answer()[:2]) != ((ADDQ, KEY_EXISTS), (NOOP, DONE)):
            raise AssertionError(f"{key}: turn {turn}")
    c.close()


def large(number):
    c = Text()
    for n in range(10):
        value = f"{number}-{n:07d}" * 90000
        c.store("set", f"large:{number}:{n}", value)
        if c.get(f"large:{number}:{n}") != value:
            raise AssertionError(f"large:{number}:{n}")
    c.close()


def numbers(count, rate):
    def store(number):
        c = Binary() if number % 2 else Text()
        began = time.monotonic()
        for n in range(1, count + 1):
            time.sleep(max(0, began + n / rate - time.monotonic()))
            if number % 2:
                c.expect(DONE, SET, f"binary:{number}:{n}", f"{n}", store_extras())
            else:
                c.store("set", f"text:{number}:{n}", f"{n}")
        c.close()

    at_once(store, 10)
    return "ok"


def on_connections(count, scenario):
    """A scenario for the command line: scenario(number of the connection) on so many at once."""
    def run():
        at_once(scenario, count)
        return f"{scenario.__name__} on {count} connections"

    run.__name__ = scenario.__name__
    return run


# ---- what a server holds ----------------------------------------------------------------------

def all_keys(c):
    """Each key with whether it expires: when is a matter of the server's clock."""
    c.say("lru_crawler metadump all")
    keys = []
    while (line := c.line()) != "END":
        if not line.startswith("key="):
            raise AssertionError(f"lru_crawler: {line}")
        key, expires = line.split()[:2]
        keys.append((urllib.parse.unquote(key[4:]), "stays" if expires == "exp=-1" else "expires"))
    return sorted(keys)


def dump():
    """A line for each key: whether it expires, flags, length and hash of its value."""
    c = Text()
    keys = all_keys(c)
    lines = []
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = dict(keys[start:start + KEYS_AT_ONCE])
        c.say(f"get {' '.join(some)}")
        while (line := c.line()) != "END":
            _, key, flags, length = line.split()
            value = c.take(int(length) + 2)[:-2]
            lines.append(f"{key} {some[key]} {flags} {length} {hashlib.sha1(value).hexdigest()}")
    return "\n".join(lines)


def streams():
    """For each connection the numbers that it has stored, in JSON."""
    found = {}
    for key, _ in all_keys(Text()):
        stream, number = key.rsplit(":", 1)
        found.setdefault(stream, []).append(int(number))
    return json.dumps({stream: sorted(numbers) for stream, numbers in found.items()})


def counts():
    c = Text()
    c.say("stats")
    stats = {}
    while (line := c.line()) != "END":
        _, name, value = line.split(" ", 2)
        stats[name] = value
    return " ".join(f"{name}={stats[name]}" for name in COUNTS)


if __name__ == "__main__":
    sys.exit(main((on_connections(10, text), on_connections(5, meta), on_connections(10, binary),
                   on_connections(10, quiet), on_connections(2, large), numbers, dump, streams,
                   counts)))
