#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads the target's capture: no faked client's tuple may be in use twice at a time.

usage: check_tuples.py PCAP PORT CONNECTIONS

PCAP has the SYN, FIN and RST packets of both directions; PORT is the target's. A tuple is in use from its SYN until both
ends have said FIN, or one RST; a SYN with another initial sequence number before that is a second use. There must be
CONNECTIONS of them, or more. Prints one line. Exit 0 or 1.
"""
import struct
import sys

FIN, SYN, RST, ACK = 1, 2, 4, 16


def packets(path):
    """(source, source port, destination port, sequence number, flags, destination) of each packet."""
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack_from(order + "I", data, at + 8)[0]
        ip = at + 16 + 14
        tcp = ip + (data[ip] & 15) * 4
        sport, dport, seq = struct.unpack_from(">HHI", data, tcp)
        yield data[ip + 12:ip + 16], sport, dport, seq, data[tcp + 13], data[ip + 16:ip + 20]
        at += 16 + length


class Tuple:
    def __init__(self):
        self.isn = None
        self.ended = {"client", "target"}
        self.uses = 0


def main():
    port, wanted = int(sys.argv[2]), int(sys.argv[3])
    tuples, twice = {}, []
    for source, sport, dport, seq, flags, destination in packets(sys.argv[1]):
        is_client = dport == port
        key = (source, sport) if is_client else (destination, dport)
        use = tuples.setdefault(key, Tuple())
        if is_client and flags & (SYN | ACK) == SYN and seq != use.isn:
            if len(use.ended) < 2:
                twice.append(f"{'.'.join(map(str, key[0]))}:{key[1]}")
            use.isn, use.ended, use.uses = seq, set(), use.uses + 1
        if flags & RST:
            use.ended = {"client", "target"}
        elif flags & FIN:
            use.ended.add("client" if is_client else "target")
    uses = sum(t.uses for t in tuples.values())
    print(f"{uses} connections on {len(tuples)} tuples of {len({k[0] for k in tuples})} addresses, "
          f"{len(twice)} of them on one that was in use{': ' if twice else ''}{', '.join(twice[:5])}")
    return 1 if twice or uses < wanted else 0


if __name__ == "__main__":
    sys.exit(main())
