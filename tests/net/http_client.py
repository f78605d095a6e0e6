#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An HTTP/1.1 client that pipelines: it writes while answers are outstanding.

Every request carries an id, CONNECTION-SEQUENCE. How requests are cut into writes:

  burst    DEPTH requests in one write, the next ones when all are answered
  window   DEPTH requests open at any time: a new one for each answer
  halves   the same, but each request in two writes with a pause between them, so that answers come in its middle
  mixed    by a seed: up to DEPTH open, several glued together or one cut in the middle, pauses of up to 5 ms

Each answer must have status 200 and arrive in order. Prints a line of JSON as the load generator does.
"""
import argparse
import asyncio
import json
import random
import re
import socket
import sys
import time

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


class Client:
    def __init__(self, options, number):
        self.options = options
        self.number = number
        self.random = random.Random(1000 * options.seed + number)
        self.asked = 0
        self.answered = 0
        self.errors = 0
        self.progress = asyncio.Event()

    def request(self):
        ident = f"{self.options.id_prefix}{self.number}-{self.asked}"
        self.asked += 1
        padding = "x" * self.random.randrange(0, self.options.padding + 1)
        return (f"GET /?id={ident} HTTP/1.1\r\nHost: online.example\r\nX-Request-Id: {ident}\r\n"
                f"X-Padding: {padding}\r\n\r\n").encode()

    async def until_open(self, most):
        """Waits until at most so many requests are without an answer."""
        while self.asked - self.answered > most:
            self.progress.clear()
            await self.progress.wait()

    async def write(self, writer):
        options, dice = self.options, self.random
        while self.asked < options.requests:
            left = options.requests - self.asked
            if options.mode == "burst":
                await self.until_open(0)
                writer.write(b"".join(self.request() for _ in range(min(options.depth, left))))
                continue
            await self.until_open(options.depth - 1)
            if options.mode == "window":
                writer.write(self.request())
            elif options.mode == "halves":
                await self.in_pieces(writer, self.request(), 0.003)
            else:
                room = options.depth - (self.asked - self.answered)
                count = dice.randint(1, min(room, left))
                text = b"".join(self.request() for _ in range(count))
                await self.in_pieces(writer, text, dice.choice((0, 0, 0, 0.001, 0.005)))
                await asyncio.sleep(dice.choice((0, 0, 0.002, 0.005)))

    async def in_pieces(self, writer, text, pause_s):
        cut = self.random.randrange(1, len(text)) if pause_s else len(text)
        writer.write(text[:cut])
        if pause_s:
            await asyncio.sleep(pause_s)
            writer.write(text[cut:])

    async def read(self, reader):
        while self.answered < self.options.requests:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(LENGTH.search(head).group(1)))
            expected = f"{self.options.id_prefix}{self.number}-{self.answered}\n".encode()
            if not head.startswith(b"HTTP/1.1 200 ") or not body.endswith(expected):
                raise ValueError(f"{expected!r} was answered by {head!r} {body!r}")
            self.answered += 1
            self.progress.set()

    async def run(self):
        try:
            host, port = self.options.to.split(":")
            reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.gather(self.write(writer), self.read(reader))
            writer.close()
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            print(f"connection {self.number}: {error}", file=sys.stderr)
        self.errors = self.options.requests - self.answered


async def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, help="IP:PORT")
    parser.add_argument("--mode", choices=("burst", "window", "halves", "mixed"), default="burst")
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--requests", type=int, default=100, help="of a connection")
    parser.add_argument("--depth", type=int, default=4, help="requests open at a time")
    parser.add_argument("--padding", type=int, default=200, help="largest number of bytes added")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--id-prefix", default="")
    options = parser.parse_args()
    clients = [Client(options, n) for n in range(options.connections)]
    began = time.monotonic()
    await asyncio.gather(*(c.run() for c in clients))
    took = time.monotonic() - began
    answered = sum(c.answered for c in clients)
    print(json.dumps({"sent": sum(c.asked for c in clients), "ok": answered,
                      "errors": sum(c.errors for c in clients), "connections": len(clients),
                      "seconds": round(took, 3), "per_second": round(answered / took)},
                     separators=(",", ":")))
    return 1 if any(c.errors for c in clients) else 0


sys.exit(asyncio.run(main()))
