#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Compares the access logs of the online server and of the target, request by request.

A line is: time connection request-of-connection id length status. An id is CONNECTION-SEQUENCE and
unique. Every id of the online log must be in the target's exactly once, with the same length and
status, and the ids of one CONNECTION must come in the same order. The first line of the output sums
up, further lines say exactly what is missing, too many or out of order. Exit 0 or 1.

With --joined LIMIT the first ids of a CONNECTION, at most LIMIT of them, may be missing: it was joined in
its middle. Every CONNECTION must have been joined, and miss nothing from then on.
"""
import collections
import sys

SHOWN = 10


def read(path):
    entries = []
    with open(path, encoding="ascii", errors="replace") as log:
        for line in log:
            fields = line.split()
            if len(fields) != 6:
                sys.exit(f"{path}: not a line of this log: {line!r}")
            entries.append(fields)
    return entries


def by_connection(entries):
    order = collections.defaultdict(list)
    for fields in entries:
        order[fields[3].rpartition("-")[0]].append(fields[3])
    return order


def in_words(what, items):
    listed = ", ".join(items[:SHOWN]) + (", ..." if len(items) > SHOWN else "")
    return f"{len(items)} {what}: {listed}"


def before_joins(online, target, limit):
    """The ids that may be missing because their connection had not been joined yet."""
    there = {f[3] for f in target}
    early = set()
    for ids in by_connection(online).values():
        at = next((n for n, i in enumerate(ids) if i in there), len(ids))
        if at < len(ids) and at <= limit:
            early.update(ids[:at])
    return early


def differences(online, target, early):
    seen_online = collections.Counter(f[3] for f in online)
    seen_target = collections.Counter(f[3] for f in target)
    found = []
    repeated = [i for i, n in seen_online.items() if n > 1]
    if repeated:
        found.append(in_words("ids not unique online, the test itself is wrong", repeated))
    missing = [i for i in seen_online if i not in seen_target and i not in early]
    if missing:
        found.append(in_words("missing at the target", missing))
    extra = [f"{i} x{n}" for i, n in seen_target.items() if n > 1]
    if extra:
        found.append(in_words("more than once at the target", extra))
    strange = [i for i in seen_target if i not in seen_online]
    if strange:
        found.append(in_words("at the target but never online", strange))

    other = {f[3]: f[4:] for f in online}
    differing = [f"{f[3]} {'/'.join(f[4:])} not {'/'.join(other[f[3]])}"
                 for f in target if f[3] in other and f[4:] != other[f[3]]]
    if differing:
        found.append(in_words("with another length/status at the target", differing))

    orders = by_connection(target)
    wrong = []
    for connection, ids in by_connection(online).items():
        both = set(ids) & set(orders[connection])
        first = list(dict.fromkeys(i for i in orders[connection] if i in both))
        if first != [i for i in ids if i in both]:
            wrong.append(connection)
    if wrong:
        found.append(in_words("connections out of order", wrong))
    return found


def main():
    args = sys.argv[1:]
    limit = 0
    if len(args) == 4 and args[0] == "--joined":
        limit = int(args[1])
        args = args[2:]
    if len(args) != 2:
        sys.exit("usage: check_ids.py [--joined LIMIT] ONLINE_LOG TARGET_LOG")
    online, target = read(args[0]), read(args[1])
    early = before_joins(online, target, limit)
    found = differences(online, target, early)
    arrived = len({f[3] for f in online} & {f[3] for f in target})
    share = arrived / len(online) if online else 0.0
    print(f"{arrived} of {len(online)} ids at the target, delivered {share:.4f}, "
          f"{len({f[1] for f in online})} connections online, {len({f[1] for f in target})} there")
    if limit:
        print(f"{len(early)} ids before their connection was joined")
    for line in found:
        print(line)
    if not online:
        print("the online log is empty: nothing was tested")
    return 1 if found or not online else 0


if __name__ == "__main__":
    sys.exit(main())
