#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A client for each of so many tuples: addresses in a row, and ports in a row of each. They are the same in every run.

Each tuple is a connection of so many HTTP/1.1 requests with the ids ADDRESS_PORT-SEQUENCE, one after the other; the
server closes after the last. Up to PARALLEL connections are open at a time; with --rate so many begin a second.
Prints a line of JSON as the load generator does.
"""
import argparse
import asyncio
import ipaddress
import json
import socket
import sys
import time


class Clients:
    def __init__(self, options):
        self.options = options
        self.errors = 0
        self.answers = 0
        self.started = time.monotonic()

    def tuples(self):
        first = ipaddress.ip_address(self.options.first)
        # Ports last: those of an address are not in one second of the ramp or of the rate.
        for port in range(self.options.port, self.options.port + self.options.ports):
            for n in range(self.options.addresses):
                yield str(first + n), port

    async def pace(self, number):
        if self.options.rate:
            await asyncio.sleep(self.started + number / self.options.rate - time.monotonic())

    async def worker(self, jobs):
        for number, (address, port) in jobs:
            await self.pace(number)
            try:
                await asyncio.wait_for(self.connection(address, port), 10)
            except (OSError, ValueError, asyncio.TimeoutError, asyncio.IncompleteReadError) as problem:
                self.errors += 1
                print(f"{address}:{port}: {problem!r}", file=sys.stderr)

    async def connection(self, address, port):
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((address, port))
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, self.options.to)
            for sequence in range(self.options.requests):
                await self.request(loop, sock, f"{address}_{port}-{sequence}",
                                   sequence == self.options.requests - 1)
        finally:
            sock.close()

    async def request(self, loop, sock, ident, is_last):
        closing = "Connection: close\r\n" if is_last else ""
        await loop.sock_sendall(
            sock, f"GET /?id={ident} HTTP/1.1\r\nHost: online.example\r\n{closing}\r\n".encode())
        answer = b""
        while True:
            piece = await loop.sock_recv(sock, 4096)
            answer += piece
            if is_last and not piece:
                break
            if not piece:
                raise ValueError("the server closed early")
            if not is_last and answer.endswith(b"\n") and b"\r\n\r\n" in answer:
                break
        if not answer.startswith(b"HTTP/1.1 200 ") or ident.encode() not in answer:
            raise ValueError(f"not the answer: {answer!r}")
        self.answers += 1

    async def run(self):
        jobs = enumerate(self.tuples())
        await asyncio.gather(*(self.worker(jobs) for _ in range(self.options.parallel)))


def endpoint(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=endpoint, required=True)
    parser.add_argument("--first", required=True, help="the first address")
    parser.add_argument("--addresses", type=int, default=1)
    parser.add_argument("--port", type=int, default=20000, help="the first port")
    parser.add_argument("--ports", type=int, default=100, help="of each address")
    parser.add_argument("--requests", type=int, default=1, help="of a connection")
    parser.add_argument("--rate", type=float, default=0, help="connections that begin a second")
    parser.add_argument("--parallel", type=int, default=20)
    clients = Clients(parser.parse_args())
    asyncio.run(clients.run())
    print(json.dumps({"ok": clients.answers, "errors": clients.errors,
                      "seconds": round(time.monotonic() - clients.started, 3)},
                     separators=(",", ":")))
    return 1 if clients.errors else 0


sys.exit(main())
