#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads the target's access log: whether sessions were shed as a whole.

usage: check_sessions.py LOG PREFIX

A line is: time connection request-of-connection id length status. An id is PREFIXCONNECTION-SEQUENCE. Whatever came
over one connection to the target must be of one connection online, and nothing may be missing in its
middle: what was shed ended its session, and another begins with a whole request. Exit 0 or 1.
"""
import collections
import sys


def main():
    log, prefix = sys.argv[1:]
    sessions = collections.defaultdict(list)
    with open(log, encoding="ascii") as lines:
        for line in lines:
            fields = line.split()
            if fields[3].startswith(prefix):
                client, sequence = fields[3][len(prefix):].split("-")
                sessions[fields[1]].append((int(client), int(sequence)))
    wrong = [s for s in sessions.values()
             if any(b != (a[0], a[1] + 1) for a, b in zip(s, s[1:]))]
    print(f"{sum(map(len, sessions.values()))} requests in {len(sessions)} sessions")
    for s in wrong[:10]:
        print("not one after the other in one session:", s)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
