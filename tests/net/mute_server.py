#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A server that reads HTTP/1.1 requests as they come and never says a byte.

Its log has the lines that check_ids.py reads; the length is that of the whole request, the status that of
a server which answers.
"""
import argparse
import itertools
import re
import selectors
import socket
import time

IDENT = re.compile(rb"[?&]id=([^ &]*)")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


class Connection:
    def __init__(self, sock, number, log):
        self.sock = sock
        self.number = number
        self.log = log
        self.count = 0
        self.said = b""

    def on_readable(self):
        """False when the client has ended."""
        try:
            piece = self.sock.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.said += piece
        while self.take_request():
            pass
        return bool(piece)

    def take_request(self):
        end = self.said.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.said[:end + 4]
        body = LENGTH.search(head)
        length = len(head) + (int(body.group(1)) if body else 0)
        if len(self.said) < length:
            return False
        self.said = self.said[length:]
        self.count += 1
        ident = IDENT.search(head).group(1).decode()
        status = 201 if head.startswith(b"PUT ") else 200
        self.log.write(f"{time.time():.3f} {self.number} {self.count} {ident} {length} {status}\n")
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", required=True)
    options = parser.parse_args()
    numbers = itertools.count(1)
    listener = socket.create_server(("", options.port), backlog=1024)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    with open(options.log, "a", encoding="ascii", buffering=1) as log:
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    sock = listener.accept()[0]
                    sock.setblocking(False)
                    selector.register(sock, selectors.EVENT_READ, Connection(sock, next(numbers), log))
                elif not key.data.on_readable():
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


main()
