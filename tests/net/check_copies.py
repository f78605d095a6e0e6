#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Compares the access logs of the online server and of a target that gets N copies of everything.

usage: check_copies.py N ONLINE_LOG TARGET_LOG

The lines are those of check_ids.py. Every connection of a client, told by the first half of its ids, must be N
connections at the target, each with exactly its ids, in their order; so every id comes exactly N times. The
first line of the output sums up, further lines say what is wrong. Exit 0 or 1.
"""
import collections
import sys

import check_ids


def connections_there(entries):
    """The ids of each connection of the server, in order."""
    there = collections.defaultdict(list)
    for fields in entries:
        there[fields[1]].append(fields[3])
    return there.values()


def differences(copies, online, target):
    wanted = check_ids.by_connection(online)
    seen = collections.defaultdict(list)
    for ids in connections_there(target):
        seen[ids[0].rpartition("-")[0]].append(ids)
    strange = sorted(set(seen) - set(wanted))
    if strange:
        yield check_ids.in_words("connections there that nobody made", strange)
    number = [f"{c} x{len(seen[c])}" for c in wanted if len(seen[c]) != copies]
    if number:
        yield check_ids.in_words(f"connections are not there {copies} times", number)
    wrong = [c for c, ids in wanted.items() if any(one != ids for one in seen[c])]
    if wrong:
        yield check_ids.in_words("connections there lack ids, or have others, or in another order", wrong)
    if not wanted:
        yield "the online log is empty: nothing was tested"


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: check_copies.py N ONLINE_LOG TARGET_LOG")
    copies = int(sys.argv[1])
    online, target = check_ids.read(sys.argv[2]), check_ids.read(sys.argv[3])
    found = list(differences(copies, online, target))
    counts = collections.Counter(collections.Counter(f[3] for f in target).values())
    times = ", ".join(f"{n} ids {times} times" for times, n in sorted(counts.items()))
    print(f"{len(online)} ids online; at the target {times}, on {len({f[1] for f in target})} connections")
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
