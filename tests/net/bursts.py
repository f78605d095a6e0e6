#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients that stop abruptly: bursts of requests with silence between them.

In a burst, which is over before a slow target answers, each of 20 kept-alive connections asks twice, the second time as soon as it is answered. Ids are ROUND-CONNECTION-1 and
-2, of the first round, which only opens the connections, 0-CONNECTION-1.

usage: bursts.py ADDRESS PORT ROUNDS
       bursts.py --late DELAY_MS LOG     from the target's log: how long after the first answer of a burst, which it gave DELAY_MS after
                                         the request, the second request came, in ms: three quarters came
                                         sooner; that of the first connections comes while others still speak
"""
import re
import socket
import statistics
import sys
import time

CONNECTIONS = 20
PACE_S = 0.0005  # so that captured packets follow each other closely
SILENCE_S = 0.7


class Client:
    def __init__(self, address, port, number):
        self.number = number
        self.socket = socket.create_connection((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def ask(self, turn, count):
        ident = f"{turn}-{self.number}-{count}"
        self.socket.sendall(f"GET /?id={ident} HTTP/1.1\r\nHost: online.example\r\nX-Request-Id: {ident}\r\n\r\n".encode())
        length = 0
        while (line := self.reader.readline().strip()):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.reader.read(length)


def ask_in_bursts(address, port, rounds):
    clients = [Client(address, port, number) for number in range(CONNECTIONS)]
    for client in clients:
        client.ask(0, 1)
    for turn in range(1, rounds + 1):
        time.sleep(SILENCE_S)
        for client in clients:
            for count in 1, 2:
                client.ask(turn, count)
                time.sleep(PACE_S)


def late_ms(delay_ms, log):
    came = {}
    with open(log, encoding="ascii") as lines:
        for line in lines:
            at, _, _, ident, *_ = line.split()
            came[ident] = float(at)
    late = (1000 * (at - came[f"{first[1]}-1"]) - delay_ms for ident, at in came.items()
            if (first := re.fullmatch(r"(.*)-2", ident)))
    return statistics.quantiles(late, n=4)[2]


if __name__ == "__main__":
    if sys.argv[1] == "--late":
        print(f"{late_ms(float(sys.argv[2]), sys.argv[3]):.1f}")
    else:
        ask_in_bursts(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
