#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turns what run.sh measured into numbers and numbers into a table.

table.py row DIRECTORY CASE T0 T1 I0 I1 MEMORY   a line of JSON; times as "user system total_ns"
table.py show FLOOR_JSON                         reads these lines from standard input
"""
import json
import os
import sys


NOTES = """
delivered: share of the ids served online that are in the log of the target. p50, p99: from arrival
at the online host to arrival at the target, measured in a second pass. lag: last request at the
target after the last one online. kB: anonymous memory at start and after the load. The sum of user
and system time is exact; how it splits follows the kernel's ticks, and is rough where a program
wakes in step with them."""


def ids_and_times(path):
    with open(path, encoding="ascii", errors="replace") as log:
        return [(f[3], float(f[0])) for f in map(str.split, log) if len(f) == 6]


def cpu_us(before, after):
    """User and system microseconds: the sum is exact, its parts follow the kernel's ticks."""
    user, system, total_ns = (b - a for a, b in zip(map(int, before.split()),
                                                    map(int, after.split())))
    share = user / (user + system) if user + system else 0.0
    return total_ns / 1e3 * share, total_ns / 1e3 * (1 - share)


def delays_ms(directory):
    def tap(name):
        first = {}
        with open(os.path.join(directory, name), encoding="ascii") as lines:
            for f in map(str.split, lines):
                if len(f) == 2 and f[1].isdigit():
                    first.setdefault(f[0], int(f[1]))
        return first
    online, target = tap("delay.online"), tap("delay.target")
    return sorted((target[i] - online[i]) / 1e3 for i in online if i in target)


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def row(directory, case, t0, t1, i0, i1, memory):
    online = ids_and_times(os.path.join(directory, "ids.online"))
    target = ids_and_times(os.path.join(directory, "ids.target"))
    arrived = {i for i, _ in online} & {i for i, _ in target}
    delays = delays_ms(directory)
    last = [max((t for _, t in log), default=0.0) for log in (online, target)]
    print(json.dumps({
        "case": case, "online": len(online), "target": len(target), "arrived": len(arrived),
        "tcpcopy_us": cpu_us(t0, t1), "intercept_us": cpu_us(i0, i1),
        "memory_kb": list(map(int, memory.split())), "lag_s": last[1] - last[0],
        "p50_ms": percentile(delays, 0.5), "p99_ms": percentile(delays, 0.99),
        "delays": len(delays)}))


def show(floor_json):
    floor = json.loads(floor_json)
    unit = floor["floor_us"]
    print(f"\nfloor: {unit:.2f} us a packet (user {floor['user_us']:.2f}, system "
          f"{floor['system_us']:.2f}); processor time below in floors a request: "
          "user + system = sum\n")
    print(f"{'case':<10}{'online':>8}{'target':>8}{'delivered':>11}{'tcpcopy':>24}"
          f"{'intercept':>24}{'p50 ms':>8}{'p99 ms':>8}{'lag s':>7}"
          f"{'tcpcopy kB':>14}{'intercept kB':>14}")
    for line in sys.stdin:
        r = json.loads(line)
        n = max(r["online"], 1) * unit

        def floors(us):
            user, system = us
            return f"{user / n:.2f} + {system / n:.2f} = {(user + system) / n:.2f}"

        m = r["memory_kb"]
        print(f"{r['case']:<10}{r['online']:>8}{r['target']:>8}{r['arrived'] / max(r['online'], 1):>11.4f}"
              f"{floors(r['tcpcopy_us']):>24}{floors(r['intercept_us']):>24}"
              f"{r['p50_ms']:>8.2f}{r['p99_ms']:>8.2f}{r['lag_s']:>7.2f}"
              f"{f'{m[0]}>{m[1]}':>14}{f'{m[2]}>{m[3]}':>14}")
    print(NOTES)


def main():
    if len(sys.argv) == 9 and sys.argv[1] == "row":
        row(*sys.argv[2:])
    elif len(sys.argv) == 3 and sys.argv[1] == "show":
        show(sys.argv[2])
    else:
        sys.exit(__doc__)


main()
