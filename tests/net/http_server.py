#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An HTTP/1.1 server whose answers can be made longer, shorter, slower, or to come in pieces.

It keeps connections alive, reads pipelined requests one after the other, and bodies by length or in chunks. Its log
has the lines that check_ids.py reads: time connection request-of-connection id length status. The length is that of
the whole request.
"""
import argparse
import asyncio
import itertools
import os
import time
import urllib.parse

REASONS = {200: "OK", 413: "Content Too Large"}


class Server:
    def __init__(self, options):
        self.options = options
        self.log = open(options.log, "a", encoding="ascii", buffering=1)
        self.numbers = itertools.count(1)

    async def connection(self, reader, writer):
        number = next(self.numbers)
        try:
            for count in itertools.count(1):
                head = await reader.readuntil(b"\r\n\r\n")
                if not await self.request(reader, writer, head, f"{number} {count}"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def request(self, reader, writer, head, where):
        """Answers one request; False if the connection ends with it."""
        target, fields = parse_head(head)
        ident = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query).get("id", ["-"])[0]
        expect = self.options.expect if fields.get("expect") == "100-continue" else "ignore"
        if expect == "refuse":
            self.note(where, ident, len(head), 413)
            await self.answer(writer, 413, True)
            return False
        if expect == "continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif expect == "final":
            await self.answer(writer, 200, False)
        raw, body = await read_body(reader, fields)
        self.note(where, ident, len(head) + len(raw), 200)
        if self.options.files:
            name = os.path.basename(urllib.parse.urlsplit(target).path)
            with open(os.path.join(self.options.files, name), "wb") as f:
                f.write(body)
        if self.options.work:
            time.sleep(self.options.work / 1000)  # one worker: nobody else is served meanwhile
        if self.options.delay:
            await asyncio.sleep(self.options.delay / 1000)
        closes = self.options.close or fields.get("connection") == "close"
        if expect != "final":
            await self.answer(writer, 200, closes)
        return not closes

    def note(self, where, ident, length, status):
        self.log.write(f"{time.time():.3f} {where} {ident} {length} {status}\n")

    async def answer(self, writer, status, closes):
        text = (f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Length: {self.options.answer}\r\n"
                + ("Connection: close\r\n" if closes else "") + "\r\n").encode()
        text += b"x" * self.options.answer
        step = -(-len(text) // self.options.pieces)
        for start in range(0, len(text), step):
            if start:
                await asyncio.sleep(self.options.pause / 1000)
            writer.write(text[start:start + step])
            await writer.drain()


def parse_head(head):
    lines = head.decode("ascii").split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            fields[name.lower()] = value.strip()
    return lines[0].split()[1], fields


async def read_body(reader, fields):
    """What came, and what it means."""
    if fields.get("transfer-encoding") != "chunked":
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        return body, body
    raw, body = b"", b""
    while True:
        line = await reader.readuntil(b"\r\n")
        length = int(line, 16)
        chunk = await reader.readexactly(length + 2)
        raw += line + chunk
        body += chunk[:-2]
        if length == 0:
            return raw, body


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--answer", type=int, default=100, help="bytes of an answer's body")
    parser.add_argument("--delay", type=float, default=0, help="ms before an answer")
    parser.add_argument("--work", type=float, default=0, help="ms in which it serves nobody else")
    parser.add_argument("--pieces", type=int, default=1, help="of an answer")
    parser.add_argument("--pause", type=float, default=0, help="ms between pieces")
    parser.add_argument("--close", action="store_true", help="no kept-alive connections")
    parser.add_argument("--files", help="the directory where bodies go")
    parser.add_argument("--expect", choices=("continue", "final", "refuse", "ignore"),
                        default="continue", help="what becomes of Expect: 100-continue: that answer, "
                        "the last one before the body is read, 413 and the end, or nothing")
    server = Server(parser.parse_args())
    listener = await asyncio.start_server(server.connection, "0.0.0.0", server.options.port,
                                          backlog=1024)
    async with listener:
        await listener.serve_forever()


asyncio.run(main())
