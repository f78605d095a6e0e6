#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A cable between two hosts that carries IP packets, not frames: a TUN device in each namespace.

usage: tun_cable.py NAMESPACE:DEVICE NAMESPACE:DEVICE

Prints "plugged" when both devices exist; carries until it is ended.
"""
import ctypes
import fcntl
import os
import select
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
PACKET_MAX = 65536


def open_tun(place):
    namespace, device = place.rsplit(":", 1)
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}", encoding="ascii") as ns:
        if libc.setns(ns.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    os.set_blocking(fd, False)
    return fd


def carry(source, sink):
    """What the source has now; a sink that is down loses it, as a cable does."""
    for _ in range(64):
        try:
            packet = os.read(source, PACKET_MAX)
        except BlockingIOError:
            return
        try:
            os.write(sink, packet)
        except OSError:
            pass


def main():
    one, other = (open_tun(place) for place in sys.argv[1:3])
    print("plugged", flush=True)
    ways = {one: other, other: one}
    while True:
        for fd in select.select(list(ways), [], [])[0]:
            carry(fd, ways[fd])


if __name__ == "__main__":
    main()
