#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A WebSocket echo server and its client. The server logs every message that it gets, and pushes some by itself.

  websocket.py server --port PORT --log FILE [--push MS] [--ping MS] [--prefix TEXT]
  websocket.py client --to IP:PORT [--connections N] [--messages N] [--ahead N] [--pause MS]

A message begins with an id, CONNECTION-SEQUENCE. The log has the lines that check_ids.py reads: time connection
message-of-connection id length/checksum kind, and at the end of a connection its close code. The client checks
that each message comes back unharmed, in order, and prints a line of JSON as the load generator does.
"""
import argparse
import asyncio
import contextlib
import itertools
import json
import random
import sys
import time
import zlib

import websockets


async def say(socket, message):
    """A client that has said goodbye may have sent messages before that are still to be read."""
    with contextlib.suppress(websockets.ConnectionClosed):
        await socket.send(message)


class Server:
    def __init__(self, options):
        self.options = options
        self.log = open(options.log, "a", encoding="ascii", buffering=1)
        self.numbers = itertools.count(1)

    async def push(self, socket):
        for n in itertools.count():
            await asyncio.sleep(self.options.push / 1000)
            await say(socket, f"push {n}" + " and more" * (n % 50))

    async def ping(self, socket):
        while True:
            await asyncio.sleep(self.options.ping / 1000)
            with contextlib.suppress(websockets.ConnectionClosed):
                await socket.ping()

    async def connection(self, socket, path=None):
        number = next(self.numbers)
        tasks = [asyncio.create_task(work(socket)) for work, wanted in
                 ((self.push, self.options.push), (self.ping, self.options.ping)) if wanted]
        try:
            count, ident = 0, "-"
            async for message in socket:
                count += 1
                text = isinstance(message, str)
                raw = message.encode() if text else message
                ident = raw.split(None, 1)[0].decode()
                self.log.write(f"{time.time():.3f} {number} {count} {ident} "
                               f"{len(raw)}/{zlib.crc32(raw):08x} {'text' if text else 'binary'}\n")
                await say(socket, self.options.prefix + message if text else message)
            self.log.write(f"{time.time():.3f} {number} {count + 1} {ident.rpartition('-')[0]}-end "
                           f"0 {socket.close_code}\n")
        finally:
            for task in tasks:
                task.cancel()

    async def run(self):
        # The library's own keep-alive would wait for an answer to *its* ping, with a random text.
        async with websockets.serve(self.connection, "0.0.0.0", self.options.port,
                                    ping_interval=None, max_size=None):
            await asyncio.Future()


class Client:
    def __init__(self, options, number):
        self.options = options
        self.number = number
        self.random = random.Random(number)
        self.sent = {}
        self.asked = 0
        self.answered = 0
        self.pushed = 0
        self.progress = asyncio.Event()

    def message(self):
        """Text or binary, of any length, now and then in fragments."""
        ident = f"{self.number}-{self.asked}"
        self.asked += 1
        size = self.random.choice((0, 10, 100, 125, 126, 2000, 2000, 40000))
        body = self.random.randbytes(size)
        value = f"{ident} {body.hex()}" if self.random.random() < 0.7 else ident.encode() + b" " + body
        self.sent[self.asked - 1] = value
        if size == 2000:
            return [value[:size // 2], value[size // 2:]]
        return value

    async def write(self, socket):
        for n in range(self.options.messages):
            while self.asked - self.answered > self.options.ahead:
                self.progress.clear()
                await self.progress.wait()
            await socket.send(self.message())
            if n % 10 == 5:
                await socket.ping()
            await asyncio.sleep(self.random.random() * 2 * self.options.pause / 1000)

    async def read(self, socket):
        while self.answered < self.options.messages:
            message = await socket.recv()
            if isinstance(message, str) and message.startswith("push "):
                self.pushed += 1
                continue
            if message != self.sent.pop(self.answered):
                raise ValueError(f"message {self.answered} came back as {message[:40]!r}")
            self.answered += 1
            self.progress.set()

    async def run(self):
        try:
            async with websockets.connect(f"ws://{self.options.to}/", ping_interval=None,
                                          max_size=None) as socket:
                await asyncio.gather(self.write(socket), self.read(socket))
        except (OSError, ValueError, websockets.WebSocketException) as error:
            print(f"connection {self.number}: {error}", file=sys.stderr)


async def run_clients(options):
    clients = [Client(options, n) for n in range(options.connections)]
    began = time.monotonic()
    await asyncio.gather(*(c.run() for c in clients))
    took = time.monotonic() - began
    wanted = options.messages * len(clients)
    answered = sum(c.answered for c in clients)
    print(json.dumps({"sent": sum(c.asked for c in clients), "ok": answered,
                      "errors": wanted - answered, "connections": len(clients),
                      "pushed": sum(c.pushed for c in clients), "seconds": round(took, 3)},
                     separators=(",", ":")))
    return 0 if answered == wanted else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=("server", "client"))
    parser.add_argument("--port", type=int)
    parser.add_argument("--log")
    parser.add_argument("--push", type=float, default=0)
    parser.add_argument("--ping", type=float, default=0)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--to")
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--messages", type=int, default=100, help="of a connection")
    parser.add_argument("--ahead", type=int, default=0, help="messages open besides one")
    parser.add_argument("--pause", type=float, default=0, help="mean ms between messages")
    options = parser.parse_args()
    if options.role == "server":
        asyncio.run(Server(options).run())
        return 0
    return asyncio.run(run_clients(options))


sys.exit(main())
