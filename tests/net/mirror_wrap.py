#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Wraps each frame that comes in on one device as mirrors do, and sends it out of another.

usage: mirror_wrap.py IN OUT WRAPPING [OPTION]

WRAPPING is one of WRAPPINGS below, or several with a plus: the first one is the innermost; or "each": every
connection gets the next one of all of them, and of some that are nested. OPTION is one of
  cut=N      the frame is cut to N bytes before it is wrapped
  fragment   what is wrapped goes out in two fragments (over IPv4)
  late=PORT  frames to that TCP port wait for 20 ms, so that those of the other direction overtake them
Prints a line when it listens.
"""
import select
import socket
import struct
import sys
import time

PACKET_OUTGOING = 4
LATE_S = 0.02
MACS = bytes.fromhex("020000000002020000000001")


def ethernet(ethertype, packet):
    return MACS + struct.pack("!H", ethertype) + packet


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(protocol, payload, fragment=0x4000):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, fragment, 64, protocol, 0,
                         bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(protocol, payload):
    source = bytes.fromhex("20010db8ffff") + bytes(9) + b"\1"
    return struct.pack("!IHBB16s16s", 0x60000000, len(payload), protocol, 64, source,
                       source[:15] + b"\2") + payload


def over_ipv4(protocol, payload):
    return ethernet(0x0800, ipv4(protocol, payload))


def over_ipv6(protocol, payload):
    return ethernet(0x86dd, ipv6(protocol, payload))


def over_ipv6_with_option(protocol, payload):
    """As Linux tunnels do: the limit of encapsulation comes first."""
    return ethernet(0x86dd, ipv6(60, bytes([protocol, 0, 4, 1, 4, 1, 0, 0]) + payload))


def udp(port, payload):
    return struct.pack("!HHHH", 49152, port, 8 + len(payload), 0) + payload


def tagged(frame, *ethertypes):
    tags = b"".join(struct.pack("!HH", e, 100 + n) for n, e in enumerate(ethertypes))
    return frame[:12] + tags + frame[12:]


VXLAN = struct.pack("!II", 0x08000000, 7 << 8)

WRAPPINGS = {
    "vlan": lambda f: tagged(f, 0x8100),
    "qinq": lambda f: tagged(f, 0x88a8, 0x8100),
    "vlan-in-vlan": lambda f: tagged(f, 0x8100, 0x8100),
    "9100": lambda f: tagged(f, 0x9100, 0x8100),
    "vxlan": lambda f: over_ipv4(17, udp(4789, VXLAN + f)),
    "vxlan-8472": lambda f: over_ipv4(17, udp(8472, VXLAN + f)),
    "vxlan-over-ipv6": lambda f: over_ipv6(17, udp(4789, VXLAN + f)),
    "geneve": lambda f: over_ipv4(17, udp(6081, bytes.fromhex("0200655800000700") + bytes(8) + f)),
    "gre": lambda f: over_ipv4(47, bytes(2) + f[12:]),
    "gre-all": lambda f: over_ipv4(47, b"\xb0\0" + f[12:14] + bytes(12) + f[14:]),
    "nvgre": lambda f: over_ipv4(47, bytes.fromhex("2000655800000700") + f),
    "gre-over-ipv6": lambda f: over_ipv6_with_option(47, bytes.fromhex("00006558") + f),
    "erspan-1": lambda f: over_ipv4(47, bytes.fromhex("000088be") + f),
    "erspan-2": lambda f: over_ipv4(47, bytes.fromhex("100088be00000001" "1064100500000000") + f),
    "erspan-3": lambda f: over_ipv4(47, bytes.fromhex("100022eb00000001"
                                                      "206410050000000100008001") + bytes(8) + f),
}


NESTED = ["vxlan+erspan-2", "qinq+gre-over-ipv6", "geneve+vxlan-over-ipv6"]
dealt = {}


def wrapping_of(frame):
    """The one that this TCP connection was dealt: of both directions the same."""
    every = [*WRAPPINGS, *NESTED]
    if frame[12:14] == b"\x08\x00":
        key = frozenset([frame[26:30] + frame[34:36], frame[30:34] + frame[36:38]])
    elif frame[12:14] == b"\x86\xdd":
        key = frozenset([frame[22:38] + frame[54:56], frame[38:54] + frame[56:58]])
    else:
        return every[0]
    return dealt.setdefault(key, every[len(dealt) % len(every)])


def wrap(names, frame):
    for name in (wrapping_of(frame) if names == "each" else names).split("+"):
        frame = WRAPPINGS[name](frame)
    return frame


def fragments(frame):
    payload = frame[34:]
    middle = len(payload) // 2 & ~7
    yield ethernet(0x0800, ipv4(frame[23], payload[:middle], 0x2000))
    yield ethernet(0x0800, ipv4(frame[23], payload[middle:], middle // 8))


def is_to(frame, port):
    return frame[12:14] == b"\x08\x00" and frame[23] == 6 and frame[36:38] == struct.pack("!H", port)


def listen(device):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE
    s.bind((device, 0))
    return s


def main():
    source, sink = listen(sys.argv[1]), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sink.bind((sys.argv[2], 0))
    names = sys.argv[3]
    option, _, value = (sys.argv[4] if len(sys.argv) > 4 else "").partition("=")
    late = []

    def send(frame):
        if option == "cut":
            frame = frame[:int(value)]
        frame = wrap(names, frame)
        for f in fragments(frame) if option == "fragment" else [frame]:
            sink.send(f)

    print("listening", flush=True)
    while True:
        wait = max(0, late[0][0] - time.monotonic()) if late else None
        if select.select([source], [], [], wait)[0]:
            frame, address = source.recvfrom(70000)
            if address[2] == PACKET_OUTGOING:
                continue
            if option == "late" and is_to(frame, int(value)):
                late.append((time.monotonic() + LATE_S, frame))
            else:
                send(frame)
        while late and late[0][0] <= time.monotonic():
            send(late.pop(0)[1])


main()
