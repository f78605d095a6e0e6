#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connects to intercept's port for some seconds in every wrong way. usage: strangers.py HOST PORT SECONDS

The noise comes from a fixed seed, so that a failure can be repeated.
"""
import random
import socket
import struct
import sys
import time

HOST, PORT, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
RANDOM = random.Random(36524)


def connect():
    s = socket.create_connection((HOST, PORT), timeout=2)
    s.settimeout(0.05)
    return s


def say(data):
    """One connection that says data, listens for a moment and goes."""
    s = connect()
    try:
        s.sendall(data)
        s.recv(4096)
    except OSError:
        pass
    s.close()


def noise():
    say(RANDOM.randbytes(RANDOM.randrange(1, 4096)))


def http():
    say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


def huge_length():
    say(struct.pack(">IHH", 0xffffffff, 1, 1) + RANDOM.randbytes(64))


def zero_length():
    say(bytes(512))


def small_lengths():
    say(b"".join(struct.pack(">I", n) + RANDOM.randbytes(n) for n in range(1, 64)))


def by_the_byte():
    s = connect()
    try:
        for byte in RANDOM.randbytes(12):
            s.sendall(bytes([byte]))
            time.sleep(0.002)
    except OSError:
        pass
    s.close()


def reset_at_once():
    s = connect()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def main():
    held = []
    for _ in range(20):  # they say three bytes, or nothing, and stay
        s = connect()
        s.sendall(RANDOM.choice([b"", b"abc"]))
        held.append(s)
    ways = [noise, http, huge_length, zero_length, small_lengths, by_the_byte, reset_at_once]
    count = refused = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            ways[count % len(ways)]()
        except OSError:
            refused += 1
        count += 1
        time.sleep(0.01)
    print(f"strangers done: {count} connections, {refused} of them refused, {len(held)} held open")


main()
