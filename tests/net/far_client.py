#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An HTTP client that is far away: it answers whatever comes so many milliseconds late, packet by packet.

usage: far_client.py OWN_ADDRESS SERVER_ADDRESS SERVER_PORT MILLISECONDS IDS...

Asks for one id after the other, then says "done" and keeps the connection for 20 s. A raw socket: the kernel knows nothing of the
connection, so its RSTs have to be kept from leaving (nft).
"""
import os
import socket
import struct
import sys
import time

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Client:
    def __init__(self, own, server, port, delay_s):
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.raw.settimeout(5)
        self.own, self.server, self.port = own, server, port
        self.own_port = 20000 + os.getpid() % 10000
        self.delay_s = delay_s
        self.seq, self.ack = 1000, 0

    def send(self, flags, data=b"", options=b""):
        offset = (5 + len(options) // 4) << 4
        head = struct.pack("!HHIIBBHHH", self.own_port, self.port, self.seq, self.ack, offset,
                           flags, 64000, 0, 0) + options
        pseudo = (socket.inet_aton(self.own) + socket.inet_aton(self.server) +
                  struct.pack("!BBH", 0, 6, len(head) + len(data)))
        head = head[:16] + struct.pack("!H", checksum(pseudo + head + data)) + head[18:]
        self.raw.sendto(head + data, (self.server, 0))
        self.seq += len(data) + (flags & SYN != 0)

    def receive(self):
        """The payload of the next packet with one, or of the SYN-ACK; half a way later."""
        while True:
            packet = self.raw.recv(65535)
            tcp = packet[(packet[0] & 15) * 4:]
            sport, dport, seq, _, offset, flags = struct.unpack("!HHIIBB", tcp[:14])
            data = tcp[(offset >> 4) * 4:]
            if (sport, dport) != (self.port, self.own_port) or not (data or flags & SYN):
                continue
            self.ack = (seq + len(data) + (flags & SYN != 0)) & 0xffffffff
            time.sleep(self.delay_s)
            return data


def main():
    own, server, port, delay_ms, *ids = sys.argv[1:]
    c = Client(own, server, int(port), int(delay_ms) / 1000)
    c.send(SYN, options=struct.pack("!BBH", 2, 4, 1460))
    c.receive()
    c.send(ACK)
    for i in ids:
        c.send(ACK | PSH, f"GET /?id={i} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        c.receive()
        c.send(ACK)
    print("done", flush=True)
    time.sleep(20)
    c.send(RST | ACK)


if __name__ == "__main__":
    main()
