#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An HTTP client whose IPv6 packets have extension headers, and fragments that belong to nobody.

  extension_client.py requests --to ADDRESS PORT --kind KIND [--connections N] [--requests N] [--upload BYTES]
  extension_client.py fragment --to ADDRESS PORT
  extension_client.py serve --to ADDRESS PORT --kind KIND

"requests": kept-alive connections of N requests each, with the ids KIND-CONNECTION-NUMBER
(put-KIND-... of uploads). The kernel puts the
headers of KIND into every packet of the connection, from the SYN to the FIN: hop-by-hop, destination, or both.
"serve": answers such requests, with the headers in its packets. "fragment": a TCP packet in two fragments, IPv4 or IPv6 by the address.
"""
import argparse
import socket
import struct
import sys
import threading

IPV6_HOPOPTS, IPV6_DSTOPTS = 54, 59
KINDS = {"hop-by-hop": [IPV6_HOPOPTS], "destination": [IPV6_DSTOPTS],
         "both": [IPV6_HOPOPTS, IPV6_DSTOPTS], "none": []}
# Next header (the kernel fills it in), a second unit of length, an option of an experiment (RFC 4727) that nobody knows.
OPTIONS = bytes([0, 1, 0x1e, 12]) + bytes(12)


def connect(address, port, kind):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    for option in KINDS[kind]:
        s.setsockopt(socket.IPPROTO_IPV6, option, OPTIONS)
    s.settimeout(20)
    s.connect((address, port))
    return s


def ask(s, name, upload):
    if upload:
        head = f"PUT /put/{name}?id={name} HTTP/1.1\r\nHost: online\r\nContent-Length: {upload}\r\n\r\n"
    else:
        head = f"GET /?id={name} HTTP/1.1\r\nHost: online\r\n\r\n"
    s.sendall(head.encode() + b"x" * upload)
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += receive(s)
    head, _, body = seen.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
               if line.lower().startswith(b"content-length:")]
    wanted = lengths[0] if lengths else 0
    while len(body) < wanted:
        body += receive(s)
    return head.split()[1][:1] == b"2"


def receive(s):
    data = s.recv(65536)
    if not data:
        sys.exit("the server closed the connection")
    return data


def requests(args):
    good = 0
    sockets = [connect(*args.to, args.kind) for _ in range(args.connections)]
    for number in range(args.requests):
        for index, s in enumerate(sockets):
            prefix = "put-" if args.upload else ""
            good += ask(s, f"{prefix}{args.kind}-{index}-{number}", args.upload)
    for s in sockets:
        s.close()
    print(f"{good} answers of {args.connections * args.requests}, {args.kind}")
    return good == args.connections * args.requests


def answer(s):
    request = b""
    while True:
        data = s.recv(65536)
        if not data:
            return
        request += data
        while b"\r\n\r\n" in request:
            request = request.partition(b"\r\n\r\n")[2]
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


def serve(args):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    for option in KINDS[args.kind]:
        listener.setsockopt(socket.IPPROTO_IPV6, option, OPTIONS)
    listener.bind(args.to)
    listener.listen(100)
    while True:
        s, _ = listener.accept()
        for option in KINDS[args.kind]:
            s.setsockopt(socket.IPPROTO_IPV6, option, OPTIONS)
        threading.Thread(target=answer, args=(s,), daemon=True).start()


def tcp_packet(port):
    header = struct.pack("!HHIIBBHHH", 40000, port, 1, 1, 5 << 4, 0x18, 512, 0, 0)
    return header + b"GET / HTTP/1.1\r\n\r\n".ljust(76)


def fragment(args):
    address, port = args.to
    packet = tcp_packet(port)
    parts = ((0, packet[:64]), (64, packet[64:]))
    if ":" in address:
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 44)
        for at, part in parts:
            header = struct.pack("!BBHI", 6, 0, at | (at == 0), 4711)
            s.sendto(header + part, (address, 0))
        return True
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for at, part in parts:
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(part), 4711,
                             (0x2000 if at == 0 else 0) | at // 8, 64, 6, 0, bytes(4),
                             socket.inet_aton(address))
        s.sendto(header + part, (address, 0))
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["requests", "fragment", "serve"])
    parser.add_argument("--to", nargs=2, required=True)
    parser.add_argument("--kind", choices=KINDS, default="none")
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--requests", type=int, default=10)
    parser.add_argument("--upload", type=int, default=0)
    args = parser.parse_args()
    args.to = args.to[0], int(args.to[1])
    return 0 if {"requests": requests, "fragment": fragment, "serve": serve}[args.what](args) else 1


sys.exit(main())
