#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Compares the access logs of the online server and of the target around a fault that was healed.

usage: healed.py [--fault TIME --healed TIME --within SECONDS] --ledger STATS_JSON
                 [--only CAUSE,...] [--unserved N] [--unlogged N] [--part] ONLINE_LOG TARGET_LOG

A line of a log is: time connection request-of-connection id length status; an id is
CONNECTION-SEQUENCE. At whatever time, no request may be at the target twice, out of its order,
without having been online, or be refused there. What is missing at the target must be what the
statistics name as dropped, for no other cause than --only; with --part they are those of a tcpcopy
that has not seen all of it. What was answered online before --fault, or later than --within after
--healed, must not be missing at all, and the latter be at the target a second later.

A server that is killed dies with what it has read: --unserved requests at most that the target has
acknowledged, --unlogged that the online server has read, are in no log.

Prints lines "ok NAME: SEEN", "not ok NAME: SEEN", and how soon all was well again.
"""
import argparse
import collections
import json

SHOWN = 8
LATE_S = 1  # between the two logs
ON_ITS_WAY_S = 0.5  # what tcpcopy had when it was killed


def read(path):
    """(time, id, status) of every request, in the order of the log."""
    with open(path, encoding="ascii", errors="replace") as log:
        rows = [line.split() for line in log]
    return [(float(r[0]), r[3], r[5]) for r in rows if len(r) == 6 and r[3] != "-"]


def say(good, name, seen):
    print(f"{'ok' if good else 'not ok'} {name}: {seen}")


def none_of(name, items):
    listed = ", ".join(items[:SHOWN]) + (", ..." if len(items) > SHOWN else "")
    say(not items, name, f"{len(items)} {listed}".strip())


def out_of_order(online, target):
    """Connections whose requests reached the target in another order."""
    there = {i for _, i, _ in target}
    orders = [collections.defaultdict(list), collections.defaultdict(list)]
    for order, rows in zip(orders, (online, target)):
        for _, i, _ in rows:
            if i in there:
                order[i.rpartition("-")[0]].append(i)
    known = {i for _, i, _ in online}
    return [c for c, ids in orders[1].items()
            if [i for i in dict.fromkeys(ids) if i in known] != orders[0][c]]


def show_recovery(healed, online, times):
    """How soon after the healing something new arrived, and from when on everything did."""
    fresh = [times[i] for t, i, _ in online if t > healed and i in times]
    lost = [t for t, i, _ in online if i not in times]
    first = f"{(min(fresh) - healed) * 1000:.0f} ms after the healing" if fresh else "never"
    between = f", from {min(lost) - healed:+.3f} s to {max(lost) - healed:+.3f} s" if lost else ""
    print(f"recovery: first new request {first}; {len(lost)} lost{between}")


def check_healed(args, online, times):
    before = [i for t, i, _ in online if t < args.fault - ON_ITS_WAY_S]
    after = [(t, i) for t, i, _ in online if t > args.healed + args.within]
    late = max((times[i] - t for t, i in after if i in times), default=0)
    show_recovery(args.healed, online, times)
    for ids, when in ((before, "before the fault"),
                      ([i for _, i in after], f"from {args.within:g} s after the healing on")):
        none_of(f"of {len(ids)} requests {when} none is missing",
                [i for i in ids if i not in times] if ids else ["nothing was tested"])
    say(late <= LATE_S, "the latter are in time", f"{late:.3f} s at most")


def check_logs(args, online, target):
    counts = collections.Counter(i for _, i, _ in target)
    strange = set(counts) - {i for _, i, _ in online}
    none_of("no request is at the target twice", [i for i, n in counts.items() if n > 1])
    none_of("none is out of order", out_of_order(online, target))
    none_of("none was made up", sorted(strange) if len(strange) > args.unlogged else [])
    none_of("the target finds no fault with any",
            [f"{i} {s}" for _, i, s in target if s != "200"])


def check_causes(args, dropped):
    print("dropped:", ", ".join(f"{c} {n}" for c, n in dropped.items()) or "nothing")
    wanted = args.only.split(",") if args.only else []
    none_of("no cause is named but " + (" and ".join(wanted) or "none at all"),
            [c for c in dropped if c not in wanted])


def check_ledger(args, stream, dropped, online, target):
    """Captured is delivered or dropped; so what either log does not show is known exactly."""
    captured, delivered = stream["captured"]["requests"], stream["delivered"]["requests"]
    there = {i for _, i, _ in target}
    known = {i for _, i, _ in online}
    unlogged, unserved = captured - len(known), delivered - len(there)
    say(0 <= unlogged <= args.unlogged, "the ledger knows every request",
        f"{captured} captured, {len(known)} online")
    say(0 <= unserved <= args.unserved, "what it calls delivered is in the log of the target",
        f"{delivered} delivered, {len(there)} logged")
    # A request that neither log has was named or was delivered.
    missing = len(known - there) + unlogged - len(there - known)
    say(dropped + unserved == missing, "it names all that was lost",
        f"{dropped} named, {missing} missing" + (f", {unserved} died there" if unserved else ""))


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", type=float)
    parser.add_argument("--healed", type=float)
    parser.add_argument("--within", type=float)
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--unserved", type=int, default=0)
    parser.add_argument("--unlogged", type=int, default=0)
    parser.add_argument("--part", action="store_true")
    parser.add_argument("online")
    parser.add_argument("target")
    return parser.parse_args()


def main():
    args = parse_arguments()
    online, target = read(args.online), read(args.target)
    with open(args.ledger, encoding="ascii") as f:
        stream = json.load(f)["total"]["stream"]
    dropped = {c: n["requests"] for c, n in stream["dropped"].items() if n["requests"]}
    if args.healed:
        check_healed(args, online, {i: t for t, i, _ in target})
    check_logs(args, online, target)
    check_causes(args, dropped)
    if not args.part:
        check_ledger(args, stream, sum(dropped.values()), online, target)


main()
