#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Servers and a client for what cannot be copied.

  not_replayable.py mail --port PORT --certificate PEM --mails FILE
  not_replayable.py mute --port PORT --how reset|close
  not_replayable.py tls --to IP:PORT [--connections N] [--requests N] [--pause MS] [--cut BYTES]

mail takes mails (aiosmtpd) and offers STARTTLS; it writes a line a mail. mute accepts and ends every connection without
a byte of an answer: "reset" at once, "close" after it has read what the client said; it prints a line a connection.
tls asks over HTTPS, each connection its requests one after the other, and prints a line of JSON as the load generator
does. With --cut the first BYTES of its handshake travel in a packet of their own.
"""
import argparse
import asyncio
import json
import socket
import ssl
import struct
import sys
import threading
import time


# ---- mail ----


async def serve_mail(options):
    from aiosmtpd.smtp import SMTP

    class Keeper:
        def __init__(self):
            self.mails = open(options.mails, "w", encoding="ascii", buffering=1)

        async def handle_DATA(self, server, session, envelope):
            self.mails.write(f"{envelope.mail_from} {len(envelope.content)} "
                             f"{'encrypted' if session.ssl else 'plain'}\n")
            return "250 taken"

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate)
    keeper = Keeper()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(keeper, hostname="mail.example", tls_context=context), "0.0.0.0", options.port)
    await server.serve_forever()


# ---- mute ----


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_on(connection):
    """To the end of what is there: a server that closes with bytes unread resets."""
    connection.settimeout(10)
    connection.recv(1 << 16)


def serve_mute(options):
    before_the_end = {"reset": reset, "close": read_on}[options.how]
    listener = socket.create_server(("0.0.0.0", options.port), backlog=512)
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                before_the_end(connection)
            except OSError as error:
                print(error, flush=True)
        print("ended one", flush=True)


# ---- tls ----


class Cut:
    """A socket whose first packet is short."""

    def __init__(self, plain, at):
        self.plain = plain
        self.at = at

    def send_all(self, data):
        if self.at:
            self.plain.sendall(data[:self.at])
            time.sleep(0.02)  # longer than anybody would gather
            data, self.at = data[self.at:], 0
        self.plain.sendall(data)


class TlsConnection:
    """TLS over a socket, its records written by us."""

    def __init__(self, address, cut):
        self.plain = socket.create_connection(address, timeout=30)
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.writer = Cut(self.plain, cut)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.step(self.tls.do_handshake)

    def flush(self):
        if self.outgoing.pending:
            self.writer.send_all(self.outgoing.read())

    def step(self, call, *args):
        while True:
            try:
                result = call(*args)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.plain.recv(1 << 16)
                if not data:
                    raise ConnectionError("the server closed") from None
                self.incoming.write(data)

    def ask(self, ident):
        self.step(self.tls.write, f"GET /?id={ident} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.step(self.tls.read, 1 << 16)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += self.step(self.tls.read, 1 << 16)
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(head.split(b"\r\n")[0].decode())


def ask_all(options, number, answered):
    host, port = options.to.split(":")
    try:
        connection = TlsConnection((host, int(port)), options.cut)
        for sequence in range(options.requests):
            connection.ask(f"{options.id_prefix}{number}x{sequence}")
            answered.append(1)
            time.sleep(options.pause / 1000)
        connection.plain.close()
    except (OSError, ssl.SSLError) as error:
        print(f"connection {number}: {error}", file=sys.stderr)


def run_clients(options):
    answered = []
    threads = [threading.Thread(target=ask_all, args=(options, n, answered))
               for n in range(options.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = options.connections * options.requests
    print(json.dumps({"sent": wanted, "ok": len(answered), "errors": wanted - len(answered),
                      "connections": options.connections}, separators=(",", ":")))
    return 0 if len(answered) == wanted else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    roles = parser.add_subparsers(dest="role", required=True)
    mail = roles.add_parser("mail")
    mail.add_argument("--port", type=int, required=True)
    mail.add_argument("--certificate", required=True, help="with its key")
    mail.add_argument("--mails", required=True)
    mute = roles.add_parser("mute")
    mute.add_argument("--port", type=int, required=True)
    mute.add_argument("--how", choices=("reset", "close"), required=True)
    tls = roles.add_parser("tls")
    tls.add_argument("--to", required=True)
    tls.add_argument("--connections", type=int, default=1)
    tls.add_argument("--requests", type=int, default=1, help="of a connection")
    tls.add_argument("--pause", type=float, default=0, help="ms after each answer")
    tls.add_argument("--cut", type=int, default=0)
    tls.add_argument("--id-prefix", default="")
    options = parser.parse_args()
    if options.role == "mail":
        return asyncio.run(serve_mail(options))
    if options.role == "mute":
        return serve_mute(options)
    return run_clients(options)


sys.exit(main())
